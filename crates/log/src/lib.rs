#![doc = include_str!("../README.md")]

mod error;
mod events;
mod file;
mod filter;
mod human;
mod json;
mod line;
mod log;
mod output;
mod page;
mod plugin;
mod queue;
mod settings;
mod sink;
mod spans;
mod stderr;
mod teller;
mod writer;

pub use error::LogError;
pub use filter::{Filter, FilterError};
pub use log::Log;
pub use page::report;
pub use plugin::Subscribed;
pub use settings::{Format, Settings, Target};
