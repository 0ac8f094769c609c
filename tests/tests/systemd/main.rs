//! A real systemd runs the site, by the unit that the program writes for it: what `systemctl` says is the truth.
//!
//! Each test boots a systemd of its own in namespaces, which takes root. Where that cannot be they are left out, and say so;
//! then `told` is what is left: a notify socket that enforces the manager's rules.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod life;
mod patience;
mod sockets;
mod told;
mod unit;
