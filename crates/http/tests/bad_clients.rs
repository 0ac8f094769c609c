//! What a clumsy or hostile client gets, and that the others do not notice.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use socket2::SockRef;

use sitebus_http::{Body, BodyError, Http, Limits};
use support::{Client, Site, greeter, start, wait_until};

fn quick() -> Limits {
    let mut limits = Limits::default();
    limits.header_time = Duration::from_millis(300);
    limits.stall_time = Duration::from_millis(300);
    limits.linger = Duration::from_millis(300);
    limits
}

/// Sends it and ends with 408 after the header time, not before and not much later.
fn ends_late(site: &Site, client: &mut Client, sent: Instant) {
    let rest = String::from_utf8(client.rest()).unwrap();
    assert!(rest.starts_with("HTTP/1.1 408 "), "{rest:?}");
    assert!(sent.elapsed() >= Duration::from_millis(290), "{:?}", sent.elapsed());
    site.wait_for_connections(0);
}

#[test]
fn half_a_head_and_silence_ends_after_the_header_time() {
    let site = start(greeter().limits(quick()));
    for half in ["G", "GET / HT", "GET / HTTP/1.1\r\nhost: a\r\n", "PRI * HTTP/2.0\r\n"] {
        let sent = Instant::now();
        let mut client = site.connect();
        client.send(half);
        ends_late(&site, &mut client, sent);
    }
}

#[test]
fn half_a_second_head_ends_after_the_header_time_too() {
    let site = start(greeter().limits(quick()));
    let mut client = site.connect();
    client.get("/");
    let sent = Instant::now();
    client.send("GET / HT");
    ends_late(&site, &mut client, sent);
}

#[test]
fn a_head_that_drips_does_not_live_longer() {
    let site = start(greeter().limits(quick()));
    let mut client = site.connect();
    let sent = Instant::now();
    let mut drops = b"GET /".iter().chain(std::iter::repeat(&b'x'));
    client.stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut byte = [0];
    while !std::io::Read::read(&mut client.stream, &mut byte).is_ok_and(|read| read > 0) {
        assert!(sent.elapsed() < Duration::from_secs(10), "it lives on");
        client.stream.write_all(&[*drops.next().unwrap()]).unwrap();
    }
    assert_eq!(byte, *b"H"); // of the 408
    assert!(sent.elapsed() >= Duration::from_millis(290));
}

#[test]
fn a_client_that_says_nothing_is_closed_after_the_header_time() {
    let site = start(greeter().limits(quick()));
    let opened = Instant::now();
    assert!(site.connect().rest().is_empty());
    assert!(opened.elapsed() >= Duration::from_millis(290));
}

#[test]
fn a_long_head_is_431_and_one_that_just_fits_is_answered() {
    let mut limits = quick();
    limits.header_bytes = 1000;
    let site = start(greeter().limits(limits));
    let head = |bytes: usize| {
        let frame = "GET / HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(bytes - frame))
    };
    let mut client = site.connect();
    client.send(head(1000));
    assert_eq!(client.answer().status(), 200);
    client.send(head(1001));
    assert_eq!(client.answer().status(), 431);
    assert!(client.rest().is_empty());

    let mut client = site.connect();
    client.send(&head(100_000)[..99_000]);
    assert_eq!(client.answer().status(), 431, "it does not wait for the end");
}

#[test]
fn too_many_header_fields_are_431() {
    for count in [100, 7] {
        let mut limits = quick();
        limits.header_count = count;
        let site = start(greeter().limits(limits));
        let head =
            |fields: usize| format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(fields - 1));
        let mut client = site.connect();
        client.send(head(count));
        assert_eq!(client.answer().status(), 200);
        client.send(head(count + 1));
        assert_eq!(client.answer().status(), 431);
    }
}

async fn length(request: Request<Body>) -> Result<Response<Body>, BodyError> {
    let bytes = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(bytes.len().to_string().into()))
}

