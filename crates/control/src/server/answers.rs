//! What each command does, and what is answered.

use sitebus_bus::{Done, Error, Exit, Failures, Handle, Level, SettingsMap, State, Ticket, topics};
use sitebus_os::parcel::Item;

use super::{Life, Server, until};
use crate::command::{Command, Request};
use crate::connection::{Connection, Pending, Stage};
use crate::errands::Errand;
use crate::inheritance;
use crate::mailbox::{Fruit, Note};
use crate::protocol::{
    self, ACCEPTED, Answer, Ended, EventLine, REPLACING, STATE_CHANGED, Verdict, channel, timing,
};

impl Connection {
    /// Whether this image still owes it an answer.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Waiting(Pending::Ticket(..) | Pending::Errand(..)))
    }

    fn acts(&self) -> bool {
        match self.stage {
            Stage::Waiting(Pending::Ticket(..) | Pending::NextImage | Pending::NewImage) => true,
            Stage::Waiting(Pending::Errand(command, _)) => command.acts(),
            _ => false,
        }
    }
}

impl Server {
    pub(super) fn request(&mut self, place: usize, line: &[u8]) {
        match protocol::read_request(line) {
            Ok(request) => self.begin(place, request),
            Err((answer, true)) => self.dismiss(place, &answer),
            Err((answer, false)) => self.answer(place, &answer),
        }
    }

    fn begin(&mut self, place: usize, Request { command, wait }: Request) {
        let bus = self.plugin.handle().clone();
        if command.acts() {
            let peer = self.people.all[place].peer;
            self.errands.log(Level::Info, format!("{command}: asked by {peer}"));
        }
        match command {
            Command::Ping => {
                let hello = self.facts.hello(&bus, &self.settings);
                self.answer(place, &Answer::new(Verdict::Done, "here").with_data(hello));
            }
            Command::Timings => {
                let all: Vec<_> = bus.timings().iter().map(timing).collect();
                let message = format!("{} listeners, slowest first", all.len());
                self.answer(place, &Answer::new(Verdict::Done, message).with_data(all));
            }
            Command::Channels => {
                let all: Vec<_> = bus.channels().iter().map(channel).collect();
                let message = format!("{} channels", all.len());
                self.answer(place, &Answer::new(Verdict::Done, message).with_data(all));
            }
            Command::Status => self.begin_status(place),
            Command::Reopen => self.begin_reopen(place, wait),
            Command::Stop | Command::Reload | Command::Restart => {
                if wait {
                    self.accepted(place); // first, so that the phases come after it
                }
                let ticket = ask(&bus, command, &self.people.all[place]);
                self.begin_to_wait(place, command, ticket, wait);
            }
        }
    }

    fn begin_to_wait(&mut self, place: usize, command: Command, ticket: Ticket, wait: bool) {
        if wait {
            let connection = &mut self.people.all[place];
            if !connection.is_gone() {
                connection.stage = Stage::Waiting(Pending::Ticket(command, ticket)); // the next turn looks at it
            }
            return;
        }
        let answer = match ticket.outcome() {
            Some(Err(error)) => not_done(&error),
            _ => Answer::new(Verdict::Asked, format!("the site was asked for a {command}")),
        };
        self.answer(place, &answer);
    }

    fn begin_status(&mut self, place: usize) {
        let bus = self.plugin.handle();
        let nobody =
            |info: &sitebus_bus::ChannelInfo| info.name == topics::STATUS.name() && info.listeners.is_empty();
        if bus.channels().iter().any(nobody) {
            return self.answer_status(place, Vec::new(), None);
        }
        let id = self.people.all[place].id;
        if !self.errands.leave(Errand::Lines(id)) {
            return self.errand_is_late(place, Command::Status);
        }
        let until = until(self.settings.status_time);
        self.people.all[place].stage = Stage::Waiting(Pending::Errand(Command::Status, until));
    }

