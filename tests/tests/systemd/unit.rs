//! A site under a systemd of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sitebus_testkit::systemd::Systemd;
use sitebus_testkit::{Child, left_out};
use sitebus_tests::{Ended, Folder, SOON, run};

/// A folder with a site in it, and `site.service` as `generate systemd` writes it.
pub(crate) struct Unit<'a> {
    pub(crate) folder: Folder,
    pub(crate) machine: Systemd,
    program: &'a Path,
}

impl<'a> Unit<'a> {
    /// None where no systemd boots, which is said.
    pub(crate) fn of(program: &'a Path, folder: Folder) -> Option<Unit<'a>> {
        let machine = match Systemd::boot() {
            Ok(machine) => machine,
            Err(why) => {
                left_out(format_args!(
                    "{why}; a notify socket of our own is all that the program was heard by"
                ));
                return None;
            }
        };
        let unit = Unit { folder, machine, program };
        unit.generate(&[]);
        Some(unit)
    }

    /// Writes the unit, with these arguments more.
    pub(crate) fn generate(&self, arguments: &[&str]) {
        let arguments = [&["generate", "systemd"], arguments].concat();
        let generated = run(self.program, self.folder.path(), &arguments);
        assert_eq!((generated.code, generated.stderr.as_str()), (Some(0), ""), "{generated:?}");
        self.machine.write_unit("site.service", &generated.stdout).unwrap();
    }

    /// Settings in the section `[Service]` on top of it.
    pub(crate) fn set(&self, settings: &str) {
        let folder = self.machine.path("/run/systemd/system/site.service.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("more.conf"), format!("[Service]\n{settings}\n")).unwrap();
        self.does("daemon-reload", &[]);
    }

    /// `systemctl`, to its end.
    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Ended {
        self.run_in_there("systemctl", arguments)
    }

    /// `systemctl VERB UNITS…`, which must succeed.
    #[track_caller]
    pub(crate) fn does(&self, verb: &str, units: &[&str]) {
        let ended = self.systemctl(&[&[verb], units].concat());
        assert_eq!(ended.code, Some(0), "{verb} {units:?}: {}", ended.stderr);
    }

    /// `systemctl VERB site.service`, which goes on meanwhile.
    pub(crate) fn begins(&self, verb: &str) -> Child {
        let mut command = self.machine.command("systemctl");
        command.args([verb, "site.service"]);
        Child::spawn(command).unwrap()
    }

    /// The program's own command, for this site, beside it.
    pub(crate) fn asks(&self, command: &str) -> Child {
        let mut asking = self.machine.command(self.program);
        asking.arg(command).arg(self.folder.at("site.toml")).env_remove("RUST_LOG").env_remove("NO_COLOR");
        Child::spawn(asking).unwrap()
    }

    /// The same, to its end.
    pub(crate) fn ask(&self, command: &str) -> Ended {
        Ended::of(self.asks(command))
    }

    /// What `status --json` tells.
    pub(crate) fn status(&self) -> Value {
        let site = self.folder.at("site.toml");
        let arguments = ["status", "--json", site.to_str().unwrap()];
        let ended = self.run_in_there(self.program.to_str().unwrap(), &arguments);
        let status: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        status["data"].clone()
    }

    /// Where the site listens first.
    pub(crate) fn address(&self) -> SocketAddr {
        let status = self.status();
        let listening = status["listening"][0].as_str().and_then(|url| url.strip_prefix("http://"));
        listening.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{status}"))
    }

    pub(crate) fn run_in_there(&self, program: &str, arguments: &[&str]) -> Ended {
        let mut command: Command = self.machine.command(program);
        command.args(arguments).env_remove("RUST_LOG").env_remove("NO_COLOR");
        Ended::of(Child::spawn(command).unwrap())
    }

    pub(crate) fn property(&self, name: &str) -> String {
        self.machine.property("site.service", name).unwrap()
    }

    pub(crate) fn properties<const N: usize>(&self, names: [&str; N]) -> [String; N] {
        names.map(|name| self.property(name))
    }

    /// Waits until a property is as `is_right` wants it, and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str, is_right: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            // Each look is a program that runs, so this does not spin.
            let value = self.property(name);
            if is_right(&value) {
                return value;
            }
            assert!(Instant::now() < deadline, "{name} is still {value:?}");
        }
    }

    /// Sees for this long that the unit stays in this state.
    #[track_caller]
    pub(crate) fn stays(&self, state: &str, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert_eq!(self.property("ActiveState"), state);
            thread::yield_now();
        }
    }

    /// The processes of the unit.
    pub(crate) fn processes(&self) -> Vec<String> {
        let ended = self.run_in_there("cat", &["/sys/fs/cgroup/system.slice/site.service/cgroup.procs"]);
        ended.stdout.lines().map(str::to_owned).collect()
    }

    /// Waits until `systemctl status` shows this: what a service has written comes to the journal a moment later.
    #[track_caller]
    pub(crate) fn shows(&self, part: &str) {
        let deadline = Instant::now() + SOON;
        loop {
            let shown = self.systemctl(&["status", "--no-pager", "--full", "site.service"]).stdout;
            if shown.contains(part) {
                return;
            }
            assert!(Instant::now() < deadline, "{part:?} is not in {shown}");
        }
    }

    pub(crate) fn journal(&self) -> String {
        self.machine.journal().unwrap()
    }
}
