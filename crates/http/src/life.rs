//! The life of the server on the bus: start, stop, and reload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::HttpError;
use crate::config::Config;
use crate::engine::Engine;
use crate::house::{Ending, House, Open};
use crate::settings::{Settings, SettingsError, SettingsOf};
use crate::slot::Site;
use sitebus_bus::{Channel, Commit, Exit, Flag, Graceful, Level, Plugin, Start, Stop};
use sitebus_serve::{Address, BindError, Door, End, Inherited, Listener};

/// Accept loops begin within moments, or the runtime is not driven.
const BEGIN: Duration = Duration::from_secs(5);
/// A listener that closes takes what the kernel has ready; that is a matter of moments too.
const CLOSE: Duration = Duration::from_secs(5);
/// A start that fails gives its listeners so long to close, and so does a stop that has kept them open for as long as it
/// may; on a runtime that nobody drives they never will.
const UNDO: Duration = Duration::from_millis(100);
/// What is cut has so long to be gone.
const GRACE: Duration = Duration::from_millis(500);

/// Shared by the listeners on the bus and by those who ask.
pub(crate) struct Life {
    pub(crate) plugin: Plugin,
    pub(crate) access: Plugin,
    pub(crate) listening: Channel<str>,
    pub(crate) service: Box<dyn Open>,
    pub(crate) lent: Option<Handle>,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) running: Mutex<Option<Running>>,
    /// Which real port was behind a port 0, so that another start comes back to it.
    pub(crate) found: Mutex<HashMap<Address, Address>>,
    /// What the program was given.
    pub(crate) inherited: Inherited,
    /// Listeners that are open, and from which nobody accepts now.
    pub(crate) kept: Inherited,
}

pub(crate) struct Running {
    engine: Engine,
    pub(crate) doors: Vec<Arc<Door>>,
    pub(crate) house: Arc<House>,
}

impl Life {
    pub(crate) fn start(&self, start: &Start) -> anyhow::Result<()> {
        let settings = self.settings.lock().clone();
        if settings.listen.is_empty() {
            return Err(HttpError::refused(self.plugin.name(), SettingsError::Nowhere).into());
        }
        let listeners = self.open_all(settings.listen.iter())?;
        let engine = match &self.lent {
            Some(handle) => Engine::Lent(handle.clone()),
            None => Engine::start(self.plugin.name(), settings.threads)
                .map_err(|cause| HttpError::no_runtime(self.plugin.name(), cause))?,
        };
        let stopping = watch::Sender::new(false);
        let site = Site { log: self.plugin.clone(), access: self.access.clone(), stopping };
        let house = Arc::new(House::new(Arc::new(site), Config::new(&settings)));
        let mut running = Running { engine, doors: Vec::new(), house };
        let deadline = before(start.deadline()).min(Instant::now() + BEGIN);
        for listener in listeners {
            if let Err(error) = self.open(&mut running, listener).wait_running(deadline) {
                let until = before(start.deadline()).min(Instant::now() + UNDO);
                self.close(Vec::new(), std::mem::take(&mut running.doors), |_| until);
                running.engine.end(left_of(start.deadline()).min(GRACE));
                return Err(error.into());
            }
        }
        let urls: Vec<String> = running.doors.iter().map(|door| door.address().url("http")).collect();
        *self.running.lock() = Some(running);
        urls.iter().for_each(|url| self.announce(url));
        Ok(())
    }

    fn open(&self, running: &mut Running, listener: Listener) -> Arc<Door> {
        let (door, accepting) = self.service.open(listener, &running.house);
        running.engine.spawn(accepting);
        let door = Arc::new(door);
        running.doors.push(Arc::clone(&door));
        door
    }

    fn announce(&self, url: &str) {
        self.plugin.log(Level::Info, format!("listening on {url}"));
        if let Err(failures) = self.listening.publish(url) {
            self.plugin.log(Level::Warn, format!("not everybody could be told of {url}: {failures}"));
        }
    }

    pub(crate) fn stop(&self, stop: &Stop) {
        let Some(running) = self.running.lock().take() else { return };
        let last = before(stop.deadline());
        let own = self.settings.lock().drain_time.and_then(|time| Instant::now().checked_add(time));
        let deadline = own.map_or(last, |own| own.min(last));
        let restart = stop.exit().is_some_and(Exit::is_restart);
        let hurry = stop.hurry().clone();
        running.house.begin_stop(Ending { keeps_listeners: restart, deadline, hurry });
        // What the service manager has opened cannot be opened again by us, so it waits for the next start.
        let stays = |door: &Arc<Door>| restart || stop.exit().is_none() && door.is_given();
        let (kept, closed) = running.doors.into_iter().partition(stays);
        let soon = deadline.min(Instant::now() + CLOSE);
        self.close(kept, closed, |door| match door.wait_closed(soon) {
            false if running.house.is_overfull() => deadline + UNDO,
            _ => soon,
        });
        self.drain(&running.house, deadline, stop.hurry());
        running.engine.end(left_of(stop.deadline()).min(GRACE));
    }

