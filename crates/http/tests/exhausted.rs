//! Descriptors run out. Alone in this file, since the limit belongs to the process.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::net::TcpStream;

use sitebus_os::{descriptors, resource};
use support::{Client, greeter, start, wait_until};

#[test]
fn without_descriptors_the_server_pauses_makes_room_and_recovers() {
    let site = start(greeter());
    let mut old = site.connect();
    assert_eq!(old.get("/").text(), "hello");
    let address = site.address();
    let highest = descriptors::open().unwrap().last().unwrap().number;
    let before = resource::open_files().unwrap();
    resource::limit_open_files(u64::try_from(highest).unwrap() + 24).unwrap();

    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(address) {
        clients.push(client);
    }
    wait_until("it says so", || !site.said("cannot be accepted").is_empty());
    assert!(old.rest().is_empty(), "the one that was idle for longest made room");
    resource::limit_open_files(before.soft).unwrap();

    let mut served = 0;
    for client in clients {
        let mut client = Client::new(client);
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        served += usize::from(client.try_answer().is_some());
    }
    assert!(served > 0);
    assert_eq!(site.connect().get("/").text(), "hello");
    assert_eq!(site.said("cannot be accepted").len(), 1, "one episode, one line");
    site.bus.stop().unwrap();
}
