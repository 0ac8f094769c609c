//! What stands in the way of a start, and what does not.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{be_a_site, end, folder, own_number, read, refusal, site};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use sitebus_os::signal::Signal;
use sitebus_testkit::own_process::{Process, is_child};

#[test]
fn a_second_process_is_told_the_number_and_the_name_of_the_first_and_the_file() {
    let name = "a_second_process_is_told_the_number_and_the_name_of_the_first_and_the_file";
    if is_child() {
        return be_a_site();
    }
    let (_folder, path) = folder();
    let mut first = Process::start(name);
    first.tell(path.to_str().unwrap());
    first.expect("started");
    let comm = read(format!("/proc/{}/comm", first.pid()).as_ref());
    let (pid, comm) = (first.pid(), comm.trim_end());
    let error = refusal(&path);
    let expected =
        format!("the PID file {} is held by process {pid} ({comm}): stop that one first", path.display());
    assert!(error.contains(&expected), "{error}");
    assert_eq!(read(&path), format!("{pid}\n"), "whoever is refused changes nothing");

    first.tell("exit");
    first.expect("exited");
    assert!(!path.exists());
}

#[test]
fn a_file_that_a_killed_process_left_stops_nobody() {
    if is_child() {
        return be_a_site();
    }
    let (_folder, path) = folder();
    let mut killed = Process::start("a_file_that_a_killed_process_left_stops_nobody");
    killed.tell(path.to_str().unwrap());
    killed.expect("started");
    killed.send(Signal::KILL);
    killed.wait();
    assert_eq!(read(&path), format!("{}\n", killed.pid()));
    let (bus, _) = site(&path);
    bus.start().unwrap();
    assert_eq!(read(&path), own_number());
    end(bus);
}

#[test]
fn a_file_with_the_number_of_a_living_stranger_stops_nobody() {
    for left in ["1\n", "1", "", "no number", "99999999999999999999\n"] {
        let (_folder, path) = folder();
        fs::write(&path, left).unwrap();
        let (bus, _) = site(&path);
        bus.start().unwrap();
        assert_eq!(read(&path), own_number());
        end(bus);
        assert!(!path.exists());
    }
}

#[test]
fn of_two_that_race_exactly_one_wins() {
    const RACES: usize = 50;
    if is_child() {
        for _ in 0..RACES {
            be_a_site();
        }
        return;
    }
    let (folder, _) = folder();
    let mut racers = [(); 2].map(|()| Process::start("of_two_that_race_exactly_one_wins"));
    for race in 0..RACES {
        let path = folder.path().join(race.to_string());
        racers.iter_mut().for_each(|racer| racer.tell(path.to_str().unwrap()));
        let numbers = racers.each_ref().map(Process::pid);
        let outcomes = racers.each_mut().map(|racer| racer.expect("tried").remove(0));
        let [winner, loser] = if outcomes[0] == "started" { [0, 1] } else { [1, 0] };
        assert_eq!(outcomes[winner], "started", "race {race}: {outcomes:?}");
        let refused = format!("is held by process {} ", numbers[winner]);
        assert!(outcomes[loser].contains(&refused), "race {race}: {outcomes:?}");
        racers[loser].expect("exited");
        assert_eq!(read(&path), format!("{}\n", numbers[winner]), "the loser has left it alone");
        racers[winner].tell("exit");
        racers[winner].expect("exited");
        assert!(!path.exists());
    }
}

#[test]
fn a_link_is_not_followed_and_what_it_leads_to_is_not_touched() {
    let (folder, path) = folder();
    let target = folder.path().join("passwd");
    for content in [Some("kept"), None] {
        let _ = fs::remove_file(&target);
        if let Some(content) = content {
            fs::write(&target, content).unwrap();
        }
        let _ = fs::remove_file(&path);
        symlink(&target, &path).unwrap();
        let error = refusal(&path);
        assert!(error.contains("it is a symbolic link; remove it or name another path"), "{error}");
        assert_eq!(fs::read_to_string(&target).ok().as_deref(), content);
        assert!(path.is_symlink());
    }
}

#[test]
fn what_is_no_file_is_refused_at_once_and_left() {
    let (_folder, path) = folder();
    fs::create_dir(&path).unwrap();
    assert!(refusal(&path).contains("it is a folder"));
    fs::remove_dir(&path).unwrap();
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    assert!(refusal(&path).contains("it is no regular file"));
    assert!(path.exists());
}

#[test]
fn a_folder_that_is_gone_is_named() {
    let (folder, path) = folder();
    drop(folder);
    let error = refusal(&path);
    assert!(
        error.contains(&format!("making the lock file {} failed: No such file", path.display())),
        "{error}"
    );
}
