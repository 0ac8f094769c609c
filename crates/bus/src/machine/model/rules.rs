//! The promises of the machine, each a function and a sentence.

use super::super::{Answer, Effect, Phase, State, Work};
use super::explore::Situation;
use super::story::{Fact, Story};
use super::world::{Fault, Wish, World, limits};
use crate::failure::Verb;

/// Held against each fact, before the story learns of it.
type OfFacts = fn(&World, &Story, &Fact) -> bool;
/// Held against each situation, and against each end.
type OfSituations = fn(&World, &Situation) -> bool;

pub(super) const OF_FACTS: &[(&str, OfFacts)] = &[
    ("no step is issued, and nothing begins, while a step runs", one_thing_at_a_time),
    ("no listener runs twice for one transition, and all run in their order", in_order_and_once),
    ("every ticket is answered exactly once", no_second_answer),
    ("every answer is the one that the table demands", the_answer_fits),
    ("a failed start is answered with the original error, once everything is over", the_original_error),
    ("states follow the picture", states_follow_the_picture),
    ("stop listeners run at most once per start", one_stop_per_start),
    ("a stop mirrors what began: paired listeners only if their start began, bare ones once", stop_mirrors),
    ("STOPPED is reached only through all stop listeners, even if some failed", all_are_stopped),
    ("exit listeners run exactly once, all of them", exit_listeners_run_once),
    ("nothing of a start, a look or a commit begins once an exit forbids it", an_exit_skips_the_rest),
    ("a start is done only when all its listeners have run and none has failed", started_means_all),
    ("a veto commits nothing", a_veto_commits_nothing),
    ("a restart comes only after everybody has looked and nobody has objected", a_restart_is_looked_at),
    ("an abort takes back what was prepared, all of it and in reverse", an_abort_mirrors),
    ("a reload that goes through commits everything, in order", a_commit_is_complete),
    ("nobody is hurried without a reason", no_hurry_without_reason),
    (
        "what has run out of time calls nobody else; a stop and an exit go on in a hurry",
        out_of_time_is_the_end,
    ),
    ("a late report changes nothing", late_reports_change_nothing),
    ("no exit comes unasked", no_exit_unasked),
    ("a plain exit wins over a restart", a_plain_exit_wins),
    ("an exit keeps its code, and success becomes failure after failures", the_code_is_true),
];

pub(super) const OF_SITUATIONS: &[(&str, OfSituations)] = &[
    ("whoever waits for a state is told of it: no state is entered in silence", no_state_in_silence),
    ("no exit is lost: the machine knows of it from the moment it was asked", the_exit_is_known),
    ("an exit cancels the start or the look that runs", an_exit_cancels),
    ("a second exit hurries what drains", a_second_exit_hurries),
    ("a deadline stands exactly while a step runs", a_deadline_per_step),
    ("a hurried exit leaves a start or a look that holds it up no more than a last call", a_last_call),
];

pub(super) const OF_ENDS: &[(&str, OfSituations)] = &[
    ("no exit is lost: once asked, every run ends exited", every_run_ends_exited),
    ("every ticket is answered exactly once", every_ticket_is_answered),
    ("no transition is left half way", no_transition_is_left_half_way),
    ("the last one who asked gets what they asked for", the_last_one_gets_it),
];

fn one_thing_at_a_time(_: &World, story: &Story, fact: &Fact) -> bool {
    let begins = matches!(fact, Fact::Stepped(_) | Fact::Told(Effect::Began { .. } | Effect::Entered(_)));
    !begins || story.running.is_none()
}

fn in_order_and_once(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Stepped(Work::Listener { phase, index }) = fact else { return true };
    let in_order = match (story.called(*phase).last(), phase) {
        (None, _) => true,
        (Some(last), Phase::Abort) => index < last,
        (Some(last), _) => index > last,
    };
    story.open == Some(*phase) && in_order
}

fn no_second_answer(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Told(Effect::Answered(ticket, _)) = fact else { return true };
    story.receipt(*ticket).answer.is_none()
}

