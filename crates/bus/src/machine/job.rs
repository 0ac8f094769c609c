//! One transition at work: its listeners one after the other, and what follows when they are through.

use std::collections::VecDeque;

use super::{Answer, CallId, Effect, Errand, Machine, PluginId, Report, Say, State, Tick, TicketId, Work};
use crate::exit::Exit;
use crate::failure::Verb;
use crate::limits::Limit;

/// What kind of listeners run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Start,
    Stop,
    Exit,
    /// Restart listeners look whether a new image would be right.
    Look,
    /// Graceful listeners look at the new settings.
    Prepare,
    /// What they returned is run.
    Commit,
    /// What they returned is dropped instead.
    Abort,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Stop => "stop",
            Phase::Exit => "exit",
            Phase::Look => "look",
            Phase::Prepare => "prepare",
            Phase::Commit => "commit",
            Phase::Abort => "abort",
        }
    }

    /// Whether an exit that is asked for meanwhile skips the rest of it.
    pub(super) fn yields_to_an_exit(self) -> bool {
        matches!(self, Phase::Start | Phase::Look | Phase::Prepare)
    }
}

/// One listener of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub(crate) plugin: Option<PluginId>,
    /// Whether its plugin has a start listener too: then it is stopped only if that one began.
    pub(crate) paired: bool,
}

/// How a listener ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome<F> {
    Ok,
    Failed(F),
    /// It returned an [`Exit`].
    Exit(Exit),
}

/// The step that the lane is at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call<F> {
    pub(super) id: CallId,
    pub(super) began: Tick,
    pub(super) deadline: Tick,
    pub(super) work: Work<F>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Job<F> {
    pub(super) phase: Phase,
    pub(super) tickets: Vec<TicketId>,
    plan: Vec<Entry>,
    todo: VecDeque<usize>,
    /// The listeners that were called, in order.
    called: Vec<usize>,
    total: Tick,
    hurried: bool,
    failures: Vec<F>,
    /// The exit that follows a look to which nobody objects.
    pub(super) restart: Option<Exit>,
    /// How an abort is to be answered.
    verdict: Option<Answer<F>>,
}

impl<F: Report> Machine<F> {
    pub(super) fn begin(
        &mut self,
        phase: Phase,
        tickets: Vec<TicketId>,
        now: Tick,
        plan: &mut impl FnMut(Phase) -> Vec<Entry>,
    ) {
        let plan = plan(phase);
        let todo = (0..plan.len()).filter(|index| phase != Phase::Stop || self.to_be_stopped(plan[*index]));
        let todo = todo.collect();
        let total = now.saturating_add(self.limit(phase).total);
        let settings = tickets.first().copied().filter(|_| phase == Phase::Prepare);
        match phase {
            Phase::Start => {
                self.enter(State::Starting);
                self.began.clear();
                self.stopped = false;
            }
            Phase::Stop => {
                self.enter(State::Stopping);
                self.stopped = true;
            }
            Phase::Exit => self.enter(State::Exiting),
            Phase::Prepare => self.say(Say::Graceful),
            Phase::Look | Phase::Commit | Phase::Abort => {}
        }
        self.effects.push(Effect::Began { phase, settings });
        let called = Vec::new();
        self.job = Some(Job {
            phase,
            tickets,
            plan,
            todo,
            called,
            total,
            hurried: false,
            failures: Vec::new(),
            restart: None,
            verdict: None,
        });
    }

    fn to_be_stopped(&self, entry: Entry) -> bool {
        !entry.paired || entry.plugin.is_some_and(|plugin| self.began.contains(&plugin))
    }

    fn limit(&self, phase: Phase) -> Limit {
        match phase {
            Phase::Start => self.limits.start,
            Phase::Stop => self.limits.stop,
            Phase::Exit => self.limits.exit,
            Phase::Look => self.limits.restart,
            Phase::Prepare | Phase::Commit | Phase::Abort => self.limits.graceful,
        }
    }

    /// Once the total of a stop or an exit has passed, whoever is still to be called is called in a hurry.
    pub(super) fn hurries_the_rest(&mut self, now: Tick) -> bool {
        let Some(job) = self.job.as_mut().filter(|job| matches!(job.phase, Phase::Stop | Phase::Exit)) else {
            return false;
        };
        let newly = now >= job.total && !job.todo.is_empty() && !std::mem::replace(&mut job.hurried, true);
        if newly {
            self.effects.push(Effect::Hurry);
        }
        newly
    }

    /// Somebody waits for an exit who does not want to wait for this start, look or reload: its listener gets a last call.
    pub(super) fn hasten(&mut self, now: Tick) {
        let held_up = self.job.as_ref().is_some_and(|job| job.phase.yields_to_an_exit());
        if let Some(call) =
            self.call.as_mut().filter(|call| held_up && matches!(call.work, Work::Listener { .. }))
        {
            call.deadline = call.deadline.min(now.saturating_add(self.limits.last_call));
        }
    }

    /// The next listener of the running job and its deadline, if the job is to go on.
    pub(super) fn next_listener(&mut self, now: Tick) -> Option<(Tick, Work<F>)> {
        let leaving = self.exit.is_some();
        let limits = self.limits;
        let job = self.job.as_mut()?;
        let phase = job.phase;
        if phase.yields_to_an_exit() {
            let out_of_time = now >= job.total && !job.failures.is_empty();
            if leaving || out_of_time {
                job.todo.clear();
            }
        }
        let index = job.todo.pop_front()?;
        let total = job.total;
        job.called.push(index);
        let plugin = job.plan[index].plugin;
        if phase == Phase::Start {
            self.began.extend(plugin);
        }
        let last_call = now.saturating_add(limits.last_call);
        let deadline = now.saturating_add(self.limit(phase).each).min(total.max(last_call));
        Some((deadline, Work::Listener { phase, index }))
    }

