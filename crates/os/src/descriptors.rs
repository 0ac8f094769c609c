//! Which descriptors this process has open, and which of them an exec would pass on.
//!
//! For the tools and tests that prove that nothing leaks. Linux only: read from `/proc/self/fd` and
//! `/proc/self/fdinfo` (proc(5)).

use crate::Unsupported;
use std::fs;
use std::io;
use std::path::PathBuf;

/// One open descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// What it leads to, as the kernel writes it: a path, or such as `pipe:[1234]`.
    pub target: PathBuf,
    /// Whether exec closes it.
    pub close_on_exec: bool,
}

/// Why the descriptors cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorsError {
    /// Not on this platform.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// `/proc` does not answer.
    #[error("the open descriptors cannot be listed: reading /proc/self/fd: {0}; is /proc mounted?")]
    Unreadable(io::Error),
}

/// All open descriptors in the order of their numbers, without the one that the listing itself needs.
///
/// # Errors
/// [`DescriptorsError`] says why they cannot be told.
pub fn open() -> Result<Vec<Descriptor>, DescriptorsError> {
    Unsupported::unless_linux("listing the open descriptors")?;
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").map_err(DescriptorsError::Unreadable)? {
        let entry = entry.map_err(DescriptorsError::Unreadable)?;
        if let Ok(number) = entry.file_name().to_string_lossy().parse() {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    // The descriptor of the listing is closed by now, so it has no entry to be read.
    Ok(numbers.into_iter().filter_map(describe).collect())
}

fn describe(number: i32) -> Option<Descriptor> {
    let target = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    let flags = i32::from_str_radix(flags.trim(), 8).ok()?;
    Some(Descriptor { number, target, close_on_exec: flags & libc::O_CLOEXEC != 0 })
}
