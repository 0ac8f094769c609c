//! Who the site is to run as.

use sitebus_os::identity::Capability;

/// Who the process becomes once its ports are bound. By [`default`](Settings::default) nothing changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The user, by name or number; none to stay whoever started the process.
    pub user: Option<String>,
    /// The group, by name or number; none for the user's own. Without a user it is an error.
    pub group: Option<String>,
    /// The supplementary groups.
    pub groups: Groups,
    /// Which permissions new files do not get (umask(2)), such as `0o027`; none to leave it as it is.
    pub umask: Option<u32>,
    /// The part of root's power that is kept, such as `CAP_NET_BIND_SERVICE` for binding a port below 1024 on a reload.
    pub keep: Option<Capability>,
}

/// The supplementary groups of the process. Whatever groups it was started with, it has none but these afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Groups {
    /// Those that the user is a member of, by the system's accounts.
    #[default]
    OfUser,
    /// These, by name or number; none at all if the list is empty.
    Only(Vec<String>),
}
