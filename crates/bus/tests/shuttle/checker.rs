//! Runs a scenario in many schedules, and says which promise one of them breaks.

use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind};

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, MaxSteps, Runner, thread};

/// How many schedules of each kind. PCT holds threads back at up to so many places.
const RANDOM: usize = 700;
const PCT: usize = 300;
const PLACES: usize = 3;
const SEED: u64 = 20_010_911;

/// More steps than any schedule of a bus that works.
const STEPS: usize = 50_000;
const STACK: usize = 256 * 1024;

thread_local! {
    /// All threads of a schedule are one thread of the system.
    static BROKEN: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// `promise` is what a deadlock of this scenario breaks.
pub(crate) fn in_every_schedule(promise: &'static str, scenario: fn()) {
    let schedules = catch_unwind(|| {
        let random = RandomScheduler::new_from_seed(SEED, RANDOM);
        let pct = PctScheduler::new_from_seed(SEED, PLACES, PCT);
        Runner::new(random, config()).run(scenario) + Runner::new(pct, config()).run(scenario)
    });
    match schedules {
        Ok(schedules) => println!("{schedules} schedules: {promise}"),
        Err(panic) => {
            eprintln!("BROKEN PROMISE: {}", BROKEN.get().unwrap_or(promise));
            resume_unwind(panic);
        }
    }
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    config
}

/// Ends the run unless `kept`. On the bus's own threads a panic would be taken for a listener's failure, so there the thread
/// stops instead, and the deadlock ends the run.
pub(crate) fn hold(kept: bool, promise: &'static str) {
    if kept || BROKEN.get().is_some() {
        return; // one is enough: a second panic would end the process
    }
    BROKEN.set(Some(promise));
    let name = thread::current().name().map(str::to_owned).unwrap_or_default();
    assert!(name.ends_with(" lane") || name.ends_with(" keeper"), "BROKEN PROMISE: {promise}");
    loop {
        thread::park();
    }
}
