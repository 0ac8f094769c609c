//! What a signal can be mapped to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sitebus_os::names::nearest;

/// What a signal does.
///
/// Parses from the names that [`Display`](fmt::Display) writes: `exit 30s`, `drain`, `graceful`, `restart`,
/// `reopen-logs`, `scale-up`, `scale-down`, `scale by 3`, `publish`, `ignore`. Plain `exit` is `exit 30s`; other times are
/// written such as `exit 1.5s`, `exit 500ms` or `exit 1m30s`, with the units `ms`, `s`, `m`, `h` and `d`.
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
#[error("{}: {}", self.what(), self.cure())]
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
        if let Some(patience) = name.strip_prefix("exit ").and_then(period) {
            return Ok(Action::exit_within(patience));
        }
        if let Some(Ok(by)) = name.strip_prefix("scale by ").map(|by| by.trim().parse()) {
            return Ok(Action::Scale(by));
        }
        let found = NAMES.iter().find(|(known, _)| *known == name).map(|(_, action)| *action);
        found.ok_or_else(|| UnknownAction {
            given: given.to_owned(),
            nearest: nearest(name, NAMES.iter().map(|(known, _)| *known)),
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Action::Exit { patience: Some(patience) } = self {
            let (seconds, nanoseconds) = (patience.as_secs(), format!("{:09}", patience.subsec_nanos()));
            let fraction = nanoseconds.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            return write!(f, "exit {seconds}{point}{fraction}s");
        }
        match (self, NAMES.iter().find(|(_, action)| action == self)) {
            (_, Some((name, _))) => f.write_str(name),
            (Action::Scale(by), None) => write!(f, "scale by {by}"),
            (other, None) => write!(f, "{other:?}"),
        }
    }
}

/// `1.5s`, `500ms`, `1m30s`, to the nanosecond: what is displayed must come back as it was, so no floating point.
fn period(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut whole = Duration::ZERO;
    loop {
        let (number, after) = rest.split_at(rest.find(|c: char| c != '.' && !c.is_ascii_digit())?);
        let after = after.trim_start();
        let (unit, after) =
            after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        whole = whole.checked_add(part(number, unit)?)?;
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(whole);
        }
    }
}

fn part(number: &str, unit: &str) -> Option<Duration> {
    const SECOND: u128 = 1_000_000_000;
    let unit = match unit {
        "ms" => SECOND / 1000,
        "s" => SECOND,
        "m" | "min" => 60 * SECOND,
        "h" => 60 * 60 * SECOND,
        "d" => 24 * 60 * 60 * SECOND,
        _ => return None,
    };
    let (units, fraction) = match number.split_once('.') {
        Some((units, fraction)) if fraction.len() <= 9 => (units, format!("{fraction:0<9}")),
        Some(_) => return None,
        None => (number, "0".to_owned()),
    };
    let (units, fraction) = (units.parse::<u64>().ok()?, fraction.parse::<u64>().ok()?);
    let nanoseconds = u128::from(units) * unit + u128::from(fraction) * unit / SECOND;
    let seconds = u64::try_from(nanoseconds / SECOND).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanoseconds % SECOND).ok()?))
}

impl UnknownAction {
    /// What is wrong, without the cure.
    #[must_use]
    pub fn what(&self) -> String {
        format!("a signal cannot be mapped to {:?}", self.given)
    }

    /// What to write instead.
    #[must_use]
    pub fn cure(&self) -> String {
        if let Some(name) = self.nearest {
            return format!("did you mean \"{name}\"?");
        }
        let names: Vec<String> = NAMES.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("it can be mapped to {}, or \"exit 10s\" for another time", names.join(", "))
    }
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
    fn whatever_is_displayed_comes_back_as_it_was() {
        let seconds = [0, 1, 30, 59, 60, 86_400, 1 << 53, u64::MAX];
        let nanoseconds = [0, 1, 10, 1000, 1_000_000, 100_000_000, 123_456_789, 500_000_000, 999_999_999];
        let exits = seconds
            .into_iter()
            .flat_map(|seconds| nanoseconds.map(|nanoseconds| Duration::new(seconds, nanoseconds)))
            .map(Action::exit_within);
        // Numbers that look random, of all sizes.
        let random = std::iter::successors(Some(1_u64), |n| {
            Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        });
        let random = random.take(2000).flat_map(|n| {
            let duration = Duration::new(n >> (n % 64), (n >> 32) as u32 % 1_000_000_000);
            [Action::exit_within(duration), Action::Scale((n >> 32) as i32 >> (n % 32))]
        });
        let scales = [i32::MIN, -2, -1, 0, 1, 2, i32::MAX].map(Action::Scale);
        for action in exits.chain(random).chain(scales) {
            assert_eq!(action.to_string().parse::<Action>().unwrap(), action, "{action}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("exit 1.5s", 1500),
            ("exit 500ms", 500),
            ("exit 1m30s", 90_000),
            ("exit 1m 30s", 90_000),
            ("exit  0.25h", 900_000),
            ("exit 2d", 2 * 86_400_000),
        ] {
            let exit = Action::exit_within(Duration::from_millis(milliseconds));
            assert_eq!(text.parse::<Action>().unwrap(), exit, "{text}");
        }
        for wrong in [
            "exit s",
            "exit .s",
            "exit 5",
            "exit 5x",
            "exit 1.2.3s",
            "exit 1.0000000001s",
            "exit 99999999999999999999s",
            "exit 18446744073709551615d",
            "exit 18446744073709551615s1s",
            "exit 1é",
            "scale by ",
            "scale by 2147483648",
        ] {
            assert!(wrong.parse::<Action>().is_err(), "{wrong}");
        }
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
