//! Why the signals were not taken.

use std::io;

use sitebus_os::interrupt::InterruptError;
use sitebus_os::signal::CatchError;

/// Why the signals were not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalsError {
    /// One of them cannot be had; another bus in this process may have it.
    #[error("bus {bus} cannot take signals: {cause}")]
    Catch {
        /// The bus that they were for.
        bus: String,
        /// What was in the way.
        cause: CatchError,
    },
    /// Ctrl-C cannot be had.
    #[error("bus {bus} cannot take signals: {cause}")]
    Interrupt {
        /// The bus that it was for.
        bus: String,
        /// What was in the way.
        cause: InterruptError,
    },
    /// There is no thread to read them.
    #[error("bus {bus} cannot take signals: making a thread to read them failed: {cause}")]
    NoThread {
        /// The bus that it was for.
        bus: String,
        /// What the system says.
        cause: io::Error,
    },
}
