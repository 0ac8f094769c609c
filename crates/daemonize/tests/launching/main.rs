//! A launcher tells the truth about its daemon: as a shell, or a service manager, sees both.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![cfg(target_os = "linux")]

mod launched;
mod site;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::ExitCode;

use launched::{Launched, is_root, plan};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitPidFlag, waitpid};
use sitebus_os::signal::Signal;
use sitebus_testkit::own_process::ended_by;
use sitebus_testkit::window::Window;
use sitebus_testkit::{own_main, tests};

fn main() -> ExitCode {
    if let Some(status) = site::run() {
        return status;
    }
    // Daemons become children of this process, which can then wait for them.
    set_child_subreaper(true).unwrap();
    let status = own_main::run(tests![
        the_launcher_returns_when_the_bus_is_started,
        a_failed_start_is_the_launchers_message_and_status,
        a_failure_is_passed_on_even_if_the_program_says_nothing,
        a_panic_is_passed_on,
        an_exit_before_started_is_a_failure_with_its_code,
        a_crash_before_started_names_the_signal,
        a_status_before_started_is_told_with_what_was_written,
        success_without_started_is_a_failure,
        a_start_that_takes_too_long_is_ended,
        an_interrupt_ends_the_daemon_and_then_the_launcher,
        a_second_interrupt_kills_it,
        a_launcher_that_is_killed_leaves_the_daemon_alone,
        the_daemon_has_no_terminal_and_outlives_the_one_it_was_started_from,
        a_terminal_that_is_closed_meanwhile_ends_the_start,
        the_streams_are_null_and_the_log_file,
        the_log_file_is_opened_anew,
        a_reload_may_name_another_log_file_and_nothing_else,
        a_relative_log_file_stays_where_it_was_when_the_directory_changes,
        who_is_not_root_any_more_opens_its_own_log_file_anew,
        a_log_file_that_cannot_be_is_told_before_anything_has_begun,
        umask_and_directory_change_only_if_told_to,
        a_process_leaves_its_terminal_once,
        after_a_restart_the_same_process_is_the_daemon,
        threads_are_listed_and_refused,
        a_service_manager_that_expects_the_foreground_is_named,
        a_limit_on_processes_is_named,
        nohup_and_ignored_children_change_nothing,
    ]);
    assert_eq!(
        waitpid(None, Some(WaitPidFlag::WNOHANG)),
        Err(nix::Error::ECHILD),
        "a process was left behind"
    );
    status
}

fn the_launcher_returns_when_the_bus_is_started() {
    let mut site = Launched::start(plan("starts"));
    assert_eq!(site.end(), (Some(0), String::new()));
    assert_eq!(site.fact("pid"), site.daemon().to_string());
    site.await_fact("pipes", ""); // the line to the launcher is closed once all is told
    assert_eq!(site.fact("blocked"), "0000000000000000");
    site.ask("exit");
    assert_eq!(site.daemons_end().code(), Some(0));
}

fn a_failed_start_is_the_launchers_message_and_status() {
    let mut site = Launched::start(plan("fails"));
    let (status, errors) = site.end();
    assert_eq!(status, Some(1));
    assert!(errors.contains("'site' failed on 'start': the port is taken"), "{errors}");
    site.has_no_daemon();
}

fn a_failure_is_passed_on_even_if_the_program_says_nothing() {
    let mut site = Launched::start(plan("fails in silence"));
    let (status, errors) = site.end();
    assert_eq!(status, Some(1));
    assert!(errors.contains("'site' failed to start") || errors.contains("the port is taken"), "{errors}");
}

fn a_panic_is_passed_on() {
    let (status, errors) = Launched::start(plan("panics")).end();
    assert_eq!(status, Some(1));
    assert!(errors.contains("the port fell off"), "{errors}");
}

fn an_exit_before_started_is_a_failure_with_its_code() {
    let (status, errors) = Launched::start(plan("is told to exit")).end();
    assert_ne!(status, Some(0));
    assert!(errors.contains("exit with code 9 asked by the test"), "{errors}");
}

