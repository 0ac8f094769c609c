//! The eighteen cases of CherryPy's own suites for whole processes (`test_states.py` and `test_plugins.py` of 18.10), in their
//! order, against the program with a site file and against a program that puts the library's plugins together by hand.
//!
//! Where the design decided otherwise (1, 6, 8, 10, 12, 13, 15, 16, 18), the test asserts the decision and says so. What the
//! program has no way to be asked for, a stop that is no exit, a callback, a page with code, is asked by hand only.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use serde_json::Value;
use sitebus_os::signal::Signal;
use sitebus_testkit::Load;
use sitebus_tests::{
    Connection, Ended, Folder, SOON, Site, Stand, Subject, Verdict, against_both, by_hand, get, program,
    wait_until,
};

against_both! {
    case_02_a_site_that_says_it_is_started_can_be_reached_at_once,
    case_03_a_stop_closes_the_server_and_then_everything_else,
    case_04_a_site_serves_until_the_exit_that_was_asked_for_right_after_its_start,
    case_05_a_reload_from_outside_leaves_the_site_started_and_serving,
    case_07_ctrl_c_at_rest_stops_what_was_started_and_ends_the_process,
    case_09_a_file_that_was_touched_leads_to_a_new_image_and_no_connect_is_refused,
    case_09_a_daemon_follows_a_file_that_was_touched_and_stays_the_same_daemon,
    case_10_a_start_that_fails_is_the_status_of_the_process_and_of_the_launcher,
    case_11_a_daemon_is_the_process_that_its_pid_file_names_and_ends_by_a_request,
    case_11_a_daemon_that_was_started_from_a_terminal_outlives_it_and_hears_no_hangup,
    case_12_a_hangup_that_somebody_sends_reloads_a_site_on_a_terminal_and_one_of_the_terminal_ends_it,
    case_13_a_hangup_reloads_a_daemon_which_keeps_its_pid,
    case_14_term_ends_a_foreground_process_a_daemon_and_one_on_a_terminal,
    case_16_started_means_bound_also_on_all_addresses_and_one_that_is_taken_is_an_error,
    case_17_autoreload_tolerates_a_file_that_is_not_there_and_sees_it_come,
    case_18_an_exit_that_is_asked_for_as_soon_as_the_server_can_be_reached_is_performed,
}

fn by_hand_with(word: &'static str) -> Stand {
    Stand::of(Subject::ByHand(by_hand!())).with(word)
}

fn at_hand() -> Stand {
    Stand::of(Subject::ByHand(by_hand!()))
}

/// Facts by their names.
fn picked(facts: &Value, names: [&str; 2]) -> [Value; 2] {
    names.map(|name| facts[name].clone())
}

/// Asks a site that is not to serve, and fails if anybody answers.
fn nobody_serves(address: SocketAddr) {
    get(address, "/").unwrap_err();
}

fn ended_well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Bus EXITED"), "{}", ended.stderr);
}

/// Theirs calls stop listeners as often as it is asked to. Here what has not begun is not stopped: the second stop does not
/// reach the dependency.
#[test]
fn case_01_a_stop_reaches_the_dependency_once_and_leaves_no_thread_registered() {
    let stand = at_hand();
    let site = stand.run();
    assert_eq!(site.get("/").status, 200);
    site.signal("ALRM".parse().unwrap());
    site.says("STOPPED with 1 starts, 1 stops, 0 threads");
    site.signal("ALRM".parse().unwrap());
    site.signal("VTALRM".parse().unwrap());
    site.says("STARTED with 2 starts, 1 stops, 0 threads");
    ended_well(&site.stop());
    stand.is_gone();
}

fn case_02_a_site_that_says_it_is_started_can_be_reached_at_once(stand: Stand) {
    let site = stand.run();
    drop(TcpStream::connect(site.address()).unwrap());
    let facts = stand.facts(site.address());
    assert_eq!(picked(&facts, ["state", "pid"]), ["STARTED".into(), Value::from(site.child().id())]);
    assert_eq!(site.get("/").text(), "<h1>index</h1>");
    site.stop();
    stand.is_gone();
}

