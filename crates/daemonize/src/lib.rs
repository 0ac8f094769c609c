#![doc = include_str!("../README.md")]

mod daemon;
mod error;
mod launcher;
mod leave;
mod line;
mod outcome;
mod settings;
mod supervisor;

pub use daemon::Daemon;
pub use error::DaemonizeError;
pub use launcher::{Launcher, PATIENCE};
pub use leave::{Daemonize, Side};
pub use outcome::{Ending, LaunchOutcome};
pub use settings::{Output, Settings};
pub use supervisor::Supervisor;
