//! The figures of one section of a run, as they are kept in a file.
//!
//! One line per case and measure: `case<TAB>measure<TAB>figure<TAB>figure...`, a figure per round
//! in the order of the rounds. A measure's unit is at the end of its name. Of an old run only
//! minimum, median and maximum may be known: then the first line says so, and each line has these
//! three.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};

use super::statistics::{Spread, ratios};

const ROUNDS: &str = "case\tmeasure\trounds";
const SUMMARY: &str = "case\tmeasure\tminimum\tmedian\tmaximum";

/// Written in this order; read in any.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Figures {
    is_summary: bool,
    rows: Vec<Row>,
}

#[derive(Debug, PartialEq)]
struct Row {
    case: String,
    measure: String,
    figures: Vec<f64>,
}

impl Figures {
    /// Adds the figure of one more round.
    pub(crate) fn push(&mut self, case: &str, measure: &str, figure: f64) {
        assert!(!self.is_summary, "a summary has no rounds");
        // As they are written: a table looks the same before and after.
        let figure = (figure * 1e4).round() / 1e4;
        let is_row = |row: &&mut Row| row.case == case && row.measure == measure;
        match self.rows.iter_mut().find(is_row) {
            Some(row) => row.figures.push(figure),
            None => self.rows.push(Row {
                case: case.to_owned(),
                measure: measure.to_owned(),
                figures: vec![figure],
            }),
        }
    }

    /// The figures of a case, round by round (of a summary: its three); empty without any.
    pub(crate) fn of(&self, case: &str, measure: &str) -> &[f64] {
        let row = self.rows.iter().find(|row| row.case == case && row.measure == measure);
        row.map_or(&[], |row| &row.figures)
    }

    pub(crate) fn spread(&self, case: &str, measure: &str) -> Option<Spread> {
        match (self.is_summary, self.of(case, measure)) {
            (true, &[minimum, median, maximum]) => Some(Spread { minimum, median, maximum }),
            (_, figures) => Spread::of(figures),
        }
    }

    /// One case's measure divided by another's, round by round. A summary has it only where it was
    /// recorded, as the case "a : b": it does not follow from two summaries.
    pub(crate) fn ratio(&self, of: &str, to: &str, measure: &str) -> Option<Spread> {
        if self.is_summary {
            return self.spread(&format!("{of} : {to}"), measure);
        }
        let (of, to) = (self.of(of, measure), self.of(to, measure));
        if of.is_empty() || to.is_empty() { None } else { Spread::of(&ratios(of, to)) }
    }

    /// The cases with this measure, in their order.
    pub(crate) fn cases(&self, measure: &str) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row.measure == measure);
        rows.map(|row| row.case.as_str()).collect()
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = String::from(if self.is_summary { SUMMARY } else { ROUNDS });
        for Row { case, measure, figures } in &self.rows {
            let figures = figures.iter().map(ToString::to_string);
            let fields = [case.clone(), measure.clone()].into_iter().chain(figures);
            text.push('\n');
            text.push_str(&fields.collect::<Vec<_>>().join("\t"));
        }
        fs::write(path, text + "\n").with_context(|| path.display().to_string())
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let is_summary = match lines.next() {
            Some(ROUNDS) => false,
            Some(SUMMARY) => true,
            other => bail!("unexpected first line {other:?}: expected {ROUNDS:?} or {SUMMARY:?}"),
        };
        let mut rows = Vec::new();
        for line in lines {
            let fields: Vec<&str> = line.split('\t').collect();
            let [case, measure, figures @ ..] = fields.as_slice() else {
                bail!("{line:?}: expected a case, a measure and figures");
            };
            ensure!(
                if is_summary { figures.len() == 3 } else { !figures.is_empty() },
                "{line:?}: expected {}",
                if is_summary { "three figures" } else { "a figure per round" }
            );
            let numbers: Result<Vec<f64>, _> = figures.iter().map(|f| f.parse()).collect();
            let figures = numbers.with_context(|| format!("{line:?}: expected numbers"))?;
            rows.push(Row { case: (*case).to_owned(), measure: (*measure).to_owned(), figures });
        }
        Ok(Self { is_summary, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut figures = Figures::default();
        for (round, figure) in [607.25, 612.123_456, 580.0].into_iter().enumerate() {
            figures.push("copy", "steady_k_per_s", figure);
            figures.push("exactly-once", "steady_k_per_s", figure * (round + 1) as f64);
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pairs.tsv");
        figures.write(&path).expect("the file is written");
        assert_eq!(Figures::read(&path).expect("the file is read"), figures);
        assert_eq!(figures.of("copy", "steady_k_per_s"), [607.25, 612.1235, 580.0]);
        assert_eq!(figures.cases("steady_k_per_s"), ["copy", "exactly-once"]);
        let ratio = figures.ratio("exactly-once", "copy", "steady_k_per_s").expect("a ratio");
        assert!((ratio.median - 2.0).abs() < 1e-3, "{ratio:?}");
        assert_eq!(figures.ratio("exactly-once", "copy", "own_us"), None);
    }

    #[test]
    fn a_summary_has_no_rounds_to_make_ratios_of() {
        let text = format!("{SUMMARY}\na\tms\t1\t2\t3\nb\tms\t1\t2\t4\nb : a\tms\t0.9\t1.1\t2");
        let figures = Figures::parse(&text).expect("a summary");
        let ratio = figures.ratio("b", "a", "ms").expect("the recorded one");
        assert_eq!(ratio.text(1), "0.9 / 1.1 / 2.0");
        assert_eq!(figures.ratio("a", "b", "ms"), None);
        assert_eq!(figures.spread("a", "ms").map(|s| s.median_text(0)), Some("2".to_owned()));
    }

    #[test]
    fn a_broken_line_is_named() {
        for line in ["a\tms\t1\t2", "a\tms\tx\t1\t2", "a"] {
            let error = Figures::parse(&format!("{SUMMARY}\n{line}")).expect_err(line);
            assert!(format!("{error:#}").contains(&format!("{line:?}")), "{error:#}");
        }
    }
}
