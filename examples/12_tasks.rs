//! 12: work in the background: a task that waits inside, a monitor that a reload gives another period, and threads that are
//! given what belongs to them.
//!
//! `cargo run -p sitebus-examples --bin 12_tasks`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sitebus::tasks::{Monitor, Settings, Task, Threads};
use sitebus::{Bus, Exit, SettingsMap, topics};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn main() -> anyhow::Result<Exit> {
    let bus = Bus::new("shop");
    let (say, said) = mpsc::channel();

    // Called again and again. It waits by its turn, so that a stop wakes it at once; an error would only make it pause.
    let lease = say.clone();
    Task::new("lease", move |turn| {
        lease.send("the lease is renewed")?;
        if turn.wait(HOUR) {
            lease.send("the lease is given back")?;
        }
        anyhow::Ok(())
    })
    .subscribe(&bus);

    // Called once in each period, at first after an hour.
    Monitor::new("sweeper", Settings::every(HOUR), move |_| Ok(say.send("swept")?)).subscribe(&bus);

    bus.start()?;
    println!("{}", said.recv()?);
    bus.ask_graceful(SettingsMap::new().with(Settings::every(Duration::from_millis(1)))).wait()?;
    println!("{}", said.recv()?);

    // A framework acquires its threads; whoever has something for each thread listens, on that thread.
    let threads = Threads::subscribe(&bus)?;
    bus.on(topics::START_THREAD)?.subscribe("database", |id| println!("a connection for thread {id}"));
    bus.on(topics::STOP_THREAD)?.subscribe("database", |id| println!("no connection for thread {id}"));
    let worker = thread::spawn(move || threads.acquire().map(|_| threads.release()));
    worker.join().expect("it does not panic")?;

    bus.exit()?;
    println!("{}", said.try_iter().find(|line| line.starts_with("the lease")).unwrap_or_default());
    Ok(bus.block())
}
