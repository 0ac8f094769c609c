#![doc = include_str!("../README.md")]

mod before;
mod brake;
mod error;
mod hint;
mod interest;
mod list;
mod mailbox;
mod plugin;
mod program;
mod scan;
mod select;
mod settings;
mod settle;
mod stamp;
mod stations;
mod tell;
mod turn;
mod watch;
mod worker;

pub use error::AutoreloadError;
pub use plugin::{Autoreload, Subscribed};
pub use settings::{Action, Before, Brake, Program, Settings};
