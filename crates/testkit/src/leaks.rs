//! What a process holds: threads, descriptors, memory.

use std::fmt;
use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::transcript::after;

/// The threads and descriptors of this process, as proc(5) lists them, and its resident memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaks {
    threads: usize,
    descriptors: usize,
    resident: u64,
}

impl Leaks {
    /// What the process holds now.
    ///
    /// # Errors
    /// `/proc/self` cannot be read.
    pub fn now() -> io::Result<Leaks> {
        let threads = fs::read_dir("/proc/self/task")?.count();
        let descriptors = fs::read_dir("/proc/self/fd")?.count();
        let status = fs::read_to_string("/proc/self/status")?;
        let kilobytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        let resident = kilobytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() * 1024;
        Ok(Leaks { threads, descriptors, resident })
    }

    /// The number of threads.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The number of open descriptors, the one of the count itself among them.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.descriptors
    }

    /// Resident memory, in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.resident
    }

    /// Waits until there are no more threads and descriptors than now. Memory is for the caller to compare: an allocator
    /// keeps some of it.
    ///
    /// # Errors
    /// There still were more when `patience` was over.
    pub fn wait_back(&self, patience: Duration) -> Result<Leaks, Leaked> {
        let deadline = after(patience);
        loop {
            let now = Leaks::now().map_err(|error| Leaked(error.to_string()))?;
            if now.threads <= self.threads && now.descriptors <= self.descriptors {
                return Ok(now);
            }
            if Instant::now() >= deadline {
                return Err(Leaked(format!(
                    "{} threads became {}, and {} descriptors {}; the threads are {}",
                    self.threads,
                    now.threads,
                    self.descriptors,
                    now.descriptors,
                    names_of_threads(),
                )));
            }
            // A joined thread is listed for a moment longer, and nothing tells when that is over.
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// The same, as an assertion.
    ///
    /// # Panics
    /// There still were more when `patience` was over.
    #[track_caller]
    pub fn assert_back(&self, patience: Duration) {
        if let Err(leaked) = self.wait_back(patience) {
            panic!("{leaked}");
        }
    }
}

fn names_of_threads() -> String {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| format!("'{}'", name.trim_end())).collect::<Vec<_>>().join(", ")
}

/// Something was left behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaked(String);

impl fmt::Display for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "something was left behind: {}", self.0)
    }
}

impl fmt::Debug for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Leaked {}
