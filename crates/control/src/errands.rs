//! The thread that runs listeners of others, so that the one that serves peers runs no code but its own.

use std::io;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sitebus_bus::{Channel, Level, Plugin};

use crate::mailbox::{Fruit, Mailbox, Note};

/// Something that runs listeners, and may thus take any time at all.
pub(crate) enum Errand {
    Log(Level, String),
    Reopen(u64),
    Lines(u64),
}

/// Where the server leaves errands. Dropping it ends the thread, once that is through.
pub(crate) struct Errands {
    todo: SyncSender<Errand>,
    thread: JoinHandle<()>,
    /// Closed once the thread is through.
    through: Receiver<()>,
}

/// No more wait, so that a listener that hangs costs no memory either.
const QUEUE: usize = 64;

impl Errands {
    pub(crate) fn begin(
        plugin: Plugin,
        reopen: Channel<()>,
        status: Channel<(), (String, String)>,
        mailbox: Mailbox,
    ) -> io::Result<Errands> {
        let (todo, errands) = mpsc::sync_channel(QUEUE);
        let (working, through) = mpsc::channel();
        let name = thread_name(&plugin, "control errands");
        let thread = thread::Builder::new().name(name).spawn(move || {
            for errand in errands {
                run(errand, &plugin, &reopen, &status, &mailbox);
            }
            drop(working);
        })?;
        Ok(Errands { todo, thread, through })
    }

    /// False if too many wait already.
    pub(crate) fn leave(&self, errand: Errand) -> bool {
        self.todo.try_send(errand).is_ok()
    }

    pub(crate) fn log(&self, level: Level, message: String) {
        let _ = self.leave(Errand::Log(level, message)); // a log that hangs loses lines, and nothing else
    }

    /// Ends the thread, if no listener holds it for longer than `patience`.
    pub(crate) fn end(self, patience: Duration) {
        let Errands { todo, thread, through } = self;
        drop(todo);
        if through.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Disconnected) {
            let _ = thread.join();
        }
    }
}

fn run(
    errand: Errand,
    plugin: &Plugin,
    reopen: &Channel<()>,
    status: &Channel<(), (String, String)>,
    mailbox: &Mailbox,
) {
    let (id, fruit) = match errand {
        Errand::Log(level, message) => return plugin.log(level, message),
        Errand::Reopen(id) => (id, Fruit::Reopened(reopen.publish(&()))),
        Errand::Lines(id) => {
            let collected = status.collect(&());
            (id, Fruit::Lines(collected.outputs, collected.failures))
        }
    };
    mailbox.leave(Note::Errand(id, fruit));
}

pub(crate) fn thread_name(plugin: &Plugin, what: &str) -> String {
    format!("{} {what}", plugin.handle().name()).replace('\0', " ")
}
