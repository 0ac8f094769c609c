//! What is asked of the machine, and what it answers: the table of verbs and states.
//!
//! | asked in | start | stop | exit | graceful | restart |
//! |---|---|---|---|---|---|
//! | STOPPED | run | run once since the last start | stop if not yet run, then exit | prepare, commit | look, exit |
//! | STARTING | join | queue | skip the rest, stop, exit | queue | queue |
//! | STARTED | done | run | stop, exit | prepare, commit | look, exit |
//! | STOPPING | queue | join | then exit | queue | queue |
//! | exit asked | refused | refused; done once exited | join, and hurry | refused | refused; joins a restart |
//!
//! "Join" and "done" hold while nothing else waits in the queue: a start that was asked for after a queued stop is
//! queued behind it, so that the last one who asked gets what they asked for.

use super::{Errand, Machine, Phase, Report, Say, State, Tick};
use crate::exit::Exit;
use crate::failure::Verb;

/// The receipt for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TicketId(pub(crate) u64);

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ask {
    Start,
    Stop,
    /// `plain` ones carry no settings, so those that wait in the queue are one.
    Graceful {
        plain: bool,
    },
    /// `inside`: asked by a listener that the lane is running, which notes it and hurries nobody.
    Exit {
        exit: Exit,
        inside: bool,
    },
    /// The exit that follows if nobody objects.
    Restart(Exit),
}

impl Ask {
    pub(crate) fn verb(&self) -> Verb {
        match self {
            Ask::Start => Verb::Start,
            Ask::Stop => Verb::Stop,
            Ask::Graceful { .. } => Verb::Graceful,
            Ask::Exit { .. } => Verb::Exit,
            Ask::Restart(_) => Verb::Restart,
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer<F> {
    Done,
    Failed(Verb, Vec<F>),
    Vetoed(Verb, Vec<F>),
    Refused(Verb, Exit),
    Interrupted(Verb, Exit),
}

/// What the outside must learn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effect<F> {
    Entered(State),
    /// Listeners of this phase are about to run. `settings` names the request whose settings a reload carries.
    Began {
        phase: Phase,
        settings: Option<TicketId>,
    },
    /// A reload ended.
    Reloaded(Answer<F>),
    Answered(TicketId, Answer<F>),
    /// An exit was asked for while a start or a reload runs.
    Cancel,
    /// Drains are to be cut short.
    Hurry,
    Exited(Exit),
}

/// A request that waits its turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub(super) ask: Queued,
    pub(super) tickets: Vec<TicketId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Queued {
    Start,
    Stop,
    Graceful { plain: bool },
    Restart(Exit),
}

impl Queued {
    fn verb(&self) -> Verb {
        match self {
            Queued::Start => Verb::Start,
            Queued::Stop => Verb::Stop,
            Queued::Graceful { .. } => Verb::Graceful,
            Queued::Restart(_) => Verb::Restart,
        }
    }

    /// Whether one run of it is enough for both, if neither has begun.
    fn is_one_with(&self, other: &Queued) -> bool {
        match (self, other) {
            (Queued::Graceful { plain }, Queued::Graceful { plain: other }) => *plain && *other,
            _ => self.verb() == other.verb(),
        }
    }
}

/// The exit that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ExitAsked<F> {
    pub(super) exit: Exit,
    pub(super) tickets: Vec<TicketId>,
    pub(super) hurried: bool,
    /// What stop and exit listeners reported on the way out.
    pub(super) failures: Vec<F>,
    /// Answers that are given once the bus has exited.
    pub(super) afterwards: Vec<(Vec<TicketId>, Answer<F>)>,
}

impl<F> ExitAsked<F> {
    fn new(exit: Exit) -> ExitAsked<F> {
        ExitAsked { exit, tickets: Vec::new(), hurried: false, failures: Vec::new(), afterwards: Vec::new() }
    }

    /// A plain exit wins over a restart: what was to come back is to stay down.
    fn overrule(&mut self, exit: Exit) {
        if self.exit.is_restart() && !exit.is_restart() {
            let answer = Answer::Interrupted(Verb::Restart, exit.clone());
            self.afterwards.push((std::mem::take(&mut self.tickets), answer));
            self.exit = exit;
        }
    }
}

impl<F: Report> Machine<F> {
    /// Somebody asks. Never blocks; the answer comes as an effect, now or later.
    pub(crate) fn ask(&mut self, ask: Ask, ticket: TicketId, now: Tick) {
        match ask {
            Ask::Exit { exit, inside } => self.ask_exit(exit, inside, ticket, now),
            Ask::Start => self.ask_queued(Queued::Start, ticket),
            Ask::Stop => self.ask_queued(Queued::Stop, ticket),
            Ask::Graceful { plain } => self.ask_queued(Queued::Graceful { plain }, ticket),
            Ask::Restart(exit) => self.ask_queued(Queued::Restart(exit), ticket),
        }
    }

