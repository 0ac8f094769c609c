//! Async listeners, sync at the edge.

use std::future::Future;
use std::pin::Pin;

use anyhow::anyhow;
use crossbeam_channel::bounded;

/// A future that a runtime of the caller's choice can run.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes a listener of an async function: `spawn` hands the future to a runtime, and the listener waits for its end, so
/// that order and deadlines hold for it as for any other.
///
/// The runtime must not be the thread that publishes: the bus's own lane never is. A task that is dropped before its end
/// is a failure.
///
/// ```no_run
/// # fn main() -> anyhow::Result<()> {
/// # let (bus, spawn) = (sitebus_bus::Bus::new("site"), |task: sitebus_bus::Task| drop(task));
/// // With Tokio, `spawn` is `move |task| drop(handle.spawn(task))`.
/// bus.on(sitebus_bus::START)?.subscribe("warm the cache", sitebus_bus::edge(spawn, |start: sitebus_bus::Start| async move {
///     start.cancelled().when().await;
///     Ok(())
/// }));
/// # Ok(()) }
/// ```
pub fn edge<M, O, F>(
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
