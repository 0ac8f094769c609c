//! A disk that does not answer: the strictest reader of all, for nothing can interrupt who waits for it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use sitebus_bus::{Bus, Level};
use sitebus_log::Log;
use sitebus_testkit::left_out;
use sitebus_testkit::own_process::{Process, hear, is_child};
use support::{LONG, in_time, is_root, read, reopen, threads_named, to_file, wait_for, wait_until};

const TEST: &str = "a_disk_that_does_not_answer_holds_up_neither_lines_nor_the_end_and_loses_nothing";

/// Mounts a disk of its own and runs the test. Whatever becomes of the test, the disk is thawed: a write to a frozen one can
/// not even be killed.
const SCRIPT: &str = r#"exec unshare --mount sh -c '
    disk=$1; shift
    mount -o loop,noatime "$disk.img" "$disk" || exit 77
    (timeout 60 tail --pid=$$ -f /dev/null; fsfreeze -u "$disk") >/dev/null 2>&1 &
    "$@"' sh "#;

fn freeze(how: &str, disk: &Path) {
    assert!(Command::new("fsfreeze").arg(how).arg(disk).status().unwrap().success());
}

#[test]
fn a_disk_that_does_not_answer_holds_up_neither_lines_nor_the_end_and_loses_nothing() {
    if is_child() {
        return with_a_disk(Path::new(&hear()));
    }
    if !is_root("to mount a disk that it can freeze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (disk, image) = (folder.path().join("disk"), folder.path().join("disk.img"));
    std::fs::create_dir(&disk).unwrap();
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status();
    if !made.is_ok_and(|status| status.success()) {
        return left_out("mkfs.ext4 makes no disk here");
    }
    let mut child = Process::start_by_shell(TEST, &format!("{SCRIPT}'{}' \"$@\"", disk.display()));
    child.tell(disk.to_str().unwrap());
    let status = child.wait();
    if status.code() == Some(77) {
        return left_out("a file cannot be mounted as a disk here");
    }
    let told = child.output();
    assert!(status.success(), "{told}");
    assert_eq!(told.matches("site.log has not taken its last lines within").count(), 1, "{told}");
}

fn with_a_disk(disk: &Path) {
    let path = disk.join("site.log");
    let mut settings = to_file(&path);
    settings.buffer = 64 << 20;
    let log = Log::new(settings).unwrap();
    let (bus, later) = (Bus::new("site"), log.clone());
    log.subscribe(&bus).unwrap();
    bus.start().unwrap();
    wait_for(&path, "Bus STARTED");

    freeze("-f", disk);
    let began = Instant::now();
    in_time("what a site does", move || {
        (0..10_000).for_each(|number| bus.log(Level::Info, format!("line {number}")));
        let refused = reopen(&bus).unwrap_err();
        assert!(refused.contains("is not open again yet"), "{refused}");
        bus.exit().unwrap();
        assert_eq!(bus.block().code(), 0, "the log has not made the exit a failure");
    });
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    assert_eq!(threads_named("log"), 1, "left behind");

    freeze("-u", disk);
    wait_until("the thread's end", || (threads_named("log") == 0).then_some(()));
    let next = Bus::new("next");
    let subscribed = later.subscribe(&next).unwrap();
    next.log(Level::Info, "again");
    subscribed.unsubscribe();
    let text = read(&path);
    assert_eq!(text.matches(" site: line ").count(), 10_000);
    assert!(text.contains(" site: Bus EXITED\n") && text.ends_with(" next: again\n"), "{text:.1000}");
}
