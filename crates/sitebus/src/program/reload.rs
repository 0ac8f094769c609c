//! A reload reads the site file again. What is wrong with it is a veto, and the site goes on unchanged.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;

use super::assembly::{Plan, Source};
use super::sections::Offer;
use super::state::StateFolder;
use crate::front::Swap;
use crate::{Commit, Graceful, Handle, Level, Limits, Plugin, autoreload, pidfile, priority, signals};

struct Reload {
    source: Arc<Source>,
    /// What a running site cannot change.
    fixed: Fixed,
    routes: Swap,
    offers: Vec<Offer>,
    state: Arc<StateFolder>,
    log: Plugin,
}

/// The parts of a site that last as long as its process.
struct Fixed {
    name: String,
    state: PathBuf,
    /// Of a site that serves.
    threads: Option<usize>,
    limits: Limits,
    signals: signals::Settings,
    pidfile: Option<pidfile::Settings>,
    autoreload: Option<autoreload::Settings>,
}

pub(crate) fn subscribe(
    bus: &Handle,
    source: Arc<Source>,
    site: &Plan,
    routes: Swap,
    offers: Vec<Offer>,
    state: Arc<StateFolder>,
) {
    let plugin = bus.plugin("site file");
    let reload = Reload { source, fixed: Fixed::of(site), routes, offers, state, log: plugin.clone() };
    plugin.on_graceful(priority::SETTINGS, move |message| reload.prepare(message));
}

impl Reload {
    /// Offers every section to its plugin; the routes are ours.
    fn prepare(&self, reload: &Graceful) -> anyhow::Result<Commit> {
        if !self.state.is_in_place() {
            let folder = self.state.path().display();
            let gone = format!(
                "the state folder {folder} was removed while the site runs; a restart makes it again"
            );
            self.log.log(Level::Warn, gone);
        }
        let site = self.source.read().map_err(|report| anyhow::anyhow!("\n{report}"))?;
        self.fixed.compare(&site)?;
        for offer in &self.offers {
            offer(&site.file, reload)?;
        }
        reload.offer(site.daemon);
        if let Some(settings) = site.http {
            reload.offer(settings);
        }
        reload.offer(site.log);
        reload.offer(site.privileges);
        reload.offer(site.systemd);
        let routes = self.routes.clone();
        Ok(Commit::new(move || {
            drop(routes.replace(site.front));
            Ok(())
        }))
    }
}

impl Fixed {
    fn of(site: &Plan) -> Fixed {
        Fixed {
            name: site.name.clone(),
            state: site.state.clone(),
            threads: site.http.as_ref().map(|http| http.threads),
            limits: site.limits,
            signals: site.signals.clone(),
            pidfile: site.pidfile.clone(),
            autoreload: site.autoreload.clone(),
        }
    }

    fn compare(&self, new: &Plan) -> anyhow::Result<()> {
        let Fixed { name, state, threads, limits, signals, pidfile, autoreload } = self;
        ensure!(
            *name == new.name,
            "`name` in [site] cannot change from '{name}' while the site runs; restart it"
        );
        let (old, new_state) = (state.display(), new.state.display());
        ensure!(
            *state == new.state,
            "`state` in [site] cannot change from {old} to {new_state} while the site runs; restart it"
        );
        let new_threads = new.http.as_ref().map(|http| http.threads);
        ensure!(
            threads.is_some() == new_threads.is_some(),
            "a site that does not serve cannot begin to, nor the other way round, while it runs; restart it"
        );
        ensure!(*threads == new_threads, "`threads` in [http] cannot change while the site runs; restart it");
        ensure!(
            *limits == new.limits,
            "`drain_timeout` in [http] cannot change while the site runs; restart it"
        );
        ensure!(*signals == new.signals, "[signals] cannot change while the site runs; restart it");
        ensure!(*pidfile == new.pidfile, "[pidfile] cannot change while the site runs; restart it");
        ensure!(*autoreload == new.autoreload, "[autoreload] cannot change while the site runs; restart it");
        Ok(())
    }
}
