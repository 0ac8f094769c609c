#![doc = include_str!("../README.md")]

mod accept;
mod address;
mod backlog;
mod backoff;
mod drain;
mod error;
mod inherit;
mod listener;
mod stream;
mod unix_file;
mod wait;

pub use accept::{Door, Event, Host, NotRunning, accept};
pub use address::{Address, AddressError, Peer};
pub use drain::{Connections, Drained, End, Entry};
pub use error::{BindError, Held};
pub use listener::Listener;
pub use sitebus_os::parcel::{Inherited, Item};
pub use stream::Stream;
pub use wait::block_until;
