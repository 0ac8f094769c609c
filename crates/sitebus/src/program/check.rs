//! `check`: is the site file right? Nothing is started.

use std::io::Write;
use std::process::ExitCode;

use super::args::SiteArgs;
use super::assembly::{Plan, Source};
use super::statuses::BAD_USAGE;
use super::{Program, state};
use crate::site::{Problem, Report, SiteSection};

pub(crate) fn check(program: Program, args: SiteArgs, json: bool) -> ExitCode {
    let source = Source::new(program.known, program.apps, args, false);
    // Printing can fail only where nobody reads.
    match source.read() {
        Ok(site) => {
            let warning = warning(&site);
            let _ = match (&warning, json) {
                (Some(warning), true) => writeln!(anstream::stdout(), "{}", warning.to_json()),
                (None, true) => writeln!(anstream::stdout(), "[]"),
                (Some(warning), false) => warning.print().and_then(|()| describe(&site)),
                (None, false) => describe(&site),
            };
            ExitCode::SUCCESS
        }
        Err(report) => {
            let _ = if json { writeln!(anstream::stdout(), "{}", report.to_json()) } else { report.print() };
            ExitCode::from(BAD_USAGE)
        }
    }
}

/// The file may be right, and yet not run: but here, and by the user who checks it, it need not.
fn warning(site: &Plan) -> Option<Report> {
    let obstacle = state::obstacle(&site.state)?;
    let section = site.file.section::<SiteSection>("site").ok().flatten();
    let mut problem = match section.as_ref().and_then(|section| section.state.as_ref()) {
        Some(state) => Problem::new(state, obstacle),
        None => Problem::nowhere(obstacle),
    };
    problem
        .warning()
        .help("let the user that runs the site write there, or name another folder with `state` in [site]");
    Some(site.file.complain(problem))
}

fn describe(site: &Plan) -> std::io::Result<()> {
    let (file, name) = (site.file.path().display(), &site.name);
    let Some(http) = &site.http else {
        return writeln!(anstream::stdout(), "{file} is right: the site '{name}' listens nowhere");
    };
    let addresses: Vec<String> = http.listen.iter().map(ToString::to_string).collect();
    let (addresses, routes) = (addresses.join(", "), site.routes);
    let plural = if routes == 1 { "" } else { "s" };
    writeln!(
        anstream::stdout(),
        "{file} is right: the site '{name}' has {routes} route{plural} and listens on {addresses}"
    )
}
