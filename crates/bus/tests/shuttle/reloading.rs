//! Reloads, against each other and against an exit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use anyhow::anyhow;
use sitebus_bus::{Commit, Error, Priority, SettingsMap};

use crate::checker::{hold, in_every_schedule};
use crate::site::{Outcome, Site, answered, aside, join_all, kind};

/// How often settings were prepared, committed, and given back.
#[derive(Default)]
struct Counts {
    prepared: AtomicUsize,
    committed: AtomicUsize,
    given_back: AtomicUsize,
}

/// What a listener prepared: given back unless it is committed.
struct Prepared(Arc<Counts>, bool);

impl Prepared {
    fn new(counts: &Arc<Counts>) -> Prepared {
        counts.prepared.fetch_add(1, SeqCst);
        Prepared(Arc::clone(counts), false)
    }

    fn commit(mut self) {
        self.1 = true;
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let counter = if self.1 { &self.0.committed } else { &self.0.given_back };
        counter.fetch_add(1, SeqCst);
    }
}

fn listen(site: &Site, names: &[&'static str]) -> Arc<Counts> {
    let counts = Arc::<Counts>::default();
    for name in names {
        let counts = Arc::clone(&counts);
        site.bus.plugin(*name).on_graceful(Priority::DEFAULT, move |graceful| {
            graceful.get::<u32>().ok_or_else(|| anyhow!("no settings"))?;
            let prepared = Prepared::new(&counts);
            Ok(Commit::new(move || {
                prepared.commit();
                Ok(())
            }))
        });
    }
    counts
}

/// Each reload commits everything or nothing, and gives back whatever it does not commit.
fn all_or_nothing(counts: &Counts, outcomes: &[Outcome], listeners: usize) {
    let [prepared, committed, given_back] =
        [&counts.prepared, &counts.committed, &counts.given_back].map(|counter| counter.load(SeqCst));
    let done = outcomes.iter().filter(|outcome| kind(outcome) == "done").count();
    hold(committed == done * listeners, "a reload changes everything or nothing");
    hold(
        prepared == committed + given_back,
        "an abort takes back what was prepared, all of it and in reverse",
    );
}

#[test]
fn a_reload_and_an_exit_at_once() {
    in_every_schedule("a reload ends, whatever an exit does to it", || {
        let site = Site::new();
        let counts = listen(&site, &["one", "two"]);
        let (one, two) = (site.bus.handle(), site.bus.handle());
        let graceful = aside(move || one.ask_graceful(SettingsMap::new().with(7_u32)).wait());
        let exit = aside(move || answered(&two.exit(), &["done"]));
        exit.join().unwrap();
        let outcome = graceful.join().unwrap();
        answered(&outcome, &["done", "interrupted", "refused"]);
        site.end();
        all_or_nothing(&counts, &[outcome], 2);
    });
}

#[test]
fn two_reloads_of_which_one_is_vetoed() {
    in_every_schedule("every reload is answered with what became of it", || {
        let site = Site::new();
        let counts = listen(&site, &["one", "two"]);
        let (one, two, three) = (site.bus.handle(), site.bus.handle(), site.bus.handle());
        let good = aside(move || one.ask_graceful(SettingsMap::new().with(7_u32)).wait());
        let bad = aside(move || two.graceful());
        let start = aside(move || answered(&three.start(), &["done"]));
        let outcomes = [good, bad].map(|thread| thread.join().unwrap());
        start.join().unwrap();
        answered(&outcomes[0], &["done"]);
        answered(&outcomes[1], &["vetoed"]);
        let last = site.bus.last_graceful();
        hold(
            matches!(last, Some(Ok(()) | Err(Error::Vetoed { .. }))),
            "how the last reload went can be asked for",
        );
        answered(&site.bus.exit(), &["done"]);
        site.end();
        all_or_nothing(&counts, &outcomes, 2);
    });
}

/// Settings and commits are foreign, and so are their destructors: they may ask the bus.
struct Asks(sitebus_bus::Handle);

impl Drop for Asks {
    fn drop(&mut self) {
        let _ = (self.0.state(), self.0.last_graceful());
    }
}

#[test]
fn destructors_of_settings_and_commits_may_ask_the_bus() {
    in_every_schedule("no lock is held while foreign code runs, a destructor included", || {
        let site = Site::new();
        let inside = site.bus.handle();
        site.bus.plugin("one").on_graceful(Priority::DEFAULT, move |_| {
            let owned = Asks(inside.clone());
            Ok(Commit::new(move || {
                drop(owned);
                Ok(())
            }))
        });
        let [one, two] = [(); 2].map(|()| site.bus.handle());
        let settings = SettingsMap::new().with(Asks(site.bus.handle()));
        let graceful =
            aside(move || answered(&one.ask_graceful(settings).wait(), &["done", "interrupted", "refused"]));
        let exit = aside(move || answered(&two.exit(), &["done"]));
        site.end();
        join_all([graceful, exit]);
    });
}
