//! 16: a service manager hears what the bus does, and gives it its sockets. Try it under one, or play one with `socat`:
//!
//! `socat UNIX-RECV:/tmp/notify - & NOTIFY_SOCKET=/tmp/notify cargo run -p sitebus-examples --bin 16_systemd`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::Bus;
use sitebus::http::{Http, Response};
use sitebus::os::alone::Alone;
use sitebus::systemd::{Environment, Systemd};

fn main() -> anyhow::Result<()> {
    // First of all, while there is one thread: what the manager has left for us, and for nobody whom we start.
    let environment = Environment::take(&Alone::claim()?)?;
    println!("somebody waits until we are ready: {}", environment.waits_for_readiness());

    let bus = Bus::new("shop");
    Systemd::new(&environment).subscribe(&bus);
    let server = Http::new("http")
        // A socket of the unit that is bound to this address is taken; otherwise it is bound.
        .listen("127.0.0.1:0")?
        .inherit(&environment.listeners())
        .answer(|_| Response::new("Welcome\n".into()))
        .subscribe(&bus)?;
    bus.start()?; // READY=1
    println!("{} address is open", server.addresses().len());
    bus.graceful()?; // RELOADING=1, READY=1
    bus.exit()?; // STOPPING=1
    let _ = bus.block();
    Ok(())
}
