//! Taking variables out of the environment.
//!
//! The environment is one table for all threads, and setenv(3) and unsetenv(3) may move it under the feet of one that reads
//! it, in C as in Rust. So what a process was told through a variable is taken while it has one thread, and before it
//! starts anybody who would inherit it.

#![expect(unsafe_code, reason = "unsetenv(3) races with every reader in another thread")]

use crate::alone::{Alone, AloneError};
use std::env;
use std::ffi::OsString;

/// The value of a variable, which is removed.
///
/// # Errors
/// [`AloneError`] if there are other threads by now: the variable stays.
pub fn take(alone: &Alone, name: &str) -> Result<Option<OsString>, AloneError> {
    let Some(value) = env::var_os(name) else { return Ok(None) };
    alone.check()?;
    // SAFETY: this is the only thread, as was checked a moment ago, so nobody reads the environment meanwhile.
    unsafe { env::remove_var(name) };
    Ok(Some(value))
}
