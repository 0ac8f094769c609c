//! What watchers of files are known to miss, or to see where nothing is.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod site;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use site::{LONG, Site, calm, folder, publishing, save_atomically};
use sitebus_autoreload::Settings;

#[test]
fn every_atomic_save_is_seen_also_of_a_listed_file() {
    let folder = folder();
    fs::create_dir(folder.path().join("pages")).unwrap();
    fs::write(folder.path().join("listed"), "0").unwrap();
    fs::write(folder.path().join("pages/a"), "0").unwrap();
    let site = Site::with(publishing(&folder, ["pages", "listed"]), folder);
    for round in 0..5 {
        for name in ["pages/a", "listed"] {
            save_atomically(&site.path(name), &format!("{round} of {name}"));
            site.expect(name);
        }
    }
}

#[test]
fn a_file_that_is_written_the_moment_its_folders_are_made_is_seen_fifty_times_of_fifty() {
    let site = Site::watching(["."]);
    for round in 0..50 {
        let name = format!("a{round}/b/c/file");
        fs::create_dir_all(site.path(&name).parent().unwrap()).unwrap();
        site.write(&name, "new");
        site.expect(&name);
    }
    // And they are watched from then on.
    site.expect_nothing_but("a7/b/c/file");
}

#[test]
fn an_older_time_is_a_change() {
    let site = Site::watching(["a"]);
    site.write("a", "1");
    site.expect("a");
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::options().write(true).open(site.path("a")).unwrap().set_modified(hour_ago).unwrap();
    site.expect("a");
}

#[test]
fn a_listed_file_that_comes_to_exist_is_a_change_and_so_is_its_going() {
    let site = Site::watching_calmly(["a", "deep/down/b"]);
    site.write("a", "1");
    site.expect("a");
    fs::create_dir_all(site.path("deep/down")).unwrap();
    site.write("deep/down/b", "1");
    site.expect("deep/down/b");
    fs::remove_dir_all(site.path("deep")).unwrap();
    site.expect("deep/down/b");
    fs::create_dir_all(site.path("deep/down")).unwrap();
    site.write("deep/down/b", "2");
    site.expect("deep/down/b");
    assert!(site.heard.lines().is_empty());
}

#[test]
fn a_listed_folder_that_comes_to_exist_is_watched() {
    let site = Site::watching(["not/yet"]);
    fs::create_dir_all(site.path("not/yet")).unwrap();
    site.write("not/yet/a", "1");
    site.expect("not/yet/a");
    site.expect_nothing_but("not/yet/a");
}

#[test]
fn reads_and_whatever_else_changes_nothing_lead_to_nothing() {
    let site = Site::watching_calmly(["pages", "listed"]);
    fs::create_dir(site.path("pages")).unwrap();
    for name in ["pages/a", "listed"] {
        site.write(name, "text");
    }
    site.heard.wait_for("pages/a", LONG).unwrap();
    site.heard.take();
    for _ in 0..200 {
        for name in ["pages/a", "listed"] {
            fs::read(site.path(name)).unwrap();
            fs::read_dir(site.path("pages")).unwrap().count();
            let permissions = fs::metadata(site.path(name)).unwrap().permissions();
            fs::set_permissions(site.path(name), permissions).unwrap();
            site.write("beside", "nobody watches this one");
            site.write("pages/.hidden", "nor this one");
            site.write("pages/a~", "nor this one");
        }
    }
    site.expect_nothing_but("pages/a");
}

#[test]
fn many_changes_at_once_are_one() {
    let site = Site::watching_calmly(["."]);
    let names = (0..100).map(|number| format!("file-{number:02}")).collect::<Vec<_>>();
    for name in &names {
        site.write(name, "1");
    }
    site.expect(&names.join(" "));
}

#[test]
fn a_file_that_never_rests_is_not_waited_for_any_longer_than_the_limit() {
    let folder = folder();
    let settings =
        Settings { settle: LONG, settle_limit: Duration::from_millis(100), ..publishing(&folder, ["log"]) };
    let site = Site::with(settings, folder);
    site.write("log", "1");
    site.expect("log");
}

