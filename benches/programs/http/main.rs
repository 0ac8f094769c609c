//! The HTTP plugin beside bare hyper: requests per second, latency, and processor time per request.
//!
//! Each server is a process of its own. They are loaded one after the other, never at once, in an order that goes there and
//! back, so that each is compared with what ran right before or after it.

mod child;
mod load;
mod server;
mod wrk;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use sitebus_benches::{
    Busy, Cell, Contestant, Machine, Mark, Options, Report, Results, Table, compete, is_misleading_build,
};

use crate::child::Child;
use crate::load::{Load, Loader};
use crate::server::Program;

const SITEBUS: &str = "sitebus-http";
const HYPER: &str = "bare hyper";
const HYPER_AGAIN: &str = "bare hyper, a second process";
const UNLIMITED: &str = "bare hyper without any timeout";
const CONTESTANTS: [(&str, Program); 4] = [
    (HYPER, Program::Hyper),
    (SITEBUS, Program::Sitebus),
    (HYPER_AGAIN, Program::Hyper),
    (UNLIMITED, Program::HyperUnlimited),
];

/// The figures of one turn, in the order of the columns.
const FIGURES: [&str; 4] = ["requests/s", "p50 us", "p99 us", "cpu us/request"];
const REQUESTS_PER_SECOND: usize = 0;

const LOADS: [Load; 3] = [
    Load { connections: 32, keep_alive: true },
    Load { connections: 1, keep_alive: true },
    Load { connections: 32, keep_alive: false },
];

#[derive(Parser)]
#[command(about = "Requests per second, latency and processor time of sitebus-http beside bare hyper")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Who makes the requests; wrk if it is installed, if not said
    #[arg(long)]
    load: Option<LoaderName>,
    /// Seconds of load in each turn
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Be the server
    #[arg(long, hide = true)]
    serve: Option<Program>,
    /// What cargo passes on as a filter: ignored
    #[arg(hide = true)]
    _filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LoaderName {
    Wrk,
    Own,
}

fn main() -> Result<()> {
    let Arguments { options, load, seconds, serve, .. } = Arguments::parse();
    if let Some(program) = serve {
        return program.serve();
    }
    if is_misleading_build(&options) {
        return Ok(());
    }
    let rounds = options.rounds(12);
    let turn = Duration::try_from_secs_f64(if options.quick { 0.2 } else { seconds })?;
    let mut machine = Machine::here(&["hyper", "hyper-util", "tokio", "sitebus-http"]);
    let (loader, version) = match (load, wrk::version()?) {
        (None | Some(LoaderName::Wrk), Some(version)) => (Loader::Wrk, version),
        (Some(LoaderName::Wrk), None) => anyhow::bail!("wrk is not installed; install it, or use --load own"),
        (None | Some(LoaderName::Own), _) => (Loader::Own, "this program".to_owned()),
    };
    machine = machine.with("load by", version);
    let busy = Busy::watch();
    let mut report = Report::new("http", &options, rounds, machine);
    for load in LOADS {
        let results = run(load, loader, turn, rounds)?;
        report.tables.extend([figures(load, turn, &results), ratios(load, &results)]);
        report.marks.extend(mark(load, &results));
    }
    report.print(&options, &busy)
}

fn run(load: Load, loader: Loader, turn: Duration, rounds: usize) -> Result<Results<4>> {
    let contestant = |(name, program): (&'static str, Program)| {
        let server = Child::start(program)?;
        Ok(Contestant::new(name, move || {
            let before = server.processor_time()?;
            let done = loader.run(server.address(), load, turn)?;
            let spent = server.processor_time()? - before;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let per_request = spent.as_secs_f64() * 1e6 / done.requests as f64;
            Ok([done.per_second, done.p50, done.p99, per_request])
        }))
    };
    compete(CONTESTANTS.into_iter().map(contestant).collect::<Result<_>>()?, rounds)
}

fn figures(load: Load, turn: Duration, results: &Results<4>) -> Table {
    let cells = |name| (0..FIGURES.len()).map(|figure| Cell::from(results.summary(name, figure))).collect();
    Table {
        title: format!("{load}, {turn:?} a turn"),
        columns: FIGURES.map(str::to_owned).into(),
        rows: CONTESTANTS.map(|(name, _)| (name.to_owned(), cells(name))).into(),
    }
}

fn ratios(load: Load, results: &Results<4>) -> Table {
    let row = |(what, ours, theirs): (&str, &str, &str)| {
        let cells = (0..FIGURES.len()).map(|figure| Cell::from(results.ratio(ours, theirs, figure)));
        (what.to_owned(), cells.collect())
    };
    let rows = [
        ("sitebus-http / bare hyper", SITEBUS, HYPER),
        ("sitebus-http / hyper without any timeout", SITEBUS, UNLIMITED),
        ("bare hyper / itself", HYPER_AGAIN, HYPER),
    ];
    Table {
        title: format!("ratios, {load}"),
        columns: FIGURES.map(str::to_owned).into(),
        rows: rows.map(row).into(),
    }
}

fn mark(load: Load, results: &Results<4>) -> Option<Mark> {
    let what = format!("requests/s of sitebus-http / bare hyper, {load},");
    let ratio = results.ratio(SITEBUS, HYPER, REQUESTS_PER_SECOND);
    let itself = results.ratio(HYPER_AGAIN, HYPER, REQUESTS_PER_SECOND);
    Mark::at_least(0.97, what, ratio, itself)
}
