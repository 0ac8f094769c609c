//! The thread that reads signals and asks the bus. It runs no listener, so nothing that hangs can keep it from the ladder.

use std::sync::Weak;
use std::time::{Duration, Instant};

use sitebus_bus::{Exit, Handle, Level, SettingsMap};
use sitebus_os::signal::{self, Caught, Next, Signal};
use sitebus_os::terminal::Terminal;

use crate::action::Action;
use crate::errands::{Errand, Errands};
use crate::held::Held;
use crate::ladder::{Ladder, Step};
use crate::settings::Settings;

/// How long drains may take once the terminal is gone: as with `TERM`.
const WITHOUT_TERMINAL: Duration = Duration::from_secs(30);

pub(crate) struct Reader {
    pub(crate) handle: Handle,
    pub(crate) settings: Settings,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) caught: Caught,
    pub(crate) errands: Errands,
    pub(crate) held: Weak<Held>,
}

impl Reader {
    /// The body of the thread: ends when the signals are given back.
    pub(crate) fn run(self) {
        // Whoever started us may have blocked them; one thread that has not is enough.
        let _ = signal::unblock(self.settings.actions().map(|(signal, _)| signal));
        let mut ladder = Ladder::new(self.settings.burst_time());
        loop {
            match self.caught.next(ladder.deadline()) {
                Ok(Next::Signal(signal)) => self.act(&mut ladder, signal),
                Ok(Next::Elapsed) => self.look_at_the_clock(&mut ladder),
                Ok(Next::Closed) => return,
                Ok(_) => {}
                Err(error) => return self.give_up(&error),
            }
        }
    }

    fn act(&self, ladder: &mut Ladder, signal: Signal) {
        match self.settings.action(signal) {
            Some(Action::Exit { patience }) => self.climb(ladder, signal, patience, ""),
            Some(Action::Graceful) => self.reload(ladder, signal),
            Some(Action::Restart) => {
                drop(self.handle.ask_restart(signal.to_string()));
                self.say_unless_exiting(signal, "restarting");
            }
            Some(Action::ReopenLogs) => self.errands.leave(Errand::Reopen),
            Some(Action::Scale(by)) => self.errands.leave(Errand::Scale(by)),
            Some(Action::Publish) => self.errands.leave(Errand::Signal(signal.number())),
            Some(Action::Ignore) | None => {}
        }
    }

    fn reload(&self, ladder: &mut Ladder, signal: Signal) {
        if signal == Signal::HUP && self.terminal.as_ref().is_some_and(Terminal::hung_up) {
            return self.climb(ladder, signal, Some(WITHOUT_TERMINAL), "the terminal is gone, ");
        }
        drop(self.handle.ask_graceful(SettingsMap::new()));
        self.say_unless_exiting(signal, "reloading");
    }

    /// Once an exit was asked for, the bus refuses everything else.
    fn say_unless_exiting(&self, signal: Signal, what: &str) {
        match self.handle.exit_asked() {
            Some(exit) if !exit.is_restart() => {
                self.errands
                    .log(Level::Warn, format!("{signal}: not {what}, for the bus is exiting: {exit}"));
            }
            _ => self.errands.log(Level::Info, format!("{signal}: {what}")),
        }
    }

    fn climb(&self, ladder: &mut Ladder, signal: Signal, patience: Option<Duration>, why: &str) {
        match ladder.climb(Instant::now(), patience) {
            Step::Ask => self.ask(signal, patience, why),
            Step::Hurry => {
                self.handle.hurry();
                self.errands.log(
                    Level::Warn,
                    format!("{signal}: drains are cut short; a third signal ends the process at once"),
                );
            }
            Step::Die => signal::die_by(signal),
            Step::Repeat => {}
        }
    }

    fn ask(&self, signal: Signal, patience: Option<Duration>, why: &str) {
        // The bus takes a second request for an exit as a hurry, whoever made the first.
        let already = self.handle.exit_asked();
        drop(self.handle.ask_exit(Exit::signal(signal.name(), signal.number())));
        let limit = match (already, patience) {
            (Some(_), _) => " already, so drains are cut short".to_owned(),
            (None, Some(patience)) => {
                format!("; drains end in {patience:?}; a second signal cuts them short")
            }
            (None, None) => "; a second signal cuts drains short".to_owned(),
        };
        self.errands.log(Level::Info, format!("{signal}: {why}exiting{limit}"));
    }

    fn look_at_the_clock(&self, ladder: &mut Ladder) {
        if ladder.out_of_patience(Instant::now()) {
            self.handle.hurry();
            self.errands.log(
                Level::Warn,
                "the time for drains is over: they are cut short; a third signal ends the process at once",
            );
        }
    }

    /// Nobody would read any more, so signals must not stay caught.
    fn give_up(&self, error: &std::io::Error) {
        self.errands.log(Level::Error, format!("signals cannot be read ({error}) and are given back"));
        if let Some(held) = self.held.upgrade() {
            held.release();
        }
    }
}
