//! One timer for all the deadlines of a connection.

use std::pin::{Pin, pin};
use std::task::Context;
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Wakes the task not later than the deadline, and possibly earlier: deadlines move with every request, and moving the
/// timer each time would cost more than an idle wake-up now and then.
///
/// Deadlines are ages of the connection, in nanoseconds.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// 0: not armed.
    armed: u64,
}

/// A year is as good as for ever, and cannot overflow a clock.
const LONGEST: u64 = 365 * 24 * 3600 * 1_000_000_000;

impl Alarm {
    #[inline]
    pub(crate) fn wake_by(&mut self, opened: Instant, due: u64, now: u64, cx: &mut Context<'_>) {
        if now >= self.armed || self.armed > due {
            self.arm(opened, due.min(now.saturating_add(LONGEST)), cx);
        }
    }

    #[cold]
    fn arm(&mut self, opened: Instant, due: u64, cx: &mut Context<'_>) {
        let instant = (opened + Duration::from_nanos(due)).into();
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(instant)));
        sleep.as_mut().reset(instant);
        self.armed = due;
        // Unconstrained, or a task that has used up its share would not be entered with the timer.
        if pin!(tokio::task::unconstrained(sleep.as_mut())).poll(cx).is_ready() {
            self.armed = 0;
            cx.waker().wake_by_ref();
        }
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
