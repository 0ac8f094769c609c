//! How many files the process may have open: `RLIMIT_NOFILE` (getrlimit(2)).
//!
//! Every connection is a file. The soft limit is 1024 almost everywhere, for the sake of programs that use select(2); a
//! server raises it to the hard limit, which needs no privilege.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// The limit on open files, in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenFiles {
    /// What holds now: from here on open(2) and accept(2) fail with `EMFILE`.
    pub soft: u64,
    /// How far the soft limit may be raised.
    pub hard: u64,
}

/// The limit as it is.
///
/// # Errors
/// What getrlimit(2) says.
pub fn open_files() -> io::Result<OpenFiles> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(OpenFiles { soft, hard })
}

/// Sets the soft limit and returns what holds then; more than the hard limit is cut down to that.
///
/// `u64::MAX` is thus as much as one may have. The limit is inherited by children, of which those that use select(2) may
/// want the old one back.
///
/// # Errors
/// What setrlimit(2) says.
pub fn limit_open_files(soft: u64) -> io::Result<OpenFiles> {
    let hard = open_files()?.hard;
    setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard)?;
    open_files()
}
