//! Waiting for descriptors.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::ready::{Bell, Interest, wait, wait_one};
use sitebus_testkit::own_process::LONG;
use std::io::Write as _;
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

fn at_once() -> Option<Instant> {
    Some(Instant::now())
}

#[test]
fn a_half_closed_peer_is_read_from_and_a_closed_one_is_gone() {
    let (mut here, there) = UnixStream::pair().unwrap();
    let ends =
        [(there.as_fd(), Interest::Read), (there.as_fd(), Interest::End), (there.as_fd(), Interest::Write)];
    let ready = wait(&ends, at_once()).unwrap();
    assert!(!ready[0].any() && !ready[1].any() && ready[2].write);
    here.write_all(b"x").unwrap();
    here.shutdown(Shutdown::Write).unwrap();
    let ready = wait(&ends, at_once()).unwrap();
    assert!(ready[0].read && !ready[1].end, "half closed is not gone");
    drop(here);
    assert!(wait(&ends, at_once()).unwrap()[1].end);
}

#[test]
fn a_bell_wakes_from_another_thread_and_rings_once() {
    let bell = Bell::new().unwrap();
    assert!(
        !wait_one(bell.as_fd(), Interest::Read, Some(Instant::now() + Duration::from_millis(5))).unwrap()
    );
    let waker = Waker::from(Arc::clone(&bell));
    let ringer = std::thread::spawn(move || (0..100_000).for_each(|_| waker.wake_by_ref()));
    assert!(wait_one(bell.as_fd(), Interest::Read, Some(Instant::now() + LONG)).unwrap());
    ringer.join().unwrap();
    bell.hush();
    assert!(!wait_one(bell.as_fd(), Interest::Read, at_once()).unwrap());
}
