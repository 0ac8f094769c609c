//! A real restart: the process becomes a new image of itself, and nobody else gets the file in between. A `main` of its own,
//! since a test harness has several threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "there is no parcel elsewhere"))]

mod common;

use std::env;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{folder, site_with, soon};
use sitebus_os::alone::Alone;
use sitebus_os::image::Image;
use sitebus_os::lock::{Lock, LockError};
use sitebus_os::parcel::{Inherited, Item};
use sitebus_pidfile::{PidFile, Settings};

/// Tells the child the path of its PID file.
const ROLE: &str = "SITEBUS_TEST_PIDFILE";
const RESTARTS: usize = 20;

#[expect(clippy::print_stdout, reason = "the answer to the runner")]
fn main() {
    if let Some(path) = env::var_os(ROLE) {
        return be_a_site_that_restarts(path.as_ref());
    }
    // What runners of tests ask a binary first.
    if env::args().any(|argument| argument == "--list") {
        if !env::args().any(|argument| argument == "--ignored") {
            println!("through_real_restarts_the_file_is_never_free: test");
        }
        return;
    }
    if cfg!(target_os = "linux") {
        through_real_restarts_the_file_is_never_free();
    }
}

/// Restarts for each line that it reads, and exits at the end of them.
#[expect(clippy::print_stdout, reason = "what the parent waits for")]
fn be_a_site_that_restarts(path: &Path) {
    let image = Image::capture().unwrap();
    let inherited = Inherited::receive(&Alone::claim().unwrap()).unwrap();
    let (bus, _) = site_with(PidFile::new(Settings::at(path)).unwrap().inherit(&inherited));
    bus.restart_by(move |_, handed_on| image.execute(handed_on.take::<Item>()).0.into());
    bus.start().unwrap();
    println!("started");

    let mut line = [0; 1];
    if nix::unistd::read(std::io::stdin(), &mut line).unwrap() == 1 {
        bus.restart().unwrap();
    } else {
        bus.exit().unwrap();
    }
    let exit = bus.block();
    assert_eq!(exit.code(), 0, "{exit}");
}

fn through_real_restarts_the_file_is_never_free() {
    let (_folder, path) = folder();
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(ROLE, &path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut site = command.spawn().unwrap();
    let mut input = site.stdin.take().unwrap();
    let output = site.stdout.take().unwrap();
    let mut lines = std::io::BufReader::new(output).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "started");

    let lines = std::thread::scope(|scope| {
        let restarting = scope.spawn(|| {
            for _ in 0..RESTARTS {
                input.write_all(b".").unwrap();
                assert_eq!(lines.next().unwrap().unwrap(), "started");
            }
            lines
        });
        while !restarting.is_finished() {
            let refused = Lock::take(&path).unwrap_err();
            assert!(
                matches!(refused, LockError::Held { by: Some(pid), .. } if pid == site.id()),
                "{refused}"
            );
        }
        restarting.join().unwrap()
    });

    drop((input, lines));
    PidFile::join(&path, soon()).unwrap();
    assert!(site.wait().unwrap().success());
    assert!(!path.exists());
}