#[test]
fn case_02_a_start_reaches_the_dependency_and_the_first_request_registers_one_thread() {
    let stand = at_hand();
    let site = stand.run();
    site.says("STARTED with 1 starts, 0 stops, 0 threads");
    assert_eq!(picked(&stand.facts(site.address()), ["starts", "threads"]), [1, 0]);
    for _ in 0..3 {
        assert_eq!(site.get("/").status, 200);
        assert_eq!(picked(&stand.facts(site.address()), ["starts", "threads"]), [1, 1]);
    }
    site.stop();
}

fn case_03_a_stop_closes_the_server_and_then_everything_else(stand: Stand) {
    let site = stand.run();
    let address = site.address();
    stand.ask_for_an_exit(address);
    let ended = site.ends();
    ended_well(&ended);
    nobody_serves(address);
    let states = ["STOPPING", "STOPPED", "EXITING", "EXITED"].map(|state| format!("Bus {state}"));
    let places: Vec<_> = states.iter().map(|state| ended.stderr.find(state.as_str()).unwrap()).collect();
    assert!(places.is_sorted(), "{}", ended.stderr);
    stand.is_gone();
}

#[test]
fn case_03_a_stop_stops_the_server_releases_its_threads_and_a_start_begins_anew() {
    let stand = at_hand();
    let site = stand.run();
    let first = site.address();
    assert_eq!(site.get("/").status, 200);
    site.signal("ALRM".parse().unwrap());
    site.says("STOPPED with 1 starts, 1 stops, 0 threads");
    nobody_serves(first);
    assert_eq!(stand.pid(), site.child().id(), "a stop that is no exit keeps the PID file");
    site.signal("VTALRM".parse().unwrap());
    site.says("STARTED with 2 starts, 1 stops, 0 threads");
    site.says_times(2, "Bus STARTED");
    assert_eq!(site.get("/").status, 200);
    assert_eq!(picked(&stand.facts(site.address()), ["starts", "threads"]), [2, 1]);
    ended_well(&site.stop());
    stand.is_gone();
}

/// The program takes no callback, so there the request and the exit come from outside as soon as it is started.
fn case_04_a_site_serves_until_the_exit_that_was_asked_for_right_after_its_start(stand: Stand) {
    let site = stand.run();
    assert_eq!(site.get("/").text(), "<h1>index</h1>");
    stand.ask_for_an_exit(site.address());
    ended_well(&site.ends());
    stand.is_gone();
}

#[test]
fn case_04_a_callback_of_the_start_is_served_and_its_exit_ends_the_block() {
    let stand = by_hand_with("callback");
    let ended = stand.spawn().ends();
    ended_well(&ended);
    assert!(ended.stderr.contains("the callback got <h1>index</h1> in STARTED"), "{}", ended.stderr);
    assert!(ended.stderr.contains("EXITING with 1 starts, 1 stops, 0 threads"), "{}", ended.stderr);
    stand.is_gone();
}

fn case_05_a_reload_from_outside_leaves_the_site_started_and_serving(stand: Stand) {
    let site = stand.run();
    let address = site.address();
    let mut kept = site.connect();
    kept.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(kept.answer().unwrap().status, 200);
    assert_eq!(site.reload(), Verdict::Reloaded);
    kept.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(kept.answer().unwrap().status, 200, "on the connection from before the reload");
    assert_eq!(get(address, "/").unwrap().status, 200);
    assert_eq!(picked(&stand.facts(address), ["state", "reloads"]), ["STARTED".into(), Value::from(1)]);
    site.stop();
    stand.is_gone();
}

#[test]
fn case_05_a_reload_from_outside_reaches_the_dependency_once_and_one_thread_is_registered_after_it() {
    let stand = at_hand();
    let site = stand.run();
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(site.get("/").status, 200);
    assert_eq!(picked(&stand.facts(site.address()), ["reloads", "threads"]), [1, 1]);
    site.stop();
}

