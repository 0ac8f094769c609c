//! A program of a library user, for the tests: a bus whose plugins are put together by hand, without a site file.
//!
//! `run` or `start` (in the background), then words: `listen=ADDRESS`, `watch=PATH`, and what a case wants to go otherwise
//! than usual: `fails`, `callback`, `early`, `own-term`.

mod dependency;
mod pages;
mod wishes;

use std::process::{ExitCode, Termination as _};
use std::sync::Arc;

use sitebus::autoreload::{self, Autoreload};
use sitebus::daemonize::{self, Daemon, Daemonize, Output, PATIENCE, Side};
use sitebus::http::{self, Http, Server};
use sitebus::log::{self, Log};
use sitebus::os::alone::Alone;
use sitebus::os::signal;
use sitebus::pidfile::{self, PidFile};
use sitebus::restart::{Image, Inherited, Restart};
use sitebus::signals::{self, Signals};
use sitebus::{Bus, Cause, Error, Exit, Handle, Level, topics};

use dependency::Dependency;
use pages::Pages;
use wishes::Wishes;

/// What this process was started with, as often as a bus needs it.
struct Prelude {
    image: Image,
    inherited: Inherited,
    daemon: Option<Daemon>,
    wishes: Wishes,
    log: Log,
}

fn main() -> anyhow::Result<ExitCode> {
    let image = Image::capture()?;
    let alone = Alone::claim()?;
    let inherited = Inherited::receive(&alone)?;
    let wishes = Wishes::read()?;
    let mut daemon = None;
    if wishes.daemon {
        let mut settings = daemonize::Settings::default();
        settings.output = Output::File("daemon.log".into());
        match Daemonize::new(settings).inherit(&inherited).leave(&alone)? {
            Side::Launcher(launcher) => return Ok(launcher.wait(Some(PATIENCE)).report()),
            Side::Daemon(side) => daemon = Some(side),
        }
    }
    let log = Log::new(log::Settings::default())?;
    let prelude = Prelude { image, inherited, daemon, wishes, log };
    loop {
        let exit = prelude.run_one()?;
        if !matches!(exit.cause(), Cause::RestartFailed { .. }) {
            return Ok(exit.report());
        }
    }
}

impl Prelude {
    fn run_one(&self) -> anyhow::Result<Exit> {
        let bus = Bus::new("by hand");
        self.log.subscribe(&bus)?;
        if let Some(daemon) = &self.daemon {
            daemon.subscribe(&bus)?;
        }
        PidFile::new(pidfile::Settings::at("site.pid"))?.inherit(&self.inherited).subscribe(&bus);
        let signals = self.take_signals(&bus)?;
        Restart::new(self.image.clone(), self.inherited.clone()).subscribe(&bus);
        if let Some(path) = &self.wishes.watch {
            let mut settings = autoreload::Settings::of([path]);
            settings.program = autoreload::Program::Unwatched;
            Autoreload::new(settings).subscribe(&bus)?;
        }
        let dependency = Dependency::subscribe(&bus, self.wishes.fails)?;
        let server = self.serve(&bus, &dependency)?;
        if self.wishes.early {
            wishes::ask_while_starting(&bus, &server);
        }

        let started = match self.wishes.callback {
            true => bus.start_with_callback(wishes::ask_and_exit(&bus, &server)).map(|_| ()),
            false => bus.start().map(|_| ()),
        };
        drop(self.inherited.take_everything());
        let _own = self.wishes.own_term.then(|| wishes::hear_term(&bus, signals)).transpose()?;
        let exit = bus.block();
        bus.log(Level::Info, exit.to_string());
        match started {
            Err(error @ (Error::Failed { .. } | Error::NoThread(_))) => Err(error.into()),
            _ => Ok(exit),
        }
    }

    /// `ALRM` stops, and `VTALRM` starts again.
    fn take_signals(&self, bus: &Handle) -> anyhow::Result<signals::Subscribed> {
        let settings = signals::Settings::default().map("ALRM", "publish")?.map("VTALRM", "publish")?;
        let subscribed = Signals::new(settings.clone()).subscribe(bus)?;
        // The image before this one may have them wait for somebody who hears them.
        signal::unblock(settings.actions().map(|(signal, _)| signal))?;
        let asked = bus.clone();
        bus.on(topics::SIGNAL)?.subscribe("switch", move |number| {
            let alarm = signal::Signal::try_from(*number).is_ok_and(|signal| signal.name() == "ALRM");
            drop(if alarm { asked.ask_stop() } else { asked.ask_start() });
        });
        Ok(subscribed)
    }

    fn serve(&self, bus: &Handle, dependency: &Arc<Dependency>) -> anyhow::Result<Server> {
        let mut settings = http::Settings::default();
        settings.listen = vec![self.wishes.listen.parse()?];
        settings.threads = 1; // so that every request is answered on the same one
        let pages = Pages::of(bus, dependency)?;
        let http = Http::new("http").settings(settings).inherit(&self.inherited);
        let answer = move |request: http::Request<http::Body>| {
            let (pages, path) = (pages.clone(), request.uri().path().to_owned());
            async move { pages.answer(&path).await }
        };
        Ok(http.handler(answer).subscribe(bus)?)
    }
}
