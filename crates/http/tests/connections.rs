//! How many connections there may be, and which of them go when there is no room.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;
use tokio::sync::Semaphore;

use sitebus_http::{Body, Http, Limits};
use support::{Client, PATIENCE, greeter, start, wait_until};

fn room_for(connections: usize) -> Limits {
    let mut limits = Limits::default();
    limits.connections = connections;
    limits
}

#[test]
fn an_idle_connection_is_closed_after_the_idle_time_and_not_before() {
    let mut limits = Limits::default();
    limits.idle_time = Duration::from_millis(300);
    limits.header_time = Duration::from_millis(100);
    let site = start(greeter().limits(limits));
    let mut client = site.connect();
    client.get("/");
    let idle = Instant::now();
    assert!(client.rest().is_empty());
    assert!(idle.elapsed() >= Duration::from_millis(290), "{:?}", idle.elapsed());
    site.wait_for_connections(0);
}

#[test]
fn each_request_begins_a_new_idle_time() {
    let mut limits = Limits::default();
    limits.idle_time = Duration::from_millis(400);
    let site = start(greeter().limits(limits));
    let mut client = site.connect();
    let began = Instant::now();
    client.stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
    while began.elapsed() < Duration::from_millis(1200) {
        assert_eq!(client.get("/").status(), 200);
        let nothing = std::io::Read::read(&mut client.stream, &mut [0]);
        assert!(nothing.is_err(), "closed although it was used");
    }
}

#[test]
fn after_an_upload_a_connection_is_idle_and_not_in_the_midst_of_a_head() {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(100);
    limits.idle_time = Duration::from_millis(500);
    let upload = |request: http::Request<Body>| async move {
        let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
        Response::new(Body::from(body))
    };
    let site = start(Http::new("http").handler(upload).limits(limits));
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n");
    site.wait_for_connections(1);
    client.send("body");
    assert_eq!(client.answer().text(), "body");
    let idle = Instant::now();
    assert_eq!(String::from_utf8_lossy(&client.rest()), "", "no 408, since no head was begun");
    assert!(idle.elapsed() >= Duration::from_millis(490), "{:?}", idle.elapsed());
}

#[test]
fn at_the_limit_the_longest_idle_connection_makes_room() {
    let site = start(greeter().limits(room_for(3)));
    let mut clients: Vec<Client> = (0..3).map(|_| site.connect()).collect();
    for place in [1, 0, 2] {
        clients[place].get("/");
        // Long enough that the order cannot be in doubt, even on a busy machine.
        clients[place].stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(std::io::Read::read(&mut clients[place].stream, &mut [0]).is_err());
        clients[place].stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let mut newcomer = site.connect();
    assert_eq!(newcomer.get("/").text(), "hello");
    assert!(clients[1].rest().is_empty(), "the longest idle one is closed");
    for place in [0, 2] {
        assert_eq!(clients[place].get("/").text(), "hello", "the others live on");
    }
    assert_eq!(site.server.connections(), 3);
}

#[test]
fn a_connection_that_never_said_anything_makes_room_too() {
    let site = start(greeter().limits(room_for(2)));
    let mut silent = site.connect();
    site.wait_for_connections(1);
    let mut second = site.connect();
    second.get("/");
    assert_eq!(site.connect().get("/").text(), "hello");
    assert!(silent.rest().is_empty());
    assert_eq!(second.get("/").text(), "hello");
}

#[test]
fn while_all_are_busy_newcomers_wait_for_their_turn() {
    let (gate, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (opens, begins) = (Arc::clone(&gate), Arc::clone(&began));
    let site = start(
        Http::new("http")
            .handler(move |_| {
                begins.add_permits(1);
                let gate = Arc::clone(&opens);
                async move {
                    gate.acquire().await.unwrap().forget();
                    Response::new(Body::from("done"))
                }
            })
            .limits(room_for(2)),
    );
    let ask = || {
        let mut client = site.connect();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        client
    };
    let mut clients = vec![ask(), ask()];
    wait_until("both are in progress", || began.available_permits() == 2);
    clients.extend([ask(), ask(), ask()]);
    assert_eq!(site.server.connections(), 2);
    gate.add_permits(5);
    for mut client in clients {
        assert_eq!(client.answer().text(), "done");
    }
    assert!(site.server.connections() <= 2);
}

#[test]
fn a_client_that_has_promised_to_send_nothing_more_costs_no_place_after_its_answer_and_any_other_does() {
    let mut limits = room_for(10);
    limits.linger = Duration::from_secs(3600);
    let http = Http::new("http").answer(|_| {
        let mut response = Response::new(Body::from("last"));
        response.headers_mut().insert("connection", http::HeaderValue::from_static("close"));
        response
    });
    let site = start(http.limits(limits));
    let ask = |request: &str| {
        let mut client = site.connect();
        client.send(request);
        assert_eq!(client.answer().text(), "last");
        assert!(client.rest().is_empty());
        client
    };
    let _promises = ask("GET / HTTP/1.1\r\nhost: a\r\nConnection: Close\r\n\r\n");
    site.wait_for_connections(0);
    let others = [
        ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        ask("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbo"),
    ];
    assert_eq!(site.server.connections(), 2);
    drop(others);
    site.wait_for_connections(0);
}
