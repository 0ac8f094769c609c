#![doc = include_str!("../README.md")]

mod error;
mod guard;
mod monitor;
mod runner;
mod schedule;
mod settings;
mod shared;
mod task;
mod threads;
mod turn;

pub use error::TasksError;
pub use monitor::Monitor;
pub use settings::{Backoff, Settings, SettingsOf};
pub use task::Task;
pub use threads::{Holder, Threads};
pub use turn::Turn;
