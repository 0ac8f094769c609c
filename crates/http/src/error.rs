//! What can go wrong before the server runs.

use std::io;

use crate::SettingsError;
use sitebus_bus::TopicClash;

/// Why an HTTP server cannot be set up or started.
///
/// An address that cannot be used is a [`BindError`](crate::BindError) of the start instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The settings cannot work.
    #[error("the HTTP server {name:?} cannot be set up: {cause}")]
    Refused {
        /// Which server.
        name: String,
        /// What is wrong with them.
        cause: SettingsError,
    },
    /// The runtime for its handlers cannot be made.
    #[error(
        "the HTTP server {name:?} cannot start: making its threads: {cause}; allow the process more threads or open \
         files, or set fewer threads"
    )]
    NoRuntime {
        /// Which server.
        name: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Somebody uses the name of a topic with other types.
    #[error(transparent)]
    Clash(#[from] TopicClash),
}

impl HttpError {
    pub(crate) fn refused(name: &str, cause: SettingsError) -> HttpError {
        HttpError::Refused { name: name.to_owned(), cause }
    }

    pub(crate) fn no_runtime(name: &str, cause: io::Error) -> HttpError {
        HttpError::NoRuntime { name: name.to_owned(), cause }
    }
}