    fn drain(&self, house: &House, deadline: Instant, hurry: &Flag) {
        let (drained, kinds) = house.drain(deadline, hurry, GRACE);
        let level = if drained.end == End::Empty { Level::Info } else { Level::Warn };
        let kinds = if kinds.is_empty() { kinds } else { format!(" ({kinds})") };
        match house.turned_away() {
            0 => self.plugin.log(level, format!("stopped: {drained}{kinds}")),
            more => {
                let said =
                    format!("stopped: {drained}{kinds}; {more} that waited for room were not answered");
                self.plugin.log(Level::Warn, said);
            }
        }
    }

    pub(crate) fn reload(self: &Arc<Self>, graceful: &Graceful) -> anyhow::Result<Commit> {
        let name = self.plugin.name();
        let of_this = graceful.get::<SettingsOf>().and_then(|all| all.get(name).cloned());
        let Some(new) = of_this.or_else(|| graceful.get::<Settings>().map(|new| (*new).clone())) else {
            return Ok(Commit::nothing());
        };
        new.check().map_err(|error| HttpError::refused(name, error))?;
        if new.listen.is_empty() {
            return Err(HttpError::refused(name, SettingsError::Nowhere).into());
        }
        let (life, deadline) = (Arc::clone(self), graceful.deadline());
        let added = Added { listeners: self.open_added(&new)?, life: Arc::clone(self) };
        Ok(Commit::new(move || life.take_up(new, added, deadline)))
    }

    /// Nothing is opened while the server does not run: the start will do that.
    fn open_added(&self, new: &Settings) -> Result<Vec<Listener>, BindError> {
        let asked: Option<Vec<Address>> = self
            .running
            .lock()
            .as_ref()
            .map(|running| running.doors.iter().map(|door| door.asked().clone()).collect());
        let Some(asked) = asked else { return Ok(Vec::new()) };
        self.open_all(new.listen.iter().filter(|address| !asked.contains(address)))
    }

    fn take_up(&self, new: Settings, mut added: Added, deadline: Instant) -> anyhow::Result<()> {
        let old = std::mem::replace(&mut *self.settings.lock(), new.clone());
        if old.threads != new.threads {
            self.plugin.log(Level::Warn, "the number of threads changes with the next restart");
        }
        let (added, removed) = match &mut *self.running.lock() {
            Some(running) => self.exchange(running, &new, std::mem::take(&mut added.listeners)),
            None => return Ok(()),
        };
        let begun = added.iter().try_for_each(|door| door.wait_running(deadline.min(Instant::now() + BEGIN)));
        let (given, removed) = removed.into_iter().partition(|door| door.is_given());
        let until = deadline.min(Instant::now() + CLOSE);
        self.close(given, removed, |_| until);
        added.iter().for_each(|door| self.announce(&door.address().url("http")));
        Ok(begun?)
    }

    /// Returns the doors that were opened, and those that are to be closed.
    fn exchange(
        &self,
        running: &mut Running,
        new: &Settings,
        added: Vec<Listener>,
    ) -> (Vec<Arc<Door>>, Vec<Arc<Door>>) {
        running.house.replace_config(Config::new(new));
        let added = added.into_iter().map(|listener| self.open(running, listener)).collect();
        let doors = std::mem::take(&mut running.doors);
        let (kept, removed) = doors.into_iter().partition(|door| new.listen.contains(door.asked()));
        running.doors = kept;
        (added, removed)
    }
}

/// Listeners that a reload has opened. If nothing comes of it, those that were inherited can still be taken.
struct Added {
    life: Arc<Life>,
    listeners: Vec<Listener>,
}

impl Drop for Added {
    fn drop(&mut self) {
        self.life.keep(self.listeners.drain(..).filter(Listener::is_given));
    }
}

/// Whoever returns at the deadline is given up by the bus, and cannot say any more what was wrong.
fn before(deadline: Instant) -> Instant {
    deadline - (left_of(deadline) / 4).min(Duration::from_secs(1))
}

fn left_of(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
