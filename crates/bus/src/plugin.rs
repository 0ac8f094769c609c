//! A named group of subscriptions that belong together.

use std::fmt;
use std::sync::Arc;

use crate::channel::{Channel, Subscription};
use crate::handle::Handle;
use crate::listener::Heard;
use crate::machine::PluginId;
use crate::message::{Commit, Exiting, Graceful, Level, Restarting, Start, Stop};
use crate::priority::Priority;
use crate::state::State;
use crate::topic::{Topic, TopicClash};

/// The subscriptions of one plugin, under one name.
///
/// They belong together: if there is a start listener among them, its stop listeners run only once that one has begun, so
/// what never started is never stopped. [`unsubscribe`](Plugin::unsubscribe) ends all of them. Dropping it changes nothing.
#[derive(Clone)]
pub struct Plugin {
    handle: Handle,
    id: PluginId,
    name: Arc<str>,
}

impl Plugin {
    pub(crate) fn new(handle: Handle, id: PluginId, name: Arc<str>) -> Plugin {
        Plugin { handle, id, name }
    }

    /// The name in every report.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bus that it listens to.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs in STARTING. It should return once the thing is really up.
    pub fn on_start<R: Heard<()>>(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&Start) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.add(&self.handle.core.channels.start, priority, listener)
    }

    /// Runs in STOPPING. It should return once the thing is really down, or when its deadline or a hurry cuts it short.
    pub fn on_stop<R: Heard<()>>(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&Stop) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.add(&self.handle.core.channels.stop, priority, listener)
    }

    /// Runs in EXITING.
    pub fn on_exit<R: Heard<()>>(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&Exiting) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.add(&self.handle.core.channels.exit, priority, listener)
    }

    /// Takes part in a reload in two steps: looks at the new settings and returns its commit. An error is a veto, and then
    /// nothing changes anywhere.
    pub fn on_graceful(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&Graceful) -> anyhow::Result<Commit> + Send + Sync + 'static,
    ) -> Subscription {
        self.add(&self.handle.core.channels.graceful, priority, listener)
    }

    /// Takes part in a reload in one step: runs once, when everybody has agreed.
    pub fn at_commit<R: Heard<()>>(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&Graceful) -> R + Send + Sync + 'static,
    ) -> Subscription {
        let listener = Arc::new(listener);
        self.on_graceful(priority, move |graceful| {
            let (listener, graceful) = (Arc::clone(&listener), graceful.clone());
            Ok(Commit::new(move || listener(&graceful).heard()))
        })
    }

    /// Looks whether a restart is wise, before anything has changed. An error keeps the old image.
    pub fn on_restart<R: Heard<()>>(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&Restarting) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.add(&self.handle.core.channels.restart, priority, listener)
    }

    /// Is told each state of the bus, once it is entered.
    pub fn on_state<R: Heard<()>>(
        &self,
        priority: impl Into<Priority>,
        listener: impl Fn(&State) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.add(&self.handle.core.channels.state, priority, listener)
    }

    /// Listens on any topic, at this place in its order.
    ///
    /// # Errors
    /// The topic's name is in use with other types.
    pub fn subscribe<M: ?Sized + 'static, O: 'static, R: Heard<O>>(
        &self,
        topic: Topic<M, O>,
        priority: impl Into<Priority>,
        listener: impl Fn(&M) -> R + Send + Sync + 'static,
    ) -> Result<Subscription, TopicClash> {
        Ok(self.add(&self.handle.on(topic)?, priority, listener))
    }

    /// Writes a line to the log, under the plugin's name.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.handle.core.log_from(&self.name, level, message.into());
    }

    /// Ends all its subscriptions. A publish that runs meanwhile still calls them; the next one does not. Without
    /// subscriptions it changes nothing, and the plugin may subscribe again.
    pub fn unsubscribe(&self) {
        self.handle.core.registry.remove_all_of(self.id);
    }

    fn add<M: ?Sized + 'static, O: 'static, R: Heard<O>>(
        &self,
        channel: &Channel<M, O>,
        priority: impl Into<Priority>,
        listener: impl Fn(&M) -> R + Send + Sync + 'static,
    ) -> Subscription {
        let hear = Arc::new(move |message: &M| listener(message).heard());
        channel.insert(Some(self.id), priority.into(), Arc::clone(&self.name), hear)
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plugin").field(&self.name).finish()
    }
}
