//! The plugin.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::ensure;
use sitebus_bus::{Commit, Graceful, Handle, Plugin, TopicClash, priority, topics};
use sitebus_os::parcel::{Inherited, Item};
use sitebus_os::ready::Bell;

use crate::door::Door;
use crate::errands::{Errands, thread_name};
use crate::error::ControlError;
use crate::inheritance::Inheritance;
use crate::mailbox::{Mailbox, Note};
use crate::server::{Facts, People, Server};
use crate::settings::Settings;

/// How long others wait for the server's thread, which itself never waits for anybody for long.
const PATIENCE: Duration = Duration::from_secs(3);

/// The plugin: a socket by which commands reach the bus.
#[derive(Debug, Default)]
pub struct Control {
    settings: Settings,
    inheritance: Inheritance,
    failed_restart: Option<String>,
}

/// The socket is open. Dropping this changes nothing.
pub struct Subscribed {
    plugin: Plugin,
    mailbox: Mailbox,
    path: PathBuf,
    through: Receiver<()>,
}

impl Control {
    /// With these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Control {
        Control { settings, inheritance: Inheritance::default(), failed_restart: None }
    }

    /// Goes on where the image before this one has stopped: the socket is kept, so that no connect was refused meanwhile,
    /// and whoever waits for the restart learns how it ended once this bus is STARTED, or has failed to start.
    #[must_use]
    pub fn inherit(mut self, inherited: &Inherited) -> Control {
        self.inheritance = Inheritance::take(inherited);
        self
    }

    /// There was to be a new image, but this is still the old one: whoever waits for the restart is told why.
    #[must_use]
    pub fn after_failed_restart(mut self, why: impl Into<String>) -> Control {
        self.failed_restart = Some(why.into());
        self
    }

    /// Makes the socket, now, and answers until the bus has exited and whoever waited knows.
    ///
    /// It makes two threads: whatever forks must have done so before.
    ///
    /// # Errors
    /// [`ControlError`] says what is in the way.
    pub fn subscribe(self, bus: &Handle) -> Result<Subscribed, ControlError> {
        let Control { mut settings, mut inheritance, failed_restart } = self;
        let absolute = std::path::absolute(&settings.path);
        settings.path = absolute.map_err(|cause| ControlError::Io { path: settings.path.clone(), cause })?;
        let (reopen, status) = (bus.on(topics::REOPEN)?, bus.on(topics::STATUS)?);
        let bell = Bell::new().map_err(ControlError::NoThread)?;
        let (sender, notes) = mpsc::channel();
        let mailbox = Mailbox::new(sender, bell.clone());
        let door = match inheritance.socket.take() {
            Some(found) => Door::take_over(&settings.path, found)?,
            None => Door::open(&settings.path)?,
        };
        let plugin = bus.plugin("control");
        listen(&plugin, &mailbox, &settings).inspect_err(|_| plugin.unsubscribe())?;
        let (working, through) = mpsc::channel();
        let path = settings.path.clone();
        let begun = Errands::begin(plugin.clone(), reopen, status, mailbox.clone()).and_then(|errands| {
            let facts = Facts::new(plugin.handle().state(), failed_restart);
            let people = People::welcome_back(inheritance, &settings);
            let server = Server {
                plugin: plugin.clone(),
                settings,
                bell,
                notes,
                door,
                errands,
                facts,
                people,
                working,
            };
            let name = thread_name(&plugin, "control");
            thread::Builder::new().name(name).spawn(move || server.run())
        });
        let thread = begun.map_err(ControlError::NoThread).inspect_err(|_| plugin.unsubscribe())?;
        bus.adopt("control", thread); // so that the last answers are out before the process ends, or is replaced
        Ok(Subscribed { plugin, mailbox, path, through })
    }
}

fn listen(plugin: &Plugin, mailbox: &Mailbox, settings: &Settings) -> Result<(), TopicClash> {
    let tell = mailbox.clone();
    plugin.on_state(priority::SITE, move |state| {
        tell.leave(Note::State(*state));
    });
    let tell = mailbox.clone();
    plugin.subscribe(topics::LISTENING, priority::SITE, move |address: &str| {
        tell.leave(Note::Listening(address.to_owned()));
    })?;
    let (tell, known) = (mailbox.clone(), settings.clone());
    plugin.on_graceful(priority::SITE, move |graceful| reload(graceful, &known, &tell));
    let tell = mailbox.clone();
    plugin.on_exit(priority::RELEASE, move |exiting| {
        if exiting.exit().is_restart() {
            hand_on(&tell).into_iter().for_each(|item| exiting.hand_on(item));
        }
    });
    Ok(())
}

fn reload(graceful: &Graceful, known: &Settings, mailbox: &Mailbox) -> anyhow::Result<Commit> {
    let new = graceful.get::<Settings>();
    if let Some(new) = &new {
        let path = std::path::absolute(&new.path)?;
        ensure!(
            path == known.path && new.process_ends == known.process_ends,
            "the control socket stays where it is as long as the process runs ({}): restart the site to move it",
            known.path.display()
        );
    }
    let (tell, path) = (mailbox.clone(), known.path.clone());
    Ok(Commit::new(move || {
        if let Some(new) = new {
            tell.leave(Note::Settings(Settings { path, ..Settings::clone(&new) }));
        }
        tell.leave(Note::Reloaded);
        Ok(())
    }))
}

/// What is to survive; nothing if the server is gone.
fn hand_on(mailbox: &Mailbox) -> Vec<Item> {
    let (reply, handed) = mpsc::sync_channel(1);
    let asked = mailbox.leave(Note::HandOn(reply));
    if asked { handed.recv_timeout(PATIENCE).unwrap_or_default() } else { Vec::new() }
}

impl Subscribed {
    /// Where the socket is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the socket and all connections, and removes the file if it is still ours. Waits for that, for a few seconds
    /// at most.
    pub fn unsubscribe(&self) {
        self.plugin.unsubscribe();
        self.mailbox.leave(Note::Close);
        let _ = self.through.recv_timeout(PATIENCE);
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed").field("path", &self.path).finish_non_exhaustive()
    }
}
