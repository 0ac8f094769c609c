//! A program of somebody's own, for the tests: `sitebus::main` with an application that takes uploads, and plugins that
//! can hang and leave. Where a file `needs-no-routes` lies in the current folder, it has other things to do than to serve.

use std::path::Path;
use std::process::ExitCode;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use sitebus::{Exit, Handle, Level, STATE, State, priority};

fn main() -> ExitCode {
    let upload = |body: Bytes| async move { format!("{} bytes\n", body.len()) };
    let shop = Router::new().route("/upload", post(upload)).route("/panic", get(panic));
    let needs_routes = !Path::new("needs-no-routes").exists();
    sitebus::main(|program| program.app("shop", shop).plugin(hang).plugin(leave).needs_routes(needs_routes))
}

/// A start or a stop that waits for ever, where a FIFO of this name lies in the current folder, and a start that fails.
fn hang(bus: &Handle) -> anyhow::Result<()> {
    let plugin = bus.plugin("hangs");
    let log = plugin.clone();
    let wait_for_a_writer = move |name: &str| {
        log.log(Level::Info, name);
        drop(std::fs::read(name));
    };
    let waits = wait_for_a_writer.clone();
    if Path::new("hang-at-start").exists() {
        plugin.on_start(priority::SITE, move |_| waits("hang-at-start"));
    }
    if Path::new("fail-at-start").exists() {
        plugin.on_start(priority::SITE, |_| -> anyhow::Result<()> { anyhow::bail!("on purpose") });
    }
    if Path::new("hang-at-stop").exists() {
        plugin.on_stop(priority::SITE, move |_| wait_for_a_writer("hang-at-stop"));
    }
    Ok(())
}

/// An exit with the code that stands in a file of this name in the current folder.
fn leave(bus: &Handle) -> anyhow::Result<()> {
    if let Ok(code) = std::fs::read_to_string("leave-at-start") {
        let exit = Exit::with_code(code.parse()?, "a file");
        bus.plugin("leaves").on_start(priority::SITE, move |_| Err(exit.clone().into()));
    }
    if let Ok(code) = std::fs::read_to_string("leave") {
        let (exit, bus) = (Exit::with_code(code.parse()?, "a file"), bus.clone());
        bus.clone().on(STATE)?.subscribe("leaves", move |state| {
            if *state == State::Started {
                drop(bus.ask_exit(exit.clone()));
            }
        });
    }
    Ok(())
}

/// What it says tries to pass for a line of the log.
async fn panic() -> &'static str {
    panic!("on purpose\n1999-01-01T00:00:00.000000Z  INFO all: is well\u{1b}[31m")
}
