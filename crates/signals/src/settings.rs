//! Which signal does what.

use std::collections::BTreeMap;
use std::time::Duration;

use sitebus_os::signal::{Refused, Signal, UnknownSignal};

use crate::action::{Action, UnknownAction};

/// Which signals are taken, and what each of them does. [`default`](Settings::default) is the table in the crate's
/// documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    actions: BTreeMap<Signal, Action>,
    exit_with_terminal: bool,
    process_ends: bool,
    burst: Duration,
}

/// A mapping by name that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// There is no such signal.
    #[error(transparent)]
    Signal(#[from] UnknownSignal),
    /// There is no such action.
    #[error("{signal}: {cause}")]
    Action {
        /// The signal that was to be mapped.
        signal: Signal,
        /// What was wrong.
        cause: UnknownAction,
    },
    /// This signal cannot be taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}

const DEFAULTS: [(Signal, Action); 8] = [
    (Signal::INT, Action::exit_within(Duration::from_secs(10))),
    (Signal::TERM, Action::exit_within(Duration::from_secs(30))),
    (Signal::QUIT, Action::drain()),
    (Signal::HUP, Action::Graceful),
    (Signal::USR1, Action::ReopenLogs),
    (Signal::USR2, Action::Restart),
    (Signal::TTIN, Action::Scale(1)),
    (Signal::TTOU, Action::Scale(-1)),
];

impl Default for Settings {
    fn default() -> Settings {
        Settings { actions: BTreeMap::from(DEFAULTS), ..Settings::none() }
    }
}

impl Settings {
    /// No signal at all, to begin with.
    #[must_use]
    pub fn none() -> Settings {
        Settings {
            actions: BTreeMap::new(),
            exit_with_terminal: true,
            process_ends: false,
            burst: Duration::from_millis(200),
        }
    }

    /// For a process that ends with its bus: once that has exited, the signals that do not ask for an exit are ignored. Given
    /// back, as all others are, one that comes in the last moment would end the process, or stop it, and what it was asked
    /// for before would not be what its status says.
    #[must_use]
    pub fn process_ends(mut self) -> Settings {
        self.process_ends = true;
        self
    }

    /// Whether this signal has nobody to hear it any more when the bus has exited.
    pub(crate) fn is_over(&self, signal: Signal) -> bool {
        self.process_ends && self.action(signal).is_some_and(|action| !matches!(action, Action::Exit { .. }))
    }

    /// Maps a signal, whatever it was mapped to before.
    ///
    /// # Errors
    /// [`Refused`] for one that no process can take.
    pub fn on(mut self, signal: Signal, action: Action) -> Result<Settings, Refused> {
        if signal != Signal::INT {
            signal.catchable()?; // INT has a handler of its own, which the plugin takes
        }
        self.actions.insert(signal, action);
        Ok(self)
    }

    /// The same by name, as in a site file: `settings.map("HUP", "restart")`.
    ///
    /// # Errors
    /// [`SettingsError`] names what is not known, and what is most like it.
    pub fn map(self, signal: &str, action: &str) -> Result<Settings, SettingsError> {
        let signal: Signal = signal.parse()?;
        let action = action.parse().map_err(|cause| SettingsError::Action { signal, cause })?;
        Ok(self.on(signal, action)?)
    }

    /// Leaves a signal alone: it does what it does without this plugin.
    #[must_use]
    pub fn leave(mut self, signal: Signal) -> Settings {
        self.actions.remove(&signal);
        self
    }

    /// Has `HUP` reload even if the terminal that the process belongs to is gone, where otherwise it exits.
    #[must_use]
    pub fn reload_without_terminal(mut self) -> Settings {
        self.exit_with_terminal = false;
        self
    }

    /// Within this time of the one that counted last, signals that ask for an exit count as one: 200 ms.
    #[must_use]
    pub fn burst(mut self, burst: Duration) -> Settings {
        self.burst = burst;
        self
    }

    /// What a signal is mapped to.
    #[must_use]
    pub fn action(&self, signal: Signal) -> Option<Action> {
        self.actions.get(&signal).copied()
    }

    /// All mapped signals.
    pub fn actions(&self) -> impl Iterator<Item = (Signal, Action)> + '_ {
        self.actions.iter().map(|(signal, action)| (*signal, *action))
    }

    pub(crate) fn burst_time(&self) -> Duration {
        self.burst
    }

    pub(crate) fn asks_the_terminal(&self) -> bool {
        self.exit_with_terminal && self.action(Signal::HUP) == Some(Action::Graceful)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    #[test]
    fn aliases_of_one_signal_are_one_mapping() {
        let settings = Settings::none().map("IOT", "publish").unwrap().map("SIGABRT", "ignore").unwrap();
        assert!(settings.actions().eq([("ABRT".parse().unwrap(), Action::Ignore)]));
    }

    #[test]
    fn every_default_can_be_remapped_and_left() {
        for (signal, action) in DEFAULTS {
            let settings = Settings::default();
            assert_eq!(settings.action(signal), Some(action));
            let settings = settings.map(&signal.name(), "ignore").unwrap();
            assert_eq!(settings.action(signal), Some(Action::Ignore));
            assert_eq!(settings.leave(signal).action(signal), None);
        }
    }

    #[test]
    fn what_is_unknown_is_refused_by_name() {
        let refused = |signal, action| Settings::default().map(signal, action).unwrap_err().to_string();
        assert_eq!(refused("TREM", "exit"), "there is no signal \"TREM\" on this system: did you mean TERM?");
        assert_eq!(
            refused("HUP", "restrat"),
            "SIGHUP: a signal cannot be mapped to \"restrat\": did you mean \"restart\"?"
        );
        assert!(refused("KILL", "exit").starts_with("SIGKILL cannot be caught"));
        let error = Settings::default().map("HUP", "restrat").unwrap_err();
        assert!(std::error::Error::source(&error).is_none(), "the message has said the cause already");
        assert!(Settings::none().map("INT", "exit").is_ok());
    }

    #[test]
    fn the_terminal_is_asked_only_if_hup_would_reload() {
        assert!(Settings::default().asks_the_terminal());
        assert!(!Settings::default().reload_without_terminal().asks_the_terminal());
        assert!(!Settings::default().map("HUP", "restart").unwrap().asks_the_terminal());
        assert!(!Settings::none().asks_the_terminal());
    }
}
