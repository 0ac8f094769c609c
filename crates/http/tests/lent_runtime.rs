//! A server on a runtime of somebody else's.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod support;

use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::io::AsyncReadExt as _;
use tokio::runtime::{Builder, Runtime};

use sitebus_bus::{Bus, Limit, Limits as BusLimits};
use sitebus_http::{Body, Http};
use support::{Client, PATIENCE, greeter, start, start_with_stop_limit, wait_until};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn it_answers_drains_and_leaves_the_runtime_running() {
    let runtime = runtime();
    let site = start(greeter().runtime(runtime.handle().clone()));
    let mut client = site.connect();
    assert_eq!(client.get("/").text(), "hello");
    site.bus.stop().unwrap();
    assert!(client.rest().is_empty());
    assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).unwrap(), 7);
    site.bus.start().unwrap();
    assert_eq!(site.connect().get("/").text(), "hello");
}

#[test]
fn what_does_not_end_by_itself_is_cut_there_too() {
    let runtime = runtime();
    let http = Http::new("http").runtime(runtime.handle().clone()).handler(
        |mut request: Request<Body>| async move {
            if request.uri().path() == "/for-ever" {
                std::future::pending::<()>().await;
            }
            let upgrade = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut io = hyper_util::rt::TokioIo::new(upgrade.await.unwrap());
                let _ = io.read_to_end(&mut Vec::new()).await;
            });
            let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            response.header("connection", "upgrade").header("upgrade", "x").body(Body::empty())
        },
    );
    let site = start_with_stop_limit(http, Duration::from_millis(800));
    let (mut waiting, mut upgraded) = (site.connect(), site.connect());
    waiting.send("GET /for-ever HTTP/1.1\r\nhost: a\r\n\r\n");
    upgraded.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    assert_eq!(upgraded.answer().status(), 101);
    wait_until("both are there", || site.server.connections() == 2);
    site.bus.stop().unwrap();
    assert!(waiting.rest().is_empty() && upgraded.rest().is_empty());
    let said = site.said("at the deadline");
    assert!(said.len() == 1 && said[0].contains("1 answering, 1 upgraded"), "{said:?}");
    assert!(!said[0].contains("do not end"), "{said:?}");
}

#[test]
fn a_runtime_that_nobody_drives_fails_the_start_and_says_why() {
    let idle = Builder::new_current_thread().enable_all().build().unwrap();
    let mut limits = BusLimits::default();
    limits.start = Limit::new(Duration::from_secs(2), PATIENCE);
    let bus = Bus::builder("site").limits(limits).build();
    let http = greeter().listen("127.0.0.1:0").unwrap().runtime(idle.handle().clone());
    http.subscribe(&bus).unwrap();
    let said = format!("{:#}", bus.start().unwrap_err());
    assert!(said.contains("does a thread drive"), "{said}");
}

#[test]
fn a_runtime_without_network_fails_the_start() {
    let deaf = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let bus = Bus::new("site");
    let http = greeter().listen("127.0.0.1:0").unwrap().runtime(deaf.handle().clone());
    http.subscribe(&bus).unwrap();
    let said = format!("{:#}", bus.start().unwrap_err());
    assert!(said.contains("no network"), "{said}");
}

#[test]
fn several_servers_may_share_it() {
    let runtime = runtime();
    let sites = [(); 2].map(|()| start(greeter().runtime(runtime.handle().clone())));
    sites[0].bus.stop().unwrap();
    assert_eq!(Client::connect(sites[1].address()).get("/").text(), "hello");
}
