//! A restart: the exit after which the process becomes a new image of itself.

use crate::core::Core;
use crate::exit::Exit;

/// Replaces the process; returns only if that failed.
pub(crate) type Restarter = Box<dyn FnOnce(&Exit) -> anyhow::Error + Send>;

impl Core {
    /// Performs the restart that `exit` asks for, on the calling thread. Without a restarter the caller performs it.
    pub(crate) fn perform_restart(&self, exit: Exit) -> Exit {
        let Some(restarter) = self.restarter.lock().take().filter(|_| exit.is_restart()) else { return exit };
        let error = restarter(&exit);
        Exit::restart_failed(format!("{error:#}"))
    }
}
