#![doc = include_str!("../../../README.md")]

pub use sitebus_bus::{
    Builder, Bus, Cause, Channel, ChannelInfo, Clock, Collected, Commit, Done, EXIT, Error, Exit, Exiting,
    Failure, Failures, Flag, GRACEFUL, Graceful, HandedOn, Handle, Heard, Inbox, LOG, Level, Limit, Limits,
    Listener, ListenerInfo, Plugin, Priority, RESTART, Reason, Record, Restarting, START, STATE, STOP,
    SettingsMap, Start, State, States, Stop, Subscription, Task, Ticket, Timing, TimingOutcome, Timings,
    Topic, TopicClash, Verb, WaitError, When, from_async, priority, topics,
};

#[cfg(feature = "autoreload")]
pub use sitebus_autoreload as autoreload;
#[cfg(feature = "control")]
pub use sitebus_control as control;
#[cfg(feature = "daemonize")]
pub use sitebus_daemonize as daemonize;
#[cfg(feature = "front")]
pub use sitebus_front as front;
#[cfg(feature = "http")]
pub use sitebus_http as http;
#[cfg(feature = "log")]
pub use sitebus_log as log;
#[cfg(feature = "os")]
pub use sitebus_os as os;
#[cfg(feature = "pidfile")]
pub use sitebus_pidfile as pidfile;
#[cfg(feature = "privileges")]
pub use sitebus_privileges as privileges;
#[cfg(feature = "restart")]
pub use sitebus_restart as restart;
#[cfg(feature = "serve")]
pub use sitebus_serve as serve;
#[cfg(feature = "signals")]
pub use sitebus_signals as signals;
#[cfg(feature = "systemd")]
pub use sitebus_systemd as systemd;
#[cfg(feature = "tasks")]
pub use sitebus_tasks as tasks;

#[cfg(feature = "program")]
mod program;
#[cfg(feature = "program")]
pub mod site;
#[cfg(feature = "program")]
pub use program::{Program, main};

/// Compiles and runs the code of the page on plugins.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/plugins.md")]
struct PageOnPlugins;
