//! The command line: what is usual is as usual, and `init` leaves all or nothing.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use sitebus_tests::{Ended, Folder, Site, own_program, program, run};

const FIRST: [&str; 3] = ["public/", "public/index.html", "site.toml"];

fn in_empty(arguments: &[&str]) -> (Folder, Ended) {
    let folder = Folder::empty();
    let ended = run(program!(), folder.path(), arguments);
    (folder, ended)
}

#[test]
fn init_writes_a_site_that_passes_the_check_and_runs() {
    let (folder, ended) = in_empty(&["init"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout, "wrote ./site.toml\nwrote ./public/index.html\n\nnext: sitebus run\n");
    assert_eq!(folder.list(), FIRST);
    let checked = run(program!(), folder.path(), &["check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let site = Site::start_with(program!(), &folder, &["run", "--set", r#"http.listen=["127.0.0.1:0"]"#]);
    assert!(site.get("/").text().contains("It works"));
    assert_eq!(site.get("/health").text(), "ok\n");
    site.stop();
}

#[test]
fn init_makes_the_folder_that_it_is_given() {
    let (folder, ended) = in_empty(&["init", "new/site"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("next: sitebus run new/site/site.toml\n"), "{}", ended.stdout);
    assert_eq!(run(program!(), folder.path(), &["check", "new/site/site.toml"]).code, Some(0));
}

#[test]
fn init_overwrites_nothing_and_leaves_nothing_half_done() {
    for (there, named) in [("site.toml", "site.toml"), ("public/index.html", "public/index.html")] {
        let folder = Folder::empty();
        folder.write(there, "precious");
        let before = folder.list();
        let ended = run(program!(), folder.path(), &["init"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        assert!(
            ended.stderr.contains(&format!("{named} is there already, and is left as it is")),
            "{}",
            ended.stderr
        );
        assert_eq!((folder.list(), folder.read(there)), (before, "precious".to_owned()));
    }
}

#[test]
fn init_follows_no_link_that_leads_elsewhere() {
    let folder = Folder::empty();
    symlink("elsewhere.toml", folder.at("site.toml")).unwrap();
    let ended = run(program!(), folder.path(), &["init"]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(folder.list(), ["site.toml"]);
}

#[test]
fn init_says_what_is_in_the_way_of_a_folder() {
    let folder = Folder::empty();
    folder.write("public", "a file");
    let ended = run(program!(), folder.path(), &["init"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("public/index.html failed"), "{}", ended.stderr);
    assert_eq!(folder.list(), ["public"]);
}

#[test]
fn init_leaves_nothing_behind_on_a_disk_that_is_full() {
    let folder = Folder::empty();
    // No file may grow beyond 1 KiB: the site file does not fit, and the error comes in the midst of writing.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" init inner"]).arg(program!());
    let ended = Site::spawn(command, &folder).ends();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("writing inner/site.toml failed"), "{}", ended.stderr);
    assert!(folder.list().is_empty(), "{:?}", folder.list());
}

#[test]
fn help_and_version_go_to_standard_output_with_status_0() {
    for arguments in
        [&["--help"][..], &["-h"], &["help"], &["run", "--help"], &["check", "--help"], &["init", "--help"]]
    {
        let (folder, ended) = in_empty(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ended.stdout.contains("Usage:"), "{arguments:?}: {}", ended.stdout);
        assert!(folder.list().is_empty());
    }
    let (_, ended) = in_empty(&["--version"]);
    let version = format!("sitebus {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ended.code, ended.stdout), (Some(0), version));
}

#[test]
fn a_program_of_ones_own_speaks_of_itself() {
    let (folder, sitebus) = (Folder::empty(), env!("CARGO_PKG_VERSION"));
    fs::copy(own_program!(), folder.at("shop")).unwrap();
    for (program, name) in [(own_program!(), "own-program-under-test"), (&folder.at("shop"), "shop")] {
        let version = run(program, folder.path(), &["--version"]).stdout;
        assert_eq!(version, format!("{name} made with sitebus {sitebus}\n"));
        let help = run(program, folder.path(), &["--help"]).stdout;
        assert!(help.contains(&format!("Usage: {name} <COMMAND>")), "{help}");
        let help = run(program, folder.path(), &["run", "--help"]).stdout;
        assert!(help.contains(&format!("Usage: {name} run ")), "{help}");
    }
}

#[test]
fn init_of_a_program_of_ones_own_writes_a_site_of_that_program() {
    let folder = Folder::empty();
    let ended = run(own_program!(), folder.path(), &["init"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with("\nnext: own-program-under-test run\n"), "{}", ended.stdout);
    assert!(folder.read("site.toml").contains("own-program-under-test check "));
    let site = Site::start_with(own_program!(), &folder, &["run", "--set", r#"http.listen=["127.0.0.1:0"]"#]);
    assert_eq!(site.get("/shop/upload").status, 405, "the application is there");
    site.stop();
}

#[test]
fn a_program_with_other_things_to_do_needs_no_routes_and_then_listens_nowhere() {
    let folder = Folder::empty();
    folder.write("site.toml", "");
    let refused = run(own_program!(), folder.path(), &["check"]);
    assert!(refused.stderr.contains("the site has no routes"), "{}", refused.stderr);

    folder.write("needs-no-routes", "");
    let checked = run(own_program!(), folder.path(), &["check"]);
    assert_eq!(checked.stdout, "site.toml is right: the site 'site' listens nowhere\n", "{}", checked.stderr);
    let site = Site::start(own_program!(), &folder);
    assert_eq!(site.reload(), sitebus_tests::Verdict::Reloaded);
    folder.write("site.toml", "[http]\nlisten = [\"127.0.0.1:0\"]\n");
    assert_eq!(site.reload(), sitebus_tests::Verdict::Refused);
    site.says("a site that does not serve cannot begin to");
    site.signal("USR2".parse().unwrap());
    site.says_times(2, "Bus STARTED");
    assert_eq!(site.get("/").status, 404);
    let ended = site.stop();
    assert_eq!(ended.stderr.matches("listening on").count(), 1, "{}", ended.stderr);
}

#[test]
fn no_command_is_answered_with_the_help_and_status_2() {
    let (_, ended) = in_empty(&[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for command in ["run", "check", "init"] {
        assert!(ended.stderr.contains(&format!("\n  {command} ")), "{}", ended.stderr);
    }
}

#[test]
fn a_slip_of_the_finger_is_refused_with_what_was_meant_and_status_2() {
    for (arguments, says) in [
        (&["rum"][..], "'run'"),
        (&["chek"], "'check'"),
        (&["run", "--sett", "a=b"], "'--set'"),
        (&["check", "--jsn"], "'--json'"),
        (&["run", "a", "b"], "unexpected argument 'b'"),
        (&["run", "--set"], "a value is required"),
    ] {
        let (folder, ended) = in_empty(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
        assert!(folder.list().is_empty());
    }
}

#[test]
fn arguments_that_are_no_text_are_refused_or_taken_but_never_fatal() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let odd = OsStr::from_bytes(b"\xff\xfe.toml");
    let folder = Folder::small();
    fs::copy(folder.at("site.toml"), folder.path().join(odd)).unwrap();
    let spawn = |arguments: &[&OsStr]| {
        let mut command = Command::new(program!());
        command.args(arguments);
        Site::spawn(command, &folder)
    };
    let ended = spawn(&[OsStr::new("check"), odd]).ends();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let ended = spawn(&[OsStr::new("check"), OsStr::new("--set"), odd]).ends();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let site = spawn(&[OsStr::new("run"), odd]).is_up();
    assert_eq!(site.get("/").status, 200);
    site.stop();
    let state: Vec<String> = folder.list().into_iter().filter(|name| name.starts_with(".sitebus/")).collect();
    assert!(state.iter().all(|name| name.is_ascii()), "{state:?}");
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let folder = Folder::small();
    for arguments in [&["check"][..], &["--help"], &["init", "new"]] {
        let mut command = Command::new("sh");
        // true(1) ends without reading.
        command
            .args(["-c", "(\"$0\" \"$@\"; echo \"status $?\" >&2) | true"])
            .arg(program!())
            .args(arguments);
        let ended = Site::spawn(command, &folder).ends();
        assert!(ended.stderr.contains("status 0"), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

#[test]
fn a_current_folder_that_is_gone_does_not_matter_to_a_whole_path() {
    let (folder, gone) = (Folder::small(), Folder::empty());
    fs::create_dir(gone.at("gone")).unwrap();
    let mut command = Command::new("sh");
    let file = folder.at("site.toml");
    let script = format!("cd gone && rmdir ../gone && exec \"$0\" run {}", Path::new(&file).display());
    command.args(["-c", &script]).arg(program!());
    let site = Site::spawn(command, &gone).is_up();
    assert_eq!(site.get("/").status, 200);
    assert_eq!(site.reload(), sitebus_tests::Verdict::Reloaded);
    site.signal("USR2".parse().unwrap());
    site.says("not restarted: everything goes on as it was");
    assert_eq!(site.get("/").status, 200);
    site.stop();
}

#[test]
fn an_empty_environment_is_enough() {
    let folder = Folder::small();
    let mut command = Command::new(program!());
    command.arg("run").env_clear();
    let site = Site::spawn(command, &folder).is_up();
    assert_eq!(site.get("/").status, 200);
    site.stop();
}
