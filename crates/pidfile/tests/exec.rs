//! A real restart: the process becomes a new image of itself, and nobody else gets the file in between. A `main` of its own,
//! since a test harness has several threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "there is no parcel elsewhere"))]

mod common;

use std::env;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use common::{folder, site_with, soon};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sitebus_os::alone::Alone;
use sitebus_os::image::Image;
use sitebus_os::lock::{Lock, LockError};
use sitebus_os::parcel::{Inherited, Item};
use sitebus_pidfile::{PidFile, Settings};
use sitebus_testkit::own_process::LONG;
use sitebus_testkit::{Child, own_main, tests};

/// Tells the child the path of its PID file.
const ROLE: &str = "SITEBUS_TEST_PIDFILE";
/// The file name extension of the fifo with a dot for each restart.
const DOTS: &str = "dots";
const RESTARTS: usize = 20;

fn main() -> ExitCode {
    if let Some(path) = env::var_os(ROLE) {
        be_a_site_that_restarts(path.as_ref());
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![through_real_restarts_the_file_is_never_free])
}

/// Restarts for each dot that it reads, and exits at the end of them.
#[expect(clippy::print_stdout, reason = "what the parent waits for")]
fn be_a_site_that_restarts(path: &Path) {
    let image = Image::capture().unwrap();
    let inherited = Inherited::receive(&Alone::claim().unwrap()).unwrap();
    let (bus, _) = site_with(PidFile::new(Settings::at(path)).unwrap().inherit(&inherited));
    bus.restart_by(move |_, handed_on| image.execute(handed_on.take::<Item>()).0.into());
    let mut dots = File::open(path.with_extension(DOTS)).unwrap();
    bus.start().unwrap();
    println!("started");

    if dots.read(&mut [0]).unwrap() == 1 {
        bus.restart().unwrap();
    } else {
        bus.exit().unwrap();
    }
    let exit = bus.block();
    assert_eq!(exit.code(), 0, "{exit}");
}

fn through_real_restarts_the_file_is_never_free() {
    let (_folder, path) = folder();
    let dots = path.with_extension(DOTS);
    mkfifo(&dots, Mode::S_IRWXU).unwrap();
    let mut dots = File::options().read(true).write(true).open(dots).unwrap(); // both, so that it waits for nobody
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(ROLE, &path);
    let site = Child::spawn(command).unwrap();
    site.wait_for_line("started", LONG).unwrap();

    dots.write_all(&[b'.'; RESTARTS]).unwrap();
    let deadline = soon();
    while site.stdout().lines().len() <= RESTARTS {
        let refused = Lock::take(&path).unwrap_err();
        assert!(matches!(refused, LockError::Held { by: Some(pid), .. } if pid == site.id()), "{refused}");
        assert!(Instant::now() < deadline, "{:?}", site.output());
    }

    drop(dots);
    PidFile::join(&path, soon()).unwrap();
    assert!(site.wait(LONG).unwrap().success(), "{:?}", site.output());
    assert!(!path.exists());
}
