//! 03: topics of your own, with and without an output, and a receiver in place of a listener.
//!
//! `cargo run -p sitebus-examples --bin 03_your_own_topic`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::{Bus, Exit, Topic};

/// An order came in: its number. A topic fixes the name, the type of the message and the type of the output.
const ORDER: Topic<u32> = Topic::new("shop.order");
/// What does this cost? Every listener that knows a price answers.
const PRICE: Topic<str, u32> = Topic::new("shop.price");

fn main() -> anyhow::Result<Exit> {
    let bus = Bus::new("shop");

    // Ask for the channel once and keep it: publishing then takes no lock and no lookup.
    let orders = bus.on(ORDER)?;
    orders.subscribe("print", |number: &u32| println!("order {number}"));
    // A receiver is never waited for: what does not fit is counted and lost.
    let inbox = orders.receive("bookkeeping", 2);
    for number in 1..=3 {
        orders.publish(&number)?;
    }
    println!("bookkeeping has {} and lost {}", inbox.receiver().len(), inbox.lost());

    let prices = bus.on(PRICE)?;
    prices.subscribe("list", |goods: &str| {
        if goods == "tea" { Ok(3) } else { anyhow::bail!("{goods} is not on the list") }
    });
    prices.subscribe("guess", |goods: &str| Ok(goods.len() as u32));
    let answers = prices.collect("coffee");
    println!("coffee costs {:?}", answers.outputs);
    if let Some(failures) = answers.failures {
        println!("but {failures}"); // named: listener, channel, reason; all others have run
    }

    // One name with two pairs of types is an error that names both.
    const MISTAKE: Topic<String> = Topic::new("shop.order");
    if let Err(clash) = bus.on(MISTAKE) {
        println!("{clash}");
    }

    bus.exit()?;
    Ok(bus.block())
}
