//! Streams that are full, and streams that are not.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::output::{AT_ONCE, wait_writable};
use std::io::{self, Read as _, Write as _};
use std::thread;
use std::time::Duration;

#[test]
fn a_pipe_takes_what_is_said_until_it_is_full_and_again_when_it_is_read() {
    let (mut reader, mut writer) = io::pipe().unwrap();
    let part = [b'x'; AT_ONCE];
    let mut written = 0;
    while wait_writable(&writer, Duration::ZERO).unwrap() {
        writer.write_all(&part).unwrap(); // would hang if it was not true
        written += part.len();
    }
    assert!(written > 0);
    assert!(!wait_writable(&writer, Duration::from_millis(10)).unwrap());
    let reads = thread::spawn(move || {
        let mut all = vec![0; written];
        reader.read_exact(&mut all).unwrap();
        reader
    });
    assert!(wait_writable(&writer, Duration::from_secs(10)).unwrap());
    drop(reads.join().unwrap());
    assert!(wait_writable(&writer, Duration::ZERO).unwrap(), "it fails at once, without waiting");
    assert_eq!(writer.write(&part).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_file_always_takes_what_is_said() {
    assert!(wait_writable(tempfile::tempfile().unwrap(), Duration::ZERO).unwrap());
}
