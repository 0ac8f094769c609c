//! A value that is set once and waited for, by threads and by futures alike.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::foreign::Foreign;
use crate::sync::{Condvar, Mutex};

/// Cheap to clone; all clones are one latch.
pub(crate) struct Latch<T>(Arc<Inner<T>>);

struct Inner<T> {
    cell: Mutex<Cell<T>>,
    set: Condvar,
}

struct Cell<T> {
    value: Option<T>,
    wakers: BTreeMap<u64, Waker>,
    next_waker: u64,
}

impl<T> Clone for Latch<T> {
    fn clone(&self) -> Latch<T> {
        Latch(Arc::clone(&self.0))
    }
}

impl<T: Clone> Latch<T> {
    pub(crate) fn new() -> Latch<T> {
        let cell = Cell { value: None, wakers: BTreeMap::new(), next_waker: 0 };
        Latch(Arc::new(Inner { cell: Mutex::new(cell), set: Condvar::default() }))
    }

    /// Sets the value, unless there is one, and wakes everybody. No lock of ours may be held, since wakers are foreign.
    pub(crate) fn set(&self, value: T) {
        self.put(value).for_each(Foreign::run);
    }

    /// Sets the value, unless there is one, and wakes the threads that block. The caller wakes the futures.
    #[must_use = "these futures would never be woken"]
    pub(crate) fn put(&self, value: T) -> impl Iterator<Item = Foreign> + use<T> {
        let mut cell = self.0.cell.lock();
        let wakers = if cell.value.is_none() {
            cell.value = Some(value);
            self.0.set.notify_all();
            std::mem::take(&mut cell.wakers)
        } else {
            BTreeMap::new()
        };
        wakers.into_values().map(Foreign::Wake)
    }

    pub(crate) fn get(&self) -> Option<T> {
        self.0.cell.lock().value.clone()
    }

    /// The value, or nothing if `until` passes first.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Option<T> {
        let mut cell = self.0.cell.lock();
        loop {
            if let Some(value) = &cell.value {
                return Some(value.clone());
            }
            cell = match until {
                None => self.0.set.wait(cell),
                Some(until) if until <= Instant::now() => return None,
                Some(until) => self.0.set.wait_until(cell, until),
            };
        }
    }

    pub(crate) fn when(&self) -> LatchFuture<T> {
        LatchFuture { latch: self.clone(), waker: None }
    }
}

/// Resolves when the latch is set. Belongs to no runtime.
pub(crate) struct LatchFuture<T> {
    latch: Latch<T>,
    waker: Option<u64>,
}

impl<T: Clone> Future for LatchFuture<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        // Wakers are foreign code, also when they are cloned and dropped: a waker may own the very task that waits here.
        let waker = context.waker().clone();
        let mut cell = this.latch.0.cell.lock();
        if let Some(value) = &cell.value {
            return Poll::Ready(value.clone());
        }
        let id = *this.waker.get_or_insert_with(|| {
            cell.next_waker += 1;
            cell.next_waker
        });
        let replaced = cell.wakers.insert(id, waker);
        drop(cell);
        drop(replaced);
        Poll::Pending
    }
}

impl<T> Drop for LatchFuture<T> {
    fn drop(&mut self) {
        if let Some(id) = self.waker {
            let waker = self.latch.0.cell.lock().wakers.remove(&id);
            drop(waker);
        }
    }
}

/// Something that happens at most once: a hurry, a cancellation. Waited for by threads and by futures alike.
#[derive(Clone)]
pub struct Flag(Latch<()>);

impl Flag {
    pub(crate) fn new() -> Flag {
        Flag(Latch::new())
    }

    #[must_use = "these futures would never be woken"]
    pub(crate) fn raise(&self) -> impl Iterator<Item = Foreign> + use<> {
        self.0.put(())
    }

    /// Whether it has happened.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    /// Blocks until it happens, or until `deadline`; says whether it has happened.
    #[must_use]
    pub fn wait_until(&self, deadline: Instant) -> bool {
        self.0.wait(Some(deadline)).is_some()
    }

    /// Resolves when it happens. Needs no particular runtime; never resolves if it never happens.
    pub fn when(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.when()
    }
}

impl std::fmt::Debug for Flag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Flag").field(&self.is_set()).finish()
    }
}
