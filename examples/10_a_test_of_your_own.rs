//! 10: a test of a plugin, with the test kit: a transcript of what the bus did, and a clock that moves by hand, so that a
//! deadline of a minute takes no time.
//!
//! `cargo test -p sitebus-examples --test 10_a_test_of_your_own`
#![allow(missing_docs)]

use std::time::Duration;

use sitebus::{Bus, Error, Reason, priority};
use sitebus_testkit::{FakeClock, Recorder, Transcript};

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn the_shop_opens_before_its_doors_and_closes_after_them() -> anyhow::Result<()> {
    let bus = Bus::new("shop");
    let seen = Transcript::new();
    for (name, start, stop) in
        [("doors", priority::SERVER, priority::STOP_SERVER), ("shop", priority::SITE, priority::SITE)]
    {
        let plugin = bus.plugin(name);
        let (up, down) = (seen.clone(), seen.clone());
        plugin.on_start(start, move |_| up.note(format!("{name} up")));
        plugin.on_stop(stop, move |_| down.note(format!("{name} down")));
    }
    bus.start()?;
    bus.exit()?;
    assert_eq!(seen.lines(), ["shop up", "doors up", "doors down", "shop down"]);
    Ok(())
}

#[test]
fn a_plugin_that_hangs_for_a_minute_is_named_and_the_rest_is_stopped() -> anyhow::Result<()> {
    let clock = FakeClock::new();
    let bus = Bus::builder("shop").clock(clock.clone()).build();
    let recorder = Recorder::of(&bus);

    let (release, held) = crossbeam_channel::bounded::<()>(0);
    let (entered, entering) = crossbeam_channel::bounded(1);
    bus.plugin("stuck").on_start(priority::SITE, move |_| {
        let _ = entered.send(());
        let _ = held.recv();
    });

    let start = bus.ask_start();
    entering.recv_timeout(PATIENCE)?; // it hangs now
    clock.advance(bus_limit());
    let Err(Error::Failed { failures, .. }) = start.wait_for(PATIENCE) else {
        anyhow::bail!("the start did not fail")
    };
    assert_eq!(failures.first().listener(), "stuck");
    assert!(matches!(failures.first().reason(), Reason::Overran(_)));
    recorder.log().wait_for("'stuck' was given up on 'start'", PATIENCE)?;

    drop(release); // its thread may end
    Ok(())
}

fn bus_limit() -> Duration {
    sitebus::Limits::default().start.each
}