fn the_answer_fits(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Told(Effect::Answered(ticket, answer)) = fact else { return true };
    let receipt = story.receipt(*ticket);
    let leaving = story.wanted.is_some();
    match (receipt.wish, answer) {
        (Wish::Start, Answer::Done) => story.state == State::Started,
        (Wish::Start, Answer::Failed(Verb::Start, _)) => true, // see the_original_error
        (Wish::Start, Answer::Interrupted(Verb::Start, _)) => leaving && story.state == State::Starting,
        (Wish::Start, Answer::Refused(Verb::Start, _)) => leaving,
        (Wish::Stop, Answer::Done) if receipt.after_the_end => story.exited.is_some(),
        (Wish::Stop, Answer::Done) => story.state == State::Stopped && story.stops == 1,
        (Wish::Stop, Answer::Failed(Verb::Stop, faults)) => {
            story.state == State::Stopped && !faults.is_empty() && faults == story.faults(Phase::Stop)
        }
        (Wish::Stop, Answer::Refused(Verb::Stop, _)) => leaving && !receipt.after_the_end,
        (Wish::Graceful | Wish::Settings, Answer::Refused(Verb::Graceful, _)) => leaving,
        (Wish::Graceful | Wish::Settings, answer) => {
            story.reloaded.as_ref() == Some(answer) && a_true_report_of_a_reload(story, answer)
        }
        (Wish::Restart, Answer::Refused(Verb::Restart, exit)) => leaving && !exit.is_restart(),
        (Wish::Restart, _) if receipt.after_plain_exit => false,
        (Wish::Restart, Answer::Vetoed(Verb::Restart, faults)) => {
            !faults.is_empty() && faults == story.faults(Phase::Look)
        }
        // A plain exit has come over it.
        (Wish::Restart, Answer::Interrupted(Verb::Restart, exit)) => {
            !exit.is_restart() && story.wanted.is_some_and(|wanted| !wanted.restart)
        }
        (Wish::Restart, Answer::Done) if story.exited.as_ref().is_some_and(|exit| !exit.is_restart()) => {
            false
        }
        (Wish::Exit(_) | Wish::Restart, Answer::Done) => {
            story.exited.is_some() && (story.way_out.is_empty() || receipt.after_the_end)
        }
        (Wish::Exit(_) | Wish::Restart, Answer::Failed(verb, faults)) => {
            let restart = story.exited.as_ref().is_some_and(|exit| exit.is_restart());
            let fits = *verb == if restart { Verb::Restart } else { Verb::Exit };
            story.exited.is_some() && fits && !faults.is_empty() && *faults == story.way_out
        }
        _ => false,
    }
}

fn a_true_report_of_a_reload(story: &Story, answer: &Answer<Fault>) -> bool {
    match answer {
        Answer::Done => story.faults(Phase::Commit).is_empty(),
        Answer::Failed(Verb::Graceful, faults) => !faults.is_empty() && faults == story.faults(Phase::Commit),
        Answer::Vetoed(Verb::Graceful, faults) => {
            !faults.is_empty() && faults == story.faults(Phase::Prepare)
        }
        Answer::Interrupted(Verb::Graceful, _) => story.wanted.is_some(),
        _ => false,
    }
}

fn the_original_error(_: &World, story: &Story, fact: &Fact) -> bool {
    match fact {
        Fact::Told(Effect::Answered(_, Answer::Failed(Verb::Start, faults))) => {
            !faults.is_empty() && faults == story.faults(Phase::Start) && story.exited.is_some()
        }
        _ => true,
    }
}

fn states_follow_the_picture(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Told(Effect::Entered(state)) = fact else { return true };
    matches!(
        (story.state, state),
        (State::Stopped, State::Starting | State::Exiting)
            // What was never started may still have bare stop listeners.
            | (State::Stopped, State::Stopping)
            | (State::Starting, State::Started | State::Stopping)
            | (State::Started, State::Stopping)
            | (State::Stopping, State::Stopped)
    )
}

fn one_stop_per_start(_: &World, story: &Story, fact: &Fact) -> bool {
    !matches!(fact, Fact::Told(Effect::Began { phase: Phase::Stop, .. })) || story.stops == 0
}

fn stop_mirrors(world: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Stepped(Work::Listener { phase: Phase::Stop, index }) = fact else { return true };
    story.to_be_stopped(world).contains(index)
}

fn all_are_stopped(world: &World, story: &Story, fact: &Fact) -> bool {
    !matches!(fact, Fact::Told(Effect::Entered(State::Stopped)))
        || story.called(Phase::Stop) == story.to_be_stopped(world)
}

fn exit_listeners_run_once(world: &World, story: &Story, fact: &Fact) -> bool {
    match fact {
        Fact::Told(Effect::Began { phase: Phase::Exit, .. }) => story.exits == 0,
        Fact::Told(Effect::Exited(_)) => {
            story.exited.is_none()
                && story.exits == 1
                && story.called(Phase::Exit).len() == world.exit.len()
                && story.state == State::Exiting
        }
        _ => true,
    }
}

fn an_exit_skips_the_rest(_: &World, story: &Story, fact: &Fact) -> bool {
    let forbidden = match fact {
        Fact::Stepped(Work::Listener { phase, .. }) => phase.yields_to_an_exit(),
        // A commit that has begun goes on to its end: half of it would be worse.
        Fact::Told(Effect::Began { phase, .. }) => phase.yields_to_an_exit() || *phase == Phase::Commit,
        Fact::Told(Effect::Entered(state)) => matches!(state, State::Starting | State::Started),
        _ => false,
    };
    !forbidden || story.wanted.is_none()
}

fn started_means_all(world: &World, story: &Story, fact: &Fact) -> bool {
    !matches!(fact, Fact::Told(Effect::Entered(State::Started)))
        || (story.called(Phase::Start).len() == world.start.len() && story.faults(Phase::Start).is_empty())
}

