//! The order of listeners, in one place.
//!
//! Lower comes first, on every channel. Listeners of one priority run in the order of their subscription, and in the
//! reverse of it on `stop` and `exit`, so that what nobody ordered still stops as the mirror of its start.

use std::fmt;

/// Where a listener stands among the others of its channel: lower comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(i32);

impl Priority {
    /// What a listener has that asks for nothing: 50.
    pub const DEFAULT: Priority = Priority(50);

    /// A priority of the program's own.
    #[must_use]
    pub const fn new(value: i32) -> Priority {
        Priority(value)
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> i32 {
        self.0
    }

    /// Directly before this one.
    #[must_use]
    pub const fn before(self) -> Priority {
        Priority(self.0.saturating_sub(1))
    }

    /// Directly after this one.
    #[must_use]
    pub const fn after(self) -> Priority {
        Priority(self.0.saturating_add(1))
    }
}

impl Default for Priority {
    fn default() -> Priority {
        Priority::DEFAULT
    }
}

impl From<i32> for Priority {
    fn from(value: i32) -> Priority {
        Priority(value)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

// ---- a start, from top to bottom

/// Start: what later listeners rely on, such as the lock on the state folder.
pub const CLAIM: Priority = Priority(10);
/// Start: the PID file, before anything else can be seen of the process.
pub const PIDFILE: Priority = Priority(12);
/// Start, stop, exit and graceful: whatever the site itself does.
pub const SITE: Priority = Priority::DEFAULT;
/// Start: servers open their ports and accept.
pub const SERVER: Priority = Priority(75);
/// Start: privileges are dropped once the ports are bound.
pub const PRIVILEGES: Priority = Priority(77);
/// Start: what works in the background, once nobody is privileged any more.
pub const TASKS: Priority = Priority(80);

// ---- a reload, from top to bottom

/// Graceful: the new settings are read and offered to those who come later.
pub const SETTINGS: Priority = Priority(10);

// ---- a stop, from top to bottom

/// Stop: what works in the background ends, so that it asks for nothing while the site goes down.
pub const STOP_TASKS: Priority = Priority(20);
/// Stop: servers stop accepting, and drain, before anything that their requests use goes away.
pub const STOP_SERVER: Priority = Priority(25);

// ---- an exit, from top to bottom

/// Exit: what was claimed at the start is given back.
pub const RELEASE: Priority = Priority(90);
/// Exit: signals go back to what they were, after everything else.
pub const SIGNALS: Priority = Priority(100);
