//! 05: a bus inside a program that has a life of its own: no signal is touched, and the program decides when it ends.
//!
//! `cargo run -p sitebus-examples --bin 05_embedded`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sitebus::{Bus, Limits, START, STOP, State};

fn main() -> anyhow::Result<()> {
    // Every listener has a deadline: here half a second each, one second for all of a start or a stop.
    let mut limits = Limits::all(Duration::from_millis(500), Duration::from_secs(1));
    limits.join = Duration::from_secs(2);
    let bus = Bus::builder("embedded").limits(limits).build();

    // A thread of our own. The bus waits for those that it is told of, and for no others.
    let (jobs, todo) = mpsc::channel::<Option<u32>>();
    let worker =
        thread::spawn(move || println!("the worker did {} jobs", todo.iter().map_while(|job| job).count()));
    bus.adopt("worker", worker);

    let more = jobs.clone();
    bus.on(START)?.subscribe("jobs", move |_| Ok((1..=3).try_for_each(|job| more.send(Some(job)))?));
    bus.on(STOP)?.subscribe("jobs", move |_| Ok(jobs.send(None)?));

    // Waiting wakes in microseconds, and has an end.
    let handle = bus.handle();
    let watcher = thread::spawn(move || handle.wait(State::Started, Some(Duration::from_secs(5))));
    bus.start()?;
    println!("another thread saw {}", watcher.join().expect("it does not panic")?);

    bus.stop()?;
    println!("the bus is {}, the program goes on", bus.state());

    bus.exit()?;
    let listeners: Vec<_> =
        bus.timings().iter().map(|timing| format!("{} {}", timing.step, timing.listener)).collect();
    println!("{} listeners were timed", listeners.len());

    println!("{}", bus.block()); // waits for the worker, too
    Ok(())
}
