//! The folder with what outlives a site's processes, and its one owner at a time.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, fchown, lchown};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::assembly::Plan;
use crate::os::access::may_write;
use crate::os::claim::{Claim, ClaimError};
use crate::os::lock::{Lock, LockError};
use crate::os::parcel::{Inherited, Item};
use crate::{Exiting, Handle, priority};

/// What the items are that a restart hands on, each with the folder as its name.
const LOCK: &str = "state lock";
const CLAIM: &str = "state claim";

/// Owns the state folder of a site until it is dropped, or its process is gone, however that died.
pub(crate) struct StateFolder {
    /// Given back first: who finds the lock free must find this free too.
    claim: Option<Claim>,
    lock: Lock,
}

impl StateFolder {
    /// Makes the folder if it is missing, and takes it, or goes on with what the image before this one had.
    pub(crate) fn take(site: &Plan, inherited: &Inherited) -> anyhow::Result<StateFolder> {
        let folder = &site.state;
        if let Some(taken) = StateFolder::inherit(folder, inherited) {
            return Ok(taken);
        }
        StateFolder::make(folder, site.owner)?;
        let lock = Lock::take_with_mode(folder.join("lock"), 0o600).map_err(|error| refusal(site, error))?;
        if let Some((user, group)) = site.owner {
            // By its descriptor: whoever may write to the folder could put another file under the path by now.
            let given = fchown(&lock, Some(user), Some(group));
            given.with_context(|| not_given(lock.path(), user))?;
        }
        Ok(StateFolder { claim: claim(site)?, lock })
    }

    /// Makes the folder if it is missing, and gives it to whom the site will run as. Folders above it stay those of whoever
    /// makes them, so that the site's user cannot have the path lead elsewhere by the next start.
    pub(crate) fn make(folder: &Path, owner: Option<(u32, u32)>) -> anyhow::Result<()> {
        let above = folder.parent().map_or(Ok(()), |above| DirBuilder::new().recursive(true).create(above));
        let made = above.and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(folder));
        made.with_context(|| {
            let folder = folder.display();
            format!("the state folder {folder} could not be made; name another one with `state` in [site]")
        })?;
        let Some((user, group)) = owner else { return Ok(()) };
        // Never through a link: whoever may write to the folder above could have it lead anywhere.
        lchown(folder, Some(user), Some(group)).with_context(|| not_given(folder, user))
    }

    /// What was handed on is good as long as nobody has removed it meanwhile.
    fn inherit(folder: &Path, inherited: &Inherited) -> Option<StateFolder> {
        let lock = inherited.take(LOCK, &name_of(folder))?.into_descriptor()?;
        let claim = inherited.take(CLAIM, &name_of(folder)).and_then(Item::into_descriptor);
        let lock = Lock::inherited(lock, folder.join("lock"));
        let lock = lock.inspect_err(|error| tracing::warn!(source = "state", "{error}")).ok()?;
        Some(StateFolder { claim: claim.map(Claim::inherited), lock })
    }

    /// A restart hands the folder on, so that at no time it is anybody else's.
    pub(crate) fn subscribe(folder: &Arc<StateFolder>, bus: &Handle) {
        let plugin = bus.plugin("state");
        let path = folder.path().to_owned();
        plugin.on_restart(priority::SITE, move |_| {
            obstacle(&path).map_or(Ok(()), |obstacle| Err(anyhow!(obstacle)))
        });
        let folder = Arc::clone(folder);
        plugin.on_exit(priority::RELEASE, move |exiting| {
            if exiting.exit().is_restart() {
                folder.hand_on(exiting)?;
            }
            Ok(())
        });
    }

    fn hand_on(&self, exiting: &Exiting) -> io::Result<()> {
        let name = name_of(self.path());
        let lock = self.lock.as_fd().try_clone_to_owned()?;
        exiting.hand_on(Item::new(LOCK, &*name).with_descriptor(lock));
        if let Some(claim) = &self.claim {
            let claim = claim.as_fd().try_clone_to_owned()?;
            exiting.hand_on(Item::new(CLAIM, name).with_descriptor(claim));
        }
        Ok(())
    }

    /// Whether the lock can still be found by another who looks for it.
    pub(crate) fn is_in_place(&self) -> bool {
        self.lock.is_in_place()
    }

    pub(crate) fn path(&self) -> &Path {
        self.lock.path().parent().unwrap_or(Path::new("/"))
    }
}

pub(crate) fn not_given(path: &Path, user: u32) -> String {
    format!("{} could not be given to user {user}, as whom the site is to run", path.display())
}

fn name_of(folder: &Path) -> String {
    folder.to_string_lossy().into_owned()
}

/// Why this user could not keep a site's state there, as far as that can be told without making anything.
pub(crate) fn obstacle(folder: &Path) -> Option<String> {
    let lock = folder.join("lock");
    let there = lock.ancestors().find(|path| path.symlink_metadata().is_ok())?;
    let may = match there.metadata() {
        Ok(metadata) if there != lock && !metadata.is_dir() => Err(io::ErrorKind::NotADirectory.into()),
        Ok(_) => may_write(there),
        Err(error) => Err(error),
    };
    let whole = folder.display();
    may.err().map(|error| {
        let there = there.display();
        format!(
            "this user could not keep the state of the site in {whole}: {there} may not be written: {error}"
        )
    })
}

/// Whose folder was removed while it runs has no lock that we could find, but still its claim.
fn claim(site: &Plan) -> anyhow::Result<Option<Claim>> {
    match Claim::take(&site.state) {
        Ok(claim) => Ok(Some(claim)),
        Err(ClaimError::Held { by, .. }) => {
            let folder = site.state.display();
            Err(already_running(site, by, &format!("runs on {folder}, though that was removed meanwhile")))
        }
        Err(ClaimError::Unsupported(_)) => Ok(None),
        Err(error) => {
            tracing::warn!(source = "state", "only the lock file keeps a second instance away: {error}");
            Ok(None)
        }
    }
}

fn refusal(site: &Plan, error: LockError) -> anyhow::Error {
    match error {
        LockError::Held { by, path } => already_running(site, by, &format!("holds {}", path.display())),
        error => {
            let folder = site.state.display();
            anyhow!(error).context(format!(
                "the state folder {folder} could not be taken; let the user that runs the site write to it, or name another \
                 one with `state` in [site]"
            ))
        }
    }
}

pub(crate) fn already_running(site: &Plan, by: Option<u32>, how: &str) -> anyhow::Error {
    let who = by.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    anyhow!(
        "the site '{}' is already running: {who} {how}; stop that one first, or give this one another `name` or `state` \
         in [site]",
        site.name
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
    #![allow(clippy::print_stderr, reason = "says what is left out")]

    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::StateFolder;
    use crate::os::peer::our_user;

    #[test]
    fn what_a_link_in_place_of_the_state_folder_leads_to_is_not_given_away() {
        if our_user() != 0 {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI runs this as root");
            eprintln!("left out: only root can give a folder away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, state) = (folder.path().join("etc"), folder.path().join("site/state"));
        fs::create_dir(&elsewhere).unwrap();
        let owner = Some((61234, 61235));
        StateFolder::make(&state, owner).unwrap();
        let made = fs::metadata(&state).unwrap();
        assert_eq!((made.uid(), made.gid()), (61234, 61235));

        fs::remove_dir(&state).unwrap();
        symlink(&elsewhere, &state).unwrap();
        StateFolder::make(&state, owner).unwrap();
        assert_eq!(fs::metadata(&elsewhere).unwrap().uid(), 0);
    }
}
