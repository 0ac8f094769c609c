//! Unix sockets with a file, and who sits at their other end.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::local::{Found, connect_to, listen_again, listen_at, look};
use sitebus_os::peer::{Peer, PeerError, our_user};
use sitebus_testkit::own_process::LONG;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    (folder, path)
}

fn soon() -> Instant {
    Instant::now() + LONG
}

fn talks(path: &Path) {
    let listener = listen_at(path, 0o600).unwrap();
    let mut client = connect_to(path, soon()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"hello").unwrap();
    let mut heard = [0; 5];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    assert_eq!(fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(look(path).unwrap(), Found::Alive { peer: Some(_) }));
    drop(listener);
    assert_eq!(look(path).unwrap(), Found::Dead);
}

#[test]
fn a_path_of_any_length_will_do_and_the_mode_is_exact() {
    let (folder, path) = folder();
    talks(&path);
    let deep = (0..12).fold(folder.path().to_owned(), |deep, _| deep.join("a-folder-with-a-long-name"));
    fs::create_dir_all(&deep).unwrap();
    assert!(deep.as_os_str().len() > 300);
    talks(&deep.join("socket"));
    let at_the_edge = |length: usize| {
        let room = length - folder.path().as_os_str().len() - "//s".len();
        let folder = folder.path().join("f".repeat(room));
        fs::create_dir_all(&folder).unwrap();
        folder.join("s")
    };
    for length in [106, 107, 108, 109] {
        talks(&at_the_edge(length));
    }
}

#[test]
fn what_is_there_is_told_apart() {
    let (folder, path) = folder();
    assert_eq!(look(&path).unwrap(), Found::Nothing);
    fs::write(&path, "").unwrap();
    assert_eq!(look(&path).unwrap(), Found::NoSocket);
    fs::remove_file(&path).unwrap();
    symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert_eq!(look(&path).unwrap(), Found::NoSocket);
    assert_eq!(look(&folder.path().join("no/socket")).unwrap(), Found::Nothing);
    assert_eq!(listen_at(&path, 0o600).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn whoever_does_not_accept_is_not_waited_for_beyond_the_deadline() {
    let (_folder, path) = folder();
    let _listener = listen_at(&path, 0o600).unwrap();
    let mut queue = Vec::new();
    let late = loop {
        match connect_to(&path, Instant::now() + Duration::from_millis(50)) {
            Ok(stream) => queue.push(stream),
            Err(cause) => break cause,
        }
    };
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert_eq!(look(&path).unwrap(), Found::Alive { peer: None });
    assert!(queue.len() >= 64);
}

#[test]
fn both_ends_are_this_process() {
    let (_folder, path) = folder();
    let listener = listen_at(&path, 0o600).unwrap();
    listen_again(&listener).unwrap();
    let client = connect_to(&path, soon()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for end in [&client, &server] {
        let peer = Peer::of(end).unwrap();
        assert_eq!((peer.process, peer.user), (Some(std::process::id()), our_user()));
        assert!(peer.is_root_or_us());
        assert_eq!(peer.to_string(), format!("process {} of user {}", std::process::id(), our_user()));
    }
}

#[test]
fn what_has_no_peer_is_an_error_and_no_user() {
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(matches!(Peer::of(&datagrams), Err(PeerError::Unreadable(_))));
    let (_folder, path) = folder();
    let file = fs::File::create(&path).unwrap();
    assert!(matches!(Peer::of(&file), Err(PeerError::Unreadable(_))));
    let (_folder, path) = self::folder();
    // A listener's peer is itself: whoever listened last.
    assert_eq!(Peer::of(UnixListener::bind(path).unwrap()).unwrap().user, our_user());
}
