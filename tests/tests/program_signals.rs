//! How signals end, drain, reload and restart a site, seen from outside.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use sitebus_os::signal::Signal;
use sitebus_testkit::Load;
use sitebus_tests::{
    Connection, Folder, Outsider, SOON, Site, Verdict, get, own_program, program, wait_until,
};

/// Signals that come closer together count as one.
const BURST: Duration = Duration::from_millis(250);

/// A site with an application that takes uploads at `/shop/upload`.
fn shop() -> (Folder, Site) {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[[route]]\npath = \"/shop\"\napp = \"shop\"");
    let site = Site::start(own_program!(), &folder);
    (folder, site)
}

/// Begins an upload of which the site has seen the head, and whose body waits for us.
fn begin_upload(site: &Site, length: usize) -> Connection {
    let mut upload = site.connect();
    let head = format!(
        "POST /shop/upload HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    );
    upload.send(head).unwrap();
    assert_eq!(upload.head().unwrap().0, 100, "the site waits for the body now");
    upload
}

/// Lets this much time pass without anything happening.
fn let_pass(site: &Site, time: Duration) {
    assert!(site.goes_on_for(time), "it was not to end yet");
}

#[test]
fn term_and_int_end_it_with_status_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let folder = Folder::small();
        let site = Site::start(program!(), &folder);
        site.signal(signal);
        let ended = site.ends();
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("asked by signal {signal}")), "{}", ended.stderr);
    }
}

#[test]
fn a_request_that_has_begun_is_answered_to_the_end_although_term_came() {
    let (_folder, site) = shop();
    let mut upload = begin_upload(&site, 10);
    site.signal(Signal::TERM);
    site.says("Bus STOPPING");
    upload.send("0123456789").unwrap();
    let answer = upload.answer().unwrap();
    assert_eq!((answer.status, answer.text()), (200, "10 bytes\n".to_owned()));
    assert_eq!(upload.rest().unwrap(), b"", "and then it is closed");
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn nobody_is_accepted_any_more_while_it_drains() {
    let (_folder, site) = shop();
    let address = site.address();
    let upload = begin_upload(&site, 10);
    site.signal(Signal::TERM);
    site.says("stopped accepting");
    get(address, "/").unwrap_err();
    drop(upload);
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn quit_drains_a_slow_upload_and_a_slow_download_to_their_ends() {
    let (folder, site) = shop();
    let size = 32 * 1024 * 1024;
    fs::File::create(folder.at("public/large.bin")).unwrap().set_len(size).unwrap();
    let mut upload = begin_upload(&site, 1000);
    let mut download = site.connect();
    download.send("GET /large.bin HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(download.head().unwrap().0, 200);

    site.signal(Signal::QUIT);
    site.says("SIGQUIT: exiting; a second signal cuts drains short");
    site.says("Bus STOPPING");
    let mut received = 0;
    for _ in 0..100 {
        upload.send("0123456789").unwrap();
        received += download.some(1000).unwrap().len() as u64;
    }
    assert_eq!(upload.answer().unwrap().text(), "1000 bytes\n");
    received += download.rest().unwrap().len() as u64;
    assert_eq!(received, size);
    let ended = site.ends();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("stopped: all connections ended"), "{}", ended.stderr);
}

#[test]
fn the_second_signal_cuts_drains_short() {
    let (_folder, site) = shop();
    let mut upload = begin_upload(&site, 10);
    site.signal(Signal::QUIT);
    site.says("SIGQUIT: exiting");
    let_pass(&site, BURST);
    let began = Instant::now();
    site.signal(Signal::TERM);
    site.says("drains are cut short; a third signal ends the process at once");
    let ended = site.ends();
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("1 answering"), "what was cut is named: {}", ended.stderr);
    upload.answer().unwrap_err();
}

#[test]
fn a_burst_of_signals_counts_as_one() {
    let (_folder, site) = shop();
    let mut upload = begin_upload(&site, 10);
    for _ in 0..5 {
        site.signal(Signal::TERM);
    }
    site.says("SIGTERM: exiting");
    upload.send("0123456789").unwrap();
    assert_eq!(upload.answer().unwrap().status, 200);
    let ended = site.ends();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stderr.contains("cut short;"), "{}", ended.stderr);
}

/// A FIFO to which nobody ever writes: whoever opens it for reading waits for ever.
fn fifo(folder: &Folder, name: &str) {
    let made = Command::new("mkfifo").arg(folder.at(name)).status().unwrap();
    assert!(made.success());
}

#[test]
fn the_third_signal_ends_a_stop_that_hangs_by_that_very_signal() {
    let folder = Folder::small();
    fifo(&folder, "hang-at-stop");
    let site = Site::start(own_program!(), &folder);
    site.signal(Signal::INT);
    site.says("SIGINT: exiting");
    let_pass(&site, BURST);
    site.signal(Signal::QUIT);
    site.says("a third signal ends the process at once");
    let_pass(&site, BURST);
    site.signal(Signal::TERM);
    let status = site.child().wait(SOON).unwrap();
    assert_eq!(status.signal(), Some(Signal::TERM.number()), "{status}");
}

