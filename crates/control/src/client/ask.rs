//! Asking, and finding out how it ended even where the site can no longer say.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use sitebus_bus::State;

use super::Client;
use super::error::{AskError, ConnectError};
use super::lines::is_end;
use super::outcome::{Event, Outcome};
use crate::command::{Command, Request};
use crate::protocol::{Answer, EventLine, Hello, Status, Verdict, write_request};

/// How often somebody looks for a socket that nothing tells of.
const LOOK: Duration = Duration::from_millis(20);
/// How long one look may take.
const ONE_LOOK: Duration = Duration::from_secs(2);

impl Client {
    /// Asks, and waits for the answer until `deadline`. Meanwhile the site's events go to `hear`.
    ///
    /// A `stop` that is waited for is done when the site's process is gone. If the connection ends before the answer to a
    /// `restart`, the new image is looked for and asked.
    ///
    /// # Errors
    /// [`AskError`]: the time is over, or the site has ended without an answer. That it refused is an [`Outcome`]. After an
    /// error, connect anew.
    pub fn ask(
        &mut self,
        request: impl Into<Request>,
        deadline: Instant,
        mut hear: impl FnMut(&Event),
    ) -> Result<Outcome, AskError> {
        let request = request.into();
        let mut last = self.hello.state.clone();
        let answer = self.talk(request, deadline, &mut |event| {
            if let Event::Accepted(state) | Event::State(state) = event {
                last.clone_from(state);
            }
            hear(event);
        });
        match answer {
            Ok(Some(outcome)) if request.command == Command::Stop && request.wait => {
                self.wait_for_the_end(outcome, deadline)
            }
            Ok(Some(outcome)) => Ok(outcome),
            Ok(None) => self.without_an_answer(request, deadline, &mut hear),
            Err(AskError::TimedOut { .. }) => Err(self.out_of_patience(request, &last)),
            Err(error) => Err(error),
        }
    }

    /// The answer may still come, and must not be taken for that to the next question.
    fn out_of_patience(&mut self, request: Request, last: &str) -> AskError {
        self.lines.close();
        let command = request.command;
        AskError::TimedOut {
            why: format!("{command} had not been done; it still goes on, and the site was last {last}"),
        }
    }

    /// Sends a request and reads up to its answer; nothing if the connection ends before.
    fn talk(
        &mut self,
        request: Request,
        deadline: Instant,
        hear: &mut dyn FnMut(&Event),
    ) -> Result<Option<Outcome>, AskError> {
        match self.lines.write(&write_request(request), deadline) {
            Err(cause) if !is_end(&cause) => return Err(failed(cause)),
            _ => {} // there may be a last word
        }
        while let Some(line) = self.lines.next(deadline).map_err(failed)? {
            if let Ok(answer) = serde_json::from_str::<Answer>(&line) {
                return Ok(Some(Outcome::of(answer)));
            }
            let event: EventLine =
                serde_json::from_str(&line).map_err(|cause| AskError::Foreign { why: cause.to_string() })?;
            hear(&Event::of(event));
        }
        Ok(None)
    }

    /// The site has exited; done is done when its process is gone.
    fn wait_for_the_end(&mut self, outcome: Outcome, deadline: Instant) -> Result<Outcome, AskError> {
        if outcome.verdict() != Verdict::Done && outcome.verdict() != Verdict::Failed {
            return Ok(outcome);
        }
        let late = |what: &str| AskError::TimedOut { why: format!("{}, but {what}", outcome.message()) };
        loop {
            match self.lines.next(deadline) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(cause) if cause.kind() == io::ErrorKind::TimedOut => {
                    return Err(late("it has not closed its socket"));
                }
                Err(cause) => return Err(AskError::Io(cause)),
            }
        }
        if !self.hello.process_ends {
            return Ok(outcome);
        }
        let Some(process) = &self.process else { return Ok(outcome) };
        if process.wait(Some(deadline)).map_err(AskError::Io)? {
            return Ok(outcome);
        }
        Err(late(&format!("its process {} still runs", process.id())))
    }

    /// The connection has ended. The truth, as far as it can be known.
    fn without_an_answer(
        &mut self,
        request: Request,
        deadline: Instant,
        hear: &mut dyn FnMut(&Event),
    ) -> Result<Outcome, AskError> {
        match request.command {
            Command::Restart if request.wait => self.look_for_the_new_image(deadline, hear),
            Command::Stop if request.wait && self.ends_by(deadline)? => {
                Ok(Outcome::new(Verdict::Done, "the site is gone; it ended before it could say how"))
            }
            _ => Err(self.ended()),
        }
    }

    fn look_for_the_new_image(
        &mut self,
        deadline: Instant,
        hear: &mut dyn FnMut(&Event),
    ) -> Result<Outcome, AskError> {
        let mut known = String::new();
        loop {
            let now = Instant::now();
            if now >= deadline {
                let why = "the site was to restart, and the new image was not STARTED".to_owned();
                return Err(AskError::TimedOut { why });
            }
            match Client::connect(&self.path, deadline.min(now + ONE_LOOK)) {
                Ok(other) if other.hello.instance == self.hello.instance => return Err(self.ended()),
                Ok(mut other) => {
                    let until = deadline.min(now + ONE_LOOK);
                    let status = other.talk(Request::new(Command::Status), until, &mut |_| {}).ok().flatten();
                    let state = status.and_then(|status| status.status()).map(|Status { state, .. }| state);
                    if let Some(state) = state.filter(|state| *state != known) {
                        hear(&Event::State(state.clone()));
                        known = state;
                    }
                    if known == State::Started.to_string() {
                        return Ok(of_the_new_image(&other.hello));
                    }
                }
                Err(ConnectError::NotRunning { .. }) if self.has_ended() == Some(true) => {
                    return Err(self.ended());
                }
                Err(ConnectError::NotPermitted { .. }) => return Err(self.ended()),
                Err(_) => {}
            }
            thread::park_timeout(LOOK);
        }
    }

    /// Waits for the end of the process; false if that cannot be seen or does not come.
    fn ends_by(&self, deadline: Instant) -> Result<bool, AskError> {
        self.process.as_ref().map_or(Ok(false), |process| process.wait(Some(deadline)).map_err(AskError::Io))
    }

    fn has_ended(&self) -> Option<bool> {
        self.process.as_ref().and_then(|process| process.has_ended().ok())
    }

    fn ended(&self) -> AskError {
        // Its connections are closed a moment before the process is gone.
        let gone = self.process.as_ref().and_then(|process| process.wait(Some(Instant::now() + LOOK)).ok());
        let known = match (gone, self.pid) {
            (Some(true), Some(pid)) => {
                format!("its process {pid} is gone; what it was asked for may be half done")
            }
            (Some(false), Some(pid)) => format!("its process {pid} still runs; ask for its status"),
            _ => "ask for its status".to_owned(),
        };
        AskError::Ended { known, gone }
    }
}

fn of_the_new_image(hello: &Hello) -> Outcome {
    match &hello.failed_restart {
        None => Outcome::new(Verdict::Done, "the site has restarted"),
        Some(why) => Outcome::new(
            Verdict::Failed,
            format!("the restart failed, and the site runs on in the old image: {why}"),
        ),
    }
}

fn failed(cause: io::Error) -> AskError {
    match cause.kind() {
        io::ErrorKind::TimedOut => AskError::TimedOut { why: cause.to_string() },
        _ => AskError::Io(cause),
    }
}
