//! `status` and `timings`: how a site is, told in every state, to whoever may know, and whatever its file looks like by now.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sitebus_testkit::left_out;
use sitebus_tests::{Ended, Folder, SOON, Site, as_an_ordinary_user, own_program, program, run, wait_until};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn ask(folder: &Folder, arguments: &[&str]) -> Ended {
    run(program!(), folder.path(), arguments)
}

#[test]
fn a_running_site_says_how_it_is() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let told = ask(&folder, &["status"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    let first = format!("the site 'site' is STARTED, process {}\n", site.child().id());
    assert!(told.stdout.starts_with(&first), "{}", told.stdout);
    assert!(told.stdout.contains(&format!("\n  listens on  http://{}\n", site.address())), "{}", told.stdout);
    let version = format!("\n  version     {}\n", env!("CARGO_PKG_VERSION"));
    assert!(told.stdout.contains(&version), "{}", told.stdout);

    let told = ask(&folder, &["status", "--json"]);
    assert_eq!((told.code, told.stderr.as_str(), told.stdout.lines().count()), (Some(0), "", 1));
    let told = json(&told);
    assert_eq!(
        (&told["command"], &told["result"], &told["status"]),
        (&"status".into(), &"done".into(), &0.into())
    );
    assert_eq!(told["data"]["pid"], site.child().id());
    assert_eq!(told["data"]["listening"][0], format!("http://{}", site.address()));
    site.stop();
}

#[test]
fn it_tells_of_reloads_that_were_taken_up_and_of_the_last_one_if_it_was_refused() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    assert_eq!(ask(&folder, &["reload"]).code, Some(0));
    folder.site("[http]\nlisten = [\"127.0.0.1:0\"]\n[lgo]\n");
    assert_eq!(ask(&folder, &["reload"]).code, Some(1));
    let told = ask(&folder, &["status"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("\n  reloaded    1 time\n"), "{}", told.stdout);
    assert!(told.stdout.contains("there is no section `lgo`"), "{}", told.stdout);
    site.stop();
}

#[test]
fn timings_are_told_slowest_first() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let told = ask(&folder, &["timings"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains(" listeners, slowest first\n"), "{}", told.stdout);
    let http = told.stdout.lines().find(|line| line.ends_with("start   http")).unwrap();
    assert!(http.contains(" ms "), "{http}");
    let told = json(&ask(&folder, &["timings", "--json"]));
    let took: Vec<u64> =
        told["data"].as_array().unwrap().iter().map(|timing| timing["took_us"].as_u64().unwrap()).collect();
    assert!(!took.is_empty() && took.is_sorted_by(|a, b| a >= b), "{took:?}");
    site.stop();
}

#[test]
fn a_site_that_does_not_run_is_status_4_whatever_it_left_behind() {
    let folder = Folder::small();
    let not_running = |why: &str| {
        for command in ["status", "stop", "reload", "restart", "reopen", "timings"] {
            let told = ask(&folder, &[command]);
            assert_eq!((told.code, told.stdout.as_str()), (Some(4), ""), "{command}, {why}: {}", told.stderr);
            assert!(told.stderr.starts_with("error: the site 'site' is not running: "), "{}", told.stderr);
            assert!(told.stderr.contains(why), "{}", told.stderr);
            let told = ask(&folder, &[command, "--json"]);
            assert_eq!((told.code, told.stderr.as_str()), (Some(4), ""));
            assert_eq!(json(&told)["result"], "not-running");
        }
    };
    not_running("there is no control socket");
    assert!(!folder.list().iter().any(|name| name.starts_with(".sitebus")), "{:?}", folder.list());

    let site = Site::start(program!(), &folder);
    let socket = folder.at(".sitebus/site/control.sock");
    assert!(socket.exists());
    site.signal("KILL".parse().unwrap());
    assert_eq!(site.ends().code, None);
    assert!(socket.exists(), "a killed site leaves its socket");
    not_running("nobody listens");
    Site::start(program!(), &folder).stop();
    assert!(!socket.exists());
}

#[test]
fn a_file_that_is_wrong_elsewhere_still_finds_its_site() {
    let folder = Folder::small();
    folder.site("[site]\nname = \"shop\"\nstate = \"run\"\n[http]\nlisten = [\"127.0.0.1:0\"]\n");
    let site = Site::start(program!(), &folder);
    folder.write("site.toml", "[site]\nname = \"shop\"\nstate = \"run\"\ncolour = 5\n[htp]\n");
    let told = ask(&folder, &["status"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    // What is no TOML is said, and the site is found all the same.
    folder.write("site.toml", "[site]\nname = \"shop\"\nstate = \"run\"\n[http\nlisten = [\n");
    let told = ask(&folder, &["status"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains("site.toml:4"), "{}", told.stderr);
    assert!(told.stderr.contains("name its folder with --state"), "{}", told.stderr);
    let stopped = ask(&folder, &["stop"]);
    assert_eq!(
        (stopped.code, stopped.stdout.as_str()),
        (Some(0), "the site has exited\n"),
        "{}",
        stopped.stderr
    );
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn a_file_that_is_gone_finds_its_site_by_its_place_and_the_state_folder_always_does() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    fs::remove_file(folder.at("site.toml")).unwrap();
    let told = ask(&folder, &["status"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stderr.contains("there is no site file `site.toml`"), "{}", told.stderr);
    for file in [&["status", "elsewhere.toml"][..], &["status", "elsewhere.toml", "--json"]] {
        let told = ask(&folder, file);
        assert_eq!(told.code, Some(2), "{told:?}");
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(said.contains("there is no site file `elsewhere.toml`"), "{said}");
        assert!(said.contains("--state"), "{said}");
    }
    let told = ask(&folder, &["status", "elsewhere.toml", "--state", ".sitebus/site"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert_eq!(ask(&folder, &["stop", "--state", ".sitebus/site"]).code, Some(0));
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn a_site_that_was_started_with_overrides_is_found_with_the_same() {
    let folder = Folder::small();
    let site = Site::start_with(program!(), &folder, &["run", "--set", "site.name=blog"]);
    assert_eq!(ask(&folder, &["status"]).code, Some(4));
    let told = ask(&folder, &["status", "--set", "site.name=blog"]);
    assert!(told.stdout.starts_with("the site 'blog' is STARTED"), "{told:?}");
    site.stop();
}

#[test]
fn it_answers_while_a_start_and_a_stop_hang() {
    let folder = Folder::small();
    for fifo in ["hang-at-start", "hang-at-stop"] {
        assert!(Command::new("mkfifo").arg(folder.at(fifo)).status().unwrap().success());
    }
    let release = |fifo: &str| fs::write(folder.at(fifo), "").unwrap();
    let state = || json(&run(own_program!(), folder.path(), &["status", "--json"]))["data"]["state"].clone();
    let mut command = Command::new(own_program!());
    command.arg("run");
    let site = Site::spawn(command, &folder);
    site.says("hang-at-start");
    assert_eq!(state(), "STARTING");
    release("hang-at-start");
    let site = site.is_up();
    let asked = run(own_program!(), folder.path(), &["stop", "--no-wait"]);
    assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "the site was asked for a stop\n"));
    site.says("hang-at-stop");
    let told = run(own_program!(), folder.path(), &["status"]);
    assert!(told.stdout.contains("is STOPPING"), "{told:?}");
    assert!(told.stdout.contains("asked by the command stop"), "{told:?}");
    let late = run(own_program!(), folder.path(), &["stop", "--timeout", "200ms"]);
    assert_eq!((late.code, late.stdout.as_str()), (Some(3), ""), "{late:?}");
    assert!(late.stderr.contains("error: timed out: stop had not been done"), "{}", late.stderr);
    release("hang-at-stop");
    assert_eq!(site.ends().code, Some(0));
}

#[test]
fn a_site_that_is_frozen_is_status_3_and_so_is_one_that_does_not_speak() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    site.signal("STOP".parse().unwrap());
    let told = ask(&folder, &["status", "--timeout", "200ms"]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stderr.contains("did not answer in time"), "{}", told.stderr);
    site.signal("CONT".parse().unwrap());
    site.stop();

    fs::create_dir_all(folder.at("mute")).unwrap();
    let _mute = UnixListener::bind(folder.at("mute/control.sock")).unwrap();
    let told = ask(&folder, &["reload", "--state", "mute", "--timeout", "200ms", "--json"]);
    assert_eq!((told.code, &json(&told)["result"]), (Some(3), &"timed-out".into()));
}

#[test]
fn the_site_of_another_user_may_not_be_asked() {
    let folder = Folder::small();
    let root = Site::start(program!(), &folder);
    let Some(words) = as_an_ordinary_user(program!(), &folder).filter(|words| words[0] == "setpriv") else {
        return left_out("only root can have another user ask");
    };
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments);
        Site::spawn(command, &folder).ends()
    };
    for command in ["status", "stop"] {
        let told = as_nobody(&[command]);
        assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{told:?}");
        assert!(told.stderr.contains("be root, or the user that the site runs as"), "{}", told.stderr);
    }
    let told = as_nobody(&["status", "--json"]);
    assert_eq!((told.code, &json(&told)["result"]), (Some(1), &"denied".into()));
    assert_eq!(root.get("/").status, 200);
    root.stop();
}

#[test]
fn a_site_that_has_dropped_its_privileges_hears_root_and_the_user_that_it_is_now() {
    let folder = Folder::small();
    let Some(words) = as_an_ordinary_user(program!(), &folder).filter(|words| words[0] == "setpriv") else {
        return left_out("only root can drop privileges");
    };
    let program = Path::new(words.last().unwrap());
    let file = folder.read("site.toml");
    folder.write("site.toml", format!("{file}[privileges]\nuser = \"nobody\"\n"));
    let site = Site::start(program, &folder);
    let as_nobody = |command: &str| {
        let mut asking = Command::new(&words[0]);
        asking.args(&words[1..]).arg(command);
        Site::spawn(asking, &folder).ends()
    };
    for command in ["status", "reload", "restart", "reopen", "status"] {
        let (root, nobody) = (run(program, folder.path(), &[command]), as_nobody(command));
        assert_eq!((root.code, nobody.code), (Some(0), Some(0)), "{command}: {root:?} {nobody:?}");
    }
    assert_eq!(as_nobody("stop").code, Some(0));
    assert_eq!(site.ends().code, Some(0));
    assert!(!folder.at(".sitebus/site/control.sock").exists());
}

#[test]
fn a_site_whose_socket_was_removed_is_told_from_one_that_does_not_run() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    fs::remove_file(folder.at(".sitebus/site/control.sock")).unwrap();
    let told = ask(&folder, &["stop", "--timeout", "300ms"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""), "{told:?}");
    let who = format!("error: the site 'site' is process {}, but nobody listens", site.child().id());
    assert!(told.stderr.starts_with(&who), "{}", told.stderr);
    assert!(told.stderr.contains("SIGTERM"), "{}", told.stderr);
    site.stop();
}

#[test]
fn a_hostile_peer_at_the_door_harms_neither_the_site_nor_others_who_ask() {
    let folder = Folder::small();
    let site = Site::start(program!(), &folder);
    let door = folder.at(".sitebus/site/control.sock");
    let knock = || {
        let stream = UnixStream::connect(&door).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream
    };
    let silent: Vec<UnixStream> = (0..10).map(|_| knock()).collect();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 64], b"{\"version\":1,\"command\":\"status\"", b"\n\n\n"]
    {
        let mut peer = knock();
        let _ = peer.write_all(garbage);
        let _ = peer.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = peer.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.contains("\"invalid\""), "{answer}");
    }
    let mut endless = knock();
    let flood = vec![b'['; 1024 * 1024];
    let _ = endless.write_all(&flood); // it is cut off
    assert_eq!(ask(&folder, &["status"]).code, Some(0));
    assert_eq!(ask(&folder, &["reload"]).code, Some(0));
    assert_eq!(site.get("/").status, 200);
    drop((silent, endless));
    assert_eq!(ask(&folder, &["stop"]).code, Some(0));
    assert_eq!(site.ends().code, Some(0));
    wait_until("the end of the socket", || (!door.exists()).then_some(()));
}
