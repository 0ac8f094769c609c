//! Catching signals, and dying by one.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![allow(unsafe_code, reason = "forks, and handlers of somebody else's")]

use nix::sys::signal::{self as kernel, SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use sitebus_os::descriptors;
use sitebus_os::signal::{Catch, CatchError, Caught, Next, Signal, die_by, stop_ignoring, unblock};
use sitebus_testkit::own_process::{LONG, Process, hear, in_a_process_of_its_own, is_child, status};
use sitebus_testkit::window::{Window, move_into};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn next(caught: &Caught) -> Next {
    caught.next(Some(Instant::now() + LONG)).unwrap()
}

fn nothing(caught: &Caught) -> bool {
    caught.next(Some(Instant::now())).unwrap() == Next::Elapsed
}

fn put(signal: kernel::Signal, handler: SigHandler) -> SigHandler {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: `theirs` only counts in an atomic.
    unsafe { kernel::sigaction(signal, &action) }.unwrap().handler()
}

static THEIRS: AtomicU32 = AtomicU32::new(0);

extern "C" fn theirs(_: i32) {
    THEIRS.fetch_add(1, Ordering::SeqCst);
}

fn is_theirs(handler: SigHandler) -> bool {
    matches!(handler, SigHandler::Handler(code) if code as *const () == theirs as *const ())
}

#[test]
fn signals_are_read_in_the_order_in_which_they_came() {
    in_a_process_of_its_own("signals_are_read_in_the_order_in_which_they_came", || {
        let wanted = [Signal::TERM, Signal::HUP, Signal::USR1, "RTMIN+1".parse().unwrap()];
        let (catch, caught) = Catch::take("the test", wanted).unwrap();
        assert!(catch.signals().eq(wanted) && catch.ignored().is_empty() && catch.displaced().is_empty());
        assert!(nothing(&caught));
        for signal in [kernel::SIGHUP, kernel::SIGTERM, kernel::SIGUSR1, kernel::SIGHUP] {
            raise(signal).unwrap();
        }
        // SAFETY: raise(3) takes no pointers.
        unsafe { nix::libc::raise(wanted[3].number()) };
        let expected = [Signal::HUP, Signal::TERM, Signal::USR1, Signal::HUP, wanted[3]];
        for signal in expected {
            assert_eq!(next(&caught), Next::Signal(signal));
        }
        assert!(nothing(&caught));
    });
}

#[test]
fn after_a_release_everything_is_as_it_was() {
    in_a_process_of_its_own("after_a_release_everything_is_as_it_was", || {
        put(kernel::SIGUSR1, SigHandler::Handler(theirs));
        let before = (status("SigCgt"), status("SigIgn"), descriptors::open().unwrap(), status("Threads"));
        for _ in 0..50 {
            let (catch, caught) =
                Catch::take("the test", [Signal::TERM, Signal::USR1, Signal::TERM]).unwrap();
            assert_eq!(catch.displaced(), [Signal::USR1]);
            raise(kernel::SIGUSR1).unwrap();
            assert_eq!(next(&caught), Next::Signal(Signal::USR1));
            assert!(catch.release().is_empty());
        }
        assert_eq!(THEIRS.load(Ordering::SeqCst), 0);
        raise(kernel::SIGUSR1).unwrap();
        assert_eq!(THEIRS.load(Ordering::SeqCst), 1);
        assert_eq!(
            (status("SigCgt"), status("SigIgn"), descriptors::open().unwrap(), status("Threads")),
            before
        );
    });
}

#[test]
fn a_handler_that_replaced_ours_is_left_alone_and_reported() {
    in_a_process_of_its_own("a_handler_that_replaced_ours_is_left_alone_and_reported", || {
        let (catch, _caught) = Catch::take("the test", [Signal::TERM, Signal::HUP]).unwrap();
        let ours = put(kernel::SIGTERM, SigHandler::Handler(theirs));
        assert_eq!(catch.release(), [Signal::TERM]);
        assert!(is_theirs(put(kernel::SIGTERM, ours)));
        // Somebody who chains to our handler later finds nobody behind it.
        raise(kernel::SIGTERM).unwrap();
        assert!(matches!(put(kernel::SIGHUP, SigHandler::SigDfl), SigHandler::SigDfl));
    });
}

#[test]
fn a_signal_that_was_ignored_stays_ignored_and_is_reported() {
    let name = "a_signal_that_was_ignored_stays_ignored_and_is_reported";
    if is_child() {
        let (catch, caught) = Catch::take("the test", [Signal::HUP, Signal::TERM]).unwrap();
        assert_eq!(catch.ignored(), [Signal::HUP]);
        raise(kernel::SIGHUP).unwrap();
        assert!(nothing(&caught));
        return;
    }
    let mut child = Process::start_by_shell(name, "trap '' HUP; exec \"$@\"");
    let status = child.wait();
    assert!(status.success(), "{}", child.output());
}

#[test]
fn a_signal_that_is_held_is_refused_with_the_name_of_the_holder_and_nothing_else_is_taken() {
    let name = "a_signal_that_is_held_is_refused_with_the_name_of_the_holder_and_nothing_else_is_taken";
    in_a_process_of_its_own(name, || {
        let (catch, _caught) = Catch::take("bus one", [Signal::TERM]).unwrap();
        let before = status("SigCgt");
        let error = Catch::take("bus two", [Signal::USR1, Signal::TERM]).unwrap_err();
        assert!(
            error.to_string().contains("SIGTERM is already caught in this process by bus one"),
            "{error}"
        );
        assert_eq!(status("SigCgt"), before);
        let (_other, _caught) = Catch::take("bus two", [Signal::USR1]).unwrap();
        drop(catch);
        Catch::take("bus two", [Signal::TERM]).unwrap();
    });
}

#[test]
fn what_cannot_be_caught_is_refused_and_nothing_else_is_taken() {
    in_a_process_of_its_own("what_cannot_be_caught_is_refused_and_nothing_else_is_taken", || {
        let before = status("SigCgt");
        for wrong in [Signal::KILL, Signal::INT] {
            let error = Catch::take("the test", [Signal::TERM, wrong]).unwrap_err();
            assert!(matches!(error, CatchError::Refused(_)), "{error}");
        }
        assert_eq!(status("SigCgt"), before);
    });
}

#[test]
fn closing_from_another_thread_ends_the_reader_after_what_has_come() {
    in_a_process_of_its_own("closing_from_another_thread_ends_the_reader_after_what_has_come", || {
        let (catch, caught) = Catch::take("the test", [Signal::TERM]).unwrap();
        let remote = catch.remote();
        let reader = thread::spawn(move || {
            let signals = std::iter::from_fn(|| match caught.next(None).unwrap() {
                Next::Signal(signal) => Some(signal),
                _ => None,
            });
            let signals: Vec<Signal> = signals.collect();
            (signals, caught.next(None).unwrap())
        });
        raise(kernel::SIGTERM).unwrap();
        remote.post(Signal::INT);
        remote.close();
        assert_eq!(reader.join().unwrap(), (vec![Signal::TERM, Signal::INT], Next::Closed));
    });
}

#[test]
fn a_handler_leaves_errno_as_it_was() {
    in_a_process_of_its_own("a_handler_leaves_errno_as_it_was", || {
        let (catch, caught) = Catch::take("the test", [Signal::USR1]).unwrap();
        // Fill the pipe, so that the handler's own write fails.
        let remote = catch.remote();
        for _ in 0..70_000 {
            remote.post(Signal::TERM);
        }
        nix::errno::Errno::set_raw(4321);
        raise(kernel::SIGUSR1).unwrap();
        assert_eq!(nix::errno::Errno::last_raw(), 4321);
        assert_eq!(next(&caught), Next::Signal(Signal::TERM));
    });
}

#[test]
fn a_forked_child_dies_by_a_caught_signal_and_its_parent_hears_nothing() {
    in_a_process_of_its_own("a_forked_child_dies_by_a_caught_signal_and_its_parent_hears_nothing", || {
        let (_catch, caught) = Catch::take("the test", [Signal::TERM]).unwrap();
        // SAFETY: the child only makes calls that are safe after a fork.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => loop {
                nix::unistd::pause();
            },
            ForkResult::Parent { child } => {
                kernel::kill(child, kernel::SIGTERM).unwrap();
                assert_eq!(
                    waitpid(child, None).unwrap(),
                    WaitStatus::Signaled(child, kernel::SIGTERM, false)
                );
                assert!(nothing(&caught));
            }
        }
    });
}

