//! 15: a log: lines of the bus go to a file, each source has its own level, and a reload changes it.
//!
//! `cargo run -p sitebus-examples --bin 15_log`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use sitebus::log::{Log, Settings, Target};
use sitebus::{Bus, Level, SettingsMap};

fn main() -> anyhow::Result<()> {
    let path = std::env::temp_dir().join(format!("shop-{}.log", std::process::id()));
    let mut settings = Settings::default();
    settings.to = vec![Target::file(&path)]; // and `Target::StandardError(…)`, if a person is to see it too
    settings.filter = "warn,till=info".parse()?;

    let bus = Bus::new("shop");
    // It makes a thread: no disk holds up the shop.
    Log::new(settings.clone())?.subscribe(&bus)?;
    bus.start()?;
    let till = bus.plugin("till");
    till.log(Level::Info, "a customer\nwho writes two lines");
    till.log(Level::Debug, "nobody wants to know");

    settings.filter = "warn,till=debug".parse()?;
    bus.ask_graceful(SettingsMap::new().with(settings.clone())).wait()?;
    till.log(Level::Debug, "but now");

    if let Err(error) = "warn,till=debgu".parse::<sitebus::log::Filter>() {
        println!("{error}");
    }
    bus.exit()?;
    let _ = bus.block(); // every line is written when it returns

    for line in std::fs::read_to_string(&path)?.lines() {
        println!("{}", line.split_once("Z ").map_or(line, |(_when, said)| said));
    }
    Ok(std::fs::remove_file(&path)?)
}
