//! A site that has no descriptor left accepts nobody for a while, and answers again as soon as there is room.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs::File;
use std::time::Instant;

use common::{MOMENT, Peer, patient_bus, request, soon};
use sitebus_control::{Client, Command, ConnectError, Control, Settings, Verdict};
use sitebus_os::resource;
use sitebus_testkit::own_process::{Process, hear, is_child, say};

const ROOM: usize = 8;

#[test]
fn whoever_comes_when_there_is_no_descriptor_left_waits_and_is_answered_later() {
    let name = "whoever_comes_when_there_is_no_descriptor_left_waits_and_is_answered_later";
    if is_child() {
        let bus = patient_bus();
        Control::new(Settings::at(hear())).subscribe(&bus).unwrap();
        bus.start().unwrap();
        resource::limit_open_files(100).unwrap();
        let mut others: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        others.truncate(others.len() - ROOM);
        say("started");
        let _ = bus.block();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let mut child = Process::start(name);
    child.tell(path.to_str().unwrap());
    child.expect("started");

    let mut peers: Vec<Peer> = (0..ROOM).map(|_| Peer::to(&path)).collect();
    for peer in &mut peers {
        peer.send(request("ping"));
        assert!(peer.line().contains("\"done\""));
    }
    let mut queue: Vec<Peer> = (0..3).map(|_| Peer::to(&path)).collect();
    let error = Client::connect(&path, Instant::now() + 4 * MOMENT).unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    // Those who are in are served all the same.
    peers[0].send(request("status"));
    assert!(peers[0].line().contains("STARTED"));

    drop(peers);
    for peer in &mut queue {
        peer.send(request("ping"));
        assert!(peer.line().contains("\"done\""));
    }
    let outcome = Client::connect(&path, soon()).unwrap().ask(Command::Stop, soon(), |_| {}).unwrap();
    assert_eq!(outcome.verdict(), Verdict::Done);
    assert!(child.wait().success());
}
