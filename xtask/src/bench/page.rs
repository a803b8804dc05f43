//! docs/BENCHMARKS.md and its plots, made of `benches/page.md` and the runs that it names.
//!
//! In the page's text stand
//! * `{{table NAME RUN...}}`: one of `TABLES`, of the runs' figures;
//! * `{{plot NAME RUN}}`: one of `PLOTS`;
//! * `{{run SECTION RUN}}`: a link to the run, and how the section was measured.

use std::{fs, path::PathBuf};

use anyhow::{Context, bail, ensure};

use super::{
    figures::Figures, growth, hard, instances, latency, memory, pairs, plot::Plot, rebalances,
    recorded, run::Run, scaling, starts,
};
use crate::shell;

/// A table of the page.
pub(crate) struct Table {
    name: &'static str,
    section: &'static str,
    /// Of one run, or of several with the names of their machines.
    make: Make,
}

enum Make {
    One(fn(&Figures) -> String),
    Several(fn(&[(&str, &Figures)]) -> String),
}

const TABLES: &[Table] = &[
    Table { name: "pairs", section: "pairs", make: Make::One(|f| pairs::RATES.upright(f)) },
    Table { name: "pairs-others", section: "pairs", make: Make::One(|f| pairs::OTHERS.upright(f)) },
    Table { name: "against", section: "pairs", make: Make::One(pairs::against) },
    Table { name: "ratios", section: "pairs", make: Make::Several(pairs::ratios) },
    Table { name: "peers", section: "peers", make: Make::One(|f| recorded::PEERS.upright(f)) },
    Table {
        name: "latency",
        section: "latency",
        make: Make::One(|f| latency::PERCENTILES.upright(f)),
    },
    Table { name: "starts", section: "starts", make: Make::One(|f| starts::STARTS.upright(f)) },
    Table { name: "scaling", section: "scaling", make: Make::One(|f| scaling::RATES.across(f)) },
    Table { name: "threads", section: "scaling", make: Make::One(|f| scaling::THREADS.across(f)) },
    Table {
        name: "instances",
        section: "instances",
        make: Make::One(|f| instances::INSTANCES.upright(f)),
    },
    Table {
        name: "rebalances",
        section: "rebalances",
        make: Make::One(|f| rebalances::REBALANCES.upright(f)),
    },
    Table { name: "rebalances-most", section: "rebalances", make: Make::One(rebalances::sentence) },
    Table { name: "settings", section: "growth", make: Make::One(|f| growth::SETTINGS.across(f)) },
    Table { name: "hard", section: "hard", make: Make::One(|f| hard::CASES.across(f)) },
    Table { name: "backlog", section: "hard", make: Make::One(|f| hard::BACKLOG.upright(f)) },
    Table { name: "memory", section: "memory", make: Make::One(|f| memory::RESIDENT.upright(f)) },
];

const PLOTS: [Plot; 3] = [growth::PARTITIONS, growth::SIZES, growth::USERS];

impl Table {
    /// As Markdown.
    pub(crate) fn text(&self, figures: &[&Figures]) -> String {
        let named: Vec<_> = figures.iter().map(|figures| ("this run", *figures)).collect();
        self.of(&named)
    }

    fn of(&self, runs: &[(&str, &Figures)]) -> String {
        match self.make {
            Make::One(make) => make(runs[0].1),
            Make::Several(make) => make(runs),
        }
    }
}

/// The tables of a section.
pub(crate) fn tables_of(section: &str) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(move |table| table.section == section)
}

fn template_path() -> PathBuf {
    shell::root().join("benches/page.md")
}

fn docs() -> PathBuf {
    shell::root().join("docs")
}

