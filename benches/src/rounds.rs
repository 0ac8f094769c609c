//! Contestants side by side: in every round each has its turn, and figures are compared within a round.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::summary::Summary;

/// One program under measurement. One turn brings `N` figures, such as a median and a 99th percentile.
pub struct Contestant<'a, const N: usize> {
    name: String,
    measure: Box<dyn FnMut() -> Result<[f64; N]> + 'a>,
}

impl<'a, const N: usize> Contestant<'a, N> {
    /// A contestant whose turn is one call of `measure`.
    pub fn new(name: impl Into<String>, measure: impl FnMut() -> Result<[f64; N]> + 'a) -> Contestant<'a, N> {
        Contestant { name: name.into(), measure: Box::new(measure) }
    }
}

/// Lets all contestants have a turn in each round, after one turn each that does not count.
///
/// The order changes from round to round, and every second round runs backwards (`A B`, `B A`, `B A`, `A B`), so that a
/// machine which gets slower or faster meanwhile favours nobody.
///
/// # Errors
/// The first error of a contestant.
pub fn compete<const N: usize>(mut contestants: Vec<Contestant<'_, N>>, rounds: usize) -> Result<Results<N>> {
    let names = contestants.iter().map(|contestant| contestant.name.clone()).collect::<Vec<_>>();
    let mut turn = |index: usize| {
        let Contestant { name, measure } = &mut contestants[index];
        measure().with_context(|| format!("measuring '{name}'"))
    };
    for index in 0..names.len() {
        turn(index)?;
    }
    let mut figures = vec![Vec::with_capacity(rounds); names.len()];
    for round in 0..rounds {
        for index in order(names.len(), round) {
            figures[index].push(turn(index)?);
        }
    }
    Ok(Results { names, figures })
}

fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order = (0..count).collect::<Vec<_>>();
    order.rotate_left(round / 2 % count.max(1));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// What came out, round by round.
pub struct Results<const N: usize> {
    names: Vec<String>,
    figures: Vec<Vec<[f64; N]>>,
}

impl<const N: usize> Results<N> {
    /// One figure of one contestant over all rounds; `None` if there is no such contestant.
    #[must_use]
    pub fn summary(&self, name: &str, figure: usize) -> Option<Summary> {
        Summary::of(&self.of(name, figure)?)
    }

    /// One figure of `name` divided by that of `beside`, round by round.
    #[must_use]
    pub fn ratio(&self, name: &str, beside: &str, figure: usize) -> Option<Summary> {
        let (ours, theirs) = (self.of(name, figure)?, self.of(beside, figure)?);
        let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>();
        Summary::of(&ratios)
    }

    fn of(&self, name: &str, figure: usize) -> Option<Vec<f64>> {
        let index = self.names.iter().position(|known| known == name)?;
        Some(self.figures[index].iter().map(|figures| figures[figure]).collect())
    }
}

/// A piece of code that repeats itself as often as it is told, with the number of turns that fills a slice of time.
pub struct Timed<F> {
    run: F,
    turns: u64,
}

impl<F: FnMut(u64) -> Result<()>> Timed<F> {
    /// Finds the number of turns.
    ///
    /// # Errors
    /// Those of the code.
    pub fn new(slice: Duration, mut run: F) -> Result<Timed<F>> {
        let mut turns = 1;
        loop {
            let begun = Instant::now();
            run(turns)?;
            if begun.elapsed() * 2 >= slice {
                return Ok(Timed { run, turns });
            }
            turns *= 2;
        }
    }

    /// Nanoseconds per turn.
    ///
    /// # Errors
    /// Those of the code.
    pub fn nanoseconds(&mut self) -> Result<f64> {
        let begun = Instant::now();
        (self.run)(self.turns)?;
        #[expect(clippy::cast_precision_loss, reason = "turns are far below 2^52")]
        let turns = self.turns as f64;
        Ok(begun.elapsed().as_secs_f64() * 1e9 / turns)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

    use super::{Contestant, compete, order};

    #[test]
    fn two_contestants_go_there_and_back() {
        let rounds = (0..4).map(|round| order(2, round)).collect::<Vec<_>>();
        assert_eq!(rounds, [[0, 1], [1, 0], [1, 0], [0, 1]]);
    }

    #[test]
    fn every_contestant_stands_at_every_place_equally_often() {
        let mut places = [[0; 3]; 3];
        for round in 0..6 {
            for (place, index) in order(3, round).into_iter().enumerate() {
                places[index][place] += 1;
            }
        }
        assert_eq!(places, [[2; 3]; 3]);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut rising = 0.0;
        let ours = Contestant::new("ours", move || {
            rising += 1.0;
            Ok([2.0 * rising])
        });
        let mut rising = 0.0;
        let theirs = Contestant::new("theirs", move || {
            rising += 1.0;
            Ok([rising])
        });
        let results = compete(vec![ours, theirs], 5).unwrap();
        let ratio = results.ratio("ours", "theirs", 0).unwrap();
        assert_eq!((ratio.min, ratio.median, ratio.max), (2.0, 2.0, 2.0));
        assert!(results.summary("nobody", 0).is_none());
    }
}
