//! A site as a service manager starts it, with a socket that listens at 3, over a restart by execve(2). A `main` of its own:
//! this program has one thread at first, and executes itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use sitebus_bus::Bus;
use sitebus_http::{Body, Http, Request, Response};
use sitebus_os::alone::Alone;
use sitebus_os::image::Image;
use sitebus_os::parcel::{Inherited, Item};
use sitebus_systemd::{Environment, FOR_ONE_IMAGE, Systemd};
use sitebus_testkit::{NotifySocket, own_main, tests};

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "serve") {
        serve(&arguments[1]);
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![
        a_restart_keeps_the_socket_and_the_manager,
        a_site_file_need_not_know_of_the_socket_unit,
        what_is_no_listening_socket_is_refused,
    ])
}

/// A site whose answer is its image's number, and what its environment says of the manager.
fn serve(listen: &str) {
    let image = Image::capture().unwrap().without(&FOR_ONE_IMAGE);
    let alone = Alone::claim().unwrap();
    let inherited = Inherited::receive(&alone).unwrap();
    let number = inherited.take("number", "").map_or(0, |item| item.data()[0]);
    let for_one = FOR_ONE_IMAGE.iter().filter(|name| env::var_os(name).is_some()).count();
    let environment = Environment::take(&alone).unwrap_or_else(|error| panic!("{error}"));
    environment.give_listeners_to(&inherited);
    assert!(env::vars_os().all(|(name, _)| {
        let name = name.to_string_lossy();
        !name.starts_with("LISTEN_") && !name.starts_with("WATCHDOG_") && name != "NOTIFY_SOCKET"
    }));
    let answer =
        format!("image {number}, {for_one} variables, manager: {}", environment.waits_for_readiness());

    let bus = Bus::new("site");
    Systemd::new(&environment).subscribe(&bus);
    let asks = bus.handle();
    let _server = Http::new("http")
        .listen(listen)
        .unwrap()
        .inherit(&inherited)
        .answer(move |request: Request<Body>| {
            match request.uri().path() {
                "/restart" => drop(asks.ask_restart("a visitor")),
                "/exit" => drop(asks.ask_exit(sitebus_bus::Exit::success("a visitor"))),
                _ => {}
            }
            Response::new(answer.clone().into())
        })
        .subscribe(&bus)
        .unwrap();
    bus.restart_by(move |_, handed| {
        let mut items = handed.take::<Item>();
        items.push(Item::new("number", "").with_data([number + 1]));
        image.execute(items).0.into()
    });
    bus.start().unwrap_or_else(|error| panic!("{error}"));
    let exit = bus.block();
    assert!(!exit.is_restart() && exit.code() == 0, "{exit}");
}

/// This program as a service with a socket unit.
fn service(manager: &NotifySocket, socket: impl Into<OwnedFd>, listen: &str) -> Command {
    let mut command = Command::new("sh");
    let script = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web WATCHDOG_PID=$$; exec \"$@\"";
    command.args(["-c", script, "sh"]).arg(env::current_exe().unwrap()).args(["serve", listen]);
    command.env("NOTIFY_SOCKET", manager.address()).env("WATCHDOG_USEC", "60000000");
    command.stdin(Stdio::from(socket.into())).stderr(Stdio::piped());
    command
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

/// Two images, one after the other, and what the manager heard.
fn lives(listen: impl Fn(SocketAddr) -> String) {
    let manager = NotifySocket::in_abstract().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = socket.local_addr().unwrap();
    let mut child = service(&manager, socket, &listen(here)).spawn().unwrap(); // and nobody else has the socket
    manager.hear_only(child.id());
    let said = manager.said();
    said.wait_for("READY=1", PATIENCE).unwrap();
    assert_eq!(get(here, "/restart"), "image 0, 3 variables, manager: true");
    let twice = |lines: &[String]| {
        (lines.iter().filter(|line| line.starts_with("READY=1")).count() == 2).then_some(())
    };
    said.wait_until(PATIENCE, "that the next image is ready", twice).unwrap();
    assert_eq!(get(here, "/exit"), "image 1, 0 variables, manager: true");
    let status = child.wait().unwrap();
    let mut wrote = String::new();
    child.stderr.take().unwrap().read_to_string(&mut wrote).unwrap();
    assert!(status.success(), "{wrote}");
    assert!(
        said.lines().iter().all(|line| !line.contains("refused") && !line.contains("broken")),
        "{said:?}"
    );
    let words: Vec<String> = said
        .lines()
        .iter()
        .flat_map(|line| line.split(' '))
        .filter(|word| ["READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1"].contains(word))
        .map(str::to_owned)
        .collect();
    let life = ["WATCHDOG=1", "READY=1", "RELOADING=1", "WATCHDOG=1", "WATCHDOG=1", "READY=1", "STOPPING=1"];
    assert_eq!(words, life);
}

fn a_restart_keeps_the_socket_and_the_manager() {
    lives(|_| "systemd:web".to_owned());
}

fn a_site_file_need_not_know_of_the_socket_unit() {
    lives(|here| here.to_string());
}

fn what_is_no_listening_socket_is_refused() {
    let manager = NotifySocket::in_abstract().unwrap();
    let file = tempfile::tempfile().unwrap();
    let output = service(&manager, file, "systemd:web").spawn().unwrap().wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("hands over as \"web\" cannot be listened to") && said.contains("Accept=no"),
        "{said}"
    );

    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = service(&manager, socket, "systemd:admin").spawn().unwrap().wait_with_output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("opened no socket of that name, but web;"), "{said}");
}
