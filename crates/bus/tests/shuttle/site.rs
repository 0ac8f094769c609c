//! A bus with listeners that note when they are called, and the promises that hold for every such note.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use shuttle::thread;
use sitebus_bus::{Bus, Clock, Done, EXIT, Error, LOG, Priority, STOP, State};

use crate::checker::hold;

pub(crate) type Outcome = Result<Done, Error>;

/// What happened, in order: the states that the log tells of, and the listeners that were called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Entered(State),
    Start(&'static str),
    Stop(&'static str),
    Exit(&'static str),
    Exited,
}

/// The standard library's lock: it is held for no longer than a push, so no schedule needs to switch there.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<Note>>>);

impl Notes {
    pub(crate) fn add(&self, note: Note) {
        let known = self.all();
        self.0.lock().unwrap().push(note.clone());
        match note {
            Note::Entered(state) => states_follow_the_picture(&known, state),
            Note::Start(name) => no_start_listener_runs_twice(&known, name),
            Note::Stop(name) => stop_listeners_run_once_per_start(&known, name),
            Note::Exit(name) => exit_listeners_run_once(&known, name),
            Note::Exited => {}
        }
    }

    pub(crate) fn all(&self) -> Vec<Note> {
        self.0.lock().unwrap().clone()
    }
}

fn states_follow_the_picture(known: &[Note], state: State) {
    let before = known.iter().rev().find_map(|note| match note {
        Note::Entered(state) => Some(*state),
        _ => None,
    });
    let follows = matches!(
        (before.unwrap_or(State::Stopped), state),
        (State::Stopped, State::Starting | State::Stopping | State::Exiting)
            | (State::Starting, State::Started | State::Stopping)
            | (State::Started, State::Stopping)
            | (State::Stopping, State::Stopped)
    );
    hold(follows, "states follow the picture");
}

/// What was noted since the last start.
fn since_the_start(known: &[Note]) -> &[Note] {
    let start = known.iter().rposition(|note| *note == Note::Entered(State::Starting));
    &known[start.unwrap_or(0)..]
}

fn no_start_listener_runs_twice(known: &[Note], name: &'static str) {
    let again = since_the_start(known).contains(&Note::Start(name));
    hold(!again, "no listener runs twice for one transition, and all run in their order");
}

fn stop_listeners_run_once_per_start(known: &[Note], name: &'static str) {
    let since = since_the_start(known);
    hold(!since.contains(&Note::Stop(name)), "stop listeners run at most once per start");
    let mirrored = name == BARE || since.contains(&Note::Start(name));
    hold(mirrored, "a stop mirrors what began: paired listeners only if their start began, bare ones once");
}

fn exit_listeners_run_once(known: &[Note], name: &'static str) {
    hold(!known.contains(&Note::Exit(name)), "exit listeners run exactly once, all of them");
}

/// The name of the listeners that belong to no plugin.
pub(crate) const BARE: &str = "bare";
/// The plugin that listens to everything.
pub(crate) const SHOP: &str = "shop";

/// A bus with one plugin and bare listeners, whose time stands still.
pub(crate) struct Site {
    pub(crate) bus: Bus,
    pub(crate) notes: Notes,
}

impl Site {
    pub(crate) fn new() -> Site {
        let site = Site {
            bus: Bus::builder("site").clock(Arc::new(Stopped::now())).build(),
            notes: Notes::default(),
        };
        site.note_states();
        site.note_listeners();
        site
    }

    /// The log tells of each state before its first listener runs.
    fn note_states(&self) {
        let notes = self.notes.clone();
        self.bus.on(LOG).unwrap().subscribe("notes", move |record| {
            let entered = [State::Stopped, State::Starting, State::Started, State::Stopping, State::Exiting];
            let state = entered.into_iter().find(|state| record.message == format!("Bus {state}"));
            state.into_iter().for_each(|state| notes.add(Note::Entered(state)));
            if record.message == "Bus EXITED" {
                notes.add(Note::Exited);
            }
        });
    }

    fn note_listeners(&self) {
        let [start, stop, exit, bare_stop, bare_exit] = [(); 5].map(|()| self.notes.clone());
        let plugin = self.bus.plugin(SHOP);
        plugin.on_start(Priority::DEFAULT, move |_| start.add(Note::Start(SHOP)));
        plugin.on_stop(Priority::DEFAULT, move |_| stop.add(Note::Stop(SHOP)));
        plugin.on_exit(Priority::DEFAULT, move |_| exit.add(Note::Exit(SHOP)));
        self.bus.on(STOP).unwrap().subscribe(BARE, move |_| bare_stop.add(Note::Stop(BARE)));
        self.bus.on(EXIT).unwrap().subscribe(BARE, move |_| bare_exit.add(Note::Exit(BARE)));
    }

    /// Blocks until it has exited, and looks back.
    pub(crate) fn end(self) {
        let _ = self.bus.block();
        everything_ended(&self.notes);
    }
}

/// What holds for every site that has exited.
pub(crate) fn everything_ended(notes: &Notes) {
    let notes = notes.all();
    let exits = notes.iter().filter(|note| matches!(note, Note::Exit(_))).count();
    hold(exits == 2, "exit listeners run exactly once, all of them");
    let stopped = since_the_start(&notes);
    let began = stopped.contains(&Note::Start(SHOP));
    let mirrored = stopped.contains(&Note::Stop(BARE)) && stopped.contains(&Note::Stop(SHOP)) == began;
    hold(mirrored, "a stop mirrors what began: paired listeners only if their start began, bare ones once");
    hold(notes.last() == Some(&Note::Exited), "whoever is told of the exit finds it done");
}

/// What kind of answer it is.
pub(crate) fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Ok(Done::Done) => "done",
        Ok(Done::Noted) => "noted",
        Err(Error::Refused { .. }) => "refused",
        Err(Error::Failed { .. }) => "failed",
        Err(Error::Vetoed { .. }) => "vetoed",
        Err(Error::Interrupted { .. }) => "interrupted",
        Err(_) => "another error",
    }
}

/// Holds if the answer is of one of these kinds.
pub(crate) fn answered(outcome: &Outcome, allowed: &[&str]) {
    hold(allowed.contains(&kind(outcome)), "every answer is the one that the table demands");
}

/// Runs this in a thread of its own.
pub(crate) fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(work)
}

pub(crate) fn join_all<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A clock that stands still.
struct Stopped(Instant);

impl Stopped {
    fn now() -> Stopped {
        Stopped(Instant::now())
    }
}

impl Clock for Stopped {
    fn now(&self) -> Instant {
        self.0
    }

    fn moves_by_hand(&self, moved: Arc<dyn Fn() + Send + Sync>) -> bool {
        drop(moved);
        true
    }
}
