//! A real systemd starts, reloads, restarts and stops a site of ours. A `main` of its own: this program is the service too.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, Priority};
use sitebus_http::{Http, Response};
use sitebus_os::alone::Alone;
use sitebus_os::image::Image;
use sitebus_os::parcel::{Inherited, Item};
use sitebus_signals::Signals;
use sitebus_systemd::{Environment, FOR_ONE_IMAGE, Systemd};
use sitebus_testkit::systemd;
use sitebus_testkit::{Child, left_out};

const PATIENCE: Duration = Duration::from_secs(60);

type Test = (&'static str, fn(&systemd::Systemd));

const TESTS: &[Test] = &[
    ("a_unit_is_active_only_once_the_bus_has_started", a_unit_is_active_only_once_the_bus_has_started),
    ("a_start_that_fails_fails_the_unit", a_start_that_fails_fails_the_unit),
    ("a_start_may_take_longer_than_the_unit_grants", a_start_may_take_longer_than_the_unit_grants),
    (
        "a_socket_unit_a_reload_a_restart_in_place_and_a_stop",
        a_socket_unit_a_reload_a_restart_in_place_and_a_stop,
    ),
    ("a_process_that_hangs_is_found_by_the_watchdog", a_process_that_hangs_is_found_by_the_watchdog),
];

#[expect(clippy::print_stdout, reason = "the answer to the runner")]
fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        return serve(&arguments[1]);
    }
    // What runners of tests ask a binary first.
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let wanted: Vec<_> =
        TESTS.iter().filter(|(name, _)| wanted.is_none_or(|wanted| name.contains(&**wanted))).collect();
    if wanted.is_empty() {
        return;
    }
    let machine = match systemd::Systemd::boot() {
        Ok(machine) => machine,
        Err(why) => return left_out(format_args!("{why}; the tests with a socket of our own have run")),
    };
    for (name, test) in wanted {
        test(&machine);
        println!("test {name} ... ok");
    }
}

/// A site at `listen`. If there is a file at `/run/gate`, a fifo, its start waits until somebody opens that, and fails if he
/// writes to it.
fn serve(listen: &str) {
    let image = Image::capture().unwrap().without(&FOR_ONE_IMAGE);
    let alone = Alone::claim().unwrap();
    let inherited = Inherited::receive(&alone).unwrap();
    let number = inherited.take("number", "").map_or(0, |item| item.data()[0]);
    let environment = Environment::take(&alone).unwrap();
    environment.give_listeners_to(&inherited);
    let bus = Bus::new("site");
    let _signals = Signals::default().subscribe(&bus).unwrap();
    Systemd::new(&environment).subscribe(&bus);
    bus.plugin("gate").on_start(Priority::DEFAULT, |_| {
        let Ok(mut gate) = File::open("/run/gate") else { return Ok(()) };
        let mut said = String::new();
        gate.read_to_string(&mut said)?;
        anyhow::ensure!(said.is_empty(), "{said}");
        Ok(())
    });
    let _server = Http::new("http")
        .listen(listen)
        .unwrap()
        .inherit(&inherited)
        .answer(move |_| Response::new(format!("image {number}").into()))
        .subscribe(&bus)
        .unwrap();
    bus.restart_by(move |_, handed| {
        let mut items = handed.take::<Item>();
        items.push(Item::new("number", "").with_data([number + 1]));
        image.execute(items).0.into()
    });
    let started = bus.start();
    let exit = bus.block();
    assert!(started.is_ok() && exit.code() == 0, "{exit}");
}

fn service(listen: &str, more: &str) -> String {
    let program = env::current_exe().unwrap();
    format!(
        "[Unit]\nDefaultDependencies=no\n[Service]\nType=notify\nExecStart={} serve {listen}\nExecReload=kill -HUP $MAINPID\n\
         {more}\n",
        program.display()
    )
}

fn gate(machine: &systemd::Systemd) -> Gate {
    let path = machine.path("/run/gate");
    assert!(machine.command("mkfifo").arg("/run/gate").status().unwrap().success());
    Gate(path)
}

/// While it is there and nobody has opened it, a start waits.
struct Gate(std::path::PathBuf);

impl Gate {
    /// Waits for the start, and lets it pass.
    fn open(self, says: &str) {
        // Opening waits for the reader. A second start would not be waited for.
        let mut gate = File::options().write(true).open(&self.0).unwrap();
        std::fs::remove_file(&self.0).unwrap();
        gate.write_all(says.as_bytes()).unwrap();
    }
}

/// `systemctl start`, which returns once the unit is up, or is not going to be.
fn start(machine: &systemd::Systemd, unit: &str) -> Child {
    let mut command = machine.command("systemctl");
    command.args(["start", unit]);
    Child::spawn(command).unwrap()
}

