#![doc = include_str!("../README.md")]

mod environment;
mod error;
mod herald;
mod phase;
mod plugin;
mod settings;
mod voice;

pub use environment::{Environment, FOR_ONE_IMAGE};
pub use error::EnvironmentError;
pub use plugin::{Subscribed, Systemd};
pub use settings::Settings;