    fn begin_reopen(&mut self, place: usize, wait: bool) {
        let id = self.people.all[place].id;
        if !self.errands.leave(Errand::Reopen(id)) {
            return self.errand_is_late(place, Command::Reopen);
        }
        if wait {
            self.accepted(place);
            let until = until(self.settings.reopen_time);
            self.people.all[place].stage = Stage::Waiting(Pending::Errand(Command::Reopen, until));
        } else {
            self.answer(place, &Answer::new(Verdict::Asked, "the site was asked to open its logs again"));
        }
    }

    /// Someone else's listener hangs, and the peer is not to hang too.
    pub(super) fn errand_is_late(&mut self, place: usize, command: Command) {
        const WHY: &str = "a listener on 'status', 'reopen' or 'log' has not returned";
        if let Command::Status = command {
            let missing = format!("{WHY} within {:?}", self.settings.status_time);
            return self.answer_status(place, Vec::new(), Some(missing));
        }
        let time = self.settings.reopen_time;
        self.answer(
            place,
            &Answer::new(Verdict::Failed, format!("{command} was not done within {time:?}: {WHY}")),
        );
    }

    fn answer_status(&mut self, place: usize, more: Vec<(String, String)>, missing: Option<String>) {
        let status = self.facts.status(self.plugin.handle(), &self.settings, more, missing);
        let message = format!("the site '{}' is {}, process {}", status.name, status.state, status.pid);
        self.answer(place, &Answer::new(Verdict::Done, message).with_data(status));
    }

    /// Everything that others have told.
    pub(super) fn take_notes(&mut self) -> Life {
        while let Ok(note) = self.notes.try_recv() {
            match note {
                Note::Close => return Life::Closed,
                Note::State(state) => self.entered(state),
                Note::Listening(address) => self.facts.listening(address),
                Note::Reloaded => self.facts.reloaded(),
                Note::Settings(settings) => self.settings = settings,
                Note::Errand(id, fruit) => self.errand_is_done(id, fruit),
                Note::HandOn(reply) => drop(reply.send(self.hand_on())),
            }
        }
        Life::GoesOn
    }

    /// From here on nobody is accepted or listened to: that is for the next image. Who waits for something else than a
    /// restart still gets an answer from this one.
    fn hand_on(&mut self) -> Vec<Item> {
        let mut items = Vec::from_iter(self.door.hand_on());
        self.people.handed_on = !items.is_empty();
        for connection in self.people.all.iter_mut().filter(|peer| !peer.has_unread()) {
            let asks = matches!(connection.stage, Stage::Asking(_));
            let waits = waits_for_a_new_image(connection);
            match connection.hand_on() {
                Some((descriptor, _)) if waits => items.push(inheritance::waiting(descriptor)),
                Some((descriptor, sent)) if asks => {
                    items.push(inheritance::asking(descriptor, sent));
                    connection.stage = Stage::HandedOn;
                }
                _ => {}
            }
        }
        items
    }

    fn entered(&mut self, state: State) {
        self.facts.entered(state);
        let line = EventLine::new(STATE_CHANGED, Some(state)).line();
        for connection in self.people.all.iter_mut().filter(|connection| connection.acts()) {
            connection.say(&line, &self.settings);
        }
        if state == State::Started {
            let answer = self.facts.of_the_restart();
            self.answer_all_who_wait_for_this_image(&answer);
        }
    }

    fn errand_is_done(&mut self, id: u64, fruit: Fruit) {
        let waits =
            |peer: &Connection| peer.id == id && matches!(peer.stage, Stage::Waiting(Pending::Errand(..)));
        let Some(place) = self.people.all.iter().position(waits) else { return };
        match fruit {
            Fruit::Lines(lines, failures) => {
                let missing = failures.map(|failures: Failures| failures.to_string());
                self.answer_status(place, lines, missing);
            }
            Fruit::Reopened(Ok(())) => {
                self.answer(place, &Answer::new(Verdict::Done, "files were opened again"));
            }
            Fruit::Reopened(Err(failures)) => {
                let message = format!("reopen failed: {failures}");
                self.answer(place, &Answer::new(Verdict::Failed, message).with_failures(Some(&failures)));
            }
        }
    }

