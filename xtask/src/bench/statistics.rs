//! What the rounds of a measurement come to: minimum, median, maximum, and ratios round by round.

/// The smallest, the middle and the largest of the rounds' figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) minimum: f64,
    pub(crate) median: f64,
    pub(crate) maximum: f64,
}

impl Spread {
    /// Of any number of figures, in any order; `None` without figures.
    pub(crate) fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (minimum, maximum) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Self { minimum, median: f64::midpoint(low, high), maximum })
    }

    /// As the tables show it: one figure where all are the same.
    pub(crate) fn text(&self, decimals: usize) -> String {
        let [minimum, median, maximum] =
            [self.minimum, self.median, self.maximum].map(|figure| format!("{figure:.decimals$}"));
        if minimum == maximum { median } else { format!("{minimum} / {median} / {maximum}") }
    }

    pub(crate) fn median_text(&self, decimals: usize) -> String {
        format!("{:.decimals$}", self.median)
    }
}

/// The first figure of each round divided by the second: what a slow machine does to both cancels.
///
/// # Panics
/// When the two were not measured in the same rounds.
pub(crate) fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    assert_eq!(of.len(), to.len(), "ratios are of the same rounds");
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

/// `None` without figures.
pub(crate) fn mean(figures: &[f64]) -> Option<f64> {
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_or_between_the_two_in_the_middle() {
        let odd = Spread::of(&[30.0, 10.0, 20.0]);
        assert_eq!(odd, Some(Spread { minimum: 10.0, median: 20.0, maximum: 30.0 }));
        let even = Spread::of(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(even, Some(Spread { minimum: 1.0, median: 2.5, maximum: 4.0 }));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_ratio_is_of_two_figures_of_one_round() {
        // The machine is twice as fast in the second round; the ratio does not show it.
        assert_eq!(ratios(&[100.0, 200.0], &[50.0, 100.0]), [2.0, 2.0]);
    }

    #[test]
    fn figures_that_look_the_same_are_shown_once() {
        let spread = Spread::of(&[1.04, 1.01]).expect("figures");
        assert_eq!(
            (spread.text(1), spread.text(2)),
            ("1.0".to_owned(), "1.01 / 1.02 / 1.04".to_owned())
        );
    }

    #[test]
    fn the_mean_weighs_every_figure_alike() {
        assert_eq!((mean(&[1.0, 2.0, 6.0]), mean(&[])), (Some(3.0), None));
    }
}
