//! What the watching thread waits for, and how it is told to end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A stop waits no longer than this for other people's code on the watching thread: it may be waiting for that very stop.
const FOREIGN_PATIENCE: Duration = Duration::from_millis(100);
/// Of more moved folders than this it is not worth keeping a list.
const MOVED: usize = 1000;

/// Shared by the watching thread, the thread that hears events, and the bus.
#[derive(Default)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    ended: bool,
    /// The thread is in a listener of somebody else.
    outside: bool,
    event: Option<Instant>,
    /// The command has ended.
    done: bool,
    news: News,
}

/// What has been heard about folders since it was last taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// These may be other folders now, and what is below them too.
    pub(crate) moved: Vec<PathBuf>,
    /// Any of them may be: events have been lost.
    pub(crate) all_moved: bool,
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Stop,
    /// The command has ended.
    Done,
    /// The last event was then.
    Event(Instant),
    Time,
}

impl Mailbox {
    /// Something may have changed.
    pub(crate) fn event(&self, moved: Vec<PathBuf>) {
        let mut state = self.state.lock();
        state.event = Some(Instant::now());
        state.news.moved.extend(moved);
        if state.news.moved.len() > MOVED {
            state.news = News { moved: Vec::new(), all_moved: true };
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Anything may have changed.
    pub(crate) fn overflow(&self) {
        let mut state = self.state.lock();
        state.event = Some(Instant::now());
        state.news = News { moved: Vec::new(), all_moved: true };
        drop(state);
        self.changed.notify_all();
    }

    /// The command has ended.
    pub(crate) fn done(&self) {
        self.state.lock().done = true;
        self.changed.notify_all();
    }

    pub(crate) fn take_news(&self) -> News {
        std::mem::take(&mut self.state.lock().news)
    }

    /// Waits for an event, and takes it. It does not end for a command.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Woken {
        self.wait_for(until, |state| state.event.take().map(Woken::Event))
    }

    /// The event that has come, without waiting.
    pub(crate) fn take_event(&self) -> Option<Instant> {
        self.state.lock().event.take()
    }

    /// Waits for the end of the command; events wait.
    pub(crate) fn wait_done(&self, until: Option<Instant>) -> Woken {
        self.wait_for(until, |state| std::mem::take(&mut state.done).then_some(Woken::Done))
    }

    /// Waits for nothing but the time; events wait. False if it is to stop.
    pub(crate) fn rest(&self, until: Instant) -> bool {
        self.wait_for(Some(until), |_| None) == Woken::Time
    }

    /// The same, even if the thread is to stop.
    pub(crate) fn wait_done_anyhow(&self, until: Instant) {
        let mut state = self.state.lock();
        while !std::mem::take(&mut state.done) && !self.changed.wait_until(&mut state, until).timed_out() {}
    }

    /// A command begins.
    pub(crate) fn begin(&self) {
        self.state.lock().done = false;
    }

    fn wait_for(
        &self,
        until: Option<Instant>,
        mut awaited: impl FnMut(&mut State) -> Option<Woken>,
    ) -> Woken {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return Woken::Stop;
            }
            if let Some(woken) = awaited(&mut state) {
                return woken;
            }
            match until {
                None => self.changed.wait(&mut state),
                Some(until) => {
                    if self.changed.wait_until(&mut state, until).timed_out() {
                        return if state.stopping { Woken::Stop } else { Woken::Time };
                    }
                }
            }
        }
    }

    /// Calls other people's code, unless the thread is to end: then it is not called, since a stop may wait for the thread and
    /// the code for the stop.
    pub(crate) fn outside<T>(&self, code: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state.lock();
        if state.stopping {
            return None;
        }
        state.outside = true;
        drop(state);
        self.changed.notify_all();
        let result = code();
        self.state.lock().outside = false;
        self.changed.notify_all();
        Some(result)
    }

    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.changed.notify_all();
    }

    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.changed.notify_all();
    }

    /// Waits for the end of the thread. `None` if other people's code holds it up, false if something else does.
    pub(crate) fn wait_ended(&self, deadline: Instant) -> Option<bool> {
        let mut state = self.state.lock();
        let soon = Instant::now() + FOREIGN_PATIENCE;
        while !state.ended {
            let until = if state.outside { deadline.min(soon) } else { deadline };
            if Instant::now() >= until {
                return if state.outside { None } else { Some(false) };
            }
            self.changed.wait_until(&mut state, until);
        }
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_ends_every_wait_and_lets_nobody_out() {
        let mailbox = Mailbox::default();
        mailbox.event(Vec::new());
        mailbox.done();
        mailbox.stop();
        assert_eq!(mailbox.wait(None), Woken::Stop);
        assert_eq!(mailbox.wait_done(None), Woken::Stop);
        assert!(!mailbox.rest(Instant::now()));
        assert_eq!(mailbox.outside(|| ()), None);
    }

    #[test]
    fn an_event_waits_until_it_is_taken_once() {
        let mailbox = Mailbox::default();
        mailbox.event(Vec::new());
        assert_eq!(mailbox.wait_done(Some(Instant::now())), Woken::Time);
        assert!(matches!(mailbox.wait(None), Woken::Event(_)));
        assert_eq!(mailbox.wait(Some(Instant::now())), Woken::Time);
    }

    #[test]
    fn too_much_news_is_news_about_everything() {
        let mailbox = Mailbox::default();
        mailbox.event(vec!["/a".into()]);
        assert_eq!(mailbox.take_news(), News { moved: vec!["/a".into()], all_moved: false });
        mailbox.event(vec!["/a".into(); MOVED + 1]);
        assert_eq!(mailbox.take_news(), News { moved: Vec::new(), all_moved: true });
        assert_eq!(mailbox.take_news(), News::default());
    }

    #[test]
    fn a_thread_that_is_outside_is_not_waited_for_long() {
        let mailbox = Mailbox::default();
        let far = Instant::now() + Duration::from_secs(60);
        assert_eq!(mailbox.outside(|| mailbox.wait_ended(far)), Some(None));
        assert_eq!(mailbox.wait_ended(Instant::now()), Some(false));
        mailbox.end();
        assert_eq!(mailbox.wait_ended(far), Some(true));
    }
}
