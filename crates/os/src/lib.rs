#![doc = include_str!("../README.md")]

pub mod access;
pub mod alone;
pub mod claim;
pub mod descriptors;
pub mod group;
#[cfg(target_os = "linux")]
pub mod identity;
pub mod interrupt;
pub mod local;
pub mod lock;
pub mod names;
pub mod output;
pub mod peer;
pub mod port;
pub mod process;
pub mod ready;
pub mod resource;
pub mod signal;
pub mod terminal;

mod unsupported;

pub use unsupported::Unsupported;
