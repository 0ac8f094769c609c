//! A reload reads the site file again. What is wrong with it is a veto, and the site goes on unchanged.

use anyhow::{bail, ensure};

use super::assembly::{Site, Source};
use super::sections::Offer;
use crate::front::Swap;
use crate::{Commit, Graceful, Handle, priority};

struct Reload {
    source: Source,
    /// What a running site cannot change.
    fixed: Fixed,
    routes: Swap,
    offers: Vec<Offer>,
}

/// The parts of a site that last as long as its process.
struct Fixed {
    name: String,
    state: std::path::PathBuf,
    threads: usize,
}

pub(crate) fn subscribe(bus: &Handle, source: Source, site: &Site, routes: Swap, offers: Vec<Offer>) {
    let fixed = Fixed { name: site.name.clone(), state: site.state.clone(), threads: site.http.threads };
    let reload = Reload { source, fixed, routes, offers };
    let plugin = bus.plugin("site file");
    plugin.on_graceful(priority::SETTINGS, move |message| reload.prepare(message));
}

impl Reload {
    /// Offers every section to its plugin; the routes are ours.
    fn prepare(&self, reload: &Graceful) -> anyhow::Result<Commit> {
        let site = self.source.read().map_err(|report| anyhow::anyhow!("\n{report}"))?;
        self.fixed.compare(&site)?;
        for offer in &self.offers {
            if let Err(report) = offer(&site.file, reload) {
                bail!("\n{report}");
            }
        }
        reload.offer(site.http);
        let routes = self.routes.clone();
        Ok(Commit::new(move || {
            drop(routes.replace(site.front));
            Ok(())
        }))
    }
}

impl Fixed {
    fn compare(&self, new: &Site) -> anyhow::Result<()> {
        let Fixed { name, state, threads } = self;
        ensure!(
            *name == new.name,
            "`name` in [site] cannot change from '{name}' while the site runs; restart it"
        );
        let (old, new_state) = (state.display(), new.state.display());
        ensure!(
            *state == new.state,
            "`state` in [site] cannot change from {old} to {new_state} while the site runs; restart it"
        );
        ensure!(
            *threads == new.http.threads,
            "`threads` in [http] cannot change while the site runs; restart it"
        );
        Ok(())
    }
}
