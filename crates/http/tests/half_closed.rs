//! A client that has said all it has to say, and one that is gone: the first gets its answer, the second costs nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use socket2::SockRef;
use tokio::time::Interval;

use sitebus_http::{Body, BoxError, Http, Limits};
use support::{Client, PATIENCE, start, wait_until};

const HOUR: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(100);

fn grace(half_closed_time: Duration) -> Limits {
    let mut limits = Limits::default();
    limits.half_closed_time = half_closed_time;
    limits
}

async fn a_moment() {
    tokio::time::timeout(MOMENT, std::future::pending::<()>()).await.unwrap_err();
}

/// Says path and body, after a moment in which a client's end can be noticed.
async fn slowly(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    a_moment().await;
    Ok(Response::new(format!("{path} {}", String::from_utf8_lossy(&body)).into()))
}

/// Tells of handlers that run for ever, once they have read the body of their request.
#[derive(Clone, Default)]
struct Endless {
    began: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Running(Arc<AtomicUsize>);

impl Endless {
    async fn handle(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let running = Running(Arc::clone(&self.dropped));
        request.into_body().collect().await?;
        self.began.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
        drop(running);
        Ok(Response::default())
    }

    fn wait_began(&self) {
        wait_until("the handler runs", || self.began.load(Ordering::SeqCst) == 1);
    }

    fn wait_dropped(&self) {
        wait_until("the handler is dropped", || self.dropped.load(Ordering::SeqCst) == 1);
    }

    fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst) > 0
    }
}

fn reset(client: Client) {
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn who_ends_its_side_after_the_request_gets_the_whole_answer() {
    let site = start(Http::new("http").handler(slowly));
    for request in [
        "GET /old HTTP/1.0\r\n\r\n",
        "GET /new HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
        "POST /chunks HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let mut client = site.connect();
        client.send(request);
        client.end_writing();
        let answer = client.answer();
        assert_eq!(answer.status(), 200, "{request}");
        assert!(request.contains(answer.text().split(' ').next().unwrap()), "{request}: {}", answer.text());
        assert!(client.rest().is_empty(), "and then the connection closes");
    }
    site.wait_for_connections(0);
}

#[test]
fn who_ends_its_side_before_the_body_was_read_gets_the_whole_answer_too() {
    let site = start(Http::new("http").handler(|request: Request<Body>| async move {
        a_moment().await;
        let reading = tokio::spawn(request.into_body().collect()); // by another task than the connection's
        let body = reading.await??.to_bytes();
        a_moment().await;
        Ok::<_, BoxError>(Response::new(body.into()))
    }));
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50000\r\n\r\n");
    client.send("x".repeat(50_000));
    client.end_writing();
    assert_eq!(client.answer().body.len(), 50_000);
}

#[test]
fn all_requests_before_the_end_are_answered_in_their_order() {
    let site = start(Http::new("http").handler(slowly));
    for in_one_piece in [true, false] {
        let mut client = site.connect();
        let requests: Vec<String> = (0..5).map(|i| format!("GET /{i} HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
        if in_one_piece {
            client.send(requests.concat());
        } else {
            requests.iter().for_each(|request| client.send(request));
        }
        client.end_writing();
        for i in 0..5 {
            assert_eq!(client.answer().text(), format!("/{i} "));
        }
        assert!(client.rest().is_empty());
    }
    site.wait_for_connections(0);
}

#[test]
fn more_requests_than_are_kept_lose_nothing() {
    let site = start(Http::new("http").handler(slowly));
    let mut client = site.connect();
    let padding = "y".repeat(10_000);
    for i in 0..8 {
        client.send(format!("POST /{i} HTTP/1.1\r\nhost: a\r\ncontent-length: 10000\r\n\r\n{padding}"));
    }
    client.end_writing();
    for i in 0..8 {
        assert_eq!(client.answer().text(), format!("/{i} {padding}"));
    }
    assert!(client.rest().is_empty());
}

/// Ten frames, each after a moment.
struct Drip {
    clock: Interval,
    left: u8,
}

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.clock.poll_tick(cx));
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"drop")))))
    }
}

