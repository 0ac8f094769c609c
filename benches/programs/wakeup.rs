//! How long a thread that waits for a state sleeps on after the state has come, beside a bare condition variable.
//!
//! A state cannot be seen from outside at the moment at which it is entered. So the clock starts where the last start
//! listener ends, and everything that the bus does between that and the return of `wait` is in the figure: the report to
//! the lane, the transition, the wake-up. In the twin a worker does what a lane must do at least: it takes the time, locks,
//! sets, unlocks, notifies.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use parking_lot::{Condvar, Mutex};
use sitebus_benches::{
    Busy, Cell, Contestant, Cores, Machine, Mark, Options, Report, Results, Table, compete,
    is_misleading_build, percentile,
};
use sitebus_bus::{Bus, START, State};

const BUS: &str = "sitebus wait(STARTED)";
const BUS_AGAIN: &str = "sitebus, a second bus";
const TWIN: &str = "parking_lot Condvar";
const TWIN_AGAIN: &str = "parking_lot Condvar, a second one";
const FIGURES: [&str; 2] = ["p50", "p99"];
/// How long the waiter has slept when the state comes, and how often in a round. The core that it sleeps on may still look
/// for work after the first, so that it wakes up fastest; after the second it sleeps too.
const PAUSES: [(Duration, usize); 2] = [(Duration::from_micros(50), 200), (Duration::from_millis(2), 50)];
/// Waiter and waker have a core each: else some runs would wake the waiter on the waker's core, and others would not.
const WAITER: usize = 0;
const WAKER: usize = 1;
/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
#[command(about = "How fast a thread wakes up that waits for a state")]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// What cargo passes on as a filter: ignored
    #[arg(hide = true)]
    _filter: Option<String>,
}

fn main() -> Result<()> {
    let Arguments { options, .. } = Arguments::parse();
    if is_misleading_build(&options) {
        return Ok(());
    }
    let cores = Cores::of_process();
    let rounds = options.rounds(51);
    let busy = Busy::watch();
    let machine = Machine::here(&["parking_lot", "sitebus-bus"]);
    let mut report = Report::new("wakeup", &options, rounds, machine);
    if !cores.pin(WAITER) {
        report.left_out.push("keeping waiter and waker on cores of their own: not possible here".to_owned());
    }
    for (pause, samples) in PAUSES {
        let samples = if options.quick { 10 } else { samples };
        let results = run(pause, samples, rounds, &cores)?;
        report.tables.extend([latencies(&results, pause, samples), ratios(&results, pause)]);
        let what = format!("p50 of sitebus / Condvar after {pause:?} of sleep");
        let (ratio, itself) = (results.ratio(BUS, TWIN, 0), results.ratio(BUS_AGAIN, BUS, 0));
        report.marks.extend(Mark::at_most(1.5, what, ratio, itself));
    }
    report.print(&options, &busy)
}

fn run(pause: Duration, samples: usize, rounds: usize, cores: &Cores) -> Result<Results<2>> {
    let contestants = vec![
        through_bus(BUS, samples, Meeting::new(pause, cores))?,
        through_condvar(TWIN, samples, Meeting::new(pause, cores)),
        through_bus(BUS_AGAIN, samples, Meeting::new(pause, cores))?,
        through_condvar(TWIN_AGAIN, samples, Meeting::new(pause, cores)),
    ];
    compete(contestants, rounds)
}

/// What waiter and waker share: both wait for each other, so that the waiter sleeps when the state comes.
struct Meeting {
    pause: Duration,
    cores: Cores,
    epoch: Instant,
    waiter_is_ready: AtomicBool,
    changed_at: AtomicU64,
}

impl Meeting {
    fn new(pause: Duration, cores: &Cores) -> Arc<Meeting> {
        let (waiter_is_ready, changed_at) = (AtomicBool::new(false), AtomicU64::new(0));
        Arc::new(Meeting { pause, cores: cores.clone(), epoch: Instant::now(), waiter_is_ready, changed_at })
    }

    /// On the waker's thread, right before the change. It spins, so that it is running already when it has to wake.
    fn time_the_change(&self) {
        self.cores.pin(WAKER);
        while !self.waiter_is_ready.swap(false, Ordering::AcqRel) {
            spin_loop();
        }
        let begun = Instant::now();
        while begun.elapsed() < self.pause {
            spin_loop();
        }
        self.changed_at.store(self.now(), Ordering::Release);
    }

    fn expect_the_change(&self) {
        self.waiter_is_ready.store(true, Ordering::Release);
    }

    /// On the waiter's thread, once it is awake: microseconds since the change.
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of seconds")]
    fn slept_on(&self, now: u64) -> f64 {
        now.saturating_sub(self.changed_at.load(Ordering::Acquire)) as f64 / 1e3
    }