fn a_veto_commits_nothing(world: &World, story: &Story, fact: &Fact) -> bool {
    !matches!(fact, Fact::Told(Effect::Began { phase: Phase::Commit, .. }))
        || (story.called(Phase::Prepare).len() == world.graceful.len()
            && story.faults(Phase::Prepare).is_empty())
}

fn a_restart_is_looked_at(world: &World, story: &Story, fact: &Fact) -> bool {
    !matches!(fact, Fact::RestartDecided)
        || (story.called(Phase::Look).len() == world.restart.len()
            && story.faults(Phase::Look).is_empty()
            && story.open == Some(Phase::Look))
}

fn an_abort_mirrors(_: &World, story: &Story, fact: &Fact) -> bool {
    let ends = matches!(fact, Fact::Told(Effect::Reloaded(_))) && story.open == Some(Phase::Abort);
    !ends || story.called(Phase::Abort).iter().eq(story.called(Phase::Prepare).iter().rev())
}

fn a_commit_is_complete(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Told(Effect::Reloaded(answer)) = fact else { return true };
    match answer {
        Answer::Done | Answer::Failed(..) => {
            story.open == Some(Phase::Commit) && story.called(Phase::Commit) == story.called(Phase::Prepare)
        }
        _ => story.open == Some(Phase::Abort),
    }
}

fn no_hurry_without_reason(_: &World, story: &Story, fact: &Fact) -> bool {
    let out_of_time = story.given_up > 0;
    !matches!(fact, Fact::Told(Effect::Hurry)) || story.hurry_is_due || out_of_time
}

fn out_of_time_is_the_end(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Stepped(Work::Listener { phase, .. }) = fact else { return true };
    // As the limits are here, two that overran have used up the total.
    let out_of_time = story.faults(*phase).iter().filter(|fault| fault.overran).count() >= 2;
    match phase {
        Phase::Start | Phase::Look | Phase::Prepare => !out_of_time,
        Phase::Stop | Phase::Exit => !out_of_time || story.hurried,
        Phase::Commit | Phase::Abort => true,
    }
}

fn late_reports_change_nothing(_: &World, _: &Story, fact: &Fact) -> bool {
    !matches!(fact, Fact::ReportedLate { believed: true, .. } | Fact::ReportedLate { changed: true, .. })
}

fn no_exit_unasked(_: &World, story: &Story, fact: &Fact) -> bool {
    match fact {
        Fact::Told(Effect::Cancel) => story.wanted.is_some() && !story.cancelled,
        Fact::Told(Effect::Exited(_) | Effect::Began { phase: Phase::Exit, .. }) => story.wanted.is_some(),
        _ => true,
    }
}

fn a_plain_exit_wins(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Told(Effect::Exited(exit)) = fact else { return true };
    story.wanted.is_some_and(|wanted| wanted.restart == exit.is_restart())
}

fn the_code_is_true(_: &World, story: &Story, fact: &Fact) -> bool {
    let Fact::Told(Effect::Exited(exit)) = fact else { return true };
    let asked = story.wanted.map_or(0, |wanted| wanted.code);
    let due = if asked == 0 && !story.way_out.is_empty() { 1 } else { asked };
    exit.code() == due
}

fn no_state_in_silence(_: &World, now: &Situation) -> bool {
    now.machine.state() == now.story.state
}

fn the_exit_is_known(_: &World, now: &Situation) -> bool {
    now.story.wanted.is_none() || now.machine.exit().is_some()
}

fn an_exit_cancels(_: &World, now: &Situation) -> bool {
    let runs = now.story.open.is_some_and(Phase::yields_to_an_exit);
    !runs || now.story.wanted.is_none() || now.story.cancelled
}

fn a_second_exit_hurries(_: &World, now: &Situation) -> bool {
    !now.story.hurry_is_due || now.story.hurried
}

fn a_deadline_per_step(_: &World, now: &Situation) -> bool {
    now.machine.deadline().is_some() == now.story.running.is_some()
}

fn a_last_call(_: &World, now: &Situation) -> bool {
    let holds_up =
        matches!(now.story.running, Some(Work::Listener { phase, .. }) if phase.yields_to_an_exit());
    !holds_up || !now.machine.hurried() || now.time_left() <= Some(limits().last_call)
}

fn every_run_ends_exited(_: &World, end: &Situation) -> bool {
    end.story.wanted.is_some() == end.story.exited.is_some()
}

fn every_ticket_is_answered(_: &World, end: &Situation) -> bool {
    end.story.receipts.iter().all(|receipt| receipt.answer.is_some())
}

fn no_transition_is_left_half_way(_: &World, end: &Situation) -> bool {
    let resting = match end.story.state {
        State::Stopped | State::Started => end.story.exited.is_none(),
        State::Exiting => end.story.exited.is_some(),
        State::Starting | State::Stopping => false,
    };
    resting && end.story.open.is_none()
}

fn the_last_one_gets_it(_: &World, end: &Situation) -> bool {
    end.story.exited.is_some()
        || match end.story.last {
            Some(Wish::Start) => end.story.state == State::Started,
            _ => end.story.state == State::Stopped,
        }
}
