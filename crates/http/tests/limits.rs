//! The limits as they are unless somebody sets them, and those of HTTP/2.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong};
use http::{Request, Response, StatusCode};
use tokio::sync::Semaphore;

use sitebus_http::{Body, Http, Limits, Settings};
use support::{PATIENCE, Site, greeter, start};

#[test]
fn the_defaults_are_those_that_the_documentation_states() {
    let limits = Limits::default();
    assert_eq!((limits.header_bytes, limits.header_count, limits.body_bytes), (65_536, 100, 16 << 20));
    assert_eq!((limits.connections, limits.streams), (10_000, 200));
    let times =
        [limits.header_time, limits.idle_time, limits.stall_time, limits.half_closed_time, limits.linger];
    assert_eq!(times, [10, 75, 60, 5, 2].map(Duration::from_secs));
    let Settings { listen, http2, access_log, drain_time, threads, .. } = Settings::default();
    assert_eq!((listen.len(), http2, access_log, drain_time, threads), (0, true, false, None, 0));
}

#[test]
fn without_any_setting_heads_and_bodies_have_their_limits() {
    let site = start(greeter());
    let head = |bytes: usize| {
        let frame = "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(bytes - frame))
    };
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(count - 1));
    let body = |bytes: usize| format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {bytes}\r\n\r\n");
    for (what, fits, too_much, status) in [
        ("the size of a head", head(65_536), head(65_537), 431),
        ("the number of fields", fields(100), fields(101), 431),
        ("the size of a body", body(0), body((16 << 20) + 1), 413),
    ] {
        let mut client = site.connect();
        client.send(fits);
        assert_eq!(client.answer().status(), 200, "{what}");
        client.send(too_much);
        assert_eq!(client.answer().status(), status, "{what}");
    }
}

/// Runs a client of HTTP/2 that has had one answer, so that it knows the settings of the server.
fn with_client<F: Future>(site: &Site, talk: impl FnOnce(SendRequest<Bytes>, PingPong) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(within(async {
        let stream = tokio::net::TcpStream::connect(site.address()).await.unwrap();
        let (send, mut connection) = h2::client::handshake(stream).await.unwrap();
        let pings = connection.ping_pong().unwrap();
        tokio::spawn(connection);
        assert_eq!(ask(send.clone(), "/", "").await, StatusCode::OK);
        talk(send, pings).await
    }))
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

async fn ask(send: SendRequest<Bytes>, path: &str, field: &str) -> StatusCode {
    let request = Request::get(format!("http://test{path}")).header("x", field).body(()).unwrap();
    let (answer, _) = send.ready().await.unwrap().send_request(request, true).unwrap();
    answer.await.unwrap().status()
}

#[test]
fn no_more_requests_than_are_allowed_run_on_one_connection_of_http2_and_the_others_wait() {
    let (gate, [now, most]) = (Arc::new(Semaphore::new(0)), [(); 2].map(|()| Arc::new(AtomicUsize::new(0))));
    let (opens, running, highest) = (Arc::clone(&gate), Arc::clone(&now), Arc::clone(&most));
    let http = Http::new("http").handler(move |request: Request<Body>| {
        let (gate, running, highest) = (Arc::clone(&opens), Arc::clone(&running), Arc::clone(&highest));
        async move {
            if request.uri().path() == "/held" {
                highest.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                running.fetch_sub(1, Ordering::SeqCst);
            }
            Response::new(Body::empty())
        }
    });
    let mut limits = Limits::default();
    limits.streams = 2;
    let site = start(http.limits(limits));
    with_client(&site, |send, mut pings| async move {
        let asking: Vec<_> = (0..6).map(|_| tokio::spawn(ask(send.clone(), "/held", ""))).collect();
        while now.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        for _ in 0..6 {
            // There and back a few times: by then whatever may begin has begun.
            for _ in 0..5 {
                pings.ping(Ping::opaque()).await.unwrap();
            }
            gate.add_permits(1);
        }
        for answer in asking {
            assert_eq!(answer.await.unwrap(), StatusCode::OK);
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[test]
fn a_head_that_is_too_large_for_http2_is_431_and_costs_that_request_only() {
    let mut limits = Limits::default();
    limits.header_bytes = 1000;
    let site = start(greeter().limits(limits));
    with_client(&site, |send, _| async move {
        assert_eq!(ask(send.clone(), "/", &"y".repeat(600)).await, StatusCode::OK);
        let status = ask(send.clone(), "/", &"y".repeat(1000)).await;
        assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(ask(send.clone(), "/", "").await, StatusCode::OK);
    });
}
