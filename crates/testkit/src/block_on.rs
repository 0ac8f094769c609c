//! A future without a runtime.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::transcript::after;

/// Polls the future on this thread until it is ready.
///
/// # Errors
/// It was not within `patience`.
pub fn block_on<F: Future>(future: F, patience: Duration) -> Result<F::Output, NotReady> {
    let deadline = after(patience);
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Ok(output);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(NotReady { patience });
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A future was not ready in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    patience: Duration,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the future was not ready within {:?}", self.patience)
    }
}

impl std::error::Error for NotReady {}
