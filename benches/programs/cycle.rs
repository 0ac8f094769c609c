//! What the whole life of a bus costs: made, started, exited, dropped.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use parking_lot::{Condvar, Mutex};
use sitebus_benches::{
    Busy, Cell, Contestant, Machine, Options, Peers, Report, Results, Table, Timed, compete,
    is_misleading_build,
};
use sitebus_bus::{Bus, EXIT, START, STOP};

const COUNTS: [usize; 2] = [0, 10];
const BUS: &str = "sitebus";
const BUS_AGAIN: &str = "sitebus, again";
const THREADS: &str = "two bare threads, woken and joined";

#[derive(Parser)]
#[command(about = "What making, starting, exiting and dropping a bus costs")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Install MagicBus and CherryPy into the target folder first (python3 and pip)
    #[arg(long)]
    install_peers: bool,
    /// What cargo passes on as a filter: ignored
    #[arg(hide = true)]
    _filter: Option<String>,
}

fn main() -> Result<()> {
    let Arguments { options, install_peers, .. } = Arguments::parse();
    if is_misleading_build(&options) {
        return Ok(());
    }
    if install_peers {
        Peers::install()?;
    }
    let peers = Peers::find()?;
    let rounds = options.rounds(51);
    let busy = Busy::watch();
    let mut report = Report::new("cycle", &options, rounds, Machine::here(&["parking_lot", "sitebus-bus"]));
    let (peers, python) = match &peers {
        Ok(found) => (Some(found), format!(", beside Python {}", found.python())),
        Err(why) => {
            report.left_out.push(why.clone());
            (None, String::new())
        }
    };
    let results =
        COUNTS.map(|count| run(count, peers, rounds, &options)).into_iter().collect::<Result<Vec<_>>>()?;
    let present = peers.map(Peers::present).unwrap_or_default();
    let mut names = vec![BUS, BUS_AGAIN, THREADS];
    names.extend(present.iter().map(|(_, name)| name.as_str()));
    report.tables = vec![costs(&names, &results, &python), ratios(&names, &results)];
    report.print(&options, &busy)
}

fn run(count: usize, peers: Option<&Peers>, rounds: usize, options: &Options) -> Result<Results<1>> {
    let slice = Duration::from_millis(if options.quick { 2 } else { 10 });
    let mut contestants = vec![
        timed(BUS, slice, || life(count))?,
        timed(THREADS, slice, || {
            two_threads();
            Ok(())
        })?,
        timed(BUS_AGAIN, slice, || life(count))?,
    ];
    for (key, name) in peers.map(Peers::present).unwrap_or_default() {
        let request = format!("cycle {key} {count}");
        let measure = move || peers.map_or(Ok(0.0), |peers| peers.nanoseconds(&request));
        contestants.push(Contestant::new(name, move || Ok([measure()? / 1e3])));
    }
    compete(contestants, rounds)
}

fn timed<'a>(
    name: &str,
    slice: Duration,
    mut turn: impl FnMut() -> Result<()> + 'a,
) -> Result<Contestant<'a, 1>> {
    let mut timed = Timed::new(slice, move |turns| (0..turns).try_for_each(|_| turn()))?;
    Ok(Contestant::new(name, move || Ok([timed.nanoseconds()? / 1e3])))
}

/// With so many listeners on each of start, stop and exit.
fn life(count: usize) -> Result<()> {
    let bus = Bus::new("bench");
    let (start, stop, exit) = (bus.on(START)?, bus.on(STOP)?, bus.on(EXIT)?);
    for number in 0..count {
        start.subscribe("listener", listener(number));
        stop.subscribe("listener", listener(number));
        exit.subscribe("listener", listener(number));
    }
    bus.start()?;
    bus.exit()?;
    ensure!(bus.block().code() == 0, "the bus did not end well");
    Ok(())
}

fn listener<M>(number: usize) -> impl Fn(&M) + Send + Sync + 'static {
    move |_| {
        black_box(number);
    }
}

/// The floor of every bus that has a thread for its listeners and one for their deadlines.
fn two_threads() {
    let (go, wake) = (Mutex::new(false), Condvar::new());
    let wait = || wake.wait_while(&mut go.lock(), |go| !*go);
    thread::scope(|scope| {
        scope.spawn(wait);
        scope.spawn(wait);
        *go.lock() = true;
        wake.notify_all();
    });
}

fn costs(names: &[&str], results: &[Results<1>], python: &str) -> Table {
    let row =
        |name: &&str| ((*name).to_owned(), results.iter().map(|r| Cell::from(r.summary(name, 0))).collect());
    let title = format!("us per bus made, started, exited and dropped{python}");
    Table { title, columns: columns(), rows: names.iter().map(row).collect() }
}

fn ratios(names: &[&str], results: &[Results<1>]) -> Table {
    let row = |name: &&str| {
        let cells = results.iter().map(|result| Cell::from(result.ratio(name, BUS, 0))).collect();
        (format!("{name} / sitebus"), cells)
    };
    Table { title: "ratios".to_owned(), columns: columns(), rows: names[1..].iter().map(row).collect() }
}

fn columns() -> Vec<String> {
    COUNTS.map(|count| format!("{count} listeners")).into()
}
