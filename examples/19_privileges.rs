//! 19: a site that is started as root, and does not stay it.
//!
//! `sudo cargo run -p sitebus-examples --bin 19_privileges -- nobody`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fs::File;

use sitebus::privileges::{Groups, Privileges, Settings};
use sitebus::{Bus, Exit, priority};

fn main() -> anyhow::Result<Exit> {
    let mut settings = Settings::default();
    settings.user = Some(std::env::args().nth(1).unwrap_or_else(|| "nobody".to_owned()));
    settings.groups = Groups::Only(Vec::new());
    settings.umask = Some(0o027);
    let privileges = Privileges::new(settings)?; // an unknown user ends it here

    let bus = Bus::new("shop");
    let secret = || File::open("/etc/shadow").map_or_else(|error| error.to_string(), |_| "open".to_owned());
    bus.plugin("server")
        .on_start(priority::SERVER, move |_| println!("at first the secret is: {}", secret()));
    privileges.subscribe(&bus)?; // and who may not become that user ends it here
    bus.plugin("work").on_start(priority::TASKS, move |_| println!("from here on it is: {}", secret()));
    bus.start()?;
    bus.exit()?;
    Ok(bus.block())
}
