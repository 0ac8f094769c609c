//! `run`: the site, until it is asked to end.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;

use super::args::RunArgs;
use super::assembly::{Plan, Source};
use super::door::Door;
use super::prelude::Prelude;
use super::sections::{Attach, Joined};
use super::state::StateFolder;
use super::statuses::{BAD_USAGE, FAILED};
use super::{Program, reload};
use crate::autoreload::Autoreload;
use crate::daemonize::Daemon;
use crate::front::Swap;
use crate::http::Http;
use crate::log::{self, Log};
use crate::os::{resource, signal};
use crate::pidfile::PidFile;
use crate::privileges::Privileges;
use crate::restart::{self, Restart};
use crate::signals::Signals;
use crate::site::Report;
use crate::systemd::Systemd;
use crate::{Bus, Cause, Error, Exit, Failures, Level};

/// Everything that a bus of this site is made of, as often as one is needed.
pub(crate) struct Site<'a> {
    source: Arc<Source>,
    version: String,
    sections: Vec<Box<dyn Joined>>,
    plugins: Vec<Attach>,
    pub(crate) prelude: Prelude,
    /// Of a process that has left its terminal.
    pub(crate) daemon: Option<Daemon>,
    log: Option<&'a Log>,
}

pub(crate) fn run(program: Program, args: RunArgs, prelude: Prelude, log: Option<&Log>) -> ExitCode {
    match Site::read(program, args, prelude, log) {
        Ok((site, plan)) => site.run(plan),
        Err(report) => {
            let _ = report.print(); // there is nowhere left to say so
            ExitCode::from(BAD_USAGE)
        }
    }
}

impl<'a> Site<'a> {
    /// Reads the site file; nothing is started.
    pub(crate) fn read(
        program: Program,
        args: RunArgs,
        prelude: Prelude,
        log: Option<&'a Log>,
    ) -> Result<(Site<'a>, Plan), Report> {
        let version = program.version_line();
        let Program { known, apps, sections, plugins, .. } = program;
        let source = Arc::new(Source::new(known, apps, args.site, args.autoreload));
        let plan = source.read()?;
        Ok((Site { source, version, sections, plugins, prelude, daemon: None, log }, plan))
    }

    /// Finds its file again from whatever folder the process will be in.
    pub(crate) fn pin_its_file(&mut self) {
        if let Some(source) = Arc::get_mut(&mut self.source)
            && let Ok(path) = std::path::absolute(&source.path)
        {
            source.path = path;
        }
    }
}

