//! Peers that mean harm, or know no better: they get one clear line, and harm nothing.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::{LONG, MOMENT, Peer, Site, ask_aside, request, soon};
use sitebus_bus::{LOG, State, priority};
use sitebus_control::{Client, Command, ConnectError, Event, Verdict};
use sitebus_testkit::{Gate, Leaks};

/// Whoever has gone keeps a place until the server has seen that.
fn let_in(site: &Site) -> Client {
    let deadline = soon();
    loop {
        match Client::connect(&site.path(), deadline) {
            Ok(client) => return client,
            Err(ConnectError::Busy { .. }) if Instant::now() < deadline => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn is_well(site: &Site) {
    let status = let_in(site).ask(Command::Status, soon(), |_| {}).unwrap().status().unwrap();
    assert_eq!(status.state, site.bus.state().to_string());
}

#[test]
fn garbage_gets_one_clear_line_and_an_end() {
    let site = Site::started();
    for (garbage, expected) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "not understood: "),
        (b"\xff\xfe\x00\n", "this is no UTF-8"),
        (b"\n", "not understood: "),
        (b"{}\n", "there is no \\\"version\\\""),
        (b"{\"version\":2,\"command\":\"stop\"}\n", "speaks version 1 of the protocol, and not 2"),
        (b"{\"version\":1,\"command\":[]}\n", "not understood: "),
        (&[b'['; 10_000], "not understood: "),
    ] {
        let mut peer = site.peer();
        peer.send(garbage);
        peer.stream.shutdown(Shutdown::Write).unwrap();
        let line = peer.last_line();
        assert!(line.starts_with("{\"version\":1,\"result\":\"invalid\",\"message\":"), "{line}");
        assert!(line.contains(expected), "{line}");
    }
    is_well(&site);
}

#[test]
fn an_unknown_command_is_refused_and_the_next_one_is_heard() {
    let site = Site::started();
    let mut peer = site.peer();
    peer.send(request("relaod"));
    let line = peer.line();
    assert!(line.contains("\"refused\"") && line.contains("did you mean \\\"reload\\\"?"), "{line}");
    peer.send(request("ping"));
    assert!(peer.line().contains("\"done\""));
}

#[test]
fn requests_may_come_in_one_piece_in_many_or_without_a_last_newline() {
    let site = Site::started();
    let mut peer = site.peer();
    peer.send(request("ping").repeat(3) + request("ping").trim_end());
    peer.stream.shutdown(Shutdown::Write).unwrap();
    for _ in 0..4 {
        assert!(peer.line().contains("\"done\""));
    }
    assert_eq!(peer.line(), "");
    let mut peer = site.peer();
    for byte in request("ping").replace('\n', "\r\n").bytes() {
        peer.send([byte]);
    }
    assert!(peer.line().contains("\"done\""));
}

#[test]
fn a_line_without_an_end_is_cut_off() {
    let site = Site::started();
    let before = Leaks::now().unwrap().resident();
    let mut peer = site.peer();
    peer.stream.set_write_timeout(Some(LONG)).unwrap();
    let piece = vec![b'x'; 1024 * 1024];
    let cut = (0..1024).find_map(|_| peer.stream.write_all(&piece).err()); // one GiB in all
    assert_eq!(cut.map(|error| error.kind()), Some(ErrorKind::BrokenPipe));
    let line = peer.line();
    assert!(line.contains("a request is one line of at most 16384 bytes"), "{line}");
    assert!(Leaks::now().unwrap().resident() < before + 64 * 1024 * 1024);
    is_well(&site);
}

#[test]
fn a_byte_a_moment_is_too_slow_and_so_is_silence() {
    let site = Site::with(|settings| settings.request_time = 20 * MOMENT);
    let mut silent = site.peer();
    let mut slow = site.peer();
    let began = Instant::now();
    for byte in request("status").bytes().cycle() {
        slow.stream.set_read_timeout(Some(MOMENT)).unwrap();
        // Waits a moment for an answer after each byte.
        if slow.stream.write_all(&[byte]).is_err() || slow.stream.read(&mut [0; 1]).is_ok() {
            break;
        }
        assert!(began.elapsed() < LONG);
    }
    let line = silent.last_line();
    assert!(line.contains("no whole request came within 1s"), "{line}");
    is_well(&site);
}

#[test]
fn more_than_the_limit_are_busy_and_room_comes_back() {
    let site = Site::started();
    let mut peers: Vec<Peer> = (0..32).map(|_| site.peer()).collect();
    for peer in &mut peers {
        peer.send(request("ping"));
        assert!(peer.line().contains("\"done\""));
    }
    for _ in 0..68 {
        let line = site.peer().last_line();
        assert!(line.contains("\"busy\"") && line.contains("32 others are connected"), "{line}");
    }
    let error = Client::connect(&site.path(), soon()).unwrap_err();
    assert!(matches!(error, ConnectError::Busy { .. }), "{error}");
    assert_eq!(error.exit_status(), 1);
    drop(peers);
    is_well(&site);
}

#[test]
fn a_peer_that_closes_its_half_still_gets_its_answer() {
    let site = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.plugin("slow").at_commit(priority::SITE, move |_| held.pass());
    let mut peer = site.peer();
    peer.send(request("reload"));
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer.line(), "{\"event\":\"accepted\",\"state\":\"STARTED\"}");
    gate.wait_for_arrival(LONG);
    gate.open();
    assert!(peer.last_line().contains("\"done\""));
}

