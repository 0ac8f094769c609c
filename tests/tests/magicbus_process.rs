//! MagicBus's own suites (4.1.2) for whole processes: PID files, daemons, terminals, a server and its threads, against the
//! program with a site file and against a program that puts the library's plugins together by hand.
//!
//! The numbers count the cases of those suites; those of the bus itself are in `magicbus.rs`. Where the design decided
//! otherwise (12, 13), the test says so. Waiting for a site to come and to go is done by the PID file, as scripts do it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::time::Instant;

use sitebus::pidfile::PidFile;
use sitebus_os::signal::Signal;
use sitebus_tests::{Outsider, SOON, Stand, Subject, against_both, by_hand, get, wait_until};

against_both! {
    case_12_a_daemon_is_in_its_pid_file_when_the_launcher_returns_and_the_file_goes_with_it,
    case_12_a_daemon_that_is_started_twice_refuses_and_the_first_one_stays_in_the_file,
    case_13_a_terminal_that_goes_away_takes_the_site_and_its_pid_file_with_it,
    case_13_a_hangup_leaves_the_pid_file_of_a_daemon_as_it_is_and_term_removes_it,
    case_13_term_removes_the_pid_file_of_a_site_on_a_terminal,
    case_13_a_daemon_that_was_killed_leaves_a_pid_file_that_stops_nobody,
    case_14_ctrl_c_right_after_an_answer_ends_the_process,
    case_14_ctrl_c_from_the_keys_ends_a_site_on_its_terminal,
}

/// Waits, by the file alone, until whoever holds it is gone.
fn join(stand: &Stand) {
    PidFile::join(stand.pid_file(), Instant::now() + SOON).unwrap();
}

fn case_12_a_daemon_is_in_its_pid_file_when_the_launcher_returns_and_the_file_goes_with_it(stand: Stand) {
    let launched = stand.launch();
    assert_eq!((launched.code, launched.stderr.as_str()), (Some(0), ""), "{launched:?}");
    let daemon = Outsider::of(PidFile::wait(stand.pid_file(), Instant::now()).unwrap());
    let facts = stand.facts(stand.address());
    assert_eq!(facts["pid"], daemon.id());
    assert_eq!(stand.folder().read("site.pid"), format!("{}\n", daemon.id()));
    stand.ask_for_an_exit(stand.address());
    join(&stand);
    stand.is_gone();
    assert!(daemon.has_ended());
}

/// Theirs forks, and both write the file. Here the second one is refused by the lock.
fn case_12_a_daemon_that_is_started_twice_refuses_and_the_first_one_stays_in_the_file(stand: Stand) {
    let daemon = stand.daemon();
    let address = stand.address();
    let second = stand.launch();
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains(&daemon.id().to_string()), "{second:?}");
    assert_eq!((stand.pid(), daemon.has_ended()), (daemon.id(), false));
    let foreground = stand.spawn().ends();
    assert_eq!(foreground.code, Some(1), "{foreground:?}");
    assert!(foreground.stderr.contains(&daemon.id().to_string()), "{foreground:?}");
    assert_eq!(get(address, "/").unwrap().status, 200);
    daemon.signal("TERM");
    stand.is_gone();
}

/// Theirs ends by a hangup that is sent; here it is the terminal that counts (`cherrypy_process.rs`, 12).
fn case_13_a_terminal_that_goes_away_takes_the_site_and_its_pid_file_with_it(stand: Stand) {
    let mut session = stand.on_a_terminal();
    assert_eq!(stand.pid(), session.program().id());
    session.close_window();
    join(&stand);
    stand.is_gone();
    assert!(session.program().has_ended());
}

/// Theirs forks again, so that another PID appears in the file. Here the daemon reloads, and stays who it is.
fn case_13_a_hangup_leaves_the_pid_file_of_a_daemon_as_it_is_and_term_removes_it(stand: Stand) {
    let daemon = stand.daemon();
    for reload in 1..3 {
        daemon.signal("HUP");
        stand.says_times(reload, "Bus reloaded");
        assert_eq!(PidFile::wait(stand.pid_file(), Instant::now()).unwrap(), daemon.id());
    }
    daemon.signal("TERM");
    join(&stand);
    stand.is_gone();
    assert!(daemon.has_ended());
}

fn case_13_term_removes_the_pid_file_of_a_site_on_a_terminal(stand: Stand) {
    let session = stand.on_a_terminal();
    assert_eq!(stand.pid(), session.program().id());
    session.program().signal("TERM");
    join(&stand);
    assert_eq!(session.ends(), Some(0));
    stand.is_gone();
}

/// Theirs reads the number in the file, which may be anybody's by now.
fn case_13_a_daemon_that_was_killed_leaves_a_pid_file_that_stops_nobody(stand: Stand) {
    let killed = stand.daemon();
    killed.signal("KILL");
    join(&stand);
    assert!(stand.pid_file().exists());
    wait_until("the end", || killed.has_ended().then_some(()));
    let next = stand.daemon();
    assert_ne!(next.id(), killed.id());
    next.signal("TERM");
    stand.is_gone();
}

/// The connection of the answer is still open, and idle.
fn case_14_ctrl_c_right_after_an_answer_ends_the_process(stand: Stand) {
    let site = stand.run();
    let mut kept = site.connect();
    kept.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(kept.answer().unwrap().text(), "<h1>index</h1>");
    site.signal(Signal::INT);
    assert_eq!(kept.rest().unwrap(), b"");
    let ended = site.ends();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Bus EXITED"), "{}", ended.stderr);
    stand.is_gone();
}

fn case_14_ctrl_c_from_the_keys_ends_a_site_on_its_terminal(stand: Stand) {
    let mut session = stand.on_a_terminal();
    assert_eq!(get(stand.address(), "/").unwrap().status, 200);
    session.press("\x03");
    assert_eq!(session.ends(), Some(0));
    assert!(stand.log().contains("asked by signal SIGINT"), "{}", stand.log());
    stand.is_gone();
}

/// Their IDLE is STOPPED here.
#[test]
fn case_15_threads_are_none_before_a_request_one_after_it_and_none_once_the_bus_is_idle() {
    let stand = Stand::of(Subject::ByHand(by_hand!()));
    let site = stand.run();
    site.says("STARTING with 0 starts, 0 stops, 0 threads");
    site.says("STARTED with 1 starts, 0 stops, 0 threads");
    assert_eq!(site.get("/").status, 200);
    assert_eq!(stand.facts(site.address())["threads"], 1);
    site.signal("ALRM".parse().unwrap());
    site.says("STOPPED with 1 starts, 1 stops, 0 threads");
    site.stop();
    stand.is_gone();
}
