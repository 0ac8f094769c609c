//! How busy the machine was with other things.

use std::fs;
use std::time::Instant;

/// Watches how much processor time others take meanwhile: figures of a busy machine are worth little.
pub struct Busy {
    begun: Instant,
    at_begin: Option<Ticks>,
}

/// Processor time in ticks of the kernel: of the whole machine, and of this process with its ended children.
struct Ticks {
    machine: u64,
    ours: u64,
}

impl Busy {
    /// Begins to watch.
    #[must_use]
    pub fn watch() -> Busy {
        Busy { begun: Instant::now(), at_begin: Ticks::now() }
    }

    /// How many cores others kept busy since then, on average; time stolen by the host counts. Children count as others
    /// until they have been waited for. `None` where the kernel does not say.
    #[must_use]
    pub fn cores_of_others(&self) -> Option<f64> {
        let (before, after) = (self.at_begin.as_ref()?, Ticks::now()?);
        let machine = after.machine.saturating_sub(before.machine);
        let ours = after.ours.saturating_sub(before.ours);
        // Linux has reported 100 ticks a second to programs on all common architectures.
        #[expect(clippy::cast_precision_loss, reason = "ticks of minutes")]
        let seconds = machine.saturating_sub(ours) as f64 / 100.0;
        Some(seconds / self.begun.elapsed().as_secs_f64())
    }
}

impl Ticks {
    /// See proc(5), `/proc/stat` and `/proc/pid/stat`.
    fn now() -> Option<Ticks> {
        let machine = fs::read_to_string("/proc/stat").ok()?;
        let fields = numbers(machine.lines().next()?.strip_prefix("cpu")?);
        // user, nice, system, then idle and iowait, then irq, softirq, steal; guests are in user and nice already.
        let busy = fields.get(..3)?.iter().sum::<u64>() + fields.get(5..8)?.iter().sum::<u64>();
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        // The name before it may contain anything, even a parenthesis. Times are fields 14 to 17, the state is field 3.
        let fields = numbers(own.rsplit_once(')')?.1.trim_start().get(1..)?);
        let ours = fields.get(10..14)?.iter().sum();
        Some(Ticks { machine: busy, ours })
    }
}

/// Numbers below zero, of which there are some behind what is wanted here, count as 0.
fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect()
}
