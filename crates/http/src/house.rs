//! Everything that lives from a start to the next stop, and the reception of new connections.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::HttpService;
use crate::answer::text_of;
use crate::config::Config;
use crate::connection;
use crate::io::Io;
use crate::slot::{CUT, FINISH, Site, Slot, YIELD};
use sitebus_bus::{Flag, Level};
use sitebus_serve::{Address, Connections, Door, Drained, Event, Host, Listener, Peer, Stream, accept};

/// The state that all listeners and connections of a running server share.
pub(crate) struct House {
    pub(crate) site: Arc<Site>,
    pub(crate) connections: Connections<Slot>,
    config: Mutex<Arc<Config>>,
    stop: OnceLock<Ending>,
    /// Somebody has waited for room since the stop began, so those who have some were told to finish.
    overfull: AtomicBool,
    turned_away: AtomicUsize,
}

/// How a server stops.
pub(crate) struct Ending {
    /// Then who was accepted is taken, even beyond the limit: nobody else will.
    pub(crate) keeps_listeners: bool,
    /// Until then, or until there is a hurry, newcomers wait for room.
    pub(crate) deadline: Instant,
    pub(crate) hurry: Flag,
}

impl House {
    pub(crate) fn new(site: Arc<Site>, config: Config) -> House {
        let config = Mutex::new(Arc::new(config));
        House {
            site,
            connections: Connections::new(),
            config,
            stop: OnceLock::new(),
            overfull: AtomicBool::new(false),
            turned_away: AtomicUsize::new(0),
        }
    }

    fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.lock())
    }

    /// For connections that come from now on.
    pub(crate) fn replace_config(&self, config: Config) {
        *self.config.lock() = Arc::new(config);
    }

    /// Connections that come from now on, out of the kernel's backlog, are told to finish as they enter.
    pub(crate) fn begin_stop(&self, how: Ending) {
        let _ = self.stop.set(how); // a house stops once
        self.site.stopping.send_replace(true);
    }

    /// Whether the listeners could not close at once, because there were more newcomers than room.
    pub(crate) fn is_overfull(&self) -> bool {
        self.overfull.load(Ordering::SeqCst)
    }

    /// How many found no room before the stop was over, and were closed unanswered.
    pub(crate) fn turned_away(&self) -> usize {
        self.turned_away.load(Ordering::SeqCst)
    }

    pub(crate) fn tell_all(&self, order: u8) {
        self.connections.snapshot().iter().for_each(|slot| slot.order(order));
    }

    /// Waits until all connections have ended, and cuts the rest; the second value says what those were doing, as in
    /// `2 answering, 1 idle`.
    pub(crate) fn drain(&self, deadline: Instant, hurry: &Flag, grace: Duration) -> (Drained, String) {
        /// What has nothing in progress is gone after this, even in a hurry, and does not count as cut.
        const MOMENT: Duration = Duration::from_millis(50);
        self.tell_all(FINISH);
        let moment = deadline.min(Instant::now() + MOMENT);
        let _ = self.connections.wait_empty(moment, std::future::pending());
        let mut kinds = BTreeMap::<&str, usize>::new();
        let drained = self.connections.drain(deadline, hurry.when(), grace, |slot| {
            *kinds.entry(slot.doing()).or_default() += 1;
            slot.order(CUT);
        });
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        (drained, kinds.join(", "))
    }

    /// Waits until there is room for one more; `false` if a stop is over before.
    async fn has_room(&self, most: usize) -> bool {
        /// Who was busy a moment ago may be idle now.
        const LOOK_AGAIN: Duration = Duration::from_millis(50);
        while self.connections.len() >= most {
            if let Some(stop) = self.stop.get() {
                return stop.keeps_listeners || self.has_room_before_the_end(stop, most).await;
            }
            self.ask_idle_to_leave();
            let _ = tokio::time::timeout(LOOK_AGAIN, self.connections.fewer_than(most)).await;
        }
        true
    }

    /// Nobody keeps a place any more for a request that has not come yet.
    async fn has_room_before_the_end(&self, stop: &Ending, most: usize) -> bool {
        if !self.overfull.swap(true, Ordering::SeqCst) {
            self.tell_all(FINISH);
        }
        let room = async {
            tokio::select! {
                biased;
                () = self.connections.fewer_than(most) => true,
                _ = stop.hurry.when() => false,
            }
        };
        tokio::time::timeout_at(stop.deadline.into(), room).await.unwrap_or(false)
    }

    /// An eighth of those that are idle, the longest first, but 32 at most: a visit to each connection makes room for
    /// several newcomers.
    fn ask_idle_to_leave(&self) {
        const MOST: usize = 32;
        /// Who was served or has connected a moment ago is probably about to send.
        const A_MOMENT: Duration = Duration::from_millis(100);
        let mut idle: Vec<(Instant, Arc<Slot>)> = Vec::new();
        self.connections.for_each(|slot| {
            if let Some(since) = slot.idle_since().filter(|since| since.elapsed() >= A_MOMENT) {
                idle.push((since, Arc::clone(slot)));
            }
        });
        idle.sort_unstable_by_key(|(since, _)| *since);
        let leaving = (idle.len() / 8).clamp(1, MOST);
        for (_, slot) in idle.into_iter().take(leaving) {
            slot.order(YIELD);
        }
    }
}

/// Opens a listener for the user's service, whatever type that has.
pub(crate) trait Open: Send + Sync {
    fn open(&self, listener: Listener, house: &Arc<House>) -> (Door, Loop);
}

/// An accept loop.
pub(crate) type Loop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The user's service, of which every listener gets a clone.
pub(crate) struct Original<S>(pub(crate) Mutex<S>);

impl<S: HttpService> Open for Original<S> {
    fn open(&self, listener: Listener, house: &Arc<House>) -> (Door, Loop) {
        let address = Arc::new(listener.address().clone());
        let service = self.0.lock().clone();
        let (door, accepting) = accept(listener, Reception { service, house: Arc::clone(house), address });
        (door, Box::pin(accepting))
    }
}

/// Takes the connections of one listener.
struct Reception<S> {
    service: S,
    house: Arc<House>,
    address: Arc<Address>,
}

impl<S: HttpService> Host for Reception<S> {
    async fn accepted(&mut self, stream: Stream, peer: Peer) {
        let config = self.house.config();
        if !self.house.has_room(config.limits.connections).await {
            self.house.turned_away.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let slot = Slot::new(peer, Arc::clone(&self.address), Arc::clone(&self.house.site));
        let entry = self.house.connections.enter(slot);
        if self.house.stop.get().is_some() {
            entry.order(FINISH);
        }
        // Foreign code, which must not be able to end the accept loop.
        match catch_unwind(AssertUnwindSafe(|| self.service.clone())) {
            Ok(service) => drop(tokio::spawn(connection::serve(Io::new(stream, entry), service, config))),
            Err(panic) => {
                let said =
                    format!("cloning the service panicked: {}; a connection was closed", text_of(panic));
                self.house.site.log.log(Level::Error, said);
            }
        }
    }

    fn make_room(&mut self) {
        self.house.ask_idle_to_leave();
    }

    fn report(&mut self, event: Event<'_>) {
        let level = if matches!(event, Event::Exhausted { .. }) { Level::Error } else { Level::Info };
        self.house.site.log.log(level, format!("{}: {event}", self.address));
    }
}
