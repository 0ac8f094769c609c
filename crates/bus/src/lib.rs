#![doc = include_str!("../README.md")]

mod announce;
mod awaited;
mod bus;
mod channel;
mod clock;
mod core;
mod exit;
mod failure;
mod foreign;
mod from_async;
mod handle;
mod inbox;
mod lane;
mod latch;
mod limits;
mod listener;
mod log;
mod machine;
mod message;
mod plugin;
pub mod priority;
mod registry;
mod restart;
mod round;
mod shared;
mod state;
mod sync;
mod threads;
mod ticket;
mod timing;
mod topic;
mod wait;

pub use crate::bus::{Builder, Bus};
pub use crate::channel::{Channel, Collected, Subscription};
pub use crate::clock::Clock;
pub use crate::exit::{Cause, Exit};
pub use crate::failure::{Error, Failure, Failures, Reason, Verb};
pub use crate::from_async::{Task, from_async};
pub use crate::handle::Handle;
pub use crate::inbox::Inbox;
pub use crate::latch::Flag;
pub use crate::limits::{Limit, Limits};
pub use crate::listener::{Heard, Listener};
pub use crate::message::{
    Commit, Exiting, Graceful, HandedOn, Level, Record, Restarting, SettingsMap, Start, Stop,
};
pub use crate::plugin::Plugin;
pub use crate::priority::Priority;
pub use crate::registry::{ChannelInfo, ListenerInfo};
pub use crate::state::{State, States};
pub use crate::ticket::{Done, Ticket};
pub use crate::timing::{Timing, TimingOutcome, Timings};
pub use crate::topic::{EXIT, GRACEFUL, LOG, RESTART, START, STATE, STOP, Topic, TopicClash, topics};
pub use crate::wait::{WaitError, When};
