//! What the watching thread says. Whoever listens is other people's code, which may ask for a stop and wait for it.

use std::sync::Arc;

use sitebus_bus::{Handle, Level, Plugin, Topic};

use crate::mailbox::Mailbox;

#[derive(Clone)]
pub(crate) struct Tell {
    plugin: Plugin,
    mailbox: Arc<Mailbox>,
}

impl Tell {
    pub(crate) fn new(plugin: &Plugin, mailbox: &Arc<Mailbox>) -> Tell {
        Tell { plugin: plugin.clone(), mailbox: Arc::clone(mailbox) }
    }

    pub(crate) fn log(&self, level: Level, message: impl Into<String>) {
        self.mailbox.outside(|| self.plugin.log(level, message));
    }

    /// False if it is to stop: then nobody was told.
    pub(crate) fn publish<M: ?Sized + 'static>(&self, topic: Topic<M>, message: &M) -> bool {
        let published = self.mailbox.outside(|| match self.plugin.handle().on(topic) {
            // The bus has logged the failures of listeners.
            Ok(channel) => drop(channel.publish(message)),
            Err(clash) => self.plugin.log(Level::Error, format!("changes cannot be published: {clash}")),
        });
        published.is_some()
    }

    pub(crate) fn ask(&self, request: impl FnOnce(&Handle)) {
        self.mailbox.outside(|| request(self.plugin.handle()));
    }

    /// Without the guard, for threads that nobody waits for.
    pub(crate) fn unguarded(&self) -> Plugin {
        self.plugin.clone()
    }
}
