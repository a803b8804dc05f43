//! Tables of docs/BENCHMARKS.md: which figures stand where.

use super::figures::Figures;

/// How a cell shows a measure of a case.
#[derive(Clone, Copy)]
pub(crate) enum Show {
    /// Minimum, median and maximum, with so many decimals.
    Spread(usize),
    Median(usize),
    /// Every round's figure, with three digits.
    Rounds,
}

impl Show {
    fn cell(self, figures: &Figures, case: &str, measure: &str) -> String {
        let text = match self {
            Self::Spread(decimals) => figures.spread(case, measure).map(|s| s.text(decimals)),
            Self::Median(decimals) => {
                figures.spread(case, measure).map(|s| s.median_text(decimals))
            }
            Self::Rounds => {
                let rounds = figures.of(case, measure).iter();
                Some(rounds.map(|figure| three_digits(*figure)).collect::<Vec<_>>().join(", "))
            }
        };
        text.unwrap_or_default()
    }
}

fn three_digits(figure: f64) -> String {
    let decimals = [100.0, 10.0, 1.0].iter().position(|least| figure >= *least).unwrap_or(2);
    format!("{figure:.decimals$}")
}

/// Cases and measures of one section, each with what the table calls it.
pub(crate) struct Layout {
    pub(crate) cases: &'static [(&'static str, &'static str)],
    pub(crate) measures: &'static [(&'static str, &'static str, Show)],
    /// What stands above the names at the left.
    pub(crate) corner: &'static str,
}

impl Layout {
    /// A line for each case that has figures; nothing where none has.
    pub(crate) fn upright(&self, figures: &Figures) -> String {
        if self.measured(figures).next().is_none() {
            return String::new();
        }
        let head = self.measures.iter().map(|(_, heading, _)| (*heading).to_owned());
        let mut table = Markdown::new(self.corner, head);
        for (case, label) in self.measured(figures) {
            let cell = |(measure, _, show): &(&str, _, Show)| show.cell(figures, case, measure);
            table.line(label, self.measures.iter().map(cell));
        }
        table.text()
    }

    /// A line for each measure.
    pub(crate) fn across(&self, figures: &Figures) -> String {
        let head = self.measured(figures).map(|(_, label)| (*label).to_owned());
        let mut table = Markdown::new(self.corner, head);
        for (measure, heading, show) in self.measures {
            let cell = |(case, _): &(&str, &str)| show.cell(figures, case, measure);
            table.line(heading, self.measured(figures).map(cell));
        }
        table.text()
    }

    fn measured(
        &self,
        figures: &Figures,
    ) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        let has = |case: &str| self.measures.iter().any(|m| !figures.of(case, m.0).is_empty());
        self.cases.iter().filter(move |(case, _)| has(case))
    }
}

/// A table that grows by lines.
pub(crate) struct Markdown {
    lines: Vec<String>,
}

impl Markdown {
    pub(crate) fn new(corner: &str, head: impl Iterator<Item = String>) -> Self {
        let mut table = Self { lines: Vec::new() };
        table.line(corner, head);
        let columns = table.lines[0].matches('|').count() - 1;
        table.lines.push(format!("|{}", "---|".repeat(columns)));
        table
    }

    pub(crate) fn line(&mut self, label: &str, cells: impl Iterator<Item = String>) {
        let cells = std::iter::once(label.to_owned()).chain(cells);
        let cell =
            |text: String| if text.is_empty() { " |".to_owned() } else { format!(" {text} |") };
        self.lines.push(format!("|{}", cells.map(cell).collect::<String>()));
    }

    pub(crate) fn text(self) -> String {
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        corner: "",
        cases: &[("a", "the first"), ("absent", "none"), ("b", "the second")],
        measures: &[("ms", "time, ms", Show::Spread(0)), ("mib", "MiB", Show::Median(1))],
    };

    fn figures() -> Figures {
        let mut figures = Figures::default();
        for (case, measure, figure) in
            [("a", "ms", 1.0), ("a", "ms", 3.0), ("a", "mib", 2.0), ("b", "ms", 7.0)]
        {
            figures.push(case, measure, figure);
        }
        figures
    }

    #[test]
    fn cases_are_lines_and_those_without_figures_are_left_out() {
        let expected = "\
            | | time, ms | MiB |\n|---|---|---|\n\
            | the first | 1 / 2 / 3 | 2.0 |\n| the second | 7 | |";
        assert_eq!(LAYOUT.upright(&figures()), expected);
    }

    #[test]
    fn a_figure_has_three_digits() {
        let texts = [968.0, 10.42, 1.066, 0.98].map(three_digits);
        assert_eq!(texts, ["968", "10.4", "1.07", "0.98"]);
    }

    #[test]
    fn cases_are_columns() {
        let expected = "\
            | | the first | the second |\n|---|---|---|\n\
            | time, ms | 1 / 2 / 3 | 7 |\n| MiB | 2.0 | |";
        assert_eq!(LAYOUT.across(&figures()), expected);
    }
}
