//! What a publish costs beside a plain loop over the listeners, beside a loop over an arc-swapped snapshot of them, and in
//! the Python buses.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use arc_swap::ArcSwap;
use clap::Parser;
use sitebus_benches::{
    Busy, Cell, Contestant, Hear, Kind, Machine, Mark, Options, Peers, Report, Results, Table, Timed,
    compete, is_misleading_build, listeners,
};
use sitebus_bus::{Bus, Channel, Topic};

const COUNTS: [usize; 3] = [1, 10, 100];
const ORDER: Topic<u64> = Topic::new("bench.order");
const LOOP: &str = "loop over Vec<Box<dyn Fn>>";
const SNAPSHOT: &str = "arc-swap snapshot and loop";
const SNAPSHOT_CALL: &str = "the same behind a call";
const BUS: &str = "sitebus publish";
const BUS_AGAIN: &str = "sitebus publish, a second bus";

#[derive(Parser)]
#[command(about = "What a publish costs beside a plain loop, a snapshot loop and the Python buses")]
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
    let rounds = options.rounds(101);
    let busy = Busy::watch();
    let machine = Machine::here(&["arc-swap", "sitebus-bus"]);
    let mut report = Report::new("publish", &options, rounds, machine);
    for (kind, title) in [(Kind::Distinct, "each a function of its own"), (Kind::Alike, "all one function")] {
        let results =
            COUNTS.map(|count| run(kind, count, rounds, &options)).into_iter().collect::<Result<Vec<_>>>()?;
        report.tables.push(costs(title, &results, &[LOOP, SNAPSHOT, SNAPSHOT_CALL, BUS, BUS_AGAIN]));
        report.tables.push(ratios(title, &results));
        report.marks.extend(marks(title, &results));
    }
    match peers {
        Ok(peers) => beside(&peers, &mut report, &options)?,
        Err(why) => report.left_out.push(why),
    }
    report.print(&options, &busy)
}

fn slice(options: &Options) -> Duration {
    Duration::from_micros(if options.quick { 200 } else { 2_000 })
}

fn run(kind: Kind, count: usize, rounds: usize, options: &Options) -> Result<Results<1>> {
    let (first, second) = (Bus::new("bench"), Bus::new("bench"));
    let mut contestants = bare(kind, count, slice(options))?;
    for (name, bus) in [(BUS, &first), (BUS_AGAIN, &second)] {
        let mut channel = bus.on(ORDER)?;
        listeners(kind, count, &mut channel);
        ensure!(channel.publish(&1).is_ok(), "a listener of the bench failed");
        contestants
            .push(timed(name, slice(options), move |turns| PUBLISHES.map(|copy| copy(&channel, turns)))?);
    }
    compete(contestants, rounds)
}

/// The contestants that promise nothing: no isolation of panics, no report of failures, no order.
fn bare(kind: Kind, count: usize, slice: Duration) -> Result<Vec<Contestant<'static, 1>>> {
    let (mut plain, mut shared) = (Vec::<Hear>::new(), Vec::<Hear>::new());
    listeners(kind, count, &mut plain);
    listeners(kind, count, &mut shared);
    let shared = Arc::new(ArcSwap::from_pointee(shared));
    let called = Arc::clone(&shared);
    Ok(vec![
        timed(LOOP, slice, move |turns| LOOPS.map(|copy| copy(&plain, turns)))?,
        timed(SNAPSHOT, slice, move |turns| SNAPSHOT_LOOPS.map(|copy| copy(&shared, turns)))?,
        timed(SNAPSHOT_CALL, slice, move |turns| SNAPSHOT_CALLS.map(|copy| copy(&called, turns)))?,
    ])
}

/// Where a loop happens to lie in the program makes it up to a third faster or slower, so each loop is there several times,
/// at different distances from the boundaries that matter, and all of them run in every turn.
const COPIES: usize = 8;
type Copies<T> = [fn(&T, u64); COPIES];

macro_rules! copies {
    ($function:ident) => {
        [
            $function::<0>,
            $function::<1>,
            $function::<2>,
            $function::<3>,
            $function::<4>,
            $function::<5>,
            $function::<6>,
            $function::<7>,
        ]
    };
}

const LOOPS: Copies<Vec<Hear>> = copies!(bare_loop);
const SNAPSHOT_LOOPS: Copies<ArcSwap<Vec<Hear>>> = copies!(snapshot_loop);
const SNAPSHOT_CALLS: Copies<ArcSwap<Vec<Hear>>> = copies!(snapshot_calls);
const PUBLISHES: Copies<Channel<u64>> = copies!(publish);

fn timed<'a>(
    name: &str,
    slice: Duration,
    mut run: impl FnMut(u64) -> [(); COPIES] + 'a,
) -> Result<Contestant<'a, 1>> {
    let mut timed = Timed::new(slice, move |turns| {
        run(turns);
        Ok(())
    })?;
    Ok(Contestant::new(name, move || Ok([timed.nanoseconds()? / COPIES as f64])))
}

