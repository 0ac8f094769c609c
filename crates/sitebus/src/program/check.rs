//! `check`: is the site file right? Nothing is started.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use super::args::SiteArgs;
use super::assembly::{Plan, Source};
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