/// Theirs releases all threads in a reload, also the one that asks for it, in the middle of its work. Here a thread keeps
/// what it has through a reload; it ends with the thread's own release, or with the stop.
#[test]
fn case_06_a_reload_from_inside_a_request_is_answered_and_the_thread_keeps_what_it_has() {
    let stand = at_hand();
    let site = stand.run();
    assert_eq!(site.get("/graceful").text(), "reloaded");
    let facts = stand.facts(site.address());
    assert_eq!(picked(&facts, ["reloads", "threads"]), [1, 1]);
    assert_eq!(facts["state"], "STARTED");
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

/// The program has no page that could ask for it; what counts is that the answer that has begun arrives.
#[test]
fn case_06_an_answer_that_has_begun_when_the_program_is_reloaded_arrives() {
    let stand = Stand::of(Subject::Program(program!()));
    let site = stand.run();
    let mut download = begin_download(&stand, &site);
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(download.rest().unwrap().len() as u64, LARGE);
    site.stop();
}

fn case_07_ctrl_c_at_rest_stops_what_was_started_and_ends_the_process(stand: Stand) {
    let site = stand.run();
    let address = site.address();
    assert_eq!(site.get("/").status, 200);
    site.signal(Signal::INT);
    let ended = site.ends();
    ended_well(&ended);
    nobody_serves(address);
    if stand.is_made_by_hand() {
        assert!(ended.stderr.contains("EXITING with 1 starts, 1 stops, 0 threads"), "{}", ended.stderr);
    }
    stand.is_gone();
}

/// Theirs drops the connection of the request in whose middle the interrupt comes. Here it is answered first.
#[test]
fn case_08_ctrl_c_in_the_middle_of_a_request_lets_it_be_answered_and_then_ends_the_process() {
    let stand = at_hand();
    let site = stand.run();
    assert_eq!(site.get("/interrupt").text(), "interrupted");
    let ended = site.ends();
    ended_well(&ended);
    assert!(ended.stderr.contains("asked by signal SIGINT"), "{}", ended.stderr);
    assert!(ended.stderr.contains("EXITING with 1 starts, 1 stops, 0 threads"), "{}", ended.stderr);
    stand.is_gone();
}

/// The same with an answer of the program.
#[test]
fn case_08_ctrl_c_in_the_middle_of_a_download_from_the_program_lets_it_come_to_its_end() {
    let stand = Stand::of(Subject::Program(program!()));
    let site = stand.run();
    let mut download = begin_download(&stand, &site);
    site.signal(Signal::INT);
    site.says("Bus STOPPING");
    assert_eq!(download.rest().unwrap().len() as u64, LARGE);
    ended_well(&site.ends());
    stand.is_gone();
}

/// More than the buffers of a connection hold.
const LARGE: u64 = 32 * 1024 * 1024;

/// A download whose head has come.
fn begin_download(stand: &Stand, site: &Site) -> Connection {
    fs::File::create(stand.folder().at("public/large.bin")).unwrap().set_len(LARGE).unwrap();
    let mut download = site.connect();
    download.send("GET /large.bin HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(download.head().unwrap().0, 200);
    download
}

/// Writes a watched file, and returns when that was.
fn touch(folder: &Folder, name: &str) -> Instant {
    let before = Instant::now();
    folder.write(name, format!("{before:?}"));
    before
}

/// Whether what says these facts now began after that time.
fn began_after(facts: &Value, time: Instant) -> bool {
    u128::from(facts["uptime_ms"].as_u64().unwrap()) <= time.elapsed().as_millis()
}

fn case_09_a_file_that_was_touched_leads_to_a_new_image_and_no_connect_is_refused(stand: Stand) {
    let stand = stand.watching("template.html");
    touch(stand.folder(), "template.html");
    let site = stand.run();
    let (address, pid) = (site.address(), stand.pid());
    let load = Load::new(address).path("/").close_each().connections(2).requests(1_000_000).within(2 * SOON);
    let load = load.start();
    load.wait_for_answers(10, SOON).unwrap();
    let touched = touch(stand.folder(), "template.html");
    site.says_times(2, "Bus STARTED");
    let report = load.stop();
    assert_eq!((report.refused, report.short, report.bad_status), (0, 0, 0), "{report}");
    let facts = stand.facts(address);
    assert!(began_after(&facts, touched), "{facts}");
    assert_eq!((stand.pid(), &facts["pid"]), (pid, &Value::from(pid)));
    site.says("template.html");
    site.stop();
    stand.is_gone();
}

fn case_09_a_daemon_follows_a_file_that_was_touched_and_stays_the_same_daemon(stand: Stand) {
    let stand = stand.watching("template.html");
    touch(stand.folder(), "template.html");
    let daemon = stand.daemon();
    let address = stand.address();
    for image in 2..4 {
        let touched = touch(stand.folder(), "template.html");
        stand.says_times(image, "Bus STARTED");
        let facts = stand.facts(address);
        assert!(began_after(&facts, touched), "{facts}");
        assert_eq!((stand.pid(), daemon.has_ended()), (daemon.id(), false));
    }
    daemon.signal("TERM");
    stand.is_gone();
}

/// Theirs ends with status 70, and the error is lost. Here the status is 1, and the last line says who failed.
fn case_10_a_start_that_fails_is_the_status_of_the_process_and_of_the_launcher(stand: Stand) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let stand = stand.listening_at(&*address);
    for ended in [stand.spawn().ends(), stand.launch()] {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&address), "{ended:?}");
        stand.is_gone();
    }
}

