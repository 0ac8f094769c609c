//! The thread that serves peers. It waits for all of them at once, and for the bus, and runs no code but its own.

mod answers;
mod facts;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sitebus_bus::{Level, Plugin, When};
use sitebus_os::peer::Peer;
use sitebus_os::ready::{self, Bell, Interest, Ready};

use crate::connection::{Connection, Heard, Pending, Stage};
use crate::door::Door;
use crate::errands::Errands;
use crate::inheritance::Inheritance;
use crate::mailbox::Note;
use crate::protocol::{Answer, Verdict};
use crate::settings::Settings;

pub(crate) use self::facts::Facts;

/// How many are accepted before those who are there are looked at again.
const AT_ONCE: usize = 64;
/// How long nobody is accepted when the process has no descriptor left.
const REST: Duration = Duration::from_millis(100);
/// How long the last answers may take once the bus has exited.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Refusals are logged no more often than this.
const QUIET: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    pub(crate) plugin: Plugin,
    pub(crate) settings: Settings,
    pub(crate) bell: Arc<Bell>,
    pub(crate) notes: Receiver<Note>,
    pub(crate) door: Door,
    pub(crate) errands: Errands,
    pub(crate) facts: Facts,
    pub(crate) people: People,
    /// Closed when the thread ends.
    pub(crate) working: Sender<()>,
}

/// Those who are connected.
#[derive(Default)]
pub(crate) struct People {
    all: Vec<Connection>,
    next: u64,
    /// Nobody is accepted until then.
    rest: Option<Instant>,
    /// The socket is the next image's from now on.
    handed_on: bool,
    /// When a refusal was logged last, and how many have been passed over since.
    refused: Option<(Instant, u64)>,
}

enum Life {
    GoesOn,
    /// The bus has exited.
    Exited,
    /// Whoever subscribed the plugin has ended it.
    Closed,
}

impl Server {
    /// The body of the thread.
    pub(crate) fn run(mut self) {
        let none: [sitebus_bus::State; 0] = [];
        let mut end = self.plugin.handle().when(none); // answered only when the bus has exited
        loop {
            match self.turn(&mut end) {
                Ok(Life::GoesOn) => {}
                Ok(Life::Closed) => return self.close(false),
                Ok(Life::Exited) => return self.last_words(),
                Err(cause) => {
                    let message = format!("the control socket is closed, for waiting on it failed: {cause}");
                    self.errands.log(Level::Error, message);
                    return self.close(false);
                }
            }
        }
    }

    fn turn(&mut self, end: &mut When) -> io::Result<Life> {
        self.bell.hush(); // before looking, so that what comes meanwhile rings again
        if let Life::Closed = self.take_notes() {
            return Ok(Life::Closed);
        }
        self.look_at_tickets();
        let waker = Waker::from(Arc::clone(&self.bell));
        if Pin::new(end).poll(&mut Context::from_waker(&waker)).is_ready() {
            return Ok(Life::Exited);
        }
        self.look_at_the_clock();
        self.people.all.retain(|connection| !connection.is_gone());
        let (door, peers) = self.wait(self.deadline())?;
        self.serve(&peers);
        if door {
            self.accept();
        }
        Ok(Life::GoesOn)
    }

    fn deadline(&self) -> Option<Instant> {
        if self.people.all.iter().any(Connection::has_more) {
            return Some(Instant::now());
        }
        self.people.all.iter().filter_map(Connection::deadline).chain(self.people.rest).min()
    }

    /// Waits until somebody wants something: whether somebody is at the door, and what each peer is ready for.
    fn wait(&self, deadline: Option<Instant>) -> io::Result<(bool, Vec<Ready>)> {
        let people = &self.people;
        let resting = people.handed_on || people.rest.is_some_and(|until| until > Instant::now());
        let peers: Vec<(BorrowedFd<'_>, Interest)> =
            people.all.iter().map(|peer| (peer.as_fd(), peer.interest())).collect();
        let mut asked = vec![(self.bell.as_fd(), Interest::Read)];
        if !resting {
            asked.push((self.door.listener.as_fd(), Interest::Read));
        }
        let first = asked.len();
        asked.extend(peers);
        let mut ready = ready::wait(&asked, deadline)?;
        let peers = ready.split_off(first);
        Ok((!resting && ready[1].any(), peers))
    }

    fn serve(&mut self, ready: &[Ready]) {
        for (place, ready) in ready.iter().enumerate() {
            let connection = &mut self.people.all[place];
            if ready.write {
                connection.flush();
            }
            match connection.interest() {
                Interest::End if ready.end => connection.stage = Stage::Gone,
                Interest::Write if ready.end => connection.flush(), // fails, and ends it
                _ => {}
            }
            let asks = matches!(connection.stage, Stage::Asking(_)) && !connection.has_unread();
            if asks && (ready.read || ready.end || connection.has_more()) {
                let heard = connection.hear(&self.settings);
                self.heard(place, heard);
            }
        }
    }

    fn heard(&mut self, place: usize, heard: Heard) {
        match heard {
            Heard::Nothing => {}
            Heard::Line(line) => self.request(place, &line),
            Heard::TooLong => {
                let message = format!(
                    "not understood: a request is one line of at most {} bytes",
                    self.settings.request_bytes
                );
                self.dismiss(place, &Answer::new(Verdict::Invalid, message));
            }
        }
    }

    fn accept(&mut self) {
        for _ in 0..AT_ONCE {
            match self.door.accept() {
                Ok(stream) => self.welcome(stream),
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return,
                Err(cause) if cause.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.people.rest = Instant::now().checked_add(REST);
                    return;
                }
            }
        }
    }

