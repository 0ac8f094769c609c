//! The plugin.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use sitebus_bus::{Commit, Exiting, Graceful, Handle, Level, Plugin, Priority, priority};
use sitebus_os::identity::{Assumed, Identity, Standing};

use crate::error::PrivilegesError;
use crate::settings::Settings;
use crate::wanted::{Told, Wanted, list};

/// The plugin: once the ports are bound, the process becomes another user for good.
#[derive(Clone, Debug)]
pub struct Privileges {
    settings: Settings,
    wanted: Wanted,
}

impl Privileges {
    /// With these settings, of which every name is looked up now: in a prelude, before anything has begun.
    ///
    /// # Errors
    /// [`PrivilegesError`]: a user or group is unknown, or the settings make no sense together.
    pub fn new(settings: Settings) -> Result<Privileges, PrivilegesError> {
        Ok(Privileges { wanted: Wanted::of(&settings)?, settings })
    }

    /// The user and the group that the process will run as, by their numbers, if a user was named: whom to give files to
    /// that are opened before.
    #[must_use]
    pub fn owner(&self) -> Option<(u32, u32)> {
        self.wanted.identity.as_ref().map(|identity| (identity.user.id, identity.group.id))
    }

    /// Becomes that user at [`priority::PRIVILEGES`] of each start; who is that user already stays it.
    ///
    /// # Errors
    /// [`PrivilegesError::Identity`] if the process may not become that user, which is seen before anything has begun.
    pub fn subscribe(self, bus: &Handle) -> Result<Plugin, PrivilegesError> {
        if let Some(identity) = &self.wanted.identity {
            identity.look()?;
        }
        let plugin = bus.plugin("privileges");
        let site = Arc::new(Site { current: Mutex::new(self), plugin: plugin.clone() });
        plugin.on_start(priority::PRIVILEGES, {
            let site = Arc::clone(&site);
            move |_| site.drop_privileges()
        });
        plugin.on_graceful(Priority::DEFAULT, {
            let site = Arc::clone(&site);
            move |reload| site.reload(reload)
        });
        plugin.on_exit(priority::RELEASE, {
            let site = Arc::clone(&site);
            move |exiting| site.pass_on(exiting)
        });
        plugin.on_restart(Priority::DEFAULT, move |_| site.look());
        Ok(plugin)
    }
}

struct Site {
    current: Mutex<Privileges>,
    plugin: Plugin,
}

impl Site {
    fn drop_privileges(&self) -> anyhow::Result<()> {
        let Wanted { identity, umask } = self.current().wanted;
        if let Some(umask) = umask {
            let before = umask.put();
            let told = if before == umask {
                format!("umask is {umask} already")
            } else {
                format!("umask {before} is now {umask}")
            };
            self.log(Level::Info, told);
        }
        let Some(identity) = identity else { return Ok(()) };
        let before = Standing::own().map(|standing| standing.user().to_string());
        match identity.assume().map_err(PrivilegesError::from)? {
            Assumed::Now => {
                let before = before.unwrap_or_else(|_| "root".to_owned());
                self.log(
                    Level::Info,
                    format!("now running as {}, for good; was user {before}", Told(&identity)),
                );
            }
            Assumed::Already { missing } => {
                self.log(Level::Info, format!("already running as {}", Told(&identity)));
                if !missing.is_empty() {
                    let missing = list(&missing);
                    let told = format!(
                        "only root can join what it was not started with: {missing}; stop and start it as root"
                    );
                    self.log(Level::Warn, told);
                }
            }
        }
        Ok(())
    }

    /// A umask can be taken up; another identity cannot.
    fn reload(self: &Arc<Site>, reload: &Graceful) -> anyhow::Result<Commit> {
        let Some(settings) = reload.get::<Settings>() else { return Ok(Commit::nothing()) };
        let current = self.current();
        if *settings == current.settings {
            return Ok(Commit::nothing());
        }
        let new = Privileges::new(Settings::clone(&settings))?;
        if new.wanted.identity != current.wanted.identity {
            bail!(
                "who the process runs as cannot change while it runs: it is {}, and is to be {}; stop and start it",
                Whom(current.wanted.identity.as_ref()),
                Whom(new.wanted.identity.as_ref())
            );
        }
        let site = Arc::clone(self);
        Ok(Commit::new(move || {
            if let Some(umask) = new.wanted.umask {
                site.log(Level::Info, format!("umask {} is now {umask}", umask.put()));
            }
            *site.current.lock() = new;
            Ok(())
        }))
    }

    /// An exec takes every capability away that is not ambient.
    fn pass_on(&self, exiting: &Exiting) -> anyhow::Result<()> {
        match self.current().wanted.identity {
            Some(identity) if exiting.exit().is_restart() => {
                identity.pass_on().context("the next image would lack what was kept")
            }
            _ => Ok(()),
        }
    }

    /// Before a restart: the next image has less to choose from than this one had.
    fn look(&self) -> anyhow::Result<()> {
        let next = Privileges::new(self.current().settings).and_then(|next| match &next.wanted.identity {
            Some(identity) => Ok(identity.look()?),
            None => Ok(()),
        });
        next.context("after a restart the process could not go on as who it is; stop and start it instead")
    }

    fn current(&self) -> Privileges {
        self.current.lock().clone()
    }

    fn log(&self, level: Level, message: String) {
        self.plugin.log(level, message);
    }
}

struct Whom<'a>(Option<&'a Identity>);

impl fmt::Display for Whom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(identity) => Told(identity).fmt(f),
            None => f.write_str("whoever started it"),
        }
    }
}
