//! HTTP/2, as a client speaks it that knows beforehand.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use sitebus_http::{Body, Http, Limits, Settings};
use support::{PATIENCE, Site, greeter, start, wait_until};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn client() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap()
}

async fn connect(site: &Site) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let stream = TcpStream::connect(site.address()).await.unwrap();
    let (send, connection) = within(h2::client::handshake(stream)).await.unwrap();
    (send, tokio::spawn(connection))
}

async fn ask(send: &SendRequest<Bytes>, path: &str, body: &'static str) -> (StatusCode, String) {
    let request = Request::post(format!("http://test{path}")).body(()).unwrap();
    let mut send = within(send.clone().ready()).await.unwrap();
    let (answer, mut upload) = send.send_request(request, body.is_empty()).unwrap();
    if !body.is_empty() {
        upload.send_data(body.into(), true).unwrap();
    }
    let (head, mut body) = within(answer).await.unwrap().into_parts();
    let mut text = Vec::new();
    while let Some(data) = within(body.data()).await {
        text.extend(data.unwrap());
    }
    (head.status, String::from_utf8(text).unwrap())
}

#[test]
fn a_client_with_prior_knowledge_is_answered_on_many_streams() {
    let site = start(Http::new("http").handler(|request: Request<Body>| async move {
        let path = request.uri().path().to_owned();
        assert!(path != "/panic", "on a stream");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(format!("{path} {}", body.len()).into())
    }));
    client().block_on(async {
        let (send, _connection) = connect(&site).await;
        for i in 0..50 {
            assert_eq!(ask(&send, &format!("/{i}"), "abc").await, (StatusCode::OK, format!("/{i} 3")));
        }
        assert_eq!(ask(&send, "/panic", "").await.0, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(ask(&send, "/", "").await.0, StatusCode::OK, "the other streams live on");
        assert_eq!(site.server.connections(), 1);
    });
    assert_eq!(site.said("a handler panicked: on a stream").len(), 1);
}

#[test]
fn the_authority_stands_for_the_host_and_a_second_or_broken_host_is_400() {
    let site = start(greeter());
    client().block_on(async {
        let (send, _connection) = connect(&site).await;
        for (hosts, status) in [(&[][..], 200), (&["test"], 200), (&["test", "test"], 400), (&["a b"], 400)] {
            let mut request = Request::get("http://test/").body(()).unwrap();
            for host in hosts {
                request.headers_mut().append("host", host.parse().unwrap());
            }
            let (answer, _) =
                within(send.clone().ready()).await.unwrap().send_request(request, true).unwrap();
            assert_eq!(within(answer).await.unwrap().status(), status, "{hosts:?}");
        }
    });
}

#[test]
fn a_preface_in_pieces_is_recognised() {
    let site = start(greeter());
    let mut raw = site.connect();
    for piece in PREFACE.chunks(5) {
        raw.send(piece);
    }
    raw.send(EMPTY_SETTINGS);
    let settings = raw.take(9).unwrap();
    assert_eq!(settings[3], 4, "the server's own settings come first");
}

#[test]
fn a_body_that_announces_too_much_is_413_on_its_stream_only() {
    let mut limits = Limits::default();
    limits.body_bytes = 10;
    let site = start(greeter().limits(limits));
    client().block_on(async {
        let (send, _connection) = connect(&site).await;
        let request = Request::post("http://test/").header("content-length", "11").body(()).unwrap();
        let (answer, _upload) =
            within(send.clone().ready()).await.unwrap().send_request(request, false).unwrap();
        assert_eq!(within(answer).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(ask(&send, "/", "").await.0, StatusCode::OK);
    });
}

#[test]
fn a_stop_says_goaway_finishes_what_is_in_progress_and_takes_no_more() {
    let (gate, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (opens, begins) = (Arc::clone(&gate), Arc::clone(&began));
    let site = start(Http::new("http").handler(move |_| {
        begins.add_permits(1);
        let gate = Arc::clone(&opens);
        async move {
            gate.acquire().await.unwrap().forget();
            Response::new(Body::from("done"))
        }
    }));
    client().block_on(async {
        let (send, connection) = connect(&site).await;
        let asking = tokio::spawn({
            let send = send.clone();
            async move { ask(&send, "/", "").await }
        });
        within(began.acquire()).await.unwrap().forget();
        let ticket = site.bus.ask_stop();
        // The GOAWAY takes effect here as a client that is not ready any more.
        within(async {
            while send.clone().ready().await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        gate.add_permits(1);
        assert_eq!(within(asking).await.unwrap(), (StatusCode::OK, "done".to_owned()));
        within(connection).await.unwrap().unwrap();
        ticket.wait().unwrap();
    });
    assert_eq!(site.said("all connections ended").len(), 1);
}

#[test]
fn an_idle_peer_is_gone_at_once_after_goaway() {
    let site = start(greeter());
    client().block_on(async {
        let (send, connection) = connect(&site).await;
        ask(&send, "/", "").await;
        let began = Instant::now();
        let ticket = site.bus.ask_stop();
        within(connection).await.unwrap().unwrap();
        ticket.wait().unwrap();
        assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    });
}

#[test]
fn a_peer_that_never_acknowledges_does_not_hold_the_stop() {
    let site = start(greeter());
    let mut raw = site.connect();
    raw.send(PREFACE);
    raw.send(EMPTY_SETTINGS);
    raw.take(9).unwrap();
    let began = Instant::now();
    site.bus.stop().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(site.said("all connections ended").len(), 1, "it was not even cut");
    let frames = raw.rest();
    assert!(frames.windows(2).any(|window| window == [7, 0]), "a GOAWAY was sent: {frames:?}");
}

#[test]
fn an_idle_connection_is_closed_after_the_idle_time() {
    let mut limits = Limits::default();
    limits.idle_time = Duration::from_millis(300);
    let site = start(greeter().limits(limits));
    client().block_on(async {
        let (send, connection) = connect(&site).await;
        ask(&send, "/", "").await;
        let idle = Instant::now();
        within(connection).await.unwrap().unwrap();
        assert!(idle.elapsed() >= Duration::from_millis(290), "{:?}", idle.elapsed());
    });
    wait_until("it is gone", || site.server.connections() == 0);
}

#[test]
fn it_can_be_switched_off() {
    let mut settings = Settings::default();
    settings.http2 = false;
    let site = start(greeter().settings(settings));
    let mut raw = site.connect();
    raw.send(PREFACE);
    raw.send(EMPTY_SETTINGS);
    assert!(!raw.rest().starts_with(&[0]), "no frames of HTTP/2");
    assert_eq!(site.connect().get("/").text(), "hello");
}