/// Makes the page and its plots.
pub(crate) fn write() -> anyhow::Result<()> {
    for (path, text) in made()? {
        super::plot::write(&path, &text)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Names this run in the page wherever it shows one of these sections; where it shows several runs,
/// for the first.
pub(crate) fn choose(run: &Run, sections: &[String]) -> anyhow::Result<()> {
    let template = fs::read_to_string(template_path()).context("benches/page.md")?;
    fs::write(template_path(), chosen(&template, &run.name, sections)?).context("benches/page.md")
}

fn chosen(template: &str, run: &str, sections: &[String]) -> anyhow::Result<String> {
    replace_marks(template, |mark| {
        let mut words: Vec<&str> = mark.split(' ').collect();
        let section = section_of(&words)?;
        if sections.iter().any(|name| name == section) {
            words[2] = run;
        }
        Ok(format!("{{{{{}}}}}", words.join(" ")))
    })
}

/// Every file of the page with its text.
fn made() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let template = fs::read_to_string(template_path()).context("benches/page.md")?;
    let mut files = Vec::new();
    let page = replace_marks(&template, |mark| {
        let words: Vec<&str> = mark.split(' ').collect();
        let section = section_of(&words)?;
        let runs = words[2..].iter().map(|name| Run::read(name)).collect::<Result<Vec<_>, _>>()?;
        if words[0] == "run" {
            let run = &runs[0];
            let conditions = run.conditions(section)?.summary();
            return Ok(format!("[Run]({}): {conditions}.", run.link("docs")));
        }
        let figures = runs.iter().map(|run| run.figures(section)).collect::<Result<Vec<_>, _>>()?;
        if let Some(plot) = PLOTS.iter().find(|plot| words[..2] == ["plot", plot.name]) {
            files.push((docs().join(plot.path()), plot.draw(&figures[0])?));
            return Ok(plot.image());
        }
        let table = TABLES.iter().find(|table| table.name == words[1]);
        let table = table.with_context(|| format!("no table is called {}", words[1]))?;
        let machines: Vec<_> = runs.iter().map(|run| run.machine.slug()).collect();
        let named = machines.iter().map(String::as_str).zip(&figures);
        Ok(table.of(&named.collect::<Vec<_>>()))
    })?;
    files.push((docs().join("BENCHMARKS.md"), page));
    Ok(files)
}

/// The section whose figures a mark shows.
fn section_of<'a>(words: &[&'a str]) -> anyhow::Result<&'a str> {
    ensure!(words.len() >= 3, "{words:?}: expected a kind, a name and a run");
    match words[0] {
        "run" => Ok(words[1]),
        "plot" if PLOTS.iter().any(|plot| plot.name == words[1]) => Ok("growth"),
        "table" => {
            let table = TABLES.iter().find(|table| table.name == words[1]);
            Ok(table.with_context(|| format!("no table is called {}", words[1]))?.section)
        }
        _ => bail!("{words:?}: expected table, plot or run"),
    }
}

/// Replaces each `{{mark}}`.
fn replace_marks(
    text: &str,
    mut replace: impl FnMut(&str) -> anyhow::Result<String>,
) -> anyhow::Result<String> {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (mark, after) = after.split_once("}}").context("a mark without an end")?;
        made.push_str(before);
        made.push_str(&replace(mark).with_context(|| format!("benches/page.md: {mark}"))?);
        rest = after;
    }
    Ok(made + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_replaced_where_they_stand() {
        let replaced = replace_marks("a {{b c}} d\n{{e}}", |mark| Ok(format!("<{mark}>")));
        assert_eq!(replaced.expect("marks with ends"), "a <b c> d\n<e>");
        assert!(replace_marks("a {{b", |mark| Ok(mark.to_owned())).is_err());
    }

    #[test]
    fn a_new_run_is_chosen_for_what_it_measured() {
        let template = "{{table ratios old other}} {{table hard old}} {{plot size old}}";
        let sections = ["pairs", "growth"].map(str::to_owned);
        let page = chosen(template, "new", &sections).expect("known marks");
        assert_eq!(page, "{{table ratios new other}} {{table hard old}} {{plot size new}}");
        assert!(chosen("{{table nothing old}}", "new", &sections).is_err());
    }

    #[test]
    fn the_page_is_that_of_the_runs_it_names() {
        for (path, text) in made().expect("the page can be made") {
            let there = fs::read_to_string(&path).unwrap_or_default();
            assert!(there == text, "{} is stale: cargo xtask bench --page", path.display());
        }
    }

    #[test]
    fn the_page_is_short_and_narrow() {
        let page = fs::read_to_string(docs().join("BENCHMARKS.md")).expect("the page");
        assert!(page.lines().count() <= 120, "{} lines", page.lines().count());
        for line in page.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
    }
}
