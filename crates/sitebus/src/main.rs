//! The program `sitebus`: `sitebus::main`, with nothing added.

use std::process::ExitCode;

fn main() -> ExitCode {
    sitebus::main(|program| program)
}
