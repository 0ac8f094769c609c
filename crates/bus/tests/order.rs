//! The order of listeners.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_bus::{Bus, Commit, EXIT, GRACEFUL, Listener, Priority, START, STOP, Topic, priority};
use sitebus_testkit::Transcript;

const TOPIC: Topic<()> = Topic::new("topic");

struct Named {
    name: &'static str,
    priority: Option<Priority>,
    heard: Transcript,
}

impl Listener<()> for Named {
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> Priority {
        self.priority.unwrap_or_default()
    }

    fn hear(&self, (): &()) -> anyhow::Result<()> {
        self.heard.note(self.name);
        Ok(())
    }
}

struct Plain(Transcript);

impl Listener<()> for Plain {
    fn name(&self) -> &str {
        "plain"
    }

    fn hear(&self, (): &()) -> anyhow::Result<()> {
        self.0.note("plain");
        Ok(())
    }
}

#[test]
fn a_listener_stands_where_its_own_priority_says() {
    let bus = Bus::new("site");
    let (channel, heard) = (bus.on(TOPIC).unwrap(), Transcript::new());
    let named = |name, priority| Named { name, priority, heard: heard.clone() };
    channel.attach(named("last", Some(Priority::new(90))));
    channel.attach(named("first", Some(Priority::new(-3))));
    let noted = heard.clone();
    channel.subscribe("closure", move |()| noted.note("closure"));
    channel.attach(Plain(heard.clone()));
    channel.publish(&()).unwrap();
    assert_eq!(heard.lines(), ["first", "closure", "plain", "last"]);
}

#[test]
fn ties_go_by_subscription_and_the_other_way_round_on_stop_and_exit() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    for name in ["a", "b", "c"] {
        let [on_topic, on_start, on_stop, on_exit, on_graceful] = [(); 5].map(|()| heard.clone());
        bus.on(TOPIC).unwrap().subscribe(name, move |()| on_topic.note(name));
        bus.on(START).unwrap().subscribe(name, move |_| on_start.note(name));
        bus.on(STOP).unwrap().subscribe(name, move |_| on_stop.note(name));
        bus.on(EXIT).unwrap().subscribe(name, move |_| on_exit.note(name));
        bus.on(GRACEFUL).unwrap().subscribe(name, move |_| {
            on_graceful.note(name);
            let on_commit = on_graceful.clone();
            Ok(Commit::new(move || {
                on_commit.note(format!("commit {name}"));
                Ok(())
            }))
        });
    }
    bus.on(TOPIC).unwrap().publish(&()).unwrap();
    assert_eq!(heard.take(), ["a", "b", "c"]);
    bus.start().unwrap();
    assert_eq!(heard.take(), ["a", "b", "c"]);
    bus.graceful().unwrap();
    assert_eq!(heard.take(), ["a", "b", "c", "commit a", "commit b", "commit c"]);
    bus.exit().unwrap();
    assert_eq!(heard.take(), ["c", "b", "a", "c", "b", "a"]);
}

#[test]
fn priorities_are_kept_on_stop_and_exit_too_lower_first() {
    let bus = Bus::new("site");
    let heard = Transcript::new();
    for number in [70, 20, 50] {
        let (on_stop, on_exit) = (heard.clone(), heard.clone());
        bus.on(STOP).unwrap().subscribe_at(number, "stops", move |_| on_stop.note(number.to_string()));
        bus.on(EXIT).unwrap().subscribe_at(number, "exits", move |_| on_exit.note(number.to_string()));
    }
    bus.exit().unwrap();
    assert_eq!(heard.lines(), ["20", "50", "70", "20", "50", "70"]);
}

#[test]
fn the_named_priorities_read_as_a_start_and_a_stop() {
    let start = [priority::CLAIM, priority::SITE, priority::SERVER, priority::PRIVILEGES];
    assert!(start.is_sorted_by(|one, next| one < next));
    assert!(priority::STOP_SERVER < priority::SITE && priority::RELEASE < priority::SIGNALS);
    assert!(priority::SETTINGS < priority::SITE);
    assert_eq!(Priority::default(), Priority::new(50));
    assert!(Priority::DEFAULT.before() < Priority::DEFAULT && Priority::DEFAULT < Priority::DEFAULT.after());
    assert_eq!(Priority::new(i32::MAX).after(), Priority::new(i32::MAX));
}
