//! What listens, how long, and what a publish means meanwhile.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use sitebus_bus::{Bus, Channel, Commit, EXIT, GRACEFUL, Listener, Reason, START, STOP, Subscription, Topic};
use sitebus_testkit::{Gate, Transcript};

const TOPIC: Topic<()> = Topic::new("topic");
const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_panic_is_a_failure_with_its_text_and_the_channel_goes_on() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    channel.subscribe("static", |()| -> () { panic!("a fixed text") });
    channel.subscribe("formatted", |()| -> () { panic!("text number {}", 2) });
    channel.subscribe("odd", |()| -> () { std::panic::panic_any(7) });
    let noted = heard.clone();
    channel.subscribe("runs", move |()| noted.note("runs"));
    for _ in 0..2 {
        let failures = channel.publish(&()).unwrap_err();
        let texts = failures.iter().map(|failure| match failure.reason() {
            Reason::Panicked(text) => text.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(texts.collect::<Vec<_>>(), ["a fixed text", "text number 2", "a panic without a text"]);
        assert_eq!(failures.first().to_string(), "'static' panicked on 'topic': a fixed text");
    }
    assert_eq!(heard.lines(), ["runs", "runs"]);
    channel.subscribe("later", |()| ()).unsubscribe();
}

#[test]
fn no_lock_is_held_while_a_listener_runs() {
    let bus = Bus::new("site");
    let (channel, gate) = (bus.on(TOPIC).unwrap(), Gate::new());
    let held = gate.clone();
    let own = channel.subscribe("is held", move |()| held.pass());
    let publisher = {
        let channel = channel.clone();
        thread::spawn(move || channel.publish(&()))
    };
    gate.wait_for_arrival(SOON);
    // All of this would wait for ever if the publish held anything.
    channel.subscribe("another", |()| ()).unsubscribe();
    own.unsubscribe();
    channel.publish(&()).unwrap();
    assert!(bus.channels().iter().any(|known| known.name == channel.name()));
    bus.start().unwrap();
    bus.stop().unwrap();
    gate.open();
    publisher.join().unwrap().unwrap();
}

#[test]
fn changes_during_a_publish_count_from_the_next_one() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    let second = Arc::new(OnceLock::<Subscription>::new());
    let (known, inner, noted) = (Arc::clone(&second), channel.clone(), heard.clone());
    channel.subscribe("changes", move |()| {
        if let Some(second) = known.get() {
            second.unsubscribe();
        }
        let noted = noted.clone();
        inner.subscribe("new", move |()| noted.note("new"));
    });
    let noted = heard.clone();
    second.set(channel.subscribe("second", move |()| noted.note("second"))).unwrap();
    channel.publish(&()).unwrap();
    assert_eq!(heard.take(), ["second"]);
    channel.publish(&()).unwrap();
    assert_eq!(heard.take(), ["new"]);
    channel.publish(&()).unwrap();
    assert_eq!(heard.take(), ["new", "new"]);
}

#[test]
fn changes_during_a_start_count_from_the_next_one() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let (inner, noted) = (bus.handle(), heard.clone());
    bus.on(START).unwrap().subscribe("changes", move |_| {
        let noted = noted.clone();
        inner.on(START).unwrap().subscribe("new", move |_| noted.note("new"));
    });
    bus.start().unwrap();
    assert!(heard.take().is_empty());
    bus.stop().unwrap();
    bus.start().unwrap();
    assert_eq!(heard.take(), ["new"]);
}

/// Subscribes another listener that notes `new`, and ends the subscription of one that comes later.
fn changes<M: ?Sized + 'static, O: 'static>(
    channel: &Channel<M, O>,
    heard: &Transcript,
    ends: fn() -> O,
) -> impl Fn(&M) -> anyhow::Result<O> + Send + Sync + use<M, O> {
    let (inner, noted) = (channel.clone(), heard.clone());
    let later = Arc::new(OnceLock::<Subscription>::new());
    let (known, heard) = (Arc::clone(&later), heard.clone());
    later
        .set(channel.subscribe_at(90, "later", move |_| {
            heard.note("later");
            Ok(ends())
        }))
        .unwrap();
    move |_| {
        known.get().unwrap().unsubscribe();
        let noted = noted.clone();
        inner.subscribe_at(95, "new", move |_| {
            noted.note("new");
            Ok(ends())
        });
        Ok(ends())
    }
}

#[test]
fn changes_during_a_stop_a_reload_and_an_exit_count_from_the_next_one() {
    let (bus, heard) = (Bus::new("site"), Transcript::new());
    let (stop, graceful, exit) = (bus.on(STOP).unwrap(), bus.on(GRACEFUL).unwrap(), bus.on(EXIT).unwrap());
    stop.subscribe_at(10, "changes", changes(&stop, &heard, || ()));
    graceful.subscribe_at(10, "changes", changes(&graceful, &heard, Commit::nothing));
    exit.subscribe_at(10, "changes", changes(&exit, &heard, || ()));
    for expected in ["later", "new"] {
        bus.start().unwrap();
        bus.graceful().unwrap();
        assert_eq!(heard.take(), [expected], "graceful");
        bus.stop().unwrap();
        assert_eq!(heard.take(), [expected], "stop");
    }
    bus.exit().unwrap();
    assert_eq!(heard.take(), ["later"], "exit");
}

#[test]
fn a_subscription_ends_when_it_is_unsubscribed_and_not_when_it_is_dropped() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    let (kept, ended) = (heard.clone(), heard.clone());
    drop(channel.subscribe("dropped", move |()| kept.note("dropped")));
    let subscription = channel.subscribe("ended", move |()| ended.note("ended"));
    channel.publish(&()).unwrap();
    assert_eq!(heard.take(), ["dropped", "ended"]);
    subscription.unsubscribe();
    subscription.unsubscribe(); // what has ended already
    channel.publish(&()).unwrap();
    assert_eq!(heard.take(), ["dropped"]);
}

