//! The token of the single thread: a `main` of its own, since a test harness has several.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::alone::{Alone, AloneError};
use sitebus_testkit::{own_main, tests};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

fn main() -> ExitCode {
    own_main::run(tests![a_process_with_one_thread_is_alone_until_it_makes_another])
}

fn a_process_with_one_thread_is_alone_until_it_makes_another() {
    let alone = Alone::claim().unwrap();
    alone.check().unwrap();

    let (done, wait) = mpsc::channel::<()>();
    let (runs, running) = mpsc::channel();
    let second = thread::Builder::new().name("second".into());
    let second = second.spawn(move || {
        runs.send(()).unwrap(); // a thread names itself before it runs
        wait.recv()
    });
    let second = second.unwrap();
    running.recv().unwrap();
    let error = alone.check().unwrap_err();
    let AloneError::NotAlone { threads } = &error else { panic!("{error}") };
    assert_eq!(threads.len(), 2);
    assert!(threads.iter().any(|thread| thread.name == "second"), "{threads:?}");
    assert!(threads.iter().any(|thread| thread.id == std::process::id()), "{threads:?}");
    let message = error.to_string();
    assert!(message.contains("2 threads") && message.contains("second "), "{message}");
    Alone::claim().unwrap_err();

    drop(done);
    second.join().unwrap().unwrap_err();
}
