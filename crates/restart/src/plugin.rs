//! The plugin.

use std::time::Instant;

use anyhow::anyhow;
use sitebus_bus::{HandedOn, Handle, Plugin, Restarting, priority};
use sitebus_os::image::Image;
use sitebus_os::parcel::{Inherited, Item};
use sitebus_os::signal::Kept;

use crate::settings::Settings;
use crate::trial;

/// The plugin: a restart of the bus executes the image that this process was started as, in its place.
#[derive(Clone, Debug)]
pub struct Restart {
    image: Image,
    inherited: Inherited,
    settings: Settings,
}

impl Restart {
    /// Restarts into `image`. If that fails after all, what was to be handed on goes into `inherited`, from which the next
    /// bus of this process takes it as if it had come from another image.
    #[must_use]
    pub fn new(image: Image, inherited: Inherited) -> Restart {
        Restart { image, inherited, settings: Settings::default() }
    }

    /// With these settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Restart {
        self.settings = settings;
        self
    }

    /// From now on every restart is looked at, and performed by whoever [blocks](sitebus_bus::Bus::block) on the bus. Who
    /// [unsubscribes](Plugin::unsubscribe) it has restarts performed that nobody has looked at.
    pub fn subscribe(self, bus: &Handle) -> Plugin {
        let plugin = bus.plugin("restart");
        let Restart { image, inherited, settings } = self;
        let looked_at = image.clone();
        plugin.on_restart(priority::SITE, move |restarting| look(&looked_at, &settings, restarting));
        bus.restart_by(move |_, handed_on| execute(&image, &inherited, &handed_on));
        plugin
    }
}

fn look(image: &Image, settings: &Settings, restarting: &Restarting) -> anyhow::Result<()> {
    image.check()?;
    let Some(arguments) = &settings.trial else { return Ok(()) };
    let mut command = image.command();
    command.args(arguments);
    let own = Instant::now().checked_add(settings.trial_time);
    trial::run(command, own.map_or(restarting.deadline(), |own| own.min(restarting.deadline())))
}

/// Returns only if it failed.
fn execute(image: &Image, inherited: &Inherited, handed_on: &HandedOn) -> anyhow::Error {
    let mut items = inherited.take_everything();
    items.extend(handed_on.take::<Item>());
    let signals = handed_on.take::<Kept>();
    let blocked = signals.iter().try_for_each(Kept::block);
    if let Err(error) = blocked {
        inherited.put(items);
        return anyhow!(error).context("signals cannot be kept for the next image");
    }
    let (error, items) = image.execute(items);
    inherited.put(items);
    anyhow!(error)
}
