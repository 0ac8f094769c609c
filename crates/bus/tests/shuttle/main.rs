//! The shipped bus under a model checker: its own locks, condition variables and threads, in thousands of schedules.
//!
//! A plain `cargo test` skips this file. It is run by
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p sitebus-bus --test shuttle --target-dir target/shuttle
//! ```
//!
//! Each test is a scenario, and runs in random schedules and in such that make a few threads wait at the worst moment
//! (PCT), from fixed seeds, so that what fails fails again. Time stands still unless a scenario moves it: a wait with a
//! deadline is one without, so that a wake-up which never comes is found as a deadlock. A scenario ends only when all
//! threads of its bus have ended.
//!
//! What is not modelled: atomics of the standard library and `arc-swap` (they never block; a schedule never switches
//! inside them), threads adopted by the bus, `start_with_callback`, and patience that runs out.

#![cfg(shuttle)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "how much was explored is the result")]

mod asking;
mod checker;
mod inside;
mod owner;
mod publishing;
mod reloading;
mod site;
mod time;
mod waiting;
