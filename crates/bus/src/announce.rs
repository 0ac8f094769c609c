//! Telling the listeners of [`STATE`](crate::STATE), one by one between two steps of the lane.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::channel::exit_in;
use crate::core::Core;
use crate::failure::Failure;
use crate::foreign::{Foreign, quietly};
use crate::listener::guarded;
use crate::state::State;

impl Core {
    pub(crate) fn announce(&self, state: State, foreign: &mut Vec<Foreign>) {
        let listeners = self.channels.state.snapshot();
        let failed = Arc::new(AtomicBool::new(false));
        for (index, tag) in listeners.tags().iter().enumerate() {
            let Some(core) = self.me.upgrade() else { return };
            let (listeners, failed) = (Arc::clone(&listeners), Arc::clone(&failed));
            let tell = move || {
                let Err(reason) = guarded(|| listeners.hear(index, &state)) else { return };
                match exit_in(&reason) {
                    Some(exit) => {
                        quietly(|| drop(reason));
                        drop(core.ask_exit(exit.after_failures(failed.load(Ordering::Relaxed))));
                    }
                    None => {
                        failed.store(true, Ordering::Relaxed);
                        let name = &listeners.tags()[index].name;
                        core.log_failure(&reason.by(name, core.channels.state.name()));
                    }
                }
            };
            foreign.push(Foreign::Tell(Some(Arc::clone(&tag.name)), Box::new(tell)));
        }
    }

    /// Writes a failure to the log when the lane comes to it.
    pub(crate) fn report_later(&self, failure: Failure) -> Foreign {
        let core = self.me.clone();
        let report = move || core.upgrade().into_iter().for_each(|core| core.log_failure(&failure));
        Foreign::Tell(None, Box::new(report))
    }
}
