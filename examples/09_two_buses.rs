//! 09: two buses in one process. None is global; what one does is nothing to the other, unless a listener says so.
//!
//! `cargo run -p sitebus-examples --bin 09_two_buses`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::{Bus, EXIT, START, STOP, State};

fn main() -> anyhow::Result<()> {
    let shop = Bus::new("shop");
    let kitchen = Bus::new("kitchen");
    for bus in [&shop, &kitchen] {
        let name = bus.name().to_owned();
        bus.on(START)?.subscribe("doors", move |_| println!("{name} opens"));
        let name = bus.name().to_owned();
        bus.on(STOP)?.subscribe("doors", move |_| println!("{name} closes"));
    }

    // The kitchen ends when the shop does. A listener of one bus may wait for another bus.
    let also = kitchen.handle();
    shop.on(EXIT)?.subscribe("kitchen", move |_| also.exit().map(|_| ()).map_err(Into::into));

    shop.start()?;
    kitchen.start()?;
    kitchen.stop()?;
    println!("the shop is {}, the kitchen is {}", shop.state(), kitchen.state());
    kitchen.start()?;

    shop.exit()?;
    assert_eq!(kitchen.state(), State::Exiting);
    println!("both are gone");
    drop((shop.block(), kitchen.block()));
    Ok(())
}
