//! Which threads have what belongs to a thread.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use sitebus_bus::topics::{ACQUIRE_THREAD, RELEASE_THREAD, START_THREAD, STOP_THREAD};
use sitebus_bus::{Channel, Handle, Level, Plugin, Priority, TopicClash, priority};

use crate::error::TasksError;

/// After servers have stopped, whose threads release themselves, and before what those threads use.
const STOP: Priority = priority::STOP_SERVER.after();

/// The book of threads of one bus. Clones are one book.
#[derive(Clone)]
pub struct Threads(Arc<Book>);

struct Book {
    page: Mutex<Page>,
    start: Channel<u64>,
    stop: Channel<u64>,
    plugin: Plugin,
}

#[derive(Default)]
struct Page {
    last: u64,
    holders: BTreeMap<u64, (ThreadId, String)>,
}

/// A thread that was acquired and not released.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Its number, which no other thread of this book has had, or will have.
    pub id: u64,
    /// Its name, or what stands for one.
    pub thread: String,
}

impl Threads {
    /// Opens the book: from now on threads are acquired and released, by the methods or by the topics. A stop releases
    /// all that still hold, and says which.
    ///
    /// # Errors
    /// [`TasksError::Clash`]: somebody uses one of the topics with other types.
    pub fn subscribe(bus: &Handle) -> Result<Threads, TasksError> {
        let plugin = bus.plugin("threads");
        let book = Book {
            page: Mutex::default(),
            start: bus.on(START_THREAD)?,
            stop: bus.on(STOP_THREAD)?,
            plugin: plugin.clone(),
        };
        let threads = Threads(Arc::new(book));
        threads.listen().inspect_err(|_| plugin.unsubscribe())?;
        Ok(threads)
    }

    fn listen(&self) -> Result<(), TopicClash> {
        let plugin = &self.0.plugin;
        let (acquirer, releaser, stopper) = (self.clone(), self.clone(), self.clone());
        plugin
            .subscribe(ACQUIRE_THREAD, Priority::DEFAULT, move |()| Ok(acquirer.acquire().map(|_| ())?))?;
        plugin.subscribe(RELEASE_THREAD, Priority::DEFAULT, move |()| {
            releaser.release();
        })?;
        plugin.on_stop(STOP, move |_| stopper.release_all());
        Ok(())
    }

    /// Acquires the calling thread, unless it is already: gives it a number and publishes [`START_THREAD`], here. Returns the
    /// number.
    ///
    /// # Errors
    /// [`TasksError::NotAcquired`] if a listener failed. What the others have made is taken back by [`STOP_THREAD`].
    pub fn acquire(&self) -> Result<u64, TasksError> {
        let this = thread::current();
        let name = this.name().map_or_else(|| format!("{:?}", this.id()), str::to_owned);
        let id = {
            let mut page = self.0.page.lock();
            if let Some(id) = page.id_of(this.id()) {
                return Ok(id);
            }
            page.last += 1;
            let id = page.last;
            page.holders.insert(id, (this.id(), name.clone()));
            id
        };
        self.0.start.publish(&id).map_err(|failures| {
            self.release();
            TasksError::NotAcquired { id, thread: name, failures }
        })?;
        Ok(id)
    }

    /// Releases the calling thread: publishes [`STOP_THREAD`], here, and returns its number, if it was acquired.
    pub fn release(&self) -> Option<u64> {
        let id = {
            let mut page = self.0.page.lock();
            let id = page.id_of(thread::current().id())?;
            page.holders.remove(&id);
            id
        };
        self.publish_stop(id);
        Some(id)
    }

    /// The threads that were acquired and not released, in that order.
    #[must_use]
    pub fn holders(&self) -> Vec<Holder> {
        let page = self.0.page.lock();
        page.holders.iter().map(|(id, (_, thread))| Holder { id: *id, thread: thread.clone() }).collect()
    }

    fn release_all(&self) {
        let left = self.holders();
        if left.is_empty() {
            return;
        }
        let list = left.iter().map(|holder| format!("{} ({})", holder.id, holder.thread)).collect::<Vec<_>>();
        let message = format!(
            "threads that still hold at the stop: {}; what they have is taken back from another thread",
            list.join(", ")
        );
        self.0.plugin.log(Level::Warn, message);
        for Holder { id, .. } in left {
            // Its own thread may have released it meanwhile.
            let held = self.0.page.lock().holders.remove(&id).is_some();
            if held {
                self.publish_stop(id);
            }
        }
    }

    fn publish_stop(&self, id: u64) {
        if let Err(failures) = self.0.stop.publish(&id) {
            self.0.plugin.log(Level::Error, format!("releasing thread {id}: {failures}"));
        }
    }
}

impl Page {
    fn id_of(&self, thread: ThreadId) -> Option<u64> {
        self.holders.iter().find(|(_, (holder, _))| *holder == thread).map(|(id, _)| *id)
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Threads").field(&self.holders()).finish()
    }
}
