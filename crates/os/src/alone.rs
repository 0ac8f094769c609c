//! The proof that this process has exactly one thread.
//!
//! A fork copies one thread. Whatever the others held at that moment, a lock of the allocator for instance, is held for
//! ever in the child. So everything that forks, or changes what threads share (the environment, the user), asks for an
//! [`Alone`], and a process that has threads already gets a refusal that names them.
//!
//! Linux only: the count comes from `/proc/self/task` (proc(5)).

use crate::Unsupported;
use std::fmt;
use std::fs;
use std::io;
use std::marker::PhantomData;

/// Proof that the process had one thread when it was claimed or last checked.
///
/// It can neither be sent nor shared, so it stays in the thread that claimed it. It cannot know of threads that were
/// made later: whoever relies on it calls [`check`](Alone::check) right before.
#[derive(Debug)]
pub struct Alone {
    stays_in_its_thread: PhantomData<*const ()>,
}

/// A thread of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Thread {
    /// Its id, as the kernel counts (gettid(2)).
    pub id: u32,
    /// Its name, of which the kernel keeps 15 bytes.
    pub name: String,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AloneError {
    /// There are other threads.
    #[error(
        "this process has {} threads ({}) where it may have only one: do this first in `main`, before anything \
         that makes a thread, such as a runtime, a signal handler or a logger",
        threads.len(), Names(threads)
    )]
    NotAlone {
        /// All of them, the calling one among them.
        threads: Vec<Thread>,
    },
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The threads could not be counted.
    #[error("the threads of this process cannot be counted: reading /proc/self/task: {0}; is /proc mounted?")]
    Unreadable(io::Error),
}

impl Alone {
    /// Counts the threads of the process.
    ///
    /// # Errors
    /// [`AloneError::NotAlone`] names the others; the rest says why they could not be counted.
    pub fn claim() -> Result<Alone, AloneError> {
        Unsupported::unless_linux("proving that a process has one thread")?;
        let alone = Alone { stays_in_its_thread: PhantomData };
        alone.check()?;
        Ok(alone)
    }

    /// Counts again.
    ///
    /// # Errors
    /// As [`claim`](Alone::claim).
    pub fn check(&self) -> Result<(), AloneError> {
        let threads = threads().map_err(AloneError::Unreadable)?;
        if threads.len() == 1 { Ok(()) } else { Err(AloneError::NotAlone { threads }) }
    }
}

fn threads() -> io::Result<Vec<Thread>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        let Ok(id) = entry.file_name().to_string_lossy().parse() else { continue };
        // A thread that ends while we look has no name any more, and is not there any more either.
        let Ok(name) = fs::read_to_string(entry.path().join("comm")) else { continue };
        threads.push(Thread { id, name: name.trim_end().to_owned() });
    }
    Ok(threads)
}

struct Names<'a>(&'a [Thread]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, thread) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{} {}", thread.name, thread.id)?;
        }
        Ok(())
    }
}
