//! Who holds a port. This process itself is the holder in all of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

use sitebus_os::port::{holder_of_tcp, holder_of_unix};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};

fn listening(address: &str) -> Option<(TcpListener, u16)> {
    let listener = TcpListener::bind(address).ok()?; // a machine may have no IPv6
    let port = listener.local_addr().ok()?.port();
    Some((listener, port))
}

fn assert_found(asked: SocketAddr) {
    let holder = holder_of_tcp(asked).unwrap_or_else(|| panic!("nobody holds {asked}"));
    assert_eq!(holder.pid, std::process::id());
    assert!(holder.to_string().starts_with("this very process ("), "{holder}");
}

#[test]
fn a_port_is_found_by_its_address_and_by_the_wildcard() {
    let (_listener, port) = listening("127.0.0.1:0").unwrap();
    assert_found(SocketAddr::from(([127, 0, 0, 1], port)));
    assert_found(SocketAddr::from(([0, 0, 0, 0], port)));
}

#[test]
fn a_wildcard_holds_every_address_of_its_port() {
    let (_listener, port) = listening("0.0.0.0:0").unwrap();
    assert_found(SocketAddr::from(([127, 0, 0, 1], port)));
}

#[test]
fn a_port_of_ipv6_is_found() {
    let Some((_listener, port)) = listening("[::1]:0") else { return };
    assert_found(format!("[::1]:{port}").parse().unwrap());
}

#[test]
fn another_address_of_the_same_port_is_free() {
    let (_listener, port) = listening("127.0.0.1:0").unwrap();
    assert_eq!(holder_of_tcp(SocketAddr::from(([127, 9, 9, 9], port))), None);
}

#[test]
fn nobody_holds_a_port_that_was_closed() {
    let (listener, port) = listening("127.0.0.1:0").unwrap();
    drop(listener);
    assert_eq!(holder_of_tcp(SocketAddr::from(([127, 0, 0, 1], port))), None);
}

#[test]
fn a_unix_socket_is_found_by_its_path_even_with_blanks_in_it_but_only_while_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    assert_eq!(holder_of_unix(&path).unwrap().pid, std::process::id());
    drop(listener);
    assert_eq!(holder_of_unix(&path), None);
    assert_eq!(holder_of_unix(&folder.path().join("other.sock")), None);
}
