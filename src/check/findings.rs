//! What `check-config` has found, and how it is shown: for people, or as JSON lines.
//!
//! Holds: a problem would stop the run, break a promise or lose something; a hint would not. Each
//! names its remedy.

use std::io::{self, Write};

use serde_json::json;

/// Form of the answer on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    Text,
    Json,
}

/// Facts, problems and hints, in the order found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    facts: Vec<(&'static str, String)>,
    problems: Vec<String>,
    hints: Vec<String>,
}

impl Findings {
    /// Adds a line of the summary.
    pub(super) fn fact(&mut self, name: &'static str, text: impl Into<String>) {
        self.facts.push((name, text.into()));
    }

    pub(super) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    pub(super) fn hint(&mut self, text: impl Into<String>) {
        self.hints.push(text.into());
    }

    pub(super) fn problems(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn show(&self, out: &mut impl Write, form: Form) -> io::Result<()> {
        match form {
            Form::Text => self.show_text(out),
            Form::Json => self.show_json(out),
        }
    }

    fn show_text(&self, out: &mut impl Write) -> io::Result<()> {
        for (name, text) in &self.facts {
            writeln!(out, "{name:<12} {text}")?;
        }
        for (title, texts) in [("problem", &self.problems), ("hint", &self.hints)] {
            if texts.is_empty() {
                writeln!(out, "\nno {title}s")?;
                continue;
            }
            let plural = if texts.len() == 1 { "" } else { "s" };
            writeln!(out, "\n{} {title}{plural}", texts.len())?;
            for text in texts {
                writeln!(out, "  {text}")?;
            }
        }
        Ok(())
    }

    fn show_json(&self, out: &mut impl Write) -> io::Result<()> {
        for (name, text) in &self.facts {
            writeln!(out, "{}", json!({"kind": "fact", "name": name, "text": text}))?;
        }
        for (kind, texts) in [("problem", &self.problems), ("hint", &self.hints)] {
            for text in texts {
                writeln!(out, "{}", json!({"kind": kind, "text": text}))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Findings {
    pub(super) fn all(&self) -> (&[String], &[String]) {
        (&self.problems, &self.hints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_problems_and_hints_are_shown_in_both_forms() {
        let mut findings = Findings::default();
        findings.fact("cluster", "c1");
        findings.problem("a is wrong; change it");
        let shown = |form| {
            let mut out = Vec::new();
            findings.show(&mut out, form).expect("a Vec takes everything");
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(
            shown(Form::Text),
            "cluster      c1\n\n1 problem\n  a is wrong; change it\n\nno hints\n"
        );
        let lines: Vec<serde_json::Value> = shown(Form::Json)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let expected = [
            json!({"kind": "fact", "name": "cluster", "text": "c1"}),
            json!({"kind": "problem", "text": "a is wrong; change it"}),
        ];
        assert_eq!(lines, expected);
    }
}
