//! Waiting for a state.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::core::{Core, Wake};
use crate::exit::Exit;
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
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitError::TimedOut { states, waited } => write!(f, "the bus was not {states} within {waited:?}"),
            WaitError::Exited { states, exit } => write!(f, "the bus will never be {states} again: {exit}"),
        }
    }
}

impl std::error::Error for WaitError {}

/// Those who wait for a state. Each is answered at the moment of the change, so even a state that lasts for no time at
/// all is never missed.
#[derive(Default)]
pub(crate) struct Waiters {
    waiting: Vec<(States, Latch<Result<State, WaitError>>)>,
}

impl Waiters {
    pub(crate) fn entered(&mut self, state: State, wakes: &mut Vec<Wake>) {
        let woken = self.waiting.extract_if(.., |(states, _)| states.contains(state));
        wakes.extend(woken.map(|(_, latch)| Wake::Waiter(latch, Ok(state))));
    }

    pub(crate) fn exited(&mut self, exit: &Exit, wakes: &mut Vec<Wake>) {
        wakes.extend(self.waiting.drain(..).map(|(states, latch)| {
            Wake::Waiter(latch, Err(WaitError::Exited { states, exit: exit.clone() }))
        }));
    }

    fn leave(&mut self, leaving: &Latch<Result<State, WaitError>>) {
        self.waiting.retain(|(_, latch)| !latch.is(leaving));
    }
}

impl Core {
    /// A latch for the first of these states that the bus is in or enters.
    fn watch(&self, states: States) -> Latch<Result<State, WaitError>> {
        let latch = Latch::new();
        let mut shared = self.lock();
        let state = shared.machine.state();
        let exit = shared.ended.then(|| shared.machine.exit().cloned()).flatten();
        let known = match exit {
            _ if states.contains(state) => Some(Ok(state)),
            Some(exit) => Some(Err(WaitError::Exited { states, exit })),
            None => None,
        };
        match known {
            None => shared.waiters.waiting.push((states, latch.clone())),
            Some(answer) => {
                drop(shared);
                latch.set(answer);
            }
        }
        latch
    }

    pub(crate) fn wait(&self, states: States, patience: Option<Duration>) -> Result<State, WaitError> {
        let latch = self.watch(states);
        // A patience beyond what the clock can count is endless.
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let answer = latch.wait(until);
        answer.unwrap_or_else(|| {
            self.lock().waiters.leave(&latch);
            Err(WaitError::TimedOut { states, waited: patience.unwrap_or_default() })
        })
    }

    pub(crate) fn when(self: &Arc<Core>, states: States) -> When {
        let latch = self.watch(states);
        When { core: Arc::clone(self), future: latch.when(), latch }
    }
}

/// Resolves when the bus enters one of the states. Belongs to no runtime; dropping it ends the wait.
#[must_use = "a future does nothing until it is polled"]
pub struct When {
    core: Arc<Core>,
    latch: Latch<Result<State, WaitError>>,
    future: LatchFuture<Result<State, WaitError>>,
}

impl Future for When {
    type Output = Result<State, WaitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.future).poll(context)
    }
}

impl Drop for When {
    fn drop(&mut self) {
        self.core.lock().waiters.leave(&self.latch);
    }
}
