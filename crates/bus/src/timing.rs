//! How long each listener took.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long one listener took in the last transition of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// What it did: `start`, `stop`, `exit`; `prepare`, `commit` or `abort` in a reload; `look` before a restart.
    pub step: &'static str,
    /// The listener.
    pub listener: Arc<str>,
    /// How long it took, or had taken when it was given up.
    pub took: Duration,
    /// How it ended.
    pub outcome: TimingOutcome,
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimingOutcome {
    /// It succeeded.
    Done,
    /// It failed or panicked.
    Failed,
    /// It was given up at its deadline.
    Overran,
}

/// The timings of the last start, stop, exit, reload and look before a restart, slowest first. Prints as a table, in
/// milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings(Vec<Timing>);

impl Timings {
    pub(crate) fn slowest_first(mut timings: Vec<Timing>) -> Timings {
        timings.sort_by_key(|timing| std::cmp::Reverse(timing.took));
        Timings(timings)
    }

    /// One by one, slowest first.
    pub fn iter(&self) -> impl Iterator<Item = &Timing> {
        self.0.iter()
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Timing { step, listener, took, outcome } in &self.0 {
            let remark = match outcome {
                TimingOutcome::Done => "",
                TimingOutcome::Failed => "  failed",
                TimingOutcome::Overran => "  given up",
            };
            writeln!(f, "{:>12.3} ms  {step:<8}  {listener}{remark}", took.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}
