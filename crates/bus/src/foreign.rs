//! Foreign code between two steps of the lane: wakers, destructors, the texts of errors, listeners of a change of state.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

/// Foreign code that is to run once no lock is held.
pub(crate) enum Foreign {
    Wake(Waker),
    Forget(Box<dyn Send>),
    /// A listener that is told of something; without a name, the bus itself that has a line for the log.
    Tell(Option<Arc<str>>, Box<dyn FnOnce() + Send>),
}

impl Foreign {
    pub(crate) fn forget(garbage: impl Send + 'static) -> Foreign {
        Foreign::Forget(Box::new(garbage))
    }

    /// Who runs here, if it has a name.
    pub(crate) fn listener(&self) -> Option<Arc<str>> {
        match self {
            Foreign::Tell(listener, _) => listener.clone(),
            Foreign::Wake(_) | Foreign::Forget(_) => None,
        }
    }

    pub(crate) fn run(self) {
        quietly(|| match self {
            Foreign::Wake(waker) => waker.wake(),
            Foreign::Forget(garbage) => drop(garbage),
            Foreign::Tell(_, tell) => tell(),
        });
    }
}

/// Runs it; nothing if it panicked, which the panic hook has reported by then.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => Some(result),
        Err(panic) => {
            dispose(panic);
            None
        }
    }
}

/// Drops what was thrown. Its destructor may panic in turn; what that one throws is never dropped.
pub(crate) fn dispose(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        Box::leak(again);
    }
}
