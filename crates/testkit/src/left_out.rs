//! Tests that this machine has not got the means for.

use std::env;

/// Says on standard error that the rest of a test is left out, and why; to be followed by a return.
///
/// # Panics
/// The variable `CI` is `true`: where everything is to be run, what cannot run has failed.
#[track_caller]
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn left_out(why: impl std::fmt::Display) {
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "left out, though all is to run: {why}");
    eprintln!("left out: {why}");
}
