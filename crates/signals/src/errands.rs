//! The thread that logs and publishes, so that the one that reads signals runs no code but its own.

use std::sync::mpsc::{Receiver, Sender};

use sitebus_bus::{Level, Plugin, Topic, topics};

/// Something that runs listeners, and may thus take any time at all.
pub(crate) enum Errand {
    Log(Level, String),
    Reopen,
    Scale(i32),
    Signal(i32),
}

/// Where the reader leaves errands. The thread ends when this is gone and all is done.
#[derive(Clone)]
pub(crate) struct Errands(Sender<Errand>);

impl Errands {
    pub(crate) fn new(sender: Sender<Errand>) -> Errands {
        Errands(sender)
    }

    pub(crate) fn log(&self, level: Level, message: impl Into<String>) {
        self.leave(Errand::Log(level, message.into()));
    }

    pub(crate) fn leave(&self, errand: Errand) {
        let _ = self.0.send(errand); // the thread outlives every sender
    }
}

/// The body of the thread.
pub(crate) fn run(plugin: &Plugin, errands: &Receiver<Errand>) {
    for errand in errands {
        match errand {
            Errand::Log(level, message) => plugin.log(level, message),
            Errand::Reopen => publish(plugin, topics::REOPEN, &()),
            Errand::Scale(by) => publish(plugin, topics::SCALE, &by),
            Errand::Signal(number) => publish(plugin, topics::SIGNAL, &number),
        }
    }
}

fn publish<M: 'static>(plugin: &Plugin, topic: Topic<M>, message: &M) {
    match plugin.handle().on(topic) {
        // The bus has logged the failures of listeners.
        Ok(channel) => drop(channel.publish(message)),
        Err(clash) => plugin.log(Level::Error, format!("a signal could not be published: {clash}")),
    }
}
