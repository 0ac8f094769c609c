//! Async listeners, waited for where they are called.

use std::future::Future;
use std::pin::Pin;

use anyhow::anyhow;
use crossbeam_channel::bounded;

/// What [`from_async`] hands to the runtime: a future that is to be run to its end.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes a listener of an async function: `spawn` hands the function's future to a runtime, and the listener blocks until it
/// has ended, so that order, failures and deadlines hold for it as for any other.
///
/// The function gets a clone of the message, which the future may keep. A future that panics, or that its runtime drops
/// before the end, is a failure. One that is given up at its deadline runs on unless it looks at the flags in its message.
///
/// Listeners of a transition block the bus's own thread, which belongs to no runtime. Those of a topic of your own block
/// the publisher's: that must not be the thread on which the runtime is to run the future.
///
/// ```no_run
/// # fn main() -> anyhow::Result<()> {
/// # let (bus, spawn) = (sitebus_bus::Bus::new("site"), |task: sitebus_bus::Task| drop(task));
/// // With Tokio, `spawn` is `move |task| drop(handle.spawn(task))`.
/// let warm = sitebus_bus::from_async(spawn, |start: sitebus_bus::Start| async move {
///     start.cancelled().when().await;
///     Ok(())
/// });
/// bus.on(sitebus_bus::START)?.subscribe("warm the cache", warm);
/// # Ok(()) }
/// ```
pub fn from_async<M, O, F>(
    spawn: impl Fn(Task) + Send + Sync + 'static,
    listener: impl Fn(M) -> F + Send + Sync + 'static,
) -> impl Fn(&M) -> anyhow::Result<O> + Send + Sync + 'static
where
    M: Clone + 'static,
    O: Send + 'static,
    F: Future<Output = anyhow::Result<O>> + Send + 'static,
{
    move |message| {
        let (done, end) = bounded(1);
        let future = listener(message.clone());
        spawn(Box::pin(async move {
            let _ = done.send(future.await); // the bus may have given this listener up
        }));
        end.recv().unwrap_or_else(|_| {
            Err(anyhow!("its task ended without an answer: it panicked, or its runtime is gone"))
        })
    }
}
