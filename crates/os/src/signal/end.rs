//! Dying by a signal, and what an exec hands down: signals that are ignored or blocked.

#![expect(unsafe_code, reason = "raise(3), signal masks with real-time signals, and _exit(2)")]

use super::{Disposition, Signal};
use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Ends this process by the signal's own default action, so that whoever waits for it sees that signal.
///
/// Nothing is cleaned up: no destructor runs, no buffer is written, and `QUIT` may write a core file. It is for the last
/// rung of a ladder, when asking has not helped; nobody else has a reason to call it.
///
/// A signal whose default action ends nothing (`CHLD`, `WINCH`), or that the kernel does not deliver because this is
/// process 1 of a container, ends the process with status 128 + its number, as a shell would report it.
pub fn die_by(signal: Signal) -> ! {
    // Best effort all along: what fails here leads to the status below.
    let _ = Disposition::default_action().put(signal);
    let _ = unblock([signal]);
    // SAFETY: raise(3) takes no pointers. The action is the default one, so no code of anybody's runs.
    unsafe { libc::raise(signal.number()) };
    // SAFETY: _exit(2) only ends the process. exit(3) would run handlers of atexit(3) while other threads still work.
    unsafe { libc::_exit(128 + signal.number()) }
}

/// Gives those of the signals that are ignored their default action back.
///
/// What is ignored survives exec: a process inherits it from `nohup`, or as a background job of a script. Whoever starts
/// programs that are to hear signals calls this first.
///
/// # Errors
/// What sigaction(2) says; none is to be expected.
pub fn stop_ignoring(signals: impl IntoIterator<Item = Signal>) -> io::Result<()> {
    for signal in signals {
        if Disposition::of(signal)?.is_ignored() {
            Disposition::default_action().put(signal)?;
        }
    }
    Ok(())
}

/// Unblocks the signals in the calling thread, and in those that it makes from now on.
///
/// A blocked signal waits. The mask survives exec, so a process may be started with signals blocked that it means to
/// catch, and would never see them; one thread that does not block them is enough.
///
/// # Errors
/// What pthread_sigmask(3) says; none is to be expected.
pub fn unblock(signals: impl IntoIterator<Item = Signal>) -> io::Result<()> {
    change_mask(libc::SIG_UNBLOCK, signals)
}

/// Changes the mask of the calling thread.
pub(super) fn change_mask(how: c_int, signals: impl IntoIterator<Item = Signal>) -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset(3) makes a whole value of it.
    let mut set = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    };
    for signal in signals {
        // SAFETY: `set` is a whole value, and a Signal is a number that the platform knows.
        unsafe { libc::sigaddset(&mut set, signal.number()) };
    }
    // SAFETY: `set` lives until the call returns, and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(how, &set, ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