    /// The bus has decided.
    pub(super) fn decided(&mut self, place: usize, command: Command, outcome: Result<Done, Error>) {
        match (command, outcome) {
            (_, Err(error)) => self.answer(place, &not_done(&error)),
            // Whether the new image comes up is for that one to say.
            (Command::Restart, Ok(_)) => {
                self.people.all[place].stage = Stage::Waiting(Pending::NextImage);
            }
            (Command::Stop, Ok(_)) => self.answer(place, &Answer::new(Verdict::Done, "the site has exited")),
            (_, Ok(_)) => self.answer(place, &Answer::new(Verdict::Done, "the new settings are taken up")),
        }
    }

    /// The bus has exited and was never STARTED.
    pub(super) fn answer_those_who_wait_for_this_image(&mut self) {
        let exit = self.plugin.handle().exit_asked();
        if exit.as_ref().is_some_and(Exit::is_restart) {
            return; // it is for the image after this one
        }
        let why = exit.map_or_else(|| "it is gone".to_owned(), |exit| exit.to_string());
        let message = format!("the new image did not come up: {why}");
        self.answer_all_who_wait_for_this_image(&Answer::new(Verdict::Failed, message));
    }

    fn answer_all_who_wait_for_this_image(&mut self, answer: &Answer) {
        for place in 0..self.people.all.len() {
            if let Stage::Waiting(Pending::NewImage) = self.people.all[place].stage {
                self.answer(place, answer);
            }
        }
    }

    /// To those who waited for a restart: from here on this image knows nothing.
    pub(super) fn say_that_a_new_image_follows(&mut self) {
        let line = EventLine::new(REPLACING, None).line();
        for connection in self.people.all.iter_mut().filter(|peer| waits_for_a_new_image(peer)) {
            connection.say(&line, &self.settings);
        }
    }

    fn accepted(&mut self, place: usize) {
        let line = EventLine::new(ACCEPTED, Some(self.facts.state())).line();
        self.people.all[place].say(&line, &self.settings);
    }

    /// Answers, and listens to the next request.
    pub(super) fn answer(&mut self, place: usize, answer: &Answer) {
        let next = Stage::Asking(until(self.settings.request_time));
        let connection = &mut self.people.all[place];
        if !connection.is_gone() {
            connection.stage = next;
            connection.say(&answer.line(), &self.settings);
        }
    }

    /// Answers, and lets the peer go.
    pub(super) fn dismiss(&mut self, place: usize, answer: &Answer) {
        let connection = &mut self.people.all[place];
        connection.say(&answer.line(), &self.settings);
        connection.leave();
    }
}

fn waits_for_a_new_image(connection: &Connection) -> bool {
    let command = Command::Restart;
    match &connection.stage {
        Stage::Waiting(Pending::Ticket(asked, _)) => *asked == command,
        Stage::Waiting(Pending::NextImage | Pending::NewImage) => true,
        _ => false,
    }
}

fn ask(bus: &Handle, command: Command, connection: &Connection) -> Ticket {
    let by = format!("the command {command} ({})", connection.peer);
    match command {
        Command::Reload => bus.ask_graceful(SettingsMap::new()),
        Command::Restart => bus.ask_restart(by),
        _ => bus.ask_exit(Exit::success(by)),
    }
}

fn not_done(error: &Error) -> Answer {
    let verdict = match error {
        Error::Refused { .. } | Error::Vetoed { .. } => Verdict::Refused,
        _ => Verdict::Failed,
    };
    Answer::new(verdict, error.to_string()).with_failures(error.failures())
}

/// How the last reload went.
pub(super) fn ended(outcome: Result<(), Error>) -> Ended {
    let answer = match &outcome {
        Ok(()) => Answer::new(Verdict::Done, "the new settings were taken up"),
        Err(error) => not_done(error),
    };
    Ended { result: answer.result, message: answer.message }
}
