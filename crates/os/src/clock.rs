//! The clock that other processes read too.
//!
//! `std::time::Instant` keeps its value to itself. Whoever must tell another process *when* something was, on a clock that
//! nobody sets, needs the number.

use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The time of `CLOCK_MONOTONIC` (clock_gettime(2)): since some moment before the machine's start, without the time that it
/// slept.
///
/// # Errors
/// What the system says; on Linux it always tells.
pub fn monotonic() -> io::Result<Duration> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(Duration::from(now))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::*;
    use std::time::Instant;

    #[test]
    fn it_goes_with_the_clock_of_the_standard_library() {
        let (outer, began) = (Instant::now(), monotonic().unwrap());
        while monotonic().unwrap() - began < Duration::from_millis(2) {}
        let ended = monotonic().unwrap();
        assert!(ended > began && ended - began <= outer.elapsed());
    }
}
