//! Handlers and callbacks that ask the bus: requests are served while it starts, reloads and ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use tokio::sync::Semaphore;

use sitebus_bus::{Bus, Done, Exit, Handle, SettingsMap, State, priority};
use sitebus_http::{Address, Body, Http, HttpService, Server, Settings};
use support::{Client, PATIENCE, greeter, wait_until};

fn on(bus: &Bus, http: Http<impl HttpService>) -> Server {
    http.listen("127.0.0.1:0").unwrap().subscribe(bus).unwrap()
}

fn address(server: &Server) -> SocketAddr {
    server.addresses()[0].tcp().unwrap()
}

fn count_reloads(bus: &Bus) -> Arc<AtomicUsize> {
    let reloads = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&reloads);
    bus.plugin("counts").at_commit(priority::SITE, move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    reloads
}

#[test]
fn a_callback_asks_the_site_that_it_has_started_and_ends_it() {
    let bus = Bus::new("site");
    let (server, ending) = (on(&bus, greeter()), bus.handle());
    let callback = bus.start_with_callback(move |outcome| {
        outcome.unwrap();
        let text = Client::connect(address(&server)).get("/").text().to_owned();
        drop(ending.ask_exit(Exit::success("the callback")));
        text
    });
    assert_eq!(bus.block(), Exit::success("the callback"));
    assert_eq!(callback.unwrap().join().unwrap(), "hello");
    assert_eq!(bus.state(), State::Exiting);
}

#[test]
fn a_request_that_comes_before_the_start_is_over_is_served_and_may_wait_for_it() {
    let (bus, gate) = (Bus::new("site"), Arc::new(Semaphore::new(0)));
    let waiting = bus.handle();
    let server = on(
        &bus,
        Http::new("http").handler(move |_| {
            let started = waiting.when(State::Started);
            let seen = waiting.state();
            async move { Response::new(Body::from(format!("{seen} {}", started.await.unwrap()))) }
        }),
    );
    let opens = Arc::clone(&gate);
    bus.plugin("late").on_start(priority::SERVER.after(), move |start| {
        wait_until("it is let go", || opens.try_acquire().is_ok() || start.cancelled().is_set());
    });
    let start = bus.ask_start();
    wait_until("the server runs", || !server.addresses().is_empty());
    let mut client = Client::connect(address(&server));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    wait_until("the request is there", || server.connections() == 1);
    assert_eq!(bus.state(), State::Starting);
    gate.add_permits(1);
    let answer = client.answer();
    assert!(matches!(answer.text(), "STARTING STARTED" | "STARTED STARTED"), "{answer:?}");
    assert_eq!(start.wait_for(PATIENCE).unwrap(), Done::Done);
}

#[test]
fn a_handler_may_reload_the_site_and_its_answer_arrives() {
    let bus = Bus::new("site");
    let (reloads, asking) = (count_reloads(&bus), bus.handle());
    let server =
        on(&bus, Http::new("http").answer(move |_| Response::new(format!("{:?}", asking.graceful()).into())));
    bus.start().unwrap();
    let mut client = Client::connect(address(&server));
    assert_eq!(client.get("/").text(), "Ok(Done)");
    assert_eq!((bus.state(), reloads.load(Ordering::SeqCst)), (State::Started, 1));
    assert_eq!(client.get("/").text(), "Ok(Done)", "its connection lives on");
    assert_eq!(reloads.load(Ordering::SeqCst), 2);
}

#[test]
fn a_handler_may_await_a_reload_that_opens_a_listener_on_the_only_thread() {
    async fn reloads(bus: Handle, request: Request<Body>) -> Response<Body> {
        let mut settings = one_thread();
        let added = request.uri().path().trim_start_matches('/');
        settings.listen = ["127.0.0.1:0", added].map(|address| address.parse::<Address>().unwrap()).into();
        let done = bus.ask_graceful(SettingsMap::new().with(settings)).await;
        Response::new(format!("{done:?}").into())
    }
    fn one_thread() -> Settings {
        let mut settings = Settings::default();
        settings.threads = 1;
        settings
    }
    let (bus, free) = (Bus::new("site"), TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let asking = bus.handle();
    let http = Http::new("http").settings(one_thread());
    let server = on(&bus, http.handler(move |request| reloads(asking.clone(), request)));
    bus.start().unwrap();
    let mut client = Client::connect(address(&server));
    assert_eq!(client.get(&format!("/{free}")).text(), "Ok(Done)");
    assert_eq!(server.addresses().len(), 2);
    let another = format!("/{free}");
    assert_eq!(Client::connect(free).get(&another).text(), "Ok(Done)", "the new listener serves");
}
