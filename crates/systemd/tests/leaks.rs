//! What a bus leaves behind that told a manager of its life.
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::time::Duration;

use sitebus_bus::Bus;
use sitebus_systemd::{Environment, Systemd};
use sitebus_testkit::{Leaks, NotifySocket};

fn live(manager: &NotifySocket) {
    let environment =
        Environment::nothing().with_notify_socket(manager.address()).with_watchdog(Duration::from_millis(2));
    let bus = Bus::new("site");
    let _systemd = Systemd::new(&environment).subscribe(&bus);
    bus.start().unwrap();
    bus.graceful().unwrap();
    bus.exit().unwrap();
    let _ = bus.block();
}

#[test]
fn after_twenty_lives_no_thread_and_no_descriptor_is_left() {
    let manager = NotifySocket::in_abstract().unwrap();
    live(&manager);
    let before = Leaks::now().unwrap();
    (0..20).for_each(|_| live(&manager));
    before.assert_back(Duration::from_secs(20));
}
