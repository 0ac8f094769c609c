//! What a site writes: lines that say who speaks, that nobody can forge, and that never hold up the site.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sitebus_testkit::{Load, left_out};
use sitebus_tests::{Connection, Folder, SOON, Site, get, own_program, program, run, wait_until};

fn logging() -> Folder {
    let folder = Folder::small();
    folder.site(
        "[http]\nlisten = [\"127.0.0.1:0\"]\n[[route]]\npath = \"/ok\"\nrespond = {}\n[log]\naccess = true",
    );
    folder
}

/// `2026-11-21T08:15:30.123456Z  INFO http: …`, or the continuation of such a line.
fn is_a_line_of_the_log(line: &str) -> bool {
    if line.starts_with("    ") {
        return true;
    }
    let Some((time, rest)) = line.split_once(' ') else { return false };
    let timed = time.len() == 27 && time.starts_with("20") && time.ends_with('Z');
    let levels = [" INFO ", " WARN ", "ERROR ", "DEBUG "];
    let rest = levels.into_iter().find_map(|level| rest.strip_prefix(level));
    let who = rest.and_then(|rest| rest.split_once(": ")).map(|(who, _)| who);
    timed
        && who.is_some_and(|who| {
            !who.is_empty() && who.chars().all(|c| c.is_ascii_alphanumeric() || " ._:".contains(c))
        })
}

#[track_caller]
fn all_are_lines_of_the_log(text: &str) {
    for line in text.lines() {
        assert!(is_a_line_of_the_log(line), "{line:?} in:\n{text}");
    }
    let odd = text.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(odd, None, "{text:?}");
}

#[test]
fn every_line_says_when_how_grave_and_who_and_has_no_colour_without_a_terminal() {
    let folder = logging();
    let site = Site::start(program!(), &folder);
    site.get("/ok");
    site.get("/nothing");
    site.reload();
    folder.write("site.toml", "[htpp]\n");
    site.reload();
    let ended = site.stop();
    for who in [
        "http: listening on",
        "http.access: 127.0.0.1:",
        "site: Bus reloaded",
        "signals: SIGHUP",
        "site: Bus EXITED",
    ] {
        assert!(ended.stderr.contains(&format!(" {who}")), "{who:?} is missing in:\n{}", ended.stderr);
    }
    all_are_lines_of_the_log(&ended.stderr);
}

#[test]
fn a_request_cannot_forge_a_line() {
    let folder = logging();
    let site = Site::start(program!(), &folder);
    for path in [
        &b"/%0a2026-11-21T00:00:00.000000Z%20ERROR%20site:%20forged"[..],
        b"/\x1b[2J\x1b[31mred",
        b"/a\x0b\x08\x7f",
        b"/\xc2\x9b1m\xe2\x80\xae",
        b"/\" 200 0 0.1\\",
        b"/a\r2026-11-21T00:00:00.000000Z ERROR site: forged",
        b"/a\x00b",
    ] {
        let mut connection = site.connect();
        connection
            .send([b"GET ", path, b" HTTP/1.1\r\nhost: \x1b[2J\r\nconnection: close\r\n\r\n"].concat())
            .unwrap();
        let _ = connection.answer();
    }
    let mut connection = site.connect();
    connection.send("G\u{1b}T / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let _ = connection.answer();
    assert_eq!(site.get("/ok").status, 200);
    site.says("\"GET /ok HTTP/1.1\" 200");
    let ended = site.stop();
    all_are_lines_of_the_log(&ended.stderr);
    assert!(!ended.stderr.contains("ERROR"), "{}", ended.stderr);
}

#[test]
fn a_handler_that_panics_cannot_forge_a_line_and_costs_one_answer() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[[route]]\npath = \"/shop\"\napp = \"shop\"");
    let site = Site::start(own_program!(), &folder);
    assert_eq!(site.get("/shop/panic").status, 500);
    assert_eq!(site.get("/").status, 200);
    let ended = site.stop();
    assert!(ended.stderr.contains("ERROR panic: thread 'http' panicked at"), "{}", ended.stderr);
    assert!(ended.stderr.contains("ERROR http: a handler panicked: on purpose"), "{}", ended.stderr);
    all_are_lines_of_the_log(&ended.stderr);
}

