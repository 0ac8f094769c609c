#![doc = include_str!("../README.md")]

mod answer;
mod app;
mod body;
mod disk;
mod error;
mod files;
mod front;
mod path;
mod redirect;
mod respond;
mod routes;
mod service;
mod swap;
mod table;

pub use app::{App, OriginalUri};
pub use body::{Body, BoxError};
pub use error::{Fault, PathFault, RouteError, RouteErrors, TargetFault};
pub use files::Files;
pub use front::{Front, ResponseFuture};
pub use redirect::{Moved, Redirect};
pub use respond::Respond;
pub use routes::{Kind, Routes};
pub use service::AppService;
pub use swap::Swap;
