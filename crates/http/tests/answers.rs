//! What a well-behaved client gets.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use axum::routing::{get, post};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower_service::Service;

use sitebus_http::{Body, BodyError, BoxError, Http};
use support::{Client, PATIENCE, greeter, start, wait_until};

async fn echo(request: Request<Body>) -> Result<Response<Body>, BodyError> {
    Ok(Response::new(request.into_body().collect().await?.to_bytes().into()))
}

#[test]
fn one_connection_answers_many_requests() {
    let site = start(Http::new("http").handler(echo));
    let mut client = site.connect();
    for body in ["one", "two", "", "three"] {
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        let answer = client.answer();
        assert_eq!((answer.status(), answer.text()), (200, body));
        assert_eq!(answer.header("connection"), None);
    }
    client.send(
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "abcde");
    assert_eq!(site.server.connections(), 1);
    drop(client);
    site.wait_for_connections(0);
}

#[test]
fn a_hundred_pipelined_requests_get_a_hundred_answers_in_order() {
    let site =
        start(Http::new("http").answer(|request| Response::new(request.uri().path().to_owned().into())));
    let mut client = site.connect();
    let requests: String = (0..100).map(|i| format!("GET /{i} HTTP/1.1\r\nhost: a\r\n\r\n")).collect();
    client.send(requests);
    for i in 0..100 {
        assert_eq!(client.answer().text(), format!("/{i}"));
    }
}

#[test]
fn http_1_0_is_answered_and_closed_unless_it_asks_to_stay() {
    let site = start(greeter());
    let mut client = site.connect();
    client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!(client.answer().header("connection"), Some("keep-alive"));
    client.send("GET / HTTP/1.0\r\n\r\n");
    let rest = String::from_utf8(client.rest()).unwrap();
    assert!(rest.starts_with("HTTP/1.0 200 OK\r\n") && rest.ends_with("\r\n\r\nhello"), "{rest}");
    site.wait_for_connections(0);
}

#[test]
fn head_is_answered_without_a_body() {
    let site = start(greeter());
    let mut client = site.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n");
    let head = client.head().unwrap();
    assert!(head.contains("content-length: 5"), "{head}");
    assert_eq!(client.get("/").text(), "hello");
}

#[test]
fn a_client_that_asks_to_close_is_closed_after_its_answer() {
    let site = start(greeter());
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("hello", Some("close")));
    assert!(client.rest().is_empty());
}

#[test]
fn an_axum_router_plugs_in() {
    let router = axum::Router::new()
        .route(
            "/greet/{name}",
            get(|name: axum::extract::Path<String>| async move { format!("hello {}", *name) }),
        )
        .route("/length", post(|body: String| async move { body.len().to_string() }));
    let site = start(Http::new("http").service(router));
    let mut client = site.connect();
    assert_eq!(client.get("/greet/axum").text(), "hello axum");
    client.send("POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(client.answer().text(), "3");
    assert_eq!(client.get("/nowhere").status(), 404);
}

/// Ready only when the one permit is there; called without it, it panics.
struct OneAtATime {
    state: Arc<State>,
    mine: bool,
}

#[derive(Default)]
struct State {
    taken: std::sync::Mutex<bool>,
    waiting: std::sync::Mutex<Vec<Waker>>,
    most: AtomicUsize,
    now: AtomicUsize,
    polls: AtomicUsize,
}

impl Clone for OneAtATime {
    fn clone(&self) -> OneAtATime {
        OneAtATime { state: Arc::clone(&self.state), mine: false }
    }
}

impl Service<Request<Body>> for OneAtATime {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.state.polls.fetch_add(1, Ordering::SeqCst);
        let mut taken = self.state.taken.lock().unwrap();
        if *taken && !self.mine {
            self.state.waiting.lock().unwrap().push(cx.waker().clone());
            return Poll::Pending;
        }
        *taken = true;
        self.mine = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.mine), "called before it was ready");
        let state = Arc::clone(&self.state);
        Box::pin(async move {
            let now = state.now.fetch_add(1, Ordering::SeqCst) + 1;
            state.most.fetch_max(now, Ordering::SeqCst);
            tokio::task::yield_now().await;
            state.now.fetch_sub(1, Ordering::SeqCst);
            *state.taken.lock().unwrap() = false;
            state.waiting.lock().unwrap().drain(..).for_each(Waker::wake);
            Ok(Response::new(Body::empty()))
        })
    }
}

#[test]
fn a_service_is_called_only_when_it_is_ready() {
    let state = Arc::new(State::default());
    let site = start(Http::new("http").service(OneAtATime { state: Arc::clone(&state), mine: false }));
    let address = site.address();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                for _ in 0..20 {
                    assert_eq!(client.get("/").status(), 200);
                }
            });
        }
    });
    assert_eq!(state.most.load(Ordering::SeqCst), 1);
    assert!(state.polls.load(Ordering::SeqCst) >= 160);
}

