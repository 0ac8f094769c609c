//! Descriptors from a service manager: a `main` of its own, which has one thread and executes itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode, Output};

use sitebus_os::activation::{self, VARIABLES};
use sitebus_os::alone::Alone;
use sitebus_os::descriptors;
use sitebus_testkit::{own_main, tests};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "take") {
        take();
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![
        what_is_for_us_comes_with_its_names,
        what_is_for_somebody_else_is_let_alone,
        what_makes_no_sense_is_refused_with_the_cure,
        what_has_an_owner_here_is_never_taken,
    ])
}

/// Says what it has received, twice: the second time there is nothing.
fn take() {
    let mut out = std::io::stderr();
    let alone = Alone::claim().unwrap();
    match activation::take(&alone) {
        Ok(received) => {
            for received in received {
                let socket = TcpListener::from(received.descriptor);
                write!(out, "{}={} ", received.name, socket.local_addr().unwrap()).unwrap();
            }
        }
        Err(error) => write!(out, "{error}").unwrap(),
    }
    assert!(VARIABLES.iter().all(|name| env::var_os(name).is_none()), "nobody else is to read them");
    assert!(activation::take(&alone).unwrap().is_empty());
    let open = descriptors::open().unwrap();
    let inherited = open.iter().filter(|open| [3, 4].contains(&open.number) && !open.close_on_exec).count();
    write!(out, ";{inherited}").unwrap();
}

/// This program as a manager starts it, with two sockets that listen at 3 and 4, and what it says of them.
fn start(variables: &str, sockets: &[TcpListener; 2]) -> String {
    let script = format!("exec 3<&0 4<&1 0</dev/null 1>&2; {variables} exec \"$0\" take");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(env::current_exe().unwrap());
    let [first, second] = sockets.each_ref().map(|socket| OwnedFd::from(socket.try_clone().unwrap()));
    let Output { status, stderr, .. } = command
        .stdin(first)
        .stdout(second)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{said}");
    said
}

fn sockets() -> [TcpListener; 2] {
    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap())
}

fn what_is_for_us_comes_with_its_names() {
    let sockets = sockets();
    let [first, second] = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let said = start("export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:admin;", &sockets);
    assert_eq!(said, format!("web={first} admin={second} ;0"));
    let said = start("export LISTEN_PID=$$ LISTEN_FDS=2;", &sockets);
    assert_eq!(said, format!("unknown={first} unknown={second} ;0"));
    let said = start("export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=x;", &sockets);
    assert_eq!(said, format!("x={first} ;1"), "what was not handed over is let alone");
    assert_eq!(start("export LISTEN_PID=$$ LISTEN_FDS=0 LISTEN_FDNAMES=;", &sockets), ";2");
}

fn what_is_for_somebody_else_is_let_alone() {
    let sockets = sockets();
    for variables in [
        "",
        "export LISTEN_PID=1 LISTEN_FDS=2;",
        "export LISTEN_PID=me LISTEN_FDS=2;",
        "export LISTEN_FDS=2;",
        "export LISTEN_PID=$$;",
    ] {
        assert_eq!(start(variables, &sockets), ";2", "{variables}");
    }
}

fn what_makes_no_sense_is_refused_with_the_cure() {
    let sockets = sockets();
    for (variables, part) in [
        ("LISTEN_FDS=two", "LISTEN_FDS=\"two\" is for this process, but is not a number"),
        ("LISTEN_FDS=-1", "is not a number of descriptors"),
        ("LISTEN_FDS=2147483647", "is not a number of descriptors"),
        ("LISTEN_FDS=2 LISTEN_FDNAMES=a", "as many names"),
        ("LISTEN_FDS=2 LISTEN_FDNAMES=a:b:c", "as many names"),
        ("LISTEN_FDS=4000", "of the 4000 descriptors that LISTEN_FDS promises, number"),
    ] {
        let said = start(&format!("export LISTEN_PID=$$ {variables};"), &sockets);
        assert!(said.contains(part) && said.contains("unset LISTEN_PID") && said.ends_with(";2"), "{said}");
    }
}

/// As after a restart that has left the variables in the environment: the number is right, the descriptors are others.
fn what_has_an_owner_here_is_never_taken() {
    let owned: Vec<TcpListener> = sockets().into();
    assert!(owned.iter().all(|socket| std::os::fd::AsRawFd::as_raw_fd(socket) >= 3));
    let alone = Alone::claim().unwrap();
    let last = descriptors::open().unwrap().iter().map(|open| open.number).max().unwrap();
    // SAFETY: this process has one thread.
    #[expect(unsafe_code, reason = "as a restart would leave them")]
    unsafe {
        env::set_var("LISTEN_PID", std::process::id().to_string());
        env::set_var("LISTEN_FDS", (last - 2).to_string());
    }
    // The runner may have left descriptors open; those of ours are refused all the same.
    let said = activation::take(&alone).unwrap_err().to_string();
    assert!(said.contains("is in use in this process") || said.contains("is not open"), "{said}");
    assert!(owned.iter().all(|socket| socket.local_addr().is_ok()));
}
