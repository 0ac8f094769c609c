//! Where the process is in its life, as the service manager sees it: what is to be said when the bus moves.

use sitebus_bus::{Exit, State};

/// What the manager is told. The stamp of a reload and the words of a status are added where it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Ready,
    Reloading,
    Stopping,
}

/// What the manager knows.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// The process leaves: for good, or to come back as another image.
    leaving: Option<Leaving>,
    reloading: bool,
    /// Something takes its time, for which the bus has deadlines.
    busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    ForGood,
    ToComeBack,
}

impl Phase {
    /// The bus is in `state`, and `exit` was asked for.
    ///
    /// A stop without an exit is none for the manager: it takes the word for final, and would kill what starts again.
    pub(crate) fn enter(&mut self, state: State, exit: Option<&Exit>) -> Option<Word> {
        self.busy = state != State::Started && (state != State::Stopped || exit.is_some());
        match (state, exit) {
            (State::Started, _) => {
                self.reloading = false;
                Some(Word::Ready)
            }
            (State::Starting, _) | (_, None) => None,
            (_, Some(exit)) => self.leave(exit),
        }
    }

    fn leave(&mut self, exit: &Exit) -> Option<Word> {
        let leaving = if exit.is_restart() { Leaving::ToComeBack } else { Leaving::ForGood };
        if self.leaving.replace(leaving) == Some(leaving) {
            return None;
        }
        self.reloading = false;
        Some(if exit.is_restart() { Word::Reloading } else { Word::Stopping })
    }

    /// A reload begins. It is none for the manager while the site is not up.
    pub(crate) fn begin_reload(&mut self, state: State) -> Option<Word> {
        self.reloading = state == State::Started;
        self.busy = self.reloading;
        self.reloading.then_some(Word::Reloading)
    }

    /// However it went: the site is up.
    pub(crate) fn end_reload(&mut self) -> Option<Word> {
        let was = std::mem::replace(&mut self.reloading, false);
        self.busy &= !was;
        was.then_some(Word::Ready)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Word::{Ready, Reloading, Stopping};

    fn restart() -> Exit {
        // The bus alone makes restarts, so one is taken from it.
        let bus = sitebus_bus::Bus::new("any");
        drop(bus.ask_restart("a test"));
        bus.block()
    }

    #[test]
    fn a_start_is_ready_and_a_stop_alone_is_nothing() {
        let mut phase = Phase::default();
        let states = [State::Starting, State::Started, State::Stopping, State::Stopped];
        let said: Vec<_> = states.map(|state| phase.enter(state, None)).into();
        assert_eq!(said, [None, Some(Ready), None, None]);
        assert!(!phase.is_busy());
        assert_eq!(phase.enter(State::Starting, None), None);
        assert!(phase.is_busy());
        assert_eq!(phase.enter(State::Started, None), Some(Ready));
    }

    #[test]
    fn an_exit_is_told_once_whenever_it_is_asked_for() {
        let exit = Exit::success("a test");
        let mut phase = Phase::default();
        assert_eq!(phase.enter(State::Stopping, None), None, "a stop, during which an exit is asked for");
        assert_eq!(phase.enter(State::Stopped, Some(&exit)), Some(Stopping));
        assert!(phase.is_busy());
        assert_eq!(phase.enter(State::Exiting, Some(&exit)), None);
        assert_eq!(Phase::default().enter(State::Exiting, Some(&exit)), Some(Stopping));
    }

    #[test]
    fn a_restart_is_a_reload_unless_an_exit_overrules_it() {
        let restart = restart();
        assert!(restart.is_restart());
        let mut phase = Phase::default();
        assert_eq!(phase.enter(State::Stopping, Some(&restart)), Some(Reloading));
        assert_eq!(phase.enter(State::Stopped, Some(&restart)), None);
        assert_eq!(phase.enter(State::Exiting, Some(&Exit::success("a test"))), Some(Stopping));
    }

    #[test]
    fn a_reload_ends_ready_and_only_once_and_only_where_it_began() {
        let mut phase = Phase::default();
        assert_eq!(phase.begin_reload(State::Stopped), None);
        assert_eq!(phase.end_reload(), None, "what is not up is not ready");
        assert_eq!(phase.begin_reload(State::Started), Some(Reloading));
        assert!(phase.is_busy());
        assert_eq!((phase.end_reload(), phase.end_reload()), (Some(Ready), None));
        assert!(!phase.is_busy());
    }
}
