//! Where a site listens, and what it says when it cannot.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use sitebus_testkit::left_out;
use sitebus_tests::{Connection, Ended, Folder, Site, as_an_ordinary_user, get, own_program, program, run};

fn listening_on(addresses: &str) -> Folder {
    let folder = Folder::small();
    folder.site(&format!("[http]\nlisten = [{addresses}]"));
    folder
}

/// It failed and gave everything back: the next start is not hindered by this one.
#[track_caller]
fn failed(folder: &Folder, ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is missing in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]");
    Site::start(program!(), folder).stop();
}

#[test]
fn a_taken_port_is_named_with_its_holder_and_the_cure_and_all_else_is_given_back() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = listening_on(&format!("\"unix:first.sock\", \"127.0.0.1:0\", \"{address}\""));
    let ended = run(program!(), folder.path(), &["run"]);
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let holder = format!("{} (process {}) listens there", name.trim_end(), std::process::id());
    assert!(!folder.at("first.sock").exists());
    let at = format!("cannot listen on {address}");
    failed(&folder, &ended, &[&at, &holder, "end that process or choose another address"]);
    assert_eq!(ended.stderr.matches("end that process").count(), 1, "{}", ended.stderr);
    let last = "error: the site 'site' did not start because of 'http'; see the log above";
    assert_eq!(ended.stderr.lines().last(), Some(last));
}

#[test]
fn the_last_word_on_a_failed_start_has_the_cause_if_the_log_is_held_back() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for filter in ["off", "site=off,info"] {
        let folder = listening_on(&format!("\"{address}\""));
        let ended = Site::behind(&["env", &format!("RUST_LOG={filter}")], program!(), &folder).ends();
        let errors: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("cannot listen")).collect();
        assert_eq!(errors.len(), 1, "{}", ended.stderr);
        let start = "error: the site 'site' did not start: 'http' failed on 'start': ";
        assert!(errors[0].starts_with(start), "{}", ended.stderr);
    }
}

#[test]
fn a_port_that_another_site_has_is_refused_and_that_site_is_named() {
    let one = Folder::small();
    let site = Site::start(program!(), &one);
    let folder = listening_on(&format!("\"{}\"", site.address()));
    let ended = run(program!(), folder.path(), &["run"]);
    failed(&folder, &ended, &[&format!("(process {})", site.child().id())]);
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

#[test]
fn the_name_of_a_holder_cannot_forge_a_line_or_talk_to_the_terminal() {
    let one = Folder::small();
    let evil = one.at("a\nINFO \u{1b}[2J");
    symlink(program!(), &evil).unwrap();
    let site = Site::start(&evil, &one);
    let folder = listening_on(&format!("\"{}\"", site.address()));
    let ended = run(program!(), folder.path(), &["run"]);
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains("\nINFO"), "{:?}", ended.stderr);
    failed(&folder, &ended, &[&format!("(process {})", site.child().id())]);
    site.stop();
}

#[test]
fn a_unix_socket_is_served_and_its_file_goes_with_it() {
    let folder = listening_on(&format!("\"unix:site.sock\", \"unix:@sitebus-tests-{}\"", std::process::id()));
    let site = Site::start(program!(), &folder);
    site.says(&format!("listening on unix:{}", folder.at("site.sock").display()));
    let mut local = Connection::unix(&folder.at("site.sock")).unwrap();
    for _ in 0..3 {
        local.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(local.answer().unwrap().text(), "<h1>index</h1>");
    }
    drop(local);
    site.stop();
    assert!(!folder.at("site.sock").exists());
}

#[test]
fn a_unix_socket_in_a_folder_whose_name_is_no_text_is_served_there() {
    let folder = listening_on("\"unix:site.sock\"");
    let odd = folder.path().join(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&odd).unwrap();
    fs::rename(folder.at("site.toml"), odd.join("site.toml")).unwrap();
    fs::rename(folder.at("public"), odd.join("public")).unwrap();
    let mut command = Command::new(program!());
    command.arg("run").arg(odd.join("site.toml"));
    let site = Site::spawn(command, &folder).is_up();
    let mut local = Connection::unix(&odd.join("site.sock")).unwrap();
    local.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(local.answer().unwrap().text(), "<h1>index</h1>");
    drop(local);
    assert_eq!(site.reload(), sitebus_tests::Verdict::Reloaded);
    site.stop();
    assert!(!odd.join("site.sock").exists());
}

