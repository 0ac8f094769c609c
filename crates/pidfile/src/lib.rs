#![doc = include_str!("../README.md")]

mod error;
mod plugin;
mod settings;
mod watch;

pub use error::PidFileError;
pub use plugin::PidFile;
pub use settings::Settings;
