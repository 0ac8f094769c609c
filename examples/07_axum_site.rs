//! 07: an axum router behind the bus: signals, a clean stop, and a reload for three lines more.
//!
//! `cargo run -p sitebus-examples --bin 07_axum_site`, then open what it prints; Ctrl-C ends it.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use sitebus::http::Http;
use sitebus::signals::Signals;
use sitebus::{Bus, Exit, Handle, topics};

fn main() -> anyhow::Result<Exit> {
    let bus = Bus::new("axum");

    // Ctrl-C and SIGTERM exit, a second one hurries, a third one kills. Opt-in: without this line no signal is touched.
    Signals::default().subscribe(&bus)?;

    let router = Router::new()
        .route("/", get(|| async { "Hello from axum\n" }))
        .route("/quit", get(quit))
        .with_state(bus.handle());
    Http::new("http").listen("127.0.0.1:0")?.service(router).subscribe(&bus)?;

    // Port 0 is any that is free. A server publishes where it listens.
    bus.on(topics::LISTENING)?.subscribe("print", |url: &str| println!("open {url}"));

    bus.start()?; // returns once the server really accepts
    Ok(bus.block())
}

/// A handler may ask the bus for anything. Asking does not wait, so this answer still gets out.
async fn quit(State(bus): State<Handle>) -> &'static str {
    drop(bus.ask_exit(Exit::success("a visitor")));
    "Goodbye\n"
}