fn a_crash_before_started_names_the_signal() {
    for (crash, number, name) in
        [("crashes", 6, "SIGABRT (6)"), ("crashes before the bus", 11, "SIGSEGV (11)")]
    {
        let mut site = Launched::start(plan(crash));
        let (status, errors) = site.end();
        assert_eq!(status, Some(128 + number), "{errors}");
        let told =
            format!("the daemon (process {}) was ended by {name} before it was STARTED", site.daemon());
        assert!(errors.contains(&told), "{errors}");
        site.has_no_daemon();
    }
}

fn a_status_before_started_is_told_with_what_was_written() {
    let mut site = Launched::start(plan("exits by itself"));
    let (status, errors) = site.end();
    assert_eq!(status, Some(3), "{errors}");
    assert!(errors.contains("ended with status 3 before it was STARTED; it wrote nothing to "), "{errors}");
    let (status, errors) = Launched::start(plan("gives up")).end();
    assert_eq!(status, Some(1), "{errors}");
    assert!(
        errors.contains("ended with status 1 before it was STARTED; the last that it wrote to"),
        "{errors}"
    );
    assert!(errors.ends_with("\n    site: no database here"), "{errors}");
}

fn success_without_started_is_a_failure() {
    let (status, errors) = Launched::start(plan("ends well too early")).end();
    assert_eq!(status, Some(1), "{errors}");
    assert!(errors.contains("ended with status 0 before it was STARTED"), "{errors}");
}

fn a_start_that_takes_too_long_is_ended() {
    let mut site = Launched::start(plan("overruns"));
    let (status, errors) = site.end();
    assert_eq!(status, Some(3), "{errors}");
    assert!(errors.contains("was not STARTED within 300ms, and was ended; allow it more time"), "{errors}");
    site.has_no_daemon();
}

fn an_interrupt_ends_the_daemon_and_then_the_launcher() {
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP] {
        let mut site = Launched::start(plan("hangs"));
        site.await_file("hangs");
        site.signal(signal);
        let (status, errors) = (site.wait(), site.errors());
        assert_eq!(ended_by(status), Some(signal.number()), "{errors}");
        assert!(
            errors.contains(&format!("was ended before it was STARTED, because of {signal}")),
            "{errors}"
        );
        site.has_no_daemon();
    }
}

fn a_second_interrupt_kills_it() {
    let mut site = Launched::start(plan("hangs on"));
    site.await_file("hangs");
    // As often as it takes: two that come at once are one.
    let status = loop {
        site.signal(Signal::INT);
        if let Some(status) = site.wait_briefly() {
            break status;
        }
    };
    assert_eq!(ended_by(status), Some(Signal::INT.number()));
    site.has_no_daemon();
}

fn a_launcher_that_is_killed_leaves_the_daemon_alone() {
    let mut site = Launched::start(plan("hangs"));
    site.await_file("hangs");
    site.signal(Signal::KILL);
    assert_eq!(ended_by(site.wait()), Some(Signal::KILL.number()));
    site.signal_daemon(Signal::TERM);
    assert_eq!(ended_by(site.daemons_end()), Some(Signal::TERM.number()));
}

/// Only who leads no process group can leave its session, as the test's terminal asks for.
const NO_LEADER: &str = "\"$@\"; exit $?";

fn the_daemon_has_no_terminal_and_outlives_the_one_it_was_started_from() {
    let window = Window::open();
    let mut command = launched::by_shell("starts", NO_LEADER);
    command.env(site::TERMINAL, &window.name);
    let mut site = Launched::start(command);
    assert_eq!(site.end(), (Some(0), String::new()));
    window.close();
    assert_eq!(site.fact("terminal"), "0");
    let (session, pid) = (site.fact("session"), site.fact("pid"));
    assert_ne!(session, pid, "who leads a session gets a terminal by opening one");
    assert_eq!(site.fact("pid"), pid);
}

