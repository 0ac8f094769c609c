//! What the server knows about one connection while it is open.
//!
//! The socket, the handler's answer and the task that drives the connection write here, and orders arrive here. All of it
//! is atomics that usually one thread touches, so that a request takes no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use sitebus_bus::Plugin;
use sitebus_serve::{Address, Peer};

/// Finish: answer what is in progress, close when idle.
pub(crate) const FINISH: u8 = 1;
/// Close if idle, to make room.
pub(crate) const YIELD: u8 = 2;
/// End now.
pub(crate) const CUT: u8 = 4;

const NOT_IDLE: u64 = u64::MAX;

/// What all connections of a server share.
pub(crate) struct Site {
    /// The server's voice in the log, and the one of its access log.
    pub(crate) log: Plugin,
    pub(crate) access: Plugin,
    pub(crate) stopping: watch::Sender<bool>,
}

pub(crate) struct Slot {
    pub(crate) peer: Peer,
    pub(crate) local: Arc<Address>,
    pub(crate) opened: Instant,
    pub(crate) site: Arc<Site>,
    orders: AtomicU8,
    waker: Mutex<Option<Waker>>,
    in_flight: AtomicU32,
    calls: AtomicU32,
    /// Bytes came since the last request began: a head, or a part of one.
    heard: AtomicBool,
    ended: AtomicBool,
    write_blocked: AtomicBool,
    body_wanted: AtomicBool,
    /// The body of a request has not been received to its end.
    body_open: AtomicBool,
    upgraded: AtomicBool,
    closing: AtomicBool,
    /// The peer has said that it sends nothing more.
    said_close: AtomicBool,
    moved: AtomicU32,
    /// Nanoseconds after `opened`.
    idle_since: AtomicU64,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing.
    Idle,
    /// Half a head is there.
    Head,
    /// A request is being answered.
    Busy,
}

impl Slot {
    pub(crate) fn new(peer: Peer, local: Arc<Address>, site: Arc<Site>) -> Slot {
        Slot {
            peer,
            local,
            opened: Instant::now(),
            site,
            orders: AtomicU8::new(0),
            waker: Mutex::new(None),
            in_flight: AtomicU32::new(0),
            calls: AtomicU32::new(0),
            heard: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            write_blocked: AtomicBool::new(false),
            body_wanted: AtomicBool::new(false),
            body_open: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            said_close: AtomicBool::new(false),
            moved: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
        }
    }

    // ---- orders

    pub(crate) fn order(&self, order: u8) {
        self.orders.fetch_or(order, Ordering::SeqCst);
        self.wake();
    }

