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
mod listeners;
mod plugin;
mod service;
mod settings;
mod slot;

pub use body::{Body, BodyError};
pub use closure::{Handler, HandlerFuture, Outcome, Plain};
pub use error::HttpError;
pub use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
};
pub use plugin::{Http, Server, Unanswered};
pub use service::HttpService;
pub use settings::{Limits, Settings, SettingsError, SettingsOf};
pub use sitebus_serve::{Address, AddressError, BindError, Inherited, Peer};

/// Any error that can travel between threads, as services and bodies return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
