//! With which statuses the program ends, for every command the same.

/// It is done, or with `--no-wait` asked for.
pub(crate) const DONE: u8 = 0;
/// It was refused, or tried and failed; the message says why.
pub(crate) const FAILED: u8 = 1;
/// The command line or the site file is wrong; nothing was started or asked.
pub(crate) const BAD_USAGE: u8 = 2;
/// The time was over before the outcome was known.
pub(crate) const TIMED_OUT: u8 = 3;
/// The site does not run.
pub(crate) const NOT_RUNNING: u8 = 4;

/// What `--help` says of them.
pub(crate) const MEANING: &str = "\
Status: 0 done, 1 refused or failed, 2 bad usage or bad site file, 3 timed out, 4 not running";
