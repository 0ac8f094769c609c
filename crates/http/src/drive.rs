//! Drives one connection of either protocol: deadlines, orders, and the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::alarm::{Alarm, nanos};
use crate::answer::text_of;
use crate::settings::Limits;
use crate::slot::{CUT, FINISH, Phase, Slot, YIELD};

/// A peer of HTTP/2 that was told to go, has no request in progress, and does not acknowledge within this time, is cut.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection that hyper serves.
pub(crate) trait Protocol {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<hyper::Result<()>>;

    /// Ends after what is in progress: at once if nothing is.
    fn finish(self: Pin<&mut Self>);

    /// Whether bytes without a request are the beginning of one.
    const BYTES_ARE_A_HEAD: bool;
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Both sides are done, or we had nothing more to say.
    Done,
    /// The peer broke the protocol, or the connection broke.
    Broken(hyper::Error),
    /// A head was not sent in time.
    Late,
    /// The peer did not move while it was its turn.
    Stalled,
    /// The peer had ended its side, and its answer was not finished in time.
    HalfClosed,
    /// Nothing was in progress, and the peer did not say goodbye.
    Silent,
    /// By order.
    Cut,
    /// Something that is not guarded against panicked.
    Panicked(String),
}

/// The driver's view of one connection.
pub(crate) struct Driver<'a> {
    slot: &'a Slot,
    limits: &'a Limits,
    alarm: &'a mut Alarm,
    waker: Option<Waker>,
    mark: (Phase, u32, u32),
    /// Ages of the connection, in nanoseconds: cheaper to reckon with than instants.
    since: u64,
    idle_time: u64,
    finishing: bool,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(slot: &'a Slot, limits: &'a Limits, alarm: &'a mut Alarm) -> Driver<'a> {
        let mark = (slot.phase(), slot.calls(), 0);
        let idle_time = nanos(limits.idle_time);
        Driver { slot, limits, alarm, waker: None, mark, since: 0, idle_time, finishing: false }
    }

    pub(crate) async fn run<P: Protocol>(mut self, mut connection: Pin<&mut P>) -> Ended {
        std::future::poll_fn(|cx| self.turn(connection.as_mut(), cx)).await
    }

    fn turn<P: Protocol>(&mut self, mut connection: Pin<&mut P>, cx: &mut Context<'_>) -> Poll<Ended> {
        self.register(cx.waker());
        loop {
            if self.slot.is_told(CUT) {
                return Poll::Ready(Ended::Cut);
            }
            match catch_unwind(AssertUnwindSafe(|| connection.as_mut().poll(cx))) {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Ended::Done),
                Ok(Poll::Ready(Err(error))) => return Poll::Ready(Ended::Broken(error)),
                Err(panic) => return Poll::Ready(Ended::Panicked(text_of(panic))),
            }
            let now = self.slot.age();
            let phase = self.observe(now, P::BYTES_ARE_A_HEAD);
            if self.is_to_finish(phase, P::BYTES_ARE_A_HEAD) || self.is_idle_too_long(phase, now) {
                self.finishing = true;
                self.since = now;
                connection.as_mut().finish();
                continue;
            }
            let Some(due) = self.due(phase, P::BYTES_ARE_A_HEAD) else { return Poll::Pending };
            if now >= due {
                return Poll::Ready(match phase {
                    Phase::Head => Ended::Late,
                    Phase::Busy if self.slot.waits_for_peer() => Ended::Stalled,
                    Phase::Busy => Ended::HalfClosed,
                    Phase::Idle => Ended::Silent,
                });
            }
            self.alarm.wake_by(self.slot.opened, due, now, cx);
            return Poll::Pending;
        }
    }

    /// Before the orders are read, so that none is missed.
    fn register(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.slot.register(waker);
            self.waker = Some(waker.clone());
        }
    }

    fn observe(&mut self, now: u64, bytes_are_a_head: bool) -> Phase {
        let phase = match self.slot.phase() {
            Phase::Head if !bytes_are_a_head => Phase::Idle,
            phase => phase,
        };
        let moved = if phase == Phase::Busy { self.slot.moved() } else { 0 };
        let mark = (phase, self.slot.calls(), moved);
        if mark != self.mark {
            self.mark = mark;
            self.since = now;
            if phase == Phase::Idle {
                self.slot.is_idle_since(now);
            } else {
                self.slot.is_not_idle();
            }
        }
        phase
    }

    /// A half-sent head is waited for: its request is answered, and then the connection closes.
    fn is_to_finish(&self, phase: Phase, one_at_a_time: bool) -> bool {
        let orders = self.slot.orders();
        if orders == 0 || self.finishing {
            return false;
        }
        match phase {
            Phase::Idle => orders & (FINISH | YIELD) != 0,
            Phase::Busy | Phase::Head => {
                self.slot.withdraw(YIELD);
                orders & FINISH != 0 && (phase == Phase::Busy || !one_at_a_time)
            }
        }
    }

    fn is_idle_too_long(&self, phase: Phase, now: u64) -> bool {
        phase == Phase::Idle && !self.finishing && now >= self.since.saturating_add(self.idle_time)
    }

    fn due(&self, phase: Phase, one_at_a_time: bool) -> Option<u64> {
        let time = match phase {
            Phase::Idle if !self.finishing => self.idle_time,
            Phase::Idle => nanos(GOODBYE),
            Phase::Head => nanos(self.limits.header_time),
            Phase::Busy if self.slot.waits_for_peer() => nanos(self.limits.stall_time),
            Phase::Busy if one_at_a_time && self.slot.peer_has_ended() => nanos(self.limits.half_closed_time),
            Phase::Busy => return None,
        };
        Some(self.since.saturating_add(time))
    }
}
