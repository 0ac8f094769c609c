//! A channel: its listeners in order, and the publish that calls them.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;

use crate::core::Core;
use crate::exit::Exit;
use crate::failure::{Failure, Failures, Reason};
use crate::foreign::quietly;
use crate::inbox::Inbox;
use crate::listener::{Heard, Listener, guarded};
use crate::machine::PluginId;
use crate::priority::Priority;
use crate::sync::Mutex;
use crate::topic::Signature;

/// A channel of one bus. Cheap to clone, `Send + Sync`; all clones are one channel.
pub struct Channel<M: ?Sized, O = ()>(pub(crate) Arc<Inner<M, O>>);

pub(crate) struct Inner<M: ?Sized, O> {
    name: &'static str,
    bus: Weak<Core>,
    /// Ties run in the reverse order of subscription: the channels of stop and exit.
    mirrored: bool,
    listeners: ArcSwap<Listeners<M, O>>,
    changing: Mutex<Changing>,
}

struct Changing {
    next: u64,
    closed: bool,
}

type Hear<M, O> = Arc<dyn Fn(&M) -> anyhow::Result<O> + Send + Sync>;

/// A snapshot: what runs, and beside it, out of the way of the publishing loop, who it is.
pub(crate) struct Listeners<M: ?Sized, O> {
    hear: Vec<Hear<M, O>>,
    tags: Vec<Tag>,
}

#[derive(Clone)]
pub(crate) struct Tag {
    id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) priority: Priority,
    pub(crate) plugin: Option<PluginId>,
}

impl<M: ?Sized, O> Listeners<M, O> {
    fn none() -> Listeners<M, O> {
        Listeners { hear: Vec::new(), tags: Vec::new() }
    }

    fn copy(&self) -> Listeners<M, O> {
        Listeners { hear: self.hear.clone(), tags: self.tags.clone() }
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub(crate) fn hear(&self, index: usize, message: &M) -> anyhow::Result<O> {
        (self.hear[index])(message)
    }
}

impl<M: ?Sized, O> Drop for Listeners<M, O> {
    /// One by one, and guarded: two destructors that panic in one go would end the process.
    fn drop(&mut self) {
        for hear in self.hear.drain(..) {
            quietly(|| drop(hear));
        }
    }
}

impl<M: ?Sized + 'static, O: 'static> Channel<M, O> {
    pub(crate) fn new(name: &'static str, bus: Weak<Core>, mirrored: bool) -> Channel<M, O> {
        Channel(Arc::new(Inner {
            name,
            bus,
            mirrored,
            listeners: ArcSwap::from_pointee(Listeners::none()),
            changing: Mutex::new(Changing { next: 0, closed: false }),
        }))
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Adds a closure with the default priority, 50. `name` is what reports call it; names need not differ. It counts from the
    /// next publish on.
    pub fn subscribe<R: Heard<O>>(
        &self,
        name: impl Into<Arc<str>>,
        listener: impl Fn(&M) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.subscribe_at(Priority::DEFAULT, name, listener)
    }

    /// The same at a place of its own in the order: a number, or a constant of [`priority`](mod@crate::priority).
    pub fn subscribe_at<R: Heard<O>>(
        &self,
        priority: impl Into<Priority>,
        name: impl Into<Arc<str>>,
        listener: impl Fn(&M) -> R + Send + Sync + 'static,
    ) -> Subscription {
        self.insert(
            None,
            priority.into(),
            name.into(),
            Arc::new(move |message: &M| listener(message).heard()),
        )
    }

    /// Adds a listener that is a value, with its own name and priority.
    pub fn attach(&self, listener: impl Listener<M, O>) -> Subscription {
        let (name, priority) = (Arc::from(listener.name()), listener.priority());
        self.insert(None, priority, name, Arc::new(move |message: &M| listener.hear(message)))
    }

    pub(crate) fn insert(
        &self,
        plugin: Option<PluginId>,
        priority: Priority,
        name: Arc<str>,
        hear: Hear<M, O>,
    ) -> Subscription {
        let mut changing = self.0.changing.lock();
        let id = changing.next;
        changing.next += 1;
        if !changing.closed {
            let mut new = self.0.listeners.load().copy();
            let mirrored = self.0.mirrored;
            let place = new.tags.partition_point(|known| {
                known.priority < priority || (known.priority == priority && !mirrored)
            });
            new.hear.insert(place, hear);
            new.tags.insert(place, Tag { id, name, priority, plugin });
            self.0.listeners.store(Arc::new(new));
        }
        drop(changing);
        Subscription { table: Arc::downgrade(&self.0) as Weak<dyn Table>, id }
    }

    /// Calls every listener in order and returns their outputs and failures.
    ///
    /// All listeners run even if one fails; only one that returns an [`Exit`] ends the publish, and the bus is asked to exit
    /// with it. Each failure is in the log, too.
    pub fn collect(&self, message: &M) -> Collected<O> {
        let listeners = self.0.listeners.load();
        let mut outputs = Vec::with_capacity(listeners.hear.len());
        let mut trouble = Trouble::default();
        for (index, hear) in listeners.hear.iter().enumerate() {
            match guarded(|| hear(message)) {
                Ok(output) => outputs.push(output),
                Err(reason) => {
                    if trouble.note(&self.0, &listeners.tags[index], reason) {
                        break;
                    }
                }
            }
        }
        let Trouble { failures, exit } = trouble;
        Collected { outputs, failures: Failures::gather(failures), exit }
    }

    pub(crate) fn snapshot(&self) -> Arc<Listeners<M, O>> {
        self.0.listeners.load_full()
    }
}

impl<M: ?Sized + 'static> Channel<M> {
    /// Calls every listener in order. Costs a few nanoseconds more than a loop over closures; takes no lock.
    ///
    /// It is for topics without output; [`collect`](Channel::collect) is for the others:
    ///
    /// ```compile_fail,E0599
    /// const PRICE: sitebus_bus::Topic<str, u64> = sitebus_bus::Topic::new("shop.price");
    /// let bus = sitebus_bus::Bus::new("shop");
    /// bus.on(PRICE)?.publish("tea")?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// The listeners that failed. All others have run, unless one returned an [`Exit`]: that one is in the report too, ends
    /// the publish, and the bus has been asked to exit with it.
    // A call more would cost as much as the guard.
    #[inline(always)]
    pub fn publish(&self, message: &M) -> Result<(), Failures> {
        let listeners = self.0.listeners.load();
        let mut next = 0;
        match call_all(&listeners.hear, &mut next, message) {
            Ok(()) => Ok(()),
            Err(reason) => self.go_on(&listeners, next, message, reason),
        }
    }