    #[expect(clippy::cast_possible_truncation, reason = "nanoseconds of minutes")]
    fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}

fn figures(samples: usize, mut sample: impl FnMut() -> Result<f64>) -> Result<[f64; 2]> {
    let mut latencies = (0..samples).map(|_| sample()).collect::<Result<Vec<_>>>()?;
    latencies.sort_by(f64::total_cmp);
    Ok([percentile(&latencies, 0.5), percentile(&latencies, 0.99)])
}

fn through_bus(name: &str, samples: usize, meeting: Arc<Meeting>) -> Result<Contestant<'static, 2>> {
    let bus = Bus::new("bench");
    let waker = Arc::clone(&meeting);
    bus.on(START)?.subscribe("waker", move |_| waker.time_the_change());
    Ok(Contestant::new(name, move || {
        figures(samples, || {
            let started = bus.ask_start();
            meeting.expect_the_change();
            bus.wait(State::Started, Some(PATIENCE))?;
            let now = meeting.now();
            started.wait()?;
            bus.stop()?;
            Ok(meeting.slept_on(now))
        })
    }))
}

/// A worker that turns a state over on request, and the two condition variables between it and the waiter.
struct Twin {
    shared: Arc<Turning>,
    worker: Option<JoinHandle<()>>,
}

struct Turning {
    meeting: Arc<Meeting>,
    state: Mutex<Turn>,
    asked: Condvar,
    turned: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Off,
    AskedOn,
    On,
    AskedOff,
    End,
}

impl Twin {
    fn new(meeting: Arc<Meeting>) -> Twin {
        let (state, asked, turned) = (Mutex::new(Turn::Off), Condvar::new(), Condvar::new());
        let shared = Arc::new(Turning { meeting, state, asked, turned });
        let turning = Arc::clone(&shared);
        Twin { shared, worker: Some(thread::spawn(move || turning.work())) }
    }

    fn sample(&self) -> Result<f64> {
        let Turning { meeting, state, asked, .. } = &*self.shared;
        *state.lock() = Turn::AskedOn;
        asked.notify_one();
        meeting.expect_the_change();
        self.shared.wait_until(Turn::On)?;
        let now = meeting.now();
        // A bus must be stopped before it starts again: so the twin too sleeps and wakes up twice.
        *state.lock() = Turn::AskedOff;
        asked.notify_one();
        self.shared.wait_until(Turn::Off)?;
        Ok(meeting.slept_on(now))
    }
}

impl Turning {
    fn wait_until(&self, wanted: Turn) -> Result<()> {
        let mut state = self.state.lock();
        let waited = self.turned.wait_while_for(&mut state, |state| *state != wanted, PATIENCE);
        (!waited.timed_out()).then_some(()).context("the worker never turned the state")
    }

    fn work(&self) {
        loop {
            let mut state = self.state.lock();
            self.asked.wait_while(&mut state, |state| matches!(state, Turn::On | Turn::Off));
            let asked = *state;
            drop(state);
            let turned = match asked {
                Turn::AskedOn => {
                    self.meeting.time_the_change();
                    Turn::On
                }
                Turn::End => return,
                _ => Turn::Off,
            };
            *self.state.lock() = turned;
            self.turned.notify_all();
        }
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        *self.shared.state.lock() = Turn::End;
        self.shared.asked.notify_one();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join(); // it has nothing to report
        }
    }
}

fn through_condvar(name: &str, samples: usize, meeting: Arc<Meeting>) -> Contestant<'static, 2> {
    let twin = Twin::new(meeting);
    Contestant::new(name, move || figures(samples, || twin.sample()))
}

fn latencies(results: &Results<2>, pause: Duration, samples: usize) -> Table {
    let row =
        |name: &str| (name.to_owned(), [0, 1].map(|figure| Cell::from(results.summary(name, figure))).into());
    Table {
        title: format!("us from the change to the return of a wait of {pause:?}, {samples} wake-ups a round"),
        columns: FIGURES.map(str::to_owned).into(),
        rows: [BUS, TWIN, BUS_AGAIN, TWIN_AGAIN].map(row).into(),
    }
}

fn ratios(results: &Results<2>, pause: Duration) -> Table {
    let row = |(what, ours, theirs): (&str, &str, &str)| {
        (what.to_owned(), [0, 1].map(|figure| Cell::from(results.ratio(ours, theirs, figure))).into())
    };
    let rows = [
        ("sitebus / Condvar", BUS, TWIN),
        ("sitebus / itself", BUS_AGAIN, BUS),
        ("Condvar / itself", TWIN_AGAIN, TWIN),
    ];
    Table {
        title: format!("ratios, {pause:?} of sleep"),
        columns: FIGURES.map(str::to_owned).into(),
        rows: rows.map(row).into(),
    }
}
