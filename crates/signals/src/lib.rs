#![doc = include_str!("../README.md")]

mod action;
mod errands;
mod held;
mod ladder;
mod plugin;
mod reader;
mod settings;

pub use action::{Action, UnknownAction};
pub use plugin::{Signals, SignalsError, Subscribed};
pub use settings::{Settings, SettingsError};
pub use sitebus_os::signal::{Refused, Signal, UnknownSignal};
