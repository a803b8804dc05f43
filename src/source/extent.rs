//! How far something reaches in a log that only answers "still inside" or "behind". Pure.
//!
//! In:  an offset inside, the end of the log, and an answer for each offset that is asked for.
//! Out: the first offset behind it. Holds: twice the logarithm of its length is asked for, at most.

use crate::ids::Offset;

/// The search for the first offset behind.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    /// The last offset known to be inside.
    inside: i64,
    /// The first offset known to be behind, or the end of the log.
    behind: i64,
    /// How far the next question goes; doubled until one is answered with "behind".
    step: Option<i64>,
}

impl Extent {
    /// `inside` is inside, and at `end` there is nothing.
    pub(super) fn new(inside: Offset, end: Offset) -> Self {
        Self { inside: inside.0, behind: end.0.max(inside.0 + 1), step: Some(1) }
    }

    /// The offset to ask for; `None` when all is known.
    pub(super) fn question(&self) -> Option<Offset> {
        let between = self.behind - self.inside;
        let ahead = self.step.filter(|step| *step < between).unwrap_or(between / 2);
        (ahead > 0).then_some(Offset(self.inside + ahead))
    }

    /// Takes the answer to the question.
    pub(super) fn answer(&mut self, at: Offset, is_inside: bool) {
        debug_assert!((self.inside..self.behind).contains(&at.0), "an answer to the question");
        if is_inside {
            self.inside = at.0;
            self.step = self.step.map(|step| step.saturating_mul(2));
        } else {
            self.behind = at.0;
            self.step = None;
        }
    }

    /// The first offset behind.
    pub(super) fn until(&self) -> Offset {
        Offset(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The answer and the number of questions.
    fn search(from: i64, until: i64, end: i64) -> (i64, u32) {
        let mut extent = Extent::new(Offset(from), Offset(end));
        let mut asked = 0;
        while let Some(at) = extent.question() {
            asked += 1;
            extent.answer(at, at.0 < until);
        }
        (extent.until().0, asked)
    }

    #[test]
    fn one_record_takes_one_question_and_the_last_one_none() {
        assert_eq!(search(7, 8, 100), (8, 1));
        assert_eq!(search(7, 8, 8), (8, 0));
    }

    proptest! {
        #[test]
        fn the_end_is_found_exactly_with_few_questions(
            from in 0i64..1_000,
            length in 1i64..3_000_000,
            behind in 0i64..3_000_000,
        ) {
            let (found, asked) = search(from, from + length, from + length + behind);
            prop_assert_eq!(found, from + length);
            prop_assert!(asked <= 2 * (length.ilog2() + 1) + (behind + 1).ilog2() + 2);
        }
    }
}