    #[inline]
    pub(crate) fn orders(&self) -> u8 {
        self.orders.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn is_told(&self, order: u8) -> bool {
        self.orders() & order != 0
    }

    pub(crate) fn withdraw(&self, order: u8) {
        self.orders.fetch_and(!order, Ordering::SeqCst);
    }

    /// Who is to be woken when an order comes. To be called before the orders are read.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut known = self.waker.lock();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        let waker = self.waker.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes the task of the connection, unless it is the one that has this waker.
    pub(crate) fn wake_from(&self, waker: &Waker) {
        let known = self.waker.lock().clone();
        if let Some(known) = known.filter(|known| !known.will_wake(waker)) {
            known.wake();
        }
    }

    /// Resolves when the server begins to stop.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopping = self.site.stopping.subscribe();
        async move {
            // An error says that the server is gone.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    }

    // ---- what the socket tells

    #[inline]
    pub(crate) fn has_read(&self, bytes: usize) {
        if bytes == 0 {
            self.ended.store(true, Ordering::Relaxed);
        } else {
            self.heard.store(true, Ordering::Relaxed);
        }
        self.has_moved();
    }

    /// hyper gets bytes that were read ahead.
    pub(crate) fn hears(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_written(&self) {
        if self.write_blocked.load(Ordering::Relaxed) {
            self.write_blocked.store(false, Ordering::Relaxed);
        }
        self.has_moved();
    }

    pub(crate) fn cannot_write(&self) {
        self.write_blocked.store(true, Ordering::Relaxed);
    }

    #[inline]
    fn has_moved(&self) {
        // The socket belongs to one task at a time, so nobody writes in between.
        let moved = self.moved.load(Ordering::Relaxed);
        self.moved.store(moved.wrapping_add(1), Ordering::Relaxed);
    }

    // ---- what requests tell

    /// Called by the task of the connection only, so these need no read-modify-write.
    #[inline]
    pub(crate) fn begins(&self, one_at_a_time: bool) {
        if one_at_a_time {
            self.in_flight.store(1, Ordering::Release);
        } else {
            self.in_flight.fetch_add(1, Ordering::AcqRel);
        }
        let calls = self.calls.load(Ordering::Relaxed);
        self.calls.store(calls.wrapping_add(1), Ordering::Relaxed);
        self.heard.store(false, Ordering::Relaxed);
        self.body_wanted.store(false, Ordering::Relaxed);
        self.body_open.store(false, Ordering::Relaxed);
        self.idle_since.store(NOT_IDLE, Ordering::Relaxed);
    }

    pub(crate) fn wants_body(&self, wanted: bool) {
        self.body_wanted.store(wanted, Ordering::Relaxed);
    }

    pub(crate) fn body_begins(&self) {
        self.body_open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn body_ends(&self) {
        self.body_open.store(false, Ordering::Release);
    }

    pub(crate) fn peer_says_close(&self) {
        self.said_close.store(true, Ordering::Relaxed);
    }

    pub(crate) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Release);
    }

    pub(crate) fn closes(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    // ---- what the driver reads

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        if self.in_flight.load(Ordering::Acquire) > 0 || self.write_blocked.load(Ordering::Relaxed) {
            Phase::Busy
        } else if self.heard.load(Ordering::Relaxed) {
            Phase::Head
        } else {
            Phase::Idle
        }
    }

    #[inline]
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn moved(&self) -> u32 {
        self.moved.load(Ordering::Relaxed)
    }

    /// The next move is the peer's, in the middle of a request.
    #[inline]
    pub(crate) fn waits_for_peer(&self) -> bool {
        self.write_blocked.load(Ordering::Relaxed) || self.body_wanted.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Acquire)
    }

    /// A request was received to its end, and its answer was not sent to its end. The protocol reads nothing meanwhile.
    #[inline]
    pub(crate) fn is_answering(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0
            && !self.body_open.load(Ordering::Acquire)
            && !self.is_upgraded()
    }

    #[inline]
    pub(crate) fn peer_has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn peer_has_said_close(&self) -> bool {
        self.said_close.load(Ordering::Relaxed)
    }

    // ---- who is idle

    /// In nanoseconds after it was opened.
    #[inline]
    pub(crate) fn age(&self) -> u64 {
        let age = self.opened.elapsed();
        age.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(age.subsec_nanos()))
    }

    /// Since this age.
    #[inline]
    pub(crate) fn is_idle_since(&self, age: u64) {
        self.idle_since.store(age, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_not_idle(&self) {
        self.idle_since.store(NOT_IDLE, Ordering::Relaxed);
    }

    /// A connection that never said anything is idle since it was opened.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let nanos = self.idle_since.load(Ordering::Relaxed);
        (nanos != NOT_IDLE).then(|| self.opened + Duration::from_nanos(nanos))
    }

    /// For the report of what was cut.
    pub(crate) fn doing(&self) -> &'static str {
        if self.is_upgraded() {
            return "upgraded";
        }
        if self.closing.load(Ordering::Relaxed) {
            return "closing";
        }
        match self.phase() {
            Phase::Busy => "answering",
            Phase::Head => "sending a head",
            Phase::Idle => "idle",
        }
    }
}

/// A request in progress; the end of it when dropped.
pub(crate) struct Flight {
    slot: Arc<Slot>,
    /// HTTP/1: the next request begins when this one is over.
    one_at_a_time: bool,
    has_body: bool,
}

impl Flight {
    #[inline]
    pub(crate) fn begin(slot: &Arc<Slot>, one_at_a_time: bool, has_body: bool) -> Flight {
        slot.begins(one_at_a_time);
        Flight { slot: Arc::clone(slot), one_at_a_time, has_body }
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    #[inline]
    pub(crate) fn is_http1(&self) -> bool {
        self.one_at_a_time
    }
}

impl Drop for Flight {
    #[inline]
    fn drop(&mut self) {
        if self.one_at_a_time {
            if self.has_body {
                self.slot.heard.store(false, Ordering::Relaxed); // what came meanwhile was that, and no head
            }
            self.slot.in_flight.store(0, Ordering::Release);
        } else if self.slot.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.slot.wake(); // the answers of HTTP/2 end in tasks of their own, so the driver must be told
        }
    }
}
