//! The receipt for a request.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::awaited::is_awaited;
use crate::failure::{Error, Verb};
use crate::lane::is_inside;
use crate::latch::{Latch, LatchFuture};

/// How a request went that did not fail. There will be no third way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It is done, or was so already.
    Done,
    /// It was asked by a listener that the bus is waiting for, so it is noted, to be done after that.
    Noted,
}

/// The receipt for a request to the bus. Dropping it cancels nothing.
///
/// It can be waited for by blocking, or awaited in any runtime; cloned, it can be waited for by several. Inside a
/// listener that the bus is waiting for only blocking is noticed, and returns [`Done::Noted`]; an async listener that awaits
/// it there would be given up.
#[must_use = "the outcome of the request is in it; drop it if it does not matter"]
pub struct Ticket {
    bus: usize,
    asked: Verb,
    latch: Latch<Result<Done, Error>>,
    future: Option<LatchFuture<Result<Done, Error>>>,
}

impl Ticket {
    pub(crate) fn new(bus: usize, asked: Verb, latch: Latch<Result<Done, Error>>) -> Ticket {
        Ticket { bus, asked, latch, future: None }
    }

    /// Whether the request could only be done once this thread goes on.
    fn must_not_wait(&self) -> bool {
        is_inside(self.bus) || is_awaited(self.bus)
    }

    /// Blocks until the request is done. Inside a listener that the bus is waiting for, and on a thread that a listener is
    /// waiting for ([`Handle::awaited`](crate::Handle::awaited)), it returns [`Done::Noted`] at once.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn wait(&self) -> Result<Done, Error> {
        if self.must_not_wait() {
            return self.latch.get().unwrap_or(Ok(Done::Noted));
        }
        self.latch.wait(None).unwrap_or(Ok(Done::Noted))
    }

    /// The same, but no longer than `patience`; one beyond what the clock can count is endless.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when the time is over; the request goes on. Otherwise see [`Error`].
    pub fn wait_for(&self, patience: Duration) -> Result<Done, Error> {
        if self.must_not_wait() {
            return self.wait();
        }
        let until = Instant::now().checked_add(patience);
        self.latch.wait(until).unwrap_or(Err(Error::TimedOut { asked: self.asked, waited: patience }))
    }

    /// The outcome, if there is one yet.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<Done, Error>> {
        self.latch.get()
    }
}

impl Clone for Ticket {
    fn clone(&self) -> Ticket {
        Ticket::new(self.bus, self.asked, self.latch.clone())
    }
}

impl Future for Ticket {
    type Output = Result<Done, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let future = this.future.get_or_insert_with(|| this.latch.when());
        Pin::new(future).poll(context)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("asked", &self.asked).field("outcome", &self.latch.get()).finish()
    }
}
