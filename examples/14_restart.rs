//! 14: a restart in place: the process stays, and so does its open door, while everything else in it is new.
//!
//! `cargo run -p sitebus-examples --bin 14_restart`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::net::TcpListener;

use sitebus::os::alone::Alone;
use sitebus::restart::{Image, Inherited, Item, Restart};
use sitebus::{Bus, EXIT, RESTART};

fn main() -> anyhow::Result<()> {
    // First of all: what we were started as, and what the image before us has handed on.
    let image = Image::capture()?;
    let inherited = Inherited::receive(&Alone::claim()?)?;

    let door = inherited.take("door", "front");
    println!(
        "{} with process {}",
        if door.is_some() { "again" } else { "for the first time" },
        std::process::id()
    );
    let first = door.is_none();
    let door = match door.and_then(Item::into_descriptor) {
        Some(descriptor) => TcpListener::from(descriptor),
        None => TcpListener::bind("127.0.0.1:0")?,
    };
    println!("the door is open at {}", door.local_addr()?);

    let bus = Bus::new("shop");
    Restart::new(image, inherited).subscribe(&bus);
    // Everybody may object before anything has changed.
    bus.on(RESTART)?.subscribe("owner", move |_| {
        anyhow::ensure!(first, "one restart is enough");
        Ok(())
    });
    bus.on(EXIT)?.subscribe("door", move |exiting| {
        if exiting.exit().is_restart() {
            exiting.hand_on(Item::new("door", "front").with_descriptor(door.try_clone()?));
        }
        Ok(())
    });
    bus.start()?;
    if let Err(refusal) = bus.restart() {
        println!("{refusal}");
        bus.exit()?;
    }
    println!("{}", bus.block()); // does not return from a restart, unless that failed
    Ok(())
}