fn ask(machine: &systemd::Systemd, arguments: &[&str]) {
    let output = machine.systemctl(arguments).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn wait_for(machine: &systemd::Systemd, unit: &str, property: &str, value: &str) {
    let began = Instant::now();
    loop {
        // Each look is a program that is run, so this does not spin.
        let is = machine.property(unit, property).unwrap();
        if is == value {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{property} of {unit} is {is:?} and not {value:?}");
    }
}

fn get(socket: &Path) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

fn a_unit_is_active_only_once_the_bus_has_started(machine: &systemd::Systemd) {
    machine.write_unit("ready.service", &service("unix:/run/ready.sock", "")).unwrap();
    let gate = gate(machine);
    let starting = start(machine, "ready.service");
    wait_for(machine, "ready.service", "StatusText", "STARTING: waiting for 'gate'");
    assert_eq!(machine.property("ready.service", "ActiveState").unwrap(), "activating");
    gate.open("");
    assert!(starting.wait(PATIENCE).unwrap().success());
    assert_eq!(machine.property("ready.service", "ActiveState").unwrap(), "active");
    wait_for(machine, "ready.service", "StatusText", "STARTED");
    assert_eq!(get(&machine.path("/run/ready.sock")), "image 0");
    ask(machine, &["stop", "ready.service"]);
    assert_eq!(machine.property("ready.service", "Result").unwrap(), "success");
}

fn a_start_that_fails_fails_the_unit(machine: &systemd::Systemd) {
    machine.write_unit("fails.service", &service("unix:/run/fails.sock", "")).unwrap();
    let gate = gate(machine);
    let starting = start(machine, "fails.service");
    gate.open("no disk");
    assert!(!starting.wait(PATIENCE).unwrap().success());
    assert_eq!(machine.property("fails.service", "ActiveState").unwrap(), "failed");
}

fn a_start_may_take_longer_than_the_unit_grants(machine: &systemd::Systemd) {
    machine.write_unit("slow.service", &service("unix:/run/slow.sock", "TimeoutStartSec=1")).unwrap();
    let gate = gate(machine);
    let (starting, began) = (start(machine, "slow.service"), Instant::now());
    wait_for(machine, "slow.service", "StatusText", "STARTING: waiting for 'gate'");
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(machine.property("slow.service", "ActiveState").unwrap(), "activating");
    }
    gate.open("");
    assert!(starting.wait(PATIENCE).unwrap().success());
    ask(machine, &["stop", "slow.service"]);
}

fn a_socket_unit_a_reload_a_restart_in_place_and_a_stop(machine: &systemd::Systemd) {
    let socket =
        "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/web.sock\nFileDescriptorName=web\n";
    machine.write_unit("web.socket", socket).unwrap();
    machine.write_unit("web.service", &service("systemd:web", "WatchdogSec=10")).unwrap();
    ask(machine, &["start", "web.socket"]);
    let path = machine.path("/run/web.sock");
    assert_eq!(get(&path), "image 0", "who connects starts the site, and waits for it");
    wait_for(machine, "web.service", "ActiveState", "active");
    let main = machine.property("web.service", "MainPID").unwrap();
    ask(machine, &["reload", "web.service"]);
    wait_for(machine, "web.service", "StatusText", "STARTED");

    for image in 1..5 {
        ask(machine, &["kill", "--signal=USR2", "web.service"]);
        let began = Instant::now();
        while get(&path) != format!("image {image}") {
            assert!(began.elapsed() < PATIENCE);
        }
    }
    wait_for(machine, "web.service", "ActiveState", "active");
    assert_eq!(machine.property("web.service", "MainPID").unwrap(), main);
    assert_eq!(machine.property("web.service", "NRestarts").unwrap(), "0");
    ask(machine, &["stop", "web.service"]);
    assert_eq!(machine.property("web.service", "Result").unwrap(), "success");
    assert_eq!(get(&path), "image 0", "the socket is the manager's, and starts it again");
    ask(machine, &["stop", "web.socket", "web.service"]);
}

fn a_process_that_hangs_is_found_by_the_watchdog(machine: &systemd::Systemd) {
    machine.write_unit("hangs.service", &service("unix:/run/hangs.sock", "WatchdogSec=1")).unwrap();
    ask(machine, &["start", "hangs.service"]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(machine.property("hangs.service", "ActiveState").unwrap(), "active");
    }
    ask(machine, &["kill", "--signal=STOP", "hangs.service"]);
    wait_for(machine, "hangs.service", "Result", "watchdog");
    ask(machine, &["kill", "--signal=KILL", "hangs.service"]);
}
