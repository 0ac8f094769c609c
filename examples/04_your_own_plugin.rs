//! 04: a plugin: settings, a value, and `subscribe`. Its stop listener runs only if its start listener began, and a reload
//! takes two steps.
//!
//! `cargo run -p sitebus-examples --bin 04_your_own_plugin`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sitebus::{Bus, Commit, Exit, Handle, SettingsMap, priority};

/// What a user may choose. Plain data.
#[derive(Clone, Debug)]
struct ThermostatSettings {
    degrees: u32,
}

/// Keeps the shop warm.
struct Thermostat {
    settings: ThermostatSettings,
}

impl Thermostat {
    fn subscribe(self, bus: &Handle) {
        let plugin = bus.plugin("thermostat");
        let degrees = Arc::new(AtomicU32::new(0));

        let (wanted, now) = (self.settings.degrees, Arc::clone(&degrees));
        plugin.on_start(priority::SITE, move |_| {
            now.store(wanted, Ordering::Relaxed);
            println!("heating to {wanted} degrees");
        });

        let now = Arc::clone(&degrees);
        plugin.on_stop(priority::SITE, move |_| println!("off, at {} degrees", now.load(Ordering::Relaxed)));

        // First everybody looks at the new settings; an error is a veto, and then nothing changes anywhere. Only if all
        // agree are the commits run.
        plugin.on_graceful(priority::SITE, move |reload| {
            let Some(new) = reload.get::<ThermostatSettings>() else { return Ok(Commit::nothing()) };
            anyhow::ensure!(new.degrees <= 30, "{} degrees is too hot; the most is 30", new.degrees);
            let now = Arc::clone(&degrees);
            Ok(Commit::new(move || {
                now.store(new.degrees, Ordering::Relaxed);
                Ok(())
            }))
        });
    }
}

fn main() -> anyhow::Result<Exit> {
    let bus = Bus::new("shop");
    Thermostat { settings: ThermostatSettings { degrees: 20 } }.subscribe(&bus);
    bus.start()?;

    let too_hot = SettingsMap::new().with(ThermostatSettings { degrees: 99 });
    if let Err(veto) = bus.ask_graceful(too_hot).wait() {
        println!("{veto}");
    }
    bus.ask_graceful(SettingsMap::new().with(ThermostatSettings { degrees: 22 })).wait()?;

    bus.exit()?;
    Ok(bus.block())
}
