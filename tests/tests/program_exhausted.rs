//! More clients than descriptors, and clients that say half of what they have to say.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::process::Command;
use std::time::{Duration, Instant};

use sitebus_testkit::{Load, left_out};
use sitebus_tests::{Connection, Folder, Site, Verdict, as_an_ordinary_user, program, wait_until};

/// A site that may have so many files open.
fn with_descriptors(most: u32, folder: &Folder) -> Site {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {most}; exec \"$0\" run")]).arg(program!());
    Site::spawn(command, folder)
}

fn folder(settings: &str) -> Folder {
    let folder = Folder::small();
    folder.site(&format!(
        "[http]\nlisten = [\"127.0.0.1:0\"]\n{settings}\n[[route]]\npath = \"/ok\"\nrespond = {{}}"
    ));
    folder
}

/// Connections of which each has sent half a head.
fn halves(site: &Site, count: usize) -> Vec<Connection> {
    let begin = |_| {
        let mut connection = site.connect();
        connection.send("GET /ok HTTP/1.1\r\nho").unwrap();
        connection
    };
    (0..count).map(begin).collect()
}

/// Whether it comes up; otherwise it has ended.
fn starts(site: &Site) -> bool {
    wait_until("a start or an end", || {
        let up = site.log().lines().iter().any(|line| line.contains("Bus STARTED"));
        (up || !site.goes_on_for(Duration::ZERO)).then_some(up)
    })
}

#[test]
fn out_of_descriptors_it_says_so_and_recovers() {
    let folder = folder("header_timeout = \"60s\"");
    let site = with_descriptors(32, &folder).is_up();
    let mut halves = halves(&site, 100);
    let said = site.says("connections cannot be accepted");
    assert!(said.contains("raise the limit"), "{said}");
    // Those that are in can go on.
    halves[0].send("st: x\r\n\r\n").unwrap();
    assert_eq!(halves[0].answer().unwrap().status, 200);
    drop(halves);
    wait_until("the end of the shortage", || {
        assert_eq!(site.get("/ok").status, 200);
        site.log().lines().iter().any(|line| line.contains("connections are accepted again")).then_some(())
    });
    let report = Load::new(site.address()).path("/ok").connections(8).requests(500).run();
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(site.get("/").status, 200, "files can be opened again");
    assert_eq!(site.reload(), Verdict::Reloaded);
    site.stop();
}

#[test]
fn out_of_descriptors_those_that_lie_idle_make_room() {
    let folder = folder("");
    let site = with_descriptors(32, &folder).is_up();
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut connection = site.connect();
        connection.send("GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(connection.answer().unwrap().status, 200, "the newcomer is served");
        idle.push(connection);
    }
    site.stop();
}

#[test]
fn out_of_descriptors_its_end_is_not_stuck() {
    let folder = folder("header_timeout = \"500ms\"\nmax_connections = 10000");
    let site = with_descriptors(32, &folder).is_up();
    let halves = halves(&site, 100);
    site.says("connections cannot be accepted");
    let began = Instant::now();
    site.stop();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(halves);
}

#[test]
fn out_of_descriptors_a_reload_is_refused_or_done_but_never_half() {
    let folder = folder("header_timeout = \"60s\"");
    let site = with_descriptors(32, &folder).is_up();
    let halves = halves(&site, 100);
    site.says("connections cannot be accepted");
    folder
        .write("site.toml", folder.read("site.toml").replace("respond = {}", "respond = { body = \"new\" }"));
    assert_eq!(site.reload(), Verdict::Refused);
    drop(halves);
    assert_ne!(site.get("/ok").text(), "new");
    assert_eq!(site.reload(), Verdict::Reloaded);
    assert_eq!(site.get("/ok").text(), "new");
    site.stop();
}

#[test]
fn with_too_few_descriptors_to_live_it_says_so_and_ends() {
    let mut refused = 0;
    for most in 5..24 {
        let folder = folder("");
        let site = with_descriptors(most, &folder);
        if starts(&site) {
            site.stop();
        } else {
            refused += 1;
            let ended = site.ends();
            // 127 is the dynamic linker's, before the program begins.
            assert!(matches!(ended.code, Some(1 | 2 | 127)), "{most}: {:?} {}", ended.code, ended.stderr);
            assert!(!ended.stderr.trim().is_empty(), "{most}: it ended without a word");
        }
    }
    assert!(refused > 0, "5 descriptors cannot be enough");
}

#[test]
fn half_sent_heads_hold_up_an_end_no_longer_than_the_header_time() {
    let folder = folder("header_timeout = \"700ms\"");
    let site = Site::start(program!(), &folder);
    let mut halves = halves(&site, 20);
    // Answered after all of them have been accepted.
    assert_eq!(site.get("/ok").status, 200);
    let began = Instant::now();
    site.stop();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for half in &mut halves {
        // Told that it was too late, or closed without a word; never left open.
        let rest = String::from_utf8_lossy(&half.rest().unwrap_or_default()).into_owned();
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408 "), "{rest}");
    }
}

#[test]
fn half_sent_heads_that_are_completed_during_the_end_are_answered() {
    let folder = folder("header_timeout = \"60s\"");
    let site = Site::start(program!(), &folder);
    let mut halves = halves(&site, 5);
    assert_eq!(site.get("/ok").status, 200);
    site.signal("TERM".parse().unwrap());
    site.says("stopped accepting");
    for half in &mut halves {
        half.send("st: x\r\n\r\n").unwrap();
        assert_eq!(half.answer().unwrap().status, 200);
    }
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn more_clients_than_are_allowed_wait_their_turn() {
    let folder = folder("max_connections = 3");
    let site = Site::start(program!(), &folder);
    let report = Load::new(site.address()).path("/ok").connections(30).requests(600).close_each().run();
    assert_eq!((report.answered, report.lost()), (600, 0), "{report}");
    site.stop();
}

#[test]
fn with_too_few_threads_to_live_it_says_so_and_ends() {
    let folder = folder("");
    let Some(words) = as_an_ordinary_user(program!(), &folder) else {
        return left_out(
            "nobody else than root can be had here, and root may have as many threads as it likes",
        );
    };
    for most in 1..14 {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={most}:{most}")).args(&words).arg("run");
        let site = Site::spawn(command, &folder);
        if starts(&site) {
            site.stop();
            continue;
        }
        let ended = site.ends();
        assert!(matches!(ended.code, Some(1..)), "{most}: {:?} {}", ended.code, ended.stderr);
        assert!(!ended.stderr.trim().is_empty(), "{most}: it ended without a word");
        assert!(!ended.stderr.contains("panicked"), "{most}: {}", ended.stderr);
    }
}

#[test]
fn what_the_environment_says_to_the_runtime_does_not_matter() {
    let folder = folder("");
    for value in ["0", "many", "100000"] {
        let mut command = Command::new("env");
        command.arg(format!("TOKIO_WORKER_THREADS={value}")).arg(program!()).arg("run");
        let site = Site::spawn(command, &folder).is_up();
        assert_eq!(site.get("/ok").status, 200);
        site.stop();
    }
}

#[test]
fn thousands_of_connections_leave_nothing_behind() {
    let folder = folder("");
    let site = Site::start(program!(), &folder);
    let load =
        |requests| Load::new(site.address()).path("/ok").connections(8).requests(requests).close_each().run();
    assert_eq!(load(200).lost(), 0);
    let (threads, descriptors) = site.holds();
    assert_eq!(load(5_000).lost(), 0);
    wait_until("as many threads and descriptors as before", || {
        let now = site.holds();
        (now.0 <= threads && now.1 <= descriptors).then_some(())
    });
    site.stop();
}
