//! What is left to do once the bus has exited: the adopted threads, and the restart after which the process becomes a new
//! image of itself.

use crate::core::Core;
use crate::exit::Exit;
use crate::failure::Reason;
use crate::foreign::quietly;
use crate::listener::guarded;
use crate::message::HandedOn;

/// Replaces the process; returns only if that failed.
pub(crate) type Restarter = Box<dyn FnOnce(&Exit, HandedOn) -> anyhow::Error + Send>;

impl Core {
    /// Joins threads and performs the restart. Of several callers the first does so, and the others wait for it.
    pub(crate) fn conclude(&self, exit: Exit) -> Exit {
        if let Some(threads) = self.threads.begin_to_join(&self.concluding) {
            self.join_threads(threads);
            let exit = self.perform_restart(exit);
            self.concluded.set(exit.clone());
            return exit;
        }
        if self.threads.must_not_wait() && self.concluded.get().is_none() {
            return exit;
        }
        let exit = self.concluded.wait(None).unwrap_or(exit);
        self.join_threads(self.threads.take_late());
        exit
    }

    /// Performs the restart that `exit` asks for, on the calling thread. Without a restarter the caller performs it.
    fn perform_restart(&self, exit: Exit) -> Exit {
        let restarter = self.restarter.lock().take();
        let handed_on = std::mem::take(&mut self.lock().handed_on);
        let Some(restarter) = restarter else {
            quietly(|| drop(handed_on));
            return exit;
        };
        if !exit.is_restart() {
            quietly(|| drop(restarter));
            quietly(|| drop(handed_on));
            return exit;
        }
        match guarded(|| Ok(format!("{:#}", restarter(&exit, handed_on)))) {
            Ok(why) => Exit::restart_failed(why),
            Err(Reason::Panicked(text)) => Exit::restart_failed(format!("the restarter panicked: {text}")),
            Err(reason) => Exit::restart_failed(format!("{reason:?}")),
        }
    }
}