#[test]
fn a_peer_that_leaves_in_the_middle_leaves_nothing_and_what_it_asked_for_goes_on() {
    let site = Site::with(|settings| settings.connections = 1);
    site.bus.start().unwrap();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.plugin("slow").at_commit(priority::SITE, move |_| held.pass());
    let mut peer = site.peer();
    peer.send(request("reload"));
    assert!(peer.line().contains("accepted"));
    gate.wait_for_arrival(LONG);
    drop(peer);
    // There is room for one, so the next is let in only once the first is forgotten.
    let (deadline, mut next) = (soon(), let_in(&site));
    gate.open();
    gate.wait_until_passed(LONG);
    assert_eq!(next.ask(Command::Reload, deadline, |_| {}).unwrap().verdict(), Verdict::Done);
    assert_eq!(next.ask(Command::Status, deadline, |_| {}).unwrap().status().unwrap().reloads, 2);
}

#[test]
fn whoever_does_not_read_holds_up_nobody_and_is_let_go() {
    let site = Site::with(|settings| settings.answer_time = 20 * MOMENT);
    let mut deaf = site.peer();
    deaf.stream.set_nonblocking(true).unwrap();
    let channels = request("channels").repeat(64);
    let began = Instant::now();
    loop {
        match deaf.stream.write(channels.as_bytes()) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => is_well(&site),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                break;
            }
        }
        assert!(began.elapsed() < LONG);
    }
    is_well(&site);
}

#[test]
fn a_log_that_hangs_keeps_nobody_from_the_socket() {
    let site = Site::started();
    let gate = Gate::new();
    let held = gate.clone();
    site.bus.on(LOG).unwrap().subscribe("hangs", move |record: &sitebus_bus::Record| {
        if &*record.source == "control" {
            held.pass();
        }
    });
    let reload = site.ask(Command::Reload);
    assert_eq!(reload.verdict(), Verdict::Done);
    gate.wait_for_arrival(LONG);
    is_well(&site);
    let stop = ask_aside(site.client(), Command::Stop);
    assert_eq!(site.bus.block().code(), 0);
    assert_eq!(stop.outcome().verdict(), Verdict::Done);
    gate.open();
}

#[test]
fn noise_from_many_sides_while_the_site_comes_and_goes_harms_nothing() {
    let site = Site::new();
    let path = site.path();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for noise in 0..4_u32 {
            let (over, path) = (&over, &path);
            scope.spawn(move || {
                let mut seed = noise + 1;
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let Ok(mut stream) = UnixStream::connect(path) else { return };
                    seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                    let _ = match seed % 5 {
                        0 => stream.write_all(&seed.to_be_bytes().repeat(1000)),
                        1 => stream.write_all(request("status").as_bytes()),
                        2 => stream.write_all(request("ping").repeat(100).as_bytes()),
                        3 => stream.shutdown(Shutdown::Both),
                        _ => stream.write_all(b"{\"version\":1,"),
                    };
                    if seed % 3 == 0 {
                        let _ = stream.set_read_timeout(Some(Duration::from_millis(1)));
                        let _ = stream.read(&mut [0; 64]);
                    }
                }
            });
        }
        for _ in 0..50 {
            site.bus.start().unwrap();
            site.bus.stop().unwrap();
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    site.bus.start().unwrap();
    assert_eq!(site.bus.state(), State::Started);
    is_well(&site);
}

#[test]
fn events_come_to_those_who_wait_and_to_nobody_else() {
    let site = Site::started();
    let mut idle = site.peer();
    idle.send(request("ping"));
    assert!(idle.line().contains("\"done\""));
    let stop = ask_aside(site.client(), Command::Stop);
    stop.expect(&Event::State("EXITING".to_owned()));
    let _ = site.bus.block();
    assert_eq!(idle.line(), "");
}