#[test]
fn case_10_a_start_listener_that_divides_by_zero_fails_the_process_and_the_launcher() {
    let stand = by_hand_with("fails");
    for ended in [stand.spawn().ends(), stand.launch()] {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("'dependency'"), "{ended:?}");
        assert!(ended.stderr.contains("attempt to divide by zero"), "{ended:?}");
        stand.is_gone();
    }
}

fn case_11_a_daemon_is_the_process_that_its_pid_file_names_and_ends_by_a_request(stand: Stand) {
    let daemon = stand.daemon();
    let address = stand.address();
    assert_eq!(fs::read_to_string(stand.pid_file()).unwrap(), format!("{}\n", daemon.id()));
    let facts = stand.facts(address);
    assert_eq!(picked(&facts, ["pid", "state"]), [Value::from(daemon.id()), "STARTED".into()]);
    assert_eq!(get(address, "/").unwrap().text(), "<h1>index</h1>");
    stand.ask_for_an_exit(address);
    stand.is_gone();
    assert!(daemon.has_ended());
    nobody_serves(address);
}

fn case_11_a_daemon_that_was_started_from_a_terminal_outlives_it_and_hears_no_hangup(stand: Stand) {
    assert_eq!(stand.launch_from_a_terminal(), Some(0));
    let address = stand.address();
    assert_eq!(get(address, "/").unwrap().status, 200);
    let stat = fs::read_to_string(format!("/proc/{}/stat", stand.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[4], "0", "it has no terminal (proc(5)): {stat}");
    stand.ask_for_an_exit(address);
    stand.is_gone();
    assert!(!stand.log().contains("SIGHUP"), "{}", stand.log());
}

/// Theirs ends by every hangup if there is a terminal. Here the terminal is asked whether it has hung up.
fn case_12_a_hangup_that_somebody_sends_reloads_a_site_on_a_terminal_and_one_of_the_terminal_ends_it(
    stand: Stand,
) {
    let mut session = stand.on_a_terminal();
    let (address, pid) = (stand.address(), stand.pid());
    session.program().signal("HUP");
    stand.says("Bus reloaded");
    assert_eq!(get(address, "/").unwrap().status, 200);
    assert_eq!(stand.pid(), pid);
    session.close_window();
    stand.says("SIGHUP: the terminal is gone, exiting");
    wait_until("the end", || session.program().has_ended().then_some(()));
    stand.is_gone();
    nobody_serves(address);
}

/// Theirs forks a new daemon, with another PID. Here the process stays, and so does whoever waits for it by its number.
fn case_13_a_hangup_reloads_a_daemon_which_keeps_its_pid(stand: Stand) {
    let daemon = stand.daemon();
    let address = stand.address();
    daemon.signal("HUP");
    stand.says("Bus reloaded");
    assert_eq!(get(address, "/").unwrap().status, 200);
    let facts = stand.facts(address);
    assert_eq!(picked(&facts, ["pid", "reloads"]), [Value::from(daemon.id()), Value::from(1)]);
    assert_eq!(stand.pid(), daemon.id());
    assert_eq!(stand.says_times(1, "Bus STARTED").len(), 1);
    daemon.signal("TERM");
    stand.is_gone();
}

fn case_14_term_ends_a_foreground_process_a_daemon_and_one_on_a_terminal(stand: Stand) {
    let site = stand.run();
    site.signal(Signal::TERM);
    let ended = site.ends();
    ended_well(&ended);
    assert!(ended.stderr.contains("asked by signal SIGTERM"), "{}", ended.stderr);
    stand.is_gone();

    let daemon = stand.daemon();
    daemon.signal("TERM");
    stand.is_gone();
    assert!(stand.log().contains("asked by signal SIGTERM"), "{}", stand.log());

    let session = stand.on_a_terminal();
    session.program().signal("TERM");
    assert_eq!(session.ends(), Some(0));
    stand.is_gone();
}

#[test]
fn case_15_once_the_bus_has_given_its_signals_back_a_handler_of_the_programs_own_gets_term() {
    let stand = by_hand_with("own-term");
    let site = stand.spawn();
    site.says("the program has its own handler");
    for heard in 1..3 {
        site.signal(Signal::TERM);
        site.says_times(heard, "the handler of its own heard SIGTERM");
    }
    assert_eq!(stand.facts(site.address())["state"], "STARTED");
    stand.ask_for_an_exit(site.address());
    let ended = site.ends();
    ended_well(&ended);
    assert!(!ended.stderr.contains("SIGTERM: exiting"), "{}", ended.stderr);
}

/// In a site file there is no handler to install; there a signal is told to the plugins, or means nothing.
#[test]
fn case_15_term_that_the_site_file_maps_to_something_else_does_not_reach_the_bus() {
    for action in ["publish", "ignore"] {
        let folder = Folder::small();
        folder.site(&format!("[http]\nlisten = [\"127.0.0.1:0\"]\n[signals]\nTERM = \"{action}\""));
        let site = Site::start(program!(), &folder);
        site.signal(Signal::TERM);
        assert_eq!(site.reload(), Verdict::Reloaded, "{action}");
        assert_eq!(site.get("/").status, 200);
        site.signal(Signal::INT);
        let ended = site.ends();
        ended_well(&ended);
        assert!(!ended.stderr.contains("SIGTERM"), "{action}: {}", ended.stderr);
    }
}

/// Theirs looks at the port from outside after a start, cannot on 0.0.0.0, and warns. Here whoever listens is asked: nothing
/// is to be warned of, and an address that cannot be bound is an error, on all addresses as on one.
fn case_16_started_means_bound_also_on_all_addresses_and_one_that_is_taken_is_an_error(stand: Stand) {
    let stand = stand.listening_at("0.0.0.0:0");
    let site = stand.run();
    let port = site.address().port();
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(get(here, "/").unwrap().status, 200);
    let warnings: Vec<_> = site.log().lines().into_iter().filter(|line| line.contains("WARN")).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    site.stop();

    let mut stand = stand;
    for host in ["0.0.0.0:0", "127.0.0.1:0"] {
        let holder = TcpListener::bind(host).unwrap();
        let address = holder.local_addr().unwrap().to_string();
        stand = stand.listening_at(&*address);
        let ended = stand.spawn().ends();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&address), "{ended:?}");
        // Not by number: a child that another test has forked holds all that we hold until it executes.
        assert!(ended.stderr.contains(") listens there"), "the holder is named: {ended:?}");
        stand.is_gone();
    }
}

