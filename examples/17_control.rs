//! 17: an operator's commands: a socket on which a running site is asked how it is, reloads and stops.
//!
//! `cargo run -p sitebus-examples --bin 17_control`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::{Duration, Instant};

use anyhow::bail;
use sitebus::control::{Client, Command, Control, Settings};
use sitebus::{Bus, Commit, priority, topics};

fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("shop-{}", std::process::id()));
    std::fs::create_dir(&folder)?; // a site has its state folder for this

    let bus = Bus::new("shop");
    let mut settings = Settings::at(folder.join("control.sock"));
    settings.version = "1.2.3".to_owned();
    settings.process_ends = false; // the operator below is this very process
    let control = Control::new(settings).subscribe(&bus)?;

    bus.on(topics::STATUS)?.subscribe("till", |()| Ok(("customers".to_owned(), "3".to_owned())));
    bus.plugin("thermostat").on_graceful(priority::SITE, |_| -> anyhow::Result<Commit> { bail!("too hot") });
    bus.start()?;

    // From here on it could be another process.
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut client = Client::connect(control.path(), deadline)?;
    let status = client.ask(Command::Status, deadline, |_| {})?;
    for (name, value) in status.status().map(|status| status.more).unwrap_or_default() {
        println!("{name}: {value}");
    }
    for command in [Command::Reload, Command::Stop] {
        let outcome = client.ask(command, deadline, |event| println!("{command}: {event:?}"))?;
        println!("{command}: status {}, {}", outcome.exit_status(), outcome.message());
    }

    let exit = bus.block();
    println!("{}", exit.to_string().split(" (").next().unwrap_or_default());
    std::fs::remove_dir(folder)?; // the socket is gone already
    Ok(())
}
