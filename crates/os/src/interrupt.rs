//! Ctrl-C: `SIGINT`, through `ctrlc`.
//!
//! `ctrlc` is the handler that other libraries expect to meet, and it allows one per process, for ever. So it is installed
//! once, here, and calls whoever holds the [`Interrupt`] at that time. What `ctrlc` cannot do is done around it: the
//! action that was in force comes back when the holder goes, an ignored `SIGINT` stays ignored, and a panic in the
//! callback does not make the process deaf.

use crate::signal::{Disposition, Signal};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Callback = Arc<dyn Fn() + Send + Sync>;

/// Ctrl-C is this value's, for as long as it lives.
#[derive(Debug)]
pub struct Interrupt {
    released: bool,
}

/// Why Ctrl-C was not taken. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterruptError {
    /// Whoever started this process had it ignored (nohup(1), a background job), and so it stays.
    #[error("SIGINT was ignored when this process was started, and stays ignored")]
    Ignored,
    /// Another one in this process has it.
    #[error(
        "SIGINT is already caught in this process by {by}: let that one go first, or leave this signal out"
    )]
    Held {
        /// The name that its holder gave.
        by: String,
    },
    /// Somebody else in this process has a handler for it.
    #[error(
        "SIGINT has a handler already that somebody else in this process installed: remove that one first, or leave \
         this signal out"
    )]
    Foreign,
    /// The system refuses.
    #[error("catching SIGINT failed: {0}")]
    Os(io::Error),
}

struct State {
    /// The action that ctrlc installed, once it has.
    ctrlc: Option<Disposition>,
    holder: Option<Holder>,
}

struct Holder {
    name: String,
    callback: Callback,
    before: Disposition,
}

static STATE: Mutex<State> = Mutex::new(State { ctrlc: None, holder: None });

impl Interrupt {
    /// Calls `callback` on each Ctrl-C, on a thread named `ctrl-c`, never two at once. `holder` names who takes it, for a
    /// second one that wants it too.
    ///
    /// A callback that blocks delays the next Ctrl-C; one that panics does not.
    ///
    /// # Errors
    /// [`InterruptError`] says who has it.
    pub fn take(
        holder: &str,
        callback: impl Fn() + Send + Sync + 'static,
    ) -> Result<Interrupt, InterruptError> {
        let mut state = lock();
        if let Some(Holder { name, .. }) = &state.holder {
            return Err(InterruptError::Held { by: name.clone() });
        }
        let before = Disposition::of(Signal::INT).map_err(InterruptError::Os)?;
        if before.is_ignored() {
            return Err(InterruptError::Ignored);
        }
        if !before.is_default() {
            return Err(InterruptError::Foreign);
        }
        // Before the handler, so that not even the first Ctrl-C finds nobody. It waits for the lock that we hold.
        state.holder = Some(Holder { name: holder.to_owned(), callback: Arc::new(callback), before });
        match install(&mut state, &before) {
            Ok(()) => Ok(Interrupt { released: false }),
            Err(error) => {
                let holder = state.holder.take();
                // A callback's destructor is anybody's code: it must not run while we hold the lock.
                drop(state);
                drop(holder);
                Err(error)
            }
        }
    }

    /// Gives Ctrl-C back. False if somebody else has replaced our handler meanwhile: theirs is left as it is.
    #[must_use = "it says whether somebody else's handler was left alone"]
    pub fn release(mut self) -> bool {
        self.released = true;
        give_back()
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // Once given back it may be another one's already.
        if !self.released {
            give_back();
        }
    }
}

fn install(state: &mut State, before: &Disposition) -> Result<(), InterruptError> {
    if let Some(ctrlc) = &state.ctrlc {
        ctrlc.put(Signal::INT).map_err(InterruptError::Os)?;
        return Ok(());
    }
    match ctrlc::try_set_handler(call_the_holder) {
        Ok(()) => {
            state.ctrlc = Some(Disposition::of(Signal::INT).map_err(InterruptError::Os)?);
            Ok(())
        }
        // The program uses ctrlc itself: its handler may be off at the moment, but only it can ever be called.
        Err(ctrlc::Error::MultipleHandlers) => Err(InterruptError::Foreign),
        Err(error) => {
            // The handler may be there although its thread is not.
            let _ = before.put(Signal::INT);
            Err(InterruptError::Os(match error {
                ctrlc::Error::System(cause) => cause, // its own message keeps this to itself
                error => io::Error::other(error),
            }))
        }
    }
}

fn call_the_holder() {
    let callback = lock().holder.as_ref().map(|holder| holder.callback.clone());
    if let Some(callback) = callback {
        // The panic has been reported by the hook; here it must not end the only thread that hears Ctrl-C. If the holder
        // went meanwhile this is the last clone, and its destructor may panic too: apart, since two at once would abort.
        let _ = catch_unwind(AssertUnwindSafe(|| callback()));
        let _ = catch_unwind(AssertUnwindSafe(move || drop(callback)));
    }
}

fn give_back() -> bool {
    let mut state = lock();
    let Some(holder) = state.holder.take() else { return true };
    let now = Disposition::of(Signal::INT);
    let is_ours = match (&now, &state.ctrlc) {
        (Ok(now), Some(ctrlc)) => now.same_handler(ctrlc),
        _ => true,
    };
    if is_ours {
        let _ = holder.before.put(Signal::INT);
    }
    // As above: the callback goes after the lock.
    drop(state);
    drop(holder);
    is_ours
}

fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
