//! Bad clients of every sort at once: the server answers the others, ends within its limits, and starts again.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::io::{Read as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use socket2::SockRef;

use sitebus_http::{Body, BoxError, Http, HttpService, Limits};
use support::{Client, Site, start, wait_until};

const MOMENT: Duration = Duration::from_millis(500);

fn quick() -> Limits {
    let mut limits = Limits::default();
    (limits.header_time, limits.stall_time, limits.half_closed_time) = (MOMENT, MOMENT, MOMENT);
    (limits.linger, limits.idle_time) = (MOMENT, MOMENT);
    limits
}

fn server() -> Http<impl HttpService> {
    Http::new("http").limits(quick()).handler(|request: Request<Body>| async move {
        match request.uri().path() {
            "/panic" => panic!("on purpose"),
            "/error" => return Err(BoxError::from("on purpose")),
            "/large" => return Ok(Response::new(vec![b'x'; 32 << 20].into())),
            "/never" => std::future::pending::<()>().await,
            _ => {}
        }
        let body = request.into_body().collect().await?.to_bytes();
        Ok(Response::new(body.into()))
    })
}

/// What clients send who then say nothing more.
const STOPS: [&str; 11] = [
    "",
    "G",
    "GET / HTTP/1.1\r\nho",
    "PRI * HTTP/2.0\r\n\r\nSM",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc",
    "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab",
    "GET /large HTTP/1.1\r\nhost: a\r\n\r\n",
    "GET /large HTTP/1.1\r\nhost: a\r\n\r\nGET /large HTTP/1.1\r\nhost: a\r\n\r\nGET /la",
    "GET /panic HTTP/1.1\r\nhost: a\r\n\r\nGET /error HTTP/1.1\r\nhost: a\r\n\r\n",
    "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
];

fn crowd(site: &Site) -> Vec<Client> {
    let stops = STOPS.map(|bytes| {
        let mut client = site.connect();
        client.send(bytes);
        client
    });
    // Who ends its side and waits, and who is gone.
    for resets in [false, true] {
        let mut client = site.connect();
        client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
        if resets {
            SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
        } else {
            client.end_writing();
        }
    }
    stops.into()
}

/// One byte after the other, for as long as somebody reads.
fn drips(mut client: Client) {
    client.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    client.send("GET /");
    while client.stream.write_all(b"x").is_ok() {
        if client.stream.read(&mut [0]).is_ok() {
            return; // told that it was too late, or closed
        }
    }
}

#[test]
fn a_stop_among_clients_of_every_bad_sort_ends_by_their_limits_and_cuts_nobody_at_its_deadline() {
    let site = start(server());
    for round in 1..=2 {
        let dripping = site.connect();
        let drip = thread::spawn(move || drips(dripping));
        let bad = crowd(&site);
        assert_eq!(site.connect().get("/").status(), 200, "the others are served");
        let began = Instant::now();
        site.bus.stop().unwrap();
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!(site.said("stopped: all connections ended").len(), round, "{:?}", site.said("stopped: "));
        assert_eq!(site.server.connections(), 0);
        drip.join().unwrap();
        drop(bad);
        site.bus.start().unwrap();
        assert_eq!(site.connect().get("/").status(), 200, "it lives on");
    }
}

#[test]
fn without_a_stop_they_are_all_gone_after_their_limits_and_none_was_left_without_an_end() {
    let site = start(server());
    for mut client in crowd(&site) {
        client.rest(); // fails if the server neither answers nor closes
    }
    wait_until("nobody is left", || site.server.connections() == 0);
    assert_eq!(site.connect().get("/").status(), 200);
    assert_eq!(site.said("a handler panicked: on purpose").len(), 1);
    assert_eq!(site.said("a handler failed: on purpose").len(), 1);
}