#[test]
fn the_second_signal_gives_up_a_start_that_hangs_and_names_it() {
    let folder = Folder::small();
    fifo(&folder, "hang-at-start");
    let site = Site::behind(&["env"], own_program!(), &folder);
    site.says("hangs: hang-at-start");
    site.signal(Signal::INT);
    site.says("SIGINT: exiting");
    let_pass(&site, BURST);
    site.signal(Signal::INT);
    let ended = site.ends();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("'hangs' was given up on 'start'"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
}

#[test]
fn a_stop_that_hangs_is_given_up_at_its_deadline_and_named() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\ndrain_timeout = \"300ms\"");
    fifo(&folder, "hang-at-stop");
    let site = Site::start(own_program!(), &folder);
    site.signal(Signal::TERM);
    let ended = site.ends();
    assert!(ended.stderr.contains("'hangs' was given up on 'stop' after 300ms"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Bus EXITED"), "{}", ended.stderr);
    assert_eq!(ended.code, Some(1), "something failed: {}", ended.stderr);
}

#[test]
fn kill_9_leaves_nothing_that_stops_the_next_start() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\", \"unix:site.sock\"]");
    let site = Site::start(program!(), &folder);
    let port = site.address().port();
    site.signal("KILL".parse().unwrap());
    let status = site.child().wait(SOON).unwrap();
    assert_eq!(status.signal(), Some(9));
    assert!(folder.at("site.sock").exists(), "nobody could remove it");
    assert!(folder.at(".sitebus/site/lock").exists());
    drop(site);

    folder.site(&format!("[http]\nlisten = [\"127.0.0.1:{port}\", \"unix:site.sock\"]"));
    let site = Site::start(program!(), &folder);
    assert_eq!(site.get("/").status, 200);
    let mut local = Connection::unix(&folder.at("site.sock")).unwrap();
    local.send("GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(local.answer().unwrap().status, 200);
    site.stop();
}

#[test]
fn an_end_leaves_no_socket_file_no_held_lock_and_no_open_port() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\", \"unix:site.sock\"]");
    let site = Site::start(program!(), &folder);
    let address = site.address();
    site.stop();
    assert!(!folder.at("site.sock").exists());
    get(address, "/").unwrap_err();
    let again = Site::start(program!(), &folder);
    again.stop();
}

#[test]
fn usr2_restarts_it_in_place_with_the_same_pid_and_the_new_site_file() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let pid = site.child().id();
    folder.write("public/index.html", "the second image");
    folder.site("[site]\nname = \"renamed\"\n[http]\nlisten = [\"127.0.0.1:0\"]");
    site.signal(Signal::USR2);
    site.says("site: Bus restart asked by");
    site.says("renamed: Bus STARTED");
    assert_eq!(site.child().id(), pid);
    let (threads, descriptors) = site.holds();
    for image in 2..5 {
        site.signal(Signal::USR2);
        site.says_times(image, "renamed: Bus STARTED");
    }
    wait_until("as many threads and descriptors as before", || {
        let now = site.holds();
        (now.0 <= threads && now.1 <= descriptors).then_some(())
    });
    assert_eq!(site.get("/").text(), "the second image");
    site.stop();
}

#[test]
fn usr2_finishes_what_has_begun_before_the_new_image_takes_over() {
    let (_folder, site) = shop();
    let mut upload = begin_upload(&site, 10);
    site.signal(Signal::USR2);
    site.says("Bus STOPPING");
    upload.send("0123456789").unwrap();
    assert_eq!(upload.answer().unwrap().text(), "10 bytes\n");
    site.says_times(2, "Bus STARTED");
    site.stop();
}

#[test]
fn usr2_is_refused_while_the_site_could_not_start_again() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let good = folder.read("site.toml");
    folder.write("site.toml", format!("{good}\n[htpp]\n"));
    site.signal(Signal::USR2);
    site.says("not restarted: everything goes on as it was");
    site.says("did you mean `[http]`?");
    assert_eq!(site.get("/").status, 200);
    folder.write("site.toml", good);
    site.signal(Signal::USR2);
    site.says_times(2, "Bus STARTED");
    site.stop();
}

