//! The loop that takes connections from a listener.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::SockRef;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;

use crate::backlog;
use crate::backoff::{Backoff, Next};
use crate::listener::{Bare, Listener, Parts};
use crate::unix_file::UnixFile;
use crate::wait::block_until;
use crate::{Address, Peer, Stream};

/// What an accept loop tells and gives away.
pub trait Host: Send + 'static {
    /// Takes a connection. The loop waits for the future, so a host that has no room pauses accepting by waiting here.
    fn accepted(&mut self, stream: Stream, peer: Peer) -> impl Future<Output = ()> + Send;

    /// Accepting failed for want of something, such as descriptors: the host may free some. Called at every failure,
    /// while [`Event::Exhausted`] is reported once per episode.
    fn make_room(&mut self) {}

    /// Something happened that a log should know.
    fn report(&mut self, event: Event<'_>);
}

/// What happens to an accept loop; its [`fmt::Display`] is a line for the log.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Connections cannot be taken for now, usually because the process has too many files open. Told once per episode.
    Exhausted {
        /// What accept(2) said.
        error: &'a io::Error,
    },
    /// The episode is over.
    Recovered {
        /// How long it took.
        lasted: Duration,
        /// How many accepts failed in it.
        failures: u64,
    },
    /// The listener takes no more connections, but stays open: those that come wait in the kernel for whoever accepts next.
    Kept,
    /// The listener is closed, after these connections that the kernel had ready were taken.
    Closed {
        /// How many.
        backlog: usize,
    },
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Exhausted { error } => write!(
                f,
                "connections cannot be accepted: {error}; trying again after a pause (for too many open files, raise \
                 the limit, as with `ulimit -n`, or allow fewer connections)"
            ),
            Event::Recovered { lasted, failures } => {
                write!(f, "connections are accepted again after {lasted:.1?} and {failures} failures")
            }
            Event::Kept => f.write_str("stopped accepting; the listener stays open"),
            Event::Closed { backlog: 0 } => f.write_str("stopped accepting"),
            Event::Closed { backlog } => {
                write!(f, "stopped accepting; {backlog} connections that were already there were taken")
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Running,
    Failed(String),
    Closed,
}

/// What a loop is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Accept,
    Close,
    Keep,
}

/// Where the listener is left by a loop that was told to keep it.
type Shelf = Arc<Mutex<Option<Listener>>>;

/// The outside of an accept loop: who it is, whether it runs, and the order to close.
pub struct Door {
    name: String,
    asked: Address,
    address: Address,
    given: bool,
    order: watch::Sender<Order>,
    phase: watch::Receiver<Phase>,
    kept: Shelf,
}

/// An accept loop for `listener`: the future is the loop, to be spawned on a tokio runtime with network and time; the
/// door controls it.
///
/// The loop ends when the door says so, never because of an error. Dropping the door closes it too.
pub fn accept<H: Host>(listener: Listener, host: H) -> (Door, impl Future<Output = ()> + Send + use<H>) {
    let (order, told) = watch::channel(Order::Accept);
    let (phase_now, phase) = watch::channel(Phase::Opening);
    let kept = Shelf::default();
    let door = Door {
        name: listener.name().to_owned(),
        asked: listener.asked().clone(),
        address: listener.address().clone(),
        given: listener.is_given(),
        order,
        phase,
        kept: Arc::clone(&kept),
    };
    (door, run(listener, host, Told(told), phase_now, kept))
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// What reports call the listener.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What was asked for.
    #[must_use]
    pub fn asked(&self) -> &Address {
        &self.asked
    }

    /// What it is bound to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether the service manager has opened the listener; see [`Listener::is_given`].
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.given
    }

    /// Blocks until the loop runs. Not for async code.
    ///
    /// # Errors
    /// [`NotRunning`] if the runtime has not polled the loop by the deadline, or has dropped it, or has no network.
    pub fn wait_running(&self, deadline: Instant) -> Result<(), NotRunning> {
        let mut phase = self.phase.clone();
        let known =
            async { phase.wait_for(|phase| *phase != Phase::Opening).await.map(|phase| phase.clone()) };
        let why = match block_until(known, deadline) {
            Some(Ok(Phase::Running | Phase::Closed)) => return Ok(()),
            Some(Ok(Phase::Failed(why))) => why,
            Some(Ok(Phase::Opening) | Err(_)) => "its runtime has ended, or has no network".to_owned(),
            None => "its runtime has not run it in time; does a thread drive that runtime?".to_owned(),
        };
        Err(NotRunning { name: self.name.clone(), address: self.address.clone(), why })
    }

    /// Asks the loop to take what the kernel has ready, to close the listener and to end. Returns at once.
    pub fn close(&self) {
        self.order.send_replace(Order::Close);
    }

    /// Asks the loop to end and to leave the listener as it is, for [`Door::take_kept`]. Returns at once.
    pub fn keep(&self) {
        self.order.send_replace(Order::Keep);
    }

    /// Blocks until the loop has ended, and takes the listener that it was asked to [keep](Door::keep). None if that has not
    /// happened by the deadline: then it is closed when the loop ends. Not for async code.
    #[must_use]
    pub fn take_kept(&self, deadline: Instant) -> Option<Listener> {
        if !self.wait_closed(deadline) {
            self.close();
        }
        self.kept.lock().take()
    }

    /// Blocks until the listener is closed or the deadline has come, and says which. Not for async code.
    #[must_use]
    pub fn wait_closed(&self, deadline: Instant) -> bool {
        let mut phase = self.phase.clone();
        // The sender goes away with the loop, and with it the listener.
        block_until(async { while phase.changed().await.is_ok() {} }, deadline).is_some()
    }
}

