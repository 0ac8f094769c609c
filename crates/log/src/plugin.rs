//! The plugin: the lines of a bus are the log's.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use parking_lot::Mutex;
use sitebus_bus::{Commit, Graceful, Handle, LOG, Level, Plugin, Priority, priority, topics};

use crate::error::LogError;
use crate::log::{Inner, Log};
use crate::settings::Settings;

/// At the exit, after everything else: what others still say while they end is to be written.
const LAST: Priority = priority::SIGNALS.after();
/// How long the end of an exit waits for lines to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// The lines of a bus go to the log. Dropping this changes nothing.
pub struct Subscribed {
    plugin: Plugin,
    attached: Arc<Attached>,
}

/// Until it is released, threads write.
struct Attached(Mutex<Option<Arc<Inner>>>);

impl Log {
    /// Takes the lines of this bus: its log channel, and nothing else of the process. It opens files again on
    /// `topics::REOPEN` and on a reload, takes up new [`Settings`] that a reload brings, refuses a restart whose image could
    /// not open them, and at the end of the exit waits, up to two seconds, until everything is written.
    ///
    /// It makes a thread for each file, and one more if standard error is a file: whatever forks must have done so before.
    ///
    /// # Errors
    /// There is no thread to be had, or somebody uses the name of a channel for something else.
    pub fn subscribe(&self, bus: &Handle) -> Result<Subscribed, LogError> {
        let plugin = bus.plugin("log");
        self.0.attach()?;
        let attached = Arc::new(Attached(Mutex::new(Some(Arc::clone(&self.0)))));
        let last = ReleaseOnDrop(Arc::clone(&attached));
        plugin.on_exit(LAST, move |exiting| {
            let left = exiting.deadline().saturating_duration_since(Instant::now());
            last.0.release(PATIENCE.min(left / 2));
        });
        let (log, says) = (Arc::clone(&self.0), plugin.clone());
        plugin.on_graceful(priority::SITE, move |reload| look(&log, reload, says.clone()));
        self.listen(&plugin).inspect_err(|_| plugin.unsubscribe())?;
        Ok(Subscribed { plugin, attached })
    }

    fn listen(&self, plugin: &Plugin) -> Result<(), LogError> {
        let log = Arc::clone(&self.0);
        plugin.subscribe(LOG, Priority::DEFAULT, move |record| log.record(record))?;
        // The next image opens them anew, and would not start without.
        let log = Arc::clone(&self.0);
        plugin.on_restart(Priority::DEFAULT, move |_| Ok(log.try_files()?));
        let (log, says) = (Arc::clone(&self.0), plugin.clone());
        plugin.subscribe(topics::REOPEN, Priority::DEFAULT, move |()| {
            let errors = log.reopen();
            if !errors.is_empty() {
                return Err(anyhow!(errors.join("; ")));
            }
            if log.has_files() {
                says.log(Level::Info, "files are open again");
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn look(log: &Arc<Inner>, reload: &Graceful, says: Plugin) -> anyhow::Result<Commit> {
    let settings = reload.get::<Settings>().map_or_else(|| log.now().settings.clone(), |new| (*new).clone());
    let next = log.prepare(settings).context("the log stays as it is")?;
    let log = Arc::clone(log);
    // What goes wrong from here on costs no line, and so it does not make the reload a failure.
    Ok(Commit::new(move || {
        log.take_up(next).into_iter().for_each(|error| says.log(Level::Error, error));
        Ok(())
    }))
}

impl Attached {
    fn release(&self, patience: Duration) {
        let inner = self.0.lock().take();
        if let Some(inner) = inner {
            inner.detach(patience);
        }
    }
}

/// For a bus that is dropped, or unsubscribed, without an exit.
struct ReleaseOnDrop(Arc<Attached>);

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        self.0.release(PATIENCE);
    }
}

impl Subscribed {
    /// Gives the lines of the bus back, which are `tracing`'s then, once everything is written.
    pub fn unsubscribe(&self) {
        self.plugin.unsubscribe();
        self.attached.release(PATIENCE);
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscribed").field(&self.plugin.handle().name()).finish()
    }
}
