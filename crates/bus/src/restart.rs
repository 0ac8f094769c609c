//! What is left to do once the bus has exited: the adopted threads, and the restart after which the process becomes a new
//! image of itself.

use crate::core::Core;
use crate::exit::Exit;
use crate::failure::Reason;
use crate::foreign::quietly;
use crate::latch::Latch;
use crate::listener::guarded;
use crate::message::HandedOn;
use crate::sync::Mutex;

/// Replaces the process; returns only if that failed.
pub(crate) type Restarter = Box<dyn FnOnce(&Exit, HandedOn) -> anyhow::Error + Send>;

/// The last things, which are done once.
pub(crate) struct Conclusion {
    restarter: Mutex<Option<Restarter>>,
    /// The exit that all who block return, once the last things are done.
    exit: Latch<Exit>,
}

impl Conclusion {
    pub(crate) fn new() -> Conclusion {
        Conclusion { restarter: Mutex::new(None), exit: Latch::new() }
    }

    pub(crate) fn forget_restarter(&self) {
        let restarter = self.restarter.lock().take();
        quietly(|| drop(restarter));
    }
}

impl Core {
    /// Joins threads and performs the restart. Of several callers the first does so, and the others wait for it.
    pub(crate) fn conclude(&self, exit: Exit) -> Exit {
        if let Some(threads) = self.threads.begin_to_join() {
            self.join_threads(threads);
            let exit = self.perform_restart(exit);
            self.conclusion.exit.set(exit.clone());
            return exit;
        }
        if self.threads.must_not_wait() && self.conclusion.exit.get().is_none() {
            return exit;
        }
        let exit = self.conclusion.exit.wait(None).unwrap_or(exit);
        self.join_threads(self.threads.take_late());
        exit
    }

    pub(crate) fn restart_by(&self, restarter: Restarter) {
        let replaced = self.conclusion.restarter.lock().replace(restarter);
        self.forget_late();
        drop(replaced);
    }

    /// Performs the restart that `exit` asks for, on the calling thread. Without a restarter the caller performs it.
    fn perform_restart(&self, exit: Exit) -> Exit {
        let restarter = self.conclusion.restarter.lock().take();
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
