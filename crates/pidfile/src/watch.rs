//! For other processes: waiting until a site is there, and until it is gone.
//!
//! The kernel tells nobody that a file was locked, so this looks, every 20 ms, which costs a few microseconds and touches
//! no lock. The end of a process it does tell, and that is what most who [`join`](PidFile::join) wait for: so they wait on
//! the process, and look meanwhile only for a file that is given back by a process that lives on.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sitebus_os::lock::Lock;
use sitebus_os::process::Process;

use crate::error::{Holder, PidFileError};
use crate::plugin::PidFile;

const LOOK: Duration = Duration::from_millis(20);

impl PidFile {
    /// Waits until a process holds the file, and returns its number. A file that nobody holds, left by a killed process,
    /// is as good as none.
    ///
    /// # Errors
    /// [`PidFileError::NotHeld`] if none does at the deadline; [`PidFileError::Lock`] if the file cannot be read.
    pub fn wait(path: impl AsRef<Path>, deadline: Instant) -> Result<u32, PidFileError> {
        let path = path.as_ref();
        loop {
            if let Some(pid) = Lock::holder(path)? {
                return Ok(pid);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(PidFileError::NotHeld { path: path.to_owned() });
            }
            nap(None, left.min(LOOK));
        }
    }

    /// Waits until the process that holds the file now holds it no longer: it has exited or died, or another process holds
    /// the file. Returns at once if nobody holds it.
    ///
    /// # Errors
    /// [`PidFileError::StillHeld`] if it holds it at the deadline; [`PidFileError::Lock`] if the file cannot be read.
    pub fn join(path: impl AsRef<Path>, deadline: Instant) -> Result<(), PidFileError> {
        let path = path.as_ref();
        let Some(pid) = Lock::holder(path)? else { return Ok(()) };
        let process = Process::open(pid).ok(); // only to be woken: none if it is just gone, or in another PID namespace
        while Lock::holder(path)? == Some(pid) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let holder = Holder::of(Some(pid));
                return Err(PidFileError::StillHeld { path: path.to_owned(), holder });
            }
            nap(process.as_ref(), left.min(LOOK));
        }
        Ok(())
    }
}

/// Waits for the end of the process, if there is one that has not ended, but not for longer than this.
fn nap(process: Option<&Process>, time: Duration) {
    match process.filter(|process| !process.has_ended().unwrap_or(true)) {
        Some(process) => drop(process.wait(Some(Instant::now() + time))),
        None => thread::sleep(time), // sleep-is-meant: the kernel tells nobody of a lock
    }
}
