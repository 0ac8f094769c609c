//! Hundreds of signals from several senders, through start, restart and stop: whatever comes of it, it comes to an end, and
//! the status is true.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use sitebus_os::signal::Signal;
use sitebus_testkit::Child;
use sitebus_tests::{Daemon, Dice, Folder, SOON, Site, get, json, logs, nobody_is_left_in, program, run};

const TELLING: [Signal; 5] = [Signal::HUP, Signal::USR1, Signal::USR2, Signal::TTIN, Signal::TTOU];
const ENDING: [Signal; 2] = [Signal::TERM, Signal::INT];

/// Each of the senders sends so many of these, with pauses of up to 3 ms.
fn spray(child: &Child, senders: u64, each: u64, kinds: &[Signal], seed: u64) {
    thread::scope(|scope| {
        for sender in 0..senders {
            scope.spawn(move || {
                let mut dice = Dice::new(seed * 100 + sender);
                for _ in 0..each {
                    child.signal(*dice.pick(kinds)).unwrap();
                    pause(&mut dice, 3000);
                }
            });
        }
    });
}

fn pause(dice: &mut Dice, micros: u64) {
    thread::park_timeout(Duration::from_micros(dice.throw(micros)));
}

fn spawn(folder: &Folder) -> Site {
    let mut command = Command::new(program!());
    command.arg("run");
    Site::spawn(command, folder)
}

/// Its end: status 0, or one of these signals, and no core.
fn ends_truly(site: &Site, by: &[Signal]) {
    let status = site.child().wait(SOON).unwrap();
    assert!(!status.core_dumped(), "{status}");
    let signal = status.signal().map(|number| Signal::try_from(number).unwrap());
    let log = site.log().lines().join("\n");
    assert!(
        status.code() == Some(0) || signal.is_some_and(|signal| by.contains(&signal)),
        "{status}:\n{log}"
    );
}

#[test]
fn a_site_that_is_told_much_but_not_to_end_serves_in_the_end_as_the_same_process() {
    for seed in 0..3 {
        let folder = Folder::small();
        let site = Site::start(program!(), &folder);
        let address = site.address();
        thread::scope(|scope| {
            scope.spawn(|| spray(site.child(), 4, 75, &TELLING, seed));
            for command in ["reload", "restart", "reopen", "restart", "reload"] {
                // Done, or refused because it is just being restarted; but told, and in time.
                let told = run(program!(), folder.path(), &[command, "--timeout", "20s"]);
                assert!(matches!(told.code, Some(0 | 1)), "{command}: {told:?}");
                assert_eq!(told.code == Some(0), told.stdout.lines().count() == 1, "{command}: {told:?}");
            }
        });
        let last = run(program!(), folder.path(), &["restart"]);
        assert_eq!(last.code, Some(0), "{last:?}");
        let status = json(&run(program!(), folder.path(), &["status", "--json"]));
        assert_eq!(
            (&status["data"]["pid"], &status["data"]["state"]),
            (&site.child().id().into(), &"STARTED".into())
        );
        assert_eq!(get(address, "/").unwrap().status, 200);
        assert_eq!(run(program!(), folder.path(), &["stop"]).code, Some(0));
        ends_truly(&site, &[]);
    }
}

#[test]
fn a_site_that_is_told_once_to_end_among_restarts_and_reloads_ends_in_the_usual_way() {
    for seed in 0..10 {
        let folder = Folder::small();
        let site = Site::start(program!(), &folder);
        thread::scope(|scope| {
            scope.spawn(|| spray(site.child(), 3, 30, &[Signal::USR2, Signal::HUP, Signal::USR1], seed));
            let mut dice = Dice::new(seed);
            pause(&mut dice, 60_000);
            site.signal(Signal::TERM);
        });
        ends_truly(&site, &[]);
        nobody_is_left_in(folder.path());
        assert_eq!(run(program!(), folder.path(), &["status"]).code, Some(4));
    }
}

#[test]
fn a_site_that_is_told_everything_at_once_ends_and_the_next_one_starts() {
    let all = [&TELLING[..], &ENDING].concat();
    for seed in 0..6 {
        let folder = Folder::small();
        let site = Site::start(program!(), &folder);
        spray(site.child(), 5, 60, &all, seed);
        site.signal(Signal::TERM);
        ends_truly(&site, &ENDING);
        nobody_is_left_in(folder.path());
        assert_eq!(run(program!(), folder.path(), &["status"]).code, Some(4));
        Site::start(program!(), &folder).stop();
    }
}

#[test]
fn signals_through_a_whole_start_end_it_truly_or_not_at_all() {
    // Those that would stop a process which has said nothing yet are the kernel's business.
    let early = [Signal::HUP, Signal::USR1, Signal::USR2, Signal::TERM, Signal::INT];
    for seed in 0..15 {
        let folder = Folder::small();
        let site = spawn(&folder);
        pause(&mut Dice::new(seed), 15_000);
        spray(site.child(), 3, 10, &early, seed);
        site.signal(Signal::TERM);
        ends_truly(&site, &early);
        nobody_is_left_in(folder.path());
        assert_eq!(run(program!(), folder.path(), &["status"]).code, Some(4));
        Site::start(program!(), &folder).stop();
    }
}

#[test]
fn signals_through_a_whole_stop_do_not_keep_it_from_ending() {
    let all = [&TELLING[..], &ENDING].concat();
    for seed in 0..6 {
        let folder = Folder::small();
        let site = Site::start(program!(), &folder);
        let only_told = seed % 2 == 0;
        thread::scope(|scope| {
            scope.spawn(|| {
                let told = run(program!(), folder.path(), &["stop"]);
                // Told to end by signals too, it may be gone before it is asked, or before it has answered.
                assert!(told.code == Some(0) || !only_told && matches!(told.code, Some(1 | 4)), "{told:?}");
            });
            spray(site.child(), 4, 40, if only_told { &TELLING } else { &all }, seed);
        });
        ends_truly(&site, &ENDING);
        nobody_is_left_in(folder.path());
    }
}

#[test]
fn a_launcher_that_is_told_to_end_says_0_if_the_site_runs_and_only_then() {
    let (mut up, mut down) = (0, 0);
    for seed in 0..24 {
        let folder = Folder::small();
        let mut command = Command::new(program!());
        command.arg("start");
        let launcher = Site::spawn(command, &folder);
        let mut dice = Dice::new(seed);
        pause(&mut dice, 40_000);
        for _ in 0..=dice.throw(3) {
            launcher.signal(*dice.pick(&[Signal::TERM, Signal::INT, Signal::HUP]));
        }
        let status = launcher.child().wait(SOON).unwrap();
        let told = run(program!(), folder.path(), &["status", "--json"]);
        if status.success() {
            up += 1;
            assert_eq!(told.code, Some(0), "{told:?}");
            let daemon = Daemon::of(&json(&told)["data"]);
            assert_eq!(get(daemon.address(), "/").unwrap().status, 200);
            assert_eq!(run(program!(), folder.path(), &["stop"]).code, Some(0));
            logs(&folder.at(".sitebus/site/log"), "Bus EXITED");
        } else {
            down += 1;
            assert!([1, 2, 15].contains(&status.signal().unwrap()) && !status.core_dumped(), "{status}");
            assert_eq!(told.code, Some(4), "{status}: {told:?}");
        }
        nobody_is_left_in(folder.path());
    }
    assert!(up > 0 && down > 0, "{up} were up, {down} were not: the moments do not fit this machine");
}
