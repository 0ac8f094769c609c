//! Something that a site needs: it counts what the bus tells it, and which threads it has something for.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sitebus::tasks::Threads;
use sitebus::{Commit, Handle, Level, Priority, State, priority, topics};

/// As early as in the case that it is for: before everybody else.
const FIRST: Priority = Priority::new(6);

pub(crate) struct Dependency {
    pub(crate) threads: Threads,
    began: Instant,
    starts: AtomicU64,
    stops: AtomicU64,
    reloads: AtomicU64,
    /// The threads that it was told of.
    holders: Mutex<BTreeSet<u64>>,
}

impl Dependency {
    /// With `fails`, its start divides by zero.
    pub(crate) fn subscribe(bus: &Handle, fails: bool) -> anyhow::Result<Arc<Dependency>> {
        let dependency = Arc::new(Dependency {
            threads: Threads::subscribe(bus)?,
            began: Instant::now(),
            starts: AtomicU64::new(0),
            stops: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            holders: Mutex::default(),
        });
        let plugin = bus.plugin("dependency");
        if fails {
            plugin.on_start(FIRST, |_| {
                let _ = 1 / std::hint::black_box(0);
            });
        }
        let us = || Arc::clone(&dependency);
        let (starts, stops, reloads) = (us(), us(), us());
        plugin.on_start(priority::SITE, move |_| count(&starts.starts));
        plugin.on_stop(priority::SITE, move |_| count(&stops.stops));
        plugin.on_graceful(priority::SITE, move |_| {
            let reloads = Arc::clone(&reloads);
            Ok(Commit::new(move || {
                count(&reloads.reloads);
                Ok(())
            }))
        });
        let (holds, lets_go) = (us(), us());
        plugin.subscribe(topics::START_THREAD, Priority::DEFAULT, move |id| holds.note(*id, true))?;
        plugin.subscribe(topics::STOP_THREAD, Priority::DEFAULT, move |id| lets_go.note(*id, false))?;
        let (told, log) = (us(), plugin.clone());
        plugin.on_state(Priority::DEFAULT, move |state| log.log(Level::Info, told.line(*state)));
        Ok(dependency)
    }

    fn note(&self, id: u64, holds: bool) {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if holds {
            holders.insert(id);
        } else {
            holders.remove(&id);
        }
    }

    fn thread_count(&self) -> usize {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn line(&self, state: State) -> String {
        let (starts, stops) = (read(&self.starts), read(&self.stops));
        format!("{state} with {starts} starts, {stops} stops, {} threads", self.thread_count())
    }

    /// All that it knows, as JSON, in the words of `status`.
    pub(crate) fn facts(&self, state: State) -> String {
        format!(
            "{{\"pid\":{},\"state\":\"{state}\",\"uptime_ms\":{},\"starts\":{},\"stops\":{},\"reloads\":{},\"threads\":{}}}",
            std::process::id(),
            self.began.elapsed().as_millis(),
            read(&self.starts),
            read(&self.stops),
            read(&self.reloads),
            self.thread_count(),
        )
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
