//! The plugin.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use sitebus_bus::{Handle, Level, Plugin, priority};
use sitebus_os::interrupt::{Interrupt, InterruptError};
use sitebus_os::signal::{Catch, Caught, Signal};
use sitebus_os::terminal::Terminal;

use crate::errands::{self, Errands};
use crate::error::SignalsError;
use crate::held::{Held, ReleaseOnDrop, Taken};
use crate::reader::Reader;
use crate::settings::Settings;

/// The plugin: signals become requests to a bus.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    settings: Settings,
}

/// The signals are the bus's. Dropping this changes nothing.
pub struct Subscribed {
    plugin: Plugin,
    held: Arc<Held>,
    ignored: Vec<Signal>,
}

impl Signals {
    /// With these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Signals {
        Signals { settings }
    }

    /// Takes the signals, now, and until [`Subscribed::unsubscribe`], the end of the exit, or the end of the bus. See
    /// [`Settings::process_ends`] for a process that has nothing left to do then.
    ///
    /// It makes two threads: whatever forks must have done so before.
    ///
    /// # Errors
    /// [`SignalsError`] says which signal is in other hands.
    pub fn subscribe(&self, bus: &Handle) -> Result<Subscribed, SignalsError> {
        let plugin = bus.plugin("signals");
        let holder = format!("bus {}", bus.name());
        let held = Arc::new(Held::default());
        // Before the first signal can ask for an exit.
        plugin.on_exit(priority::SIGNALS, {
            let (held, plugin, settings) =
                (ReleaseOnDrop(held.clone()), plugin.clone(), self.settings.clone());
            move |exiting| {
                if exiting.exit().is_restart() {
                    held.0.keep().into_iter().for_each(|kept| exiting.hand_on(kept));
                } else {
                    give_back(&held.0, &plugin, |signal| settings.is_over(signal));
                }
            }
        });
        let ignored = self.take(&plugin, &holder, &held).inspect_err(|_| plugin.unsubscribe())?;
        if !ignored.is_empty() {
            let message = format!("ignored when the process was started, and left so: {}", list(&ignored));
            plugin.log(Level::Info, message);
        }
        Ok(Subscribed { plugin, held, ignored })
    }

    fn take(&self, plugin: &Plugin, holder: &str, held: &Arc<Held>) -> Result<Vec<Signal>, SignalsError> {
        let bus = || plugin.handle().name().to_owned();
        let signals =
            self.settings.actions().map(|(signal, _)| signal).filter(|signal| *signal != Signal::INT);
        let (catch, caught) =
            Catch::take(holder, signals).map_err(|cause| SignalsError::Catch { bus: bus(), cause })?;
        let mut ignored = catch.ignored().to_vec();
        if !catch.displaced().is_empty() {
            let message = format!(
                "handlers that others have installed are not called for now: {}",
                list(catch.displaced())
            );
            plugin.log(Level::Warn, message);
        }
        let interrupt = match self.take_interrupt(holder, &catch) {
            Ok(interrupt) => interrupt,
            Err(InterruptError::Ignored) => {
                ignored.push(Signal::INT);
                None
            }
            Err(cause) => return Err(SignalsError::Interrupt { bus: bus(), cause }),
        };
        let taken = held.hold(|| self.make_threads(plugin, held, catch, caught, interrupt));
        taken.map_err(|cause| SignalsError::NoThread { bus: bus(), cause })?;
        Ok(ignored)
    }

    fn take_interrupt(&self, holder: &str, catch: &Catch) -> Result<Option<Interrupt>, InterruptError> {
        if self.settings.action(Signal::INT).is_none() {
            return Ok(None);
        }
        // Ctrl-C joins the other signals: one reader, one ladder.
        let remote = catch.remote();
        Interrupt::take(holder, move || remote.post(Signal::INT)).map(Some)
    }

    /// If one of the threads cannot be made, the other ends, since what was taken is dropped.
    fn make_threads(
        &self,
        plugin: &Plugin,
        held: &Arc<Held>,
        catch: Catch,
        caught: Caught,
        interrupt: Option<Interrupt>,
    ) -> io::Result<Taken> {
        let (leave, errands) = mpsc::channel();
        let (working, through) = mpsc::channel();
        let reader = Reader {
            handle: plugin.handle().clone(),
            settings: self.settings.clone(),
            terminal: self.settings.asks_the_terminal().then(Terminal::controlling).flatten(),
            caught,
            errands: Errands::new(leave),
            held: Arc::downgrade(held),
        };
        let publisher = plugin.clone();
        let reads = spawn(plugin, "signals", &working, move || reader.run())?;
        let runs = spawn(plugin, "errands", &working, move || errands::run(&publisher, &errands))?;
        Ok(Taken { catch, interrupt, threads: vec![reads, runs], through })
    }
}

impl Subscribed {
    /// The signals that were asked for but were ignored when the process was started, and so stay ignored.
    #[must_use]
    pub fn ignored(&self) -> &[Signal] {
        &self.ignored
    }

    /// Gives every signal back: it does again what it did before. Handlers that somebody else has installed meanwhile are
    /// left alone, with a warning in the log.
    ///
    /// Waits until what has come is handled, for up to a second.
    pub fn unsubscribe(&self) {
        give_back(&self.held, &self.plugin, |_| false);
        self.plugin.unsubscribe();
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscribed").field(&self.plugin.handle().name()).finish()
    }
}

fn give_back(held: &Held, plugin: &Plugin, ignored: impl Fn(Signal) -> bool) {
    let replaced = held.release_for_good(ignored);
    if !replaced.is_empty() {
        let message =
            format!("handlers that others have installed meanwhile are left alone: {}", list(&replaced));
        plugin.log(Level::Warn, message);
    }
}

fn spawn(
    plugin: &Plugin,
    what: &str,
    working: &mpsc::Sender<()>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let working = working.clone();
    let name = format!("{} {what}", plugin.handle().name()).replace('\0', " ");
    thread::Builder::new().name(name).spawn(move || {
        body();
        drop(working);
    })
}

fn list(signals: &[Signal]) -> String {
    let names: Vec<String> = signals.iter().map(Signal::to_string).collect();
    names.join(", ")
}
