//! `generate systemd`: a unit that is right for this site.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::answer::Answer;
use super::args::SystemdArgs;
use crate::os::identity::User;
use crate::os::image::Image;
use crate::os::peer::our_user;
use crate::program::Program;
use crate::program::assembly::{Plan, Source};
use crate::program::statuses::{BAD_USAGE, DONE, FAILED};
use crate::serve::Address;

/// What the manager waits for longer than the site's own limits, so that the site is the first to notice, and says what
/// overran.
const LONGER: Duration = Duration::from_secs(15);
/// How long the manager hears nothing from a process that hangs altogether.
const WATCHDOG: Duration = Duration::from_secs(60);

pub(super) fn generate(program: Program, name: &str, args: SystemdArgs, image: &Image) -> ExitCode {
    let json = args.json;
    let source = Source::new(program.known, program.apps, args.site, false);
    let plan = match source.read() {
        Ok(plan) => plan,
        Err(report) => return Answer::bad_file("generate", report, "").print(json),
    };
    match Unit::of(&plan, &source.overrides, image, args.user) {
        Ok(unit) => {
            let text = unit.text(name);
            if json {
                let message = format!("a unit for the site '{}'", plan.name);
                return Answer::new("generate", "done", DONE, message).with_data(&text).print(json);
            }
            let _ = anstream::stdout().write_all(text.as_bytes()); // printing can fail only where nobody reads
            ExitCode::SUCCESS
        }
        Err(why) => Answer::new("generate", "refused", FAILED, why).print(json),
    }
}

/// What a unit is made of, each value as it is.
struct Unit<'a> {
    plan: &'a Plan,
    program: String,
    file: String,
    folder: String,
    overrides: &'a [String],
    user: Option<String>,
}

