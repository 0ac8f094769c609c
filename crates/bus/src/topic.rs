//! What can be published: a topic fixes a name, a message type and an output type.

use std::fmt;
use std::marker::PhantomData;

use crate::message::{Commit, Exiting, Graceful, Record, Restarting, Start, Stop};
use crate::state::State;

/// A channel's name with the type of its messages and of its listeners' outputs.
///
/// ```
/// use sitebus_bus::Topic;
///
/// const ORDER: Topic<str> = Topic::new("shop.order");
/// const PRICE: Topic<str, u64> = Topic::new("shop.price");
/// ```
pub struct Topic<M: ?Sized, O = ()> {
    name: &'static str,
    types: PhantomData<fn(&M) -> O>,
}

impl<M: ?Sized, O> Topic<M, O> {
    /// A topic of that name. Whoever uses one name must use one pair of types: see [`TopicClash`].
    #[must_use]
    pub const fn new(name: &'static str) -> Topic<M, O> {
        Topic { name, types: PhantomData }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<M: ?Sized, O> Clone for Topic<M, O> {
    fn clone(&self) -> Topic<M, O> {
        *self
    }
}

impl<M: ?Sized, O> Copy for Topic<M, O> {}

impl<M: ?Sized, O> fmt::Debug for Topic<M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Topic").field(&self.name).finish()
    }
}

/// One name was used with two pairs of types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicClash {
    pub(crate) name: &'static str,
    pub(crate) known: Signature,
    pub(crate) asked: Signature,
}

/// The types of a channel, as the compiler spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) message: &'static str,
    pub(crate) output: &'static str,
}

impl Signature {
    pub(crate) fn of<M: ?Sized, O>() -> Signature {
        Signature { message: std::any::type_name::<M>(), output: std::any::type_name::<O>() }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages {} and outputs {}", self.message, self.output)
    }
}

impl fmt::Display for TopicClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TopicClash { name, known, asked } = self;
        write!(
            f,
            "channel '{name}' has {known}, but was asked for with {asked}; use the same Topic constant on both sides, or \
             another name"
        )
    }
}

impl std::error::Error for TopicClash {}

/// Published by the bus in STARTING. Priority lower first; ties in the order of subscription.
pub const START: Topic<Start> = Topic::new("start");
/// Published by the bus in STOPPING. Priority lower first; ties in the reverse order of subscription.
pub const STOP: Topic<Stop> = Topic::new("stop");
/// Published by the bus in EXITING. Priority lower first; ties in the reverse order of subscription.
pub const EXIT: Topic<Exiting> = Topic::new("exit");
/// Published by the bus on a reload, in any state: a listener looks at the new settings and returns its commit.
pub const GRACEFUL: Topic<Graceful, Commit> = Topic::new("graceful");
/// Published by the bus when a restart is asked for, in any state, before anything has changed: a listener that returns an
/// error keeps the old image.
pub const RESTART: Topic<Restarting> = Topic::new("restart");
/// Published by the bus on every change of state, once it has happened. Listeners of it get [`Limits::log`] each. An exit that
/// one of them returns is asked for, and the others are told all the same.
///
/// [`Limits::log`]: crate::Limits::log
pub const STATE: Topic<State> = Topic::new("state");
/// Every line that the bus or a plugin logs, published on the thread that logs. Without a listener it ends in `tracing`.
pub const LOG: Topic<Record> = Topic::new("log");

/// Topics that plugins share with one another. They use std types, so that nobody must import a plugin.
pub mod topics {
    use std::path::PathBuf;

    use super::Topic;

    /// Log files are to be opened again, because somebody has moved them away.
    pub const REOPEN: Topic<()> = Topic::new("reopen");
    /// One worker more (+1) or less (-1), or several.
    pub const SCALE: Topic<i32> = Topic::new("scale");
    /// A signal arrived that is mapped to nothing but this: its number.
    pub const SIGNAL: Topic<i32> = Topic::new("signal");
    /// A server accepts at this address: a URL such as `http://127.0.0.1:8080`, or `unix:/run/site.sock`.
    pub const LISTENING: Topic<str> = Topic::new("listening");
    /// Somebody wants to know how the site is: each listener adds a line, a name and a value.
    pub const STATUS: Topic<(), (String, String)> = Topic::new("status");
    /// These files and folders are part of the program from now on, as templates and configuration are: whoever watches
    /// files acts when one of them changes. Publish before reading a file, so that no change falls in between.
    pub const WATCH: Topic<[PathBuf]> = Topic::new("watch");
    /// These need not be watched any longer, however often that was asked for.
    pub const UNWATCH: Topic<[PathBuf]> = Topic::new("unwatch");
    /// These files have changed, were created or are gone. Told before anything is done about it.
    pub const CHANGED: Topic<[PathBuf]> = Topic::new("changed");
    /// A framework says, on a thread of its own, that this is to do work from now on.
    pub const ACQUIRE_THREAD: Topic<()> = Topic::new("acquire_thread");
    /// A framework says, on a thread of its own, that this has done its work.
    pub const RELEASE_THREAD: Topic<()> = Topic::new("release_thread");
    /// Told on a thread that is to do work, with a number that no other has: listeners make what belongs to a thread, such as
    /// a connection.
    pub const START_THREAD: Topic<u64> = Topic::new("start_thread");
    /// Told on a thread that has done its work, with its number: listeners take back what belongs to it. For a thread that
    /// still works after the servers have stopped it is told on another thread.
    pub const STOP_THREAD: Topic<u64> = Topic::new("stop_thread");
}
