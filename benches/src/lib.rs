#![doc = include_str!("../README.md")]

mod busy;
mod cores;
mod listeners;
mod machine;
mod options;
mod peers;
mod report;
mod rounds;
mod summary;

pub use crate::busy::Busy;
pub use crate::cores::Cores;
pub use crate::listeners::{Audience, Hear, Kind, listeners};
pub use crate::machine::Machine;
pub use crate::options::{Options, is_misleading_build, target_folder};
pub use crate::peers::Peers;
pub use crate::report::{Cell, Mark, Report, Table};
pub use crate::rounds::{Contestant, Results, Timed, compete};
pub use crate::summary::{Summary, percentile};