    pub(super) fn listener_done(&mut self, outcome: Outcome<F>) {
        let Some(job) = &mut self.job else { return };
        match outcome {
            Outcome::Ok => {}
            Outcome::Failed(failure) => {
                job.failures.push(failure.clone());
                self.say(Say::Failed(failure));
            }
            Outcome::Exit(exit) => {
                let exit = exit.after_failures(!job.failures.is_empty());
                // What is half stopped or half committed goes on to its end.
                if job.phase.yields_to_an_exit() {
                    job.todo.clear();
                }
                self.note_exit(exit);
            }
        }
    }

    /// Every listener of the job is through, or skipped.
    pub(super) fn finish(&mut self, job: Job<F>, now: Tick) {
        match job.phase {
            Phase::Start => self.finish_start(job),
            Phase::Stop => self.finish_stop(job),
            Phase::Exit => self.finish_exit(job),
            Phase::Look => self.finish_look(job),
            Phase::Prepare => self.finish_prepare(job, now),
            Phase::Commit => {
                let answer = done_or_failed(Verb::Graceful, job.failures);
                self.finish_graceful(job.tickets, answer);
            }
            Phase::Abort => {
                let answer = job.verdict.unwrap_or(Answer::Done);
                self.finish_graceful(job.tickets, answer);
            }
        }
    }

    fn finish_start(&mut self, job: Job<F>) {
        if job.failures.is_empty() && self.exit.is_none() {
            self.enter(State::Started);
            return self.errands.push_back(Errand::Answer(job.tickets, Answer::Done));
        }
        let Some(first) = job.failures.first() else {
            let exit = self.exit.as_ref().map(|asked| asked.exit.clone());
            let answer = exit.map_or(Answer::Done, |exit| Answer::Interrupted(Verb::Start, exit));
            return self.errands.push_back(Errand::Answer(job.tickets, answer));
        };
        let exit = Exit::failure(format!("'{}' failed to start", first.listener()));
        self.say(Say::StartFailed);
        self.note_exit(exit);
        if let Some(asked) = &mut self.exit {
            asked.exit = asked.exit.clone().after_failures(true);
            asked.afterwards.push((job.tickets, Answer::Failed(Verb::Start, job.failures)));
        }
    }

    fn finish_stop(&mut self, job: Job<F>) {
        if let Some(asked) = &mut self.exit {
            asked.failures.extend(job.failures.iter().cloned());
        }
        self.enter(State::Stopped);
        self.errands.push_back(Errand::Answer(job.tickets, done_or_failed(Verb::Stop, job.failures)));
    }

    fn finish_exit(&mut self, job: Job<F>) {
        self.exited = true;
        self.say(Say::Exited);
        let Some(asked) = &mut self.exit else { return };
        asked.failures.extend(job.failures);
        let failures = std::mem::take(&mut asked.failures);
        let tickets = std::mem::take(&mut asked.tickets);
        let afterwards = std::mem::take(&mut asked.afterwards);
        asked.exit = asked.exit.clone().after_failures(!failures.is_empty());
        let exit = asked.exit.clone();
        let verb = if exit.is_restart() { Verb::Restart } else { Verb::Exit };
        // First of all, so that whoever is answered finds the bus exited.
        self.errands.push_back(Errand::Exited(exit));
        for (tickets, answer) in afterwards {
            self.errands.push_back(Errand::Answer(tickets, answer));
        }
        self.errands.push_back(Errand::Answer(tickets, done_or_failed(verb, failures)));
    }

    /// If nobody objects and nothing has come in between, the restart is an exit from here on.
    fn finish_look(&mut self, job: Job<F>) {
        let answer = if !job.failures.is_empty() {
            self.say(Say::NotRestarted);
            Answer::Vetoed(Verb::Restart, job.failures)
        } else if let Some(asked) = &self.exit {
            Answer::Interrupted(Verb::Restart, asked.exit.clone())
        } else {
            job.restart.into_iter().for_each(|exit| self.note_exit(exit));
            return self.exit.iter_mut().for_each(|asked| asked.tickets.extend(&job.tickets));
        };
        self.errands.push_back(Errand::Answer(job.tickets, answer));
    }

    fn finish_prepare(&mut self, mut job: Job<F>, now: Tick) {
        let verdict = if !job.failures.is_empty() {
            Some(Answer::Vetoed(Verb::Graceful, std::mem::take(&mut job.failures)))
        } else {
            let exit = self.exit.as_ref().map(|asked| asked.exit.clone());
            exit.map(|exit| Answer::Interrupted(Verb::Graceful, exit))
        };
        job.phase = if verdict.is_some() { Phase::Abort } else { Phase::Commit };
        job.todo = std::mem::take(&mut job.called).into();
        if verdict.is_some() {
            job.todo.make_contiguous().reverse();
        }
        job.verdict = verdict;
        job.total = now.saturating_add(self.limits.graceful.total);
        self.effects.push(Effect::Began { phase: job.phase, settings: None });
        self.job = Some(job);
    }

    fn finish_graceful(&mut self, tickets: Vec<TicketId>, answer: Answer<F>) {
        self.effects.push(Effect::Reloaded(answer.clone()));
        self.say(Say::Reloaded(matches!(answer, Answer::Done | Answer::Failed(..))));
        self.errands.push_back(Errand::Answer(tickets, answer));
    }
}

fn done_or_failed<F>(verb: Verb, failures: Vec<F>) -> Answer<F> {
    if failures.is_empty() { Answer::Done } else { Answer::Failed(verb, failures) }
}
