//! A body with a thread: it begins at each start of the bus, waits for its turns and takes them, and ends at each stop.
//!
//! A *run* is what lies between a start and a stop. A body that does not return in time at a stop keeps its thread, and
//! the thread of the next run waits until it gets the body: so no body ever runs twice at once.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sitebus_bus::{Level, Plugin, Stop, priority};

use crate::error::TasksError;
use crate::guard::guarded;
use crate::schedule::Schedule;
use crate::shared::{Body, Living, Shared};
use crate::turn::Turn;

/// A stop reports who has not ended that long before it would itself be given up, or a tenth of the time if that is less.
const REPORTING: Duration = Duration::from_millis(100);
/// How long a stop that is hurried waits for what has been told to end already.
const HURRIED: Duration = Duration::from_millis(250);

/// The listeners' side. When it is dropped, with the last of them, the task ends.
pub(crate) struct Runner {
    plugin: Plugin,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Runner {
    pub(crate) fn subscribe(plugin: &Plugin, schedule: Schedule, body: Body) -> Arc<Runner> {
        let shared = Shared::new(schedule, body);
        let runner = Arc::new(Runner { plugin: plugin.clone(), shared, thread: Mutex::default() });
        let starter = Arc::clone(&runner);
        plugin.on_start(priority::TASKS, move |_| Ok(starter.start()?));
        // All tasks of a bus are told before the first of them is waited for, so that they end together.
        let teller = Arc::clone(&runner);
        plugin.on_stop(priority::STOP_TASKS.before(), move |_| teller.shared.end());
        let stopper = Arc::clone(&runner);
        plugin.on_stop(priority::STOP_TASKS, move |stop| Ok(stopper.stop(stop)?));
        runner
    }

    /// Another schedule, which begins now; or the same one anew.
    pub(crate) fn reschedule(&self, change: impl FnOnce(&Schedule) -> Schedule) {
        self.shared.reschedule(change);
    }

    fn start(&self) -> Result<(), TasksError> {
        let (run, living) = self.shared.begin();
        let worker = Worker { plugin: self.plugin.clone(), shared: Arc::clone(&self.shared), run };
        let thread = thread::Builder::new().name(self.plugin.name().replace('\0', " "));
        let thread = thread.spawn(move || worker.work(living));
        let thread =
            thread.map_err(|cause| TasksError::NoThread { task: self.plugin.name().into(), cause })?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    fn stop(&self, stop: &Stop) -> Result<(), TasksError> {
        let begun = Instant::now();
        let ended = self.wait_for_end(stop, begun);
        let Some(thread) = self.thread.lock().take() else { return Ok(()) };
        if ended {
            let _ = thread.join(); // it has nothing left to do
            return Ok(());
        }
        // The bus waits for it once more, at its very end.
        let task: Arc<str> = self.plugin.name().into();
        self.plugin.handle().adopt(Arc::clone(&task), thread);
        Err(TasksError::NotEnded { task, waited: begun.elapsed() })
    }

    fn wait_for_end(&self, stop: &Stop, now: Instant) -> bool {
        let time = stop.deadline().saturating_duration_since(now);
        let until = stop.deadline() - REPORTING.min(time / 10);
        let waker = Waker::from(Arc::clone(&self.shared));
        let mut hurry = pin!(stop.hurry().when());
        let _ = hurry.as_mut().poll(&mut Context::from_waker(&waker)); // only to be woken
        if self.shared.wait_for_death(until, || stop.hurry().is_set()) {
            return true;
        }
        self.shared.wait_for_death(until.min(Instant::now() + HURRIED), || false)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// The thread's side, for one run.
struct Worker {
    plugin: Plugin,
    shared: Arc<Shared>,
    run: u64,
}

impl Worker {
    fn work(self, _living: Living) {
        let Some(mut body) = self.shared.take_body(self.run) else { return };
        let turn = Turn { shared: Arc::clone(&self.shared), run: self.run };
        while let Some(edition) = self.shared.wait_for_turn(self.run) {
            // The stop of the bus waits for this thread, so this thread must not wait for that.
            let outcome = self.plugin.handle().awaited(|| guarded(|| body(&turn)));
            let pause = self.shared.turn_ended(edition, outcome.is_ok());
            if let Err(what) = outcome {
                self.log(&what, pause.filter(|_| !turn.is_ending()));
            }
        }
        self.shared.put_back(body);
    }

    fn log(&self, what: &str, pause: Option<Duration>) {
        let next =
            pause.map_or_else(String::new, |pause| format!("; it goes on in {pause:?} at the earliest"));
        self.plugin.log(Level::Error, format!("{what}{next}"));
    }
}
