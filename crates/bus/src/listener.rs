//! What listens: a closure or a value, with a name for the report.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::failure::{Failure, Reason};
use crate::foreign::dispose;
use crate::priority::Priority;

/// A listener as a value, which brings its own name and its own place in the order. Closures need none of this.
pub trait Listener<M: ?Sized, O = ()>: Send + Sync + 'static {
    /// What reports call it.
    fn name(&self) -> &str;

    /// Where it stands among the others.
    fn priority(&self) -> Priority {
        Priority::DEFAULT
    }

    /// Receives one message, on the publisher's thread, with no lock of the bus held.
    ///
    /// # Errors
    /// Whatever went wrong: it is reported with the names of the listener and the channel, and the other listeners still
    /// run. An [`Exit`](crate::Exit) as the error ends the publish.
    fn hear(&self, message: &M) -> anyhow::Result<O>;
}

/// What a listening closure may return: nothing, or a result.
pub trait Heard<O> {
    /// As a result.
    ///
    /// # Errors
    /// The closure's own error.
    fn heard(self) -> anyhow::Result<O>;
}

impl Heard<()> for () {
    fn heard(self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl<O> Heard<O> for anyhow::Result<O> {
    fn heard(self) -> anyhow::Result<O> {
        self
    }
}

/// Calls foreign code; a panic becomes a failure.
#[inline]
pub(crate) fn guarded<O>(call: impl FnOnce() -> anyhow::Result<O>) -> Result<O, Reason> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(failed(error)),
        Err(panic) => Err(panicked(panic)),
    }
}

#[cold]
fn failed(error: anyhow::Error) -> Reason {
    Reason::Error(Arc::new(error))
}

#[cold]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Reason {
    let text = match panic.downcast::<String>() {
        Ok(text) => Arc::from(*text),
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => Arc::from(*text),
            Err(other) => {
                dispose(other);
                Arc::from("a panic without a text")
            }
        },
    };
    Reason::Panicked(text)
}

impl Reason {
    pub(crate) fn by(self, listener: &Arc<str>, channel: &'static str) -> Failure {
        Failure::new(channel, Arc::clone(listener), self)
    }
}