#[test]
fn a_link_that_is_turned_to_another_folder_is_a_change() {
    let folder = folder();
    let root = folder.path();
    for release in ["1", "2", "3"] {
        fs::create_dir_all(root.join("releases").join(release).join("pages")).unwrap();
        fs::write(root.join("releases").join(release).join("pages/a"), release.repeat(9)).unwrap();
    }
    symlink("releases/1", root.join("current")).unwrap();
    let site = Site::with(calm(publishing(&folder, ["current/pages", "current/pages/a"])), folder);
    for release in ["2", "3"] {
        symlink(format!("releases/{release}"), site.path("new")).unwrap();
        fs::rename(site.path("new"), site.path("current")).unwrap();
        site.expect("current/pages/a");
    }
    site.write("releases/3/pages/a", "in its new place");
    site.expect("current/pages/a");
    site.write("releases/1/pages/a", "which is not served any more");
    site.write("releases/3/pages/b", "but this is");
    site.expect("current/pages/b");
}

#[test]
fn a_folder_that_is_replaced_by_another_one_is_watched_on() {
    let folder = folder();
    for name in ["site", "next"] {
        fs::create_dir_all(folder.path().join(name).join("pages")).unwrap();
        fs::write(folder.path().join(name).join("pages/a"), name.repeat(3)).unwrap();
    }
    let site = Site::with(calm(publishing(&folder, ["site"])), folder);
    for round in 0..4 {
        fs::rename(site.path("site"), site.path("old")).unwrap();
        fs::rename(site.path("next"), site.path("site")).unwrap();
        fs::rename(site.path("old"), site.path("next")).unwrap();
        site.expect("site/pages/a");
        site.write("site/pages/a", &format!("{round}").repeat(round + 1));
        site.expect("site/pages/a");
    }
}

#[test]
fn a_file_that_comes_and_goes_again_at_once_is_nothing() {
    let site = Site::watching_calmly(["."]);
    for _ in 0..2 {
        site.write("passing", "1");
        fs::remove_file(site.path("passing")).unwrap();
    }
    site.expect_nothing_but("a");
}

#[test]
fn a_save_by_deleting_first_is_one_change() {
    let site = Site::watching_calmly(["a"]);
    site.write("a", "1");
    site.expect("a");
    fs::remove_file(site.path("a")).unwrap();
    site.write("a", "22");
    site.expect("a");
    assert!(site.changes().is_empty());
}

#[test]
fn globs_and_ignore_files_decide_what_counts() {
    let folder = folder();
    for name in ["target", "pages"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join(".gitignore"), "target/\n*.log\n").unwrap();
    let settings = Settings {
        include: vec!["*.html".into(), "*.log".into()],
        ignore: vec!["draft-*".into()],
        ..publishing(&folder, ["."])
    };
    let site = Site::with(settings, folder);
    for name in ["target/a.html", "pages/a.css", "pages/a.log", "pages/draft-a.html"] {
        site.write(name, "1");
    }
    site.expect_nothing_but("pages/a.html");
}

#[test]
fn an_ignored_log_that_is_written_all_the_time_delays_nothing() {
    let folder = folder();
    fs::write(folder.path().join(".gitignore"), "*.log\n").unwrap();
    let site = Site::with(Settings { settle_limit: 10 * LONG, ..publishing(&folder, ["."]) }, folder);
    let (path, over) = (site.path("site.log"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = File::create(path).unwrap();
            let begun = Instant::now();
            while !over.load(Ordering::Relaxed) && begun.elapsed() < 2 * LONG {
                log.write_all(b"a line\n").unwrap();
            }
        });
        for round in 0..5 {
            site.write("a", &"x".repeat(round + 1));
            site.expect("a");
        }
        over.store(true, Ordering::Relaxed);
    });
}
