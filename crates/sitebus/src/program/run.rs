//! `run`: the site, until it is asked to end.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;

use super::args::SiteArgs;
use super::assembly::{Plan, Source};
use super::restart::{self, Image};
use super::sections::Joined;
use super::state::StateFolder;
use super::{BAD_USAGE, FAILED, Program, reload};
use crate::front::Swap;
use crate::http::Http;
use crate::log::{self, Log};
use crate::os::{resource, signal};
use crate::signals::Signals;
use crate::{Bus, Error, Exit, Failures, Level};

pub(crate) fn run(program: Program, args: SiteArgs, log: Option<&Log>) -> ExitCode {
    let image = Image::capture();
    let Program { known, apps, sections, plugins, .. } = program;
    let source = Arc::new(Source { path: args.file, overrides: args.set, known, apps: Arc::new(apps) });
    let site = match source.read() {
        Ok(site) => site,
        Err(report) => {
            let _ = report.print(); // there is nowhere left to say so
            return ExitCode::from(BAD_USAGE);
        }
    };
    match serve(site, source, sections, plugins, image, log) {
        Ok(exit) => exit.into(),
        Err(error) => {
            log::report(&format_args!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn serve(
    site: Plan,
    source: Arc<Source>,
    sections: Vec<Box<dyn Joined>>,
    plugins: Vec<super::Attach>,
    image: Image,
    log: Option<&Log>,
) -> anyhow::Result<Exit> {
    // Held to the end of this function: the folder is given back when everything else is over.
    let state = Arc::new(StateFolder::take(&site)?);
    prepare_process(&site)?;
    let bus = Bus::builder(site.name.as_str()).limits(site.limits).build();
    if let Some(log) = log {
        log.subscribe(&bus)?;
    }
    let signals = restart::subscribe(&bus, image, Arc::clone(&source), site.signals.clone())?;
    Signals::new(signals).subscribe(&bus)?;

    let routes = Swap::new(site.front.clone());
    if let Some(settings) = &site.http {
        Http::new("http").settings(settings.clone()).service(routes.clone()).subscribe(&bus)?;
    }

    let mut offers = Vec::new();
    for section in sections {
        let (subscribe, offer) = section.split();
        subscribe(&bus, &site.file)?;
        offers.push(offer);
    }
    for subscribe in plugins {
        subscribe(&bus)?;
    }
    reload::subscribe(&bus, source, &site, routes, offers, Arc::clone(&state));
    bus.log(Level::Info, format!("the site '{}' is process {}", site.name, std::process::id()));

    let started = bus.start();
    if let Err(error @ Error::NoThread(_)) = started {
        return Err(error.into()); // nothing was begun, so there is no end to wait for
    }
    let exit = bus.block();
    bus.log(Level::Info, exit.to_string());
    match started {
        Err(Error::Failed { failures, .. }) => Err(not_started(bus.name(), &failures, log)),
        // An exit that somebody asked for while the site started is an exit like any other.
        _ => Ok(exit),
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

/// What the process inherited and a server does not want: blocked signals, and few descriptors.
fn prepare_process(site: &Plan) -> anyhow::Result<()> {
    signal::unblock(site.signals.actions().map(|(signal, _)| signal))?;
    if let Ok(files) = resource::open_files() {
        let _ = resource::limit_open_files(files.hard); // as many as we may; with fewer it still runs
    }
    Ok(())
}
