//! Threads and descriptors, counted. Alone in its file, since it counts the whole process.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs::File;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sitebus_testkit::Leaks;

#[test]
fn a_thread_and_a_descriptor_are_found_until_they_are_gone() {
    let before = Leaks::now().unwrap();
    assert!(before.threads() > 0 && before.descriptors() > 0 && before.resident() > 0);
    let file = File::open("/dev/null").unwrap();
    let (ends, wait) = mpsc::channel::<()>();
    let thread = thread::Builder::new().name("stays".into()).spawn(move || wait.recv()).unwrap();
    let now = Leaks::now().unwrap();
    assert_eq!(now.threads(), before.threads() + 1);
    assert_eq!(now.descriptors(), before.descriptors() + 1);
    let error = before.wait_back(Duration::ZERO).unwrap_err().to_string();
    assert!(error.contains("something was left behind"), "{error}");
    drop((file, ends));
    thread.join().unwrap().unwrap_err();
    before.assert_back(Duration::from_secs(10));
}