#[test]
fn a_forked_child_may_catch_the_signal_for_itself() {
    in_a_process_of_its_own("a_forked_child_may_catch_the_signal_for_itself", || {
        let (_catch, caught) = Catch::take("the parent", [Signal::TERM]).unwrap();
        // SAFETY: the C library makes allocation safe in the child, and no other lock of ours is held by the other threads.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                let (own, caught) = Catch::take("the child", [Signal::TERM]).unwrap();
                raise(kernel::SIGTERM).unwrap();
                let heard = next(&caught) == Next::Signal(Signal::TERM);
                drop(own);
                die_by(if heard { Signal::TERM } else { Signal::KILL });
            }
            ForkResult::Parent { child } => {
                assert_eq!(
                    waitpid(child, None).unwrap(),
                    WaitStatus::Signaled(child, kernel::SIGTERM, false)
                );
                assert!(nothing(&caught));
            }
        }
    });
}

#[test]
fn no_handler_ever_writes_to_a_file_that_took_the_place_of_its_pipe() {
    in_a_process_of_its_own("no_handler_ever_writes_to_a_file_that_took_the_place_of_its_pipe", || {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    kernel::kill(Pid::this(), kernel::SIGWINCH).unwrap(); // by default it does nothing
                }
            });
            for _ in 0..2000 {
                let (catch, caught) = Catch::take("the test", [Signal::WINCH]).unwrap();
                drop((catch, caught));
                let (mut reader, writer) = std::io::pipe().unwrap();
                thread::yield_now();
                drop(writer);
                let mut strange = Vec::new();
                reader.read_to_end(&mut strange).unwrap();
                assert!(strange.is_empty(), "{strange:?}");
            }
            over.store(true, Ordering::SeqCst);
        });
    });
}

