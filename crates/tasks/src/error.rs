//! What can go wrong beside what a task itself says.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sitebus_bus::{Failures, TopicClash};

/// What a start or a stop of something in the background came to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TasksError {
    /// There is no thread for it.
    #[error("task '{task}' cannot begin: making its thread failed: {cause}")]
    NoThread {
        /// The task.
        task: Arc<str>,
        /// What the system says.
        cause: io::Error,
    },
    /// It was told to end, and did not in time.
    #[error(
        "task '{task}' has not ended {waited:.1?} after it was told to, and is left behind: have it look at its `Turn` more \
         often, and wait by it"
    )]
    NotEnded {
        /// The task.
        task: Arc<str>,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Somebody uses the name of a topic of [`Threads`](crate::Threads) with other types.
    #[error(transparent)]
    Clash(#[from] TopicClash),
    /// What a thread needs could not be made for it, so the thread is not acquired.
    #[error("thread {id} ({thread}) cannot be acquired: {failures}")]
    NotAcquired {
        /// The number that it would have had.
        id: u64,
        /// The name of the thread.
        thread: String,
        /// What listeners said.
        failures: Failures,
    },
}
