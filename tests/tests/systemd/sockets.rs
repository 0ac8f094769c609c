//! Sockets that the manager opens: the first request starts the site, and no connect is ever refused.

use std::net::{SocketAddr, TcpListener};

use sitebus_testkit::Load;
use sitebus_tests::{Connection, Folder, SOON, get, program, request};

use crate::unit::Unit;

/// A site at this address, or one that names the socket.
fn folder(listen: &str) -> Folder {
    let folder = Folder::small();
    folder.site(&format!("[http]\nlisten = [{listen}]\n"));
    folder
}

/// A port that was free a moment ago; a socket unit wants a number.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// `site.socket` with these sockets, started; the site is not.
fn open(unit: &Unit<'_>, sockets: &str) {
    unit.machine.write_unit("site.socket", &format!("[Socket]\n{sockets}\n")).unwrap();
    unit.does("start", &["site.socket"]);
    assert_eq!(unit.property("ActiveState"), "inactive");
}

/// The first request starts it, and no later one is refused, whatever becomes of the site.
fn is_never_refused(unit: &Unit<'_>, address: SocketAddr) {
    assert_eq!(get(address, "/").unwrap().text(), "<h1>index</h1>", "who connects starts the site");
    unit.wait_for("ActiveState", |state| state == "active");
    let main = unit.property("MainPID");
    let load = Load::new(address).close_each().requests(u64::MAX).start();
    load.wait_for_answers(10, SOON).unwrap();
    let restarted = unit.ask("restart");
    assert_eq!(restarted.code, Some(0), "{restarted:?}");
    assert_eq!(unit.property("MainPID"), main);
    unit.does("reload", &["site.service"]);
    unit.does("restart", &["site.service"]);
    assert_ne!(unit.property("MainPID"), main);
    let report = load.stop();
    assert_eq!(report.lost(), 0, "{report}");
    assert!(report.answered >= 10);
    assert_eq!(unit.property("NRestarts"), "0");
}

#[test]
fn a_socket_unit_is_found_by_its_name() {
    let Some(unit) = Unit::of(program!(), folder(r#""systemd:web""#)) else { return };
    let (address, other) = (free(), unit.folder.at("web.sock"));
    open(&unit, &format!("ListenStream={address}\nListenStream={}\nFileDescriptorName=web", other.display()));
    is_never_refused(&unit, address);
    let mut connection = Connection::unix(&other).unwrap();
    connection.send(request("GET", "/", "")).unwrap();
    assert_eq!(connection.answer().unwrap().status, 200, "the name is that of both");
    unit.does("stop", &["site.socket", "site.service"]);
    assert!(get(address, "/").is_err());
}

#[test]
fn a_site_file_need_not_know_of_the_socket_unit() {
    let address = free();
    let Some(unit) = Unit::of(program!(), folder(&format!("\"{address}\""))) else { return };
    open(&unit, &format!("ListenStream={address}"));
    is_never_refused(&unit, address);

    unit.does("stop", &["site.service"]);
    assert_eq!(get(address, "/").unwrap().status, 200, "the socket is the manager's, and starts it again");
    unit.does("stop", &["site.socket", "site.service"]);
    assert!(get(address, "/").is_err());
    // The same file without the unit.
    unit.does("start", &["site.service"]);
    assert_eq!(get(address, "/").unwrap().status, 200);
}

#[test]
fn while_a_killed_site_is_away_its_clients_wait() {
    let Some(unit) = Unit::of(program!(), folder(r#""systemd:web""#)) else { return };
    let address = free();
    open(&unit, &format!("ListenStream={address}\nFileDescriptorName=web"));
    assert_eq!(get(address, "/").unwrap().status, 200);
    let load = Load::new(address).close_each().requests(u64::MAX).start();
    load.wait_for_answers(10, SOON).unwrap();
    unit.does("kill", &["--signal=KILL", "site.service"]);
    unit.wait_for("NRestarts", |times| times == "1");
    unit.wait_for("ActiveState", |state| state == "active");
    assert_eq!(get(address, "/").unwrap().status, 200);
    let report = load.stop();
    // Those that it was answering are lost with it, one for each connection.
    assert_eq!((report.refused, report.timed_out), (0, 0), "{report}");
    assert!(report.lost() <= 4, "{report}");
}

#[test]
fn who_starts_a_site_by_hand_that_needs_a_socket_unit_starts_that_first() {
    let Some(unit) = Unit::of(program!(), folder(r#""systemd:front.socket""#)) else { return };
    let address = free();
    let socket = format!("[Socket]\nListenStream={address}\nService=site.service\n");
    unit.machine.write_unit("front.socket", &socket).unwrap();
    unit.does("start", &["site.service"]);
    assert_eq!(get(address, "/").unwrap().status, 200);
    assert_eq!(unit.machine.property("front.socket", "ActiveState").unwrap(), "active");
}

#[test]
fn a_name_that_did_not_come_is_an_error_that_says_which_did() {
    let Some(unit) = Unit::of(program!(), folder(r#""systemd:wbe""#)) else { return };
    unit.set("Restart=no");
    open(&unit, &format!("ListenStream={}\nFileDescriptorName=web", free()));
    assert_eq!(unit.systemctl(&["start", "site.service"]).code, Some(1));
    for part in ["systemd:wbe", "but web;"] {
        unit.shows(part);
    }
}
