//! Why privileges cannot be dropped.

use sitebus_os::identity::{AccountError, IdentityError, User};

/// Why the process will not, or did not, become who it is to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegesError {
    /// A user or a group is unknown.
    #[error("privileges cannot be dropped: {0}")]
    Account(AccountError),
    /// The user was given by a number without an account.
    #[error(
        "privileges cannot be dropped: user {0} has no account, so its group is not known: name a group too"
    )]
    NoGroup(User),
    /// There is nobody to become.
    #[error(
        "privileges cannot be dropped: a {0} was named but no user, and whoever stays root can take back everything else: \
         name a user too"
    )]
    NoUser(&'static str),
    /// This is no umask.
    #[error("privileges cannot be dropped: {given:#o} is no umask: it has nine bits, such as 0o027")]
    Umask {
        /// What was asked for.
        given: u32,
    },
    /// The kernel does not allow it, or not all of it.
    #[error("privileges cannot be dropped: {0}")]
    Identity(IdentityError),
}

// `Display` tells the whole story, so there is no `source`: a report that walks the chain prints nothing twice.
impl From<AccountError> for PrivilegesError {
    fn from(cause: AccountError) -> PrivilegesError {
        PrivilegesError::Account(cause)
    }
}

impl From<IdentityError> for PrivilegesError {
    fn from(cause: IdentityError) -> PrivilegesError {
        PrivilegesError::Identity(cause)
    }
}
