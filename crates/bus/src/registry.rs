//! The channels of one bus, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::channel::{Channel, Inner, Table};
use crate::core::Core;
use crate::machine::PluginId;
use crate::message::{Commit, Exiting, Graceful, Record, Restarting, Start, Stop};
use crate::priority::Priority;
use crate::state::State;
use crate::sync::Mutex;
use crate::topic::{EXIT, GRACEFUL, LOG, RESTART, START, STATE, STOP, Signature, Topic, TopicClash};

#[derive(Default)]
pub(crate) struct Registry(Mutex<Channels>);

#[derive(Default)]
struct Channels {
    by_name: BTreeMap<&'static str, Arc<dyn Table>>,
    closed: bool,
}

impl Registry {
    pub(crate) fn on<M: ?Sized + 'static, O: 'static>(
        &self,
        topic: Topic<M, O>,
        bus: &Weak<Core>,
    ) -> Result<Channel<M, O>, TopicClash> {
        let name = topic.name();
        let mut channels = self.0.lock();
        let Some(known) = channels.by_name.get(name) else {
            let mirrored = name == STOP.name() || name == EXIT.name();
            let channel = Channel::new(name, Weak::clone(bus), mirrored);
            if channels.closed {
                Table::close(&*channel.0);
            }
            channels.by_name.insert(name, Arc::clone(&channel.0) as Arc<dyn Table>);
            return Ok(channel);
        };
        let signature = known.signature();
        match Arc::clone(known).as_any().downcast::<Inner<M, O>>() {
            Ok(inner) => Ok(Channel(inner)),
            Err(_) => Err(TopicClash { name, known: signature, asked: Signature::of::<M, O>() }),
        }
    }

    pub(crate) fn list(&self) -> Vec<ChannelInfo> {
        // Copied first: a snapshot may be the last holder of a listener, whose destructor must not run under the lock.
        let channels = self.0.lock().by_name.clone();
        channels.iter().map(|(name, table)| ChannelInfo::of(name, &**table)).collect()
    }

    pub(crate) fn remove_all_of(&self, plugin: PluginId) {
        let all = self.0.lock().by_name.values().cloned().collect::<Vec<_>>();
        all.iter().for_each(|table| table.remove_all_of(plugin));
    }

    /// Empties every channel, now and for later: listeners that hold a handle would otherwise keep the bus alive.
    pub(crate) fn close(&self) {
        let mut channels = self.0.lock();
        channels.closed = true;
        let all = channels.by_name.values().cloned().collect::<Vec<_>>();
        drop(channels);
        all.iter().for_each(|table| table.close());
    }
}

/// The channels that every bus has.
pub(crate) struct BuiltIn {
    pub(crate) start: Channel<Start>,
    pub(crate) stop: Channel<Stop>,
    pub(crate) exit: Channel<Exiting>,
    pub(crate) graceful: Channel<Graceful, Commit>,
    pub(crate) restart: Channel<Restarting>,
    pub(crate) state: Channel<State>,
    pub(crate) log: Channel<Record>,
}

impl BuiltIn {
    pub(crate) fn of(registry: &Registry, bus: &Weak<Core>) -> BuiltIn {
        fn on<M: 'static, O: 'static>(
            registry: &Registry,
            topic: Topic<M, O>,
            bus: &Weak<Core>,
        ) -> Channel<M, O> {
            let name = topic.name();
            registry.on(topic, bus).unwrap_or_else(|_| Channel::new(name, Weak::clone(bus), false))
        }
        BuiltIn {
            start: on(registry, START, bus),
            stop: on(registry, STOP, bus),
            exit: on(registry, EXIT, bus),
            graceful: on(registry, GRACEFUL, bus),
            restart: on(registry, RESTART, bus),
            state: on(registry, STATE, bus),
            log: on(registry, LOG, bus),
        }
    }
}

/// What a tool can know about a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// Its name.
    pub name: &'static str,
    /// The type of its messages, as the compiler spells it.
    pub message: &'static str,
    /// The type of its listeners' outputs.
    pub output: &'static str,
    /// Its listeners, in the order in which they run.
    pub listeners: Vec<ListenerInfo>,
}

/// What a tool can know about a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerInfo {
    /// The name that it was subscribed with.
    pub name: Arc<str>,
    /// Where it stands.
    pub priority: Priority,
}

impl ChannelInfo {
    fn of(name: &'static str, table: &dyn Table) -> ChannelInfo {
        let Signature { message, output } = table.signature();
        let listeners = table
            .tags()
            .into_iter()
            .map(|tag| ListenerInfo { name: tag.name, priority: tag.priority })
            .collect();
        ChannelInfo { name, message, output, listeners }
    }
}

impl fmt::Display for ChannelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({} -> {})", self.name, self.message, self.output)?;
        self.listeners
            .iter()
            .try_for_each(|listener| writeln!(f, "  {:>4}  {}", listener.priority, listener.name))
    }
}
