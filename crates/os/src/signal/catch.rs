//! Taking signals, reading what came, and giving them back.

use super::pipe::Pipe;
use super::table::{self, Found};
use super::{Disposition, Refused, Signal};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Signals that this process does not die by, for as long as this value lives.
///
/// Each of them had an action before; [`release`](Catch::release), or dropping this, puts that back. Signals that were
/// ignored when the process was started (nohup(1), a background job of a shell without job control) stay ignored, since
/// that is what whoever started it asked for: see [`ignored`](Catch::ignored).
///
/// The kernel merges a signal with one of the same kind that is not delivered yet, so ten sent may be fewer caught.
/// `TTIN` and `TTOU` that the terminal sends itself stop the process, as they always do (Linux); those of kill(1) are caught.
#[derive(Debug)]
pub struct Catch {
    taken: Vec<Taken>,
    ignored: Vec<Signal>,
    displaced: Vec<Signal>,
    pipe: Arc<Pipe>,
}

/// The reading end: the signals that came, in the order of their delivery.
#[derive(Debug)]
pub struct Caught {
    pipe: Arc<Pipe>,
}

/// A way to reach the reader from other threads.
#[derive(Clone, Debug)]
pub struct Remote {
    pipe: Arc<Pipe>,
}

/// What the reader was woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// This signal came.
    Signal(Signal),
    /// The deadline came first.
    Elapsed,
    /// Closed, and every signal that came before has been read.
    Closed,
}

/// Why the signals were not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatchError {
    /// One of them cannot be caught at all.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A signal goes to one place, and it has one already.
    #[error(
        "{signal} is already caught in this process by {by}: let that one go first, or leave this signal out"
    )]
    Held {
        /// The signal.
        signal: Signal,
        /// The name that its holder gave.
        by: String,
    },
    /// The system refuses.
    #[error("catching {signal} failed: {cause}")]
    Signal {
        /// The signal.
        signal: Signal,
        /// What sigaction(2) says.
        cause: io::Error,
    },
    /// No pipe could be made.
    #[error("catching signals failed: making a pipe for them: {0}")]
    Pipe(io::Error),
}

struct Taken {
    signal: Signal,
    before: Disposition,
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.signal.fmt(f)
    }
}

impl Catch {
    /// Takes the signals. `holder` names who does, for a second one that wants the same.
    ///
    /// # Errors
    /// [`CatchError`] if one of them cannot be had; the others are given back then.
    pub fn take(
        holder: &str,
        signals: impl IntoIterator<Item = Signal>,
    ) -> Result<(Catch, Caught), CatchError> {
        let pipe = Arc::new(Pipe::new().map_err(CatchError::Pipe)?);
        let caught = Caught { pipe: pipe.clone() };
        let mut catch = Catch { taken: Vec::new(), ignored: Vec::new(), displaced: Vec::new(), pipe };
        for signal in signals {
            if !catch.has(signal) {
                catch.add(holder, signal)?;
            }
        }
        Ok((catch, caught))
    }

    fn has(&self, signal: Signal) -> bool {
        self.ignored.contains(&signal) || self.taken.iter().any(|taken| taken.signal == signal)
    }

    fn add(&mut self, holder: &str, signal: Signal) -> Result<(), CatchError> {
        signal.catchable()?;
        let found = table::take(holder, signal, self.pipe.writer());
        match found.map_err(|cause| CatchError::Signal { signal, cause })? {
            Found::Held { by } => return Err(CatchError::Held { signal, by }),
            Found::Ignored => self.ignored.push(signal),
            Found::Taken(before) => {
                if !before.is_default() {
                    self.displaced.push(signal);
                }
                self.taken.push(Taken { signal, before });
            }
        }
        Ok(())
    }

    /// The signals that are caught.
    pub fn signals(&self) -> impl Iterator<Item = Signal> + '_ {
        self.taken.iter().map(|taken| taken.signal)
    }

    /// Those that were asked for but had been ignored before, and still are.
    #[must_use]
    pub fn ignored(&self) -> &[Signal] {
        &self.ignored
    }

    /// Those that somebody else in this process had a handler for; it is not called until they are given back.
    #[must_use]
    pub fn displaced(&self) -> &[Signal] {
        &self.displaced
    }

    /// A way to reach the reader.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote { pipe: self.pipe.clone() }
    }

    /// What has come and nobody has read, once the reader has ended.
    pub(super) fn left_over(&self) -> impl Iterator<Item = Signal> + '_ {
        let next = || self.pipe.next(Some(Instant::now())).ok().flatten();
        std::iter::from_fn(next).filter_map(|number| Signal::try_from(i32::from(number)).ok())
    }

    /// Gives all signals back and closes the reading end. Returns those whose handler somebody else has replaced
    /// meanwhile: theirs is left as it is.
    #[must_use = "it says whose handlers were left alone"]
    pub fn release(mut self) -> Vec<Signal> {
        self.give_back()
    }

    /// The same for a process that is about to end: those of which this is true are ignored from now on, and never do what
    /// they did before. There is no moment in between in which one could end the process, or stop it.
    #[must_use = "it says whose handlers were left alone"]
    pub fn release_for_good(mut self, ignored: impl Fn(Signal) -> bool) -> Vec<Signal> {
        for taken in self.taken.iter_mut().filter(|taken| ignored(taken.signal)) {
            taken.before = Disposition::ignored();
        }
        self.give_back()
    }

    fn give_back(&mut self) -> Vec<Signal> {
        let mut replaced = Vec::new();
        for taken in self.taken.drain(..).rev() {
            // sigaction(2) fails for numbers that are no signal, and these have been taken before.
            if !table::give_back(taken.signal, &taken.before).unwrap_or(true) {
                replaced.push(taken.signal);
            }
        }
        self.pipe.close();
        if !table::all_handlers_have_left() {
            // One may still write to this pipe: better to keep it open for ever than to let it write to a stranger's file.
            let _kept_open = Arc::into_raw(self.pipe.clone());
        }
        replaced
    }
}

impl Drop for Catch {
    fn drop(&mut self) {
        if !self.pipe.is_closed() || !self.taken.is_empty() {
            self.give_back();
        }
    }
}

impl Caught {
    /// Waits for the next signal, or for the deadline if there is one.
    ///
    /// # Errors
    /// What poll(2) or read(2) says; none is to be expected.
    pub fn next(&self, deadline: Option<Instant>) -> io::Result<Next> {
        while let Some(number) = self.pipe.next(deadline)? {
            if let Ok(signal) = Signal::try_from(i32::from(number)) {
                return Ok(Next::Signal(signal));
            }
        }
        Ok(if self.pipe.is_closed() { Next::Closed } else { Next::Elapsed })
    }
}

impl Remote {
    /// Gives the reader a signal as if it had come: for those that are not caught here, such as `INT`.
    pub fn post(&self, signal: Signal) {
        self.pipe.post(signal);
    }

    /// Ends the reader: after what has come already it reads [`Next::Closed`], for ever.
    pub fn close(&self) {
        self.pipe.close();
    }
}
