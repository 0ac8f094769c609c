//! Keeps threads on cores of their own.

/// The cores that this process may use.
#[derive(Clone, Debug)]
pub struct Cores(Vec<usize>);

impl Cores {
    /// To be called before any thread is pinned, since threads start with what their parent has. Empty where the system
    /// does not say.
    #[must_use]
    pub fn of_process() -> Cores {
        Cores(available().unwrap_or_default())
    }

    /// Keeps the calling thread on one of them, and says whether it does: it does not if there are not so many.
    pub fn pin(&self, number: usize) -> bool {
        self.0.get(number).is_some_and(|core| keep_on(*core).is_some())
    }
}

#[cfg(target_os = "linux")]
fn available() -> Option<Vec<usize>> {
    use nix::sched::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(nix::unistd::Pid::from_raw(0)).ok()?;
    Some((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}

#[cfg(target_os = "linux")]
fn keep_on(core: usize) -> Option<()> {
    use nix::sched::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    set.set(core).ok()?;
    sched_setaffinity(nix::unistd::Pid::from_raw(0), &set).ok()
}

#[cfg(not(target_os = "linux"))]
fn available() -> Option<Vec<usize>> {
    None
}

#[cfg(not(target_os = "linux"))]
fn keep_on(_: usize) -> Option<()> {
    None
}
