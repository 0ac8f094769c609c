//! The process that goes on, and tells its launcher the truth.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use sitebus_bus::{Commit, Graceful, Handle, Level, Plugin, Priority, State, Ticket, priority, topics};
use sitebus_os::detach::redirect_output;
use sitebus_os::parcel::Item;

use crate::error::DaemonizeError;
use crate::leave::{KIND, NAME, open_output};
use crate::line::{Line, Word};
use crate::settings::{Output, Settings};

/// The daemon: it tells the launcher when its bus is STARTED, or why it is not.
///
/// If it is dropped, the process ends, or exec replaces it before that was told, the launcher notices.
#[derive(Debug)]
pub struct Daemon {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    line: Line,
    settings: Mutex<Settings>,
    start: Mutex<Option<Ticket>>,
    note: Mutex<Option<String>>,
    /// Where the program was started.
    base: PathBuf,
}

impl Daemon {
    pub(crate) fn new(settings: Settings, base: PathBuf, line: Line, note: Option<String>) -> Daemon {
        let (settings, note) = (Mutex::new(settings), Mutex::new(note));
        Daemon { inner: Arc::new(Inner { line, settings, start: Mutex::default(), note, base }) }
    }

    /// Tells the launcher that all is well: for a program whose bus is not all there is to wait for, or that has none.
    pub fn started(&self) {
        self.inner.line.tell(&Word::Started);
    }

    /// Tells the launcher of a failure before or outside of the bus. It waits until this process has ended, and returns its
    /// status; `status` if that is 0.
    pub fn failed(&self, message: impl fmt::Display, status: u8) {
        self.inner.line.tell(&Word::Failed { status, message: message.to_string() });
    }

    /// Tells the launcher once the bus is STARTED, or passes on how its start failed.
    ///
    /// From then on `topics::REOPEN` opens the log file anew, and a reload may name another one.
    ///
    /// # Errors
    /// [`DaemonizeError::Clash`] if `topics::REOPEN` is in use with other types.
    pub fn subscribe(&self, bus: &Handle) -> Result<Plugin, DaemonizeError> {
        let plugin = bus.plugin("daemonize");
        let inner = || Arc::clone(&self.inner);
        plugin.on_start(Priority::new(i32::MIN), {
            let (inner, plugin) = (inner(), plugin.clone());
            move |_| inner.begin(&plugin)
        });
        let (states, telling) = (inner(), plugin.clone());
        plugin.on_state(Priority::DEFAULT, move |state| states.tell_of(*state, &telling));
        let reopening = inner();
        plugin
            .subscribe(topics::REOPEN, Priority::DEFAULT, move |()| reopening.reopen())
            .inspect_err(|_| plugin.unsubscribe())?;
        plugin.on_exit(priority::RELEASE, |exiting| {
            if exiting.exit().is_restart() {
                exiting.hand_on(Item::new(KIND, NAME));
            }
        });
        plugin.on_graceful(Priority::DEFAULT, {
            let inner = inner();
            move |reload| reload_settings(&inner, reload)
        });
        Ok(plugin)
    }
}

impl Inner {
    fn begin(&self, plugin: &Plugin) {
        // Joins the start that runs, to learn how it ends.
        *self.start.lock() = Some(plugin.handle().ask_start());
        let note = self.note.lock().take();
        if let Some(note) = note {
            plugin.log(Level::Warn, note);
        }
    }

    fn tell_of(self: &Arc<Inner>, state: State, plugin: &Plugin) {
        match state {
            State::Started => self.line.tell(&Word::Started),
            State::Exiting if self.line.is_open() => self.tell_of_failure(plugin),
            _ => {}
        }
    }

    /// First what is known now. How each listener failed is known once the exit is through, to whoever waits for that.
    fn tell_of_failure(self: &Arc<Inner>, plugin: &Plugin) {
        let bus = plugin.handle();
        let (status, message) = match bus.exit_asked() {
            Some(exit) => (exit.code().max(1), format!("the bus exits before it was STARTED: {exit}")),
            None => (1, "the bus exits before it was STARTED".to_owned()),
        };
        self.line.tell(&Word::Failing { status, message });
        let Some(start) = self.start.lock().take() else { return };
        let inner = Arc::clone(self);
        let teller = thread::Builder::new().name("daemonize".to_owned()).spawn(move || {
            if let Err(error) = start.wait() {
                inner.line.tell(&Word::Failed { status, message: error.to_string() });
            }
        });
        // Without the thread, the first word stands.
        if let Ok(teller) = teller {
            bus.adopt("daemonize", teller);
        }
    }

    fn reopen(&self) -> Result<(), anyhow::Error> {
        let settings = self.settings.lock().clone();
        if let Output::File(_) = settings.output {
            redirect_output(open_output(&settings.output, settings.owner)?)?;
        }
        Ok(())
    }
}

/// The log file can be another one; the rest was done once and for all.
fn reload_settings(inner: &Arc<Inner>, reload: &Graceful) -> anyhow::Result<Commit> {
    let Some(new) = reload.get::<Settings>() else { return Ok(Commit::nothing()) };
    let new = Settings::clone(&new).resolved(&inner.base);
    let current = inner.settings.lock().clone();
    if new == current {
        return Ok(Commit::nothing());
    }
    let same_but_output = Settings { output: current.output.clone(), owner: current.owner, ..new.clone() };
    anyhow::ensure!(
        same_but_output == current && new.output != Output::Keep,
        "how the process left its terminal cannot change while it runs, but for the file that it writes to; stop and start it"
    );
    let output = open_output(&new.output, new.owner)?;
    let inner = Arc::clone(inner);
    Ok(Commit::new(move || {
        redirect_output(&output)?;
        *inner.settings.lock() = new;
        Ok(())
    }))
}
