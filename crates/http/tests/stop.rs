//! Starting, stopping, and what becomes of the connections.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use tokio::sync::Semaphore;

use sitebus_bus::{Bus, Done, Exit, State, topics};
use sitebus_http::{Body, BoxError, Http, HttpService, Limits, Settings};
use support::{Client, PATIENCE, Site, greeter, record, start, start_with_stop_limit, wait_until};

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn quick() -> Limits {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(400);
    limits
}

/// Answers when the gate has a permit; `began` has one for each request that came.
fn gated() -> (Http<impl HttpService>, Arc<Semaphore>, Arc<Semaphore>) {
    let (gate, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (opens, begins) = (Arc::clone(&gate), Arc::clone(&began));
    let http = Http::new("http").handler(move |_| {
        begins.add_permits(1);
        let gate = Arc::clone(&opens);
        async move {
            gate.acquire().await.unwrap().forget();
            Response::new(Body::from("done"))
        }
    });
    (http, gate, began)
}

fn wait_for(permits: &Semaphore, count: usize) {
    wait_until("the requests are in progress", || permits.available_permits() >= count);
}

fn stopping(site: &Site) -> sitebus_bus::Ticket {
    let ticket = site.bus.ask_stop();
    site.bus.wait([State::Stopping, State::Stopped], Some(PATIENCE)).unwrap();
    ticket
}

#[test]
fn idle_connections_are_closed_at_once() {
    let site = start(greeter());
    let mut clients: Vec<Client> = (0..20).map(|_| site.connect()).collect();
    clients.iter_mut().take(10).for_each(|client| drop(client.get("/")));
    site.wait_for_connections(20);
    let began = Instant::now();
    site.bus.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(clients.iter_mut().all(|client| client.rest().is_empty()));
    assert_eq!(site.said("all connections ended").len(), 1);
}

#[test]
fn an_answer_in_progress_is_finished_and_says_that_the_connection_closes() {
    let (http, gate, began) = gated();
    let site = start(http);
    let address = site.address();
    let mut client = site.connect();
    client.send(REQUEST);
    wait_for(&began, 1);
    let ticket = stopping(&site);
    wait_until("the listener is closed", || TcpStream::connect(address).is_err());
    assert!(ticket.wait_for(Duration::from_millis(50)).is_err(), "the stop waits for the answer");
    gate.add_permits(1);
    let answer = client.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("done", Some("close")));
    assert!(client.rest().is_empty());
    assert_eq!(ticket.wait().unwrap(), Done::Done);
}

#[test]
fn half_a_head_ends_within_the_header_time_and_a_whole_one_is_answered() {
    let site = start(greeter().limits(quick()));
    let (mut half, mut slow, mut second) = (site.connect(), site.connect(), site.connect());
    second.get("/");
    for client in [&mut half, &mut slow, &mut second] {
        client.send(&REQUEST[..20]);
    }
    // A round trip on another connection: by then the halves have arrived.
    let mut last = site.connect();
    last.get("/");
    let began = Instant::now();
    let ticket = stopping(&site);
    assert!(last.rest().is_empty(), "once the last connection is closed, all of them know of the stop");
    for client in [&mut slow, &mut second] {
        client.send(&REQUEST[20..]);
        let answer = client.answer();
        assert_eq!((answer.text(), answer.header("connection")), ("hello", Some("close")));
    }
    ticket.wait().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(String::from_utf8(half.rest()).unwrap().starts_with("HTTP/1.1 408"));
}

/// Whatever reached the kernel before the stop is answered, read or not, accepted or not.
#[test]
fn a_request_that_was_sent_before_the_stop_is_answered() {
    for round in 0..15 {
        let site = start(greeter().limits(quick()));
        let mut kept = site.connect();
        kept.get("/");
        let mut fresh = site.connect();
        fresh.send(REQUEST);
        kept.send(REQUEST);
        let ticket = site.bus.ask_stop();
        assert_eq!(kept.try_answer().map(|answer| answer.status()), Some(200), "round {round}, kept");
        assert_eq!(fresh.try_answer().map(|answer| answer.status()), Some(200), "round {round}, fresh");
        ticket.wait().unwrap();
    }
}

#[test]
fn a_hurry_cuts_the_drain_short_and_says_what_was_cut() {
    let (http, _gate, began) = gated();
    let site = start(http);
    let mut client = site.connect();
    client.send(REQUEST);
    wait_for(&began, 1);
    let asked = Instant::now();
    let ticket = stopping(&site);
    site.bus.hurry();
    ticket.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(client.rest().is_empty());
    let said = site.said("in a hurry");
    assert!(
        said.len() == 1 && said[0].contains("1 connections were cut") && said[0].contains("1 answering"),
        "{said:?}"
    );
}

