//! Foreign code that has nobody to report to: wakers, destructors, the texts of errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Foreign code that is to run once no lock is held.
pub(crate) enum Foreign {
    Wake(Waker),
    Forget(Box<dyn Send>),
}

impl Foreign {
    pub(crate) fn forget(garbage: impl Send + 'static) -> Foreign {
        Foreign::Forget(Box::new(garbage))
    }

    pub(crate) fn run(self) {
        quietly(|| match self {
            Foreign::Wake(waker) => waker.wake(),
            Foreign::Forget(garbage) => drop(garbage),
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
