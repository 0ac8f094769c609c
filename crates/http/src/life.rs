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
use crate::house::{House, Open};
use crate::settings::{Settings, SettingsError, SettingsOf};
use crate::slot::Site;
use sitebus_bus::{Channel, Commit, Flag, Graceful, Level, Plugin, Start, Stop};
use sitebus_serve::{Address, BindError, Door, End, Listener};

/// Accept loops begin within moments, or the runtime is not driven.
const BEGIN: Duration = Duration::from_secs(5);
/// A listener that closes takes what the kernel has ready; that is a matter of moments too.
const CLOSE: Duration = Duration::from_secs(5);
/// A start that fails gives its listeners so long to close; on a runtime that nobody drives they never will.
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
    /// Which real port was behind a port 0, so that a restart comes back to it.
    pub(crate) found: Mutex<HashMap<Address, Address>>,
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
        let listeners = settings.listen.iter().map(|address| self.bind(address));
        let listeners = listeners.collect::<Result<Vec<Listener>, BindError>>()?;
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
                close(&running.doors, before(start.deadline()).min(Instant::now() + UNDO));
                running.engine.end(left_of(start.deadline()).min(GRACE));
                return Err(error.into());
            }
        }
        let urls: Vec<String> = running.doors.iter().map(|door| door.address().url("http")).collect();
        *self.running.lock() = Some(running);
        urls.iter().for_each(|url| self.announce(url));
        Ok(())
    }

    fn bind(&self, address: &Address) -> Result<Listener, BindError> {
        let name = self.plugin.name();
        let earlier = self.found.lock().get(address).cloned();
        if let Some(Ok(listener)) = earlier.map(|earlier| Listener::bind(name, &earlier)) {
            return Ok(listener.asked_as(address.clone()));
        }
        let listener = Listener::bind(name, address)?;
        if listener.address() != address {
            self.found.lock().insert(address.clone(), listener.address().clone());
        }
        Ok(listener)
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
        running.house.begin_stop();
        close(&running.doors, deadline.min(Instant::now() + CLOSE));
        self.drain(&running.house, deadline, stop.hurry());
        running.engine.end(left_of(stop.deadline()).min(GRACE));
    }

    fn drain(&self, house: &House, deadline: Instant, hurry: &Flag) {
        let (drained, kinds) = house.drain(deadline, hurry, GRACE);
        if drained.end == End::Empty {
            self.plugin.log(Level::Info, format!("stopped: {drained}"));
        } else {
            self.plugin.log(Level::Warn, format!("stopped: {drained} ({kinds})"));
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
        let added = self.bind_added(&new)?;
        let life = Arc::clone(self);
        let deadline = graceful.deadline();
        Ok(Commit::new(move || life.take_up(new, added, deadline)))
    }

    /// Nothing is bound while the server does not run: the start will do that.
    fn bind_added(&self, new: &Settings) -> Result<Vec<Listener>, BindError> {
        let asked: Option<Vec<Address>> = self
            .running
            .lock()
            .as_ref()
            .map(|running| running.doors.iter().map(|door| door.asked().clone()).collect());
        let Some(asked) = asked else { return Ok(Vec::new()) };
        new.listen
            .iter()
            .filter(|address| !asked.contains(address))
            .map(|address| self.bind(address))
            .collect()
    }

    fn take_up(&self, new: Settings, added: Vec<Listener>, deadline: Instant) -> anyhow::Result<()> {
        let old = std::mem::replace(&mut *self.settings.lock(), new.clone());
        if old.threads != new.threads {
            self.plugin.log(Level::Warn, "the number of threads changes with the next restart");
        }
        let (added, removed) = match &mut *self.running.lock() {
            Some(running) => self.exchange(running, &new, added),
            None => return Ok(()),
        };
        let begun = added.iter().try_for_each(|door| door.wait_running(deadline.min(Instant::now() + BEGIN)));
        close(&removed, deadline.min(Instant::now() + CLOSE));
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

fn close(doors: &[Arc<Door>], deadline: Instant) {
    doors.iter().for_each(|door| door.close());
    for door in doors {
        let _ = door.wait_closed(deadline); // what does not close by then still will, only later
    }
}

/// Whoever returns at the deadline is given up by the bus, and cannot say any more what was wrong.
fn before(deadline: Instant) -> Instant {
    deadline - (left_of(deadline) / 4).min(Duration::from_secs(1))
}

fn left_of(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
