//! Running a step in every thread.
//!
//! capset(2) and prctl(2) change the calling thread alone, and the C library does not spread them as it spreads
//! setresuid(2). So this does what it does (nptl(7)): it interrupts each thread with a signal whose handler takes the step.
//! As there, a system call that a thread is waiting in is restarted, or returns `EINTR` if it is one of those that never
//! are (signal(7)).

#![expect(unsafe_code, reason = "prctl(2), capset(2) and tgkill(2) in a signal handler")]

use super::Standing;
use crate::signal::{Disposition, Signal};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeSet;
use std::ffi::{c_int, c_ulong, c_void};
use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, IntoRawFd as _};
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What each thread does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Keeps its permitted capabilities through the change of user.
    Hold,
    /// Has these capabilities, permitted and effective, and none that a child would get.
    Have(u64),
    /// Has these, and passes them on through exec(2).
    PassOn(u64),
}

/// Nobody's handler needs longer; a thread that is stopped by a debugger does.
const PATIENCE: Duration = Duration::from_secs(5);
/// A thread blocks all signals while it makes another, and so does the new one at first (pthread_create(3)).
const MAKING_A_THREAD: Duration = Duration::from_millis(250);
const TICK: u16 = 20;

/// One at a time.
static TURN: Mutex<()> = Mutex::new(());
// What the handler reads. They are written before the first signal is sent.
static KIND: AtomicU8 = AtomicU8::new(0);
static SET: AtomicU64 = AtomicU64::new(0);
static ANSWERS: AtomicI32 = AtomicI32::new(-1);

/// Takes the step in all threads, this one first: if it fails here, it is taken nowhere else.
///
/// # Errors
/// A thread could not take it, or blocks every signal that could reach it.
pub(super) fn everywhere(step: Step) -> io::Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let own = own_thread();
    if Standing::all()?.iter().all(|standing| standing.thread == own) {
        return take(step).map_err(io::Error::from_raw_os_error);
    }
    let signal = free_signal()?;
    let (answers, writer) = io::pipe()?;
    take(step).map_err(io::Error::from_raw_os_error)?;
    let (kind, set) = encode(step);
    KIND.store(kind, Ordering::SeqCst);
    SET.store(set, Ordering::SeqCst);
    ANSWERS.store(writer.as_raw_fd(), Ordering::SeqCst);
    let before = Disposition::handler(on_signal).put(signal)?;
    let outcome = reach_all(signal, own, &answers);
    if outcome.is_err() {
        // A signal that is still on its way must not find the default action, which ends the process. To ignore it is to take
        // it back from wherever it waits. A handler that already runs needs the pipe: its ends stay open for ever.
        let _ = (answers.into_raw_fd(), writer.into_raw_fd());
        Disposition::ignored().put(signal)?;
    }
    before.put(signal)?;
    outcome
}

/// New threads inherit from the one that makes them, which may not have been reached yet: so until there is no new one.
fn reach_all(signal: Signal, own: u32, answers: &PipeReader) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut reached = BTreeSet::from([own]);
    let mut failed = None;
    loop {
        let new: BTreeSet<u32> = Standing::all()?
            .into_iter()
            .map(|standing| standing.thread)
            .filter(|thread| !reached.contains(thread))
            .collect();
        if new.is_empty() {
            return failed.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)));
        }
        reached.extend(&new);
        let asked = new.into_iter().filter(|thread| send(signal, *thread)).collect();
        failed = failed.or(await_answers(asked, answers, deadline)?);
    }
}

/// Waits until all have answered, or have ended without; returns the first errno among the answers.
fn await_answers(
    mut asked: BTreeSet<u32>,
    mut answers: &PipeReader,
    deadline: Instant,
) -> io::Result<Option<i32>> {
    let mut failed = None;
    while !asked.is_empty() {
        let mut question = [PollFd::new(answers.as_fd(), PollFlags::POLLIN)];
        match poll(&mut question, PollTimeout::from(TICK)) {
            Ok(0) => {
                asked.retain(|thread| exists(*thread));
                if let Some(thread) = asked.first().filter(|_| Instant::now() >= deadline) {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        format!("thread {thread} did not answer within {PATIENCE:?}; is it being debugged?"),
                    ));
                }
            }
            Ok(_) => {
                let mut answer = [0; 8];
                answers.read_exact(&mut answer)?; // written in one piece: no larger than PIPE_BUF
                let [thread, errno] = decode(answer);
                failed = failed.or((errno != 0).then_some(errno));
                asked.remove(&thread.cast_unsigned());
            }
            Err(nix::Error::EINTR) => {}
            Err(cause) => return Err(cause.into()),
        }
    }
    Ok(failed)
}

