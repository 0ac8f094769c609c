//! `block()` on the main thread, as programs call it: a `main` of its own, since a test harness blocks on other threads.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use sitebus_bus::{Bus, Exit, Limits, SettingsMap};
use sitebus_testkit::{FakeClock, Gate, own_main, tests};

const SOON: Duration = Duration::from_secs(10);
const EACH: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    own_main::run(tests![block_on_the_main_thread_returns_whoever_hangs])
}

fn block_on_the_main_thread_returns_whoever_hangs() {
    assert_eq!(thread::current().name(), Some("main"));
    for (place, code) in [("start", 1), ("stop", 0), ("graceful", 0), ("exit", 1)] {
        let clock = FakeClock::new();
        let limits = Limits::all(EACH, EACH * 10);
        let bus = Bus::builder("site").limits(limits).clock(clock.clone()).build();
        let (gate, plugin) = (Gate::new(), bus.plugin("hangs"));
        let held = gate.clone();
        match place {
            "start" => plugin.on_start(50, move |_| held.pass()),
            "stop" => plugin.on_stop(50, move |_| held.pass()),
            "graceful" => plugin.at_commit(50, move |_| held.pass()),
            _ => plugin.on_exit(50, move |_| held.pass()),
        };
        let (handle, hangs) = (bus.handle(), gate.clone());
        let asks = thread::spawn(move || {
            let start = handle.ask_start();
            let ticket = match place {
                "start" => start,
                "stop" => handle.ask_stop(),
                "graceful" => handle.ask_graceful(SettingsMap::new()),
                _ => handle.ask_exit(Exit::success("a test")),
            };
            hangs.wait_for_arrival(SOON);
            clock.advance(EACH);
            let error = ticket.wait_for(SOON).unwrap_err();
            assert_eq!(error.failures().unwrap().first().listener(), "hangs", "{error}");
            drop(handle.ask_exit(Exit::success("a test")));
        });
        assert_eq!(bus.block().code(), code, "{place}");
        asks.join().unwrap();
        gate.open();
    }
}
