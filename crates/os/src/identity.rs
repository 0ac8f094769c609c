//! Who this process is to the kernel: looking users and groups up, becoming another user for good, keeping one capability.
//!
//! | file | what is in it |
//! |---|---|
//! | `identity/account.rs` | [`User`] and [`Group`] by name or number |
//! | `identity/capability.rs` | [`Capability`]: those that may be kept, since they do not lead back to root |
//! | `identity/standing.rs` | [`Standing`]: what the kernel says of a thread |
//! | `identity/everywhere.rs` | running a step in every thread, for what the C library does only for the calling one |
//! | `identity/assume.rs` | [`Identity::assume`]: the change, its check, and the proof that there is no way back |
//!
//! To the kernel, user, groups and capabilities belong to each *thread* (credentials(7)); that they belong to the process
//! is what the C library makes of it, by interrupting every thread (nptl(7)). So nothing is believed here until
//! `/proc/self/task/*/status` says it of every thread. Linux only.

mod account;
mod assume;
mod capability;
mod everywhere;
mod standing;

pub use account::{AccountError, Group, User};
pub use assume::{Assumed, Identity, IdentityError, Umask};
pub use capability::{Capability, CapabilityError};
pub use standing::Standing;