impl<'a> Unit<'a> {
    fn of(
        plan: &'a Plan,
        overrides: &'a [String],
        image: &Image,
        user: Option<String>,
    ) -> Result<Unit<'a>, String> {
        let file = std::path::absolute(plan.file.path()).unwrap_or_else(|_| plan.file.path().to_owned());
        let text = |path: &Path| {
            let text = path.to_str().filter(|text| !text.contains(char::is_control));
            text.map(str::to_owned).ok_or_else(|| {
                format!("the path {} cannot stand in a unit: rename it to plain text", path.display())
            })
        };
        if let Some(odd) = overrides.iter().find(|set| set.contains(char::is_control)) {
            return Err(format!("--set {odd:?} cannot stand in a unit: write it into the site file"));
        }
        let (program, file, folder) = (text(image.program())?, text(&file)?, text(plan.file.folder())?);
        // Who drops privileges needs them first.
        let own = if plan.privileges.user.is_none() { ordinary_user() } else { None };
        Ok(Unit { plan, program, file, folder, overrides, user: user.or(own) })
    }

    fn text(&self, name: &str) -> String {
        let mut unit = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(name, &mut unit);
        unit
    }

    fn write(&self, name: &str, unit: &mut String) -> std::fmt::Result {
        let site = specifiers(&self.plan.name);
        let file_name = format!("{}.service", self.plan.name);
        writeln!(
            unit,
            "# Made by `{name} generate systemd`. Put it into /etc/systemd/system/{file_name}, then:"
        )?;
        writeln!(unit, "#     systemctl daemon-reload && systemctl enable --now {file_name}")?;
        writeln!(unit, "\n[Unit]\nDescription=The site {site}")?;
        writeln!(unit, "Wants=network-online.target\nAfter=network-online.target")?;
        writeln!(unit, "\n[Service]")?;
        writeln!(unit, "# STARTED, reloading and stopping are told by the site itself.")?;
        writeln!(unit, "Type=notify\nNotifyAccess=main")?;
        self.write_sockets(unit)?;
        writeln!(unit, "WorkingDirectory={}", specifiers(&self.folder))?;
        writeln!(unit, "ExecStart={}", self.command("run", &[]))?;
        writeln!(
            unit,
            "# Its status is the truth: a reload that is refused has failed, and the site goes on as it was."
        )?;
        let patience = format!("{}s", self.reload().as_secs());
        writeln!(unit, "ExecReload={}", self.command("reload", &["--timeout", &patience]))?;
        writeln!(unit, "# A bad site file does not get better by trying again.")?;
        writeln!(unit, "Restart=on-failure\nRestartSec=1s\nRestartPreventExitStatus={BAD_USAGE}")?;
        writeln!(unit, "# TERM to the site alone, which ends what it started; longer than its own limits.")?;
        writeln!(unit, "KillMode=mixed")?;
        writeln!(unit, "TimeoutStartSec={}s", self.start().as_secs())?;
        writeln!(unit, "TimeoutStopSec={}s", self.stop().as_secs())?;
        if self.plan.systemd.watchdog {
            writeln!(unit, "WatchdogSec={}s", WATCHDOG.as_secs())?;
        }
        writeln!(unit, "LimitNOFILE=524288")?;
        self.write_identity(unit)?;
        self.write_hardening(unit)?;
        writeln!(unit, "\n[Install]\nWantedBy=multi-user.target")
    }

    /// Without this, who starts the service by hand starts it without its sockets.
    fn write_sockets(&self, unit: &mut String) -> std::fmt::Result {
        let listen = self.plan.http.iter().flat_map(|http| &http.listen);
        let names = listen.filter_map(|address| match address {
            Address::Systemd(name) => Some(name),
            _ => None,
        });
        let own = format!("{}.socket", self.plan.name);
        let mut units: Vec<&str> =
            names.map(|name| if name.ends_with(".socket") { name } else { own.as_str() }).collect();
        units.dedup();
        units.into_iter().try_for_each(|socket| writeln!(unit, "Sockets={}", specifiers(socket)))
    }

    /// A site with [privileges] starts as root and drops that itself.
    fn write_identity(&self, unit: &mut String) -> std::fmt::Result {
        let Some(user) = &self.user else { return Ok(()) };
        writeln!(unit, "\nUser={}", specifiers(user))?;
        let low_port =
            |address: &Address| matches!(address, Address::Tcp(at) if (1..1024).contains(&at.port()));
        let http = self.plan.http.as_ref();
        if user != "root" && http.is_some_and(|http| http.listen.iter().any(low_port)) {
            writeln!(unit, "AmbientCapabilities=CAP_NET_BIND_SERVICE")?;
        }
        Ok(())
    }

    /// Only what no site needs, whatever it serves and wherever it lies.
    fn write_hardening(&self, unit: &mut String) -> std::fmt::Result {
        writeln!(unit, "\n# What no site needs.")?;
        for what in [
            "LockPersonality",
            "ProtectControlGroups",
            "ProtectHostname",
            "ProtectKernelLogs",
            "ProtectKernelModules",
            "ProtectKernelTunables",
            "RestrictRealtime",
        ] {
            writeln!(unit, "{what}=yes")?;
        }
        if !self.writes_to_the_system() {
            writeln!(unit, "ProtectSystem=full")?;
        }
        Ok(())
    }

    /// Whether the site keeps anything in what `ProtectSystem=full` makes read-only (systemd.exec(5)).
    fn writes_to_the_system(&self) -> bool {
        let http = self.plan.http.iter().flat_map(|http| &http.listen);
        let sockets = http.filter_map(|address| address.path().map(Path::to_owned));
        let pidfile = self.plan.pidfile.iter().map(|pidfile| pidfile.path.clone());
        let ours = [self.plan.state.clone(), PathBuf::from(&self.folder)];
        let closed = ["/usr", "/boot", "/efi", "/etc"].map(Path::new);
        let mut paths = ours.into_iter().chain(sockets).chain(pidfile);
        paths.any(|path| {
            let path = path.canonicalize().unwrap_or(path);
            closed.iter().any(|closed| path.starts_with(closed))
        })
    }

    fn command(&self, command: &str, more: &[&str]) -> String {
        let overrides = self.overrides.iter().flat_map(|set| ["--set", set]);
        let words: Vec<&str> = [self.program.as_str(), command]
            .into_iter()
            .chain(more.iter().copied())
            .chain(overrides)
            .collect();
        let words: Vec<&str> = words.into_iter().chain([self.file.as_str()]).collect();
        // Without this, `$` would begin a variable.
        let prefix = if words.iter().any(|word| word.contains('$')) { ":" } else { "" };
        let words: Vec<String> = words.into_iter().map(word).collect();
        format!("{prefix}{}", words.join(" "))
    }

    fn start(&self) -> Duration {
        self.plan.start_time().saturating_add(LONGER)
    }

    fn stop(&self) -> Duration {
        let limits = &self.plan.limits;
        // A start or a reload that is running is ended first.
        sum([limits.graceful.total, limits.stop.total, limits.exit.total, limits.join, LONGER])
    }

    /// Less than the manager gives it, which is what it gives a start.
    fn reload(&self) -> Duration {
        sum([self.plan.limits.graceful.total.saturating_mul(2), LONGER]).min(self.start() - LONGER)
    }
}

/// Who generates the unit, unless that is root: the state folder will be theirs.
fn ordinary_user() -> Option<String> {
    let user = our_user();
    let name = || User::find(&user.to_string()).ok().and_then(|user| user.name);
    (user != 0).then(|| name().unwrap_or_else(|| user.to_string()))
}

fn sum(times: impl IntoIterator<Item = Duration>) -> Duration {
    times.into_iter().fold(Duration::ZERO, Duration::saturating_add)
}

/// A percent sign begins a specifier everywhere in a unit (systemd.unit(5)).
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word of a command line (systemd.service(5), "Command lines").
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let quoted = specifiers(text).replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{quoted}\"")
}