#[test]
fn a_unix_socket_of_a_living_server_is_refused_and_one_of_a_dead_server_replaced() {
    let folder = listening_on("\"unix:site.sock\"");
    let living = UnixListener::bind(folder.at("site.sock")).unwrap();
    let ended = run(program!(), folder.path(), &["run"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("listens there"), "{}", ended.stderr);
    UnixStream::connect(folder.at("site.sock")).unwrap();
    drop(living);
    assert!(folder.at("site.sock").exists());
    let site = Site::start(program!(), &folder);
    UnixStream::connect(folder.at("site.sock")).unwrap();
    site.stop();
}

#[test]
fn what_is_in_the_way_of_a_unix_socket_is_named_and_left_alone() {
    let folder = listening_on("\"unix:precious\"");
    folder.write("precious", "precious");
    let ended = run(program!(), folder.path(), &["run"]);
    assert_eq!(folder.read("precious"), "precious");
    failed(&folder, &ended, &["there is a file that is no socket; remove it or choose another path"]);
    let folder = listening_on("\"unix:no/folder.sock\"");
    let ended = run(program!(), folder.path(), &["run"]);
    failed(&folder, &ended, &["there is no such folder; make it"]);
}

#[test]
fn a_unix_socket_in_a_folder_that_may_not_be_written_is_refused_with_the_cure() {
    let folder = listening_on("\"unix:locked/site.sock\"");
    fs::create_dir(folder.at("locked")).unwrap();
    fs::set_permissions(folder.at("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let Some(words) = as_an_ordinary_user(program!(), &folder) else {
        return left_out("nobody else than root can be had here, and root may write everywhere");
    };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("run");
    let ended = Site::spawn(command, &folder).ends();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("must be able to write to that folder"), "{}", ended.stderr);
}

#[test]
fn a_privileged_port_is_refused_to_an_ordinary_user_with_the_cure() {
    const PORT: u16 = 1;
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if first.trim().parse::<u16>().is_ok_and(|first| first <= PORT) {
        return left_out("every port is free to everybody on this machine");
    }
    let folder = listening_on(&format!("\"127.0.0.1:{PORT}\""));
    let Some(words) = as_an_ordinary_user(program!(), &folder) else {
        return left_out("nobody else than root can be had here");
    };
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("run");
    let ended = Site::spawn(command, &folder).ends();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("ports below 1024 need root"), "{}", ended.stderr);
}

#[test]
fn ipv6_is_served_beside_ipv4() {
    if TcpListener::bind("[::1]:0").is_err() {
        return left_out("this machine has no IPv6");
    }
    let folder = listening_on("\"127.0.0.1:0\", \"[::1]:0\"");
    let site = Site::start(program!(), &folder);
    let addresses = site.addresses();
    assert_eq!(addresses.iter().map(|address| address.is_ipv6()).collect::<Vec<_>>(), [false, true]);
    for address in addresses {
        assert_eq!(get(address, "/").unwrap().status, 200, "{address}");
    }
    site.stop();
}

#[test]
fn an_address_that_this_machine_does_not_have_is_refused_with_the_cure() {
    // RFC 5737: for documentation, and never somebody's.
    let folder = listening_on("\"192.0.2.1:0\"");
    let ended = run(program!(), folder.path(), &["run"]);
    failed(&folder, &ended, &["this machine has no such address"]);
}

#[test]
fn a_start_that_is_interrupted_before_the_listeners_opens_none() {
    let folder = listening_on("\"127.0.0.1:0\", \"unix:site.sock\"");
    assert!(Command::new("mkfifo").arg(folder.at("hang-at-start")).status().unwrap().success());
    let site = Site::spawn(
        {
            let mut command = Command::new(own_program!());
            command.arg("run");
            command
        },
        &folder,
    );
    site.says("hangs: hang-at-start");
    site.signal("TERM".parse().unwrap());
    site.says("SIGTERM: exiting");
    // Now somebody writes: the start listener returns, and the exit goes on at once.
    drop(fs::OpenOptions::new().write(true).open(folder.at("hang-at-start")).unwrap());
    let ended = site.ends();
    assert!(!ended.stderr.contains("listening on"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Bus EXITED"), "{}", ended.stderr);
    assert!(!folder.at("site.sock").exists());
}
