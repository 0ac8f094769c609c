#![doc = include_str!("../README.md")]

mod error;
mod plugin;
mod settings;
mod wanted;

pub use error::PrivilegesError;
pub use plugin::Privileges;
pub use settings::{Groups, Settings};
pub use sitebus_os::identity::{Capability, CapabilityError};