#[test]
fn an_answer_that_keeps_coming_may_take_longer_than_the_grace() {
    let handler =
        |_| async { Response::new(Body::new(Drip { clock: tokio::time::interval(MOMENT), left: 10 })) };
    let site = start(Http::new("http").handler(handler).limits(grace(MOMENT * 5)));
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.end_writing();
    assert_eq!(client.answer().text(), "drop".repeat(10));
}

#[test]
fn a_large_answer_reaches_a_client_that_takes_its_time() {
    let large = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    let site =
        start(Http::new("http").answer(move |_| Response::new(large.clone().into())).limits(grace(MOMENT)));
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.end_writing();
    assert!(client.head().unwrap().starts_with("HTTP/1.1 200"));
    client.stream.set_read_timeout(Some(MOMENT * 3)).unwrap(); // long after the grace
    assert!(client.take(1024 * 1024).is_some());
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.rest().len(), 31 * 1024 * 1024);
}

#[test]
fn a_handler_is_dropped_when_the_grace_of_its_half_closed_client_is_over_and_not_before() {
    let endless = Endless::default();
    let handler = endless.clone();
    let limits = grace(Duration::from_millis(300));
    let site =
        start(Http::new("http").handler(move |request| handler.clone().handle(request)).limits(limits));
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    endless.wait_began();
    let ended = Instant::now();
    client.end_writing();
    endless.wait_dropped();
    assert!(ended.elapsed() >= Duration::from_millis(290), "{:?}", ended.elapsed());
    site.wait_for_connections(0);
}

/// For a moment in which a server that took an end for a reset would drop it.
fn is_left_alone(endless: &Endless, case: &str) {
    let began = Instant::now();
    while began.elapsed() < MOMENT {
        assert!(!endless.is_dropped(), "{case}");
        std::thread::yield_now();
    }
}

#[test]
fn a_reset_drops_the_handler_at_once() {
    for (case, sends, ends) in [
        ("alone", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", false),
        ("after a body", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab", false),
        (
            "after another request",
            "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n",
            false,
        ),
        ("after its end", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
    ] {
        let endless = Endless::default();
        let handler = endless.clone();
        let site = start(
            Http::new("http").handler(move |request| handler.clone().handle(request)).limits(grace(HOUR)),
        );
        let mut client = site.connect();
        client.send(sends);
        endless.wait_began();
        if ends {
            client.end_writing();
            is_left_alone(&endless, case);
        }
        reset(client);
        endless.wait_dropped();
        site.wait_for_connections(0);
    }
}

#[test]
fn a_reset_while_another_task_works_for_the_handler_drops_the_handler_at_once() {
    let endless = Endless::default();
    let handler = endless.clone();
    let site = start(
        Http::new("http")
            .handler(move |request| {
                let (handler, dropped) = (handler.clone(), Arc::clone(&handler.dropped));
                let aside = Endless { dropped: Arc::default(), ..handler };
                async move {
                    let _running = Running(dropped);
                    tokio::spawn(aside.handle(request)).await?
                }
            })
            .limits(grace(HOUR)),
    );
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\na");
    site.wait_for_connections(1);
    client.send("b");
    endless.wait_began();
    reset(client);
    endless.wait_dropped();
    site.wait_for_connections(0);
}

#[test]
fn a_unix_client_that_has_closed_is_gone_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sock");
    let endless = Endless::default();
    let handler = endless.clone();
    let http = Http::new("http").handler(move |request| handler.clone().handle(request)).limits(grace(HOUR));
    let site = start(http.listen(&format!("unix:{}", path.display())).unwrap());
    let mut client = Client::over(UnixStream::connect(&path).unwrap());
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    endless.wait_began();
    drop(client);
    endless.wait_dropped();
    site.wait_for_connections(0);
}

#[test]
fn an_end_in_the_middle_of_a_request_is_seen_at_once() {
    let endless = Endless::default();
    let handler = endless.clone();
    let site =
        start(Http::new("http").handler(move |request| handler.clone().handle(request)).limits(grace(HOUR)));
    for half in ["GET / HTTP/1.1\r\nho", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc"] {
        let mut client = site.connect();
        client.send(half);
        site.wait_for_connections(1);
        client.end_writing();
        client.rest();
        site.wait_for_connections(0);
    }
    assert!(endless.is_dropped());
}
