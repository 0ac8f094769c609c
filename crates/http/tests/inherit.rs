//! Listeners that outlive a bus: kept by the stop of a restart, handed on at the exit, taken over by the next server.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;

use sitebus_bus::{Bus, Exit, Priority, SettingsMap};
use sitebus_http::{Http, HttpService, Inherited, Response, Server, Settings};
use sitebus_serve::{Item, Listener};
use support::{Client, PATIENCE, record};

/// A server whose answer is its number.
fn number(number: u32) -> Http<impl HttpService> {
    Http::new("http").answer(move |_| Response::new(number.to_string().into()))
}

fn site(number_of: u32, listen: &[&str], inherited: &Inherited) -> (Bus, Server) {
    let bus = Bus::new("site");
    let mut http = number(number_of).inherit(inherited);
    for address in listen {
        http = http.listen(address).unwrap();
    }
    let server = http.subscribe(&bus).unwrap();
    bus.start().unwrap();
    (bus, server)
}

/// A restart whose exec fails: what was handed on comes back.
fn restart(bus: &Bus) -> Inherited {
    let (sender, handed) = mpsc::channel();
    bus.restart_by(move |_, handed_on| {
        sender.send(handed_on.take::<Item>()).unwrap();
        anyhow::anyhow!("there is no other image")
    });
    bus.restart().unwrap();
    assert!(bus.block().to_string().contains("there is no other image"));
    let inherited = Inherited::nothing();
    inherited.put(handed.recv().unwrap());
    inherited
}

fn address(server: &Server) -> SocketAddr {
    server.addresses()[0].tcp().unwrap()
}

fn unix(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn get_unix(path: &Path) -> String {
    Client::over(UnixStream::connect(path).unwrap()).get("/").text().to_owned()
}

#[test]
fn who_connects_between_two_servers_is_answered_by_the_second() {
    let (bus, server) = site(1, &["127.0.0.1:0"], &Inherited::nothing());
    let here = address(&server);
    assert_eq!(Client::connect(here).get("/").text(), "1");
    let inherited = restart(&bus);
    let mut between = Client::connect(here);
    between.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let (_second, server) = site(2, &["127.0.0.1:0"], &inherited);
    assert_eq!(between.answer().text(), "2");
    assert_eq!(address(&server), here);
    assert!(inherited.left().is_empty());
}

#[test]
fn listeners_go_from_server_to_server_as_often_as_one_likes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listen = ["127.0.0.1:0", &unix(&path), "[::1]:0"];
    let (mut bus, server) = site(0, &listen, &Inherited::nothing());
    let here = server.addresses();
    for round in 1..10 {
        let inherited = restart(&bus);
        assert!(path.exists());
        let (next, server) = site(round, &listen, &inherited);
        assert_eq!(server.addresses(), here);
        assert_eq!(get_unix(&path), round.to_string());
        bus = next;
    }
    bus.exit().unwrap();
    assert!(!path.exists(), "the last one removes the file that the first one has made");
    assert!(TcpStream::connect(here[0].tcp().unwrap()).is_err());
}

#[test]
fn a_plain_exit_that_overrules_the_restart_closes_the_listeners() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let (bus, server) = site(1, &["127.0.0.1:0", &unix(&path)], &Inherited::nothing());
    let here = address(&server);
    let asks = bus.handle();
    let plugin = bus.plugin("visitor");
    plugin.on_stop(Priority::new(90), move |_| {
        TcpStream::connect(here).unwrap();
        drop(asks.ask_exit(Exit::success("a visitor")));
    });
    let _ = bus.restart();
    assert!(!bus.block().is_restart());
    assert!(TcpStream::connect(here).is_err() && !path.exists());
}

#[test]
fn a_restart_before_the_server_has_started_hands_on_what_waits_for_it() {
    let (bus, server) = site(1, &["127.0.0.1:0"], &Inherited::nothing());
    let here = address(&server);
    let inherited = restart(&bus);
    let second = Bus::new("site");
    let _server = number(2).listen("127.0.0.1:0").unwrap().inherit(&inherited).subscribe(&second).unwrap();
    let inherited = restart(&second);
    let (_third, server) = site(3, &["127.0.0.1:0"], &inherited);
    assert_eq!(address(&server), here);
}

