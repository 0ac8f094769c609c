//! New settings without losing a request.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use http::Response;

use sitebus_bus::{Bus, SettingsMap};
use sitebus_http::{Address, Http, Settings, SettingsOf};
use support::{Client, PATIENCE, Site, greeter, start, wait_until};

fn any() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

fn settings(listen: impl IntoIterator<Item = Address>) -> Settings {
    let mut settings = Settings::default();
    settings.listen = listen.into_iter().collect();
    settings
}

fn free() -> Address {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().into()
}

fn reload(site: &Site, settings: Settings) {
    site.bus.ask_graceful(SettingsMap::new().with(settings)).wait_for(PATIENCE).unwrap();
}

#[test]
fn a_listener_that_is_added_answers_and_the_others_keep_their_sockets() {
    let site = start(greeter());
    let (first, added) = (site.address(), free());
    let mut kept = site.connect();
    kept.get("/");
    reload(&site, settings([any(), added.clone()]));
    assert_eq!(site.server.addresses(), [Address::from(first), added.clone()]);
    assert_eq!(Client::connect(added.tcp().unwrap()).get("/").text(), "hello");
    assert_eq!(kept.get("/").text(), "hello", "existing connections live on");
    assert_eq!(site.said(&format!("listening on http://{added}")).len(), 1);
}

#[test]
fn a_listener_that_is_removed_is_closed_and_its_connections_live_on() {
    let site = start(greeter().listen(&free().to_string()).unwrap());
    let removed = site.address();
    let mut kept = site.connect();
    kept.get("/");
    reload(&site, settings([any()]));
    assert!(TcpStream::connect(removed).is_err());
    assert_eq!(kept.get("/").text(), "hello");
    assert_ne!(site.address(), removed);
}

#[test]
fn a_free_port_that_goes_and_comes_back_is_there_again_and_stays() {
    let other = free();
    let site = start(greeter());
    let first = site.address();
    reload(&site, settings([other.clone()]));
    for _ in 0..3 {
        reload(&site, settings([other.clone(), any()]));
        assert_eq!(site.server.addresses(), [other.clone(), Address::from(first)]);
        assert_eq!(Client::connect(first).get("/").text(), "hello");
    }
}

#[test]
fn a_reload_after_another_start_keeps_the_free_port() {
    let site = start(greeter());
    let first = site.address();
    site.bus.stop().unwrap();
    site.bus.start().unwrap();
    reload(&site, settings([any()]));
    assert_eq!(site.server.addresses(), [Address::from(first)]);
    assert_eq!(Client::connect(first).get("/").text(), "hello");
}

/// Answered, refused, or lost.
fn try_once(address: SocketAddr) -> Option<bool> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    let mut client = Client::new(stream);
    let sent = client.stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").is_ok();
    Some(sent && client.try_answer().is_some_and(|answer| answer.text() == "hello"))
}

#[test]
fn adding_and_removing_listeners_under_load_loses_no_request() {
    let site = start(greeter());
    let over = AtomicBool::new(false);
    let (fixed, swapped) = (site.address(), free());
    std::thread::scope(|scope| {
        let clients: Vec<_> = [fixed, swapped.tcp().unwrap(), swapped.tcp().unwrap()]
            .into_iter()
            .map(|address| {
                let over = &over;
                scope.spawn(move || {
                    let (mut answered, mut lost) = (0, 0);
                    while !over.load(Ordering::SeqCst) {
                        match try_once(address) {
                            Some(true) => answered += 1,
                            Some(false) => lost += 1,
                            None => std::thread::yield_now(),
                        }
                    }
                    (answered, lost)
                })
            })
            .collect();
        for _ in 0..5 {
            reload(&site, settings([any(), swapped.clone()]));
            for _ in 0..50 {
                assert_eq!(try_once(swapped.tcp().unwrap()), Some(true));
            }
            reload(&site, settings([any()]));
        }
        over.store(true, Ordering::SeqCst);
        for client in clients {
            let (answered, lost) = client.join().unwrap();
            assert!(answered > 0);
            assert_eq!(lost, 0, "of {answered}");
        }
    });
}

#[test]
fn a_taken_port_vetoes_the_reload_and_nothing_changes() {
    let site = start(greeter());
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken, other) = (Address::from(holder.local_addr().unwrap()), free());
    let mut new = settings([other.clone(), taken.clone()]);
    new.access_log = true;
    let refused = site.bus.ask_graceful(SettingsMap::new().with(new)).wait_for(PATIENCE).unwrap_err();
    assert!(format!("{refused:#}").contains(&format!("cannot listen on {taken}")), "{refused:#}");
    assert_eq!(site.connect().get("/").text(), "hello");
    assert!(!site.server.settings().access_log);
    TcpListener::bind(other.tcp().unwrap()).unwrap();
}

#[test]
fn settings_that_cannot_work_veto_the_reload() {
    let site = start(greeter());
    let mut new = settings([any()]);
    new.limits.connections = 0;
    assert!(site.bus.ask_graceful(SettingsMap::new().with(new)).wait_for(PATIENCE).is_err());
    let nowhere = Settings::default();
    assert!(site.bus.ask_graceful(SettingsMap::new().with(nowhere)).wait_for(PATIENCE).is_err());
    assert_eq!(site.connect().get("/").text(), "hello");
}

#[test]
fn new_limits_hold_for_new_connections() {
    let site = start(greeter());
    let mut old = site.connect();
    old.get("/");
    let mut new = settings([any()]);
    new.limits.header_bytes = 256;
    reload(&site, new);
    let long = format!("/{}", "x".repeat(500));
    assert_eq!(old.get(&long).status(), 200);
    assert_eq!(site.connect().get(&long).status(), 431);
}

#[test]
fn a_reload_without_settings_for_it_changes_nothing() {
    let site = start(greeter());
    let address = site.address();
    site.bus.graceful().unwrap();
    assert_eq!(site.address(), address);
}

#[test]
fn settings_for_a_stopped_server_are_taken_up_at_its_start() {
    let site = start(greeter());
    site.bus.stop().unwrap();
    let place = free();
    reload(&site, settings([place.clone()]));
    site.bus.start().unwrap();
    assert_eq!(site.server.addresses(), [place]);
}

#[test]
fn several_servers_on_one_bus_find_their_settings_by_name() {
    let bus = Bus::new("site");
    let [one, two] = ["one", "two"].map(|name| {
        let http = Http::new(name).listen("127.0.0.1:0").unwrap();
        http.answer(|_| Response::new("hello".into())).subscribe(&bus).unwrap()
    });
    bus.start().unwrap();
    let (before, place) = (two.addresses(), free());
    let new = SettingsOf::from([("one".to_owned(), settings([place.clone()]))]);
    bus.ask_graceful(SettingsMap::new().with(new)).wait_for(PATIENCE).unwrap();
    assert_eq!(one.addresses(), [place]);
    assert_eq!(two.addresses(), before);
    wait_until("both answer", || {
        [&one, &two].iter().all(|server| try_once(server.addresses()[0].tcp().unwrap()) == Some(true))
    });
    bus.stop().unwrap();
}
