//! The table of verbs and states, cell by cell.

use super::super::{Answer, Phase, Say, State, TicketId, Work};
use super::explore::{Event, Situation};
use super::world::{End, Fault, Wish, World};
use crate::exit::Exit as Ending;
use crate::failure::Verb;

use Wish::{Exit, Graceful, Restart, Settings, Start, Stop};

/// One run of a world with one plugin that listens everywhere, and one bare listener before it.
struct Run {
    world: World,
    now: Situation,
    /// The listeners that were called since this was last looked at.
    called: Vec<(Phase, usize)>,
}

impl Run {
    fn new() -> Run {
        let all = [None, Some(1)];
        let world = World::of(&all, &all, &all, &all).looks(2);
        Run { now: Situation::new(&world), world, called: Vec::new() }
    }

    /// A run that has come to the first listener of this phase.
    fn at(phase: Phase) -> Run {
        let mut run = Run::new();
        let asked = match phase {
            Phase::Start => vec![Start],
            Phase::Stop => vec![Start, Stop],
            Phase::Exit => vec![Start, Exit(0)],
            Phase::Look => vec![Start, Restart],
            Phase::Prepare | Phase::Commit | Phase::Abort => vec![Start, Graceful],
        };
        for wish in asked {
            run.ask(wish);
        }
        run.until(&Work::Listener { phase, index: 0 });
        run.called.clear();
        run
    }

    fn started() -> Run {
        let mut run = Run::new();
        run.ask(Start);
        run.rest();
        run.called.clear();
        run
    }

    fn exited() -> Run {
        let mut run = Run::at(Phase::Exit);
        run.rest();
        run.called.clear();
        run
    }

    fn ask(&mut self, wish: Wish) -> TicketId {
        let ticket = TicketId(self.now.story.receipts.len() as u64);
        self.now.ask(&self.world, wish, false).unwrap();
        self.now.settle(&self.world).unwrap();
        ticket
    }

    fn play(&mut self, event: Event) {
        self.now.play(&self.world, event).unwrap();
        if let (Event::Lane, Some(Work::Listener { phase, index })) = (event, &self.now.story.running) {
            self.called.push((*phase, *index));
        }
    }

    /// One step of the lane; false if it is at rest.
    fn go_on(&mut self) -> bool {
        let next = self.now.events(&self.world).into_iter().next();
        next.is_some_and(|event| {
            self.play(event);
            true
        })
    }

    fn rest(&mut self) {
        while self.go_on() {}
    }

    fn until(&mut self, work: &Work<Fault>) {
        while self.now.story.running.as_ref() != Some(work) {
            assert!(self.go_on(), "{work:?} never came");
        }
    }

    fn answer(&self, ticket: TicketId) -> Option<&Answer<Fault>> {
        self.now.story.receipt(ticket).answer.as_ref()
    }

    #[track_caller]
    fn is_done(&self, ticket: TicketId) {
        assert_eq!(self.answer(ticket), Some(&Answer::Done));
    }

    #[track_caller]
    fn is_refused(&self, ticket: TicketId, verb: Verb) {
        assert!(matches!(self.answer(ticket), Some(Answer::Refused(asked, _)) if *asked == verb));
    }

    #[track_caller]
    fn waits(&self, ticket: TicketId) {
        assert_eq!(self.answer(ticket), None);
    }

    /// What was called since: each phase with its two listeners.
    #[track_caller]
    fn ran(&mut self, phases: &[Phase]) {
        let both = phases.iter().flat_map(|phase| [(*phase, 0), (*phase, 1)]).collect::<Vec<_>>();
        assert_eq!(self.called, both);
    }
}

#[test]
fn start_asked_in_stopped_runs() {
    let mut run = Run::new();
    let start = run.ask(Start);
    run.rest();
    run.ran(&[Phase::Start]);
    run.is_done(start);
    assert_eq!(run.now.machine.state(), State::Started);
}

#[test]
fn start_asked_in_starting_joins() {
    let mut run = Run::at(Phase::Start);
    let second = run.ask(Start);
    run.waits(second);
    run.rest();
    assert_eq!(run.called, [(Phase::Start, 1)], "only the rest of the one start");
    run.is_done(second);
}

