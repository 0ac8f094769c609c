//! Files that cannot be written: each test in a process of its own, whose standard error tells of it.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use sitebus_bus::{Bus, Level};
use sitebus_log::Log;
use sitebus_testkit::own_process::{Process, hear, is_child, say};
use support::{in_time, is_root, read, threads_named, to_file, wait_for, wait_until};

#[test]
fn a_full_device_costs_lines_and_is_told_of_once() {
    if !is_child() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.log");
        symlink("/dev/full", &path).unwrap();
        let mut child = Process::start("a_full_device_costs_lines_and_is_told_of_once");
        child.tell(path.to_str().unwrap());
        assert!(child.wait().success(), "{}", child.output());
        let told = child.output();
        assert_eq!(
            told.matches("cannot be written: No space left on device (os error 28); make room").count(),
            1,
            "{told}"
        );
        let lost = told.lines().find_map(|line| line.split_once(" lines are missing in ")).unwrap().0;
        assert!(lost.ends_with("ERROR log: 20000"), "{told}");
        return;
    }
    let mut settings = to_file(Path::new(&hear()));
    settings.filter = "info,site=off".parse().unwrap();
    settings.buffer = 10_000;
    in_time("a site with a full disk", || {
        let bus = Bus::new("site");
        let speaker = bus.plugin("speaker");
        Log::new(settings).unwrap().subscribe(&bus).unwrap();
        bus.start().unwrap();
        (0..20_000).for_each(|number| speaker.log(Level::Info, format!("line {number}")));
        bus.exit().unwrap();
        assert_eq!(bus.block().code(), 0);
    });
    assert_eq!(threads_named("log"), 0);
}

#[test]
fn lines_wait_for_room_on_a_full_disk_and_what_was_lost_is_counted_where_it_is_missing() {
    const TEST: &str = "lines_wait_for_room_on_a_full_disk_and_what_was_lost_is_counted_where_it_is_missing";
    if !is_child() {
        if !is_root("to mount a small disk in a namespace of its own") {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "exec unshare --mount sh -c 'mount -t tmpfs -o size=128k none \"$0\" && exec \"$@\"' '{}' \"$@\"",
            folder.path().display()
        );
        let mut child = Process::start_by_shell(TEST, &script);
        child.tell(folder.path().to_str().unwrap());
        wait_until("trouble", || child.output().contains("cannot be written").then_some(()));
        child.tell("go on");
        assert!(child.wait().success(), "{}", child.output());
        let told = child.output();
        assert_eq!(told.matches("cannot be written: No space left on device").count(), 1, "{told}");
        assert_eq!(told.matches("is written again").count(), 1, "{told}");
        return;
    }
    let folder = hear();
    let (path, fill) = (Path::new(&folder).join("site.log"), Path::new(&folder).join("fill"));
    let bus = Bus::new("site");
    let mut settings = to_file(&path);
    settings.filter = "info,site=off".parse().unwrap();
    settings.buffer = 20_000;
    let subscribed = Log::new(settings).unwrap().subscribe(&bus).unwrap();
    let speaks = bus.plugin("speaker");
    let _ = fs::write(&fill, vec![0; 1 << 20]); // as much as there is room for
    let say = |range: std::ops::Range<u32>| {
        range.for_each(|number| speaks.log(Level::Info, format!("line {number:05}")));
    };
    say(0..1);
    hear();
    say(1..3000);
    fs::remove_file(&fill).unwrap();
    let text = wait_for(&path, "lines are missing here: No space left on device");
    let missing = text.lines().find_map(|line| line.split_once(" lines are missing here")).unwrap().0;
    say(3000..3100);
    subscribed.unsubscribe();
    let text = read(&path);
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("line 0")).collect();
    assert!(
        text.lines().all(|line| line.len() == 53 || line.contains("missing here")),
        "no line is torn:\n{text}"
    );
    assert_eq!(lines.len() + missing.parse::<usize>().unwrap(), 3100);
    let first = text.find("lines are missing").unwrap();
    assert!(text.find("line 00000").unwrap() < first && text.find("line 03000").unwrap() > first);
}

#[test]
fn a_file_that_the_user_may_not_write_is_refused_and_one_that_becomes_so_goes_on() {
    const TEST: &str = "a_file_that_the_user_may_not_write_is_refused_and_one_that_becomes_so_goes_on";
    if !is_child() {
        if !is_root("to become somebody else, for whom permissions count") {
            return;
        }
        let folder = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(folder.path(), open).unwrap();
        // The program may lie where only root can reach it: it is opened before.
        let script = "exec 9<\"$1\"; shift; exec setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/9 \"$@\"";
        let mut child = Process::start_by_shell(TEST, script);
        child.tell(folder.path().to_str().unwrap());
        child.expect("opened");
        fs::rename(folder.path().join("site.log"), folder.path().join("site.log.1")).unwrap();
        fs::write(folder.path().join("site.log"), "").unwrap();
        fs::set_permissions(
            folder.path().join("site.log"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        child.tell("go on");
        assert!(child.wait().success(), "{}", child.output());
        return;
    }
    let folder = hear();
    let path = Path::new(&folder).join("site.log");
    let bus = Bus::new("site");
    let log = Log::new(to_file(&path)).unwrap();
    let subscribed = log.subscribe(&bus).unwrap();
    say("opened");
    hear();
    let refused = support::reopen(&bus).unwrap_err();
    assert!(refused.contains("Permission denied") && refused.contains("let this user write it"), "{refused}");
    bus.log(Level::Info, "goes on");
    subscribed.unsubscribe();
    assert!(read(&path.with_extension("log.1")).contains("site: goes on\n"));
    assert!(Log::new(to_file(&path)).unwrap_err().to_string().contains("Permission denied"));
}

#[test]
fn lines_before_any_bus_make_no_thread_and_trouble_is_told_then_too() {
    const TEST: &str = "lines_before_any_bus_make_no_thread_and_trouble_is_told_then_too";
    if !is_child() {
        let mut child = Process::start(TEST);
        assert!(child.wait().success(), "{}", child.output());
        let told = child.output();
        assert_eq!(told.matches("/dev/full cannot be written").count(), 1, "{told}");
        return;
    }
    let before = fs::read_dir("/proc/self/task").unwrap().count();
    let log = Log::new(to_file(Path::new("/dev/full"))).unwrap();
    log.install().unwrap();
    (0..100).for_each(|number| tracing::info!("line {number}"));
    assert_eq!(fs::read_dir("/proc/self/task").unwrap().count(), before);
    let bus = Bus::new("site");
    let subscribed = log.subscribe(&bus).unwrap();
    wait_until("a thread", || (threads_named("log") == 1).then_some(()));
    subscribed.unsubscribe();
    assert_eq!(threads_named("log"), 0);
}
