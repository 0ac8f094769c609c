//! Whoever comes and goes leaves neither a thread nor a descriptor nor memory. Alone in its file: it counts the process.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use common::{LONG, Peer, Site, request, soon};
use sitebus_control::{Client, Command, Control, Verdict};
use sitebus_testkit::Leaks;

/// One peer of each kind.
fn crowd(site: &Site) {
    assert_eq!(site.ask(Command::Status).verdict(), Verdict::Done);
    let mut peers: Vec<Peer> = (0..6).map(|_| site.peer()).collect();
    peers[1].send("garbage\n");
    peers[2].send(request("reload"));
    peers[3].send(request("channels"));
    peers[4].send([b'x'; 10_000]);
    peers[5].send(request("reopen"));
    assert!(peers[1].line().contains("invalid"));
}

#[test]
fn two_hundred_connections_and_forty_sites_leave_nothing() {
    let before_all = Leaks::now().unwrap();
    let site = Site::started();
    crowd(&site);
    let before = Leaks::now().unwrap();
    for _ in 0..200 {
        crowd(&site);
    }
    before.assert_back(LONG);
    let after = Leaks::now().unwrap().resident();
    assert!(after < before.resident() + 16 * 1024 * 1024, "{} grew to {after}", before.resident());

    let Site { bus, control, folder } = site;
    let mut control = Some(control);
    for _ in 0..20 {
        control.take().unwrap().unsubscribe();
        control = Some(Control::new(common::settings(&folder)).subscribe(&bus).unwrap());
        let path = control.as_ref().unwrap().path();
        assert_eq!(Client::connect(path, soon()).unwrap().state(), "STARTED");
    }
    bus.exit().unwrap();
    let _ = bus.block();
    drop((bus, control, folder));
    for _ in 0..20 {
        let site = Site::started();
        let stop = common::ask_aside(site.client(), Command::Stop);
        let _ = site.bus.block();
        assert_eq!(stop.outcome().verdict(), Verdict::Done);
    }
    before_all.assert_back(LONG);
}
