//! Every program of the course runs, and prints what its text promises.
#![allow(missing_docs)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sitebus_testkit::{Child, NotifySocket};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a program to its end, which must be a success, and compares what it printed.
fn prints(program: &str, expected: &[&str]) -> anyhow::Result<()> {
    let child = Child::spawn(Command::new(program))?;
    let status = child.wait(PATIENCE)?;
    assert!(status.success(), "{program}: {status}\n{:?}", child.stderr().lines());
    assert_eq!(child.stdout().lines(), expected, "{program}");
    Ok(())
}

/// The body of an answer to a plain GET.
fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    Ok(body.to_owned())
}

/// The address that a site says it listens on.
fn address(child: &Child) -> anyhow::Result<String> {
    let line = child.wait_for_line(" http://", PATIENCE)?;
    Ok(line.rsplit("http://").next().unwrap_or_default().trim_end_matches('/').to_owned())
}

#[test]
fn hello_says_why_it_ended() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_01_hello"),
        &[
            "the door opens",
            "the bus is STARTED",
            "the door closes",
            "lights out",
            "exit with code 0 asked by closing time",
        ],
    )
}

#[test]
fn priorities_order_a_start_and_a_stop() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_02_priorities"),
        &[
            "start: database",
            "start: cache",
            "start: warm-up, just before the server",
            "start: server",
            "start: privileges, once the ports are bound",
            "stop: server, before what its requests use",
            "stop: cache",
            "stop: database",
        ],
    )
}

#[test]
fn topics_of_ones_own_carry_messages_and_bring_outputs_back() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_03_your_own_topic"),
        &[
            "order 1",
            "order 2",
            "order 3",
            "bookkeeping has 2 and lost 1",
            "coffee costs [6]",
            "but 'list' failed on 'shop.price': coffee is not on the list",
            "channel 'shop.order' has messages u32 and outputs (), but was asked for with messages alloc::string::String \
             and outputs (); use the same Topic constant on both sides, or another name",
        ],
    )
}

#[test]
fn a_plugin_may_veto_a_reload() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_04_your_own_plugin"),
        &[
            "heating to 20 degrees",
            "graceful was refused and nothing has changed: 'thermostat' failed on 'graceful': 99 degrees is too hot; the \
             most is 30",
            "off, at 22 degrees",
        ],
    )
}

#[test]
fn an_embedded_bus_leaves_its_program_alone() -> anyhow::Result<()> {
    let child = Child::spawn(Command::new(env!("CARGO_BIN_EXE_05_embedded")))?;
    assert!(child.wait(PATIENCE)?.success());
    let mut lines = child.stdout().lines();
    lines.sort(); // the worker's line comes when it comes
    assert_eq!(lines[0], "2 listeners were timed");
    assert_eq!(lines[1], "another thread saw STARTED");
    assert!(lines[2].starts_with("exit with code 0 asked by examples/05_embedded.rs:"), "{}", lines[2]);
    assert_eq!(lines[3..], ["the bus is STOPPED, the program goes on", "the worker did 3 jobs"]);
    Ok(())
}

#[test]
fn an_embedded_bus_can_be_awaited() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_06_embedded_in_tokio"),
        &["warmed up", "the bus is STARTED", "exit with code 0 asked by all done"],
    )
}

#[test]
fn an_axum_site_answers_and_lets_a_handler_end_it() -> anyhow::Result<()> {
    let child = Child::spawn(Command::new(env!("CARGO_BIN_EXE_07_axum_site")))?;
    let address = address(&child)?;
    assert_eq!(get(&address, "/")?, "Hello from axum\n");
    assert_eq!(get(&address, "/quit")?, "Goodbye\n");
    assert!(child.wait(PATIENCE)?.success());
    Ok(())
}

#[test]
fn a_program_of_ones_own_has_the_site_file_and_its_errors() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("site.toml");
    let text = include_str!("08_your_own_program/site.toml").replace("127.0.0.1:8080", "127.0.0.1:0");
    std::fs::write(&file, &text)?;
    let program = |command: &str, file: &Path| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_08_your_own_program"));
        program.arg(command).arg(file);
        Child::spawn(program)
    };

    let site = program("run", &file)?;
    let address = address(&site)?;
    assert_eq!(get(&address, "/")?, "Welcome to the shop\n");
    assert_eq!(get(&address, "/hours")?, "Nine to five\n");

    std::fs::write(&file, text.replace("Welcome to the shop", "Back again"))?;
    site.signal("HUP".parse()?)?;
    site.wait_for_line("shop: greets anew", PATIENCE)?;
    assert_eq!(get(&address, "/")?, "Back again\n");

    std::fs::write(&file, text.replace("Welcome to the shop\\n", " "))?;
    site.signal("HUP".parse()?)?;
    site.wait_for_line("a shop must greet", PATIENCE)?;
    assert_eq!(get(&address, "/")?, "Back again\n");
    site.signal("TERM".parse()?)?;
    assert!(site.wait(PATIENCE)?.success());

    let checked = program("check", &file)?;
    assert_eq!(checked.wait(PATIENCE)?.code(), Some(2));
    checked.wait_for_line("a shop must greet", PATIENCE)?;
    Ok(())
}

#[test]
fn two_buses_live_in_one_process() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_09_two_buses"),
        &[
            "shop opens",
            "kitchen opens",
            "kitchen closes",
            "the shop is STARTED, the kitchen is STOPPED",
            "kitchen opens",
            "shop closes",
            "kitchen closes",
            "both are gone",
        ],
    )
}

