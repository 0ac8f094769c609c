//! The folder with what outlives a site's processes, and its one owner at a time.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;

use anyhow::{Context, anyhow};

use super::assembly::Site;
use crate::os::lock::{Lock, LockError};

/// Owns the state folder of a site until it is dropped, or its process is gone, however that died.
pub(crate) struct StateFolder {
    _lock: Lock,
}

impl StateFolder {
    /// Makes the folder if it is missing, and takes it.
    pub(crate) fn claim(site: &Site) -> anyhow::Result<StateFolder> {
        let folder = &site.state;
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| {
            let folder = folder.display();
            format!("the state folder {folder} could not be made; name another one with `state` in [site]")
        })?;
        let lock = Lock::take_with_mode(folder.join("lock"), 0o600).map_err(|error| refusal(site, error))?;
        Ok(StateFolder { _lock: lock })
    }
}

fn refusal(site: &Site, error: LockError) -> anyhow::Error {
    let LockError::Held { by, path } = error else {
        let folder = site.state.display();
        return anyhow!(error).context(format!("the state folder {folder} could not be taken"));
    };
    let who = by.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    anyhow!(
        "the site '{}' is already running: {who} holds {}; stop that one first, or give this one another `name` or \
         `state` in [site]",
        site.name,
        path.display()
    )
}
