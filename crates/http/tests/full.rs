//! A stop while there are as many connections as there may be, and others wait for their turn.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Response;
use tokio::sync::Semaphore;

use sitebus_bus::{State, Ticket};
use sitebus_http::{Body, Http, Request, Settings};
use support::{Client, PATIENCE, Site, start, wait_until};

/// A server at its limit: `/held` is answered when the gate has a permit, and whatever else at once.
struct Full {
    site: Site,
    gate: Arc<Semaphore>,
    began: Arc<Semaphore>,
}

impl Full {
    fn with_room_for(connections: usize, drain_time: Option<Duration>) -> Full {
        let (gate, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (opens, begins) = (Arc::clone(&gate), Arc::clone(&began));
        let mut settings = Settings::default();
        settings.limits.connections = connections;
        settings.drain_time = drain_time;
        let http = Http::new("http").settings(settings).handler(move |request: Request<Body>| {
            let (gate, is_held) = (Arc::clone(&opens), request.uri().path() == "/held");
            begins.add_permits(1);
            async move {
                if is_held {
                    gate.acquire().await.unwrap().forget();
                }
                Response::new(Body::from("done"))
            }
        });
        Full { site: start(http), gate, began }
    }

    /// A client that has connected and has sent its request, whether it is accepted or not.
    fn ask(&self, path: &str) -> Client {
        let mut client = self.site.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        client
    }

    fn wait_for_requests(&self, count: usize) {
        wait_until("the requests are in progress", || self.began.available_permits() >= count);
    }

    /// Begins to stop, and returns once nobody can connect any more.
    fn stopping(&self) -> Ticket {
        let (address, ticket) = (self.site.address(), self.site.bus.ask_stop());
        self.site.bus.wait([State::Stopping, State::Stopped], Some(PATIENCE)).unwrap();
        let a_handshake = Duration::from_millis(100);
        wait_until("nobody is let in", || TcpStream::connect_timeout(&address, a_handshake).is_err());
        ticket
    }
}

#[test]
fn who_waits_for_room_is_answered_as_soon_as_there_is_some_and_told_that_the_connection_closes() {
    let full = Full::with_room_for(2, None);
    let mut clients = vec![full.ask("/held"), full.ask("/held")];
    full.wait_for_requests(2);
    clients.extend((0..20).map(|_| full.ask("/held")));
    let ticket = full.stopping();
    assert_eq!(full.began.available_permits(), 2);
    full.gate.add_permits(clients.len());
    for mut client in clients {
        let answer = client.answer();
        assert_eq!((answer.text(), answer.header("connection")), ("done", Some("close")));
        assert!(client.rest().is_empty());
    }
    ticket.wait().unwrap();
    assert_eq!(full.site.said("all connections ended").len(), 1);
    assert!(full.site.said("were not answered").is_empty());
}

#[test]
fn the_idle_leave_at_once_for_who_waits_and_the_busy_may_stay() {
    let full = Full::with_room_for(2, None);
    let (mut busy, mut idle) = (full.ask("/held"), full.ask("/"));
    idle.answer();
    full.wait_for_requests(2);
    let mut waiting: Vec<Client> = (0..5).map(|_| full.ask("/")).collect();
    let ticket = full.site.bus.ask_stop();
    for client in &mut waiting {
        assert_eq!(client.answer().text(), "done");
    }
    assert!(idle.rest().is_empty());
    full.gate.add_permits(1);
    assert_eq!(busy.answer().text(), "done");
    ticket.wait().unwrap();
}

#[test]
fn who_finds_no_room_by_the_deadline_is_closed_and_counted() {
    let full = Full::with_room_for(1, Some(Duration::from_millis(500)));
    let mut busy = full.ask("/held");
    full.wait_for_requests(1);
    let mut waiting = [full.ask("/"), full.ask("/"), full.ask("/")];
    let asked = Instant::now();
    full.site.bus.stop().unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(490) && asked.elapsed() < Duration::from_secs(5));
    assert!(busy.rest().is_empty());
    assert!(waiting.iter_mut().all(|client| client.rest().is_empty()));
    let said = full.site.said("(1 answering); 3 that waited for room were not answered");
    assert_eq!(said.len(), 1, "{:?}", full.site.said("stopped"));
}

#[test]
fn a_hurry_ends_the_wait_for_room() {
    let full = Full::with_room_for(1, None);
    let _busy = full.ask("/held");
    full.wait_for_requests(1);
    let mut waiting = full.ask("/");
    let asked = Instant::now();
    let ticket = full.site.bus.ask_stop();
    full.site.bus.wait([State::Stopping, State::Stopped], Some(PATIENCE)).unwrap();
    full.site.bus.hurry();
    ticket.wait().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(waiting.rest().is_empty());
    assert_eq!(full.site.said("1 that waited for room were not answered").len(), 1);
}