#[inline(never)]
fn bare_loop<const COPY: usize>(listeners: &Vec<Hear>, turns: u64) {
    move_on::<COPY>();
    for turn in 0..turns {
        let message = black_box(&turn);
        for hear in black_box(listeners) {
            hear(message);
        }
    }
}

#[inline(never)]
fn snapshot_loop<const COPY: usize>(listeners: &ArcSwap<Vec<Hear>>, turns: u64) {
    move_on::<COPY>();
    for turn in 0..turns {
        let message = black_box(&turn);
        for hear in black_box(listeners).load().iter() {
            hear(message);
        }
    }
}

/// A publish is a call, and what its frame costs is in it: so this is what the bus itself adds to the loop.
#[inline(never)]
fn snapshot_call(listeners: &ArcSwap<Vec<Hear>>, message: &u64) {
    for hear in listeners.load().iter() {
        hear(message);
    }
}

#[inline(never)]
fn snapshot_calls<const COPY: usize>(listeners: &ArcSwap<Vec<Hear>>, turns: u64) {
    move_on::<COPY>();
    for turn in 0..turns {
        snapshot_call(black_box(listeners), black_box(&turn));
    }
}

#[inline(never)]
fn publish<const COPY: usize>(channel: &Channel<u64>, turns: u64) {
    move_on::<COPY>();
    for turn in 0..turns {
        let _ = black_box(black_box(channel).publish(black_box(&turn)));
    }
}

/// Some bytes of code, more for each copy, which also keep the copies from being merged.
#[inline(always)]
fn move_on<const COPY: usize>() {
    (0..COPY).for_each(|place| {
        black_box(COPY * 0x0101_0101 + place);
    });
}

/// The Python buses beside this one, in rounds of their own: they take a thousand times as long.
fn beside(peers: &Peers, report: &mut Report, options: &Options) -> Result<()> {
    let rounds = options.rounds(31);
    let present = peers.present();
    let mut names = vec![BUS, "plain Python loop"];
    names.extend(present.iter().map(|(_, name)| name.as_str()));
    let run = |count| {
        let bus = Bus::new("bench");
        let mut channel = bus.on(ORDER)?;
        listeners(Kind::Distinct, count, &mut channel);
        let publishes = move |turns| PUBLISHES.map(|copy| copy(&channel, turns));
        let mut contestants = vec![timed(BUS, slice(options), publishes)?];
        let keys = std::iter::once("loop").chain(present.iter().map(|(key, _)| *key));
        for (key, name) in keys.zip(&names[1..]) {
            let request = format!("publish {key} {count}");
            contestants.push(Contestant::new(*name, move || Ok([peers.nanoseconds(&request)?])));
        }
        compete(contestants, rounds)
    };
    let results = COUNTS.map(run).into_iter().collect::<Result<Vec<_>>>()?;
    let title = format!("beside Python {}, {rounds} rounds", peers.python());
    report.tables.push(costs(&title, &results, &names));
    let rows =
        names[1..].iter().map(|name| (format!("{name} / sitebus"), row(&results, |r| r.ratio(name, BUS, 0))));
    report.tables.push(Table {
        title: format!("times as long, {title}"),
        columns: columns(),
        rows: rows.collect(),
    });
    Ok(())
}

fn costs(title: &str, results: &[Results<1>], names: &[&str]) -> Table {
    let rows = names.iter().map(|name| ((*name).to_owned(), row(results, |r| r.summary(name, 0)))).collect();
    Table { title: format!("ns per publish, {title}"), columns: columns(), rows }
}

const RATIOS: [(&str, &str, &str); 4] = [
    ("sitebus / snapshot loop", BUS, SNAPSHOT),
    ("sitebus / snapshot loop behind a call", BUS, SNAPSHOT_CALL),
    ("sitebus / plain loop", BUS, LOOP),
    ("sitebus / itself", BUS_AGAIN, BUS),
];

fn ratios(title: &str, results: &[Results<1>]) -> Table {
    let rows =
        RATIOS.map(|(what, ours, theirs)| (what.to_owned(), row(results, |r| r.ratio(ours, theirs, 0))));
    Table { title: format!("ratios, {title}"), columns: columns(), rows: rows.into() }
}

fn marks(title: &str, results: &[Results<1>]) -> Vec<Mark> {
    let mark = |(count, result): (usize, &Results<1>)| {
        let what = format!("sitebus / snapshot loop, {count} listeners, {title},");
        Mark::at_most(1.25, what, result.ratio(BUS, SNAPSHOT, 0), result.ratio(BUS_AGAIN, BUS, 0))
    };
    COUNTS.into_iter().zip(results).filter_map(mark).collect()
}

fn row(
    results: &[Results<1>],
    figure: impl Fn(&Results<1>) -> Option<sitebus_benches::Summary>,
) -> Vec<Cell> {
    results.iter().map(|result| Cell::from(figure(result))).collect()
}

fn columns() -> Vec<String> {
    COUNTS.map(|count| format!("{count} listeners")).into()
}
