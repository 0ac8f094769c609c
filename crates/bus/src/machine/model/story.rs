//! What happened so far, as far as the rules must remember it.

use super::super::{Answer, Effect, Outcome, Phase, PluginId, Say, State, TicketId, Work};
use super::world::{Fault, Wish, World};
use crate::exit::Exit;
use crate::failure::Verb;

/// One thing that happened.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Asked {
        wish: Wish,
        inside: bool,
    },
    /// Somebody cut the drains short.
    Hurried,
    /// A restart was looked at, and is an exit now.
    RestartDecided,
    /// The lane was told to do this.
    Stepped(Work<Fault>),
    /// And did it in time.
    Returned(Outcome<Fault>),
    /// And was given up.
    GivenUp(Fault),
    /// What had been given up reported after all.
    ReportedLate {
        believed: bool,
        changed: bool,
    },
    /// The machine told the outside.
    Told(Effect<Fault>),
}

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Receipt {
    pub(super) wish: Wish,
    /// A plain exit had been asked for before.
    pub(super) after_plain_exit: bool,
    /// The last exit listener was through before.
    pub(super) after_the_end: bool,
    pub(super) answer: Option<Answer<Fault>>,
}

/// The exit that must come of all that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) restart: bool,
    pub(super) code: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Story {
    /// The last state that the outside was told of.
    pub(super) state: State,
    pub(super) running: Option<Work<Fault>>,
    /// The phase whose listeners are being called.
    pub(super) open: Option<Phase>,
    /// The listeners that the last round of each phase called, and those that failed.
    called: [Vec<usize>; 7],
    faults: [Vec<Fault>; 7],
    pub(super) receipts: Vec<Receipt>,
    pub(super) wanted: Option<Wanted>,
    /// The last of start and stop that was asked for.
    pub(super) last: Option<Wish>,
    /// Plugins of which a start listener began since the last start.
    pub(super) began: Vec<PluginId>,
    /// Since the last start.
    pub(super) stops: u8,
    pub(super) exits: u8,
    /// What failed on the way out.
    pub(super) way_out: Vec<Fault>,
    pub(super) reloaded: Option<Answer<Fault>>,
    pub(super) cancelled: bool,
    pub(super) hurry_is_due: bool,
    pub(super) hurried: bool,
    pub(super) given_up: u8,
    /// The last exit listener is through.
    pub(super) through: bool,
    pub(super) exited: Option<Exit>,
}

impl Story {
    pub(super) fn new() -> Story {
        Story {
            state: State::Stopped,
            running: None,
            open: None,
            called: Default::default(),
            faults: Default::default(),
            receipts: Vec::new(),
            wanted: None,
            last: None,
            began: Vec::new(),
            stops: 0,
            exits: 0,
            way_out: Vec::new(),
            reloaded: None,
            cancelled: false,
            hurry_is_due: false,
            hurried: false,
            given_up: 0,
            through: false,
            exited: None,
        }
    }

    pub(super) fn called(&self, phase: Phase) -> &[usize] {
        &self.called[phase as usize]
    }

    pub(super) fn faults(&self, phase: Phase) -> &[Fault] {
        &self.faults[phase as usize]
    }

    pub(super) fn receipt(&self, ticket: TicketId) -> &Receipt {
        &self.receipts[ticket.0 as usize]
    }

    /// Which stop listeners must run: those whose plugin began, and the bare ones.
    pub(super) fn to_be_stopped(&self, world: &World) -> Vec<usize> {
        let due = |index: &usize| {
            let entry = world.stop[*index];
            !entry.paired || entry.plugin.is_some_and(|plugin| self.began.contains(&plugin))
        };
        (0..world.stop.len()).filter(due).collect()
    }

