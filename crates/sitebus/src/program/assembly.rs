//! From the site file to the values that the plugins are made of. The only place that knows all of them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::args::SiteArgs;
use crate::front::{App, Front};
use crate::privileges::Privileges;
use crate::signals::{Action, Signal};
use crate::site::{
    AutoreloadSection, DaemonSection, HttpSection, Known, LogSection, Period, PidfileSection,
    PrivilegesSection, Report, RouteSections, Section, SignalsSection, SiteFile, SiteSection, Spanned,
    SystemdSection,
};
use crate::{Limits, autoreload, daemonize, http, log, pidfile, privileges, signals, systemd};

/// Where a site comes from, to be read again at every reload.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) overrides: Vec<String>,
    pub(crate) known: Known,
    pub(crate) apps: Arc<BTreeMap<String, App>>,
    /// Files are watched whatever the file says.
    pub(crate) autoreload: bool,
}

/// A site that is right, as values.
pub(crate) struct Plan {
    pub(crate) name: String,
    /// The folder with what outlives the process.
    pub(crate) state: PathBuf,
    /// None for a site that has other things to do.
    pub(crate) http: Option<http::Settings>,
    pub(crate) front: Front,
    pub(crate) signals: signals::Settings,
    pub(crate) log: log::Settings,
    pub(crate) daemon: daemonize::Settings,
    /// How long a start in the background may take, if the file says so.
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) pidfile: Option<pidfile::Settings>,
    pub(crate) privileges: privileges::Settings,
    /// The user and the group that the site will run as, if it becomes somebody else: what is made before is theirs.
    pub(crate) owner: Option<(u32, u32)>,
    /// None unless files are to be watched.
    pub(crate) autoreload: Option<autoreload::Settings>,
    pub(crate) systemd: systemd::Settings,
    pub(crate) limits: Limits,
    pub(crate) routes: usize,
    pub(crate) file: SiteFile,
}

impl Source {
    pub(crate) fn new(known: Known, apps: BTreeMap<String, App>, site: SiteArgs, autoreload: bool) -> Source {
        Source { path: site.file, overrides: site.set, known, apps: Arc::new(apps), autoreload }
    }

    /// The command line by which another process checks the same file.
    pub(crate) fn check_arguments(&self) -> Vec<OsString> {
        let overrides = self.overrides.iter().flat_map(|set| ["--set", set]);
        let fixed = ["check".into(), self.path.clone().into_os_string()];
        fixed.into_iter().chain(overrides.map(OsString::from)).collect()
    }

    /// Reads the file and looks at all of it. Everything that is wrong is in one report, and nothing has been started.
    pub(crate) fn read(&self) -> Result<Plan, Report> {
        let file = SiteFile::read(&self.path, &self.overrides)?;
        self.known.check(&file)?;
        let site = section::<SiteSection>(&file, "site")?;
        let http = section::<HttpSection>(&file, "http")?;
        let routes = section::<RouteSections>(&file, "route")?;
        let log = section::<LogSection>(&file, "log")?;
        let signals = section::<SignalsSection>(&file, "signals")?;
        let daemon = section::<DaemonSection>(&file, "daemon")?;
        let pidfile = file.section::<PidfileSection>("pidfile")?;
        let privileges = section::<PrivilegesSection>(&file, "privileges")?.settings();
        // The section has been checked; a user who is gone since is reported by the plugin.
        let owner = Privileges::new(privileges.clone()).ok().and_then(|privileges| privileges.owner());
        let autoreload = section::<AutoreloadSection>(&file, "autoreload")?;
        let folder = file.folder();
        let name = site.name.as_ref().map_or_else(|| name_of(&self.path), |name| name.to_string());
        let state = state_of(folder, site.state.as_ref().map(|state| state.as_path()), &name);
        let watched = self.autoreload || autoreload.enabled == Some(true);
        Ok(Plan {
            log: log_settings(&log, folder, owner),
            daemon: daemon_settings(&daemon, folder, &state, owner),
            start_timeout: daemon.timeout.map(Period::get),
            pidfile: pidfile.map(|section| section.settings(folder)),
            privileges,
            owner,
            systemd: section::<SystemdSection>(&file, "systemd")?.settings(),
            autoreload: watched.then(|| self.watched(&autoreload, &file, &state)),
            state,
            name,
            front: self.front(&routes, &file)?,
            signals: signals.settings(signal_defaults(&http)),
            limits: limits(&http),
            http: self.known.serves(&file).then(|| http_settings(&http, &log, file.folder())),
            routes: routes.list().len(),
            file,
        })
    }