    fn welcome(&mut self, stream: UnixStream) {
        let allowed = Peer::of(&stream).map_err(|error| error.to_string()).and_then(|peer| {
            let refusal = || format!("{peer} may not ask: only root and the user of this site's process may");
            if peer.is_root_or_us() { Ok(peer) } else { Err(refusal()) }
        });
        let peer = match allowed {
            Ok(peer) => peer,
            Err(why) => {
                turn_away(&stream, &Answer::new(Verdict::Denied, why.as_str()));
                return self.note_refusal(&why);
            }
        };
        if self.people.all.len() >= self.settings.connections {
            let message = format!(
                "{} others are connected, and no more may be: try again, or end one of them",
                self.people.all.len()
            );
            return turn_away(&stream, &Answer::new(Verdict::Busy, message));
        }
        let stage = Stage::Asking(until(self.settings.request_time));
        self.people.join(stream, peer, stage);
    }

    fn note_refusal(&mut self, why: &str) {
        match &mut self.people.refused {
            Some((last, passed_over)) if last.elapsed() < QUIET => *passed_over += 1,
            refused => {
                let before = refused.map_or(0, |(_, passed_over)| passed_over);
                *refused = Some((Instant::now(), 0));
                let others =
                    if before == 0 { String::new() } else { format!(" ({before} more were refused before)") };
                self.errands.log(Level::Warn, format!("refused at the control socket: {why}{others}"));
            }
        }
    }

    /// Tickets that have been decided are answered; of the others the bell is told.
    fn look_at_tickets(&mut self) {
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut context = Context::from_waker(&waker);
        for place in 0..self.people.all.len() {
            let Stage::Waiting(Pending::Ticket(command, ticket)) = &mut self.people.all[place].stage else {
                continue;
            };
            if let Poll::Ready(outcome) = Pin::new(ticket).poll(&mut context) {
                let command = *command;
                self.decided(place, command, outcome);
            }
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if self.people.rest.is_some_and(|until| until <= now) {
            self.people.rest = None;
        }
        for place in 0..self.people.all.len() {
            let late = self.people.all[place].look_at_the_clock(now);
            if late {
                let time = self.settings.request_time;
                let message = format!("no whole request came within {time:?}");
                self.dismiss(place, &Answer::new(Verdict::Invalid, message));
            } else if let Stage::Waiting(Pending::Errand(command, until)) = self.people.all[place].stage
                && until <= now
            {
                self.errand_is_late(place, command);
            }
        }
    }

    /// The bus has exited: whoever waits gets the outcome, and then the thread is over.
    fn last_words(mut self) {
        let until = until(LAST_WORDS);
        self.people.rest = Some(until); // nobody new
        loop {
            self.bell.hush();
            self.take_notes();
            self.look_at_tickets();
            self.answer_those_who_wait_for_this_image();
            self.people.all.retain(|connection| !connection.is_gone());
            let busy = |connection: &Connection| connection.is_busy() || connection.has_unread();
            if !self.people.all.iter().any(busy) || Instant::now() >= until {
                break;
            }
            let Ok((_, ready)) = self.wait(Some(until)) else { break };
            for (connection, ready) in self.people.all.iter_mut().zip(ready) {
                if ready.end {
                    connection.stage = Stage::Gone;
                } else if ready.write {
                    connection.flush();
                }
            }
        }
        let restarts = self.plugin.handle().exit_asked().is_some_and(|exit| exit.is_restart());
        if restarts {
            self.say_that_a_new_image_follows();
        }
        let handed_on = self.people.handed_on && restarts;
        self.close(handed_on);
    }

    fn close(self, leave_open: bool) {
        let Server { door, errands, people, working, .. } = self;
        if leave_open {
            door.leave_open();
        } else if let Err(cause) = door.close() {
            let message =
                format!("the control socket's file could not be removed: {cause}; it may stay there");
            errands.log(Level::Info, message);
        }
        errands.end(LAST_WORDS);
        drop(people); // last: a peer that sees the end of its connection finds no socket any more
        drop(working);
    }
}

fn until(time: Duration) -> Instant {
    const ENDLESS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    Instant::now() + time.min(ENDLESS)
}

impl People {
    fn join(&mut self, stream: UnixStream, peer: Peer, stage: Stage) {
        self.next += 1;
        self.all.push(Connection::new(self.next, stream, peer, stage));
    }

    /// Those who have come to the image before this one. Who they are was checked then.
    pub(crate) fn welcome_back(inheritance: Inheritance, settings: &Settings) -> People {
        let mut people = People::default();
        let until = until(settings.request_time);
        let asking =
            inheritance.asking.into_iter().map(|(stream, sent)| (stream, sent, Stage::Asking(until)));
        let wait = |stream| (stream, Vec::new(), Stage::Waiting(Pending::NewImage));
        for (stream, sent, stage) in inheritance.waiting.into_iter().map(wait).chain(asking) {
            if let (Ok(peer), Ok(())) = (Peer::of(&stream), stream.set_nonblocking(true)) {
                people.next += 1;
                people.all.push(Connection::new(people.next, stream, peer, stage).resumed(sent));
            }
        }
        people
    }
}

/// One line to somebody who is not let in. The socket is new, so there is room for it.
fn turn_away(stream: &UnixStream, answer: &Answer) {
    let _ = io::Write::write(&mut &*stream, answer.line().as_bytes());
}
