//! The plugin: where the service manager hears of what happens on the bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sitebus_bus::{Commit, Graceful, Handle, Level, Plugin, Priority};

use crate::herald::Herald;
use crate::voice::Voice;
use crate::{Environment, Settings};

/// Before all others of its channel.
const FIRST: Priority = Priority::new(i32::MIN);
/// After all others of its channel.
const LAST: Priority = Priority::new(i32::MAX);

/// The plugin: what the bus does is told to the service manager. Where none is, it does nothing.
#[derive(Clone, Debug)]
pub struct Systemd {
    environment: Environment,
    settings: Settings,
}

/// The service manager is told. Dropping this changes nothing.
#[derive(Clone)]
pub struct Subscribed {
    plugin: Plugin,
    herald: Option<Arc<Herald>>,
}

impl Systemd {
    /// Tells the manager that has left this environment.
    #[must_use]
    pub fn new(environment: &Environment) -> Systemd {
        Systemd { environment: environment.clone(), settings: Settings::default() }
    }

    /// With these settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Systemd {
        self.settings = settings;
        self
    }

    /// From now on the manager is told. Only for one bus of a process: the manager takes all that is said for the life of the
    /// one service.
    pub fn subscribe(self, bus: &Handle) -> Subscribed {
        let plugin = bus.plugin("systemd");
        let Some(address) = self.environment.notify_socket() else {
            return Subscribed { plugin, herald: None };
        };
        let voice = match Voice::open(address) {
            Ok(voice) => voice,
            Err(error) => {
                let said = format!(
                    "NOTIFY_SOCKET={address:?} cannot be used ({error}), so the service manager is told nothing; with \
                     Type=notify it will end the site"
                );
                plugin.log(Level::Warn, said);
                return Subscribed { plugin, herald: None };
            }
        };
        let watchdog = self.environment.watchdog();
        let herald = Arc::new(Herald::new(plugin.clone(), voice, watchdog, self.settings));
        listen(&plugin, &herald, watchdog);
        Subscribed { plugin, herald: Some(herald) }
    }
}

fn listen(plugin: &Plugin, herald: &Arc<Herald>, watchdog: Option<Duration>) {
    let tells = Arc::clone(herald);
    plugin.on_state(FIRST, move |state| tells.entered(*state));
    let speaks = Arc::clone(herald);
    plugin.on_start(FIRST, move |_| match speaks.run() {
        // Without its beat the manager would kill the site; without the rest it only knows less.
        Err(error) if watchdog.is_some() => Err(error)
            .context("making the thread that tells the service manager's watchdog that the site lives"),
        _ => Ok(()),
    });
    let begins = Arc::clone(herald);
    plugin.on_graceful(FIRST, move |_| Ok(begin(&begins)));
    let ends = Arc::clone(herald);
    plugin.on_graceful(LAST, move |reload| Ok(end(&ends, reload)));
    let leaves = Arc::clone(herald);
    plugin.on_exit(LAST, move |exiting| leaves.end(exiting.exit().is_restart()));
}

/// The commits are run in the order of their listeners, so this one only notes that it comes to that: the last one of them
/// says that the reload is over. If nobody commits, this one is dropped after all others.
struct Begun {
    herald: Arc<Herald>,
    committed: bool,
}

impl Begun {
    fn commit(mut self) {
        self.committed = true;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.committed {
            self.herald.reload_ends("STARTED; the last reload was refused");
        }
    }
}

fn begin(herald: &Arc<Herald>) -> Commit {
    herald.reload_begins();
    let begun = Begun { herald: Arc::clone(herald), committed: false };
    Commit::new(move || {
        begun.commit();
        Ok(())
    })
}

fn end(herald: &Arc<Herald>, reload: &Graceful) -> Commit {
    let (herald, settings) = (Arc::clone(herald), reload.get::<Settings>());
    Commit::new(move || {
        settings.into_iter().for_each(|settings| herald.take_up(*settings));
        herald.reload_ends("STARTED");
        Ok(())
    })
}

impl Subscribed {
    /// Whether there is a manager that is told.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.herald.is_some()
    }

    /// The manager is told nothing any more, not even that the site lives.
    pub fn unsubscribe(&self) {
        self.plugin.unsubscribe();
        if let Some(herald) = &self.herald {
            herald.end(false);
        }
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed").field("is_heard", &self.is_heard()).finish_non_exhaustive()
    }
}
