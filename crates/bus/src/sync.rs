//! Locks, condition variables and threads in one shape: parking_lot and std, or the model checker's own under
//! `--cfg shuttle`. Whatever in this crate blocks or spawns goes through here, so that the model drives the shipped code.

#[cfg(not(shuttle))]
pub(crate) use self::real::{Condvar, JoinHandle, Mutex, MutexGuard, spawn};
#[cfg(not(shuttle))]
pub(crate) use std::{sync::atomic::AtomicBool, thread_local};

#[cfg(shuttle)]
pub(crate) use self::model::{Condvar, JoinHandle, Mutex, MutexGuard, spawn};
#[cfg(shuttle)]
pub(crate) use shuttle::{sync::atomic::AtomicBool, thread_local};

/// A thread to be made under that name, which may hold what the name of a thread may not.
pub(crate) fn thread(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.replace('\0', " "))
}

#[cfg(not(shuttle))]
mod real {
    use std::time::Instant;

    pub(crate) use parking_lot::{Mutex, MutexGuard};

    #[derive(Default)]
    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        pub(crate) fn wait_until<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            until: Instant,
        ) -> MutexGuard<'a, T> {
            self.0.wait_until(&mut guard, until);
            guard
        }
    }

    pub(crate) type JoinHandle = std::thread::JoinHandle<()>;

    pub(crate) fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle> {
        super::thread(&name).spawn(body)
    }
}

#[cfg(shuttle)]
mod model {
    use std::sync::PoisonError;
    use std::time::Instant;

    pub(crate) use shuttle::sync::MutexGuard;

    #[derive(Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Default)]
    pub(crate) struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        /// Time stands still in the model, so that a wake-up which never comes is found as a deadlock.
        pub(crate) fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _until: Instant,
        ) -> MutexGuard<'a, T> {
            self.wait(guard)
        }
    }

    pub(crate) type JoinHandle = shuttle::thread::JoinHandle<()>;

    pub(crate) fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle> {
        shuttle::thread::Builder::new().name(name).spawn(body)
    }
}
