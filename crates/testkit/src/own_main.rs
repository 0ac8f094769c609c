//! Tests in a program with a `main` of its own: those that must run on the first thread, that may have no other thread beside
//! them, or that execute themselves. Their `Cargo.toml` says `harness = false`.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     if std::env::args().nth(1).as_deref() == Some("serve") {
//!         // ... another role of the same program ...
//!     }
//!     sitebus_testkit::own_main::run(sitebus_testkit::tests![it_is_alone])
//! }
//!
//! fn it_is_alone() {}
//! ```

use std::env;
use std::panic::catch_unwind;
use std::process::ExitCode;

/// A test and its name.
pub type Test = (&'static str, fn());

/// These functions as tests, each under its own name.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        &[$((stringify!($name), $name as fn())),+]
    };
}

/// Runs those of the tests that the command line asks for, one after the other on this thread, and says how they went. It
/// understands what runners of tests ask: `--list`, names and parts of names, `--exact`.
#[expect(clippy::print_stdout, reason = "the answer to the runner")]
#[must_use]
pub fn run(tests: &[Test]) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let asked = |option: &str| arguments.iter().any(|argument| argument == option);
    if asked("--list") {
        let listed = if asked("--ignored") { &[] } else { tests };
        listed.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let parts: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let fits = |name: &str, part: &str| if asked("--exact") { name == part } else { name.contains(part) };
    let wanted = |name: &str| parts.is_empty() || parts.iter().any(|part| fits(name, part));
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in tests.iter().filter(|(name, _)| wanted(name)) {
        let well = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if well { "ok" } else { "FAILED" });
        *(if well { &mut passed } else { &mut failed }) += 1;
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
