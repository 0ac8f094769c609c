//! The program `sitebus`: `sitebus::main`, with nothing added.

use std::process::ExitCode;

fn main() -> ExitCode {
    sitebus::main(|program| program.name("sitebus").version(env!("CARGO_PKG_VERSION")))
}
