#![doc = include_str!("../README.md")]

pub mod access;
#[cfg(target_os = "linux")]
pub mod activation;
pub mod alone;
pub mod claim;
pub mod clock;
pub mod descriptors;
#[cfg(target_os = "linux")]
pub mod detach;
pub mod environment;
pub mod executable;
pub mod group;
#[cfg(target_os = "linux")]
pub mod identity;
#[cfg(target_os = "linux")]
pub mod image;
pub mod interrupt;
pub mod local;
pub mod lock;
pub mod names;
pub mod output;
#[cfg(target_os = "linux")]
pub mod parcel;
pub mod peer;
pub mod port;
pub mod process;
pub mod ready;
pub mod resource;
pub mod signal;
pub mod terminal;

mod unsupported;

pub use unsupported::Unsupported;
