//! The log of a process.

use std::collections::HashSet;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sitebus_bus::Record;
use tracing::Level;
use tracing_subscriber::EnvFilter;

use crate::error::{LogError, cure};
use crate::file::LogFile;
use crate::line::Line;
use crate::settings::{Format, Settings, Target};
use crate::sink::Sink;

/// How long a target that is no longer wanted may take to be written to the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines in; lines out to every target. Clones are one log.
///
/// Making it, and writing to it, makes no thread: that is for [`subscribe`](Log::subscribe) to do, so a process may fork
/// before. It opens its files at once.
#[derive(Clone)]
pub struct Log(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    /// There for trouble with the others, even if no other line goes there.
    stderr: Arc<Sink>,
    now: ArcSwap<Now>,
    /// Held while anything changes: how many buses have subscribed.
    buses: Mutex<usize>,
}

/// What holds at the moment.
pub(crate) struct Now {
    pub(crate) settings: Settings,
    pub(crate) events: EnvFilter,
    sinks: Vec<Arc<Sink>>,
}

impl Log {
    /// Opens every file. Makes no thread.
    ///
    /// # Errors
    /// A file cannot be opened, or is named twice.
    pub fn new(settings: Settings) -> Result<Log, LogError> {
        let log = Log::default();
        log.change(settings)?;
        Ok(log)
    }

    /// Takes up other settings: opens files that are new, and all others again, and writes those that are gone to their end.
    /// On a bus the reload does this, if the new [`Settings`] are among what it brings.
    ///
    /// # Errors
    /// As [`new`](Log::new); then everything is as it was.
    pub fn change(&self, settings: Settings) -> Result<(), LogError> {
        let next = self.0.prepare(settings)?;
        for error in self.0.take_up(next) {
            self.0.write(&Line::new(Level::ERROR, "log", &error));
        }
        Ok(())
    }

    /// Whether standard error gets the lines of this source and level: whoever has a last word then need not say them again.
    #[must_use]
    pub fn shows(&self, source: &str, level: sitebus_bus::Level) -> bool {
        let now = self.0.now.load();
        let there = now.settings.to.iter().any(|target| matches!(target, Target::StandardError(_)));
        there && now.settings.filter.passes(source, level_of(level))
    }

    /// What it does at the moment. Paths begin at the root.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.now.load().settings.clone()
    }
}

impl Default for Log {
    /// People's lines of level `info` on standard error: nothing that can fail.
    fn default() -> Log {
        let (settings, stderr) = (Settings::default(), Sink::stderr(Format::Human));
        let (events, sinks) = (settings.filter.for_events(), vec![Arc::clone(&stderr)]);
        stderr.set(Format::Human, settings.buffer);
        let now = ArcSwap::from_pointee(Now { settings, events, sinks });
        Log(Arc::new(Inner { stderr, now, buses: Mutex::new(0) }))
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.0.now.load().settings).finish()
    }
}

impl Inner {
    pub(crate) fn now(&self) -> arc_swap::Guard<Arc<Now>> {
        self.now.load()
    }

    pub(crate) fn record(&self, record: &Record) {
        let level = level_of(record.level);
        if self.now.load().settings.filter.passes(&record.source, level) {
            self.write(&Line::new(level, &record.source, &record.message));
        }
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let now = self.now.load();
        now.sinks.iter().for_each(|sink| sink.write(line));
    }

    /// Looks whether the settings can be had: opens what is new, and changes nothing.
    pub(crate) fn prepare(&self, mut settings: Settings) -> Result<Now, LogError> {
        let (known, mut seen, mut sinks) = (self.now.load_full(), HashSet::new(), Vec::new());
        for target in &mut settings.to {
            let path = match target {
                Target::StandardError(_) => None,
                Target::File(path, _) => {
                    *path = absolute(path)?;
                    Some(path.clone())
                }
            };
            if !seen.insert(path.clone()) {
                let target = path.map_or("standard error".to_owned(), |path| path.display().to_string());
                return Err(LogError::Twice { target });
            }
            sinks.push(match (path, &*target) {
                (Some(path), Target::File(_, format)) => {
                    let open = known.sinks.iter().find(|sink| sink.path() == Some(&path));
                    open.map_or_else(
                        || Sink::file(&path, settings.owner, *format, &self.stderr),
                        |sink| Ok(Arc::clone(sink)),
                    )?
                }
                _ => Arc::clone(&self.stderr),
            });
        }
        let events = settings.filter.for_events();
        Ok(Now { settings, events, sinks })
    }

