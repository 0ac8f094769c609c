//! What runs the tests: one after the other on the only thread, since a process with threads may not fork.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::{env, thread};

use sitebus_testkit::own_process::LONG;

pub(crate) type Test = (&'static str, fn());

/// Understands what runners of tests ask: `--list`, filters, `--exact`.
#[expect(clippy::print_stdout, reason = "the answer to the runner")]
pub(crate) fn run(tests: &[Test]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if given("--list") {
        let listed = if given("--ignored") { &[] } else { tests };
        listed.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| {
        let matches = |filter: &&&String| {
            if given("--exact") { filter.as_str() == name } else { name.contains(filter.as_str()) }
        };
        filters.is_empty() || filters.iter().any(|filter| matches(&filter))
    };
    let mut failed = 0;
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        let outcome = catch_unwind(AssertUnwindSafe(|| in_time(*test)));
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += u32::from(outcome.is_err());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each test on a thread that may hang without the others hanging too.
fn in_time(test: fn()) {
    let (done, wait) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        done.send(()).ok();
    });
    match wait.recv_timeout(2 * LONG) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => assert!(thread.join().is_ok(), "it panicked"),
    }
}
