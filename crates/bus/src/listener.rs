//! What listens: a closure or a value, with a name for the report.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::failure::{Failure, Reason};
use crate::foreign::dispose;
use crate::priority::Priority;

/// A listener as a value, which brings its own name and its own place in the order. Closures need none of this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a listener of messages `{M}` with outputs `{O}`",
    label = "not a listener of this channel",
    note = "a closure is subscribed with `subscribe(name, closure)`, not with `attach`",
    note = "a value needs `impl Listener<{M}, {O}>`, for the channel's own types of message and output"
)]
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

/// What a listening closure may return: an `anyhow::Result` of the topic's output, or nothing where there is no output.
///
/// An async closure returns a future, which nobody would run; [`from_async`](crate::from_async()) makes a listener of it:
///
/// ```compile_fail,E0277
/// let bus = sitebus_bus::Bus::new("site");
/// bus.on(sitebus_bus::START)?.subscribe("warm the cache", |_| async { Ok(()) });
/// # Ok::<(), anyhow::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a listener on a topic with output `{O}` cannot return `{Self}`",
    label = "this listener returns `{Self}`",
    note = "return `anyhow::Result<{O}>`; where the output is `()`, returning nothing will do as well",
    note = "an async function is made a listener by `from_async(spawn, function)`, where `spawn` hands its future to a runtime"
)]
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
