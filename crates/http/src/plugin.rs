//! The plugin: what it is made of, and its place on the bus.

use std::fmt;
use std::sync::Arc;

use http::{Request, Response};
use parking_lot::Mutex;

use crate::closure::{Handler, Outcome, Plain};
use crate::house::Original;
use crate::life::Life;
use crate::{Body, HttpError, HttpService, Limits, Settings};
use sitebus_bus::{Handle, priority, topics};
use sitebus_serve::{Address, AddressError, Inherited};

/// An HTTP server that is not on a bus yet.
///
/// ```
/// use sitebus_bus::Bus;
/// use sitebus_http::{Body, Http, Request, Response};
///
/// let bus = Bus::new("site");
/// let server = Http::new("http")
///     .listen("127.0.0.1:0")?
///     .handler(|request: Request<Body>| async move {
///         Response::new(format!("hello {}\n", request.uri().path()).into())
///     })
///     .subscribe(&bus)?;
/// bus.start()?;
/// println!("http://{}", server.addresses()[0]);
/// bus.exit()?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "a server does nothing before it is subscribed"]
pub struct Http<S = Unanswered> {
    name: String,
    settings: Settings,
    runtime: Option<tokio::runtime::Handle>,
    inherited: Inherited,
    service: S,
}

/// What an [`Http`] has that was not told yet how to answer. It is no service, so it cannot be subscribed.
#[derive(Clone, Copy, Debug)]
pub struct Unanswered;

impl Http {
    /// A server with the default settings. `name` stands in every line of the log, and finds its part of
    /// [`SettingsOf`](crate::SettingsOf).
    pub fn new(name: impl Into<String>) -> Http {
        let (settings, inherited) = (Settings::default(), Inherited::nothing());
        Http { name: name.into(), settings, runtime: None, inherited, service: Unanswered }
    }
}

impl<S> Http<S> {
    /// Listens here too; see [`Address`] for what may be written.
    ///
    /// # Errors
    /// The text is no address; the error says what to write instead.
    pub fn listen(mut self, address: &str) -> Result<Http<S>, AddressError> {
        self.settings.listen.push(address.parse()?);
        Ok(self)
    }

    /// Replaces all settings, addresses included.
    pub fn settings(mut self, settings: Settings) -> Http<S> {
        self.settings = settings;
        self
    }

    /// What a peer may cost.
    pub fn limits(mut self, limits: Limits) -> Http<S> {
        self.settings.limits = limits;
        self
    }

    /// Writes a line for each answered request.
    pub fn access_log(mut self, on: bool) -> Http<S> {
        self.settings.access_log = on;
        self
    }

    /// Runs on a tokio runtime of the caller's, with network and time, instead of one of its own.
    ///
    /// Somebody must drive that runtime from the start until the stop is done: neither `bus.start()` nor `bus.block()` may
    /// be called on the only thread that does. What is cut in a stop is told to end, and ends as soon as that runtime
    /// polls it.
    pub fn runtime(mut self, runtime: tokio::runtime::Handle) -> Http<S> {
        self.runtime = Some(runtime);
        self
    }

    /// Takes over listeners that were inherited, from the image before this one or from the service manager, instead of
    /// binding their addresses; see [`Listener::inherit`](sitebus_serve::Listener::inherit) for how they are found. What is not
    /// asked for stays where it is: whoever owns `inherited` closes it once the bus has started.
    pub fn inherit(mut self, inherited: &Inherited) -> Http<S> {
        self.inherited = inherited.clone();
        self
    }

    /// Answers with a tower service, such as an axum router; see [`HttpService`] for what fits. Every request gets a clone, which is called once it says that
    /// it is ready. Its error is logged and answered with 500; so is a panic.
    pub fn service<T: HttpService>(self, service: T) -> Http<T> {
        let Http { name, settings, runtime, inherited, service: _ } = self;
        Http { name, settings, runtime, inherited, service }
    }

    /// Answers with an async closure, which returns a `Response<Body>` or a `Result` of one.
    pub fn handler<F, R>(self, handler: F) -> Http<Handler<F>>
    where
        F: Fn(Request<Body>) -> R + Send + Sync + 'static,
        R: Future + Send + 'static,
        R::Output: Outcome,
    {
        self.service(Handler::new(handler))
    }

    /// Answers with a plain closure. It runs on a thread that serves other connections too, so it must not wait.
    pub fn answer<F>(self, answer: F) -> Http<Plain<F>>
    where
        F: Fn(Request<Body>) -> Response<Body> + Send + Sync + 'static,
    {
        self.service(Plain::new(answer))
    }

    /// Puts the server on the bus: it listens when the bus has started ([`priority::SERVER`]), drains when it stops
    /// ([`priority::STOP_SERVER`]), and takes up new [`Settings`] in a reload. It may be started again after a stop. If a
    /// restart is why it stops, its listeners stay open, and are handed on ([`priority::RELEASE`]).
    ///
    /// # Errors
    /// [`HttpError`]: settings that cannot work. That there is an address to listen on is asked at the start, since
    /// settings may come until then.
    pub fn subscribe(self, bus: &Handle) -> Result<Server, HttpError>
    where
        S: HttpService,
    {
        self.settings.check().map_err(|error| HttpError::refused(&self.name, error))?;
        let plugin = bus.plugin(self.name.as_str());
        let life = Arc::new(Life {
            access: bus.plugin(format!("{}.access", self.name)),
            listening: bus.on(topics::LISTENING)?,
            service: Box::new(Original(Mutex::new(self.service))),
            lent: self.runtime,
            settings: Mutex::new(self.settings),
            running: Mutex::new(None),
            found: Mutex::default(),
            inherited: self.inherited,
            kept: Inherited::nothing(),
            plugin,
        });
        let (starts, stops, reloads) = (Arc::clone(&life), Arc::clone(&life), Arc::clone(&life));
        let exits = Arc::clone(&life);
        life.plugin.on_start(priority::SERVER, move |start| starts.start(start));
        life.plugin.on_stop(priority::STOP_SERVER, move |stop| stops.stop(stop));
        life.plugin.on_graceful(priority::SERVER, move |graceful| reloads.reload(graceful));
        life.plugin.on_exit(priority::RELEASE, move |exiting| exits.leave(exiting));
        Ok(Server { life })
    }
}

impl<S> fmt::Debug for Http<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A server on a bus. Cheap to clone; dropping it changes nothing.
#[derive(Clone)]
pub struct Server {
    life: Arc<Life>,
}

impl Server {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.life.plugin.name()
    }

    /// Where it accepts connections, with the real port in place of 0; nothing while it does not run.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let running = self.life.running.lock();
        let doors = running.as_ref().map(|running| running.doors.as_slice()).unwrap_or_default();
        doors.iter().map(|door| door.address().clone()).collect()
    }

    /// How many connections are open. In a stop, 0 from the moment it begins to drain.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.life.running.lock().as_ref().map_or(0, |running| running.house.connections.len())
    }

    /// What is set now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.life.settings.lock().clone()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("name", &self.name()).field("addresses", &self.addresses()).finish()
    }
}
