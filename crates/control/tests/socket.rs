//! The socket's file: its path, its mode, what was there before, and what becomes of it.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Instant;

use common::{LONG, MOMENT, Site, patient_bus, settings, soon};
use sitebus_bus::Bus;
use sitebus_control::{Client, Command, ConnectError, Control, ControlError, Settings, Verdict};

#[test]
fn the_socket_is_its_owners_alone_and_gone_in_the_end() {
    let site = Site::started();
    let file = fs::symlink_metadata(site.path()).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    site.bus.exit().unwrap();
    let _ = site.bus.block();
    assert!(!site.path().exists());
    let error = Client::connect(&site.path(), soon()).unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }), "{error}");
    assert_eq!(error.exit_status(), 4);
    assert!(error.to_string().contains("there is no control socket at /"), "{error}");
}

#[test]
fn a_folder_may_have_a_path_of_any_length() {
    let site = Site::with(|settings| {
        let folder = settings.path.parent().unwrap().join("a-folder-with-a-long-name/".repeat(20));
        fs::create_dir_all(&folder).unwrap();
        settings.path = folder.join("control.sock");
    });
    assert!(site.path().as_os_str().len() > 500);
    assert_eq!(site.ask(Command::Ping).verdict(), Verdict::Done);
    site.bus.exit().unwrap();
    let _ = site.bus.block();
    assert!(!site.path().exists());
}

#[test]
fn what_a_killed_site_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    drop(UnixListener::bind(&settings.path).unwrap());
    let error = Client::connect(&settings.path, soon()).unwrap_err();
    assert!(matches!(error, ConnectError::NotRunning { .. }) && error.exit_status() == 4, "{error}");
    let bus = patient_bus();
    let control = Control::new(settings).subscribe(&bus).unwrap();
    assert_eq!(Client::connect(control.path(), soon()).unwrap().state(), "STOPPED");
}

#[test]
fn what_lives_or_is_no_socket_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let path = settings.path.clone();
    let subscribe = |bus: &Bus| Control::new(settings.clone()).subscribe(bus).unwrap_err();
    let bus = patient_bus();
    let alive = UnixListener::bind(&path).unwrap();
    let error = subscribe(&bus);
    assert!(
        matches!(error, ControlError::InUse { by: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(error.to_string().contains("stop that one first"), "{error}");
    drop(alive);
    fs::remove_file(&path).unwrap();

    let target = folder.path().join("target");
    drop(UnixListener::bind(&target).unwrap());
    symlink(&target, &path).unwrap();
    assert!(matches!(subscribe(&bus), ControlError::NotASocket { .. }));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    assert!(matches!(subscribe(&bus), ControlError::NotASocket { .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let error = Client::connect(&path, soon()).unwrap_err();
    assert!(matches!(error, ConnectError::NotASocket { .. }), "{error}");

    let lost = Control::new(Settings::at(folder.path().join("no/control.sock"))).subscribe(&bus).unwrap_err();
    assert!(lost.to_string().contains("its folder must be there"), "{lost}");
    assert!(bus.channels().iter().all(|channel| channel.listeners.is_empty()), "nothing was left on the bus");
}

#[test]
fn a_file_that_somebody_has_put_in_place_of_ours_is_not_removed() {
    let site = Site::started();
    fs::remove_file(site.path()).unwrap();
    fs::write(site.path(), "precious").unwrap();
    site.bus.exit().unwrap();
    let _ = site.bus.block();
    assert_eq!(fs::read_to_string(site.path()).unwrap(), "precious");
    let site = Site::started();
    fs::remove_file(site.path()).unwrap();
    let another = UnixListener::bind(site.path()).unwrap();
    site.bus.exit().unwrap();
    let _ = site.bus.block();
    assert!(site.path().exists());
    drop(another);
    let site = Site::started();
    fs::remove_file(site.path()).unwrap();
    site.bus.exit().unwrap();
    assert_eq!(site.bus.block().code(), 0);
}

#[test]
fn unsubscribing_closes_at_once_and_the_path_can_be_used_again() {
    let Site { bus, control, folder } = Site::started();
    let path = control.path().to_owned();
    let mut client = Client::connect(&path, soon()).unwrap();
    control.unsubscribe();
    assert!(!path.exists());
    assert!(client.ask(Command::Status, soon(), |_| {}).is_err());
    for _ in 0..20 {
        let control = Control::new(settings(&folder)).subscribe(&bus).unwrap();
        assert_eq!(Client::connect(&path, soon()).unwrap().state(), "STARTED");
        control.unsubscribe();
    }
    assert!(!path.exists());
}

#[test]
fn a_bus_that_is_dropped_takes_its_socket_along() {
    let Site { bus, control, folder } = Site::started();
    let mut client = Client::connect(control.path(), soon()).unwrap();
    bus.exit().unwrap();
    drop(bus);
    // The end of the connection comes after everything else.
    while client.ask(Command::Ping, soon(), |_| {}).is_ok() {}
    assert!(!control.path().exists());
    drop(folder);
}

#[test]
fn whoever_does_not_answer_is_not_waited_for_and_whoever_speaks_otherwise_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let error = Client::connect(&path, Instant::now() + MOMENT).unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }) && error.exit_status() == 3, "{error}");
    drop(listener.accept().unwrap());
    says(&listener, "HTTP/1.1 400 Bad Request\r\n", &path, "cannot be understood");
    says(
        &listener,
        "{\"version\":1,\"result\":\"done\",\"message\":\"\"}\n",
        &path,
        "does not say who it is",
    );
    says(&listener, "{\"version\":9,\"result\":\"invalid\",\"message\":\"speak 9\"}\n", &path, "speak 9");
    says(&listener, "", &path, "it is just ending");
}

fn says(listener: &UnixListener, text: &str, path: &Path, expected: &str) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
        });
        let error = Client::connect(path, Instant::now() + LONG).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    });
}
