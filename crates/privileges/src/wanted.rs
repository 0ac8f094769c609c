//! Settings with every name looked up.

use std::collections::BTreeSet;
use std::fmt;

use sitebus_os::identity::{Group, Identity, Umask, User};

use crate::error::PrivilegesError;
use crate::settings::{Groups, Settings};

/// What the process is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) identity: Option<Identity>,
    pub(crate) umask: Option<Umask>,
}

impl Wanted {
    pub(crate) fn of(settings: &Settings) -> Result<Wanted, PrivilegesError> {
        let umask = settings.umask.map(|given| Umask::new(given).ok_or(PrivilegesError::Umask { given }));
        Ok(Wanted { identity: identity(settings)?, umask: umask.transpose()? })
    }
}

fn identity(settings: &Settings) -> Result<Option<Identity>, PrivilegesError> {
    let Some(user) = &settings.user else {
        return match settings {
            Settings { group: Some(_), .. } => Err(PrivilegesError::NoUser("group")),
            Settings { groups: Groups::Only(_), .. } => Err(PrivilegesError::NoUser("list of groups")),
            Settings { keep: Some(_), .. } => Err(PrivilegesError::NoUser("capability to keep")),
            _ => Ok(None),
        };
    };
    let user = User::find(user)?;
    let group = match (&settings.group, user.group) {
        (Some(group), _) => Group::find(group)?,
        (None, Some(own)) => Group::of(own),
        (None, None) => return Err(PrivilegesError::NoGroup(user)),
    };
    let groups = match &settings.groups {
        Groups::OfUser => user.groups(group.id)?,
        Groups::Only(names) => {
            names.iter().map(|name| Ok(Group::find(name)?.id)).collect::<Result<_, PrivilegesError>>()?
        }
    };
    Ok(Some(Identity { user, group, groups, keep: settings.keep }))
}

/// An identity, for a line of the log.
pub(crate) struct Told<'a>(pub(crate) &'a Identity);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { user, group, groups, keep } = self.0;
        write!(f, "user {user}, group {group}, ")?;
        let others = groups.iter().copied().filter(|other| *other != group.id).collect();
        f.write_str(&list(&others))?;
        keep.map_or(Ok(()), |capability| write!(f, ", with {capability}"))
    }
}

/// Groups, for a line of the log.
pub(crate) fn list(groups: &BTreeSet<u32>) -> String {
    if groups.is_empty() {
        return "no other groups".to_owned();
    }
    let names: Vec<String> = groups.iter().map(|id| Group::of(*id).to_string()).collect();
    format!("other groups {}", names.join(", "))
}