#[test]
fn what_is_no_http_is_400_and_closed() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    for bad in [
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\na: b\0c\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 1, 2\r\n\r\nab",
        "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut client = site.connect();
        client.send(bad);
        assert_eq!(client.answer().status(), 400, "{bad:?}");
        assert!(client.rest().is_empty(), "{bad:?}");
    }
}

#[test]
fn a_request_that_does_not_say_properly_to_whom_it_goes_is_400_and_closed() {
    let site = start(greeter());
    for bad in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: http://a/\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a/b\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a@b\r\ncontent-length: 2\r\n\r\nab",
    ] {
        let mut client = site.connect();
        client.send(bad);
        let answer = client.answer();
        assert_eq!((answer.status(), answer.header("connection")), (400, Some("close")), "{bad:?}");
        assert!(client.rest().is_empty(), "{bad:?}");
    }
    for good in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut client = site.connect();
        client.send(good);
        assert_eq!(client.answer().status(), 200, "{good:?}");
    }
}

#[test]
fn what_is_refused_before_the_service_is_in_the_access_log_too() {
    let mut limits = quick();
    limits.body_bytes = 100;
    limits.header_bytes = 200_000;
    let site = start(greeter().limits(limits).access_log(true));
    let long_uri = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(70_000));
    let long_head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", "\"GET / HTTP/1.1\" 400 0 0."),
        ("POST /big HTTP/1.1\r\nhost: a\r\ncontent-length: 101\r\n\r\n", "\"POST /big HTTP/1.1\" 413 0 0."),
        ("no http\r\n\r\n", "\"-\" 400 0 -"),
        (&long_head, "\"-\" 431 0 -"),
        (&long_uri, "\"-\" 414 0 -"),
        ("GET / HT", "\"-\" 408 0 -"),
        ("P", "\"-\" 408 0 -"),
    ];
    for (place, (sends, line)) in cases.iter().enumerate() {
        let mut client = site.connect();
        let peer = client.stream.local_addr().unwrap();
        client.send(sends);
        let status = client.answer().status();
        wait_until("it is logged", || site.records_of("http.access").len() > place);
        let lines = site.records_of("http.access");
        assert!(lines[place].starts_with(&format!("{peer} {line}")), "{status}: {lines:?}");
        assert!(line.contains(&format!(" {status} ")), "{line}: {status}");
    }
    let mut gone = site.connect();
    gone.send("GET / HT");
    gone.end_writing();
    gone.rest();
    site.wait_for_connections(0);
    assert_eq!(site.records_of("http.access").len(), cases.len(), "what was not answered is not there");
}

#[test]
fn with_length_and_chunks_the_chunks_count_and_nothing_is_smuggled_after_them() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    let mut client = site.connect();
    client.send(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 40\r\ntransfer-encoding: chunked\r\n\r\n\
         2\r\nab\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    assert_eq!(client.answer().text(), "2");
    assert!(client.rest().is_empty(), "RFC 9112, 6.3: the connection must close after the answer");
}

#[test]
fn a_body_that_is_shorter_than_announced_ends_as_an_error_of_the_peer() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nshort");
    client.end_writing();
    let rest = String::from_utf8(client.rest()).unwrap();
    assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 500"), "{rest}");
    site.wait_for_connections(0);
    assert_eq!(site.connect().get("/").status(), 200);
}

#[test]
fn a_body_that_is_longer_than_announced_is_the_next_request_and_a_bad_one() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    let mut client = site.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nab\u{1}cd");
    assert_eq!(client.answer().text(), "2");
    assert_eq!(client.answer().status(), 400);
}

#[test]
fn broken_chunks_do_not_reach_the_handler_as_a_whole_body() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    for bad in ["xyz\r\n", "2\r\nabX", "ffffffffffffffffff\r\n", "2;\n\r\nab\r\n0\r\n\r\n"] {
        let mut client = site.connect();
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{bad}"));
        let answer = client.try_answer();
        assert!(answer.is_none_or(|answer| answer.status() != 200), "{bad:?}");
    }
}