#[test]
fn usr2_is_refused_while_the_program_is_gone_and_runs_the_one_that_takes_its_place() {
    let folder = Folder::small();
    let installed = folder.at("sitebus");
    fs::copy(program!(), &installed).unwrap();
    let site = Site::start(&installed, &folder);
    fs::remove_file(&installed).unwrap();
    site.signal(Signal::USR2);
    site.says("is not there any more");
    assert_eq!(site.get("/").status, 200);
    fs::copy(program!(), folder.at("new")).unwrap();
    fs::rename(folder.at("new"), &installed).unwrap();
    site.signal(Signal::USR2);
    site.says_times(2, "Bus STARTED");
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

#[test]
fn hup_reloads_a_site_that_has_no_terminal() {
    let folder = Folder::small();
    let mut shell = Command::new("sh");
    let detached = format!("setsid sh -c 'echo pid $$ >&2; exec {} run' & wait", program!().display());
    shell.args(["-c", &detached]);
    let site = Site::spawn(shell, &folder).is_up();
    let process = Outsider::of(site.says("pid ").split(' ').next_back().unwrap().parse().unwrap());
    let new = "[[route]]\npath = \"/new\"\nrespond = { body = \"new\" }\n";
    folder.write("site.toml", folder.read("site.toml") + new);
    process.signal("HUP");
    site.says("Bus reloaded");
    assert_eq!(site.get("/new").text(), "new");
    process.signal("TERM");
    site.says("Bus EXITED");
    wait_until("the end", || process.has_ended().then_some(()));
}

#[test]
fn signals_that_were_blocked_when_it_was_started_are_heard() {
    let folder = Folder::small();
    let site = Site::behind(&["env", "--block-signal"], program!(), &folder).is_up();
    assert_eq!(site.reload(), Verdict::Reloaded);
    site.stop();
}

#[test]
fn signals_that_were_ignored_when_it_was_started_stay_so_and_it_says_so() {
    let folder = Folder::small();
    let site = Site::behind(&["env", "--ignore-signal=INT,QUIT,HUP"], program!(), &folder).is_up();
    let line = site.says("ignored when the process was started, and left so");
    for name in ["SIGINT", "SIGQUIT", "SIGHUP"] {
        assert!(line.contains(name), "{line}");
        site.signal(name.parse().unwrap());
    }
    // It was sent last, so whatever came of the others has come by the time that this one is obeyed.
    site.signal(Signal::TERM);
    let ended = site.ends();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("asked by signal {}", Signal::TERM)), "{}", ended.stderr);
    assert!(!ended.stderr.to_lowercase().contains("reload"), "{}", ended.stderr);
}

#[test]
fn signals_that_mean_nothing_to_it_do_no_harm() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    for name in ["USR1", "TTIN", "TTOU", "CHLD", "URG", "WINCH", "PIPE", "CONT"] {
        for _ in 0..10 {
            site.signal(name.parse().unwrap());
        }
        assert_eq!(site.get("/").status, 200, "after {name}");
    }
    site.stop();
}

#[test]
fn what_signals_mean_can_be_chosen_and_a_restart_is_looked_at_all_the_same() {
    let folder = Folder::small();
    folder.site(
        "[http]\nlisten = [\"127.0.0.1:0\"]\n[signals]\nUSR1 = \"restart\"\nUSR2 = \"drain\"\nHUP = \"ignore\"\nALRM = \"graceful\"",
    );
    let site = Site::start(program!(), &folder);
    let good = folder.read("site.toml");
    folder.write("site.toml", "[htpp]\n");
    site.signal(Signal::HUP);
    site.signal(Signal::USR1);
    site.says("not restarted: everything goes on as it was");
    folder.write("site.toml", good);
    site.signal("ALRM".parse().unwrap());
    site.says("Bus reloaded");
    site.signal(Signal::USR1);
    site.says_times(2, "Bus STARTED");
    assert_eq!(site.verdicts(), 1, "the hangup was ignored");
    site.signal(Signal::USR2);
    let ended = site.ends();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("SIGUSR2: exiting; a second signal cuts drains short"), "{}", ended.stderr);
}

#[test]
fn a_drain_ends_at_its_time_and_what_was_cut_is_named() {
    let folder = Folder::small();
    folder.site(
        "[http]\nlisten = [\"127.0.0.1:0\"]\ndrain_timeout = \"600ms\"\n[[route]]\npath = \"/shop\"\napp = \"shop\"",
    );
    let site = Site::start(own_program!(), &folder);
    let mut upload = begin_upload(&site, 10);
    let began = Instant::now();
    site.signal(Signal::QUIT);
    let ended = site.ends();
    assert!(began.elapsed() < SOON / 2, "{:?}", began.elapsed());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 answering"), "{}", ended.stderr);
    upload.answer().unwrap_err();
}

#[test]
fn an_end_under_load_cuts_no_answer_short() {
    let folder = Folder::small();
    folder.write("public/page", "x".repeat(200_000));
    let site = Site::start(program!(), &folder);
    let load =
        |path: &str| Load::new(site.address()).path(path).connections(3).requests(20_000).within(2 * SOON);
    let (kept, new) = (load("/page").start(), load("/").close_each().start());
    kept.wait_for_answers(100, SOON).unwrap();
    new.wait_for_answers(100, SOON).unwrap();
    site.stop();
    for (kind, report) in [("kept", kept.stop()), ("new", new.stop())] {
        assert_eq!((report.reset, report.short, report.bad_status), (0, 0, 0), "{kind}: {report}");
        // A request may cross the goodbye of a connection that lies idle (RFC 9112, 9.5), once for each of them.
        assert!(report.closed <= 3, "{kind}: {report}");
        assert!(report.refused > 0, "{kind}: {report}");
    }
}
