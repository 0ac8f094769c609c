//! The listeners of the running phase, and one call of one of them.

use std::sync::Arc;

use crate::channel::{Listeners, Tag, exit_in};
use crate::core::Core;
use crate::failure::{Failure, Reason};
use crate::foreign::quietly;
use crate::listener::guarded;
use crate::machine::{Entry, Outcome, Phase, Say};
use crate::message::{Commit, Exiting, Graceful, Level, Restarting, Start, Stop};
use crate::registry::BuiltIn;
use crate::sync::Mutex;
use crate::topic::{EXIT, GRACEFUL, RESTART, START, STOP};

/// The snapshot that a phase began with: what is subscribed later counts from the next one.
#[derive(Clone)]
pub(crate) enum Round {
    Start(Arc<Listeners<Start, ()>>),
    Stop(Arc<Listeners<Stop, ()>>),
    Exit(Arc<Listeners<Exiting, ()>>),
    Look(Arc<Listeners<Restarting, ()>>),
    Graceful(Arc<Listeners<Graceful, Commit>>, Arc<Commits>),
}

/// What the graceful listeners returned, each in its place.
pub(crate) struct Commits(Mutex<Vec<Slot>>);

enum Slot {
    Waiting,
    Ready(Commit),
    /// Taken, or no longer wanted: the commit of a listener that was given up is dropped when it comes after all.
    Closed,
}

impl Commits {
    fn new(count: usize) -> Commits {
        Commits(Mutex::new((0..count).map(|_| Slot::Waiting).collect()))
    }

    fn put(&self, index: usize, commit: Commit) {
        let mut slots = self.0.lock();
        if let slot @ Slot::Waiting = &mut slots[index] {
            *slot = Slot::Ready(commit);
        }
        // Otherwise the commit is dropped below, after the lock: arguments outlive the locals of a function.
    }

    fn take(&self, index: usize) -> Option<Commit> {
        let slot = std::mem::replace(&mut self.0.lock()[index], Slot::Closed);
        match slot {
            Slot::Ready(commit) => Some(commit),
            Slot::Waiting | Slot::Closed => None,
        }
    }
}

impl Round {
    /// Takes the snapshot for a phase that calls listeners; a commit and an abort go on with what they have.
    pub(crate) fn of(phase: Phase, channels: &BuiltIn) -> Round {
        match phase {
            Phase::Start => Round::Start(channels.start.snapshot()),
            Phase::Stop => Round::Stop(channels.stop.snapshot()),
            Phase::Exit => Round::Exit(channels.exit.snapshot()),
            Phase::Look => Round::Look(channels.restart.snapshot()),
            Phase::Prepare | Phase::Commit | Phase::Abort => {
                let listeners = channels.graceful.snapshot();
                let commits = Commits::new(listeners.tags().len());
                Round::Graceful(listeners, Arc::new(commits))
            }
        }
    }

    pub(crate) fn plan(&self, channels: &BuiltIn) -> Vec<Entry> {
        let starts = channels.start.snapshot();
        let paired =
            |tag: &Tag| tag.plugin.is_some() && starts.tags().iter().any(|start| start.plugin == tag.plugin);
        self.tags().iter().map(|tag| Entry { plugin: tag.plugin, paired: paired(tag) }).collect()
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        match self {
            Round::Start(listeners) => listeners.tags(),
            Round::Stop(listeners) => listeners.tags(),
            Round::Exit(listeners) => listeners.tags(),
            Round::Look(listeners) => listeners.tags(),
            Round::Graceful(listeners, _) => listeners.tags(),
        }
    }

    pub(crate) fn channel(&self) -> &'static str {
        match self {
            Round::Start(_) => START.name(),
            Round::Stop(_) => STOP.name(),
            Round::Exit(_) => EXIT.name(),
            Round::Look(_) => RESTART.name(),
            Round::Graceful(..) => GRACEFUL.name(),
        }
    }
}

/// One thing that the lane does with no lock held.
pub(crate) enum Task {
    Call(Round, usize, Message),
    Say(Say<Failure>),
}

/// What the listener is told.
pub(crate) enum Message {
    Start(Start),
    Stop(Stop),
    Exit(Exiting),
    Look(Restarting),
    Prepare(Graceful),
    Commit,
    Abort,
}

impl Task {
    /// Foreign code runs in here: it may fail, panic, or never return. This does not panic.
    pub(crate) fn perform(self, core: &Core) -> Outcome<Failure> {
        match self {
            Task::Say(say) => {
                core.say(&say);
                quietly(|| drop(say));
                Outcome::Ok
            }
            Task::Call(round, index, message) => {
                let outcome = match guarded(|| call(&round, index, message)) {
                    Ok(()) => Outcome::Ok,
                    Err(reason) => outcome(&round, index, reason),
                };
                quietly(|| drop(round));
                outcome
            }
        }
    }
}

fn call(round: &Round, index: usize, message: Message) -> anyhow::Result<()> {
    match (round, message) {
        (Round::Start(listeners), Message::Start(start)) => listeners.hear(index, &start),
        (Round::Stop(listeners), Message::Stop(stop)) => listeners.hear(index, &stop),
        (Round::Exit(listeners), Message::Exit(exiting)) => listeners.hear(index, &exiting),
        (Round::Look(listeners), Message::Look(restarting)) => listeners.hear(index, &restarting),
        (Round::Graceful(listeners, commits), Message::Prepare(graceful)) => {
            commits.put(index, listeners.hear(index, &graceful)?);
            Ok(())
        }
        (Round::Graceful(_, commits), Message::Commit) => commits.take(index).map_or(Ok(()), Commit::run),
        (Round::Graceful(_, commits), Message::Abort) => {
            drop(commits.take(index));
            Ok(())
        }
        _ => Ok(()), // a message is always built for the round beside it
    }
}

fn outcome(round: &Round, index: usize, reason: Reason) -> Outcome<Failure> {
    match exit_in(&reason) {
        Some(exit) => {
            quietly(|| drop(reason));
            Outcome::Exit(exit)
        }
        None => Outcome::Failed(reason.by(&round.tags()[index].name, round.channel())),
    }
}

impl Core {
    fn say(&self, say: &Say<Failure>) {
        match say {
            Say::Entered(state) => self.log(Level::Info, format!("Bus {state}")),
            Say::Exited => self.log(Level::Info, "Bus EXITED".to_owned()),
            Say::Graceful => self.log(Level::Info, "Bus graceful".to_owned()),
            Say::Reloaded(true) => self.log(Level::Info, "Bus reloaded".to_owned()),
            Say::Reloaded(false) => {
                self.log(Level::Warn, "not reloaded: everything goes on as it was".to_owned());
            }
            Say::NotRestarted => {
                self.log(Level::Warn, "not restarted: everything goes on as it was".to_owned());
            }
            Say::Restart(exit) => self.log(Level::Info, format!("Bus {exit}")),
            Say::Failed(failure) => self.log_failure(failure),
            Say::StartFailed => self.log(Level::Error, "the start failed, so the bus exits".to_owned()),
        }
    }
}
