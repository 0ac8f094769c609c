//! What a case wants of the program, by the words of its command line.

use std::net::SocketAddr;
use std::thread;

use anyhow::{Context, bail};
use sitebus::http::Server;
use sitebus::os::signal::{Catch, Next, Signal};
use sitebus::signals::Subscribed;
use sitebus::{Bus, Done, Error, Exit, Handle, Level, priority};
use sitebus_tests::get;

#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) daemon: bool,
    pub(crate) listen: String,
    pub(crate) watch: Option<String>,
    /// The start fails.
    pub(crate) fails: bool,
    /// Once it is started, it asks itself for a page and exits.
    pub(crate) callback: bool,
    /// It is asked for an exit by a page that it serves before it is started.
    pub(crate) early: bool,
    /// Once it is started, it gives its signals back and takes `TERM` for itself.
    pub(crate) own_term: bool,
}

impl Wishes {
    pub(crate) fn read() -> anyhow::Result<Wishes> {
        let mut wishes = Wishes { listen: "127.0.0.1:0".to_owned(), ..Wishes::default() };
        for word in std::env::args().skip(1) {
            match word.split_once('=').unwrap_or((&word, "")) {
                ("run", _) => wishes.daemon = false,
                ("start", _) => wishes.daemon = true,
                ("listen", address) => wishes.listen = address.to_owned(),
                ("watch", path) => wishes.watch = Some(path.to_owned()),
                ("fails", _) => wishes.fails = true,
                ("callback", _) => wishes.callback = true,
                ("early", _) => wishes.early = true,
                ("own-term", _) => wishes.own_term = true,
                _ => bail!("{word} is not understood"),
            }
        }
        Ok(wishes)
    }
}

fn ask(server: &Server, path: &str) -> anyhow::Result<String> {
    let addresses = server.addresses();
    let address: SocketAddr =
        addresses.first().and_then(sitebus::http::Address::tcp).context("nobody listens")?;
    Ok(get(address, path)?.text())
}

/// For `start_with_callback`.
pub(crate) fn ask_and_exit(
    bus: &Bus,
    server: &Server,
) -> impl FnOnce(Result<Done, Error>) -> anyhow::Result<()> + Send + 'static {
    let (bus, server): (Handle, Server) = (bus.handle(), server.clone());
    move |started| {
        started?;
        let page = ask(&server, "/")?;
        bus.log(Level::Info, format!("the callback got {page} in {}", bus.state()));
        drop(bus.ask_exit(Exit::success("the callback")));
        Ok(())
    }
}

/// The server has started, and whoever comes after it has not.
pub(crate) fn ask_while_starting(bus: &Handle, server: &Server) {
    let (plugin, server) = (bus.plugin("early"), server.clone());
    let log = plugin.clone();
    plugin.on_start(priority::TASKS, move |_| {
        let state = log.handle().state();
        let page = ask(&server, "/exit")?;
        log.log(Level::Info, format!("the page said {page} in {state}"));
        anyhow::Ok(())
    });
}

/// Gives the signals back to whom they were from, and installs a handler of the program's own.
pub(crate) fn hear_term(bus: &Handle, signals: Subscribed) -> anyhow::Result<Catch> {
    signals.unsubscribe();
    let (catch, caught) = Catch::take("the program itself", [Signal::TERM])?;
    let bus = bus.clone();
    let heard = bus.clone();
    let hears = thread::spawn(move || {
        while let Ok(Next::Signal(signal)) = caught.next(None) {
            heard.log(Level::Info, format!("the handler of its own heard {signal}"));
        }
    });
    drop(hears); // it ends with the process
    bus.log(Level::Info, "the program has its own handler");
    Ok(catch)
}
