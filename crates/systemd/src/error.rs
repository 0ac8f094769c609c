//! What can be wrong with what the service manager has left in the environment.

use std::ffi::OsString;
use std::io;

use sitebus_os::activation::ActivationError;
use sitebus_os::alone::AloneError;

/// Why what the service manager says cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// The variables can only be removed while nothing else runs.
    #[error(transparent)]
    Alone(#[from] AloneError),
    /// The sockets were not handed over as they should be.
    #[error("taking over the sockets of the service manager: {0}")]
    Activation(ActivationError),
    /// A descriptor is no socket that a server could use.
    #[error(
        "what the service manager hands over as {name:?} cannot be listened to: {cause}; write `ListenStream=` and \
         `Accept=no` in the socket unit"
    )]
    NotAListener {
        /// What the manager calls it.
        name: String,
        /// What is wrong.
        cause: io::Error,
    },
    /// The time of the watchdog is none.
    #[error(
        "WATCHDOG_USEC={value:?} is no number of microseconds; unset it, or write `WatchdogSec=` in the unit"
    )]
    Watchdog {
        /// What was found.
        value: OsString,
    },
}

impl From<ActivationError> for EnvironmentError {
    fn from(error: ActivationError) -> EnvironmentError {
        match error {
            ActivationError::Alone(error) => EnvironmentError::Alone(error),
            error => EnvironmentError::Activation(error),
        }
    }
}
