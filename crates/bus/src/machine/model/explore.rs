//! The shell round the machine, played in every order.

use std::collections::HashSet;
use std::ops::AddAssign;

use super::super::{CallId, Machine, Outcome, Step, Tick, TicketId, Work};
use super::rules::{OF_ENDS, OF_FACTS, OF_SITUATIONS};
use super::story::{Fact, Story};
use super::world::{End, Fault, Wish, World, limits};
use crate::exit::Exit;

/// What can happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// This asker makes its next wish.
    Ask(usize),
    /// A listener that runs, or was given up and still runs, makes this wish.
    AskInside(usize),
    /// The lane goes on: takes a step, or falls asleep.
    Lane,
    /// What the lane is at ends by itself.
    Ends(End),
    /// It does not, and its deadline passes.
    Overruns,
    /// What was given up ends after all.
    EndsLate(usize, End),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Free,
    Busy(CallId),
    Asleep,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Situation {
    pub(super) machine: Machine<Fault>,
    pub(super) story: Story,
    lane: Lane,
    now: Tick,
    /// How many wishes each asker has made.
    asked: Vec<usize>,
    /// Which wishes were made inside.
    asked_inside: Vec<bool>,
    /// Steps that were given up and have not reported yet.
    lost: Vec<CallId>,
}

/// How much was explored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) states: usize,
    pub(super) turns: usize,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Seen) {
        self.states += other.states;
        self.turns += other.turns;
    }
}

/// Plays every run of this world.
///
/// # Errors
/// The promise that one of them breaks, and how.
pub(super) fn explore(world: &World) -> Result<Seen, String> {
    let mut explorer = Explorer { world, known: HashSet::new(), path: Vec::new(), seen: Seen::default() };
    explorer
        .visit(Situation::new(world))
        .map_err(|promise| format!("BROKEN PROMISE: {promise}\nin {world:?}\nby {:?}", explorer.path))?;
    Ok(Seen { states: explorer.known.len(), ..explorer.seen })
}

struct Explorer<'a> {
    world: &'a World,
    known: HashSet<Situation>,
    path: Vec<Event>,
    seen: Seen,
}

impl Explorer<'_> {
    fn visit(&mut self, situation: Situation) -> Result<(), &'static str> {
        let events = situation.events(self.world);
        if events.is_empty() {
            let broken = OF_ENDS.iter().find(|(_, rule)| !rule(self.world, &situation));
            return broken.map_or(Ok(()), |(promise, _)| Err(*promise));
        }
        for event in events {
            let mut next = situation.clone();
            self.path.push(event);
            self.seen.turns += 1;
            next.play(self.world, event)?;
            if self.known.insert(next.clone()) {
                self.visit(next)?;
            }
            self.path.pop();
        }
        Ok(())
    }
}

impl Situation {
    pub(super) fn new(world: &World) -> Situation {
        Situation {
            machine: Machine::new(limits()),
            story: Story::new(),
            lane: Lane::Asleep,
            now: Tick::ZERO,
            asked: vec![0; world.askers.len()],
            asked_inside: vec![false; world.inside.len()],
            lost: Vec::new(),
        }
    }

    /// How long what runs may still run.
    pub(super) fn time_left(&self) -> Option<Tick> {
        self.machine.deadline().map(|deadline| deadline.saturating_sub(self.now))
    }

    /// Whatever can happen now. Nothing at all is the end of a run.
    pub(super) fn events(&self, world: &World) -> Vec<Event> {
        let mut events = Vec::new();
        let left = |asker: &usize| self.asked[*asker] < world.askers[*asker].len();
        events.extend((0..self.asked.len()).filter(left).map(Event::Ask));
        let someone_is_inside = self.story.running.is_some() || !self.lost.is_empty();
        let unsaid = |wish: &usize| someone_is_inside && !self.asked_inside[*wish];
        events.extend((0..self.asked_inside.len()).filter(unsaid).map(Event::AskInside));
        match (&self.lane, &self.story.running) {
            (Lane::Free, _) => events.push(Event::Lane),
            (Lane::Busy(_), Some(Work::Listener { .. })) => {
                events.extend(world.ends.iter().copied().map(Event::Ends));
            }
            (Lane::Busy(_), _) => events.push(Event::Ends(End::Ok)),
            (Lane::Asleep | Lane::Ended, _) => {}
        }
        if matches!(self.lane, Lane::Busy(_)) && self.story.given_up < world.overruns {
            events.push(Event::Overruns);
        }
        for lost in 0..self.lost.len() {
            events.extend(world.ends.iter().map(|end| Event::EndsLate(lost, *end)));
        }
        events
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub(super) fn play(&mut self, world: &World, event: Event) -> Result<(), &'static str> {
        match event {
            Event::Ask(asker) => {
                let wish = world.askers[asker][self.asked[asker]];
                self.asked[asker] += 1;
                self.ask(world, wish, false)?;
            }
            Event::AskInside(wish) => {
                self.asked_inside[wish] = true;
                self.ask(world, world.inside[wish], true)?;
            }
            Event::Lane => self.go_on(world)?,
            Event::Ends(end) => {
                let Lane::Busy(id) = self.lane else { return Ok(()) };
                let outcome = self.outcome(end, false);
                self.machine.finished(id, outcome.clone());
                self.lane = Lane::Free;
                self.happen(world, &Fact::Returned(outcome))?;
            }
            Event::Overruns => self.overrun(world)?,
            Event::EndsLate(lost, end) => {
                let id = self.lost.remove(lost);
                let before = self.machine.clone();
                let believed = self.machine.finished(id, self.outcome(end, true));
                let changed = self.machine != before;
                self.happen(world, &Fact::ReportedLate { believed, changed })?;
            }
        }
        self.settle(world)
    }

