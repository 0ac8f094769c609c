//! 06: the same under `#[tokio::main]`: async listeners, and async waiting.
//!
//! `cargo run -p sitebus-examples --bin 06_embedded_in_tokio`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::{Bus, Exit, START, State, from_async};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bus = Bus::new("embedded");

    // An async function becomes a listener: the bus's own thread waits for it, never one of the runtime's.
    let runtime = tokio::runtime::Handle::current();
    let spawn = move |task: sitebus::Task| drop(runtime.spawn(task));
    bus.on(START)?.subscribe(
        "warm-up",
        from_async(spawn, |_start: sitebus::Start| async {
            tokio::task::yield_now().await;
            println!("warmed up");
            Ok(())
        }),
    );

    // Every request returns a ticket, which can be awaited; so can every state.
    bus.ask_start().await?;
    println!("the bus is {}", bus.when([State::Started, State::Exiting]).await?);

    bus.ask_exit(Exit::success("all done")).await?;
    // The ticket says that it has exited, so this does not block a worker of the runtime for long.
    println!("{}", bus.block());
    Ok(())
}