fn a_terminal_that_is_closed_meanwhile_ends_the_start() {
    let window = Window::open();
    let mut command = launched::by_shell("hangs", NO_LEADER);
    command.env(site::TERMINAL, &window.name);
    let mut site = Launched::start(command);
    site.await_file("hangs");
    window.close();
    let (status, errors) = site.end();
    assert_eq!(status, Some(128 + Signal::HUP.number()), "{errors}");
    site.has_no_daemon();
}

fn the_streams_are_null_and_the_log_file() {
    let mut site = Launched::start(plan("starts"));
    assert_eq!(site.end(), (Some(0), String::new()));
    let log = site.path("site.log");
    assert_eq!(site.fact("input"), "/dev/null");
    assert_eq!(site.fact("output"), log.display().to_string());
    assert_eq!(site.fact("errors"), log.display().to_string());
    assert_eq!(fs::read_to_string(&log).unwrap(), "printed\ncomplained\n");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o640);

    let mut site = Launched::start(plan("prints to nowhere"));
    site.end();
    assert_eq!([site.fact("input"), site.fact("output"), site.fact("errors")], ["/dev/null"; 3]);

    let mut site = Launched::start(plan("keeps its output"));
    assert_eq!(site.wait_for_launcher_alone(), Some(0));
    assert!(site.fact("output").starts_with("pipe:"), "{}", site.fact("output"));
}

fn the_log_file_is_opened_anew() {
    let mut site = Launched::start(plan("starts"));
    site.end();
    let (log, old) = (site.path("site.log"), site.path("site.log.1"));
    fs::rename(&log, &old).unwrap();
    assert_eq!(site.ask("reopen"), "reopened\n");
    assert_eq!(fs::read_to_string(&log).unwrap(), "printed\ncomplained\n");
    assert_eq!(fs::read_to_string(&old).unwrap(), "printed\ncomplained\n");
}

fn a_reload_may_name_another_log_file_and_nothing_else() {
    let mut site = Launched::start(plan("starts"));
    site.end();
    assert_eq!(site.ask("log elsewhere"), "reloaded");
    assert_eq!(fs::read_to_string(site.path("other.log")).unwrap(), "printed\ncomplained\n");
    let veto = site.ask("another umask");
    assert!(veto.contains("how the process left its terminal cannot change while it runs"), "{veto}");
    assert_eq!(site.fact("umask"), "0022");
}

fn a_relative_log_file_stays_where_it_was_when_the_directory_changes() {
    let mut site = Launched::prepare();
    let mut command = plan("logs beside");
    command.current_dir(site.path(""));
    site.launch(command);
    assert_eq!(site.end(), (Some(0), String::new()));
    assert_eq!(site.fact("folder"), "/");
    fs::rename(site.path("site.log"), site.path("site.log.1")).unwrap();
    assert_eq!(site.ask("reopen"), "reopened\n");
    assert_eq!(fs::read_to_string(site.path("site.log")).unwrap(), "printed\ncomplained\n");
}