    /// The way of a publish from its first failure on, kept apart so that the way without one stays short.
    #[cold]
    #[inline(never)]
    fn go_on(
        &self,
        listeners: &Listeners<M, ()>,
        mut next: usize,
        message: &M,
        mut reason: Reason,
    ) -> Result<(), Failures> {
        let mut trouble = Trouble::default();
        loop {
            if trouble.note(&self.0, &listeners.tags[next - 1], reason) {
                break;
            }
            match call_all(&listeners.hear, &mut next, message) {
                Ok(()) => break,
                Err(another) => reason = another,
            }
        }
        Failures::gather(trouble.failures).map_or(Ok(()), Err)
    }
}

/// Calls listeners from `next` on, up to the first that fails; `next` is then the one behind it. One guard round all calls,
/// because a guard round each nearly doubles what a call costs.
#[inline]
fn call_all<M: ?Sized>(hear: &[Hear<M, ()>], next: &mut usize, message: &M) -> Result<(), Reason> {
    guarded(|| call_on(hear, next, message))
}

/// A function of its own, so that the loop has what it needs in registers and not behind the guard's captures.
#[inline(never)]
fn call_on<M: ?Sized>(hear: &[Hear<M, ()>], next: &mut usize, message: &M) -> anyhow::Result<()> {
    while let Some(one) = hear.get(*next) {
        *next += 1;
        one(message)?;
    }
    Ok(())
}

impl<M: Clone + Send + 'static> Channel<M> {
    /// Adds a receiver instead of a listener: up to `capacity` messages (at least one) wait in it, and what does not fit is
    /// counted and lost, so that it never holds up a publisher. It ends when the inbox is dropped.
    pub fn receive(&self, name: impl Into<Arc<str>>, capacity: usize) -> Inbox<M> {
        Inbox::new(self, name.into(), capacity)
    }
}