#[test]
fn all_signals_at_once_fit_on_the_stack() {
    in_a_process_of_its_own("all_signals_at_once_fit_on_the_stack", || {
        let all: Vec<kernel::Signal> = kernel::Signal::iterator()
            .filter(|signal| Signal::try_from(*signal as i32).unwrap().catchable().is_ok())
            .filter(|signal| *signal != kernel::SIGPIPE) // ignored by every Rust program
            .filter(|signal| *signal != kernel::SIGCONT) // cancels those that stop
            .collect();
        let signals = all.iter().map(|signal| Signal::try_from(*signal as i32).unwrap());
        let (catch, caught) = Catch::take("the test", signals).unwrap();
        let set = SigSet::from_iter(all.iter().copied());
        for _ in 0..10 {
            kernel::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), None).unwrap();
            all.iter().for_each(|signal| raise(*signal).unwrap());
            unblock(catch.signals()).unwrap(); // now the kernel delivers all of them
            for _ in &all {
                assert!(matches!(next(&caught), Next::Signal(_)));
            }
            assert!(nothing(&caught));
        }
    });
}

#[test]
fn a_deadline_is_kept_although_signals_that_are_not_ours_interrupt_the_wait() {
    in_a_process_of_its_own(
        "a_deadline_is_kept_although_signals_that_are_not_ours_interrupt_the_wait",
        || {
            put(kernel::SIGUSR2, SigHandler::Handler(theirs));
            let (_catch, caught) = Catch::take("the test", [Signal::TERM]).unwrap();
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        kernel::kill(Pid::this(), kernel::SIGUSR2).unwrap();
                        thread::yield_now();
                    }
                });
                let deadline = Instant::now() + Duration::from_millis(50);
                assert_eq!(caught.next(Some(deadline)).unwrap(), Next::Elapsed);
                assert!(Instant::now() >= deadline);
                over.store(true, Ordering::SeqCst);
            });
        },
    );
}