/// A body that goes on for ever, with a frame whenever it is asked.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        cx.waker().wake_by_ref();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"tick\n")))))
    }
}

#[test]
fn an_endless_answer_is_cut_before_the_deadline_and_counted() {
    let http = Http::new("http").answer(|_| Response::new(Body::new(Endless)));
    let site = start_with_stop_limit(http, Duration::from_secs(1));
    let mut client = site.connect();
    client.send(REQUEST);
    client.head().unwrap();
    let reader = std::thread::spawn(move || client.rest());
    let asked = Instant::now();
    site.bus.stop().unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(500) && asked.elapsed() < Duration::from_secs(5));
    let rest = reader.join().unwrap();
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut answer must not look complete");
    let said = site.said("at the deadline");
    assert!(said.len() == 1 && said[0].contains("1 answering"), "{said:?}");
    assert!(site.said("given up").is_empty(), "it stays within its own time");
}

#[test]
fn the_drain_may_have_a_limit_of_its_own() {
    let (http, _gate, began) = gated();
    let mut settings = Settings::default();
    settings.drain_time = Some(Duration::from_millis(300));
    let site = start(http.settings(settings));
    let mut client = site.connect();
    client.send(REQUEST);
    wait_for(&began, 1);
    let asked = Instant::now();
    site.bus.stop().unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(290) && asked.elapsed() < Duration::from_secs(5));
    assert_eq!(site.said("at the deadline").len(), 1);
}

#[test]
fn an_answer_that_listens_for_the_stop_can_end_in_time() {
    let http = Http::new("http").handler(|request: Request<Body>| async move {
        request.body().stopping().await;
        Response::new(Body::from("goodbye"))
    });
    let site = start(http);
    let mut client = site.connect();
    client.send(REQUEST);
    site.wait_for_connections(1);
    site.bus.stop().unwrap();
    assert_eq!(client.answer().text(), "goodbye");
}

#[test]
fn a_stopped_server_starts_again_on_the_same_addresses() {
    let site = start(greeter());
    let address = site.address();
    for _ in 0..3 {
        assert_eq!(Client::connect(address).get("/").text(), "hello");
        site.bus.stop().unwrap();
        assert!(site.server.addresses().is_empty());
        assert!(TcpStream::connect(address).is_err());
        site.bus.start().unwrap();
        assert_eq!(site.address(), address);
    }
}

#[test]
fn a_handler_may_ask_for_the_exit_and_its_answer_arrives() {
    let bus = Bus::new("site");
    let asking = bus.handle();
    let server = Http::new("http")
        .listen("127.0.0.1:0")
        .unwrap()
        .answer(move |_| {
            drop(asking.ask_exit(Exit::success("a visitor")));
            Response::new("leaving".into())
        })
        .subscribe(&bus)
        .unwrap();
    bus.start().unwrap();
    let mut client = Client::connect(server.addresses()[0].tcp().unwrap());
    assert_eq!(client.get("/").text(), "leaving");
    assert_eq!(bus.block().code(), 0);
}

#[test]
fn every_bound_address_is_announced() {
    let bus = Bus::new("site");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    bus.on(topics::LISTENING)
        .unwrap()
        .subscribe("ear", move |url: &str| hears.lock().unwrap().push(url.to_owned()));
    let log = record(&bus);
    let http = greeter().listen("127.0.0.1:0").unwrap().listen("[::1]:0").unwrap();
    let server = http.subscribe(&bus).unwrap();
    bus.start().unwrap();
    let urls: Vec<String> = server.addresses().iter().map(|address| format!("http://{address}")).collect();
    assert_eq!(*heard.lock().unwrap(), urls);
    let said: Vec<String> = log.lock().unwrap().iter().map(|record| record.message.clone()).collect();
    assert!(urls.iter().all(|url| said.contains(&format!("listening on {url}"))), "{said:?}");
}

#[test]
fn a_taken_port_fails_the_start_names_its_holder_and_releases_the_others() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken: SocketAddr = holder.local_addr().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bus = Bus::new("site");
    let http = greeter().listen(&free.to_string()).unwrap().listen(&taken.to_string()).unwrap();
    let server = http.subscribe(&bus).unwrap();
    let said = format!("{:#}", bus.start().unwrap_err());
    assert!(said.contains(&format!("http: cannot listen on {taken}")), "{said}");
    assert!(said.contains(&std::process::id().to_string()) && said.contains("choose another"), "{said}");
    assert!(server.addresses().is_empty());
    TcpListener::bind(free).unwrap();
}

#[test]
fn a_server_without_an_address_fails_the_start_with_the_cure() {
    let bus = Bus::new("site");
    greeter().subscribe(&bus).unwrap();
    let said = format!("{:#}", bus.start().unwrap_err());
    assert!(said.contains("127.0.0.1:8080"), "{said}");
}