    /// Lets the machine tell what it has to, and looks at the whole.
    pub(super) fn settle(&mut self, world: &World) -> Result<(), &'static str> {
        self.tell(world)?;
        let broken = OF_SITUATIONS.iter().find(|(_, rule)| !rule(world, self));
        broken.map_or(Ok(()), |(says, _)| Err(says))
    }

    pub(super) fn ask(&mut self, world: &World, wish: Wish, inside: bool) -> Result<(), &'static str> {
        let Some(ask) = wish.ask(inside) else {
            self.machine.hurry(self.now);
            return self.happen(world, &Fact::Hurried);
        };
        let ticket = TicketId(self.story.receipts.len() as u64);
        self.machine.ask(ask, ticket, self.now);
        if self.lane == Lane::Asleep {
            self.lane = Lane::Free;
        }
        self.happen(world, &Fact::Asked { wish, inside })
    }

    fn go_on(&mut self, world: &World) -> Result<(), &'static str> {
        match self.machine.step(self.now, |phase| world.plan(phase).to_vec()) {
            Step::Idle => self.lane = Lane::Asleep,
            Step::Tell => {
                // With a failed start, or a restart to which nobody objects, an exit is decided, of which these effects are the
                // consequence.
                let decided = self.machine.exit().filter(|_| !self.story.is_leaving());
                match decided.map(Exit::is_restart) {
                    Some(true) => self.happen(world, &Fact::RestartDecided)?,
                    Some(false) => self.story.start_failed(),
                    None => {}
                }
                self.tell(world)?;
                self.lane = Lane::Free;
            }
            Step::Ended => self.lane = Lane::Ended,
            Step::Run { id, work, .. } => {
                self.lane = Lane::Busy(id);
                self.happen(world, &Fact::Stepped(work))?;
            }
        }
        Ok(())
    }

    fn overrun(&mut self, world: &World) -> Result<(), &'static str> {
        let (Some(deadline), Lane::Busy(id)) = (self.machine.deadline(), &self.lane) else { return Ok(()) };
        self.now = self.now.max(deadline);
        self.lost.push(*id);
        let fault = self.fault(true);
        if self.machine.overdue(self.now).is_none() {
            return Err("what has run out of time is found");
        }
        self.machine.give_up(fault);
        self.lane = Lane::Free;
        self.happen(world, &Fact::GivenUp(fault))
    }

    fn tell(&mut self, world: &World) -> Result<(), &'static str> {
        self.machine.effects().into_iter().try_for_each(|effect| self.happen(world, &Fact::Told(effect)))
    }

    fn happen(&mut self, world: &World, fact: &Fact) -> Result<(), &'static str> {
        if let Some((promise, _)) = OF_FACTS.iter().find(|(_, rule)| !rule(world, &self.story, fact)) {
            return Err(promise);
        }
        self.story.learn(world, fact);
        Ok(())
    }

    fn outcome(&self, end: End, late: bool) -> Outcome<Fault> {
        match end {
            End::Ok => Outcome::Ok,
            End::Fails => Outcome::Failed(self.fault(late)),
            End::Exits(code) => Outcome::Exit(Exit::with_code(code, "a listener")),
        }
    }

    fn fault(&self, overran: bool) -> Fault {
        let (phase, index) = match &self.story.running {
            Some(Work::Listener { phase, index }) => (*phase, *index),
            _ => (super::super::Phase::Start, usize::MAX), // a line of the log, or nothing
        };
        Fault { phase, index, overran }
    }
}
