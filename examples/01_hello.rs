//! 01: a bus that starts, is asked to exit, and says why it ended.
//!
//! `cargo run -p sitebus-examples --bin 01_hello`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::{Bus, EXIT, Exit, START, STOP};

fn main() -> anyhow::Result<Exit> {
    let bus = Bus::new("hello");

    // A listener is a closure with a name. It may return nothing, or a result.
    bus.on(START)?.subscribe("door", |_| println!("the door opens"));
    bus.on(STOP)?.subscribe("door", |_| println!("the door closes"));
    bus.on(EXIT)?.subscribe("lights", |_| println!("lights out"));

    bus.start()?;
    println!("the bus is {}", bus.state());

    // Anybody may ask: a signal, a request handler, another thread. Asking never blocks.
    let closing = bus.handle();
    std::thread::spawn(move || closing.ask_exit(Exit::success("closing time")));

    // Waits for the end, and returns it. `main` may return it too: it is the status of the process.
    let exit = bus.block();
    println!("{exit}");
    Ok(exit)
}
