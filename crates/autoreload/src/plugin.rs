//! The plugin.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use parking_lot::Mutex;
use sitebus_bus::{Commit, Handle, Plugin, priority, topics};

use crate::brake::Brake;
use crate::error::AutoreloadError;
use crate::list::List;
use crate::mailbox::Mailbox;
use crate::select::Selection;
use crate::settings::Settings;
use crate::tell::Tell;
use crate::turn::Outputs;
use crate::watch::Watch;
use crate::worker::Worker;

/// A stop gives the thread up this long before the bus gives the stop up.
const MARGIN: Duration = Duration::from_millis(50);
/// How long [`Subscribed::unsubscribe`] waits for the thread.
const PATIENCE: Duration = Duration::from_secs(1);

/// The plugin: changed files become a request to a bus.
#[derive(Clone, Debug, Default)]
pub struct Autoreload {
    settings: Settings,
}

/// The files are watched while the bus is started. Dropping this changes nothing.
pub struct Subscribed {
    plugin: Plugin,
    station: Arc<Station>,
}

/// What lasts from one start to the next.
struct Station {
    settings: Mutex<Arc<Settings>>,
    folder: PathBuf,
    list: Arc<List>,
    running: Mutex<Option<Running>>,
}

struct Running {
    mailbox: Arc<Mailbox>,
    thread: JoinHandle<()>,
}

impl Autoreload {
    /// With these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Autoreload {
        Autoreload { settings }
    }

    /// Watches from the end of each start to the beginning of the next stop. Topics are listened to from now on.
    ///
    /// # Errors
    /// [`AutoreloadError`] says which setting makes no sense.
    pub fn subscribe(&self, bus: &Handle) -> Result<Subscribed, AutoreloadError> {
        let folder = std::env::current_dir().map_err(|cause| AutoreloadError::NoFolder { cause });
        let folder = match &self.settings.folder {
            Some(given) if given.is_absolute() => given.clone(),
            Some(given) => folder?.join(given),
            None => folder?,
        };
        let settings = Settings { folder: Some(folder.clone()), ..self.settings.clone() };
        settings.check()?;
        let list = Arc::new(List::new(folder.clone()));
        let station =
            Station { settings: Mutex::new(Arc::new(settings)), folder, list, running: Mutex::default() };
        let (plugin, station) = (bus.plugin("autoreload"), Arc::new(station));
        listen(&plugin, &station).inspect_err(|_| plugin.unsubscribe())?;
        Ok(Subscribed { plugin, station })
    }
}

fn listen(plugin: &Plugin, station: &Arc<Station>) -> Result<(), AutoreloadError> {
    let at = Arc::clone(station);
    plugin.subscribe(topics::WATCH, priority::SITE, move |paths: &[PathBuf]| {
        at.list.add(paths);
        at.wake();
    })?;
    let at = Arc::clone(station);
    plugin.subscribe(topics::UNWATCH, priority::SITE, move |paths: &[PathBuf]| {
        at.list.remove(paths);
        at.wake();
    })?;
    let (at, own) = (Arc::clone(station), plugin.clone());
    plugin.on_start(priority::TASKS, move |_| at.start(&own));
    let (at, own) = (Arc::clone(station), plugin.clone());
    plugin.on_stop(priority::STOP_TASKS, move |stop| at.stop(&own, stop.deadline()));
    let (at, own) = (Arc::clone(station), plugin.clone());
    plugin.on_graceful(priority::SITE, move |graceful| {
        let Some(new) = graceful.get::<Settings>() else { return Ok(Commit::nothing()) };
        at.take_up(&own, (*new).clone(), graceful.deadline())
    });
    Ok(())
}

impl Station {
    /// What is there when this returns has not changed.
    fn start(&self, plugin: &Plugin) -> anyhow::Result<()> {
        let settings = Arc::clone(&self.settings.lock());
        let mailbox = Arc::new(Mailbox::default());
        let selection = Arc::new(Selection::new(&settings)?);
        let watch =
            Watch::begin(&settings, &self.folder, selection, Arc::clone(&self.list), Arc::clone(&mailbox));
        let worker = Worker {
            brake: Brake::load(&settings.brake, &self.folder),
            settings,
            folder: self.folder.clone(),
            watch,
            outputs: Outputs::default(),
            tell: Tell::new(plugin, &mailbox),
            mailbox: Arc::clone(&mailbox),
        };
        let name = format!("{} autoreload", plugin.handle().name()).replace('\0', " ");
        let ends = EndsWith(Arc::clone(&mailbox));
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _ends = ends;
            worker.run();
        });
        let thread =
            thread.context("making the thread that watches files failed; allow more (`ulimit -u`)")?;
        *self.running.lock() = Some(Running { mailbox, thread });
        Ok(())
    }

    /// Ends the thread, and waits for it; unless it is in a listener of somebody else, who may be waiting for this very stop.
    fn stop(&self, plugin: &Plugin, deadline: Instant) -> anyhow::Result<()> {
        let Some(Running { mailbox, thread }) = self.running.lock().take() else { return Ok(()) };
        mailbox.stop();
        let ended = mailbox.wait_ended(deadline.checked_sub(MARGIN).unwrap_or(deadline));
        self.list.forget_stamps();
        match ended {
            Some(true) => {
                let _ = thread.join(); // if it has panicked, that was reported on stderr
                Ok(())
            }
            None => {
                plugin.handle().adopt("autoreload", thread);
                Ok(())
            }
            Some(false) => anyhow::bail!(
                "the thread that watches files has not ended in time: a file system may hang; it is left behind"
            ),
        }
    }

    fn wake(&self) {
        if let Some(Running { mailbox, .. }) = &*self.running.lock() {
            mailbox.event(Vec::new());
        }
    }

    /// Everything can change but the folder.
    fn take_up(
        self: &Arc<Station>,
        plugin: &Plugin,
        new: Settings,
        deadline: Instant,
    ) -> anyhow::Result<Commit> {
        let settings = Settings { folder: Some(self.folder.clone()), ..new.clone() };
        let same_folder = new.folder.is_none_or(|folder| self.folder.join(folder) == self.folder);
        anyhow::ensure!(
            same_folder,
            "the folder that watched paths are relative to is {} for as long as the process lives",
            self.folder.display()
        );
        settings.check()?;
        if **self.settings.lock() == settings {
            return Ok(Commit::nothing());
        }
        let (station, plugin) = (Arc::clone(self), plugin.clone());
        Ok(Commit::new(move || {
            *station.settings.lock() = Arc::new(settings);
            let runs = station.running.lock().is_some();
            if !runs {
                return Ok(());
            }
            station.stop(&plugin, deadline)?;
            station.start(&plugin)
        }))
    }
}

/// However the thread ends, the stop that waits for it learns of it.
struct EndsWith(Arc<Mailbox>);

impl Drop for EndsWith {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(running) = self.running.get_mut() {
            running.mailbox.stop();
        }
    }
}

impl Subscribed {
    /// Watches nothing any more, and ends the thread.
    pub fn unsubscribe(&self) {
        self.plugin.unsubscribe();
        // A file system that hangs keeps the thread; there is nobody to tell.
        let _ = self.station.stop(&self.plugin, Instant::now() + PATIENCE);
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscribed").field(&self.plugin.handle().name()).finish()
    }
}
