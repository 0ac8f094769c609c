//! When the file is there, when it goes, and what a reload and a restart make of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::mpsc;

use common::{end, folder, own_number, read, refusal, site, site_with};
use sitebus_bus::{Bus, SettingsMap, State, priority};
use sitebus_os::parcel::{Inherited, Item};
use sitebus_pidfile::{PidFile, PidFileError, Settings};

#[test]
fn it_is_there_from_the_start_to_the_exit_and_through_every_stop() {
    let (_folder, path) = folder();
    let (bus, log) = site(&path);
    assert!(!path.exists());
    for _ in 0..2 {
        bus.start().unwrap();
        assert_eq!(read(&path), own_number());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        bus.stop().unwrap();
        assert_eq!(read(&path), own_number());
    }
    end(bus);
    assert!(!path.exists());
    assert!(!log.lines().iter().any(|line| line.contains("site.pid")), "{log:?}");
}

#[test]
fn it_is_there_before_what_comes_later_in_the_start() {
    let (_folder, path) = folder();
    let (bus, _) = site(&path);
    let seen = path.clone();
    bus.plugin("server").on_start(priority::SERVER, move |_| {
        anyhow::ensure!(read(&seen) == own_number());
        Ok(())
    });
    bus.start().unwrap();
    end(bus);
}

#[test]
fn a_start_that_fails_leaves_no_file() {
    let (_folder, path) = folder();
    let (bus, _) = site(&path);
    bus.plugin("server").on_start(priority::SERVER, |_| anyhow::bail!("the port is taken"));
    bus.start().unwrap_err();
    let _ = bus.block();
    assert!(!path.exists());
}

#[test]
fn what_was_removed_while_the_bus_was_stopped_is_made_anew() {
    let (_folder, path) = folder();
    let (bus, _) = site(&path);
    bus.start().unwrap();
    bus.stop().unwrap();
    fs::remove_file(&path).unwrap();
    bus.start().unwrap();
    assert_eq!(read(&path), own_number());
    end(bus);
    assert!(!path.exists());
}

#[test]
fn a_file_that_somebody_has_put_in_its_place_stays() {
    let (_folder, path) = folder();
    let (bus, log) = site(&path);
    bus.start().unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "12345\n").unwrap();
    end(bus);
    assert_eq!(read(&path), "12345\n");
    assert!(log.lines().iter().any(|line| line.contains("it is another file by now")), "{log:?}");
}

#[test]
fn a_link_that_somebody_has_put_in_its_place_stays_with_what_it_leads_to() {
    let (folder, path) = folder();
    let target = folder.path().join("target");
    fs::write(&target, "kept").unwrap();
    let (bus, _) = site(&path);
    bus.start().unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&target, &path).unwrap();
    bus.stop().unwrap();
    assert!(bus.start().unwrap_err().to_string().contains("it is a symbolic link; remove it"));
    let _ = bus.block();
    assert!(path.is_symlink());
    assert_eq!(read(&target), "kept");
}

#[test]
fn a_reload_is_refused_if_it_would_move_the_file() {
    let (folder, path) = folder();
    let (bus, _) = site(&path);
    bus.start().unwrap();
    let reload = |settings| bus.ask_graceful(SettingsMap::new().with(settings)).wait();
    reload(Settings::at(&path)).unwrap();
    reload(Settings::at(folder.path().join("./site.pid"))).unwrap();
    bus.graceful().unwrap();
    let veto = reload(Settings::at(folder.path().join("other.pid"))).unwrap_err().to_string();
    assert!(veto.contains("site.pid (mode 0o644) until the process ends: restart to have another"), "{veto}");
    let mode = Settings { mode: 0o600, ..Settings::at(&path) };
    reload(mode).unwrap_err();
    assert_eq!(read(&path), own_number());
    end(bus);
}

#[test]
fn settings_with_which_no_start_could_go_well_are_refused_at_once() {
    for mode in [0o666, 0o620, 0o444, 0o755, 0o4644] {
        let settings = Settings { mode, ..Settings::at("/run/site.pid") };
        let error = PidFile::new(settings).unwrap_err();
        assert!(matches!(error, PidFileError::Mode { mode: named } if named == mode), "{error}");
    }
    assert!(matches!(PidFile::new(Settings::at("")), Err(PidFileError::Path { .. })));
}

