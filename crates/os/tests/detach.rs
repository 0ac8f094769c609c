//! Leaving the terminal: a `main` of its own, since a test harness has several threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use nix::unistd::{getpgrp, getpid, getsid};
use sitebus_os::alone::Alone;
use sitebus_os::detach::{DetachError, Event, Side, Surroundings, Watch, detach};
use sitebus_os::signal::Signal;
use sitebus_testkit::{own_main, tests};

fn main() -> ExitCode {
    own_main::run(tests![a_launcher_hears_and_sees_its_daemon_and_can_end_it])
}

/// Runs the body in a daemon, which ends with the status that it returns; returns in the launcher only.
fn daemon(alone: &Alone, body: impl FnOnce(std::io::PipeWriter) -> i32) -> Watch {
    match detach(alone, Surroundings::default()).unwrap() {
        Side::Launcher(watch) => watch,
        Side::Daemon(line) => {
            let status = body(line);
            #[expect(clippy::exit, clippy::disallowed_methods, reason = "the daemon is a copy of the test")]
            std::process::exit(status)
        }
    }
}

fn next(watch: &mut Watch) -> Event {
    watch.next(Some(Instant::now() + Duration::from_secs(60))).unwrap()
}

fn ended(watch: &mut Watch) -> ExitStatus {
    match next(watch) {
        Event::Ended(status) => status,
        event => panic!("{event:?}"),
    }
}

fn a_launcher_hears_and_sees_its_daemon_and_can_end_it() {
    let alone = Alone::claim().unwrap();
    let group = getpgrp();

    // Its words, then the end of its line, then its own.
    let mut watch = daemon(&alone, |mut line| {
        let apart =
            getsid(None).unwrap() != getpid() && getpgrp() == getsid(None).unwrap() && getpgrp() != group;
        line.write_all(if apart { b"apart" } else { b"not apart" }).unwrap();
        7
    });
    assert_eq!(next(&mut watch), Event::Report(b"apart".to_vec()));
    assert_eq!(next(&mut watch), Event::Closed);
    assert_eq!(ended(&mut watch).code(), Some(7));
    watch.send(Signal::TERM).unwrap(); // to nobody

    // One that says nothing and does not end.
    let mut watch = daemon(&alone, |_line| {
        loop {
            std::thread::park();
        }
    });
    assert_eq!(watch.next(Some(Instant::now())).unwrap(), Event::Deadline);
    watch.send(Signal::KILL).unwrap();
    assert_eq!(next(&mut watch), Event::Closed);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended(&mut watch)), Some(9));

    // A signal for the launcher does not end it while it watches.
    let mut watch = daemon(&alone, |_line| {
        loop {
            std::thread::park();
        }
    });
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(next(&mut watch), Event::Signal(Signal::TERM));
    watch.send(Signal::KILL).unwrap();
    assert_eq!(next(&mut watch), Event::Closed);
    ended(&mut watch);
    drop(watch);

    // What was opened is put around it, and what cannot be is told to the launcher, in which nothing has changed.
    let directory = std::fs::File::open("/dev/null").unwrap();
    let surroundings = Surroundings { directory: Some(directory), ..Surroundings::default() };
    let refused = detach(&alone, surroundings).unwrap_err();
    assert!(matches!(refused, DetachError::Refused { .. }), "{refused}");
    assert_eq!(
        refused.to_string(),
        "changing the directory (fchdir(2)) failed: Not a directory (os error 20)"
    );
    assert_eq!(nix::sys::wait::waitpid(None, None), Err(nix::Error::ECHILD), "nothing is left behind");

    let (over, wait) = std::sync::mpsc::channel::<()>();
    let second = std::thread::spawn(move || wait.recv());
    assert!(matches!(detach(&alone, Surroundings::default()), Err(DetachError::Alone(_))));
    drop(over);
    second.join().unwrap().unwrap_err();
}
