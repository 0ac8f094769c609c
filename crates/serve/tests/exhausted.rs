//! Descriptors run out. Alone in this file, since the limit belongs to the process.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::net::TcpStream;

use sitebus_os::{descriptors, resource};
use support::{OneByte, late, open, runtime};

#[test]
fn a_loop_without_descriptors_pauses_says_so_once_and_recovers() {
    let runtime = runtime();
    let mut host = OneByte::with_room(10_000);
    host.hold = true;
    let (door, address) = open(&runtime, host.clone());
    let highest = descriptors::open().unwrap().last().unwrap().number;
    let before = resource::open_files().unwrap();
    resource::limit_open_files(u64::try_from(highest).unwrap() + 33).unwrap();

    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(address) {
        clients.push(client);
    }
    let deadline = late();
    while host.said.lock().unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline, "it did not say that descriptors ran out");
        std::thread::yield_now();
    }
    let said = host.said.lock().unwrap().clone();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("ulimit -n"), "{said:?}");

    resource::limit_open_files(before.soft).unwrap();
    host.held.lock().unwrap().clear();
    drop(clients);
    let after = TcpStream::connect(address).unwrap();
    let taken = |host: &OneByte| host.held.lock().unwrap().len();
    while taken(&host) == 0 {
        assert!(std::time::Instant::now() < deadline, "it did not recover");
        std::thread::yield_now();
    }
    assert_eq!(host.said.lock().unwrap().len(), 1, "one episode, one line");
    drop(after);
    door.close();
    assert!(door.wait_closed(late()));
}
