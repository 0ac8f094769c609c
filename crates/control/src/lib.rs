#![doc = include_str!("../README.md")]

mod client;
mod command;
mod connection;
mod door;
mod errands;
mod error;
mod inheritance;
mod mailbox;
mod plugin;
mod protocol;
mod server;
mod settings;

pub use crate::client::{AskError, Client, ConnectError, Event, Outcome};
pub use crate::command::{Command, Request, UnknownCommand};
pub use crate::error::ControlError;
pub use crate::plugin::{Control, Subscribed};
pub use crate::protocol::{ChannelReport, Culprit, Ended, Status, TimingReport, VERSION, Verdict};
pub use crate::settings::Settings;
