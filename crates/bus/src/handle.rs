//! The handle that everybody but the owner holds.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::channel::Channel;
use crate::core::Core;
use crate::exit::Exit;
use crate::failure::Error;
use crate::machine::{Ask, PluginId};
use crate::message::{HandedOn, Level, SettingsMap};
use crate::plugin::Plugin;
use crate::registry::ChannelInfo;
use crate::state::{State, States};
use crate::sync::thread;
use crate::ticket::{Done, Ticket};
use crate::timing::Timings;
use crate::topic::{Topic, TopicClash};
use crate::wait::{WaitError, When};

/// A handle to a bus: cheap to clone, `Send + Sync`. It keeps the bus's memory alive, but not its life.
///
/// The verbs `start`, `stop`, `exit`, `restart` and `graceful` ask and wait; their `ask_` twins only ask, and return a
/// [`Ticket`]. Inside a listener that the bus is waiting for, waiting would be for ever, so there they return
/// [`Done::Noted`], and the request is done next.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Arc<Core>,
}

impl Handle {
    /// The bus's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The channel of a topic. Ask once and keep it: publishing then costs no lookup.
    ///
    /// # Errors
    /// The name is in use with other types.
    pub fn on<M: ?Sized + 'static, O: 'static>(
        &self,
        topic: Topic<M, O>,
    ) -> Result<Channel<M, O>, TopicClash> {
        self.core.registry.on(topic, &self.core.me)
    }

    /// A new group of subscriptions under one name, which reports and log lines carry. Two groups may share a name, and are
    /// two groups all the same.
    #[must_use]
    pub fn plugin(&self, name: impl Into<Arc<str>>) -> Plugin {
        Plugin::new(self.clone(), PluginId(self.core.next_plugin()), name.into())
    }

    /// Runs the start listeners, and waits until the bus is STARTED.
    ///
    /// # Errors
    /// [`Error::Failed`] if listeners failed: then what began has been stopped and the bus has exited.
    /// [`Error::Interrupted`] if an exit came in between, [`Error::Refused`] if one was asked for before, and
    /// [`Error::NoThread`] if the process may not make the bus's threads.
    pub fn start(&self) -> Result<Done, Error> {
        self.ask_start().wait()
    }

    /// Asks for a start, and does not wait for it. The ticket gets what [`start`](Handle::start) would return.
    pub fn ask_start(&self) -> Ticket {
        self.core.ask(Ask::Start, SettingsMap::new())
    }

    /// Starts the bus and runs `callback` in a thread of its own once that is done, or has failed.
    ///
    /// # Errors
    /// The same error that the callback gets, or [`Error::NoThread`].
    pub fn start_with_callback<T: Send + 'static>(
        &self,
        callback: impl FnOnce(Result<Done, Error>) -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, Error> {
        let ticket = self.ask_start();
        let outcome = ticket.clone();
        let thread = thread(&format!("{} callback", self.name()))
            .spawn(move || callback(outcome.wait()))
            .map_err(|error| Error::NoThread(Arc::new(error)))?;
        ticket.wait().map(|_| thread)
    }

    /// Runs the stop listeners of what began, and waits until the bus is STOPPED.
    ///
    /// # Errors
    /// [`Error::Failed`] if listeners failed; STOPPED is reached all the same. [`Error::Refused`] while an exit is on
    /// its way, which stops too.
    pub fn stop(&self) -> Result<Done, Error> {
        self.ask_stop().wait()
    }

    /// Asks for a stop, and does not wait for it. The ticket gets what [`stop`](Handle::stop) would return.
    pub fn ask_stop(&self) -> Ticket {
        self.core.ask(Ask::Stop, SettingsMap::new())
    }

    /// Stops, runs the exit listeners, and waits until that is done. The exit has code 0 and names the caller's place in
    /// the source as its cause; [`ask_exit`](Handle::ask_exit) takes any other.
    ///
    /// # Errors
    /// [`Error::Failed`] if stop or exit listeners failed; the end is reached all the same.
    #[track_caller]
    pub fn exit(&self) -> Result<Done, Error> {
        self.ask_exit(Exit::success(caller())).wait()
    }

    /// Asks for an exit with a code and a cause, and does not wait for it. If one was asked for already, joins it and, unless
    /// a listener of the bus asks, cuts its drains short; the first one's code and cause stand, but a plain exit wins over a
    /// restart.
    pub fn ask_exit(&self, exit: Exit) -> Ticket {
        self.core.ask_exit(exit)
    }