#[test]
fn a_client_that_leaves_in_the_middle_cancels_its_handler() {
    struct Ended(Arc<AtomicUsize>);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let hour = Duration::from_secs(3600);
    for (resets, patience) in [(true, hour), (false, Duration::from_millis(300))] {
        let (began, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (begins, ends) = (Arc::clone(&began), Arc::clone(&ended));
        let mut limits = quick();
        limits.half_closed_time = patience;
        let http = Http::new("http").limits(limits).handler(move |_| {
            begins.fetch_add(1, Ordering::SeqCst);
            let guard = Ended(Arc::clone(&ends));
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Response::new(Body::empty())
            }
        });
        let site = start(http);
        let mut client = site.connect();
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        wait_until("the handler runs", || began.load(Ordering::SeqCst) == 1);
        if resets {
            SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
        drop(client);
        wait_until("the handler is dropped", || ended.load(Ordering::SeqCst) == 1);
        site.wait_for_connections(0);
    }
}

#[test]
fn a_body_that_announces_too_much_is_413_at_once() {
    let mut limits = quick();
    limits.body_bytes = 100;
    let site = start(Http::new("http").handler(length).limits(limits));
    let mut client = site.connect();
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{}", "x".repeat(100)));
    assert_eq!(client.answer().text(), "100");
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 101\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status(), answer.header("connection")), (413, Some("close")));
}

#[test]
fn the_answer_to_a_body_that_is_too_large_arrives_although_the_client_keeps_sending() {
    let mut limits = quick();
    limits.body_bytes = 100;
    limits.linger = Duration::from_secs(10);
    let site = start(Http::new("http").handler(length).limits(limits));
    let mut client = site.connect();
    let size = 8 * 1024 * 1024;
    client.send(format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n"));
    client.send(vec![b'x'; size]);
    assert_eq!(client.answer().status(), 413);
}

#[test]
fn a_body_that_turns_out_too_long_is_an_error_for_its_reader_and_413_if_passed_on() {
    let mut limits = quick();
    limits.body_bytes = 100;
    let site = start(Http::new("http").handler(length).limits(limits));
    let mut client = site.connect();
    let chunk = format!("32\r\n{}\r\n", "x".repeat(0x32));
    client.send(format!(
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}1\r\ny\r\n0\r\n\r\n"
    ));
    assert_eq!(client.answer().status(), 413);
    assert!(site.said("failed").is_empty(), "the client's fault is not the handler's");
}

#[test]
fn a_body_that_stops_coming_is_cut_after_the_stall_time() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    let mut client = site.connect();
    let sent = Instant::now();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    assert!(client.rest().is_empty());
    assert!(sent.elapsed() >= Duration::from_millis(290));
    site.wait_for_connections(0);
}

#[test]
fn a_body_that_keeps_coming_may_take_longer_than_the_stall_time() {
    let site = start(Http::new("http").handler(length).limits(quick()));
    let mut client = site.connect();
    let sent = Instant::now();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    client.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut count = 0;
    while sent.elapsed() < Duration::from_millis(700) {
        client.send("1\r\nx\r\n");
        count += 1;
        assert!(std::io::Read::read(&mut client.stream, &mut [0]).is_err(), "cut although it moved");
    }
    client.stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().text(), count.to_string());
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_cut_after_the_stall_time() {
    let site = start(
        Http::new("http").answer(|_| Response::new(vec![b'x'; 64 * 1024 * 1024].into())).limits(quick()),
    );
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    site.wait_for_connections(1);
    site.wait_for_connections(0);
    assert!(client.rest().len() < 64 * 1024 * 1024);
}

#[test]
fn a_handler_that_takes_its_time_is_not_cut() {
    let site = start(
        Http::new("http")
            .handler(|_| async {
                tokio::time::timeout(Duration::from_millis(700), std::future::pending::<()>())
                    .await
                    .unwrap_err();
                Response::new("at last".into())
            })
            .limits(quick()),
    );
    assert_eq!(site.connect().get("/").text(), "at last");
}
