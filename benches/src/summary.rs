//! One figure over several rounds.

use std::fmt;

use serde::Serialize;

/// The median of a figure over rounds, with the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The middle one; the mean of the two in the middle if the rounds are even in number.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// A quarter of the rounds is below this.
    pub lower_quartile: f64,
    /// A quarter of the rounds is above this.
    pub upper_quartile: f64,
    /// How many rounds.
    pub rounds: usize,
}

impl Summary {
    /// `None` without any value.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Summary> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Summary {
            median: low.midpoint(high),
            min,
            max,
            lower_quartile: percentile(&sorted, 0.25),
            upper_quartile: percentile(&sorted, 0.75),
            rounds: sorted.len(),
        })
    }

    /// How far the median may be from that of endless rounds: half the notch of a box plot (McGill, Tukey and Larsen 1978),
    /// which is about a 95 % interval.
    #[must_use]
    pub fn uncertainty(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of rounds")]
        let rounds = self.rounds as f64;
        1.57 * (self.upper_quartile - self.lower_quartile) / rounds.sqrt()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} ({}..{})", short(self.median), short(self.min), short(self.max)))
    }
}

/// Three significant digits, and all digits before the point.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size < 0.995 => 3,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// The value that this share of the sorted values does not exceed; 0 without any value.
#[must_use]
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a slice, clamped"
    )]
    let rank = (sorted.len() as f64 * share).ceil().max(1.0) as usize - 1;
    sorted.get(rank.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::{Summary, percentile};

    #[test]
    fn the_median_is_in_the_middle_of_unsorted_values() {
        let summary = Summary::of(&[3.0, 1.0, 10.0, 2.0]).unwrap();
        assert_eq!((summary.median, summary.min, summary.max), (2.5, 1.0, 10.0));
        assert_eq!((summary.lower_quartile, summary.upper_quartile), (1.0, 3.0));
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_summary_has_three_digits_and_no_more() {
        let summary = Summary::of(&[12_345.6, 0.012_34, 1.249_9]).unwrap();
        assert_eq!(summary.to_string(), "1.25 (0.012..12346)");
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(percentile(&sorted, 0.5), 2.0);
        assert_eq!(percentile(&sorted, 0.99), 4.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
