//! Signals: their names, catching them, dying by one.
//!
//! | file | what is in it |
//! |---|---|
//! | `signal/name.rs` | [`Signal`]: names, aliases, numbers, the nearest name to a wrong one |
//! | `signal/catch.rs` | [`Catch`] takes signals and gives them back; [`Caught`] reads what came |
//! | `signal/pipe.rs` | the pipe between handler and reader |
//! | `signal/table.rs` | the handler itself, and the table that it looks into |
//! | `signal/disposition.rs` | what a signal does in this process, to be saved and put back: sigaction(2) |
//! | `signal/kept.rs` | [`Kept`]: signals that the next image of the process is to hear |
//! | `signal/end.rs` | [`die_by`], [`stop_ignoring`] and [`unblock`] |
//!
//! `INT` is not caught here: it belongs to [`interrupt`](crate::interrupt).

mod catch;
mod disposition;
mod end;
mod kept;
mod name;
mod pipe;
mod table;

pub use catch::{Catch, CatchError, Caught, Next, Remote};
pub use end::{die_by, stop_ignoring, unblock};
pub use kept::Kept;
pub use name::{Refused, Signal, UnknownSignal};

pub(crate) use disposition::Disposition;