impl Site<'_> {
    /// Runs it to its end, and says what was in the way of it.
    pub(crate) fn run(&self, plan: Plan) -> ExitCode {
        match self.run_to_the_end(plan) {
            Ok(exit) => exit.into(),
            Err(error) => {
                if let Some(daemon) = &self.daemon {
                    daemon.failed(format_args!("{error:#}"), FAILED);
                }
                log::report(&format_args!("{error:#}"));
                ExitCode::from(FAILED)
            }
        }
    }

    /// One bus, or another on the same sockets where a restart has failed although it looked well.
    fn run_to_the_end(&self, mut plan: Plan) -> anyhow::Result<Exit> {
        let mut failed_restart = None;
        if let Ok(files) = resource::open_files() {
            let _ = resource::limit_open_files(files.hard); // as many as we may; with fewer it still runs
        }
        if let Some(log) = self.log {
            log.change(plan.log.clone())?;
        }
        loop {
            let exit = self.run_one(&plan, failed_restart.take())?;
            if !matches!(exit.cause(), Cause::RestartFailed { .. }) {
                return Ok(exit);
            }
            failed_restart = Some(exit.to_string());
            match self.source.read() {
                Ok(read) => plan = read,
                Err(report) => {
                    tracing::warn!(
                        source = "site file",
                        "it is wrong by now, and the site goes on as it was:\n{report}"
                    );
                }
            }
        }
    }

    fn run_one(&self, plan: &Plan, failed_restart: Option<String>) -> anyhow::Result<Exit> {
        let inherited = &self.prelude.inherited;
        let privileges = Privileges::new(plan.privileges.clone())?;
        // Listeners hold it until the bus is dropped: the folder is given back when everything else is over.
        let state = Arc::new(StateFolder::take(plan, inherited)?);
        let bus = Bus::builder(plan.name.as_str()).limits(plan.limits).build();
        if let Some(log) = self.log {
            log.subscribe(&bus)?;
        }
        StateFolder::subscribe(&state, &bus);
        if let Some(daemon) = &self.daemon {
            daemon.subscribe(&bus)?;
        }
        if let Some(settings) = &plan.pidfile {
            PidFile::new(settings.clone())?.inherit(inherited).subscribe(&bus);
        }
        privileges.subscribe(&bus)?;
        Systemd::new(&self.prelude.systemd).settings(plan.systemd).subscribe(&bus);
        let trial = restart::Settings::default().trial(self.source.check_arguments());
        Restart::new(self.prelude.image.clone(), inherited.clone()).settings(trial).subscribe(&bus);

        let routes = Swap::new(plan.front.clone());
        if let Some(settings) = &plan.http {
            let http = Http::new("http").settings(settings.clone()).inherit(inherited);
            http.service(routes.clone()).subscribe(&bus)?;
        }
        if let Some(settings) = &plan.autoreload {
            Autoreload::new(settings.clone()).subscribe(&bus)?;
        }
        let offers = self.sections.iter().map(|section| section.subscribe(&bus, &plan.file));
        let offers = offers.collect::<anyhow::Result<_>>()?;
        self.plugins.iter().try_for_each(|subscribe| subscribe(&bus))?;
        reload::subscribe(&bus, Arc::clone(&self.source), plan, routes, offers, Arc::clone(&state));
        // Signals and commands last, when everybody is there whom a restart concerns that comes at once; and signals before
        // commands, so that no exit ends without giving them back.
        Signals::new(plan.signals.clone().process_ends()).subscribe(&bus)?;
        let (version, owner) = (self.version.as_str(), plan.owner);
        Door { state: state.path(), version, owner, inherited, failed_restart }.open(&bus)?;
        // Whoever started us, or the image before this one, may have signals wait for somebody who hears them.
        signal::unblock(plan.signals.actions().map(|(signal, _)| signal))?;
        self.run_bus(bus)
    }

    fn run_bus(&self, bus: Bus) -> anyhow::Result<Exit> {
        bus.log(Level::Info, format!("the site '{}' is process {}", bus.name(), std::process::id()));
        let started = bus.start();
        if let Err(error @ Error::NoThread(_)) = started {
            return Err(error.into()); // nothing was begun, so there is no end to wait for
        }
        if started.is_ok() {
            // Whoever wanted something of it has taken it. What did not start may still have to hand it on.
            drop(self.prelude.inherited.take_everything());
        }
        let exit = bus.block();
        let level =
            if matches!(exit.cause(), Cause::RestartFailed { .. }) { Level::Error } else { Level::Info };
        bus.log(level, exit.to_string());
        match started {
            Err(Error::Failed { failures, .. }) => {
                if let Some(daemon) = &self.daemon {
                    daemon.failed(&failures, FAILED); // unless it could say so itself: to its launcher, no log is above
                }
                // A service manager shows the last few lines, so there the reason is told again.
                let log = self.log.filter(|_| !self.prelude.systemd.waits_for_readiness());
                Err(not_started(bus.name(), &failures, log))
            }
            // An exit that somebody asked for while the site started is an exit like any other.
            _ => Ok(exit),
        }
    }
}

/// The last word on standard error. If the log goes there too, it has told each cause when it came: not twice, then.
fn not_started(site: &str, failures: &Failures, log: Option<&Log>) -> anyhow::Error {
    if !log.is_some_and(|log| log.shows(site, Level::Error)) {
        return anyhow!("the site '{site}' did not start: {failures}");
    }
    let who: Vec<String> = failures.iter().map(|failure| format!("'{}'", failure.listener())).collect();
    anyhow!("the site '{site}' did not start because of {}; see the log above", who.join(", "))
}
