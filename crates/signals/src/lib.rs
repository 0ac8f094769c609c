#![doc = include_str!("../README.md")]

mod action;
mod errands;
mod error;
mod held;
mod ladder;
mod plugin;
mod reader;
mod settings;

pub use action::{Action, UnknownAction};
pub use error::SignalsError;
pub use plugin::{Signals, Subscribed};
pub use settings::{Settings, SettingsError};
pub use sitebus_os::signal::{Refused, Signal, UnknownSignal};
