//! A site that really becomes a new image of itself. A `main` of its own, since it executes itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command as Program, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, Cause};
use sitebus_control::{Client, Command, ConnectError, Control, Event, Settings, Verdict};
use sitebus_os::alone::Alone;
use sitebus_os::parcel::Inherited;
use sitebus_restart::{Image, Restart};
use sitebus_testkit::{own_main, tests};

const PATIENCE: Duration = Duration::from_secs(60);
const SITE: &str = "a site";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == SITE) {
        serve(Path::new(&arguments[1]));
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![twenty_restarts_are_answered, a_program_that_is_gone_is_no_reason_to_stop,])
}

/// The site: as `main` of a program has it.
fn serve(socket: &Path) {
    let image = Image::capture().unwrap();
    let inherited = Inherited::receive(&Alone::claim().unwrap()).unwrap();
    let mut failed = None;
    loop {
        let bus = Bus::new("site");
        let mut control = Control::new(Settings::at(socket)).inherit(&inherited);
        if let Some(why) = failed.take() {
            control = control.after_failed_restart(why);
        }
        control.subscribe(&bus).unwrap();
        Restart::new(image.clone(), inherited.clone()).subscribe(&bus);
        let _ = bus.start(); // refused, if somebody has asked for an exit before
        match bus.block().cause() {
            Cause::RestartFailed { why } => failed = Some(why.to_string()),
            _ => return,
        }
    }
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Killed, if a test ends early.
struct Site(Child);

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A site that is STARTED, and a client of it.
fn site(program: &Path, socket: &Path) -> (Site, Client) {
    let child = Program::new(program).arg(SITE).arg(socket).stdin(Stdio::null()).spawn().unwrap();
    let site = Site(child);
    let deadline = soon();
    loop {
        match Client::connect(socket, deadline) {
            Ok(client) if client.state() == "STARTED" => return (site, client),
            Ok(_) | Err(ConnectError::NotRunning { .. }) => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
        assert!(Instant::now() < deadline);
    }
}

fn stop(mut site: Site, socket: &Path) {
    let mut client = Client::connect(socket, soon()).unwrap();
    let outcome = client.ask(Command::Stop, soon(), |_| {}).unwrap();
    assert_eq!(outcome.verdict(), Verdict::Done);
    let status = site.0.try_wait().unwrap().expect("stopped means that the process is gone");
    assert!(status.success(), "{status}");
    assert!(!socket.exists());
}

fn twenty_restarts_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let (site, client) = site(&env::current_exe().unwrap(), &socket);
    let pid = client.pid().unwrap();
    assert_eq!(pid, site.0.id());
    drop(client);
    let over = AtomicBool::new(false);
    let (mut slowest, mut instances) = (Duration::ZERO, BTreeSet::new());
    let asked = thread::scope(|scope| {
        let curious = scope.spawn(|| {
            let mut asked = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let mut client = Client::connect(&socket, soon()).unwrap(); // never refused, never "not running"
                let status = client.ask(Command::Status, soon(), |_| {}).unwrap().status().unwrap();
                assert_eq!(status.pid, pid);
                asked += 1;
            }
            asked
        });
        for _ in 0..20 {
            let began = Instant::now();
            let mut client = Client::connect(&socket, soon()).unwrap();
            let mut events = Vec::new();
            let outcome = client.ask(Command::Restart, soon(), |event| events.push(event.clone())).unwrap();
            assert_eq!((outcome.verdict(), outcome.message()), (Verdict::Done, "the site has restarted"));
            assert!(events.contains(&Event::Replacing), "{events:?}");
            assert_eq!(events.last(), Some(&Event::State("STARTED".to_owned())), "{events:?}");
            let ping = client.ask(Command::Ping, soon(), |_| {}).unwrap(); // over the same connection
            instances.insert(ping.json());
            slowest = slowest.max(began.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        curious.join().unwrap()
    });
    assert_eq!(instances.len(), 20, "an image was not replaced");
    assert!(asked >= 20, "only {asked} questions in 20 restarts, of which one took {slowest:?}");
    stop(site, &socket);
}

fn a_program_that_is_gone_is_no_reason_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, program) = (folder.path().join("control.sock"), folder.path().join("program"));
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let (site, mut client) = site(&program, &socket);
    fs::remove_file(&program).unwrap();
    let outcome = client.ask(Command::Restart, soon(), |_| {}).unwrap();
    assert_eq!((outcome.verdict(), outcome.exit_status()), (Verdict::Refused, 1), "{}", outcome.message());
    assert_eq!(outcome.failures()[0].listener, "restart");
    assert!(outcome.message().contains(program.to_str().unwrap()), "{}", outcome.message());
    let status = client.ask(Command::Status, soon(), |_| {}).unwrap().status().unwrap();
    assert_eq!((status.state.as_str(), status.exit), ("STARTED", None));
    stop(site, &socket);
}