#[test]
fn what_the_new_settings_do_not_want_is_left_and_can_be_closed() {
    let (bus, server) = site(1, &["127.0.0.1:0", "[::1]:0"], &Inherited::nothing());
    let six = server.addresses()[1].tcp().unwrap();
    let inherited = restart(&bus);
    let (_second, _server) = site(2, &["127.0.0.1:0"], &inherited);
    assert_eq!(inherited.left().len(), 1);
    drop(Listener::left(&inherited));
    assert!(TcpStream::connect(six).is_err());
}

#[test]
fn an_address_that_overlaps_with_an_inherited_one_takes_its_place() {
    let (bus, server) = site(1, &["127.0.0.1:0"], &Inherited::nothing());
    let port = address(&server).port();
    let inherited = restart(&bus);
    let (_second, server) = site(2, &[&format!("0.0.0.0:{port}")], &inherited);
    assert_eq!(address(&server).to_string(), format!("0.0.0.0:{port}"));
    assert_eq!(Client::connect(([127, 0, 0, 1], port).into()).get("/").text(), "2");
}

fn given(name: &str) -> (TcpListener, Inherited) {
    let manager = TcpListener::bind("127.0.0.1:0").unwrap();
    let inherited = Inherited::nothing();
    let copy = Listener::given(name, manager.try_clone().unwrap()).unwrap();
    inherited.put([copy.into_item()]);
    (manager, inherited)
}

#[test]
fn a_socket_of_the_service_manager_stays_open_over_a_stop() {
    let (manager, inherited) = given("web");
    let here = manager.local_addr().unwrap();
    drop(manager); // as if it held none: what is kept must be our own
    let (bus, server) = site(1, &["systemd:web"], &inherited);
    assert_eq!((address(&server), Client::connect(here).get("/").text()), (here, "1"));
    bus.stop().unwrap();
    let mut waits = Client::connect(here);
    waits.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    bus.start().unwrap();
    assert_eq!(waits.answer().text(), "1");
    bus.exit().unwrap();
    assert!(TcpStream::connect(here).is_err());
}

#[test]
fn a_socket_of_the_service_manager_goes_and_comes_back_with_reloads_and_restarts() {
    let (manager, inherited) = given("web");
    let here = manager.local_addr().unwrap();
    let (bus, server) = site(1, &["127.0.0.1:0", "systemd:web"], &inherited);
    let settings = |listen: &[&str]| {
        let mut settings = Settings::default();
        settings.listen = listen.iter().map(|text| text.parse().unwrap()).collect();
        SettingsMap::new().with(settings)
    };
    bus.ask_graceful(settings(&["127.0.0.1:0"])).wait_for(PATIENCE).unwrap();
    assert_eq!(server.addresses().len(), 1);
    let refused = bus.ask_graceful(settings(&["127.0.0.1:0", "systemd:web", "systemd:admin"]));
    let said = refused.wait_for(PATIENCE).unwrap_err().to_string();
    assert!(said.contains("systemd:admin"), "{said}");
    bus.ask_graceful(settings(&["127.0.0.1:0", "systemd:web"])).wait_for(PATIENCE).unwrap();
    assert_eq!(Client::connect(here).get("/").text(), "1");

    let inherited = restart(&bus);
    let (_second, server) = site(2, &[&here.to_string()], &inherited);
    assert_eq!((address(&server), Client::connect(here).get("/").text()), (here, "2"));
}

#[test]
fn a_name_that_did_not_come_fails_the_start_and_names_those_that_did() {
    let (_manager, inherited) = given("web");
    let bus = Bus::new("site");
    let log = record(&bus);
    let http = number(1).listen("systemd:admin").unwrap().inherit(&inherited);
    let _server = http.subscribe(&bus).unwrap();
    let said = bus.start().unwrap_err().to_string();
    assert!(said.contains("systemd:admin") && said.contains("but web;"), "{said}");
    drop(log);
}

#[test]
fn the_socket_of_the_manager_is_not_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let inherited = Inherited::nothing();
    let manager = UnixListener::bind(&path).unwrap();
    inherited.put([Listener::given("web", manager.try_clone().unwrap()).unwrap().into_item()]);
    let (bus, _server) = site(1, &["systemd:web"], &inherited);
    assert_eq!(get_unix(&path), "1");
    bus.exit().unwrap();
    assert!(path.exists());
    UnixStream::connect(&path).unwrap();
}
