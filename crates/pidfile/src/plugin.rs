//! The plugin.

use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use parking_lot::Mutex;
use sitebus_bus::{Commit, Exiting, Graceful, Handle, Level, Plugin, Priority, priority};
use sitebus_os::lock::Lock;
use sitebus_os::parcel::{Inherited, Item};

use crate::error::PidFileError;
use crate::settings::Settings;

/// What the lock is called in the parcel of a restart.
const KIND: &str = "pidfile";

/// The plugin: while the bus lives, the file holds the number of this process, and is locked.
#[derive(Debug)]
pub struct PidFile {
    settings: Settings,
    inherited: Option<Item>,
}

impl PidFile {
    /// With these settings. Nothing is touched yet.
    ///
    /// # Errors
    /// [`PidFileError::Path`] or [`PidFileError::Mode`]: settings with which no start could go well.
    pub fn new(settings: Settings) -> Result<PidFile, PidFileError> {
        if settings.mode & !0o044 != 0o600 {
            return Err(PidFileError::Mode { mode: settings.mode });
        }
        Ok(PidFile { settings: resolved(settings)?, inherited: None })
    }

    /// With the lock that the image before this one has handed on, if it has: then it is never free in between.
    #[must_use]
    pub fn inherit(mut self, inherited: &Inherited) -> PidFile {
        let mut ours = None;
        for item in inherited.take_all(KIND) {
            if item.data() == self.settings.path.as_os_str().as_bytes() {
                ours = Some(item);
            } else {
                inherited.put([item]); // another PID file's
            }
        }
        self.inherited = ours;
        self
    }

    /// Takes the file at [`priority::PIDFILE`] of the first start, keeps it through stops and further starts, and gives it
    /// back at [`priority::RELEASE`] of the exit, or hands it on to the next image if that exit is a restart.
    pub fn subscribe(self, bus: &Handle) -> Plugin {
        let plugin = bus.plugin("pidfile");
        let file = Arc::new(File {
            settings: self.settings,
            inherited: Mutex::new(self.inherited),
            held: Mutex::new(None),
            plugin: plugin.clone(),
        });
        let taker = Arc::clone(&file);
        plugin.on_start(priority::PIDFILE, move |_| Ok(taker.take()?));
        let looker = Arc::clone(&file);
        plugin.on_graceful(Priority::DEFAULT, move |reload| Ok(looker.look(reload)?));
        let keeper = Arc::clone(&file);
        plugin.on_restart(Priority::DEFAULT, move |_| Ok(keeper.keep()?));
        plugin.on_exit(priority::RELEASE, move |exiting| file.leave(exiting));
        plugin
    }
}

/// What the listeners share.
struct File {
    settings: Settings,
    inherited: Mutex<Option<Item>>,
    held: Mutex<Option<Lock>>,
    plugin: Plugin,
}

impl File {
    fn take(&self) -> Result<(), PidFileError> {
        let inherited = self.take_inherited();
        let mut held = self.held.lock();
        if inherited.is_some() {
            *held = inherited;
        }
        // A file that was removed or replaced while the bus was stopped is made anew.
        if !held.as_ref().is_some_and(Lock::is_in_place) {
            *held = Some(self.make()?);
        }
        Ok(())
    }

    fn make(&self) -> Result<Lock, PidFileError> {
        Ok(Lock::take_with_mode(&self.settings.path, self.settings.mode)?)
    }

    /// The next image would have to make a file anew that is gone, and could not start if it cannot.
    fn keep(&self) -> Result<(), PidFileError> {
        let mut held = self.held.lock();
        if held.as_ref().is_some_and(|lock| !lock.is_in_place()) {
            *held = Some(self.make()?);
            self.log(Level::Warn, "made anew, since it was removed or replaced".to_owned());
        }
        Ok(())
    }

    /// The lock of the image before this one, if its file is still there.
    fn take_inherited(&self) -> Option<Lock> {
        let descriptor = self.inherited.lock().take()?.into_descriptor()?;
        let lock = Lock::inherited(descriptor, &self.settings.path);
        let told =
            |error| self.log(Level::Warn, format!("taken anew, since the restart has lost it: {error}"));
        lock.map_err(told).ok()
    }

    /// A file that moved would be two for a moment, and none for whoever waits on the old one.
    fn look(&self, reload: &Graceful) -> Result<Commit, PidFileError> {
        match reload.get::<Settings>() {
            Some(new) if resolved(Settings::clone(&new))? != self.settings => {
                Err(PidFileError::Fixed { now: self.settings.clone() })
            }
            _ => Ok(Commit::nothing()),
        }
    }

    fn leave(&self, exiting: &Exiting) {
        let (held, inherited) = (self.held.lock().take(), self.inherited.lock().take());
        if exiting.exit().is_restart() {
            // One that a start has not come to take is handed on as it came.
            let item = held.map(|lock| self.parcelled(lock)).or(inherited);
            item.into_iter().for_each(|item| exiting.hand_on(item));
            return;
        }
        let waiting = || Lock::inherited(inherited?.into_descriptor()?, &self.settings.path).ok();
        let Some(lock) = held.or_else(waiting) else { return };
        match lock.remove() {
            Ok(true) => {}
            Ok(false) => {
                self.log(
                    Level::Warn,
                    "it is another file by now, or none, which is left as it is".to_owned(),
                );
            }
            Err(error) => self.empty(&lock, &error),
        }
    }

    /// The folder need not belong to the user that the process has become, but the open file is still ours to write.
    fn empty(&self, lock: &Lock, why: &dyn std::error::Error) {
        let left = match lock.empty() {
            Ok(()) => "it is left empty".to_owned(),
            Err(error) => format!("it is left as it is: {error}"),
        };
        self.log(Level::Info, format!("{left}, unlocked, and stops nobody: {why}"));
    }

    fn parcelled(&self, lock: Lock) -> Item {
        let path = self.settings.path.as_os_str();
        Item::new(KIND, path.to_string_lossy()).with_data(path.as_bytes()).with_descriptor(lock)
    }

    fn log(&self, level: Level, told: String) {
        self.plugin.log(level, format!("{}: {told}", self.settings.path.display()));
    }
}

fn resolved(settings: Settings) -> Result<Settings, PidFileError> {
    match std::path::absolute(&settings.path) {
        Ok(path) => Ok(Settings { path, ..settings }),
        Err(cause) => Err(PidFileError::Path { path: settings.path, cause }),
    }
}