fn case_17_autoreload_tolerates_a_file_that_is_not_there_and_sees_it_come(stand: Stand) {
    let stand = stand.watching("not-there-yet.html");
    let site = stand.run();
    assert_eq!(site.get("/").status, 200);
    let touched = touch(stand.folder(), "not-there-yet.html");
    site.says_times(2, "Bus STARTED");
    assert!(began_after(&stand.facts(site.address()), touched));
    site.stop();
    stand.is_gone();
}

/// Theirs has its page wait for STARTED first, since an exit before that is overtaken by the start. Here one may be asked for
/// at any time.
fn case_18_an_exit_that_is_asked_for_as_soon_as_the_server_can_be_reached_is_performed(stand: Stand) {
    let site = stand.spawn();
    site.says("listening on http://");
    site.signal(Signal::TERM);
    let ended = site.ends();
    ended_well(&ended);
    stand.is_gone();
}

#[test]
fn case_18_a_page_that_is_served_before_the_bus_is_started_can_ask_for_the_exit() {
    let stand = by_hand_with("early");
    let ended = stand.spawn().ends();
    ended_well(&ended);
    assert!(ended.stderr.contains("the page said exiting in STARTING"), "{}", ended.stderr);
    assert!(ended.stderr.contains("EXITING with 1 starts, 1 stops, 0 threads"), "{}", ended.stderr);
    stand.is_gone();
}
