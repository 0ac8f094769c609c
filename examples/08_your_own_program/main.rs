//! 08: a program of your own with a site file and all commands of `sitebus`: its application and its section join the
//! file, with the same errors.
//!
//! `cargo run -p sitebus-examples --bin 08_your_own_program -- run examples/08_your_own_program/site.toml`

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use parking_lot::RwLock;
use serde::Deserialize;
use sitebus::site::{Check, Section, Spanned};
use sitebus::{Commit, Handle, Level, priority};

/// `[shop]`: a type of our own. What it refuses is reported with file, line and caret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shop {
    greeting: Spanned<String>,
}

impl Section for Shop {
    fn check(&self, check: &mut Check<'_>) {
        if self.greeting.trim().is_empty() {
            check.problem(&self.greeting, "a shop must greet").help("write something friendly");
        }
    }
}

type Greeting = Arc<RwLock<String>>;

fn main() -> ExitCode {
    let greeting = Greeting::default();
    let router = Router::new().route("/", get(greet)).with_state(Arc::clone(&greeting));
    sitebus::main(|program| {
        program
            .version(env!("CARGO_PKG_VERSION"))
            .app("shop", router)
            .section("shop", move |bus, shop: Option<Shop>| open(bus, shop, greeting.clone()))
    })
}

async fn greet(State(greeting): State<Greeting>) -> String {
    greeting.read().clone()
}

/// Called once the file is known to be right, before the bus starts. On a reload the new section comes by its type.
fn open(bus: &Handle, shop: Option<Shop>, greeting: Greeting) -> anyhow::Result<()> {
    *greeting.write() = shop.map_or_else(|| "Welcome\n".to_owned(), |shop| shop.greeting.to_string());
    let plugin = bus.plugin("shop");
    let log = plugin.clone();
    plugin.on_graceful(priority::SITE, move |reload| {
        let Some(shop) = reload.get::<Shop>() else { return Ok(Commit::nothing()) };
        let (greeting, log) = (Arc::clone(&greeting), log.clone());
        Ok(Commit::new(move || {
            *greeting.write() = shop.greeting.to_string();
            log.log(Level::Info, "greets anew");
            Ok(())
        }))
    });
    Ok(())
}
