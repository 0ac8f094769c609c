//! 02: the order of listeners. Lower comes first on every channel; what nobody ordered stops as the mirror of its start.
//!
//! `cargo run -p sitebus-examples --bin 02_priorities`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::{Bus, Exit, START, STOP, priority};

fn main() -> anyhow::Result<Exit> {
    let bus = Bus::new("order");
    let (start, stop) = (bus.on(START)?, bus.on(STOP)?);

    // The named constants read as the sequence of a start and of a stop; see `sitebus::priority`.
    start.subscribe_at(priority::SERVER, "server", |_| println!("start: server"));
    start.subscribe_at(priority::PRIVILEGES, "privileges", |_| {
        println!("start: privileges, once the ports are bound");
    });
    start.subscribe_at(priority::SERVER.before(), "warm-up", |_| {
        println!("start: warm-up, just before the server");
    });

    // Two of the default priority: in the order of subscription on the way up, in the reverse on the way down.
    for name in ["database", "cache"] {
        start.subscribe(name, move |_| println!("start: {name}"));
        stop.subscribe(name, move |_| println!("stop: {name}"));
    }
    stop.subscribe_at(priority::STOP_SERVER, "server", |_| {
        println!("stop: server, before what its requests use");
    });

    bus.start()?;
    bus.exit()?;
    Ok(bus.block())
}
