//! How high the scores of a shard usually are. Pure.

use serde::{Deserialize, Serialize};

/// Lowest score that is told apart, and the width of a step.
const LOWEST: f64 = -24.0;
const STEP: f64 = 0.25;
const STEPS: usize = 192;

/// Scores below which there is no quantile, and at which all counts are halved.
const LEAST: u64 = 1_000;
const MOST: u64 = 200_000;

/// Logins from which on a user is in the next class.
const CLASSES: [u32; 3] = [10, 30, 100];

/// Scores by the length of the user's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores {
    classes: [Histogram; CLASSES.len() + 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Histogram {
    /// By step; as many as were reached.
    counts: Vec<u32>,
    total: u64,
}

impl Default for Scores {
    fn default() -> Self {
        Self { classes: std::array::from_fn(|_| Histogram::default()) }
    }
}

impl Scores {
    /// The score below which 99.9 % are, among users with as many logins. `None` while there are
    /// too few.
    pub fn quantile(&self, logins: u32) -> Option<f64> {
        self.classes[class_of(logins)].quantile()
    }

    /// Takes the score of a login up whose user had so many before.
    pub fn take_up(&mut self, logins: u32, score: f64) {
        self.classes[class_of(logins)].take_up(score);
    }
}

impl Histogram {
    fn quantile(&self) -> Option<f64> {
        if self.total < LEAST {
            return None;
        }
        let mut below = 0;
        let is_reached = |count: &u32| {
            below += u64::from(*count);
            below * 1_000 >= self.total * 999
        };
        let step = self.counts.iter().position(is_reached)?;
        Some(LOWEST + (step + 1) as f64 * STEP)
    }

    fn take_up(&mut self, score: f64) {
        let step = ((score - LOWEST) / STEP).clamp(0.0, (STEPS - 1) as f64) as usize;
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.total += 1;
        if self.total >= MOST {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().map(|count| u64::from(*count)).sum();
        }
    }
}

fn class_of(logins: u32) -> usize {
    CLASSES.iter().filter(|least| logins >= **least).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_the_edge_that_one_in_a_thousand_passes() {
        let mut scores = Scores::default();
        for number in 0..998 {
            scores.take_up(5, -5.0 + f64::from(number % 10));
        }
        scores.take_up(5, 9.9);
        assert_eq!(scores.quantile(9), None);
        scores.take_up(9, 12.0);
        assert_eq!(scores.quantile(9), Some(10.0));
        scores.take_up(9, 12.0);
        assert_eq!(scores.quantile(9), Some(12.25));
        assert_eq!([10, 29, 30, 100].map(|logins| scores.quantile(logins)), [None; 4]);
        assert_eq!([9, 10, 30, 100, 4_000].map(class_of), [0, 1, 2, 3, 3]);
    }

    #[test]
    fn scores_beyond_the_steps_count_at_the_ends() {
        let mut histogram = Histogram::default();
        histogram.take_up(-1_000.0);
        histogram.take_up(1_000.0);
        assert_eq!((histogram.counts[0], histogram.counts[STEPS - 1]), (1, 1));
    }
}
