#![doc = include_str!("../README.md")]

mod block_on;
mod child;
mod clock;
mod gate;
mod leaks;
mod left_out;
mod load;
mod notify;
pub mod own_main;
pub mod own_process;
mod recorder;
pub mod small_disk;
pub mod systemd;
mod transcript;
pub mod window;

pub use crate::block_on::{NotReady, block_on};
pub use crate::child::{Child, StillRunning};
pub use crate::clock::FakeClock;
pub use crate::gate::Gate;
pub use crate::leaks::{Leaked, Leaks};
pub use crate::left_out::left_out;
pub use crate::load::{Load, LoadReport, Running};
pub use crate::notify::NotifySocket;
pub use crate::recorder::Recorder;
pub use crate::transcript::{Missing, Transcript};
