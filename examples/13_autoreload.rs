//! 13: autoreload: a framework names the templates that it has read, and the site restarts when one of them changes. Neither
//! knows of the other: they meet on a topic.
//!
//! `cargo run -p sitebus-examples --bin 13_autoreload`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fs;
use std::path::{Path, PathBuf};

use sitebus::autoreload::{Autoreload, Program, Settings};
use sitebus::{Bus, Channel, Handle, State, priority, topics};

/// A framework that renders pages from template files.
struct Templates {
    watch: Channel<[PathBuf]>,
}

impl Templates {
    fn of(bus: &Handle) -> anyhow::Result<Templates> {
        Ok(Templates { watch: bus.on(topics::WATCH)? })
    }

    /// Named before it is read, so that no change falls in between.
    fn read(&self, file: &Path) -> anyhow::Result<String> {
        self.watch.publish(&[file.to_owned()])?;
        Ok(fs::read_to_string(file)?)
    }
}

/// The life of one image of the program. Restarted, it would be replaced; here it just begins again.
fn shop(page: &Path) -> anyhow::Result<bool> {
    let bus = Bus::new("shop");
    Autoreload::new(Settings { program: Program::Unwatched, ..Settings::default() }).subscribe(&bus)?;

    let (templates, file) = (Templates::of(&bus)?, page.to_owned());
    bus.plugin("pages").on_start(priority::SITE, move |_| {
        println!("the page says: {}", templates.read(&file)?);
        Ok(())
    });
    bus.on(topics::CHANGED)?.subscribe("diary", |files: &[PathBuf]| {
        let names = files.iter().filter_map(|file| file.file_name()).collect::<Vec<_>>();
        println!("changed: {names:?}");
    });

    bus.start()?;
    if fs::read_to_string(page)? == "welcome" {
        fs::write(page, "welcome back")?; // somebody works on the page
        bus.wait(State::Exiting, None)?;
    } else {
        bus.exit()?;
    }
    Ok(bus.block().is_restart())
}

fn main() -> anyhow::Result<()> {
    let page = std::env::temp_dir().join(format!("page-{}.html", std::process::id()));
    fs::write(&page, "welcome")?;
    while shop(&page)? {
        println!("a restart was asked for");
    }
    Ok(fs::remove_file(page)?)
}