    pub(super) fn learn(&mut self, world: &World, fact: &Fact) {
        match fact {
            Fact::Asked { wish, inside } => self.asked(*wish, *inside),
            Fact::Hurried => self.hurry_is_due = true,
            Fact::RestartDecided => {
                self.open = None;
                self.want(Wanted { restart: true, code: 0 });
            }
            Fact::Stepped(work) => self.stepped(world, work),
            Fact::Returned(outcome) => {
                self.running = None;
                match outcome {
                    Outcome::Ok => {}
                    Outcome::Failed(fault) => self.failed(*fault),
                    Outcome::Exit(exit) => self.returned_exit(exit),
                }
            }
            Fact::GivenUp(fault) => {
                let work = self.running.take();
                self.given_up += 1;
                if matches!(work, Some(Work::Listener { .. })) {
                    self.failed(*fault);
                }
            }
            Fact::ReportedLate { .. } => {}
            Fact::Told(effect) => self.told(effect),
        }
    }

    fn asked(&mut self, wish: Wish, inside: bool) {
        let after_plain_exit = self.wanted.is_some_and(|wanted| !wanted.restart);
        self.receipts.push(Receipt { wish, after_plain_exit, after_the_end: self.through, answer: None });
        match wish {
            Wish::Start | Wish::Stop => self.last = Some(wish),
            Wish::Graceful | Wish::Settings | Wish::Restart | Wish::Hurry => {}
            Wish::Exit(_) if self.through => {}
            Wish::Exit(code) => {
                self.hurry_is_due |= self.wanted.is_some() && !inside;
                self.want(Wanted { restart: false, code });
            }
        }
    }

    /// A plain exit wins over a restart; otherwise the first one counts.
    fn want(&mut self, new: Wanted) {
        if self.wanted.is_none_or(|known| known.restart && !new.restart) {
            self.wanted = Some(new);
        }
    }

    fn returned_exit(&mut self, exit: &Exit) {
        let failed = self.open.is_some_and(|phase| !self.faults(phase).is_empty());
        let code = if failed && exit.code() == 0 { 1 } else { exit.code() };
        self.want(Wanted { restart: false, code });
    }

    fn failed(&mut self, fault: Fault) {
        if let Some(phase) = self.open {
            self.faults[phase as usize].push(fault);
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.wanted.is_some()
    }

    pub(super) fn start_failed(&mut self) {
        self.open = None;
        self.want(Wanted { restart: false, code: 1 });
        self.wanted.iter_mut().filter(|wanted| wanted.code == 0).for_each(|wanted| wanted.code = 1);
    }

    fn stepped(&mut self, world: &World, work: &Work<Fault>) {
        self.running = Some(work.clone());
        match work {
            Work::Listener { phase, index } => {
                self.called[*phase as usize].push(*index);
                if *phase == Phase::Start {
                    self.began.extend(world.start[*index].plugin);
                }
            }
            Work::Say(Say::StartFailed) => self.start_failed(),
            Work::Say(Say::NotRestarted) => self.open = None,
            Work::Say(Say::Exited) => {
                self.through = true;
                self.open = None;
                self.way_out.extend_from_slice(&self.faults[Phase::Exit as usize]);
            }
            Work::Say(_) => {}
        }
    }

    fn told(&mut self, effect: &Effect<Fault>) {
        match effect {
            Effect::Entered(state) => {
                self.state = *state;
                self.open = None;
                if *state == State::Stopped && self.wanted.is_some() {
                    self.way_out.extend_from_slice(&self.faults[Phase::Stop as usize]);
                }
            }
            Effect::Began { phase, .. } => self.began(*phase),
            Effect::Reloaded(answer) => {
                self.reloaded = Some(answer.clone());
                self.open = None;
            }
            Effect::Answered(ticket, answer) => {
                if matches!(answer, Answer::Interrupted(Verb::Restart, _)) && self.open == Some(Phase::Look) {
                    self.open = None;
                }
                self.receipts[ticket.0 as usize].answer = Some(answer.clone());
            }
            Effect::Cancel => self.cancelled = true,
            Effect::Hurry => self.hurried = true,
            Effect::Exited(exit) => self.exited = Some(exit.clone()),
        }
    }

    fn began(&mut self, phase: Phase) {
        self.open = Some(phase);
        self.called[phase as usize].clear();
        self.faults[phase as usize].clear();
        match phase {
            Phase::Start => {
                self.began.clear();
                self.stops = 0;
            }
            Phase::Stop => self.stops += 1,
            Phase::Exit => self.exits += 1,
            Phase::Look | Phase::Prepare | Phase::Commit | Phase::Abort => {}
        }
    }
}
