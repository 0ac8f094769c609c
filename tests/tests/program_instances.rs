//! One site, one process: the state folder and its lock.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use sitebus_testkit::left_out;
use sitebus_tests::{Ended, Folder, Site, as_an_ordinary_user, program, run, wait_until};

#[track_caller]
fn is_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    for part in parts {
        assert!(ended.stderr.contains(part), "{part:?} is missing in: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("Bus "), "nothing is started: {}", ended.stderr);
}

#[test]
fn a_second_instance_is_refused_and_the_first_is_named() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let second = run(program!(), folder.path(), &["run"]);
    let pid = format!("process {}", site.child().id());
    is_refused(&second, &["the site 'site' is already running", &pid, "stop that one first"]);
    assert_eq!(site.get("/").status, 200, "the first one does not notice");
    site.stop();
    Site::start(program!(), &folder).stop();
}

#[test]
fn a_second_instance_is_refused_even_if_nobody_knows_who_the_first_is() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    for text in ["", "not a number", "\u{1b}[2J99999999999999999999\n", "0"] {
        fs::write(folder.at(".sitebus/site/lock"), text).unwrap();
        let second = run(program!(), folder.path(), &["run"]);
        is_refused(&second, &["the site 'site' is already running"]);
        assert!(!second.stderr.contains('\u{1b}'), "{:?}", second.stderr);
    }
    site.stop();
}

#[test]
fn the_same_site_from_another_folder_by_another_path_is_the_same_site() {
    let (folder, links) = (Folder::small(), Folder::empty());
    let site = Site::start(program!(), &folder);
    symlink(folder.path(), links.at("link")).unwrap();
    let second = run(program!(), links.path(), &["run", "link/site.toml"]);
    is_refused(&second, &["already running"]);
    site.stop();
}

#[test]
fn two_sites_of_different_names_run_side_by_side_in_one_folder() {
    let folder = Folder::small();
    folder.write("a.toml", folder.read("site.toml"));
    folder.write("b.toml", folder.read("site.toml"));
    let a = Site::start_with(program!(), &folder, &["run", "a.toml"]);
    let b = Site::start_with(program!(), &folder, &["run", "b.toml"]);
    let c = Site::start_with(program!(), &folder, &["run", "a.toml", "--set", "site.name=c"]);
    for site in [&a, &b, &c] {
        assert_eq!(site.get("/").status, 200);
    }
    a.stop();
    assert_eq!(b.get("/").status, 200);
    b.stop();
    c.stop();
}

#[test]
fn two_names_with_one_state_folder_are_one_site() {
    let folder = Folder::small();
    folder.site("[site]\nname = \"one\"\nstate = \"shared\"\n[http]\nlisten = [\"127.0.0.1:0\"]");
    let site = Site::start(program!(), &folder);
    is_refused(
        &run(program!(), folder.path(), &["run", "--set", "site.name=two"]),
        &["the site 'two' is already running"],
    );
    site.stop();
}

#[test]
fn the_state_folder_is_the_owners_alone() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let mode = |name: &str| fs::metadata(folder.at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".sitebus/site"), mode(".sitebus/site/lock")), (0o700, 0o600));
    site.stop();
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named_with_the_cure() {
    let folder = Folder::small();
    fs::write(folder.at(".sitebus"), "a file").unwrap();
    is_refused(
        &run(program!(), folder.path(), &["run"]),
        &["state folder", "could not be made", "name another one with `state`"],
    );
    fs::remove_file(folder.at(".sitebus")).unwrap();
    symlink("nowhere/at/all", folder.at(".sitebus")).unwrap();
    is_refused(
        &run(program!(), folder.path(), &["run"]),
        &["could not be made", "name another one with `state`"],
    );
    is_refused(
        &run(program!(), folder.path(), &["run", "--set", "site.state=/proc/sitebus"]),
        &["/proc/sitebus could not be made"],
    );
}

#[test]
fn a_state_folder_that_may_not_be_written_is_named_with_the_cure() {
    let folder = Folder::small();
    folder.open_to_all();
    fs::create_dir(folder.at("locked")).unwrap();
    fs::set_permissions(folder.at("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let Some(words) = as_an_ordinary_user(program!(), &folder) else {
        return left_out("nobody else than root can be had here, and root may write everywhere");
    };
    for state in ["locked", "locked/inner"] {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["run", "--set", &format!("site.state={state}")]);
        let ended = Site::spawn(command, &folder).ends();
        is_refused(
            &ended,
            &["the state folder", "locked", "Permission denied", "name another one with `state`"],
        );

        let check = |options: &[&str]| {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).args(["check", "--set", &format!("site.state={state}")]).args(options);
            Site::spawn(command, &folder).ends()
        };
        let checked = check(&[]);
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
        assert!(checked.stdout.starts_with("site.toml is right: "), "{}", checked.stdout);
        let start = "warning: this user could not keep the state of the site in ";
        assert!(checked.stderr.starts_with(start), "{}", checked.stderr);
        for part in [
            "locked may not be written: Permission denied",
            "--> --set:1:12",
            "name another folder with `state`",
        ] {
            assert!(checked.stderr.contains(part), "{part:?} is missing in: {}", checked.stderr);
        }
        let checked = check(&["--json"]);
        assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""));
        assert!(checked.stdout.contains("\"level\": \"warning\""), "{}", checked.stdout);
    }
}

