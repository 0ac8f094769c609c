//! Calling what others wrote, whatever it does.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls it. An error or a panic becomes the text that the log is told.
pub(crate) fn guarded(call: impl FnOnce() -> anyhow::Result<()>) -> Result<(), String> {
    // The text is made in here too: what an error says of itself is code of others.
    let called = catch_unwind(AssertUnwindSafe(|| call().map_err(|error| format!("failed: {error:#}"))));
    called.unwrap_or_else(|panic| Err(format!("panicked: {}", text_of(panic))))
}

fn text_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(other) => {
                // Its destructor may panic as well; what comes of that is of no interest to anyone.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(other)));
                "without a text".to_owned()
            }
        },
    }
}
