//! A site in the foreground of a terminal: its keys, its window, its colours.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;

use sitebus_tests::{Folder, TerminalSession, get, program, wait_until};

/// Shells that are started in the background have their children ignore Ctrl-C.
fn in_the_foreground(words: &str) -> String {
    format!("exec env --default-signal=INT,QUIT {words} {} run", program!().display())
}

/// What a terminal shows of its log, without the colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

fn address_on(session: &TerminalSession) -> std::net::SocketAddr {
    let line = session.shows("listening on http://");
    plain(&line).split("http://").nth(1).unwrap().parse().unwrap()
}

#[test]
fn ctrl_c_ends_it_with_status_0_and_no_trace() {
    let folder = Folder::small();
    let mut session = TerminalSession::start(folder.path(), &in_the_foreground(""), &[]);
    session.shows("Bus STARTED");
    let address = address_on(&session);
    assert_eq!(get(address, "/").unwrap().status, 200);
    session.press("\x03");
    session.shows("SIGINT: exiting");
    session.shows("Bus EXITED");
    assert_eq!(session.ends(), Some(0));
    get(address, "/").unwrap_err();
}

#[test]
fn ctrl_c_reaches_it_beside_others_of_its_foreground_group() {
    let folder = Folder::small();
    // cat(1) stands for a helper of the same group; it dies of the same key.
    let mut session = TerminalSession::start(folder.path(), &format!("cat & {}", in_the_foreground("")), &[]);
    session.shows("Bus STARTED");
    session.press("\x03");
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn ctrl_backslash_drains_and_ends_it() {
    let folder = Folder::small();
    let mut session = TerminalSession::start(folder.path(), &in_the_foreground(""), &[]);
    session.shows("Bus STARTED");
    session.press("\x1c");
    session.shows("SIGQUIT: exiting");
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn a_hangup_from_kill_reloads_it_although_it_has_a_terminal() {
    let folder = Folder::small();
    let mut session = TerminalSession::start(folder.path(), &in_the_foreground(""), &[]);
    session.shows("Bus STARTED");
    session.program().signal("HUP");
    session.shows("Bus reloaded");
    assert_eq!(get(address_on(&session), "/").unwrap().status, 200);
    session.press("\x03");
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn it_ends_when_its_terminal_goes_away() {
    let folder = Folder::small();
    let mut session = TerminalSession::start(folder.path(), &format!("{} 2>log", in_the_foreground("")), &[]);
    let log = || fs::read_to_string(folder.at("log")).unwrap_or_default();
    wait_until("the start", || log().contains("Bus STARTED").then_some(()));
    session.close_window();
    wait_until("the end", || session.program().has_ended().then_some(()));
    let log = log();
    assert!(log.contains("SIGHUP: the terminal is gone, exiting"), "{log}");
    assert!(log.contains("Bus EXITED"), "{log}");
}

#[test]
fn it_ends_when_its_terminal_goes_away_although_its_log_went_there_too() {
    let folder = Folder::small();
    let mut session = TerminalSession::start(folder.path(), &in_the_foreground(""), &[]);
    session.shows("Bus STARTED");
    let address = address_on(&session);
    session.close_window();
    wait_until("the end", || session.program().has_ended().then_some(()));
    get(address, "/").unwrap_err();
}

#[test]
fn started_with_nohup_it_outlives_its_terminal() {
    let folder = Folder::small();
    let mut session =
        TerminalSession::start(folder.path(), &format!("{} 2>log", in_the_foreground("nohup")), &[]);
    let log = || fs::read_to_string(folder.at("log")).unwrap_or_default();
    wait_until("the start", || log().contains("Bus STARTED").then_some(()));
    let address = log().split("http://").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    session.close_window();
    for _ in 0..10 {
        assert_eq!(get(address, "/").unwrap().status, 200);
    }
    assert!(!session.program().has_ended());
    session.program().signal("TERM");
    wait_until("the end", || session.program().has_ended().then_some(()));
}

#[test]
fn it_has_colours_on_a_terminal_and_none_if_they_are_not_wanted() {
    for (environment, coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let folder = Folder::small();
        let mut session = TerminalSession::start(folder.path(), &in_the_foreground(""), environment);
        let line = session.shows("Bus STARTED");
        assert_eq!(line.contains('\u{1b}'), coloured, "{environment:?}: {line:?}");
        session.press("\x03");
        assert_eq!(session.ends(), Some(0));

        folder.write("site.toml", "[htpp]\n");
        let session = TerminalSession::start(folder.path(), &in_the_foreground(""), environment);
        let line = session.shows("there is no section");
        assert_eq!(line.contains('\u{1b}'), coloured, "{environment:?}: {line:?}");
        assert_eq!(session.ends(), Some(2));
    }
}

#[test]
fn a_terminal_that_was_halted_with_ctrl_s_does_not_halt_the_site() {
    let folder = Folder::small();
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[log]\naccess = true");
    let mut session = TerminalSession::start(folder.path(), &in_the_foreground(""), &[]);
    session.shows("Bus STARTED");
    let address = address_on(&session);
    session.press("\x13");
    // Far more lines than a terminal holds for later.
    for _ in 0..2000 {
        assert_eq!(get(address, "/").unwrap().status, 200);
    }
    session.program().signal("TERM");
    wait_until("the end", || session.program().has_ended().then_some(()));
}