fn decode(answer: [u8; 8]) -> [i32; 2] {
    let [a, b, c, d, e, f, g, h] = answer;
    [i32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h])]
}

/// A real-time signal with which nobody does anything, and which no thread blocks.
fn free_signal() -> io::Result<Signal> {
    let deadline = Instant::now() + MAKING_A_THREAD;
    loop {
        let threads = Standing::all()?;
        let blocked = threads.iter().fold(0, |all, thread| all | thread.blocked);
        for number in (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev() {
            let Ok(signal) = Signal::try_from(number) else { continue };
            if blocked & (1 << (number - 1)) == 0 && Disposition::of(signal)?.is_default() {
                return Ok(signal);
            }
        }
        if Instant::now() >= deadline {
            let blocks = threads.iter().max_by_key(|thread| thread.blocked.count_ones());
            let name = blocks.map_or_else(String::new, |thread| format!("{} {}", thread.name, thread.thread));
            return Err(io::Error::other(format!(
                "no real-time signal reaches every thread (thread {name} blocks the most): do this before that thread is \
                 made"
            )));
        }
        thread::park_timeout(Duration::from_millis(1));
    }
}

extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the address of the calling thread's errno, which the interrupted code may be about to read.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: valid for as long as the thread lives.
    let kept = unsafe { *errno };
    let result = take(decode_step(KIND.load(Ordering::SeqCst), SET.load(Ordering::SeqCst)));
    let answer = [own_thread().cast_signed(), result.err().unwrap_or(0)];
    let pipe = ANSWERS.load(Ordering::SeqCst);
    // SAFETY: write(2) may be called in a handler; the buffer is ours. Whoever sent the signal holds both ends open.
    unsafe { libc::write(pipe, answer.as_ptr().cast(), size_of_val(&answer)) };
    // SAFETY: as above.
    unsafe { *errno = kept };
}

fn encode(step: Step) -> (u8, u64) {
    match step {
        Step::Hold => (0, 0),
        Step::Have(set) => (1, set),
        Step::PassOn(set) => (2, set),
    }
}

fn decode_step(kind: u8, set: u64) -> Step {
    match kind {
        0 => Step::Hold,
        1 => Step::Have(set),
        _ => Step::PassOn(set),
    }
}

/// Only system calls: it runs in a signal handler. An error is an errno.
fn take(step: Step) -> Result<(), i32> {
    match step {
        Step::Hold => prctl(libc::PR_SET_KEEPCAPS, 1, 0),
        Step::Have(set) => {
            prctl(libc::PR_SET_KEEPCAPS, 0, 0)?;
            capset(set, 0) // what is no longer inheritable is no longer ambient (capabilities(7))
        }
        Step::PassOn(set) => {
            capset(set, set)?;
            (0..u64::BITS).filter(|number| set & (1 << number) != 0).try_for_each(|number| {
                prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as c_ulong, c_ulong::from(number))
            })
        }
    }
}

fn prctl(option: c_int, second: c_ulong, third: c_ulong) -> Result<(), i32> {
    const NONE: c_ulong = 0;
    // SAFETY: the options used here take numbers, no pointers.
    match unsafe { libc::prctl(option, second, third, NONE, NONE) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

#[repr(C)]
struct Header {
    version: u32,
    pid: c_int,
}

#[repr(C)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Permitted and effective, and inheritable: of the calling thread.
fn capset(set: u64, inheritable: u64) -> Result<(), i32> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| {
        let part = |set: u64| (set >> shift & u64::from(u32::MAX)) as u32;
        Data { effective: part(set), permitted: part(set), inheritable: part(inheritable) }
    };
    let data = [half(0), half(32)];
    // SAFETY: version 3 reads one header and two data structures, which these are (capset(2)).
    match unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

fn errno() -> i32 {
    // SAFETY: the address of the calling thread's errno.
    unsafe { *libc::__errno_location() }
}

fn own_thread() -> u32 {
    // SAFETY: gettid(2) has neither arguments nor failures.
    unsafe { libc::gettid() }.cast_unsigned()
}

/// Whether the thread was there to get it.
fn send(signal: Signal, thread: u32) -> bool {
    tgkill(thread, signal.number())
}

fn exists(thread: u32) -> bool {
    tgkill(thread, 0)
}

fn tgkill(thread: u32, number: c_int) -> bool {
    let process = std::process::id().cast_signed();
    // SAFETY: takes numbers only; it reaches no thread of another process.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread.cast_signed(), number) == 0 }
}
