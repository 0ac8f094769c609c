//! Names and numbers of signals, after signal(7) and POSIX.1-2024 `<signal.h>`.

use crate::names::nearest;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A signal of this platform. It is its number: `IOT` and `ABRT`, `POLL` and `IO` are the same signal.
///
/// Parses from `TERM`, `SIGTERM`, `term` and `15`, and on Linux from `RTMIN+1` and `RTMAX-1`. [`Display`](fmt::Display)
/// writes `SIGTERM`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(i32);

/// There is no such signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.what(), self.cure())]
#[non_exhaustive]
pub struct UnknownSignal {
    /// What was asked for.
    pub given: String,
    /// The name that is most like it, if any is.
    pub nearest: Option<&'static str>,
}

/// This signal exists but cannot be caught.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}; {cure}", self.what())]
#[non_exhaustive]
pub struct Refused {
    /// The signal.
    pub signal: Signal,
    /// Why not.
    pub reason: &'static str,
    cure: &'static str,
}

/// Of several names for one number the first is the one that is written.
const NAMES: &[(&str, i32)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("POLL", libc::SIGIO),
    ("SYS", libc::SIGSYS),
    #[cfg(target_os = "linux")]
    ("PWR", libc::SIGPWR),
    #[cfg(target_os = "linux")]
    ("STKFLT", libc::SIGSTKFLT),
];

macro_rules! constants {
    ($($name:ident = $number:ident: $what:literal;)*) => {
        impl Signal {
            $(#[doc = $what] pub const $name: Signal = Signal(libc::$number);)*
        }
    };
}

constants! {
    HUP = SIGHUP: "The terminal is gone; to a service: reload.";
    INT = SIGINT: "Ctrl-C.";
    QUIT = SIGQUIT: "Ctrl-\\\\.";
    KILL = SIGKILL: "The end, without a word.";
    USR1 = SIGUSR1: "For the program to give a meaning to.";
    USR2 = SIGUSR2: "For the program to give a meaning to.";
    PIPE = SIGPIPE: "Nobody reads what is written.";
    ALRM = SIGALRM: "A timer of alarm(2).";
    TERM = SIGTERM: "Please end.";
    CHLD = SIGCHLD: "A child ended or stopped.";
    CONT = SIGCONT: "Go on after a stop.";
    STOP = SIGSTOP: "Stop, without a word.";
    TSTP = SIGTSTP: "Ctrl-Z.";
    TTIN = SIGTTIN: "A background process read from its terminal; to a server: one worker more.";
    TTOU = SIGTTOU: "A background process wrote to its terminal; to a server: one worker less.";
    WINCH = SIGWINCH: "The window of the terminal has another size.";
}

impl Signal {
    /// The number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The name without `SIG`, such as `TERM` or `RTMIN+1`.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => Cow::Borrowed(name),
            None => Cow::Owned(format!("RTMIN+{}", self.0 - real_time().0)),
        }
    }

    /// Whether a handler for this signal makes sense; [`Catch`](super::Catch) asks it too.
    ///
    /// # Errors
    /// [`Refused`] says why not.
    pub fn catchable(self) -> Result<(), Refused> {
        let (reason, cure) = match self.0 {
            libc::SIGKILL | libc::SIGSTOP => {
                ("the kernel leaves no process a choice about it (signal(7))", "leave it out")
            }
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => (
                "the kernel sends it for a fault of the running instruction, which would only be repeated after a handler",
                "leave it out",
            ),
            libc::SIGINT => ("it has a handler of its own", "take `interrupt::Interrupt`"),
            _ => return Ok(()),
        };
        Err(Refused { signal: self, reason, cure })
    }
}

impl TryFrom<i32> for Signal {
    type Error = UnknownSignal;

    fn try_from(number: i32) -> Result<Signal, UnknownSignal> {
        let (first, last) = real_time();
        let known = NAMES.iter().any(|(_, named)| *named == number) || (first..=last).contains(&number);
        if known {
            Ok(Signal(number))
        } else {
            Err(UnknownSignal { given: number.to_string(), nearest: None })
        }
    }
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(given: &str) -> Result<Signal, UnknownSignal> {
        let upper = given.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let unknown = || UnknownSignal::new(given, name);
        if let Ok(number) = name.parse::<i32>() {
            return Signal::try_from(number);
        }
        if let Some((_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Signal(*number));
        }
        let number = real_time_number(name).ok_or_else(unknown)?;
        Signal::try_from(number).map_err(|_| unknown())
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Refused {
    /// What is wrong, without the cure.
    #[must_use]
    pub fn what(&self) -> String {
        format!("{} cannot be caught: {}", self.signal, self.reason)
    }

    /// What to do instead.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        self.cure
    }
}

impl UnknownSignal {
    fn new(given: &str, name: &str) -> UnknownSignal {
        let nearest = nearest(name, NAMES.iter().map(|(known, _)| *known));
        UnknownSignal { given: given.to_owned(), nearest }
    }

