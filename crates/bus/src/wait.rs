//! Waiting for a state.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::core::Core;
use crate::exit::Exit;
use crate::foreign::Foreign;
use crate::latch::{Latch, LatchFuture};
use crate::state::{State, States};

/// Why a wait ended without the state that it was for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The time that the caller gave was over.
    TimedOut {
        /// The states that were waited for.
        states: States,
        /// How long.
        waited: Duration,
    },
    /// The bus has exited, so the state will not come any more.
    Exited {
        /// The states that were waited for.
        states: States,
        /// The exit.
        exit: Exit,
    },
    /// It was to wait inside a listener that the bus is waiting for, so the state could not come. The cure is to ask for
    /// what is wanted and return, or to have another thread or a task wait, with [`Handle::when`](crate::Handle::when).
    Inside {
        /// The states that were to be waited for.
        states: States,
        /// The listener.
        listener: Arc<str>,
    },
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::TimedOut { states, waited } => write!(f, "the bus was not {states} within {waited:?}"),
            WaitError::Exited { states, exit } => write!(f, "the bus will never be {states} again: {exit}"),
            WaitError::Inside { states, listener } => write!(
                f,
                "the bus cannot become {states} inside '{listener}', since it waits for '{listener}' to return; ask for what \
                 is wanted and return, or have another thread or a task wait, with when()"
            ),
        }
    }
}

impl std::error::Error for WaitError {}

/// Those who wait for a state. Each is answered at the moment of the change, so even a state that lasts for no time at
/// all is never missed.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: BTreeMap<WaiterId, (States, Latch<Result<State, WaitError>>)>,
    next: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct WaiterId(u64);

impl Waiters {
    pub(crate) fn entered(&mut self, state: State, foreign: &mut Vec<Foreign>) {
        let woken = self.waiting.extract_if(.., |_, (states, _)| states.contains(state));
        foreign.extend(woken.flat_map(|(_, (_, latch))| latch.put(Ok(state))));
    }

    pub(crate) fn exited(&mut self, exit: &Exit, foreign: &mut Vec<Foreign>) {
        let waiting = std::mem::take(&mut self.waiting).into_values();
        foreign
            .extend(waiting.flat_map(|(states, latch)| {
                latch.put(Err(WaitError::Exited { states, exit: exit.clone() }))
            }));
    }

    fn join(&mut self, states: States, latch: Latch<Result<State, WaitError>>) -> WaiterId {
        let id = WaiterId(self.next);
        self.next += 1;
        self.waiting.insert(id, (states, latch));
        id
    }
}

/// One who waits; leaves the list when it is dropped.
struct Waiter {
    core: Arc<Core>,
    latch: Latch<Result<State, WaitError>>,
    /// Nothing if the answer was there at once.
    id: Option<WaiterId>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Whoever was answered is off the list already. To make sure would cost a second sleep: the lock is most in demand
        // right after a change of state.
        if let Some(id) = self.id.filter(|_| self.latch.get().is_none()) {
            let left = self.core.lock().waiters.waiting.remove(&id);
            drop(left);
        }
    }
}

impl Core {
    /// Waits for the first of these states that the bus is in or enters.
    fn watch(self: &Arc<Core>, states: States) -> Waiter {
        let latch = Latch::new();
        let mut shared = self.lock();
        let state = shared.machine.state();
        let exit = shared.ended.then(|| shared.machine.exit().cloned()).flatten();
        let known = match exit {
            _ if states.contains(state) => Some(Ok(state)),
            Some(exit) => Some(Err(WaitError::Exited { states, exit })),
            None => None,
        };
        let id = match known {
            None => Some(shared.waiters.join(states, latch.clone())),
            Some(answer) => {
                latch.set(answer);
                None
            }
        };
        drop(shared);
        Waiter { core: Arc::clone(self), latch, id }
    }

    pub(crate) fn wait(
        self: &Arc<Core>,
        states: States,
        patience: Option<Duration>,
    ) -> Result<State, WaitError> {
        let waiter = self.watch(states);
        if waiter.id.is_some()
            && patience != Some(Duration::ZERO)
            && let Some(listener) = self.caught()
        {
            return Err(WaitError::Inside { states, listener });
        }
        // A patience beyond what the clock can count is endless.
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let answer = waiter.latch.wait(until);
        answer.unwrap_or_else(|| Err(WaitError::TimedOut { states, waited: patience.unwrap_or_default() }))
    }

    pub(crate) fn when(self: &Arc<Core>, states: States) -> When {
        let waiter = self.watch(states);
        When { future: waiter.latch.when(), waiter }
    }
}

/// Resolves when the bus enters one of the states. Belongs to no runtime; dropping it ends the wait.
#[must_use = "a future does nothing until it is polled"]
pub struct When {
    future: LatchFuture<Result<State, WaitError>>,
    waiter: Waiter,
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("When").field(&self.waiter.latch.get()).finish()
    }
}

impl Future for When {
    type Output = Result<State, WaitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.future).poll(context)
    }
}
