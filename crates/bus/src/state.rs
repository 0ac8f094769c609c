//! The five states of a process, and sets of them to wait for.

use std::fmt;

/// Where the process is in its life. These five are the promise: there will be no sixth.
///
/// ```text
///                 O
///                 │
///                 ▼
///   STOPPING ─▶ STOPPED ─▶ EXITING ─▶ X
///      ▲  ▲        │
///      │  └──────┐ │
///      │         │ ▼
///   STARTED ◀─ STARTING
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Nothing runs; the first state, and the one after every stop.
    Stopped,
    /// Start listeners run.
    Starting,
    /// Every start listener has succeeded.
    Started,
    /// Stop listeners run.
    Stopping,
    /// Exit listeners run, or have run: the last state.
    Exiting,
}

impl State {
    pub(crate) const ALL: [State; 5] =
        [State::Stopped, State::Starting, State::Started, State::Stopping, State::Exiting];
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Stopped => "STOPPED",
            State::Starting => "STARTING",
            State::Started => "STARTED",
            State::Stopping => "STOPPING",
            State::Exiting => "EXITING",
        })
    }
}

/// One or several states to wait for: `State::Started`, or `[State::Starting, State::Started]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct States(u8);

impl States {
    /// Whether `state` is one of them.
    #[must_use]
    pub fn contains(self, state: State) -> bool {
        self.0 & (1 << state as u8) != 0
    }
}

impl From<State> for States {
    fn from(state: State) -> States {
        States(1 << state as u8)
    }
}

impl<const N: usize> From<[State; N]> for States {
    fn from(states: [State; N]) -> States {
        states.into_iter().collect()
    }
}

impl From<&[State]> for States {
    fn from(states: &[State]) -> States {
        states.iter().copied().collect()
    }
}

impl FromIterator<State> for States {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> States {
        States(states.into_iter().fold(0, |bits, state| bits | 1 << state as u8))
    }
}

impl fmt::Display for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for state in State::ALL.into_iter().filter(|state| self.contains(*state)) {
            if !first {
                f.write_str(" or ")?;
            }
            first = false;
            write!(f, "{state}")?;
        }
        if first { f.write_str("no state at all") } else { Ok(()) }
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(State::ALL.into_iter().filter(|state| self.contains(*state))).finish()
    }
}