#[test]
fn rust_log_chooses_and_what_it_does_not_say_well_is_the_default() {
    for (value, shows, says) in [
        ("", true, ""),
        (" ", true, ""),
        ("warn", false, ""),
        ("error,http=info", true, ""),
        ("error,signals=info", false, ""),
        ("trace", true, ""),
        ("===,[[", true, "RUST_LOG is not understood"),
    ] {
        let folder = Folder::small();
        let mut command = Command::new("env");
        command.arg(format!("RUST_LOG={value}")).arg(program!()).arg("run");
        let site = Site::spawn(command, &folder);
        wait_until("the start", || folder.at(".sitebus/site/lock").exists().then_some(()));
        if shows {
            site.says("listening on");
        }
        // Without a word of it, when it listens is not known; an end is heard from the first moment of the log on.
        wait_until("its signals", || handles_term(site.child().id()).then_some(()));
        let ended = site.stop();
        assert_eq!(ended.stderr.contains("listening on"), shows, "{value:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{value:?}: {}", ended.stderr);
    }
}

/// Whether the process catches SIGTERM (proc(5), `SigCgt`).
fn handles_term(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & (1 << 14) != 0)
}

/// A site whose standard error is a pipe of which the test decides when to read it.
struct Unread {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    address: SocketAddr,
    _folder: Folder,
}