#[test]
fn an_error_of_the_handler_is_a_500_and_a_line_in_the_log() {
    let site = start(Http::new("http").handler(|_| async { Err::<Response<Body>, _>("no database") }));
    let mut client = site.connect();
    assert_eq!(client.get("/").status(), 500);
    assert_eq!(client.get("/").status(), 500, "the connection lives on");
    assert_eq!(site.said("no database").len(), 2);
}

#[test]
fn a_panic_is_a_500_wherever_it_happens_and_the_server_lives_on() {
    let site = start(Http::new("http").handler(|request| {
        assert!(request.uri().path() != "/at-once", "in the closure");
        async move {
            tokio::task::yield_now().await;
            assert!(request.uri().path() != "/later", "in the {}", "future");
            Response::new(Body::from("fine"))
        }
    }));
    let mut client = site.connect();
    assert_eq!(client.get("/at-once").status(), 500);
    assert_eq!(client.get("/later").status(), 500);
    assert_eq!(client.get("/").text(), "fine");
    assert_eq!(site.said("in the closure").len(), 1);
    assert_eq!(site.said("a handler panicked: in the future").len(), 1);
}

/// One frame, a moment in which that is sent, and a panic.
struct Explosive(u8);

impl http_body::Body for Explosive {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, BoxError>>> {
        self.0 += 1;
        match self.0 {
            1 => Poll::Ready(Some(Ok(http_body::Frame::data("first".into())))),
            2 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => panic!("in the middle of the body"),
        }
    }
}

#[test]
fn a_panic_in_the_body_closes_that_connection_only() {
    let site = start(Http::new("http").answer(|_| Response::new(Body::new(Explosive(0)))));
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(client.rest(), b"5\r\nfirst\r\n", "a broken body must not look complete");
    assert_eq!(site.said("in the middle of the body").len(), 1);
    site.connect();
}

#[test]
fn ipv6_and_unix_sockets_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sock");
    let http = Http::new("http").answer(|request| {
        Response::new(
            format!("{} at {}", request.body().peer().unwrap(), request.body().local().unwrap()).into(),
        )
    });
    let unix = format!("unix:{}", path.display());
    let site = start(http.listen("[::1]:0").unwrap().listen(&unix).unwrap());
    let addresses = site.server.addresses();
    assert_eq!(addresses.len(), 3);

    let mut client = Client::connect(addresses[0].tcp().unwrap());
    let peer = client.stream.local_addr().unwrap();
    assert_eq!(client.get("/").text(), format!("{peer} at {}", addresses[0]));
    assert!(peer.is_ipv6());

    let stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(Client::over(stream).get("/").text(), format!("unix at {unix}"));
    site.bus.stop().unwrap();
    assert!(!path.exists());
}

#[test]
fn the_access_log_has_a_line_for_each_answer_that_cannot_be_forged() {
    let site = start(greeter().access_log(true));
    let mut client = site.connect();
    client.get("/a?b=%0a");
    client.send("GET /\"x\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.answer().status(), 200);
    wait_until("both lines are there", || site.records_of("http.access").len() == 2);
    let lines = site.records_of("http.access");
    let peer = client.stream.local_addr().unwrap();
    assert!(lines[0].starts_with(&format!("{peer} \"GET /a?b=%0a HTTP/1.1\" 200 5 0.")), "{lines:?}");
    assert!(lines[1].contains(r#""GET /\"x\xc3\xa9 HTTP/1.1" 200 5 "#), "{lines:?}");
}

#[test]
fn without_the_setting_there_is_no_access_log() {
    let site = start(greeter());
    site.connect().get("/");
    assert!(site.records_of("http.access").is_empty());
}

#[test]
fn a_client_that_expects_a_permission_to_send_gets_it() {
    let site = start(Http::new("http").handler(echo));
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert!(client.head().unwrap().starts_with("HTTP/1.1 100 "));
    client.send("ok");
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn a_handler_can_take_the_connection_over() {
    let site = start(Http::new("http").handler(|mut request: Request<Body>| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
            let (mut read, mut write) = tokio::io::split(&mut io);
            tokio::io::copy(&mut read, &mut write).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut write).await.unwrap();
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "echo")
            .body(Body::empty())
    }));
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly ");
    assert_eq!(client.answer().status(), 101);
    client.send("and late");
    assert_eq!(client.take(14).unwrap(), b"early and late");
    assert_eq!(site.server.connections(), 1, "it still counts");
    client.end_writing();
    assert!(client.rest().is_empty());
    site.wait_for_connections(0);
}