fn who_is_not_root_any_more_opens_its_own_log_file_anew() {
    if !is_root() {
        return;
    }
    let mut site = Launched::prepare();
    fs::set_permissions(site.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    site.launch(plan("drops root"));
    assert_eq!(site.end(), (Some(0), String::new()));
    assert_eq!(site.ask("reopen"), "reopened\n");
    assert_eq!(fs::read_to_string(site.path("site.log")).unwrap(), "printed\ncomplained\n".repeat(2));
}

fn a_log_file_that_cannot_be_is_told_before_anything_has_begun() {
    let mut site = Launched::start(plan("cannot log"));
    let (status, errors) = site.end();
    assert_eq!(status, Some(1));
    assert!(
        errors.contains("the daemon's log file ") && errors.contains("cannot be opened: No such file"),
        "{errors}"
    );

    let mut site = Launched::prepare();
    fs::write(site.path("elsewhere"), "").unwrap();
    symlink(site.path("elsewhere"), site.path("site.log")).unwrap();
    site.launch(plan("starts"));
    let (status, errors) = site.end();
    assert_eq!(status, Some(1));
    assert!(errors.contains("it is a symbolic link; name the file itself"), "{errors}");
}

fn umask_and_directory_change_only_if_told_to() {
    let here = std::env::current_dir().unwrap().display().to_string();
    let mut site = Launched::start(plan("starts"));
    site.end();
    assert_eq!((site.fact("umask"), site.fact("folder")), ("0022".to_owned(), here));
    let mut site = Launched::start(plan("elsewhere"));
    site.end();
    assert_eq!(
        (site.fact("umask"), site.fact("folder")),
        ("0027".to_owned(), site.path("").display().to_string())
    );
}

fn a_process_leaves_its_terminal_once() {
    let (status, errors) = Launched::start(plan("leaves twice")).end();
    assert_eq!(status, Some(7), "{errors}");
    assert!(
        errors.contains("is a daemon already") && errors.contains("does not become one twice"),
        "{errors}"
    );
}

fn after_a_restart_the_same_process_is_the_daemon() {
    let mut site = Launched::start(plan("elsewhere"));
    assert_eq!(site.end(), (Some(0), String::new()));
    let facts = |site: &Launched| {
        ["pid", "session", "umask", "folder", "input", "output", "errors", "pipes"]
            .map(|name| site.fact(name))
    };
    let before = facts(&site);
    assert_eq!(site.fact("restarted"), "false");
    assert_eq!(site.ask("restart"), "restarts\n");
    site.await_fact("restarted", "true");
    assert_eq!(facts(&site), before);
    site.ask("exit");
    assert_eq!(site.daemons_end().code(), Some(0));
}

fn threads_are_listed_and_refused() {
    let (status, errors) = Launched::start(plan("has a thread")).end();
    assert_eq!(status, Some(1));
    assert!(errors.contains("this process has 2 threads (") && errors.contains("runtime "), "{errors}");
    assert!(errors.contains("do this first in `main`"), "{errors}");
}

fn a_service_manager_that_expects_the_foreground_is_named() {
    let mut command = plan("starts");
    command.env("NOTIFY_SOCKET", "/run/systemd/notify");
    let (status, errors) = Launched::start(command).end();
    assert_eq!(status, Some(1));
    assert!(
        errors.contains("NOTIFY_SOCKET is set") && errors.contains("run it without daemon mode"),
        "{errors}"
    );

    let by_systemd = "INVOCATION_ID=x SYSTEMD_EXEC_PID=$$ exec \"$@\"";
    let (status, errors) = Launched::start(launched::by_shell("starts", by_systemd)).end();
    assert_eq!(status, Some(1));
    assert!(errors.contains("SYSTEMD_EXEC_PID in its environment is its own"), "{errors}");

    let mut site = Launched::start(launched::by_shell("forking service", by_systemd));
    assert_eq!(site.end(), (Some(0), String::new()));
    // What an ancestor was given does not count.
    let mut site = Launched::start(launched::by_shell("starts", "SYSTEMD_EXEC_PID=1 exec \"$@\""));
    assert_eq!(site.end(), (Some(0), String::new()));
}

fn a_limit_on_processes_is_named() {
    if !is_root() {
        return;
    }
    for limited in ["may not fork", "may fork once"] {
        let mut site = Launched::start(plan(limited));
        let (status, errors) = site.end();
        assert_eq!(status, Some(1), "{errors}");
        assert!(errors.contains("no process could be made") && errors.contains("`ulimit -u`"), "{errors}");
        site.has_no_daemon();
    }
}

fn nohup_and_ignored_children_change_nothing() {
    let script = "trap '' HUP CHLD; exec \"$@\"";
    let mut site = Launched::start(launched::by_shell("hangs", script));
    site.await_file("hangs");
    site.signal(Signal::HUP); // ignored, and stays so
    site.signal(Signal::TERM);
    assert_eq!(ended_by(site.wait()), Some(Signal::TERM.number()));
    let (status, errors) = Launched::start(launched::by_shell("exits by itself", script)).end();
    assert_eq!(status, Some(3), "{errors}");
}