    /// The site file itself is watched too.
    fn watched(&self, section: &AutoreloadSection, file: &SiteFile, state: &Path) -> autoreload::Settings {
        let mut settings = section.settings(file.folder(), state);
        settings.paths.push(file.path().to_owned());
        settings
    }

    fn front(&self, routes: &RouteSections, file: &SiteFile) -> Result<Front, Report> {
        let apps = Arc::clone(&self.apps);
        let routes = routes.routes(file.folder(), move |name| apps.get(name).cloned());
        // Checked a moment ago; a folder may have gone since.
        routes.build().map_err(|errors| file.complain(crate::site::Problem::nowhere(errors.to_string())))
    }
}

impl Plan {
    /// What the bus may take for a start, or for one that fails and is undone.
    pub(crate) fn start_time(&self) -> Duration {
        let limits = &self.limits;
        let all = [limits.start.total, limits.stop.total, limits.exit.total, limits.join];
        all.into_iter().fold(Duration::ZERO, Duration::saturating_add)
    }
}

fn section<T: Section + Default>(file: &SiteFile, name: &str) -> Result<T, Report> {
    Ok(file.section::<T>(name)?.map(Spanned::into_inner).unwrap_or_default())
}

/// Where a site keeps what outlives its processes.
pub(crate) fn state_of(folder: &Path, given: Option<&Path>, name: &str) -> PathBuf {
    given.map_or_else(|| folder.join(".sitebus").join(name), |state| folder.join(state))
}

/// `shop.toml` is the site `shop`.
pub(crate) fn name_of(path: &Path) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().chars().map(good).collect::<String>());
    stem.filter(|name| !name.starts_with('.')).unwrap_or_else(|| "site".to_owned())
}

fn http_settings(http: &HttpSection, log: &LogSection, folder: &Path) -> http::Settings {
    let mut settings = http.settings(folder);
    settings.access_log = log.access.unwrap_or(false);
    settings
}

/// A new log file belongs to whom the site will run as, so that it can be opened again.
fn log_settings(log: &LogSection, folder: &Path, owner: Option<(u32, u32)>) -> log::Settings {
    let mut settings = log.settings(folder);
    settings.owner = owner;
    settings
}

/// The same for the file that a daemon writes to.
fn daemon_settings(
    daemon: &DaemonSection,
    folder: &Path,
    state: &Path,
    owner: Option<(u32, u32)>,
) -> daemonize::Settings {
    let mut settings = daemon.settings(folder, state);
    settings.owner = owner;
    settings
}

/// What a drain may take is what SIGTERM gives it; Ctrl-C gives it no more than it does otherwise.
fn signal_defaults(http: &HttpSection) -> signals::Settings {
    let mut settings = signals::Settings::default();
    let Some(drain) = &http.drain_timeout else { return settings };
    for signal in [Signal::TERM, Signal::INT] {
        let patience = match settings.action(signal) {
            Some(Action::Exit { patience: Some(patience) }) if signal == Signal::INT => {
                patience.min(drain.get())
            }
            _ => drain.get(),
        };
        settings = settings.clone().on(signal, Action::exit_within(patience)).unwrap_or(settings);
    }
    settings
}

/// A drain that may take long is a stop that may take long.
fn limits(http: &HttpSection) -> Limits {
    let mut limits = Limits::default();
    if let Some(drain) = &http.drain_timeout {
        limits.stop.each = drain.get();
        limits.stop.total = limits.stop.total.max(drain.get().saturating_mul(2));
    }
    limits
}