#[test]
fn a_check_warns_of_a_state_folder_that_could_not_be_made_and_makes_nothing() {
    let folder = Folder::small();
    let before = folder.list();
    assert_eq!(run(program!(), folder.path(), &["check"]).stderr, "");
    assert_eq!(folder.list(), before);
    fs::write(folder.at(".sitebus"), "a file").unwrap();
    let said = run(program!(), folder.path(), &["check"]).stderr;
    assert!(said.contains(".sitebus may not be written: not a directory"), "{said}");
    fs::remove_file(folder.at(".sitebus")).unwrap();
    symlink("nowhere", folder.at(".sitebus")).unwrap();
    let said = run(program!(), folder.path(), &["check"]).stderr;
    assert!(said.contains(".sitebus may not be written: No such file or directory"), "{said}");
}

#[test]
fn a_symlinked_state_folder_is_followed_but_a_symlinked_lock_is_not() {
    let (folder, elsewhere) = (Folder::small(), Folder::empty());
    symlink(elsewhere.path(), folder.at(".sitebus")).unwrap();
    let site = Site::start(program!(), &folder);
    assert!(elsewhere.at("site/lock").exists());
    site.stop();

    elsewhere.write("precious", "precious");
    fs::remove_file(elsewhere.at("site/lock")).unwrap();
    symlink(elsewhere.at("precious"), elsewhere.at("site/lock")).unwrap();
    is_refused(&run(program!(), folder.path(), &["run"]), &["it is a symbolic link; remove it"]);
    assert_eq!(elsewhere.read("precious"), "precious");
}

#[test]
fn a_lock_that_is_no_file_is_refused_at_once() {
    for (what, make) in [("a folder", "mkdir"), ("no regular file", "mkfifo")] {
        let folder = Folder::small();
        fs::create_dir_all(folder.at(".sitebus/site")).unwrap();
        assert!(Command::new(make).arg(folder.at(".sitebus/site/lock")).status().unwrap().success());
        is_refused(&run(program!(), folder.path(), &["run"]), &[&format!("it is {what}; remove it")]);
    }
}

#[test]
fn a_site_whose_state_folder_is_removed_goes_on_says_so_and_ends_well() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    fs::remove_dir_all(folder.at(".sitebus")).unwrap();
    assert_eq!(site.get("/").status, 200);
    assert_eq!(site.reload(), sitebus_tests::Verdict::Reloaded);
    site.says(".sitebus/site was removed while the site runs; a restart makes it again");
    site.signal("USR2".parse().unwrap());
    site.says_times(2, "Bus STARTED");
    assert!(folder.at(".sitebus/site/lock").exists());
    fs::remove_dir_all(folder.at(".sitebus")).unwrap();
    site.stop();
}

#[test]
fn a_second_instance_is_refused_even_if_the_state_folder_of_the_first_was_removed() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let pid = format!("process {}", site.child().id());
    for _ in 0..2 {
        fs::remove_dir_all(folder.at(".sitebus")).unwrap();
        let second = run(program!(), folder.path(), &["run"]);
        is_refused(&second, &["the site 'site' is already running", &pid, "was removed meanwhile"]);
    }
    fs::remove_file(folder.at(".sitebus/site/lock")).unwrap();
    is_refused(&run(program!(), folder.path(), &["run"]), &["already running", &pid]);
    // A restart takes its folder back, and what stands in the new one no longer matters.
    site.signal("USR2".parse().unwrap());
    site.says_times(2, "Bus STARTED");
    is_refused(&run(program!(), folder.path(), &["run"]), &["already running", &pid, "/lock"]);
    site.signal("KILL".parse().unwrap());
    site.ends();
    Site::start(program!(), &folder).stop();
}

#[test]
fn of_many_that_start_at_the_same_moment_exactly_one_runs() {
    for _ in 0..5 {
        let folder = Folder::small();
        let start = || {
            let mut command = Command::new(program!());
            command.arg("run");
            Site::spawn(command, &folder)
        };
        let sites: Vec<Site> = (0..8).map(|_| start()).collect();
        let verdict = |site: &Site| {
            wait_until("a start or a refusal", || {
                let lines = site.log().lines();
                let said = |part: &str| lines.iter().any(|line| line.contains(part));
                (said("Bus STARTED") || said("already running")).then(|| said("Bus STARTED"))
            })
        };
        let (up, refused): (Vec<Site>, Vec<Site>) = sites.into_iter().partition(verdict);
        assert_eq!((up.len(), refused.len()), (1, 7));
        for site in refused {
            assert_eq!(site.ends().code, Some(1));
        }
        for site in up {
            assert_eq!(site.get("/").status, 200);
            site.stop();
        }
    }
}
