#![doc = include_str!("../README.md")]

mod access;
mod alarm;
mod answer;
mod ask;
mod body;
mod close;
mod closure;
mod config;
mod connection;
mod detect;
mod drive;
mod engine;
mod error;
mod host;
mod house;
mod io;
mod life;
mod plugin;
mod settings;
mod slot;

pub use body::{Body, BodyError};
pub use closure::{Handler, HandlerFuture, Outcome, Plain};
pub use error::HttpError;
pub use plugin::{Http, Server, Unanswered};
pub use settings::{Limits, Settings, SettingsError, SettingsOf};
pub use sitebus_serve::{Address, AddressError, BindError, Peer};

/// Any error that can travel between threads, as services and bodies return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