/// Restarts a started site, and returns what it hands on.
fn restarted(bus: Bus) -> Vec<Item> {
    let (sender, handed) = mpsc::channel();
    bus.restart_by(move |_, handed_on| {
        let _ = sender.send(handed_on.take::<Item>());
        anyhow::anyhow!("this is only a test")
    });
    bus.restart().unwrap();
    let _ = bus.block();
    handed.recv().unwrap()
}

fn inheriting(path: &Path, inherited: &Inherited) -> PidFile {
    PidFile::new(Settings::at(path)).unwrap().inherit(inherited)
}

#[test]
fn a_restart_keeps_the_file_and_its_lock() {
    let (_folder, path) = folder();
    let (old, _) = site(&path);
    old.start().unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let inherited = Inherited::nothing();
    inherited.put(restarted(old));
    assert!(refusal(&path).contains("is held by this very process"));

    let (new, log) = site_with(inheriting(&path, &inherited));
    assert!(inherited.left().is_empty());
    new.start().unwrap();
    assert_eq!((fs::metadata(&path).unwrap().ino(), read(&path)), (inode, own_number()));
    assert!(refusal(&path).contains("is held by this very process"));
    end(new);
    assert!(!path.exists());
    assert!(!log.lines().iter().any(|line| line.contains("site.pid")), "{log:?}");
}

#[test]
fn a_restart_that_could_not_have_the_file_is_refused_and_one_that_can_makes_it_anew() {
    let (folder, path) = folder();
    let (bus, log) = site(&path);
    bus.start().unwrap();
    fs::remove_file(&path).unwrap();
    symlink(folder.path().join("target"), &path).unwrap();
    let veto = bus.restart().unwrap_err().to_string();
    assert!(veto.contains("it is a symbolic link; remove it"), "{veto}");
    assert!(!folder.path().join("target").exists());
    assert_eq!(bus.state(), State::Started);

    fs::remove_file(&path).unwrap();
    drop(restarted(bus));
    assert_eq!(read(&path), own_number());
    assert!(log.lines().iter().any(|line| line.contains("site.pid: made anew")), "{log:?}");
}

#[test]
fn a_restart_before_the_start_hands_on_what_the_start_would_have_taken() {
    let (_folder, path) = folder();
    let (old, _) = site(&path);
    old.start().unwrap();
    let inherited = Inherited::nothing();
    inherited.put(restarted(old));
    let (never_started, _) = site_with(inheriting(&path, &inherited));
    inherited.put(restarted(never_started));
    assert!(refusal(&path).contains("is held by this very process"), "it was never free");
    let (new, _) = site_with(inheriting(&path, &inherited));
    new.start().unwrap();
    end(new);
    assert!(!path.exists());
}

#[test]
fn an_exit_before_the_start_removes_what_the_start_would_have_taken() {
    let (_folder, path) = folder();
    let (old, _) = site(&path);
    old.start().unwrap();
    let inherited = Inherited::nothing();
    inherited.put(restarted(old));
    end(site_with(inheriting(&path, &inherited)).0);
    assert!(!path.exists());
}

#[test]
fn a_restart_with_another_path_leaves_what_it_does_not_know() {
    let (folder, path) = folder();
    let (old, _) = site(&path);
    old.start().unwrap();
    let inherited = Inherited::nothing();
    inherited.put(restarted(old));
    let (new, _) = site_with(inheriting(&folder.path().join("other.pid"), &inherited));
    assert_eq!(inherited.left().len(), 1);
    new.start().unwrap();
    end(new);
    drop(inherited.take_everything());
    assert_eq!(read(&path), own_number(), "it stays");
    let (next, _) = site(&path);
    next.start().unwrap();
    end(next);
}

#[test]
fn a_file_that_was_replaced_during_a_restart_is_taken_anew_and_that_is_said() {
    let (_folder, path) = folder();
    let (old, _) = site(&path);
    old.start().unwrap();
    let inherited = Inherited::nothing();
    inherited.put(restarted(old));
    fs::remove_file(&path).unwrap();
    fs::write(&path, "1\n").unwrap();
    let (new, log) = site_with(inheriting(&path, &inherited));
    new.start().unwrap();
    assert_eq!(read(&path), own_number());
    assert!(log.lines().iter().any(|line| line.contains("since the restart has lost it")), "{log:?}");
    end(new);
    assert!(!path.exists());
}