#[test]
fn start_asked_in_started_is_done() {
    let mut run = Run::started();
    let second = run.ask(Start);
    run.rest();
    run.ran(&[]);
    run.is_done(second);
}

#[test]
fn start_asked_in_stopping_is_queued() {
    let mut run = Run::at(Phase::Stop);
    let start = run.ask(Start);
    run.rest();
    assert_eq!(run.called, [(Phase::Stop, 1), (Phase::Start, 0), (Phase::Start, 1)]);
    run.is_done(start);
}

#[test]
fn start_asked_after_an_exit_is_refused_and_so_is_one_that_waited() {
    let mut run = Run::at(Phase::Stop);
    let waiting = run.ask(Start);
    run.ask(Exit(0));
    run.is_refused(waiting, Verb::Start);
    let late = run.ask(Start);
    run.is_refused(late, Verb::Start);
    let mut run = Run::exited();
    let too_late = run.ask(Start);
    run.is_refused(too_late, Verb::Start);
}

#[test]
fn stop_asked_in_stopped_runs_bare_listeners_once_and_then_is_done() {
    let mut run = Run::new();
    let stop = run.ask(Stop);
    run.rest();
    assert_eq!(run.called, [(Phase::Stop, 0)], "the plugin never began");
    run.is_done(stop);
    let again = run.ask(Stop);
    run.rest();
    assert_eq!(run.called.len(), 1);
    run.is_done(again);
}

#[test]
fn stop_asked_in_starting_is_queued() {
    let mut run = Run::at(Phase::Start);
    let stop = run.ask(Stop);
    run.waits(stop);
    run.rest();
    assert_eq!(run.called, [(Phase::Start, 1), (Phase::Stop, 0), (Phase::Stop, 1)]);
    run.is_done(stop);
}

#[test]
fn stop_asked_in_started_runs_and_a_new_start_allows_another() {
    let mut run = Run::started();
    let stop = run.ask(Stop);
    run.rest();
    run.is_done(stop);
    run.ask(Start);
    run.ask(Stop);
    run.rest();
    run.ran(&[Phase::Stop, Phase::Start, Phase::Stop]);
}

#[test]
fn stop_asked_in_stopping_joins() {
    let mut run = Run::at(Phase::Stop);
    let second = run.ask(Stop);
    run.rest();
    assert_eq!(run.called, [(Phase::Stop, 1)]);
    run.is_done(second);
}

#[test]
fn stop_asked_after_an_exit_is_refused_and_done_once_exited() {
    let mut run = Run::at(Phase::Exit);
    let stop = run.ask(Stop);
    run.is_refused(stop, Verb::Stop);
    run.until(&Work::Say(Say::Exited));
    let at_the_last_line = run.ask(Stop);
    run.waits(at_the_last_line);
    run.rest();
    run.is_done(at_the_last_line);
    let late = run.ask(Stop);
    run.is_done(late);
}

#[test]
fn exit_asked_in_stopped_stops_first_if_that_was_not_done() {
    let mut run = Run::new();
    let exit = run.ask(Exit(0));
    run.rest();
    assert_eq!(run.called, [(Phase::Stop, 0), (Phase::Exit, 0), (Phase::Exit, 1)]);
    run.is_done(exit);

    let mut run = Run::started();
    run.ask(Stop);
    run.rest();
    run.ask(Exit(0));
    run.rest();
    run.ran(&[Phase::Stop, Phase::Exit]);
}

#[test]
fn exit_asked_in_starting_skips_the_rest_and_stops_what_began() {
    let mut run = Run::new();
    let start = run.ask(Start);
    run.until(&Work::Listener { phase: Phase::Start, index: 0 });
    let exit = run.ask(Exit(0));
    run.rest();
    let expected = [(Phase::Start, 0), (Phase::Stop, 0), (Phase::Exit, 0), (Phase::Exit, 1)];
    assert_eq!(run.called, expected, "the plugin never began");
    assert!(matches!(run.answer(start), Some(Answer::Interrupted(Verb::Start, _))));
    run.is_done(exit);
}

