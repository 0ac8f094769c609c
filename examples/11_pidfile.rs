//! 11: a PID file: locked, so that a second site is refused, and gone with the site that it names.
//!
//! `cargo run -p sitebus-examples --bin 11_pidfile`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::{Duration, Instant};

use sitebus::Bus;
use sitebus::pidfile::{PidFile, Settings};

fn main() -> anyhow::Result<()> {
    let path = std::env::temp_dir().join(format!("shop-{}.pid", std::process::id()));
    // Left by a shop that was killed. Process 1 runs, but it has no lock on the file, so this stops nobody.
    std::fs::write(&path, "1\n")?;

    let shop = Bus::new("shop");
    PidFile::new(Settings::at(&path))?.subscribe(&shop);
    shop.start()?;

    // Any other program may wait for it.
    let soon = || Instant::now() + Duration::from_secs(5);
    println!("the shop has our number: {}", PidFile::wait(&path, soon())? == std::process::id());

    let second = Bus::new("second");
    PidFile::new(Settings::at(&path))?.subscribe(&second);
    let refusal = second.start().expect_err("there is one already").to_string();
    println!("the second shop is refused: {}", refusal.contains("is held by this very process"));
    let _ = second.block();

    shop.exit()?;
    let _ = shop.block();
    PidFile::join(&path, soon())?;
    println!("the file is gone: {}", !path.exists());
    Ok(())
}