    /// Asks everybody on [`RESTART`](crate::RESTART) whether a new image would be right; if nobody objects, exits and has
    /// [`Bus::block`](crate::Bus::block) replace the process by it.
    ///
    /// # Errors
    /// [`Error::Vetoed`] if somebody objected: then nothing has changed. [`Error::Refused`] if an exit was asked for
    /// already. Otherwise as [`exit`](Handle::exit): if it waits to its end,
    /// the listeners are through and the replacement is next.
    #[track_caller]
    pub fn restart(&self) -> Result<Done, Error> {
        self.ask_restart(caller()).wait()
    }

    /// Asks for a restart, and does not wait for it. `by` says who asks.
    pub fn ask_restart(&self, by: impl Into<Arc<str>>) -> Ticket {
        self.core.ask(Ask::Restart(Exit::restart(by)), SettingsMap::new())
    }

    /// Has everybody take up new settings, which they look for themselves, and waits until that is done.
    ///
    /// # Errors
    /// [`Error::Vetoed`] if somebody refused: then nothing has changed. [`Error::Failed`] if a commit failed.
    pub fn graceful(&self) -> Result<Done, Error> {
        self.ask_graceful(SettingsMap::new()).wait()
    }

    /// Asks for a reload with these settings, and does not wait for it. Those without settings that wait their turn are one
    /// reload; each one with settings is run.
    pub fn ask_graceful(&self, settings: SettingsMap) -> Ticket {
        self.core.ask(Ask::Graceful { plain: settings.is_empty() }, settings)
    }

    /// How the last reload went, if there was one and the owner of the bus is not gone.
    #[must_use]
    pub fn last_graceful(&self) -> Option<Result<(), Error>> {
        self.core.lock().last_graceful.clone()
    }

    /// Cuts the drains of a running stop or exit short: sets the hurry flag that their listeners see. A listener of a start
    /// or a reload that holds up an exit is given no more than [`Limits::last_call`](crate::Limits::last_call).
    pub fn hurry(&self) {
        self.core.hurry();
    }

    /// The state that the bus is in.
    #[must_use]
    pub fn state(&self) -> State {
        self.core.lock().machine.state()
    }

    /// The exit that was asked for, if one was.
    #[must_use]
    pub fn exit_asked(&self) -> Option<Exit> {
        self.core.lock().machine.exit().cloned()
    }

    /// Blocks until the bus is in one of these states, or `patience` is over. A state that comes and goes at once is not
    /// missed.
    ///
    /// # Errors
    /// [`WaitError::TimedOut`] when the patience was over, [`WaitError::Exited`] if the bus has exited, so that the state
    /// will not come any more, and [`WaitError::Inside`], at once, in a listener that the bus itself is waiting for.
    /// Listeners that run elsewhere, such as those of a topic of your own on the publisher's thread, may wait.
    pub fn wait(&self, states: impl Into<States>, patience: Option<Duration>) -> Result<State, WaitError> {
        self.core.wait(states.into(), patience)
    }

    /// The same as a future, which belongs to no runtime and knows no patience. It ends with the state, or with
    /// [`WaitError::Exited`]. A listener that the bus is waiting for must not block on it: it would only be given up.
    pub fn when(&self, states: impl Into<States>) -> When {
        self.core.when(states.into())
    }

    /// Writes a line to the log, under the name of the bus: calls the listeners of [`LOG`](crate::LOG) on this thread. Never
    /// fails; what goes wrong with it is said to `tracing`.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.core.log(level, message.into());
    }

    /// Tells the bus of a thread, for which [`Bus::block`](crate::Bus::block) waits at the end, within
    /// [`Limits::join`](crate::Limits::join). No other thread is waited for.
    pub fn adopt<T: Send + 'static>(&self, name: impl Into<Arc<str>>, thread: JoinHandle<T>) {
        self.core.adopt(name.into(), thread);
    }

    /// Says how a restart replaces the process, on the thread that blocks, after everything else: `restarter` gets what the
    /// exit listeners have handed on, and returns only if it failed. Without one, [`Bus::block`](crate::Bus::block) returns
    /// the restart, and its caller performs it.
    pub fn restart_by(&self, restarter: impl FnOnce(&Exit, HandedOn) -> anyhow::Error + Send + 'static) {
        self.core.restart_by(Box::new(restarter));
    }

    /// Every channel with its listeners, for tools.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelInfo> {
        self.core.registry.list()
    }

    /// How long each listener took in the last start, stop, exit, reload and look before a restart, slowest first.
    #[must_use]
    pub fn timings(&self) -> Timings {
        Timings::slowest_first(self.core.lock().timings.clone())
    }
}

#[track_caller]
fn caller() -> String {
    Location::caller().to_string()
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("name", &self.core.name).field("state", &self.state()).finish()
    }
}
