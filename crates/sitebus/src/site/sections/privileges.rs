//! `[privileges]`

use serde::Deserialize;

use crate::privileges::{Capability, Groups, Privileges, Settings};
use crate::site::{Check, Mode, Section, Span, Spanned};

/// `[privileges]`: who the process is, once its ports are bound.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PrivilegesSection {
    /// The user, by name or number.
    pub user: Option<Spanned<String>>,
    /// The group, by name or number; by default the user's own.
    pub group: Option<Spanned<String>>,
    /// The supplementary groups; by default those that the user is a member of.
    pub groups: Option<Spanned<Vec<String>>>,
    /// Which permissions new files do not get, such as `"027"`.
    pub umask: Option<Spanned<Mode>>,
    /// The part of root's power that is kept, such as `"CAP_NET_BIND_SERVICE"`.
    pub keep: Option<Spanned<String>>,
}

impl PrivilegesSection {
    /// As settings of the plugin. What is not understood is left out; after [`Known::check`](crate::site::Known::check)
    /// there is nothing of the kind.
    pub fn settings(&self) -> Settings {
        let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.to_string());
        let mut settings = Settings::default();
        settings.user = text(&self.user);
        settings.group = text(&self.group);
        if let Some(groups) = &self.groups {
            settings.groups = Groups::Only(groups.to_vec());
        }
        settings.umask = self.umask.as_ref().map(|mode| mode.get());
        settings.keep = self.keep.as_ref().and_then(|name| name.parse().ok());
        settings
    }

    /// Where to point at when the plugin refuses what stands here: the first of these that is there.
    fn culprit(&self, check: &Check<'_>) -> Span {
        let spans = [
            self.group.as_ref().map(Spanned::span),
            self.groups.as_ref().map(Spanned::span),
            self.keep.as_ref().map(Spanned::span),
            self.umask.as_ref().map(Spanned::span),
        ];
        spans.into_iter().flatten().next().unwrap_or(check.section())
    }
}

impl Section for PrivilegesSection {
    fn check(&self, check: &mut Check<'_>) {
        if let Some(keep) = &self.keep
            && let Err(unknown) = keep.parse::<Capability>()
        {
            check.problem(keep, unknown.to_string());
        }
        let Err(error) = Privileges::new(self.settings()) else { return };
        let error = error.to_string();
        // The user alone fails in the same way: then that is where to point.
        let of_user = PrivilegesSection { user: self.user.clone(), ..PrivilegesSection::default() };
        let by_user = Privileges::new(of_user.settings()).err().map(|error| error.to_string());
        match &self.user {
            Some(user) if by_user.as_ref() == Some(&error) => check.problem(user, error),
            _ => check.problem(self.culprit(check), error),
        };
    }
}
