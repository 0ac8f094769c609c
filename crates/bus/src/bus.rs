//! The owner of a bus.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::core::Core;
use crate::exit::Exit;
use crate::handle::Handle;
use crate::limits::Limits;
use crate::machine::Ask;
use crate::message::{Level, SettingsMap};

/// A bus, and the owner of its life. There is one owner; everybody else holds a [`Handle`], whose methods it has too.
///
/// Several buses may live in one process; none is global. Dropping it before it has exited warns, exits, waits for that
/// within its deadlines, and forgets all listeners. One that was never asked for anything exits without a warning, and one
/// that is dropped by its own listener exits after that.
pub struct Bus {
    handle: Handle,
}

impl Bus {
    /// A bus with the default [`Limits`]. It makes no thread until it is first asked for something.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Bus {
        Bus::builder(name).build()
    }

    /// A bus with limits of its own.
    pub fn builder(name: impl Into<Arc<str>>) -> Builder {
        Builder { name: name.into(), limits: Limits::default(), clock: Arc::new(SystemClock) }
    }

    /// A handle for somebody else.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the bus has exited, joins the threads that it was told of, and performs a restart if that was asked for.
    /// It only waits: the listeners run elsewhere, so it may be called on any thread, by several, before or after the end.
    /// Of several, the first does what remains to be done, and all return the same.
    ///
    /// Called inside a listener that the bus is waiting for, it would wait for ever: there it returns a failure at once,
    /// which names the listener.
    pub fn block(&self) -> Exit {
        let core = &self.handle.core;
        if let Some(listener) = core.caught() {
            let what = format!(
                "block() was called inside '{listener}', which the bus is waiting for; call it on a thread of the program, \
                 or ask with ask_exit() and return"
            );
            core.log(Level::Error, what.clone());
            return Exit::failure(what);
        }
        // Never empty: there is no deadline, and the latch is set by every exit.
        let exit = core.exited.wait(None).unwrap_or_else(Exit::dropped);
        core.dismiss_crew();
        core.conclude(exit)
    }
}

impl Deref for Bus {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let core = &self.handle.core;
        let inside = core.is_inside();
        let mut shared = core.lock();
        let (used, ended) = (shared.crew.is_some(), shared.ended);
        shared.orphaned = inside;
        drop(shared);
        if used && !ended {
            let state = self.state();
            core.log_in_time(
                Level::Warn,
                format!(
                    "the bus was dropped in {state}, before it had exited: it exits now; call block() first"
                ),
            );
        }
        if !ended {
            // A bus that nobody used exits too: somebody may wait for it, or have something to give back. Every transition has
            // its deadlines, so the wait ends; on the lane it is none, and the lane does the rest.
            let _ = core.ask(Ask::Exit { exit: Exit::dropped(), inside: true }, SettingsMap::new()).wait();
        }
        if !inside {
            core.dismiss_crew();
        }
        if ended || !inside {
            core.forget_all();
        }
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("name", &self.name()).field("state", &self.state()).finish()
    }
}

/// Makes a [`Bus`].
#[must_use = "a builder does nothing until build() is called"]
pub struct Builder {
    name: Arc<str>,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Builder {
    /// How long listeners may take, in place of the defaults.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.limits = limits;
        self
    }

    /// The clock that deadlines are measured by, in place of the system's: for tests. What a caller waits for with a patience
    /// of its own goes by the system's clock all the same.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Builder {
        self.clock = clock;
        self
    }

    /// Makes the bus, STOPPED and without a thread.
    #[must_use]
    pub fn build(self) -> Bus {
        Bus { handle: Handle { core: Core::new(self.name, self.limits, self.clock) } }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
