//! What a running site can be asked for.

use std::fmt;
use std::str::FromStr;

use sitebus_os::names::nearest;

/// A command of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Whether somebody is there.
    Ping,
    /// How the site is.
    Status,
    /// Exit.
    Stop,
    /// Take up new settings.
    Reload,
    /// Exit, and be replaced by a new image.
    Restart,
    /// Open log files again.
    Reopen,
    /// How long each listener took, slowest first.
    Timings,
    /// Every channel with its listeners, for tools.
    Channels,
}

/// There is no command of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no command {given:?}: {}", self.cure())]
#[non_exhaustive]
pub struct UnknownCommand {
    /// What was asked for.
    pub given: String,
    /// The name that is most like it, if any is.
    pub nearest: Option<&'static str>,
}

/// No name is longer; what is, is not quoted whole.
const LONGEST: usize = 64;

impl Command {
    /// All of them.
    pub const ALL: [Command; 8] = [
        Command::Ping,
        Command::Status,
        Command::Stop,
        Command::Reload,
        Command::Restart,
        Command::Reopen,
        Command::Timings,
        Command::Channels,
    ];

    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Command::Ping => "ping",
            Command::Status => "status",
            Command::Stop => "stop",
            Command::Reload => "reload",
            Command::Restart => "restart",
            Command::Reopen => "reopen",
            Command::Timings => "timings",
            Command::Channels => "channels",
        }
    }

    /// Whether it changes anything; otherwise it only looks.
    #[must_use]
    pub fn acts(self) -> bool {
        matches!(self, Command::Stop | Command::Reload | Command::Restart | Command::Reopen)
    }
}

impl FromStr for Command {
    type Err = UnknownCommand;

    fn from_str(given: &str) -> Result<Command, UnknownCommand> {
        Command::ALL.into_iter().find(|command| command.name() == given).ok_or_else(|| UnknownCommand {
            given: given.chars().take(LONGEST).collect(),
            nearest: nearest(given, Command::ALL.iter().map(|command| command.name())),
        })
    }
}

impl UnknownCommand {
    fn cure(&self) -> String {
        match self.nearest {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => {
                let names: Vec<_> = Command::ALL.iter().map(|command| command.name()).collect();
                format!("there are {}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A command, and whether its outcome is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// Whether the answer is the outcome; otherwise it is that the site was asked. Of no matter to commands that only look.
    pub wait: bool,
}

impl Request {
    /// The command, with its outcome waited for.
    #[must_use]
    pub fn new(command: Command) -> Request {
        Request { command, wait: true }
    }

    /// Only asked, not waited for.
    #[must_use]
    pub fn without_waiting(self) -> Request {
        Request { wait: false, ..self }
    }
}

impl From<Command> for Request {
    fn from(command: Command) -> Request {
        Request::new(command)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    #[test]
    fn every_name_is_read_back_and_others_are_refused_with_the_nearest_one() {
        for command in Command::ALL {
            assert_eq!(command.name().parse::<Command>().unwrap(), command);
        }
        let refusal = |given: &str| given.parse::<Command>().unwrap_err().to_string();
        assert_eq!(refusal("relaod"), "there is no command \"relaod\": did you mean \"reload\"?");
        assert!(refusal("dance").contains("there are ping, status, stop"), "{}", refusal("dance"));
        assert!(refusal(&"x".repeat(10_000)).len() < 300);
        assert!(!refusal("a\nb").contains('\n'));
    }
}