impl Unread {
    fn start() -> Unread {
        let folder = logging();
        let mut command = Command::new(program!());
        command.arg("run").current_dir(folder.path()).env_remove("RUST_LOG").stderr(Stdio::piped());
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut address) = (String::new(), None);
        while !line.contains("Bus STARTED") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it did not start");
            address =
                address.or(line.trim().split("listening on http://").nth(1).and_then(|url| url.parse().ok()));
        }
        Unread { child, log: Some(log), address: address.unwrap(), _folder: folder }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    fn ends(&mut self) -> Option<i32> {
        wait_until("the end", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_requests_nor_the_reload_nor_the_end() {
    let mut site = Unread::start();
    // Far more lines than a pipe holds.
    let report = Load::new(site.address).path("/ok").requests(3000).run();
    assert_eq!((report.answered, report.lost()), (3000, 0), "{report}");
    site.signal("HUP");
    site.signal("USR1");
    assert_eq!(get(site.address, "/ok").unwrap().status, 200);
    site.signal("TERM");
    assert_eq!(site.ends(), Some(0));
}

#[test]
fn what_was_lost_is_counted_when_somebody_reads_again() {
    let mut site = Unread::start();
    let report = Load::new(site.address).path("/ok").requests(3000).run();
    assert_eq!(report.lost(), 0, "{report}");
    let (sender, lines) = mpsc::channel();
    let log = site.log.take().unwrap();
    thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut heard = 0;
    let note = loop {
        // Each request is a line, and the first one that finds room is preceded by the count.
        get(site.address, "/ok").unwrap();
        let next = |line: &String| line.contains("lines are missing here");
        if let Some(line) = lines.try_iter().inspect(|_| heard += 1).find(next) {
            break line;
        }
    };
    let lost: u64 = note.split(' ').next().unwrap().parse().unwrap();
    assert!(lost > 500 && heard > 100, "{lost} lost, {heard} heard");
    site.signal("TERM");
    assert_eq!(site.ends(), Some(0));
    let rest: Vec<String> = lines.iter().collect();
    assert!(rest.iter().any(|line| line.contains("Bus EXITED")), "{rest:?}");
    assert!(
        rest.iter().all(|line| is_a_line_of_the_log(line) || line.contains("lines are missing here")),
        "{rest:?}"
    );
}

#[test]
fn a_log_whose_reader_is_gone_holds_up_nothing() {
    let mut site = Unread::start();
    drop(site.log.take());
    let report = Load::new(site.address).path("/ok").requests(500).run();
    assert_eq!((report.answered, report.lost()), (500, 0), "{report}");
    site.signal("HUP");
    assert_eq!(get(site.address, "/ok").unwrap().status, 200);
    site.signal("TERM");
    assert_eq!(site.ends(), Some(0));
}

#[test]
fn a_log_that_is_read_loses_no_line() {
    let folder = logging();
    let site = Site::start(program!(), &folder);
    let report = Load::new(site.address()).path("/ok").connections(8).requests(20_000).within(2 * SOON).run();
    assert_eq!((report.answered, report.lost()), (20_000, 0), "{report}");
    let ended = site.stop();
    assert!(!ended.stderr.contains("missing here"), "the test has read all the time");
    assert_eq!(ended.stderr.lines().filter(|line| line.contains("\"GET /ok HTTP/1.1\" 200")).count(), 20_000);
}

#[test]
fn all_three_standard_streams_may_be_closed() {
    let folder = logging();
    folder.write("site.toml", folder.read("site.toml").replace("127.0.0.1:0", "unix:site.sock"));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" run <&- >&- 2>&-"]).arg(program!());
    let site = Site::spawn(command, &folder);
    let mut local = wait_until("the socket", || Connection::unix(&folder.at("site.sock")).ok());
    local.send("GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(local.answer().unwrap().status, 200);
    let ended = site.stop();
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    assert_eq!(
        folder.read("site.toml").matches("sock").count(),
        1,
        "no descriptor of a file was taken for a stream"
    );
}

#[test]
fn a_log_on_a_full_disk_holds_up_nothing() {
    if !std::path::Path::new("/dev/full").exists() {
        return left_out("this system has no /dev/full");
    }
    let folder = logging();
    folder.write("site.toml", folder.read("site.toml").replace("127.0.0.1:0", "unix:site.sock"));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" run 2>/dev/full"]).arg(program!());
    let site = Site::spawn(command, &folder);
    let mut local = wait_until("the socket", || Connection::unix(&folder.at("site.sock")).ok());
    for _ in 0..100 {
        local.send("GET /ok HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(local.answer().unwrap().status, 200);
    }
    site.stop();
}

#[test]
fn reports_heed_the_same_wishes_for_colours() {
    let folder = Folder::small();
    folder.write("site.toml", "[htpp]\n");
    let plain = run(program!(), folder.path(), &["check"]);
    assert!(!plain.stderr.contains('\u{1b}'), "{:?}", plain.stderr);
    let mut forced = Command::new("env");
    forced.args(["CLICOLOR_FORCE=1"]).arg(program!()).arg("check");
    let forced = Site::spawn(forced, &folder).ends();
    assert!(forced.stderr.contains('\u{1b}'), "{:?}", forced.stderr);
}

#[test]
fn a_log_that_is_read_slowly_slows_nobody_down_for_long() {
    let mut site = Unread::start();
    let address = site.address;
    let slow = thread::spawn(move || {
        let began = std::time::Instant::now();
        for _ in 0..2000 {
            assert_eq!(get(address, "/ok").unwrap().status, 200);
        }
        began.elapsed()
    });
    // A few bytes at a time, for as long as it takes.
    let mut few = [0; 512];
    let mut log = site.log.take().unwrap();
    while !slow.is_finished() {
        let _ = log.read(&mut few).unwrap();
        thread::park_timeout(Duration::from_millis(5));
    }
    let took = slow.join().unwrap();
    assert!(took < SOON, "{took:?}");
    site.signal("TERM");
    assert_eq!(site.ends(), Some(0));
}
