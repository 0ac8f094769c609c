//! The messages of the built-in channels.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::exit::Exit;
use crate::latch::Flag;
use crate::sync::Mutex;

/// What a start listener is told.
#[derive(Clone, Debug)]
pub struct Start {
    pub(crate) deadline: Instant,
    pub(crate) cancelled: Flag,
}

impl Start {
    /// When this listener is given up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Set when an exit was asked for meanwhile: what takes long may give up now.
    #[must_use]
    pub fn cancelled(&self) -> &Flag {
        &self.cancelled
    }
}

/// What a stop listener is told.
#[derive(Clone, Debug)]
pub struct Stop {
    pub(crate) deadline: Instant,
    pub(crate) hurry: Flag,
    pub(crate) exit: Option<Exit>,
}

impl Stop {
    /// When this listener is given up: a drain should end a little earlier.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Set when a drain is to be cut short.
    #[must_use]
    pub fn hurry(&self) -> &Flag {
        &self.hurry
    }

    /// The exit that this stop is part of, if the bus is on its way out. With a restart
    /// ([`Exit::is_restart`]), what survives is to be kept until the exit listeners hand it on.
    #[must_use]
    pub fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref()
    }
}

/// What an exit listener is told.
#[derive(Clone, Debug)]
pub struct Exiting {
    pub(crate) deadline: Instant,
    pub(crate) hurry: Flag,
    pub(crate) exit: Exit,
    pub(crate) handed_on: HandedOn,
}

impl Exiting {
    /// When this listener is given up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Set when there is no time for anything that can be left out.
    #[must_use]
    pub fn hurry(&self) -> &Flag {
        &self.hurry
    }

    /// Why the bus exits. With a restart, what survives is to be [handed on](Exiting::hand_on): listeners, locks, the PID
    /// file.
    pub fn exit(&self) -> &Exit {
        &self.exit
    }

    /// Leaves a value to whoever performs the restart, who finds it by its type: see
    /// [`restart_by`](crate::Handle::restart_by). If no restart comes of it, the value is dropped.
    pub fn hand_on<T: Any + Send>(&self, value: T) {
        self.handed_on.0.lock().push(Box::new(value));
    }
}

/// What exit listeners have [handed on](Exiting::hand_on), in their order.
#[derive(Clone, Default)]
pub struct HandedOn(Arc<Mutex<Vec<Box<dyn Any + Send>>>>);

impl HandedOn {
    /// Takes all values of this type.
    #[must_use]
    pub fn take<T: Any>(&self) -> Vec<T> {
        let all = std::mem::take(&mut *self.0.lock());
        let (found, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|value| value.is::<T>());
        self.0.lock().splice(0..0, rest);
        found.into_iter().filter_map(|value| value.downcast().ok()).map(|value| *value).collect()
    }
}

impl fmt::Debug for HandedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandedOn({} values)", self.0.lock().len())
    }
}

/// What a restart listener is told: somebody wants a new image of this program in its place. It looks whether that is
/// wise; its error keeps the old one, and nothing has changed.
#[derive(Clone, Debug)]
pub struct Restarting {
    pub(crate) deadline: Instant,
    pub(crate) cancelled: Flag,
    pub(crate) exit: Exit,
}

impl Restarting {
    /// When this listener is given up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Set when a plain exit was asked for meanwhile: there will be no restart.
    #[must_use]
    pub fn cancelled(&self) -> &Flag {
        &self.cancelled
    }

    /// The exit that follows if nobody objects: it says who asked.
    pub fn exit(&self) -> &Exit {
        &self.exit
    }
}

/// What a graceful listener is told: the new settings, found by their type. Clones share what is offered.
#[derive(Clone, Debug)]
pub struct Graceful {
    pub(crate) deadline: Instant,
    pub(crate) cancelled: Flag,
    pub(crate) settings: Offers,
}

impl Graceful {
    /// When this listener is given up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Set when an exit was asked for meanwhile: nothing will be committed.
    #[must_use]
    pub fn cancelled(&self) -> &Flag {
        &self.cancelled
    }

    /// The new settings of this type, if there are any.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.settings.get()
    }

    /// Gives settings to the listeners that come later. A later offer of the same type wins.
    pub fn offer<T: Any + Send + Sync>(&self, settings: T) {
        self.settings.put(settings);
    }
}

/// The new settings that a reload brings along: at most one value of each type, found by its type.
///
/// What each part of a site calls its `Settings` is one of the values; this is the map of them.
/// [`ask_graceful`](crate::Handle::ask_graceful) takes it, and listeners look into it with [`Graceful::get`].
#[derive(Default)]
pub struct SettingsMap(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl SettingsMap {
    /// An empty one: listeners look for new settings themselves, or take what an earlier listener has offered.
    #[must_use]
    pub fn new() -> SettingsMap {
        SettingsMap::default()
    }

    /// With this value too. It replaces an earlier one of the same type.
    #[must_use]
    pub fn with<T: Any + Send + Sync>(mut self, settings: T) -> SettingsMap {
        self.0.insert(TypeId::of::<T>(), Arc::new(settings));
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SettingsMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SettingsMap({} types)", self.0.len())
    }
}

/// The settings of one reload, as its listeners share them.
#[derive(Clone, Default)]
pub(crate) struct Offers(Arc<Mutex<SettingsMap>>);

impl Offers {
    pub(crate) fn of(settings: SettingsMap) -> Offers {
        Offers(Arc::new(Mutex::new(settings)))
    }

    fn put<T: Any + Send + Sync>(&self, settings: T) {
        let replaced = self.0.lock().0.insert(TypeId::of::<T>(), Arc::new(settings));
        drop(replaced); // foreign code, so not under the lock
    }

    fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let found = self.0.lock().0.get(&TypeId::of::<T>()).cloned();
        found.and_then(|settings| settings.downcast().ok())
    }
}

impl fmt::Debug for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().fmt(f)
    }
}

/// What a graceful listener returns: how the new settings are taken up, once nobody has objected.
///
/// One that is dropped without having been run is the abort, so a commit that owns what was prepared (a bound port, an
/// open file) gives it back by itself.
#[must_use = "a commit that is dropped is an abort"]
pub struct Commit(Option<Box<dyn FnOnce() -> anyhow::Result<()> + Send>>);

impl Commit {
    /// Runs `commit` once every graceful listener has agreed, within the limits of a reload. It should only take up what was
    /// prepared: if it fails, the reload is reported as failed, and the other commits are run all the same.
    pub fn new(commit: impl FnOnce() -> anyhow::Result<()> + Send + 'static) -> Commit {
        Commit(Some(Box::new(commit)))
    }

    /// Agrees, with nothing to do.
    pub fn nothing() -> Commit {
        Commit(None)
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.0.map_or(Ok(()), |commit| commit())
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Commit" } else { "Commit(nothing)" })
    }
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// How much it matters.
    pub level: Level,
    /// Who says it: the name of the bus or of a plugin.
    pub source: Arc<str>,
    /// What it says.
    pub message: String,
}

impl Record {
    /// A line for whoever publishes on [`LOG`](crate::LOG) itself; [`Handle::log`](crate::Handle::log) and
    /// [`Plugin::log`](crate::Plugin::log) make their own.
    pub fn new(level: Level, source: impl Into<Arc<str>>, message: impl Into<String>) -> Record {
        Record { level, source: source.into(), message: message.into() }
    }
}

/// How much a line of the log matters, least first. There will be no fifth, so that a `match` need not guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// What happens.
    Info,
    /// What should be looked at.
    Warn,
    /// What went wrong.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        })
    }
}
