//! The program: its command line, its site, and what a program of the user's own adds to both.

mod args;
mod assembly;
mod check;
mod commands;
mod console;
mod door;
mod init;
mod prelude;
mod reload;
mod run;
mod sections;
mod state;
mod statuses;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use self::args::{Args, Command};
use self::prelude::Prelude;
use self::sections::{Attach, Joined};
use self::statuses::{BAD_USAGE, FAILED};
use crate::Handle;
use crate::front::{App, AppService};
use crate::site::{Known, Section};

/// What the program knows beyond the site file's own sections: applications, sections and plugins of the user's.
pub struct Program {
    name: Option<String>,
    version: Option<String>,
    known: Known,
    apps: BTreeMap<String, App>,
    sections: Vec<Box<dyn Joined>>,
    plugins: Vec<Attach>,
    /// What the program that assembled this got wrong.
    mistake: Option<String>,
}

/// The `main` of a program of your own: it has the site file and all commands of `sitebus`, and whatever `assemble` adds.
///
/// Returns the status of the process: 0 done, 1 refused or failed, 2 bad usage or a bad site file, 3 timed out, 4 not running.
///
/// `assemble` runs first of all and for every command, `--help` too, so it should only name the parts; what takes time or
/// may fail belongs into [`Program::plugin`].
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     let shop = axum::Router::new().route("/", axum::routing::get(|| async { "Welcome" }));
///     sitebus::main(|program| program.version(env!("CARGO_PKG_VERSION")).app("shop", shop))
/// }
/// ```
pub fn main(assemble: impl FnOnce(Program) -> Program) -> ExitCode {
    let log = console::install();
    let prelude = match Prelude::take() {
        Ok(prelude) => prelude,
        Err(error) => {
            crate::log::report(&format_args!("{error:#}"));
            return ExitCode::from(FAILED);
        }
    };
    let program = assemble(Program::new());
    let name = program.name.clone().unwrap_or_else(name_of_executable);
    let args = match Args::read(&name, program.version_line()) {
        Ok(args) => args,
        Err(usage) => {
            let _ = usage.print(); // there is nowhere left to say so
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(BAD_USAGE));
        }
    };
    if let Some(mistake) = &program.mistake {
        crate::log::report(mistake);
        return ExitCode::from(BAD_USAGE);
    }
    match args.command {
        Command::Run(site) => run::run(program, site, prelude, log.as_ref()),
        Command::Check { site, json } => check::check(program, site, json),
        Command::Operator(command) => commands::obey(command, &name, program, prelude, log.as_ref()),
        Command::Init { folder, json } => init::init(&folder, json, &name, &program.known),
    }
}

impl Program {
    fn new() -> Program {
        Program {
            name: None,
            version: None,
            known: Known::new(),
            apps: BTreeMap::new(),
            sections: Vec::new(),
            plugins: Vec::new(),
            mistake: None,
        }
    }

    /// What the program is called in its help, in its version and in the files that `init` writes. Unless it is given, that
    /// is the name of the file that was executed.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Program {
        self.name = Some(name.into());
        self
    }

    /// What `--version` says after the name, usually `env!("CARGO_PKG_VERSION")`. Unless it is given, `--version` says which
    /// version of sitebus the program is made with.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Program {
        self.version = Some(version.into());
        self
    }

    /// Whether a site file without routes is a mistake, as it is unless this says otherwise: for a program whose plugins
    /// have other things to do. A site without `[http]` and without routes then listens nowhere.
    #[must_use]
    pub fn needs_routes(mut self, needs: bool) -> Program {
        self.known.needs_routes(needs);
        self
    }

    /// An application that a route of the site file mounts by this name: `app = "shop"`. Any tower service will do, such as
    /// an axum `Router` ([`AppService`] says what fits); it sees paths without the route's own.
    #[must_use]
    pub fn app(mut self, name: impl Into<String>, application: impl AppService) -> Program {
        let name = name.into();
        self.known.app(name.clone());
        if self.apps.insert(name.clone(), App::new(application)).is_some() {
            let mistake =
                format!("two applications are called `{name}`; choose another name for one of them");
            self.mistake = self.mistake.or(Some(mistake));
        }
        self
    }

    /// A section of the site file, `[name]`, and the plugin that it is for: `subscribe` gets the section, if the file has
    /// it, once the file is known to be right and before the bus starts. It is called again only where a restart has failed
    /// at the last moment, for the bus that goes on.
    ///
    /// On a reload the new section is offered by its type: the plugin finds it with
    /// [`Graceful::get`](crate::Graceful::get).
    #[must_use]
    pub fn section<T: Section + Send + Sync>(
        mut self,
        name: impl Into<String>,
        subscribe: impl Fn(&Handle, Option<T>) -> anyhow::Result<()> + 'static,
    ) -> Program {
        let name = name.into();
        match self.known.section::<T>(&name) {
            Ok(()) => self.sections.push(sections::join(name, subscribe)),
            Err(taken) => self.mistake = self.mistake.or(Some(taken.to_string())),
        }
        self
    }

    /// A plugin that has no section: `subscribe` is called before the bus starts, as for [`section`](Program::section).
    #[must_use]
    pub fn plugin(mut self, subscribe: impl Fn(&Handle) -> anyhow::Result<()> + 'static) -> Program {
        self.plugins.push(Box::new(subscribe));
        self
    }

    fn version_line(&self) -> String {
        let sitebus = || format!("made with sitebus {}", env!("CARGO_PKG_VERSION"));
        self.version.clone().unwrap_or_else(sitebus)
    }
}

fn name_of_executable() -> String {
    let executed = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&executed).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "sitebus".to_owned())
}
