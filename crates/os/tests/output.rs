//! Streams that are full, and streams that are not.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::output::{AT_ONCE, append_without_waiting, wait_writable};
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

#[test]
fn a_file_that_is_appended_to_is_made_for_its_owner_and_group_and_keeps_what_it_has() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for text in ["one", "two"] {
        append_without_waiting(&path, 0o640, None).unwrap().write_all(text.as_bytes()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "onetwo");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0, "no more than 0640");
}

#[test]
fn a_new_file_is_given_away_where_that_is_allowed_and_one_that_is_there_is_not() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let owner = |name: &str, to| {
        let file = append_without_waiting(&folder.path().join(name), 0o640, Some((to, to))).unwrap();
        file.metadata().unwrap().uid()
    };
    let me = folder.path().metadata().unwrap().uid();
    let other = 61_234;
    assert_eq!(owner("new", other), if me == 0 { other } else { me });
    append_without_waiting(&folder.path().join("old"), 0o640, None).unwrap();
    assert_eq!(owner("old", other), me);
    // A link is followed to what is there, and to what is not, but nothing is given away over it.
    std::os::unix::fs::symlink("elsewhere", folder.path().join("link")).unwrap();
    assert_eq!(owner("link", other), me);
}

#[test]
fn a_pipe_that_nobody_reads_is_refused_and_a_full_one_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let refused = append_without_waiting(&path, 0o640, None).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(nix::errno::Errno::ENXIO as i32));
    let _reader = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut writer = append_without_waiting(&path, 0o640, None).unwrap();
    let full = loop {
        if let Err(error) = writer.write(&[b'x'; AT_ONCE]) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
}
