//! `check`: is the site file right? Nothing is started.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::SiteArgs;
use super::assembly::{Site, Source};
use super::{BAD_USAGE, Program};

pub(crate) fn check(program: Program, args: SiteArgs, json: bool) -> ExitCode {
    let Program { known, apps, .. } = program;
    let source = Source { path: args.file, overrides: args.set, known, apps: Arc::new(apps) };
    // Printing can fail only where nobody reads.
    match source.read() {
        Ok(site) => {
            let _ = if json { writeln!(anstream::stdout(), "[]") } else { describe(&site) };
            ExitCode::SUCCESS
        }
        Err(report) => {
            let _ = if json { writeln!(anstream::stdout(), "{}", report.to_json()) } else { report.print() };
            ExitCode::from(BAD_USAGE)
        }
    }
}

fn describe(site: &Site) -> std::io::Result<()> {
    let addresses: Vec<String> = site.http.listen.iter().map(ToString::to_string).collect();
    let (name, routes) = (&site.name, site.routes);
    let plural = if routes == 1 { "" } else { "s" };
    writeln!(
        anstream::stdout(),
        "{} is right: the site '{name}' has {routes} route{plural} and listens on {}",
        site.file.path().display(),
        addresses.join(", ")
    )
}
