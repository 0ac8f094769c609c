//! Binding, and what stands in the way of it.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use sitebus_serve::{Address, BindError, Listener};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

fn unix(path: &Path) -> Address {
    address(&format!("unix:{}", path.display()))
}

#[test]
fn port_zero_reports_the_real_port() {
    let listener = Listener::bind("test", &address("127.0.0.1:0")).unwrap();
    assert_eq!(listener.asked().to_string(), "127.0.0.1:0");
    let bound = listener.address().tcp().unwrap();
    assert_ne!(bound.port(), 0);
    TcpStream::connect(bound).unwrap();
}

#[test]
fn ipv6_and_ipv4_wildcards_do_not_share_a_socket() {
    let six = Listener::bind("test", &address("[::]:0")).unwrap();
    let port = six.address().tcp().unwrap().port();
    TcpStream::connect(("::1", port)).unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_taken_port_names_its_holder_and_the_cure() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = Address::from(holder.local_addr().unwrap());
    let error = Listener::bind("shop", &taken).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with(&format!("shop: cannot listen on {taken}: ")), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "{said}");
    assert!(said.contains("choose another"), "{said}");
    assert!(matches!(error, BindError::InUse { held, .. } if held.holder().is_some()));
}

#[test]
fn an_address_of_another_machine_is_refused_with_the_cure() {
    let said = Listener::bind("shop", &address("192.0.2.1:0")).unwrap_err().to_string();
    assert!(said.contains("no such address") && said.contains("0.0.0.0"), "{said}");
}

#[test]
fn a_unix_socket_is_removed_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listener = Listener::bind("test", &unix(&path)).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn the_file_of_a_killed_server_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _listener = Listener::bind("test", &unix(&path)).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn the_socket_of_a_living_server_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let living = UnixListener::bind(&path).unwrap();
    let error = Listener::bind("test", &unix(&path)).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    let waiting = UnixStream::connect(&path).unwrap();
    drop((living, waiting));
}

#[test]
fn another_kind_of_file_or_socket_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    let error = Listener::bind("test", &unix(&file)).unwrap_err();
    assert!(matches!(error, BindError::NotASocket { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");

    let path = folder.path().join("datagrams");
    let _datagrams = UnixDatagram::bind(&path).unwrap();
    assert!(matches!(Listener::bind("test", &unix(&path)), Err(BindError::InUse { .. })));
    assert!(path.exists());
}

#[test]
fn a_file_that_took_the_place_of_ours_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listener = Listener::bind("test", &unix(&path)).unwrap();
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(path.exists());
    drop(other);
}

#[test]
fn a_missing_folder_is_named_as_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    let said = Listener::bind("test", &unix(&folder.path().join("no/s.sock"))).unwrap_err().to_string();
    assert!(said.contains("no such folder"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_socket_leaves_no_file_and_can_be_taken_again() {
    let name = address(&format!("unix:@sitebus-serve-{}", std::process::id()));
    let first = Listener::bind("test", &name).unwrap();
    assert_eq!(first.address(), &name);
    assert!(matches!(Listener::bind("test", &name), Err(BindError::InUse { .. })));
    drop(first);
    Listener::bind("test", &name).unwrap();
}

#[test]
fn a_listener_that_was_taken_over_is_known_by_what_it_is_bound_to() {
    let made_elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let bound = made_elsewhere.local_addr().unwrap();
    let listener = Listener::from_tcp("inherited", made_elsewhere).unwrap();
    assert_eq!((listener.address().tcp(), listener.name()), (Some(bound), "inherited"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listener = Listener::from_unix("inherited", UnixListener::bind(&path).unwrap()).unwrap();
    assert_eq!(listener.address(), &unix(&path));
    drop(listener);
    assert!(path.exists(), "whoever made the file removes it");
}
