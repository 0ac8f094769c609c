//! Restarts by execve(2), under load: every client that connects is answered. A `main` of its own: this program executes
//! itself.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use sitebus_bus::{Bus, topics};
use sitebus_http::{Body, Http, Request, Response};
use sitebus_os::alone::Alone;
use sitebus_os::image::Image;
use sitebus_os::parcel::{Inherited, Item};
use sitebus_testkit::{Child, Load, own_main, tests};

const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: u32 = 20;

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("serve") {
        serve();
        return ExitCode::SUCCESS;
    }
    own_main::run(tests![every_client_that_connects_is_answered_over_twenty_restarts])
}

/// A site that says how often it was restarted, and restarts when it is asked to.
#[expect(clippy::print_stdout, reason = "what the test waits for")]
fn serve() {
    let image = Image::capture().unwrap();
    let inherited = Inherited::receive(&Alone::claim().unwrap()).unwrap();
    let round = inherited.take("round", "").map_or(0, |item| item.data()[0]);
    let bus = Bus::new("site");
    let asks = bus.handle();
    let _server = Http::new("http")
        .listen("127.0.0.1:0")
        .unwrap()
        .inherit(&inherited)
        .answer(move |request: Request<Body>| {
            if request.uri().path() == "/restart" {
                drop(asks.ask_restart("a visitor"));
            }
            Response::new(round.to_string().into())
        })
        .subscribe(&bus)
        .unwrap();
    let tell = |url: &str| println!("{url}");
    bus.on(topics::LISTENING).unwrap().subscribe("test", tell);
    bus.restart_by(move |_, handed| {
        let mut items = handed.take::<Item>();
        items.push(Item::new("round", "").with_data([round + 1]));
        image.execute(items).0.into()
    });
    bus.start().unwrap();
    let exit = bus.block();
    panic!("{exit}");
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

fn every_client_that_connects_is_answered_over_twenty_restarts() {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("serve");
    let site = Child::spawn(command).unwrap();
    let line = site.wait_for_line("http://", PATIENCE).unwrap();
    let address: SocketAddr = line.strip_prefix("http://").unwrap().parse().unwrap();

    let load = Load::new(address).close_each().connections(4).requests(u64::MAX).within(PATIENCE).start();
    load.wait_for_answers(100, PATIENCE).unwrap();
    let began = Instant::now();
    for round in 0..ROUNDS {
        assert_eq!(get(address, "/restart"), round.to_string());
        let next = (round + 1).to_string();
        while get(address, "/") != next {
            assert!(began.elapsed() < PATIENCE, "restart {next} did not happen: {:?}", site.output());
        }
    }
    let report = load.stop();
    assert_eq!(report.lost(), 0, "{report}: {:?}", site.output());
    assert!(report.answered > 100, "{report}");
    assert!(site.stdout().lines().iter().all(|told| *told == line), "all of them on the same port");
}