    /// Takes up what was prepared. Returns what went wrong with it: files that cannot be opened again are written as they
    /// are, and those without a thread are written by whoever says a line.
    pub(crate) fn take_up(&self, next: Now) -> Vec<String> {
        let buses = self.buses.lock();
        let mut errors = Vec::new();
        for (target, sink) in next.settings.to.iter().zip(&next.sinks) {
            let (Target::StandardError(format) | Target::File(_, format)) = target;
            sink.set(*format, next.settings.buffer);
            if *buses > 0 {
                errors.extend(sink.start().err().map(|error| error.to_string()));
            }
        }
        let next = Arc::new(next);
        let old = self.now.swap(Arc::clone(&next));
        tracing::callsite::rebuild_interest_cache();
        let (kept, gone): (Vec<_>, Vec<_>) =
            old.sinks.iter().partition(|old| next.sinks.iter().any(|sink| Arc::ptr_eq(sink, old)));
        // Trouble with a file is still told there.
        let gone = gone.into_iter().filter(|sink| sink.path().is_some());
        gone.for_each(|sink| sink.stop(PATIENCE));
        errors.extend(kept.into_iter().filter_map(|sink| reopen(sink)));
        errors
    }

    /// Opens every file again; what went wrong is returned.
    pub(crate) fn reopen(&self) -> Vec<String> {
        let _changing = self.buses.lock();
        self.stderr.reopen().ok();
        self.now.load().sinks.iter().filter_map(|sink| reopen(sink)).collect()
    }

    /// Whether another process of this user could open every file.
    pub(crate) fn try_files(&self) -> Result<(), LogError> {
        let Settings { to, owner, .. } = &self.now.load().settings;
        for target in to {
            let Target::File(path, _) = target else { continue };
            LogFile::open(path, *owner).map_err(|cause| LogError::Open { path: path.clone(), cause })?;
        }
        Ok(())
    }

    pub(crate) fn has_files(&self) -> bool {
        self.now.load().sinks.iter().any(|sink| sink.path().is_some())
    }

    /// A bus more: from the first one on, threads write.
    pub(crate) fn attach(&self) -> Result<(), LogError> {
        let mut buses = self.buses.lock();
        if *buses == 0 {
            let now = self.now.load();
            self.stderr.reopen().ok();
            let started = self.stderr.start().and_then(|()| now.sinks.iter().try_for_each(Sink::start));
            if let Err(error) = started {
                self.stop(PATIENCE);
                return Err(error);
            }
        }
        *buses += 1;
        Ok(())
    }

    /// A bus less: after the last one the threads have written everything, and are gone.
    pub(crate) fn detach(&self, patience: Duration) {
        let mut buses = self.buses.lock();
        *buses -= 1;
        if *buses == 0 {
            self.stop(patience);
        }
    }

    fn stop(&self, patience: Duration) {
        let now = self.now.load();
        now.sinks.iter().filter(|sink| sink.path().is_some()).for_each(|sink| sink.stop(patience));
        self.stderr.stop(patience);
    }
}

fn reopen(sink: &Sink) -> Option<String> {
    let (error, path) = (sink.reopen().err()?, sink.path()?);
    if error.kind() == ErrorKind::TimedOut {
        return Some(format!(
            "{} is not open again yet: its disk does not answer. Lines wait",
            path.display()
        ));
    }
    let cure = cure(&error);
    Some(format!("{} cannot be opened again: {error}; {cure}. Lines go on to the old file", path.display()))
}

fn level_of(level: sitebus_bus::Level) -> Level {
    match level {
        sitebus_bus::Level::Debug => Level::DEBUG,
        sitebus_bus::Level::Info => Level::INFO,
        sitebus_bus::Level::Warn => Level::WARN,
        sitebus_bus::Level::Error => Level::ERROR,
    }
}

fn absolute(path: &Path) -> Result<PathBuf, LogError> {
    std::path::absolute(path).map_err(|cause| LogError::Open { path: path.to_owned(), cause })
}
