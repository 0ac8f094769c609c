//! The accept loop and its end.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sitebus_serve::{Address, Listener, accept};
use support::{OneByte, answered, late, open, open_at, runtime};

#[test]
fn connections_are_taken_until_the_door_closes() {
    let runtime = runtime();
    let host = OneByte::with_room(8);
    let (door, address) = open(&runtime, host.clone());
    assert!(answered(TcpStream::connect(address).unwrap()));
    door.close();
    assert!(door.wait_closed(late()));
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(*host.said.lock().unwrap(), ["stopped accepting"]);
}

#[test]
fn connections_that_the_kernel_has_ready_are_taken_before_the_listener_closes() {
    let runtime = runtime();
    let host = OneByte::with_room(0);
    let (door, address) = open(&runtime, host.clone());
    let clients: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
    door.close();
    assert!(!door.wait_closed(Instant::now() + Duration::from_millis(20)), "there was no room yet");
    host.room.add_permits(1000);
    assert!(door.wait_closed(late()));
    assert!(clients.into_iter().all(answered));
}

/// Whoever has connected is served, however close to the end it was; the others are refused.
#[cfg(target_os = "linux")]
#[test]
fn no_connection_is_reset_when_a_listener_closes_under_load() {
    ["127.0.0.1:0", "[::1]:0"].into_iter().for_each(close_under_load);
}

fn close_under_load(at: &str) {
    let runtime = runtime();
    let (door, address) = open_at(at, &runtime, OneByte::with_room(1000));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut served = 0;
                    while let Ok(stream) = TcpStream::connect(address) {
                        assert!(answered(stream), "lost after {served}");
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        for _ in 0..100 {
            assert!(answered(TcpStream::connect(address).unwrap()));
        }
        door.close();
        assert!(door.wait_closed(late()));
        for client in clients {
            client.join().unwrap();
        }
    });
}

/// A handshake that began now would be half done at the end, and reset. So it does not begin: the client's system repeats it,
/// and finds the next listener or nobody.
#[cfg(target_os = "linux")]
#[test]
fn a_listener_that_is_about_to_close_hears_no_newcomer() {
    for (at, places) in [("127.0.0.1:0", 1), ("[::1]:0", 1), ("127.0.0.1:0", 0)] {
        let runtime = runtime();
        let mut host = OneByte::with_room(0);
        host.hold = true;
        let (door, address) = open_at(at, &runtime, host.clone());
        let _clients = [(); 2].map(|()| TcpStream::connect(address).unwrap());
        door.close();
        host.room.add_permits(places); // for good: who finds none waits, and with him the close
        let deadline = late();
        loop {
            match TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                came => drop(came.unwrap()), // it had not begun to close
            }
            assert!(Instant::now() < deadline, "it goes on to hear newcomers");
        }
        assert!(!door.wait_closed(Instant::now()), "it was still open");
        host.room.add_permits(1000);
        assert!(door.wait_closed(late()));
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn a_unix_socket_is_gone_before_its_listener_closes_even_while_the_host_has_no_room() {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let address: Address = format!("unix:{}", path.display()).parse().unwrap();
    let host = OneByte::with_room(0);
    let (door, accepting) = accept(Listener::bind("test", &address).unwrap(), host.clone());
    runtime.spawn(accepting);
    door.wait_running(late()).unwrap();
    let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    door.close();
    let deadline = late();
    while path.exists() {
        assert!(Instant::now() < deadline, "the socket can still be found");
        std::thread::yield_now();
    }
    host.room.add_permits(1);
    assert!(door.wait_closed(late()));
}

#[test]
fn a_loop_whose_runtime_ended_is_closed() {
    let runtime = runtime();
    let (door, _) = open(&runtime, OneByte::with_room(1));
    drop(runtime);
    assert!(door.wait_closed(late()));
}

#[test]
fn a_loop_that_nobody_drives_is_an_error_that_says_so() {
    let listener = Listener::bind("test", &"127.0.0.1:0".parse::<Address>().unwrap()).unwrap();
    let (door, accepting) = accept(listener, OneByte::with_room(1));
    let said = door.wait_running(Instant::now() + Duration::from_millis(10)).unwrap_err().to_string();
    assert!(said.contains("does a thread drive"), "{said}");
    drop(accepting);
    assert!(door.wait_running(late()).unwrap_err().to_string().contains("ended"));
}
