//! For the tests of the whole program: a site in a folder of its own, processes that end, and clients that see every byte.
//!
//! Nothing here sleeps: what is waited for is an event, with a deadline. No port and no path is fixed. They are for Linux, and
//! use what coreutils and util-linux have: `env`, `mkfifo`, `prlimit`, `script`, `setpriv`, `setsid`.

mod client;
mod daemon;
mod dice;
mod folder;
mod process;
mod site;
mod stand;
mod terminal;

pub use client::{Answer, Connection, Stuck, ask, get, request};
pub use daemon::{Daemon, json, logs, nobody_is_left_in, processes_in};
pub use dice::Dice;
pub use folder::Folder;
pub use process::{Ended, Outsider, SOON, as_an_ordinary_user, as_somebody, run, wait_until};
pub use site::{Site, Verdict};
pub use stand::{Stand, Subject};
pub use terminal::TerminalSession;

/// The path of the program `sitebus`, as cargo has built it for this test.
#[macro_export]
macro_rules! program {
    () => {
        std::path::Path::new(env!("CARGO_BIN_EXE_sitebus-under-test"))
    };
}

/// The path of a program of somebody's own, made of `sitebus::main`.
#[macro_export]
macro_rules! own_program {
    () => {
        std::path::Path::new(env!("CARGO_BIN_EXE_own-program-under-test"))
    };
}

/// The path of a program in trouble, whose version is what stands behind the program in its file.
#[macro_export]
macro_rules! faulty_program {
    () => {
        std::path::Path::new(env!("CARGO_BIN_EXE_faulty-program-under-test"))
    };
}

/// The path of a program that puts the library's plugins together by hand.
#[macro_export]
macro_rules! by_hand {
    () => {
        std::path::Path::new(env!("CARGO_BIN_EXE_by-hand-under-test"))
    };
}