#[test]
fn a_blocked_signal_is_heard_once_it_is_unblocked() {
    in_a_process_of_its_own("a_blocked_signal_is_heard_once_it_is_unblocked", || {
        let (_catch, caught) = Catch::take("the test", [Signal::USR1]).unwrap();
        let set = SigSet::from_iter([kernel::SIGUSR1]);
        kernel::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), None).unwrap();
        raise(kernel::SIGUSR1).unwrap();
        assert!(nothing(&caught));
        unblock([Signal::USR1]).unwrap();
        assert_eq!(next(&caught), Next::Signal(Signal::USR1));
    });
}

#[test]
fn dying_by_a_signal_shows_that_signal_even_if_it_is_caught_blocked_or_ignored() {
    let name = "dying_by_a_signal_shows_that_signal_even_if_it_is_caught_blocked_or_ignored";
    if is_child() {
        match hear().as_str() {
            "caught" => {
                let _caught = Catch::take("the test", [Signal::TERM]).unwrap();
                die_by(Signal::TERM);
            }
            "blocked" => {
                let set = SigSet::all();
                kernel::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), None).unwrap();
            }
            "ignored" => drop(put(kernel::SIGTERM, SigHandler::SigIgn)),
            other => panic!("{other:?}"),
        }
        die_by(Signal::TERM);
    }
    for how in ["caught", "blocked", "ignored"] {
        let mut child = Process::start(name);
        child.tell(how);
        assert_eq!(child.wait().signal(), Some(15), "{how}: {}", child.output());
    }
}

#[test]
fn dying_by_a_signal_that_ends_nothing_ends_the_process_with_the_status_of_a_shell() {
    let name = "dying_by_a_signal_that_ends_nothing_ends_the_process_with_the_status_of_a_shell";
    if is_child() {
        die_by(Signal::WINCH);
    }
    assert_eq!(Process::start(name).wait().code(), Some(128 + Signal::WINCH.number()));
}

#[test]
fn what_is_ignored_can_have_its_default_action_back_and_what_is_caught_is_left_alone() {
    in_a_process_of_its_own(
        "what_is_ignored_can_have_its_default_action_back_and_what_is_caught_is_left_alone",
        || {
            put(kernel::SIGHUP, SigHandler::SigIgn);
            put(kernel::SIGUSR1, SigHandler::Handler(theirs));
            stop_ignoring([Signal::HUP, Signal::USR1, Signal::TERM]).unwrap();
            assert!(matches!(put(kernel::SIGHUP, SigHandler::SigDfl), SigHandler::SigDfl));
            assert!(is_theirs(put(kernel::SIGUSR1, SigHandler::SigDfl)));
        },
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_background_reader_of_the_terminal_stops_although_ttin_is_caught() {
    let name = "a_background_reader_of_the_terminal_stops_although_ttin_is_caught";
    if is_child() {
        let device = move_into(&hear());
        // SAFETY: the child makes system calls, and allocations, which the C library makes safe.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
                let (_catch, caught) = Catch::take("the test", [Signal::TTIN]).unwrap();
                // One of kill(1) is caught.
                kernel::kill(Pid::this(), kernel::SIGTTIN).unwrap();
                assert_eq!(next(&caught), Next::Signal(Signal::TTIN));
                let mut byte = [0];
                let _ = nix::unistd::read(&device, &mut byte);
                die_by(Signal::KILL);
            }
            ForkResult::Parent { child } => {
                let stopped = waitpid(child, Some(nix::sys::wait::WaitPidFlag::WUNTRACED)).unwrap();
                kernel::kill(child, kernel::SIGKILL).unwrap();
                assert_eq!(stopped, WaitStatus::Stopped(child, kernel::SIGSTOP));
            }
        }
        return;
    }
    let window = Window::open();
    let mut child = Process::start(name);
    child.tell(&window.name);
    let status = child.wait();
    assert!(status.success(), "{}", child.output());
    window.close();
}
