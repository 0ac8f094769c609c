//! The signal handler, and the table in which it finds where to write.
//!
//! A handler gets nothing but a number, so what it needs must be found from a `static`. It may run at any instruction of
//! any thread; therefore it only loads atomics and calls write(2), getpid(2), kill(2), raise(3) and signal(2), all of
//! which signal-safety(7) allows, and tgkill(2), a bare system call; and it leaves `errno` as it was.

#![expect(unsafe_code, reason = "a signal handler may only make calls that are safe in one: raw ones")]

use super::{Disposition, Signal};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const NOBODY: i32 = -1;
const SLOTS: usize = 65; // signals are numbered from 1 to 64

/// Where the signal of this number is written to, and in which process.
struct Slot {
    descriptor: AtomicI32,
    process: AtomicI32,
}

static TABLE: [Slot; SLOTS] =
    [const { Slot { descriptor: AtomicI32::new(NOBODY), process: AtomicI32::new(0) } }; SLOTS];
/// How many handlers are running now.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// The thread that is about to execute another image, and to which all signals are passed on: they are blocked there, so
/// they wait.
static EXECUTING: AtomicI32 = AtomicI32::new(NOBODY);
/// Who holds which signal, and in which process; never looked at by the handler.
static HOLDERS: Mutex<BTreeMap<Signal, (String, i32)>> = Mutex::new(BTreeMap::new());

/// What taking a signal found.
pub(super) enum Found {
    /// It is ours now; this was in force before.
    Taken(Disposition),
    /// It was ignored when we came, and stays so.
    Ignored,
    /// Another one in this process has it.
    Held { by: String },
}

/// Makes this signal write its number to `descriptor`, which must stay open until [`give_back`] has returned.
pub(super) fn take(holder: &str, signal: Signal, descriptor: RawFd) -> io::Result<Found> {
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let slot = slot(signal)?;
    if let Some((by, process)) = holders.get(&signal)
        && *process == this_process()
    {
        return Ok(Found::Held { by: by.clone() });
    }
    let before = Disposition::of(signal)?;
    if before.is_ignored() {
        return Ok(Found::Ignored);
    }
    let ours = Disposition::handler(on_signal);
    slot.descriptor.store(NOBODY, SeqCst); // after a fork it is that of the parent
    slot.process.store(this_process(), SeqCst);
    slot.descriptor.store(descriptor, SeqCst);
    if let Err(cause) = ours.put(signal) {
        slot.descriptor.store(NOBODY, SeqCst);
        return Err(cause);
    }
    holders.insert(signal, (holder.to_owned(), this_process()));
    // After a fork our own handler is what the child finds; there is nothing of anybody's behind it.
    let before = if before.same_handler(&ours) { Disposition::default_action() } else { before };
    Ok(Found::Taken(before))
}

/// Puts back what was in force, unless somebody else has replaced our handler: then it returns false and leaves theirs.
pub(super) fn give_back(signal: Signal, before: &Disposition) -> io::Result<bool> {
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_ours = Disposition::of(signal)?.same_handler(&Disposition::handler(on_signal));
    if is_ours {
        before.put(signal)?;
    }
    // Whoever replaced us may call our handler after theirs: it will find nobody.
    slot(signal)?.descriptor.store(NOBODY, SeqCst);
    holders.remove(&signal);
    Ok(is_ours)
}

/// Waits until no handler is running that may still write to a descriptor which the table no longer shows.
///
/// That is a matter of microseconds, except in a process that was forked while another thread was in a handler: there
/// nobody will ever count down. Then this gives up and returns false, and the descriptor must stay open.
pub(super) fn all_handlers_have_left() -> bool {
    let deadline = Instant::now() + Duration::from_secs(1);
    while INSIDE.load(SeqCst) > 0 {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

/// From here on signals go to the calling thread, which has them blocked, or to the descriptors again. What was on its way to
/// a descriptor is there when this returns.
pub(super) fn pass_on_to_this_thread(pass_on: bool) {
    EXECUTING.store(if pass_on { this_thread() } else { NOBODY }, SeqCst);
    all_handlers_have_left();
}

extern "C" fn on_signal(number: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    let errno = Errno::last_raw();
    // Counted before the descriptor is read, and all of it in one order: see `all_handlers_have_left`.
    INSIDE.fetch_add(1, SeqCst);
    let slot = usize::try_from(number).ok().and_then(|place| TABLE.get(place));
    if let Some(slot) = slot {
        let descriptor = slot.descriptor.load(SeqCst);
        if descriptor == NOBODY {
            // Called by a handler that replaced ours, or given back this very moment.
        } else if slot.process.load(SeqCst) != this_process() {
            act_by_default(number);
        } else if from_the_terminal(number, info) {
            // SAFETY: kill(2) is safe in a handler and takes no pointers.
            unsafe { libc::kill(this_process(), libc::SIGSTOP) };
        } else if !passed_on(number) {
            let byte = [number as u8];
            // SAFETY: write(2) is safe in a handler; the byte lives until it returns; the descriptor is open, since
            // whoever closes it waits until INSIDE is 0. A full pipe answers at once, being non-blocking.
            unsafe { libc::write(descriptor, byte.as_ptr().cast(), 1) };
        }
    }
    INSIDE.fetch_sub(1, SeqCst);
    Errno::set_raw(errno);
}

#[cfg(target_os = "linux")]
fn this_thread() -> i32 {
    // SAFETY: gettid(2) takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

#[cfg(target_os = "linux")]
fn passed_on(number: c_int) -> bool {
    let thread = EXECUTING.load(SeqCst);
    // SAFETY: tgkill(2) takes numbers only, and is safe in a handler as every bare system call is.
    thread != NOBODY && unsafe { libc::syscall(libc::SYS_tgkill, this_process(), thread, number) } == 0
}

#[cfg(not(target_os = "linux"))]
fn this_thread() -> i32 {
    NOBODY
}

#[cfg(not(target_os = "linux"))]
fn passed_on(_: c_int) -> bool {
    false
}

/// In a forked child nobody reads the pipe, and it is the parent's: so the signal does what it would do without us.
fn act_by_default(number: c_int) {
    // SAFETY: both calls are safe in a handler. The signal is blocked while its handler runs, so it strikes on return.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}

/// Whether the terminal itself sent a `TTIN` or `TTOU`, because a background process reads from it or writes to it.
///
/// The call is restarted after the handler, and would be refused again, for ever: such a process must stop, as it would
/// have without us, until it is in the foreground.
fn from_the_terminal(number: c_int, info: *mut libc::siginfo_t) -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the handler is installed with SA_SIGINFO, so the kernel passes a valid siginfo_t.
        let code = unsafe { (*info).si_code };
        (number == libc::SIGTTIN || number == libc::SIGTTOU) && code == libc::SI_KERNEL
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (number, info);
        false
    }
}

fn this_process() -> i32 {
    // SAFETY: getpid(2) always succeeds, and is safe in a handler.
    unsafe { libc::getpid() }
}

fn slot(signal: Signal) -> io::Result<&'static Slot> {
    let place = usize::try_from(signal.number()).ok();
    place.and_then(|place| TABLE.get(place)).ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
}
