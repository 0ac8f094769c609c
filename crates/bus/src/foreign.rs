//! Foreign code that has nobody to report to: wakers, destructors, the texts of errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