#[test]
fn exit_asked_in_started_stops_and_exits() {
    let mut run = Run::started();
    let exit = run.ask(Exit(0));
    run.rest();
    run.ran(&[Phase::Stop, Phase::Exit]);
    run.is_done(exit);
    assert!(!run.now.story.hurried);
}

#[test]
fn exit_asked_in_stopping_comes_after_it() {
    let mut run = Run::at(Phase::Stop);
    let exit = run.ask(Exit(0));
    run.waits(exit);
    run.rest();
    assert_eq!(run.called, [(Phase::Stop, 1), (Phase::Exit, 0), (Phase::Exit, 1)]);
    run.is_done(exit);
}

#[test]
fn exit_asked_again_joins_and_hurries() {
    let mut run = Run::started();
    let first = run.ask(Exit(0));
    run.until(&Work::Listener { phase: Phase::Stop, index: 0 });
    assert!(!run.now.machine.hurried());
    let second = run.ask(Exit(3));
    assert!(run.now.machine.hurried());
    run.rest();
    run.ran(&[Phase::Stop, Phase::Exit]);
    run.is_done(first);
    run.is_done(second);
    assert_eq!(run.now.story.exited.as_ref().map(Ending::code), Some(0), "the first one counts");
    let late = run.ask(Exit(0));
    run.is_done(late);
}

#[test]
fn exit_asked_by_a_listener_is_noted_and_hurries_nobody() {
    let mut run = Run::at(Phase::Exit);
    run.now.ask(&run.world, Exit(0), true).unwrap();
    run.now.settle(&run.world).unwrap();
    assert!(!run.now.machine.hurried());
}

#[test]
fn restart_asked_after_an_exit_is_refused_and_a_plain_exit_wins_over_a_restart() {
    let mut run = Run::at(Phase::Exit);
    let restart = run.ask(Restart);
    run.is_refused(restart, Verb::Restart);
    let mut run = Run::exited();
    let restart = run.ask(Restart);
    run.is_refused(restart, Verb::Restart);

    let mut run = Run::started();
    run.ask(Restart);
    run.until(&Work::Listener { phase: Phase::Exit, index: 0 });
    assert!(run.now.machine.exit().unwrap().is_restart());
    run.ask(Restart);
    assert!(!run.now.machine.hurried());
    run.ask(Exit(0));
    run.rest();
    assert!(!run.now.story.exited.unwrap().is_restart());
}

#[test]
fn restart_asked_in_stopped_and_in_started_looks_and_then_exits() {
    for (mut run, stop) in
        [(Run::new(), vec![(Phase::Stop, 0)]), (Run::started(), vec![(Phase::Stop, 0), (Phase::Stop, 1)])]
    {
        let restart = run.ask(Restart);
        run.rest();
        let looks = [(Phase::Look, 0), (Phase::Look, 1)].into_iter();
        let exits = [(Phase::Exit, 0), (Phase::Exit, 1)];
        assert!(run.called.iter().copied().eq(looks.chain(stop).chain(exits)));
        run.is_done(restart);
        assert!(run.now.story.exited.unwrap().is_restart());
    }
}

#[test]
fn restart_asked_in_starting_and_in_stopping_is_queued_and_one_that_waits_is_joined() {
    for phase in [Phase::Start, Phase::Stop] {
        let mut run = Run::at(phase);
        let (first, second) = (run.ask(Restart), run.ask(Restart));
        run.waits(first);
        run.until(&Work::Listener { phase: Phase::Look, index: 1 });
        assert_eq!(run.called, [(phase, 1), (Phase::Look, 0), (Phase::Look, 1)]);
        let third = run.ask(Restart);
        run.rest();
        for ticket in [first, second, third] {
            run.is_done(ticket);
        }
        let looks = run.called.iter().filter(|(phase, _)| *phase == Phase::Look).count();
        assert_eq!(looks, 2, "one look for all three");
    }
}

#[test]
fn restarts_that_wait_while_another_is_looked_at_join_it_when_it_comes() {
    let mut run = Run::at(Phase::Look);
    let start = run.ask(Start);
    let waiting = run.ask(Restart);
    run.rest();
    run.is_refused(start, Verb::Start);
    run.is_done(waiting);
}

