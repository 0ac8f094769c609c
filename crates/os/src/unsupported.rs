//! The answer to a question that only Linux can be asked.

use std::env::consts::OS;

/// This platform cannot do what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} needs Linux, and this is {}: run there, or leave it out", OS)]
pub struct Unsupported {
    what: &'static str,
}

impl Unsupported {
    /// What was asked for.
    #[must_use]
    pub fn what(self) -> &'static str {
        self.what
    }

    /// The gate of a room: one call per file, at its only entrance.
    pub(crate) fn unless_linux(what: &'static str) -> Result<(), Unsupported> {
        if cfg!(target_os = "linux") { Ok(()) } else { Err(Unsupported { what }) }
    }
}
