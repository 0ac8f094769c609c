//! The descriptors that a service manager has opened for this process (sd_listen_fds(3)).
//!
//! They follow the standard streams, from number 3 on; `LISTEN_FDS` says how many, `LISTEN_FDNAMES` what they are called, and
//! `LISTEN_PID` for whom they are. A process that inherited the variables from somebody else finds another number there, and
//! lets the descriptors alone.
//!
//! What came through an exec cannot be close-on-exec. So a descriptor that is has another owner in this process, and is
//! refused: that is what variables lead to that were left in the environment by a restart, where the number of the process
//! is still right.

#![expect(unsafe_code, reason = "a descriptor that was handed over is only a number until somebody owns it")]

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use crate::alone::{Alone, AloneError};
use crate::environment;

/// The variables that belong to one process alone: to be left out when it executes something in its own place.
pub const VARIABLES: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];

/// What descriptors are called that were given no names.
const UNNAMED: &str = "unknown";
/// After the standard streams.
const FIRST: RawFd = 3;

/// A descriptor that the manager has opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// What the manager calls it; several may have one name.
    pub name: String,
    /// It, close-on-exec.
    pub descriptor: OwnedFd,
}

/// Why what was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivationError {
    /// The variables can only be removed while nothing else runs.
    #[error(transparent)]
    Alone(#[from] AloneError),
    /// A variable makes no sense.
    #[error(
        "{variable}={value:?} is for this process, but is not {must}; start it by a socket unit, or unset LISTEN_PID"
    )]
    Malformed {
        /// Which one.
        variable: &'static str,
        /// Its value.
        value: OsString,
        /// What it should be.
        must: &'static str,
    },
    /// A descriptor is not open.
    #[error(
        "of the {count} descriptors that LISTEN_FDS promises, number {number} is not open ({cause}); unset LISTEN_PID"
    )]
    NotOpen {
        /// Its number.
        number: RawFd,
        /// How many were promised.
        count: RawFd,
        /// What the system says.
        cause: io::Error,
    },
    /// A descriptor belongs to somebody in this process.
    #[error(
        "descriptor {number} is in use in this process, so LISTEN_FDS is not about this image of it; leave the LISTEN \
         variables out of the environment when a program executes itself, and read them before any file is opened"
    )]
    InUse {
        /// Its number.
        number: RawFd,
    },
}

/// Takes the descriptors that were handed to this process, if there are any, and removes the variables, whomever they were
/// for. To be called before anything is opened.
///
/// # Errors
/// [`ActivationError`] says what is wrong with what is for this process; nothing is taken then.
pub fn take(alone: &Alone) -> Result<Vec<Received>, ActivationError> {
    let [receiver, count, names, _] = {
        let mut values = [None, None, None, None];
        for (value, name) in values.iter_mut().zip(VARIABLES) {
            *value = environment::take(alone, name)?;
        }
        values
    };
    let receiver = receiver.and_then(|receiver| receiver.to_str()?.parse::<u32>().ok());
    let (Some(count), true) = (count, receiver == Some(std::process::id())) else { return Ok(Vec::new()) };
    let count = parse_count(count)?;
    let names = parse_names(names, count)?;
    for number in FIRST..FIRST + count {
        check(number, count)?;
    }
    Ok((FIRST..).zip(names).map(|(number, name)| Received { name, descriptor: claim(number) }).collect())
}

fn parse_count(value: OsString) -> Result<RawFd, ActivationError> {
    let count = value.to_str().and_then(|text| text.parse().ok());
    let count = count.filter(|count| (0..RawFd::MAX - FIRST).contains(count));
    count.ok_or(ActivationError::Malformed { variable: "LISTEN_FDS", value, must: "a number of descriptors" })
}

fn parse_names(value: Option<OsString>, count: RawFd) -> Result<Vec<String>, ActivationError> {
    let wanted = usize::try_from(count).unwrap_or_default();
    let Some(value) = value else { return Ok(vec![UNNAMED.to_owned(); wanted.min(1 << 20)]) };
    let names = value.to_str().map(|names| names.split(':').map(str::to_owned).collect::<Vec<_>>());
    match names.filter(|names| names.len() == wanted || wanted == 0) {
        Some(names) => Ok(names.into_iter().take(wanted).collect()),
        None => {
            let must = "a list of as many names as LISTEN_FDS says, with colons between them";
            Err(ActivationError::Malformed { variable: "LISTEN_FDNAMES", value, must })
        }
    }
}

fn check(number: RawFd, count: RawFd) -> Result<(), ActivationError> {
    // SAFETY: it is only asked for its flags, which is an error if it is not open.
    let flags = fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_GETFD);
    match flags {
        Ok(flags) if FdFlag::from_bits_truncate(flags).contains(FdFlag::FD_CLOEXEC) => {
            Err(ActivationError::InUse { number })
        }
        Ok(_) => Ok(()),
        Err(cause) => Err(ActivationError::NotOpen { number, count, cause: cause.into() }),
    }
}

fn claim(number: RawFd) -> OwnedFd {
    // SAFETY: it is open, and came through the exec, so nobody in this image has opened it; the variables that name it are
    // gone, and from the next line on its flag keeps it from being claimed again.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    let _ = fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)); // it can be set on whatever is open
    descriptor
}