#[test]
fn a_restart_to_which_somebody_objects_changes_nothing() {
    let mut run = Run::started();
    run.world.ends = vec![End::Fails];
    let restart = run.ask(Restart);
    run.rest();
    run.ran(&[Phase::Look]);
    assert!(matches!(run.answer(restart), Some(Answer::Vetoed(Verb::Restart, faults)) if faults.len() == 2));
    assert_eq!(run.now.machine.state(), State::Started);
    assert!(run.now.machine.exit().is_none());
}

#[test]
fn an_exit_while_a_restart_is_looked_at_comes_instead_of_it() {
    let mut run = Run::at(Phase::Look);
    let restart = TicketId(1);
    run.ask(Exit(3));
    assert!(run.now.story.cancelled);
    run.rest();
    run.ran(&[Phase::Stop, Phase::Exit]);
    assert!(matches!(run.answer(restart), Some(Answer::Interrupted(Verb::Restart, _))));
    assert_eq!(run.now.story.exited.map(|exit| exit.code()), Some(3));
}

#[test]
fn graceful_asked_in_stopped_and_in_started_prepares_and_commits() {
    for mut run in [Run::new(), Run::started()] {
        let state = run.now.machine.state();
        let graceful = run.ask(Graceful);
        run.rest();
        run.ran(&[Phase::Prepare, Phase::Commit]);
        run.is_done(graceful);
        assert_eq!(run.now.machine.state(), state);
    }
}

#[test]
fn graceful_asked_in_starting_and_in_stopping_is_queued() {
    for phase in [Phase::Start, Phase::Stop] {
        let mut run = Run::at(phase);
        let graceful = run.ask(Graceful);
        run.waits(graceful);
        run.rest();
        run.is_done(graceful);
        assert_eq!(run.called.remove(0), (phase, 1));
        run.ran(&[Phase::Prepare, Phase::Commit]);
    }
}

#[test]
fn graceful_asked_after_an_exit_is_refused() {
    for mut run in [Run::at(Phase::Exit), Run::exited()] {
        let graceful = run.ask(Graceful);
        run.is_refused(graceful, Verb::Graceful);
    }
}

#[test]
fn plain_reloads_that_wait_are_one_and_those_with_settings_are_not() {
    let mut run = Run::at(Phase::Start);
    let tickets = [Graceful, Graceful, Settings, Settings].map(|wish| run.ask(wish));
    run.rest();
    for ticket in tickets {
        run.is_done(ticket);
    }
    assert_eq!(run.called.remove(0), (Phase::Start, 1));
    run.ran(&[Phase::Prepare, Phase::Commit].repeat(3));
}

#[test]
fn an_exit_during_the_looks_takes_back_what_was_prepared() {
    let mut run = Run::at(Phase::Prepare);
    run.play(Event::Ends(End::Ok));
    run.until(&Work::Listener { phase: Phase::Prepare, index: 1 });
    run.ask(Exit(0));
    run.called.clear();
    run.until(&Work::Listener { phase: Phase::Stop, index: 0 });
    assert_eq!(run.called, [(Phase::Abort, 1), (Phase::Abort, 0), (Phase::Stop, 0)]);
    assert!(matches!(run.now.story.reloaded, Some(Answer::Interrupted(Verb::Graceful, _))));
}

#[test]
fn an_exit_during_the_commits_lets_them_end() {
    let mut run = Run::at(Phase::Commit);
    run.ask(Exit(0));
    run.rest();
    assert_eq!(run.called.remove(0), (Phase::Commit, 1));
    run.ran(&[Phase::Stop, Phase::Exit]);
    assert_eq!(run.now.story.reloaded, Some(Answer::Done));
}

#[test]
fn a_start_asked_after_a_stop_that_waits_is_queued_behind_it() {
    let mut run = Run::at(Phase::Start);
    let (stop, start) = (run.ask(Stop), run.ask(Start));
    run.rest();
    assert_eq!(run.called.remove(0), (Phase::Start, 1));
    run.ran(&[Phase::Stop, Phase::Start]);
    run.is_done(stop);
    run.is_done(start);
    assert_eq!(run.now.machine.state(), State::Started);
}
