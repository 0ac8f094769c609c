//! A receiver in place of a listener.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, TrySendError, bounded};

use crate::channel::{Channel, Subscription};

/// Messages of a channel that wait to be taken: see [`Channel::receive`]. Publishers never wait for it, and dropping it ends
/// its subscription.
pub struct Inbox<M> {
    receiver: Receiver<M>,
    lost: Arc<AtomicU64>,
    subscription: Option<Subscription>,
}

impl<M: Clone + Send + 'static> Inbox<M> {
    pub(crate) fn new(channel: &Channel<M>, name: Arc<str>, capacity: usize) -> Inbox<M> {
        // A channel of capacity 0 takes a message only from a sender who waits, and publishers never do.
        let (sender, receiver) = bounded::<M>(capacity.max(1));
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        let subscription = channel.subscribe(name, move |message: &M| {
            if let Err(TrySendError::Full(_)) = sender.try_send(message.clone()) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Inbox { receiver, lost, subscription: Some(subscription) }
    }
}

impl<M> Inbox<M> {
    /// The receiving end, for `recv`, `recv_timeout`, `select!`. It is disconnected once the inbox or the bus is gone.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<M> {
        &self.receiver
    }

    /// How many messages have found no room since it was made.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl<M> fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("waiting", &self.receiver.len()).field("lost", &self.lost()).finish()
    }
}

impl<M> Drop for Inbox<M> {
    fn drop(&mut self) {
        if let Some(subscription) = self.subscription.take() {
            subscription.unsubscribe();
        }
    }
}
