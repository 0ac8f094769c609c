//! Autoreload beside other reloaders: from a file saved to the change told, to the new version serving, and what waiting costs.

mod peers;
mod process;
mod serving;
mod site;
mod told;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use sitebus_benches::{
    Busy, Cell, Contestant, Machine, Mark, Options, Report, Results, Table, compete, is_misleading_build,
};

use crate::peers::Python;
use crate::serving::Serving;

/// So many files are watched.
const FILES: usize = 1000;

#[derive(Parser)]
#[command(about = "From a file saved to the change told, to the new version serving; and what waiting costs")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Install gunicorn, uvicorn and CherryPy into the target folder first (python3 and pip)
    #[arg(long)]
    install_peers: bool,
    /// How many seconds each waits for nothing
    #[arg(long, default_value_t = 10.0)]
    idle: f64,
    /// Be a site with this role: `sitebus` or `plain`
    #[arg(long, hide = true, num_args = 3, value_names = ["ROLE", "PORT", "FOLDER"])]
    site: Option<Vec<String>>,
    /// What cargo passes on as a filter: ignored
    #[arg(hide = true)]
    _filter: Option<String>,
}

fn main() -> Result<()> {
    let image = sitebus_restart::Image::capture()?; // before anything else, as every program does that restarts
    let Arguments { options, install_peers, idle, site, .. } = Arguments::parse();
    if let Some([role, port, folder]) = site.as_deref() {
        return site::run(image, role, port.parse()?, &PathBuf::from(folder));
    }
    if is_misleading_build(&options) {
        return Ok(());
    }
    if install_peers {
        Python::install()?;
    }
    let python = Python::find()?;
    let busy = Busy::watch();
    let rounds = options.rounds(15);
    let machine = Machine::here(&["notify", "ignore", "sitebus-autoreload"]);
    let mut report = Report::new("autoreload", &options, rounds, peers::versions(machine, &python));
    let idle = Duration::try_from_secs_f64(if options.quick { 0.5 } else { idle })?;

    let told = run(told::contestants(&python, &mut report.left_out)?, rounds)?;
    let serving = run(serving::contestants(&python, &mut report.left_out)?, rounds)?;
    let waiting = waiting(&python, idle)?;
    report.marks.extend(Mark::at_most(
        60.0,
        "noticed and settled, ms",
        told.1.summary(told::IN_PLACE, 0),
        told.1.ratio(told::AGAIN, told::IN_PLACE, 0),
    ));
    report.marks.extend(Mark::at_most(
        100.0,
        "serving again, ms",
        serving.1.summary(serving::SITEBUS, 0),
        None,
    ));
    report.tables = vec![
        table("ms from the file saved to the change told", &["ms"], &told),
        table(
            "ms from the file saved to the new version serving, Python with its imports",
            &["ms", "refused connects"],
            &serving,
        ),
        waiting,
    ];
    report.print(&options, &busy)
}

type Ran<const N: usize> = (Vec<String>, Results<N>);

fn run<const N: usize>(contestants: Vec<(String, Contestant<'static, N>)>, rounds: usize) -> Result<Ran<N>> {
    let (names, contestants) = contestants.into_iter().unzip();
    Ok((names, compete(contestants, rounds)?))
}

fn table<const N: usize>(title: &str, columns: &[&str], (names, results): &Ran<N>) -> Table {
    let row = |name: &String| {
        let cells = (0..N).map(|figure| Cell::from(results.summary(name, figure))).collect();
        (name.clone(), cells)
    };
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    Table { title: title.to_owned(), columns, rows: names.iter().map(row).collect() }
}

/// One after the other, once: each of them waits for as long as it takes to see anything at all.
fn waiting(python: &Option<Python>, idle: Duration) -> Result<Table> {
    let mut rows = Vec::new();
    for start in serving::all_with_files(python) {
        let serving: Serving = start?;
        let spent = serving.processor_time_over(idle)?;
        let cell = Cell::Text(format!("{:.1}", spent.as_secs_f64() * 1e3));
        rows.push((serving.name().to_owned(), vec![cell]));
    }
    let title =
        format!("ms of processor time of the whole process tree in {idle:?}, {FILES} files, nothing happens");
    Ok(Table { title, columns: vec!["ms".to_owned()], rows })
}