#[test]
fn an_unsubscribed_listener_is_dropped_at_once_also_after_it_has_taken_part_in_a_start() {
    let bus = Bus::new("site");
    let owned = Arc::new(());
    let weak: Weak<()> = Arc::downgrade(&owned);
    let subscription = bus.on(START).unwrap().subscribe("owns", move |_| {
        let _owned = &owned;
    });
    bus.start().unwrap();
    bus.ask_start().wait().unwrap(); // the lane has put away what the start needed
    subscription.unsubscribe();
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_plugin_ends_all_of_its_subscriptions_and_no_other() {
    const OWN: Topic<str, u8> = Topic::new("own");
    let bus = Bus::new("site");
    let (plugin, other, heard) = (bus.plugin("one"), bus.plugin("other"), Transcript::new());
    let [on_start, on_stop, on_topic, others] = [(); 4].map(|()| heard.clone());
    plugin.on_start(50, move |_| on_start.note("start"));
    plugin.on_stop(50, move |_| on_stop.note("stop"));
    plugin.subscribe(TOPIC, 50, move |()| on_topic.note("topic")).unwrap();
    plugin.subscribe(OWN, 50, |_: &str| Ok(1)).unwrap();
    other.subscribe(TOPIC, 50, move |()| others.note("other")).unwrap();
    plugin.unsubscribe();
    bus.on(TOPIC).unwrap().publish(&()).unwrap();
    assert!(bus.on(OWN).unwrap().collect("").outputs.is_empty());
    bus.start().unwrap();
    bus.exit().unwrap();
    assert_eq!(heard.lines(), ["other"]);
}

#[test]
fn dropping_a_plugin_changes_nothing() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let noted = heard.clone();
    bus.plugin("one").on_start(50, move |_| noted.note("start"));
    bus.start().unwrap();
    assert_eq!(heard.lines(), ["start"]);
}

struct Refuses(&'static str);

impl Listener<()> for Refuses {
    fn name(&self) -> &str {
        self.0
    }

    fn hear(&self, (): &()) -> anyhow::Result<()> {
        Err(anyhow!("no"))
    }
}

#[test]
fn the_report_has_the_name_of_a_closure_of_a_value_and_of_a_plugin() {
    let bus = Bus::new("site");
    let channel = bus.on(TOPIC).unwrap();
    channel.subscribe("closure", |()| Err(anyhow!("no")));
    channel.attach(Refuses("value"));
    bus.plugin("plugin").subscribe(TOPIC, 50, |()| Err(anyhow!("no"))).unwrap();
    let failures = channel.publish(&()).unwrap_err();
    let names = failures.iter().map(|failure| failure.listener()).collect::<Vec<_>>();
    assert_eq!(names, ["closure", "value", "plugin"]);
}

#[test]
fn a_stop_listener_whose_plugin_has_a_start_listener_runs_only_if_that_one_began() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let plugin = |name: &'static str, priority: i32, ends: fn() -> anyhow::Result<()>| {
        let (on_start, on_stop) = (heard.clone(), heard.clone());
        let plugin = bus.plugin(name);
        plugin.on_start(priority, move |_| {
            on_start.note(format!("start {name}"));
            ends()
        });
        plugin.on_stop(50, move |_| on_stop.note(format!("stop {name}")));
    };
    plugin("began", 10, || Ok(()));
    plugin("left", 20, || Err(sitebus_bus::Exit::success("enough").into()));
    plugin("never began", 30, || Ok(()));
    let bare = heard.clone();
    bus.on(STOP).unwrap().subscribe("bare", move |_| bare.note("stop bare"));
    bus.start().unwrap_err();
    assert_eq!(bus.block().code(), 0);
    assert_eq!(heard.lines(), ["start began", "start left", "stop bare", "stop left", "stop began"]);
}

#[test]
fn a_plugin_that_began_in_one_start_is_not_stopped_after_another_in_which_it_did_not() {
    let bus = Bus::new("site");
    let (starts, heard) = (AtomicUsize::new(0), Transcript::new());
    bus.on(START).unwrap().subscribe_at(10, "leaves at the second", move |_| {
        match starts.fetch_add(1, Relaxed) {
            0 => Ok(()),
            _ => Err(sitebus_bus::Exit::success("enough").into()),
        }
    });
    let (plugin, noted) = (bus.plugin("later"), heard.clone());
    plugin.on_start(20, |_| ());
    plugin.on_stop(20, move |_| noted.note("stop"));
    bus.start().unwrap();
    bus.stop().unwrap();
    assert_eq!(heard.take(), ["stop"]);
    bus.start().unwrap_err();
    assert_eq!(bus.block().code(), 0);
    assert!(heard.lines().is_empty());
}

#[test]
fn a_plugin_that_never_started_is_not_stopped_and_bare_listeners_stop_once_for_each_start() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    let (paired, bare) = (heard.clone(), heard.clone());
    let plugin = bus.plugin("paired");
    plugin.on_start(50, |_| ());
    plugin.on_stop(50, move |_| paired.note("paired"));
    bus.on(STOP).unwrap().subscribe("bare", move |_| bare.note("bare"));
    bus.stop().unwrap();
    assert_eq!(heard.take(), ["bare"]);
    for _ in 0..2 {
        bus.start().unwrap();
        bus.stop().unwrap();
        assert_eq!(heard.take(), ["bare", "paired"]);
        bus.stop().unwrap();
        assert!(heard.take().is_empty());
    }
    bus.exit().unwrap();
    assert!(heard.take().is_empty());
}