/// What [`Channel::collect`] brings back.
#[derive(Debug)]
#[must_use = "failures are in it"]
#[non_exhaustive]
pub struct Collected<O> {
    /// What the listeners returned, in the order in which they ran.
    pub outputs: Vec<O>,
    /// Who failed.
    pub failures: Option<Failures>,
    /// The exit that a listener returned, which ended the publish; the bus has been asked for it.
    pub exit: Option<Exit>,
}

/// What went wrong during one publish.
#[derive(Default)]
struct Trouble {
    failures: Vec<Failure>,
    exit: Option<Exit>,
}

impl Trouble {
    /// Reports one failure; true if it ends the publish.
    #[cold]
    fn note<M: ?Sized, O>(&mut self, channel: &Inner<M, O>, tag: &Tag, reason: Reason) -> bool {
        let bus = channel.bus.upgrade();
        let exit = exit_in(&reason).map(|exit| exit.after_failures(!self.failures.is_empty()));
        let failure = reason.by(&tag.name, channel.name);
        if let Some(bus) = bus {
            match &exit {
                Some(exit) => drop(bus.ask_exit(exit.clone())),
                None => bus.log_failure(&failure),
            }
        }
        self.failures.push(failure);
        self.exit = exit;
        self.exit.is_some()
    }
}

/// The exit that a listener returned as its error.
pub(crate) fn exit_in(reason: &Reason) -> Option<Exit> {
    match reason {
        Reason::Error(error) => error.downcast_ref::<Exit>().cloned(),
        _ => None,
    }
}

impl<M: ?Sized, O> Clone for Channel<M, O> {
    fn clone(&self) -> Channel<M, O> {
        Channel(Arc::clone(&self.0))
    }
}

impl<M: ?Sized, O> fmt::Debug for Channel<M, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.listeners.load().tags.iter().map(|tag| Arc::clone(&tag.name)).collect::<Vec<_>>();
        f.debug_struct("Channel").field("name", &self.0.name).field("listeners", &names).finish()
    }
}

/// The receipt of one subscription. Dropping it changes nothing; [`unsubscribe`](Subscription::unsubscribe) ends it.
#[derive(Clone)]
pub struct Subscription {
    table: Weak<dyn Table>,
    id: u64,
}

impl Subscription {
    /// Ends the subscription. A publish that runs meanwhile still calls the listener; the next one does not. Ending what
    /// has ended already changes nothing.
    pub fn unsubscribe(&self) {
        if let Some(table) = self.table.upgrade() {
            table.remove(self.id);
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A channel without its types: what subscriptions and the register of channels need of it.
pub(crate) trait Table: Send + Sync {
    fn remove(&self, id: u64);
    fn remove_all_of(&self, plugin: PluginId);
    /// Forgets every listener, and takes no new one.
    fn close(&self);
    fn signature(&self) -> Signature;
    fn tags(&self) -> Vec<Tag>;
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<M: ?Sized + 'static, O: 'static> Inner<M, O> {
    fn retain(&self, stays: impl Fn(&Tag) -> bool) {
        let changing = self.changing.lock();
        let old = self.listeners.load_full();
        if old.tags.iter().all(&stays) {
            return;
        }
        let mut new = Listeners::none();
        for (hear, tag) in old.hear.iter().zip(&old.tags).filter(|(_, tag)| stays(tag)) {
            new.hear.push(Arc::clone(hear));
            new.tags.push(tag.clone());
        }
        self.listeners.store(Arc::new(new));
        drop(changing);
        drop(old); // the listener's own destructor may run here: no lock is held
    }
}

impl<M: ?Sized + 'static, O: 'static> Table for Inner<M, O> {
    fn remove(&self, id: u64) {
        self.retain(|tag| tag.id != id);
    }

    fn remove_all_of(&self, plugin: PluginId) {
        self.retain(|tag| tag.plugin != Some(plugin));
    }

    fn close(&self) {
        let mut changing = self.changing.lock();
        changing.closed = true;
        let old = self.listeners.swap(Arc::new(Listeners::none()));
        drop(changing);
        drop(old);
    }

    fn signature(&self) -> Signature {
        Signature::of::<M, O>()
    }

    fn tags(&self) -> Vec<Tag> {
        self.listeners.load().tags.clone()
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
