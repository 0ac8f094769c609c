//! What went wrong, where, and who was at it.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::exit::Exit;
use crate::machine::Report;

/// One listener that failed on one channel. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Failure {
    channel: &'static str,
    listener: Arc<str>,
    reason: Reason,
}

/// How a listener failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// It returned an error.
    Error(Arc<anyhow::Error>),
    /// It panicked, with this text.
    Panicked(Arc<str>),
    /// It had not returned when its time was over, and was given up. Its thread lives on until the process ends; what
    /// it may still report is ignored.
    Overran(Duration),
}

impl Failure {
    pub(crate) fn new(channel: &'static str, listener: Arc<str>, reason: Reason) -> Failure {
        Failure { channel, listener, reason }
    }

    /// The channel that the listener was called on.
    #[must_use]
    pub fn channel(&self) -> &str {
        self.channel
    }

    /// The name that the listener was subscribed with.
    #[must_use]
    pub fn listener(&self) -> &str {
        &self.listener
    }

    /// How it failed.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The error that the listener returned, if it returned one; `downcast_ref` finds the original type in it.
    #[must_use]
    pub fn error(&self) -> Option<&anyhow::Error> {
        match &self.reason {
            Reason::Error(error) => Some(error),
            _ => None,
        }
    }
}

impl Report for Failure {
    fn listener(&self) -> &str {
        &self.listener
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { channel, listener, reason } = self;
        match reason {
            Reason::Error(error) => write!(f, "'{listener}' failed on '{channel}': {error:#}"),
            Reason::Panicked(text) => write!(f, "'{listener}' panicked on '{channel}': {text}"),
            Reason::Overran(after) => {
                write!(f, "'{listener}' was given up on '{channel}' after {after:?}: it had not returned")
            }
        }
    }
}

// `Display` tells the whole story, so `source` stays empty: a report that walks the chain prints nothing twice.
impl StdError for Failure {}

/// The failures of one publish or one transition: at least one, in the order in which they happened.
#[derive(Clone, Debug)]
pub struct Failures(Arc<[Failure]>);

impl Failures {
    /// `None` if there are none.
    pub(crate) fn gather(failures: Vec<Failure>) -> Option<Failures> {
        if failures.is_empty() { None } else { Some(Failures(failures.into())) }
    }

    /// The one that happened first: the original error.
    #[must_use]
    pub fn first(&self) -> &Failure {
        &self.0[0]
    }

    /// All of them, in the order in which they happened.
    pub fn iter(&self) -> impl Iterator<Item = &Failure> {
        self.0.iter()
    }

    /// How many there are; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{failure}")?;
        }
        Ok(())
    }
}

impl StdError for Failures {}

/// What a bus can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Run the start listeners.
    Start,
    /// Run the stop listeners.
    Stop,
    /// Stop, and run the exit listeners.
    Exit,
    /// Exit, and replace the process by a new image of itself.
    Restart,
    /// Take up new settings.
    Graceful,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Exit => "exit",
            Verb::Restart => "restart",
            Verb::Graceful => "graceful",
        })
    }
}

/// Why a request to the bus was not done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The bus is on its way out, or gone: it takes no such request any more.
    Refused {
        /// What was asked.
        asked: Verb,
        /// The exit that stands in the way.
        exit: Exit,
    },
    /// Listeners failed. After a failed start the bus has stopped what began, and has exited; a stop has reached
    /// STOPPED all the same, an exit its end; a reload that failed in its commits has committed the rest.
    Failed {
        /// What was asked.
        asked: Verb,
        /// Who failed, and how.
        failures: Failures,
    },
    /// Listeners refused the new settings, or the restart: nothing has changed.
    Vetoed {
        /// What was asked.
        asked: Verb,
        /// Who refused, and why.
        failures: Failures,
    },
    /// An exit was asked for before it was done.
    Interrupted {
        /// What was asked.
        asked: Verb,
        /// The exit.
        exit: Exit,
    },
    /// It had not been done when the caller's patience ended. It still goes on, and its [`Ticket`](crate::Ticket) can be
    /// waited for again.
    TimedOut {
        /// What was asked.
        asked: Verb,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The bus could not make its threads, so nothing was begun.
    NoThread(Arc<io::Error>),
}

impl Error {
    /// The listeners that failed, where some did.
    #[must_use]
    pub fn failures(&self) -> Option<&Failures> {
        match self {
            Error::Failed { failures, .. } | Error::Vetoed { failures, .. } => Some(failures),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused { asked, exit } => {
                write!(f, "{asked} was refused: the bus is exiting ({exit}); make a new Bus to start again")
            }
            Error::Failed { asked, failures } => write!(f, "{asked} failed: {failures}"),
            Error::Vetoed { asked, failures } => {
                write!(f, "{asked} was refused and nothing has changed: {failures}")
            }
            Error::Interrupted { asked, exit } => write!(f, "{asked} was interrupted: {exit}"),
            Error::TimedOut { asked, waited } => {
                write!(
                    f,
                    "{asked} was not done within {waited:?}; it still goes on, and can be waited for again"
                )
            }
            Error::NoThread(error) => write!(
                f,
                "the bus could not make its threads: {error}; allow the process more of them (`ulimit -u`)"
            ),
        }
    }
}

impl StdError for Error {}
