//! Ctrl-C and the one handler of the process.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(unsafe_code, reason = "a handler of somebody else's is put in the way")]

use nix::sys::signal::{self as kernel, SIGINT, SaFlags, SigAction, SigHandler, SigSet};
use sitebus_os::interrupt::{Interrupt, InterruptError};
use sitebus_testkit::own_process::{LONG, Process, hear, in_a_process_of_its_own, is_child, say, status};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::mpsc::{self, Receiver};

fn counting() -> (Interrupt, Receiver<()>) {
    let (sender, receiver) = mpsc::channel();
    let interrupt = Interrupt::take("the test", move || sender.send(()).unwrap()).unwrap();
    (interrupt, receiver)
}

fn press() {
    kernel::kill(nix::unistd::Pid::this(), SIGINT).unwrap();
}

fn put(handler: SigHandler) -> SigHandler {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: `theirs` does nothing.
    unsafe { kernel::sigaction(SIGINT, &action) }.unwrap().handler()
}

extern "C" fn theirs(_: i32) {}

fn is_theirs(handler: SigHandler) -> bool {
    matches!(handler, SigHandler::Handler(code) if code as *const () == theirs as *const ())
}

#[test]
fn each_press_calls_whoever_holds_it_at_the_time() {
    in_a_process_of_its_own("each_press_calls_whoever_holds_it_at_the_time", || {
        let (first, pressed) = counting();
        press();
        pressed.recv_timeout(LONG).unwrap();
        assert!(first.release());

        let (_second, pressed_again) = counting();
        press();
        pressed_again.recv_timeout(LONG).unwrap();
        assert!(pressed.try_recv().is_err());
    });
}

#[test]
fn a_panic_in_the_callback_does_not_make_the_process_deaf() {
    in_a_process_of_its_own("a_panic_in_the_callback_does_not_make_the_process_deaf", || {
        let (sender, receiver) = mpsc::channel();
        let _interrupt = Interrupt::take("the test", move || {
            sender.send(()).unwrap();
            panic!("on purpose");
        });
        for _ in 0..3 {
            press();
            receiver.recv_timeout(LONG).unwrap();
        }
    });
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn what_a_callback_drops_may_ask_for_ctrl_c_again() {
    in_a_process_of_its_own("what_a_callback_drops_may_ask_for_ctrl_c_again", || {
        let again = OnDrop(|| assert!(Interrupt::take("the destructor", || ()).unwrap().release()));
        let interrupt = Interrupt::take("the test", move || {
            let _ = &again;
        });
        assert!(interrupt.unwrap().release());
    });
}

#[test]
fn a_panic_in_what_the_last_callback_drops_does_not_make_the_process_deaf() {
    let name = "a_panic_in_what_the_last_callback_drops_does_not_make_the_process_deaf";
    in_a_process_of_its_own(name, || {
        let (entered, entries) = mpsc::channel();
        let (dropped, drops) = mpsc::channel();
        let (released, release) = mpsc::channel::<()>();
        let release = std::sync::Mutex::new(release);
        let last = OnDrop(move || {
            dropped.send(std::thread::current().name().map(str::to_owned)).unwrap();
            panic!("on purpose");
        });
        let interrupt = Interrupt::take("the test", move || {
            let _ = &last;
            entered.send(()).unwrap();
            release.lock().unwrap().recv().unwrap();
            panic!("on purpose as well");
        });
        press();
        entries.recv_timeout(LONG).unwrap();
        assert!(interrupt.unwrap().release());
        released.send(()).unwrap();
        assert_eq!(drops.recv_timeout(LONG).unwrap().as_deref(), Some("ctrl-c"));

        let (_second, pressed) = counting();
        press();
        pressed.recv_timeout(LONG).unwrap();
    });
}

#[test]
fn once_given_back_a_press_ends_the_process_again() {
    let name = "once_given_back_a_press_ends_the_process_again";
    if is_child() {
        for _ in 0..3 {
            let (interrupt, pressed) = counting();
            press();
            pressed.recv_timeout(LONG).unwrap();
            drop(interrupt);
        }
        press();
        hear();
        return;
    }
    assert_eq!(Process::start(name).wait().signal(), Some(2));
}

#[test]
fn a_second_taker_is_refused_and_told_who_has_it() {
    in_a_process_of_its_own("a_second_taker_is_refused_and_told_who_has_it", || {
        let (_first, pressed) = counting();
        let error = Interrupt::take("another", || ()).unwrap_err();
        assert!(error.to_string().contains("by the test: let that one go first"), "{error}");
        press();
        pressed.recv_timeout(LONG).unwrap();
    });
}

#[test]
fn an_ignored_interrupt_stays_ignored() {
    let name = "an_ignored_interrupt_stays_ignored";
    if is_child() {
        let error = Interrupt::take("the test", || ()).unwrap_err();
        assert!(matches!(error, InterruptError::Ignored), "{error}");
        press();
        return say("alive");
    }
    let mut child = Process::start_by_shell(name, "trap '' INT; exec \"$@\"");
    child.expect("alive");
    assert!(child.wait().success());
}

#[test]
fn the_handler_of_somebody_else_is_refused_whether_it_came_before_us_or_between_us() {
    in_a_process_of_its_own(
        "the_handler_of_somebody_else_is_refused_whether_it_came_before_us_or_between_us",
        || {
            for _ in 0..2 {
                put(SigHandler::Handler(theirs));
                let error = Interrupt::take("the test", || ()).unwrap_err();
                assert!(matches!(error, InterruptError::Foreign), "{error}");
                assert!(is_theirs(put(SigHandler::SigDfl)));
                let _ = counting();
            }
        },
    );
}

#[test]
fn a_handler_that_replaced_ours_is_left_alone() {
    in_a_process_of_its_own("a_handler_that_replaced_ours_is_left_alone", || {
        let (interrupt, _pressed) = counting();
        put(SigHandler::Handler(theirs));
        assert!(!interrupt.release());
        assert!(is_theirs(put(SigHandler::SigDfl)));
        // And after that it can be had again.
        let (_interrupt, pressed) = counting();
        press();
        pressed.recv_timeout(LONG).unwrap();
    });
}

#[test]
fn only_the_first_taker_adds_a_thread() {
    in_a_process_of_its_own("only_the_first_taker_adds_a_thread", || {
        let caught = status("SigCgt");
        drop(counting());
        assert_eq!(status("SigCgt"), caught);
        let threads = status("Threads");
        for _ in 0..20 {
            drop(counting());
        }
        assert_eq!(status("Threads"), threads);
    });
}
