//! Which descriptors this process has open, and which of them an exec would pass on.
//!
//! For the tools and tests that prove that nothing leaks, and for whoever executes another program. Linux only: read from
//! `/proc/self/fd` and `/proc/self/fdinfo` (proc(5)).

#![expect(unsafe_code, reason = "close_range(2) has no safe wrapper, and marks descriptors by their numbers")]

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

/// Has an exec close all descriptors from this number on. One call, however many numbers there may be: walking up to the
/// limit takes hours where it is a billion.
///
/// # Errors
/// What close_range(2) says. Kernels before 5.11 cannot do this, and there `/proc/self/fd` is walked instead.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    Unsupported::unless_linux("closing descriptors on exec").map_err(io::Error::other)?;
    mark_range(first).or_else(|_| mark_each(first))
}

#[cfg(target_os = "linux")]
fn mark_range(first: u32) -> io::Result<()> {
    // SAFETY: it takes numbers only, and changes a flag of descriptors without closing any.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn mark_range(_: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn mark_each(first: u32) -> io::Result<()> {
    let open = open().map_err(io::Error::other)?;
    let from = open
        .iter()
        .filter(|descriptor| descriptor.number.cast_unsigned() >= first && !descriptor.close_on_exec);
    for descriptor in from {
        // SAFETY: it takes a number and a flag. Whoever has closed it since gets an error, which does not matter.
        unsafe { libc::fcntl(descriptor.number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

fn describe(number: i32) -> Option<Descriptor> {
    let target = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    let flags = i32::from_str_radix(flags.trim(), 8).ok()?;
    Some(Descriptor { number, target, close_on_exec: flags & libc::O_CLOEXEC != 0 })
}