    /// Cuts the drains of a running stop or exit short, and a start or a reload that holds an exit up.
    pub(crate) fn hurry(&mut self, now: Tick) {
        if let Some(asked) = &mut self.exit {
            asked.hurried = true;
            self.hasten(now);
        }
        self.effects.push(Effect::Hurry);
    }

    pub(crate) fn hurried(&self) -> bool {
        self.exit.as_ref().is_some_and(|asked| asked.hurried)
    }

    fn ask_queued(&mut self, ask: Queued, ticket: TicketId) {
        if let Some(asked) = &mut self.exit {
            let joins = ask.verb() == Verb::Restart && asked.exit.is_restart();
            if self.exited && (joins || ask == Queued::Stop) {
                return self.done_at_the_end(ticket);
            }
            if joins {
                return asked.tickets.push(ticket);
            }
            let answer = Answer::Refused(ask.verb(), asked.exit.clone());
            return self.answer(vec![ticket], &answer);
        }
        if let Some(tickets) = self.joinable(&ask) {
            return tickets.push(ticket);
        }
        self.queue.push_back(Request { ask, tickets: vec![ticket] });
    }

    /// The tickets of the last thing that is going to happen, if it is just what is asked for.
    fn joinable(&mut self, ask: &Queued) -> Option<&mut Vec<TicketId>> {
        if let Some(last) = self.queue.back_mut() {
            return last.ask.is_one_with(ask).then_some(&mut last.tickets);
        }
        let job = self.job.as_mut()?;
        // A reload that runs is not joined: it may have read the settings before they changed.
        let same = matches!(
            (ask, job.phase),
            (Queued::Start, Phase::Start) | (Queued::Stop, Phase::Stop) | (Queued::Restart(_), Phase::Look)
        );
        same.then_some(&mut job.tickets)
    }

    fn ask_exit(&mut self, exit: Exit, inside: bool, ticket: TicketId, now: Tick) {
        if self.exited {
            return self.done_at_the_end(ticket);
        }
        let Some(asked) = &mut self.exit else {
            self.note_exit(exit);
            return self.exit.iter_mut().for_each(|asked| asked.tickets.push(ticket));
        };
        asked.overrule(exit);
        asked.tickets.push(ticket);
        if !inside && !asked.hurried {
            self.hurry(now);
        }
    }

    /// Every listener is through, so this is done too; but the last line of the log may still have to be written, and
    /// whoever is told that it is done must find the bus exited.
    fn done_at_the_end(&mut self, ticket: TicketId) {
        if self.errands.is_empty() {
            return self.answer(vec![ticket], &Answer::Done);
        }
        self.errands.push_back(Errand::Answer(vec![ticket], Answer::Done));
    }

    /// From here on the bus is on its way out.
    pub(super) fn note_exit(&mut self, exit: Exit) {
        if let Some(asked) = &mut self.exit {
            return asked.overrule(exit);
        }
        let mut asked = ExitAsked::new(exit);
        for request in std::mem::take(&mut self.queue) {
            if request.ask.verb() == Verb::Restart && asked.exit.is_restart() {
                asked.tickets.extend(request.tickets);
                continue;
            }
            let answer = Answer::Refused(request.ask.verb(), asked.exit.clone());
            self.answer(request.tickets, &answer);
        }
        if self.job.as_ref().is_some_and(|job| job.phase.yields_to_an_exit()) {
            self.effects.push(Effect::Cancel);
        }
        self.exit = Some(asked);
    }

    /// Begins what waits longest. False if nothing does.
    pub(super) fn begin_next(
        &mut self,
        now: Tick,
        plan: &mut impl FnMut(Phase) -> Vec<super::Entry>,
    ) -> bool {
        if self.exit.is_some() {
            let phase = if self.stopped { Phase::Exit } else { Phase::Stop };
            self.begin(phase, Vec::new(), now, plan);
            return true;
        }
        let Some(Request { ask, tickets }) = self.queue.pop_front() else { return false };
        let phase = match (&ask, self.state) {
            (Queued::Start, State::Stopped) => Phase::Start,
            (Queued::Stop, State::Started) => Phase::Stop,
            (Queued::Stop, State::Stopped) if !self.stopped => Phase::Stop,
            (Queued::Graceful { .. }, _) => Phase::Prepare,
            (Queued::Restart(_), _) => Phase::Look,
            (Queued::Start | Queued::Stop, _) => {
                self.errands.push_back(Errand::Answer(tickets, Answer::Done));
                return true;
            }
        };
        self.begin(phase, tickets, now, plan);
        if let (Queued::Restart(exit), Some(job)) = (ask, &mut self.job) {
            job.restart = Some(exit.clone());
            self.say(Say::Restart(exit));
        }
        true
    }
}