/// An accept loop that does not run.
#[derive(Debug, thiserror::Error)]
#[error("{name}: nothing accepts connections on {address}: {why}")]
pub struct NotRunning {
    name: String,
    address: Address,
    why: String,
}

struct Told(watch::Receiver<Order>);

impl Told {
    async fn come(&mut self) {
        // An error says that the door is gone, which counts as the order to close.
        let _ = self.0.wait_for(|order| *order != Order::Accept).await;
    }

    fn to_keep(&self) -> bool {
        *self.0.borrow() == Order::Keep
    }
}

async fn run<H: Host>(
    listener: Listener,
    mut host: H,
    mut told: Told,
    phase: watch::Sender<Phase>,
    shelf: Shelf,
) {
    let (Parts { socket, mut file }, known) = listener.into_parts();
    let socket = match Polled::new(socket) {
        Ok(socket) => socket,
        Err(error) => {
            phase.send_replace(Phase::Failed(error.to_string()));
            return;
        }
    };
    phase.send_replace(Phase::Running);
    take(&socket, &mut host, &mut told, &mut file, known.ours).await;
    if told.to_keep() {
        if let Ok(socket) = socket.into_bare() {
            *shelf.lock() = Some(Listener::from_parts(Parts { socket, file }, known));
            host.report(Event::Kept);
        }
        phase.send_replace(Phase::Closed);
        return;
    }
    drop(file); // before the last look at the backlog: from here on nobody finds the socket
    let backlog = match socket.into_bare() {
        Ok(socket) => backlog::empty(socket, known.ours, &mut host).await,
        Err(_) => 0,
    };
    host.report(Event::Closed { backlog });
    phase.send_replace(Phase::Closed);
}

async fn take<H: Host>(
    socket: &Polled,
    host: &mut H,
    told: &mut Told,
    file: &mut Option<UnixFile>,
    ours: bool,
) {
    let mut backoff = Backoff::default();
    loop {
        let taken = tokio::select! {
            biased;
            () = told.come() => return,
            taken = socket.accept() => taken,
        };
        match taken {
            Ok((stream, peer)) => {
                if let Some(over) = backoff.accepted(Instant::now) {
                    host.report(Event::Recovered { lasted: over.lasted, failures: over.failures });
                }
                let mut handing_over = pin!(host.accepted(stream, peer));
                tokio::select! {
                    biased;
                    () = &mut handing_over => {}
                    () = told.come() => {
                        // The host may be out of room for long, and nobody is to find the socket meanwhile.
                        if !told.to_keep() {
                            drop(file.take());
                            socket.hear_no_newcomer(ours);
                        }
                        handing_over.await;
                        return;
                    }
                }
            }
            Err(error) => {
                if let Next::After { pause, first } = backoff.failed(&error, Instant::now()) {
                    if first {
                        host.report(Event::Exhausted { error: &error });
                    }
                    host.make_room();
                    if tokio::time::timeout(pause, told.come()).await.is_ok() {
                        return;
                    }
                }
            }
        }
    }
}

/// The listener as tokio polls it.
enum Polled {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Polled {
    fn new(socket: Bare) -> io::Result<Polled> {
        match socket {
            Bare::Tcp(socket) => TcpListener::from_std(socket).map(Polled::Tcp),
            Bare::Unix(socket) => UnixListener::from_std(socket).map(Polled::Unix),
        }
    }

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Polled::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                #[cfg(not(target_os = "linux"))]
                stream.set_nodelay(true)?;
                Ok((Stream::tcp(stream), Peer::Tcp(peer)))
            }
            Polled::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                Ok((Stream::unix(stream), Peer::Unix))
            }
        }
    }

    fn hear_no_newcomer(&self, ours: bool) {
        if let Polled::Tcp(socket) = self {
            backlog::deafen(SockRef::from(socket), ours);
        }
    }

    fn into_bare(self) -> io::Result<Bare> {
        match self {
            Polled::Tcp(socket) => socket.into_std().map(Bare::Tcp),
            Polled::Unix(socket) => socket.into_std().map(Bare::Unix),
        }
    }
}
