//! A bus with a control socket, and peers of both kinds: our client, and whoever writes what they like.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, Limits};
use sitebus_control::{Client, Command, Control, Event, Outcome, Request, Settings, Subscribed};
pub(crate) use sitebus_testkit::own_process::LONG;

pub(crate) struct Site {
    pub(crate) bus: Bus,
    pub(crate) control: Subscribed,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn soon() -> Instant {
    Instant::now() + LONG
}

pub(crate) fn settings(folder: &tempfile::TempDir) -> Settings {
    let mut settings = Settings::at(folder.path().join("control.sock"));
    settings.process_ends = false;
    settings.version = "1.2.3".to_owned();
    settings
}

/// Limits that no test reaches.
pub(crate) fn patient_bus() -> Bus {
    Bus::builder("shop").limits(Limits::all(LONG * 10, LONG * 10)).build()
}

impl Site {
    pub(crate) fn new() -> Site {
        Site::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder);
        change(&mut settings);
        let bus = patient_bus();
        let control = Control::new(settings).subscribe(&bus).unwrap();
        Site { bus, control, folder }
    }

    pub(crate) fn started() -> Site {
        let site = Site::new();
        site.bus.start().unwrap();
        site
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.control.path().to_owned()
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.control.path(), soon()).unwrap()
    }

    pub(crate) fn ask(&self, command: Command) -> Outcome {
        self.client().ask(command, soon(), |_| {}).unwrap()
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::to(self.control.path())
    }
}

/// Asks in a thread of its own; its events come one by one.
pub(crate) struct Asking {
    pub(crate) events: std::sync::mpsc::Receiver<Event>,
    pub(crate) outcome: std::thread::JoinHandle<Outcome>,
}

pub(crate) fn ask_aside(mut client: Client, request: impl Into<Request>) -> Asking {
    let (sender, events) = std::sync::mpsc::channel();
    let request = request.into();
    let hear = move |event: &Event| drop(sender.send(event.clone()));
    let outcome = std::thread::spawn(move || client.ask(request, soon(), hear).unwrap());
    Asking { events, outcome }
}

impl Asking {
    pub(crate) fn expect(&self, event: &Event) {
        loop {
            let next = self.events.recv_timeout(LONG).unwrap();
            if next == *event {
                return;
            }
        }
    }

    pub(crate) fn outcome(self) -> Outcome {
        self.outcome.join().unwrap()
    }
}

/// Somebody who writes what they like.
pub(crate) struct Peer {
    pub(crate) stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Peer {
    pub(crate) fn to(path: &std::path::Path) -> Peer {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Peer { stream, reader }
    }

    pub(crate) fn send(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).unwrap();
    }

    /// The next line; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.reader.read_line(&mut line);
        line.trim_end().to_owned()
    }

    /// The next line, which must be the last one.
    pub(crate) fn last_line(&mut self) -> String {
        let line = self.line();
        assert_eq!(self.line(), "", "after {line}");
        line
    }
}

pub(crate) fn request(command: &str) -> String {
    format!("{{\"version\":1,\"command\":\"{command}\"}}\n")
}

pub(crate) const MOMENT: Duration = Duration::from_millis(50);
