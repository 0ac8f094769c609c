//! The control socket of a running site, in its state folder: where the commands of an operator come in.

use std::os::unix::fs::lchown;
use std::path::Path;

use anyhow::Context as _;

use super::state::not_given;
use crate::Handle;
use crate::control::{Control, Settings};
use crate::os::parcel::Inherited;

/// The socket's name in the state folder.
pub(crate) const SOCKET: &str = "control.sock";

/// What the door of a bus goes by.
pub(crate) struct Door<'a> {
    pub(crate) state: &'a Path,
    pub(crate) version: &'a str,
    /// Whom the site will run as, and who may ask it then.
    pub(crate) owner: Option<(u32, u32)>,
    /// What the image before this one has handed on: the socket, and whoever waits for an answer.
    pub(crate) inherited: &'a Inherited,
    /// Why the bus before this one was not replaced by a new image, if one was to be.
    pub(crate) failed_restart: Option<String>,
}

impl Door<'_> {
    /// Opens the socket; it answers until the bus has exited.
    pub(crate) fn open(self, bus: &Handle) -> anyhow::Result<()> {
        let mut settings = Settings::at(self.state.join(SOCKET));
        settings.version = self.version.to_owned();
        let mut control = Control::new(settings).inherit(self.inherited);
        if let Some(why) = self.failed_restart {
            control = control.after_failed_restart(why);
        }
        let opened = control.subscribe(bus)?;
        if let Some((user, group)) = self.owner {
            let path = opened.path();
            // The folder may be that user's already: a link that they put in its place leads nowhere.
            lchown(path, Some(user), Some(group)).with_context(|| not_given(path, user))?;
        }
        Ok(())
    }
}