    /// What is wrong, without the cure.
    #[must_use]
    pub fn what(&self) -> String {
        format!("there is no signal {:?} on this system", self.given)
    }

    /// What to write instead.
    #[must_use]
    pub fn cure(&self) -> String {
        match self.nearest {
            Some(name) => format!("did you mean {name}?"),
            None => "`kill -l` lists them; names go with or without SIG, numbers go too".to_owned(),
        }
    }
}

/// The first and the last number of the real-time signals; the C library keeps some for itself.
fn real_time() -> (i32, i32) {
    #[cfg(target_os = "linux")]
    return (libc::SIGRTMIN(), libc::SIGRTMAX());
    #[cfg(not(target_os = "linux"))]
    return (1, 0);
}

fn real_time_number(name: &str) -> Option<i32> {
    let (first, last) = real_time();
    let number = if let Some(offset) = name.strip_prefix("RTMIN") {
        first.checked_add(if offset.is_empty() { 0 } else { offset.strip_prefix('+')?.parse().ok()? })
    } else if let Some(offset) = name.strip_prefix("RTMAX") {
        last.checked_sub(if offset.is_empty() { 0 } else { offset.strip_prefix('-')?.parse().ok()? })
    } else {
        None
    };
    number.filter(|number| (first..=last).contains(number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;

    fn parse(text: &str) -> Signal {
        text.parse().unwrap()
    }

    #[test]
    fn a_signal_is_known_by_name_with_prefix_in_any_case_and_by_number() {
        for text in ["HUP", "SIGHUP", "hup", "SigHup", " hup ", &libc::SIGHUP.to_string()] {
            assert_eq!(parse(text), Signal::HUP, "{text:?}");
        }
    }

    #[test]
    fn aliases_are_one_signal_with_one_written_name() {
        assert_eq!(parse("IOT"), parse("ABRT"));
        assert_eq!(parse("POLL"), parse("IO"));
        assert_eq!(parse("CLD"), Signal::CHLD);
        assert_eq!(parse("IOT").to_string(), "SIGABRT");
    }

    #[test]
    fn every_name_leads_to_its_number_and_back() {
        for (name, number) in NAMES {
            let signal = parse(name);
            assert_eq!(signal.number(), *number);
            assert_eq!(parse(&signal.name()), signal);
            assert_eq!(parse(&signal.to_string()), signal);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest_one() {
        let nearest = |text: &str| text.parse::<Signal>().unwrap_err().nearest;
        assert_eq!(nearest("TREM"), Some("TERM"));
        assert_eq!(nearest("SIGHUPP"), Some("HUP"));
        assert_eq!(nearest("user1"), Some("USR1"));
        assert_eq!(nearest("reload"), None);
        assert_eq!(nearest(""), None);
        let message = "SIGTREM".parse::<Signal>().unwrap_err().to_string();
        assert_eq!(message, "there is no signal \"SIGTREM\" on this system: did you mean TERM?");
    }

    #[test]
    fn numbers_that_no_signal_has_are_refused() {
        for number in ["0", "-1", "32", "65", "99999999999"] {
            assert!(number.parse::<Signal>().is_err(), "{number}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn real_time_signals_count_from_either_end() {
        assert_eq!(parse("RTMIN").number(), libc::SIGRTMIN());
        assert_eq!(parse("SIGRTMIN+3").number(), libc::SIGRTMIN() + 3);
        assert_eq!(parse("RTMAX-1").number(), libc::SIGRTMAX() - 1);
        assert_eq!(parse("RTMIN+3").name(), "RTMIN+3");
        for wrong in ["RTMIN+99", "RTMIN-1", "RTMAX+1", "RTMIN+2147483647", "RTMIN3"] {
            assert!(wrong.parse::<Signal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_caught_is_refused_with_the_reason() {
        for name in ["KILL", "STOP", "SEGV", "BUS", "FPE", "ILL", "INT"] {
            assert!(parse(name).catchable().is_err(), "{name}");
        }
        for name in ["TERM", "HUP", "QUIT", "USR1", "CHLD", "WINCH", "ABRT"] {
            assert!(parse(name).catchable().is_ok(), "{name}");
        }
        let message = Signal::KILL.catchable().unwrap_err().to_string();
        assert!(message.starts_with("SIGKILL cannot be caught: the kernel"), "{message}");
    }
}
