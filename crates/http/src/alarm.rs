//! One timer for all the deadlines of a connection.

use std::pin::{Pin, pin};
use std::task::Context;
use std::time::Instant;
use tokio::time::Sleep;

/// Wakes the task not later than the deadline, and possibly earlier: deadlines move with every request, and moving the
/// timer each time would cost more than an idle wake-up now and then.
#[derive(Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
}

impl Alarm {
    pub(crate) fn wake_by(&mut self, due: Instant, now: Instant, cx: &mut Context<'_>) {
        if self.armed.is_some_and(|armed| now < armed && armed <= due) {
            return;
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        sleep.as_mut().reset(due.into());
        self.armed = Some(due);
        // Unconstrained, or a task that has used up its share would not be entered with the timer.
        if pin!(tokio::task::unconstrained(sleep.as_mut())).poll(cx).is_ready() {
            self.armed = None;
            cx.waker().wake_by_ref();
        }
    }
}
