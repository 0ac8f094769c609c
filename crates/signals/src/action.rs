//! What a signal can be mapped to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a signal does.
///
/// Parses from the names that [`Display`](fmt::Display) writes: `exit 30s`, `drain`, `graceful`, `restart`,
/// `reopen-logs`, `scale-up`, `scale-down`, `publish`, `ignore`. Plain `exit` is `exit 30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Exit, by the ladder.
    Exit {
        /// How long after the first signal drains are cut short as if a second one had come. `None` leaves drains to the
        /// limits of the bus.
        patience: Option<Duration>,
    },
    /// Reload. Of `HUP` it means more: see [`Settings::reload_without_terminal`](crate::Settings::reload_without_terminal).
    Graceful,
    /// Exit, and be replaced by a new image.
    Restart,
    /// Publish `topics::REOPEN`.
    ReopenLogs,
    /// Publish `topics::SCALE` with this number.
    Scale(i32),
    /// Publish `topics::SIGNAL` with the number of the signal.
    Publish,
    /// Take the signal and do nothing. Unlike an ignored signal this is not inherited by children.
    Ignore,
}

/// There is no action of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signal cannot be mapped to {given:?}: {}", self.cure())]
#[non_exhaustive]
pub struct UnknownAction {
    /// What was asked for.
    pub given: String,
    /// The name that is most like it, if any is.
    pub nearest: Option<&'static str>,
}

const NAMES: &[(&str, Action)] = &[
    ("exit", Action::exit_within(Duration::from_secs(30))),
    ("drain", Action::drain()),
    ("graceful", Action::Graceful),
    ("restart", Action::Restart),
    ("reopen-logs", Action::ReopenLogs),
    ("scale-up", Action::Scale(1)),
    ("scale-down", Action::Scale(-1)),
    ("publish", Action::Publish),
    ("ignore", Action::Ignore),
];

impl Action {
    /// Exit; after `patience` drains are cut short.
    #[must_use]
    pub const fn exit_within(patience: Duration) -> Action {
        Action::Exit { patience: Some(patience) }
    }

    /// Exit, and leave drains to the limits of the bus.
    #[must_use]
    pub const fn drain() -> Action {
        Action::Exit { patience: None }
    }
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(given: &str) -> Result<Action, UnknownAction> {
        let name = given.trim();
        let seconds = name.strip_prefix("exit ").and_then(|rest| rest.trim().strip_suffix('s'));
        if let Some(seconds) = seconds.and_then(|seconds| seconds.parse().ok()) {
            return Ok(Action::exit_within(Duration::from_secs(seconds)));
        }
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, action)| *action);
        found.ok_or_else(|| UnknownAction { given: given.to_owned(), nearest: nearest(name) })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Action::Exit { patience: Some(patience) } = self {
            return write!(f, "exit {}s", patience.as_secs_f64());
        }
        match (self, NAMES.iter().find(|(_, action)| action == self)) {
            (_, Some((name, _))) => f.write_str(name),
            (Action::Scale(by), None) => write!(f, "scale by {by}"),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}

impl UnknownAction {
    fn cure(&self) -> String {
        if let Some(name) = self.nearest {
            return format!("did you mean \"{name}\"?");
        }
        let names: Vec<String> = NAMES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("it can be mapped to {}, or \"exit 10s\" for another time", names.join(", "))
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let known = NAMES.iter().map(|(known, _)| (strsim::damerau_levenshtein(known, name), *known));
    let (distance, known) = known.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance < name.len()).then_some(known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    #[test]
    fn every_name_is_read_back_as_it_is_written() {
        for (name, action) in NAMES {
            assert_eq!(name.parse::<Action>().unwrap(), *action);
            assert_eq!(action.to_string().parse::<Action>().unwrap(), *action, "{name}");
        }
        let exit = Action::exit_within(Duration::from_secs(7));
        assert_eq!("exit 7s".parse::<Action>().unwrap(), exit);
        assert_eq!(exit.to_string(), "exit 7s");
    }

    #[test]
    fn an_unknown_action_is_refused_with_the_nearest_one_or_with_all() {
        let error = |text: &str| text.parse::<Action>().unwrap_err().to_string();
        assert_eq!(
            error("gracefull"),
            "a signal cannot be mapped to \"gracefull\": did you mean \"graceful\"?"
        );
        assert!(error("reload").contains("\"exit\", \"drain\", \"graceful\""), "{}", error("reload"));
        assert!(error("").contains("\"exit\", \"drain\""));
        assert!("exit -1s".parse::<Action>().is_err());
    }
}