#[test]
fn a_framework_names_its_templates_and_the_site_restarts_when_one_changes() -> anyhow::Result<()> {
    let child = Child::spawn(Command::new(env!("CARGO_BIN_EXE_13_autoreload")))?;
    assert!(child.wait(PATIENCE)?.success());
    let lines = child.stdout().lines();
    let changed = &lines[1];
    assert!(changed.starts_with("changed: [\"page-"), "{changed}");
    assert_eq!(
        [&lines[0], &lines[2], &lines[3]],
        ["the page says: welcome", "a restart was asked for", "the page says: welcome back"]
    );
    Ok(())
}

#[test]
fn a_restart_keeps_the_process_and_its_open_door() -> anyhow::Result<()> {
    let child = Child::spawn(Command::new(env!("CARGO_BIN_EXE_14_restart")))?;
    assert!(child.wait(PATIENCE)?.success(), "{:?}", child.stderr().lines());
    let (lines, process) = (child.stdout().lines(), child.id());
    assert_eq!(lines[0], format!("for the first time with process {process}"));
    assert!(lines[1].starts_with("the door is open at 127.0.0.1:"));
    assert_eq!(lines[2..4], [format!("again with process {process}"), lines[1].clone()]);
    let refusal =
        "restart was refused and nothing has changed: 'owner' failed on 'restart': one restart is enough";
    assert_eq!(lines[4], refusal);
    assert!(lines[5].starts_with("exit with code 0"));
    assert_eq!(lines.len(), 6);
    Ok(())
}

#[test]
fn a_log_has_a_level_for_each_source() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_15_log"),
        &[
            "\"warn,till=debgu\" is not a filter of the log: \"debgu\" is not a level, at column 11: did you mean \"debug\"?",
            " INFO till: a customer",
            "    who writes two lines",
            "DEBUG till: but now",
        ],
    )
}

#[test]
fn a_running_site_is_asked_and_says_the_truth() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_17_control"),
        &[
            "customers: 3",
            "reload: Accepted(\"STARTED\")",
            "reload: status 1, graceful was refused and nothing has changed: 'thermostat' failed on 'graceful': too hot",
            "stop: Accepted(\"STARTED\")",
            "stop: State(\"STOPPING\")",
            "stop: State(\"STOPPED\")",
            "stop: State(\"EXITING\")",
            "stop: status 0, the site has exited",
            "exit with code 0 asked by the command stop",
        ],
    )
}

#[test]
fn a_launcher_tells_the_truth_about_its_daemon() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("shop.log");
    let launch = |day: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_18_daemonize"));
        program.arg(day).arg(&log).env_remove("NOTIFY_SOCKET").env_remove("SYSTEMD_EXEC_PID");
        Child::spawn(program)
    };
    let closed = launch("closed")?;
    assert_eq!(closed.wait(PATIENCE)?.code(), Some(1));
    closed.wait_for_line("closed on Mondays", PATIENCE)?;

    let open = launch("open")?;
    assert!(open.wait(PATIENCE)?.success(), "{:?}", open.stderr().lines());
    assert!(open.stdout().lines()[0].starts_with("the daemon is STARTED as process "));
    let deadline = std::time::Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&log)?.contains("the door opens\nexit with code 0") {
        assert!(std::time::Instant::now() < deadline, "{}", std::fs::read_to_string(&log)?);
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

#[test]
fn root_becomes_somebody_else_and_a_stranger_is_not_known() -> anyhow::Result<()> {
    let run = |user: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_19_privileges"));
        program.arg(user);
        Child::spawn(program)
    };
    let unknown = run("nobdy")?;
    assert_eq!(unknown.wait(PATIENCE)?.code(), Some(1));
    unknown.wait_for_line("there is no user 'nobdy' on this system: did you mean 'nobody'?", PATIENCE)?;

    let shop = run("nobody")?;
    let status = shop.wait(PATIENCE)?;
    if std::fs::File::open("/etc/shadow").is_ok() {
        assert!(status.success(), "{:?}", shop.stderr().lines());
        assert_eq!(
            shop.stdout().lines(),
            ["at first the secret is: open", "from here on it is: Permission denied (os error 13)"]
        );
    } else {
        shop.wait_for_line("start it as root", PATIENCE)?; // without root that is all there is to see
    }
    Ok(())
}

#[test]
fn a_pid_file_is_locked_and_goes_with_its_site() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_11_pidfile"),
        &["the shop has our number: true", "the second shop is refused: true", "the file is gone: true"],
    )
}

#[test]
fn work_in_the_background_ends_with_the_bus() -> anyhow::Result<()> {
    prints(
        env!("CARGO_BIN_EXE_12_tasks"),
        &[
            "the lease is renewed",
            "swept",
            "a connection for thread 1",
            "no connection for thread 1",
            "the lease is given back",
        ],
    )
}

#[test]
fn a_service_manager_hears_of_the_life_of_the_bus() -> anyhow::Result<()> {
    let manager = NotifySocket::in_abstract()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_16_systemd"));
    command.env("NOTIFY_SOCKET", manager.address());
    let child = Child::spawn(command)?;
    assert!(child.wait(PATIENCE)?.success());
    assert_eq!(child.stdout().lines(), ["somebody waits until we are ready: true", "1 address is open"]);
    manager.said().wait_for("STOPPING=1", PATIENCE)?;
    let said = manager.said().lines();
    let words = ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"];
    let told = said.iter().filter_map(|line| words.iter().find(|word| line.starts_with(**word)));
    assert_eq!(told.copied().collect::<Vec<_>>(), words);
    Ok(())
}
