//! 18: leaving the terminal: the command returns once the daemon is STARTED, or says why it is not.
//!
//! `cargo run -p sitebus-examples --bin 18_daemonize -- open` or `-- closed`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::process::{ExitCode, Termination};

use sitebus::daemonize::{Daemonize, Ending, Output, PATIENCE, Settings, Side};
use sitebus::os::alone::Alone;
use sitebus::{Bus, priority};

fn main() -> anyhow::Result<ExitCode> {
    // First of all: a fork needs a process with one thread.
    let alone = Alone::claim()?;
    let shop_is_open = std::env::args().nth(1).as_deref() == Some("open");
    let mut settings = Settings::default();
    settings.output = Output::File(std::env::args().nth(2).unwrap_or_else(|| "shop.log".into()).into());

    let daemon = match Daemonize::new(settings).leave(&alone)? {
        // This process was started from the terminal. What it returns is the truth about the other one.
        Side::Launcher(launcher) => {
            let outcome = launcher.wait(Some(PATIENCE));
            if outcome.ending() == Ending::Started {
                println!("{outcome}");
            }
            return Ok(outcome.report());
        }
        // This one has none. What it prints goes to the log file.
        Side::Daemon(daemon) => daemon,
    };

    let bus = Bus::new("shop");
    daemon.subscribe(&bus)?;
    bus.plugin("door").on_start(priority::SITE, move |_| {
        anyhow::ensure!(shop_is_open, "closed on Mondays");
        println!("the door opens");
        Ok(())
    });
    bus.start()?; // the launcher returns
    bus.exit()?; // a short day
    println!("{}", bus.block());
    Ok(ExitCode::SUCCESS)
}
