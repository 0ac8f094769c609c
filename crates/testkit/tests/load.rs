//! Load, and what became of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sitebus_testkit::{Load, LoadReport};

const SOON: Duration = Duration::from_secs(10);
const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves one connection after another in threads that end with their connections; each request gets `answer`.
fn server(answer: &'static str, once: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream, answer, once));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: &str, once: bool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() && (stream.write_all(answer.as_bytes()).is_err() || once) {
            return;
        }
    }
}

#[test]
fn every_request_is_counted_and_connections_are_kept() {
    let report = Load::new(server(FINE, false)).connections(3).requests(50).run();
    assert_eq!((report.answered, report.lost()), (50, 0), "{report}");
    let report = Load::new(server(FINE, true)).connections(3).requests(20).close_each().run();
    assert_eq!((report.answered, report.lost()), (20, 0), "{report}");
}

#[test]
fn what_goes_wrong_is_counted_by_kind() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    type Counter = fn(&LoadReport) -> u64;
    let cases: [(SocketAddr, Counter); 4] = [
        (refused, |report| report.refused),
        (server("", true), |report| report.closed),
        (server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", true), |report| report.short),
        (server("HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno", true), |report| report.bad_status),
    ];
    for (address, counter) in cases {
        let report = Load::new(address).connections(1).requests(5).run();
        assert_eq!((counter(&report), report.lost(), report.answered), (5, 5, 0), "{report}");
    }
}

#[test]
fn it_ends_when_its_time_is_over() {
    // The system takes the connection; nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let report = Load::new(address).connections(1).requests(1).within(Duration::from_millis(50)).run();
    assert_eq!((report.timed_out, report.lost()), (1, 1), "{report}");
}

#[test]
fn it_can_be_waited_for_and_stopped() {
    let load = Load::new(server(FINE, false)).connections(2).requests(u64::MAX).start();
    load.wait_for_answers(10, SOON).unwrap();
    let report = load.stop();
    assert!(report.answered >= 10 && report.lost() == 0, "{report}");
}
