//! The terminal and its end.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use sitebus_os::signal::{Catch, Next, Signal};
use sitebus_os::terminal::Terminal;
use sitebus_testkit::own_process::{LONG, Process, hear, in_a_process_of_its_own, is_child, say};
use sitebus_testkit::window::{Window, move_into};
use std::time::Instant;

#[test]
fn a_terminal_is_there_until_its_window_is_closed() {
    let name = "a_terminal_is_there_until_its_window_is_closed";
    if is_child() {
        let _device = move_into(&hear());
        let terminal = Terminal::controlling().unwrap();
        assert!(!terminal.hung_up());
        let (_catch, caught) = Catch::take("the test", [Signal::HUP]).unwrap();
        say("ready");
        assert_eq!(caught.next(Some(Instant::now() + LONG)).unwrap(), Next::Signal(Signal::HUP));
        assert!(terminal.hung_up(), "when the signal comes, the terminal must be known to be gone");
        assert!(Terminal::controlling().is_none());
        return;
    }
    let window = Window::open();
    let mut child = Process::start(name);
    child.tell(&window.name);
    child.expect("ready");
    window.close();
    let status = child.wait();
    assert!(status.success(), "{}", child.output());
}

#[test]
fn a_process_without_a_terminal_has_none() {
    in_a_process_of_its_own("a_process_without_a_terminal_has_none", || {
        nix::unistd::setsid().unwrap();
        assert!(Terminal::controlling().is_none());
    });
}
