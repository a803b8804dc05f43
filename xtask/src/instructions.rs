//! `cargo xtask instructions`: what the processor is asked to do per event.
//!
//! In: the benchmark `instructions`, one counted function per stage, under valgrind's callgrind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::Value;
use testkit::process;

use crate::shell::{self, Misuse};

const BASELINE: &str = "benches/instructions.txt";
const HEADER: &str = "# Instructions per event, written by cargo xtask instructions --update";
/// Each has a function `counted_…` in the benchmark.
const STAGES: [&str; 3] = ["router", "worker", "tape"];
const TOLERANCE_PERCENT: f64 = 3.0;

/// Counts the router's and a worker's instructions per event, against the committed baseline
///
/// They are steadier than any clock: the same on a busy machine. It needs valgrind (its callgrind)
/// and a processor with AVX2, which the baseline's code path uses.
///
/// Exit codes: 0 within 3 % of the baseline, or written; 1 outside, or a step failed; 2 wrong
/// usage, or something is missing.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Write the baseline (benches/instructions.txt) instead of comparing with it
    #[arg(long)]
    pub(crate) update: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if !shell::has("valgrind") {
        bail!(Misuse("valgrind is missing: scripts/setup --bench".to_owned()));
    }
    // Another processor takes another path, with other instructions.
    let processor = fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    if !processor.split_whitespace().any(|word| word == "avx2") {
        bail!(Misuse("the baseline is for processors with AVX2; this one has none".to_owned()));
    }
    let path = shell::root().join(BASELINE);
    let program = build()?;
    if arguments.update {
        let stages = STAGES.map(|stage| Ok(format!("{stage} {:.1}\n", count(&program, stage)?)));
        let stages = stages.into_iter().collect::<anyhow::Result<String>>()?;
        let text = format!("{HEADER}\n{stages}");
        fs::write(&path, &text).context(BASELINE)?;
        print!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut outside = false;
    for (stage, before) in baseline(&fs::read_to_string(&path).context(BASELINE)?)? {
        let now = count(&program, &stage)?;
        let (line, is_outside) = compared(&stage, now, before);
        println!("{line}");
        outside |= is_outside;
    }
    if outside {
        bail!(
            "more than {TOLERANCE_PERCENT} % from {BASELINE}; if that is meant: cargo xtask \
             instructions --update"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The benchmark's program.
fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = shell::cargo(["bench", "--bench", "instructions", "--no-run", "--locked"]);
    let messages = shell::output(cargo.args(["--message-format", "json"]))?;
    executable(&messages).context("cargo named no program of the benchmark instructions")
}

/// The path in cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|message| message["target"]["name"] == "instructions");
    built.find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

/// Instructions per event in the stage's function.
fn count(program: &Path, stage: &str) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let profile = folder.path().join(stage);
    let function = format!("counted_{stage}");
    let mut valgrind = Command::new("valgrind");
    // The program's symbols are mangled; every one of them has the function's name in it.
    valgrind.args(["--tool=callgrind", &format!("--toggle-collect=*{function}*")]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display())).arg(program);
    let output = process::output(valgrind);
    ensure!(output.status.success(), "valgrind failed\n{}", testkit::text(&output));
    let events = events(&String::from_utf8_lossy(&output.stdout)).context("no number of events")?;
    let total = total(&fs::read_to_string(&profile).context("callgrind's profile")?);
    // A function that was inlined, or renamed, counts nothing.
    match total {
        Some(total) if total > events => Ok(total as f64 / events as f64),
        _ => bail!("{function} was not found in {}", program.display()),
    }
}

/// The number in the benchmark's line "20000 events, …".
fn events(printed: &str) -> Option<u64> {
    printed.lines().find_map(|line| line.split_once(" events")?.0.parse().ok())
}

/// All instructions of a callgrind profile.
fn total(profile: &str) -> Option<u64> {
    let value = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        if ["summary", "totals"].contains(&name) { value.trim().parse().ok() } else { None }
    };
    profile.lines().find_map(value)
}

/// Stages with their instructions per event.
fn baseline(text: &str) -> anyhow::Result<Vec<(String, f64)>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let stages = lines.map(|line| {
        let (stage, count) = line.split_once(' ')?;
        Some((stage.to_owned(), count.parse().ok()?))
    });
    let stages: Option<Vec<_>> = stages.collect();
    stages.filter(|all| !all.is_empty()).with_context(|| {
        format!("invalid {BASELINE}: expected lines such as `router 328.0`; write it with --update")
    })
}

/// The line about a stage, and whether it is outside the tolerance.
fn compared(stage: &str, now: f64, before: f64) -> (String, bool) {
    let change = (now / before - 1.0) * 100.0;
    let outside = change.abs() > TOLERANCE_PERCENT;
    let verdict = if outside { "OUTSIDE" } else { "ok" };
    let line = format!(
        "{stage:<8} {now:>8.1} instructions per event, baseline {before:>8.1}: {change:+.1} % \
         {verdict}"
    );
    (line, outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"memchr"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"instructions"},"executable":"/t/instructions-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/t/instructions-1")));
        assert_eq!(executable("not JSON\n{}"), None);
    }

    #[test]
    fn counts_are_read() {
        assert_eq!(events("reading\n20000 events, 12 messages to the sink\n"), Some(20_000));
        assert_eq!(events("no number of events"), None);
        assert_eq!(
            total("version: 1\nevents: Ir\nfn=(1)\n3 4\ntotals: 6560123\n"),
            Some(6_560_123)
        );
        assert_eq!(total("summary: 5\ntotals: 6\n"), Some(5));
        assert_eq!(total("events: 7\n"), None);
    }

    #[test]
    fn a_baseline_has_stages() {
        let stages = baseline(&format!("{HEADER}\nrouter 328.0\nworker 4608.5\n")).expect("valid");
        assert_eq!(stages, [("router".to_owned(), 328.0), ("worker".to_owned(), 4608.5)]);
        for wrong in ["", "# only a header", "router", "router many"] {
            assert!(baseline(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn more_than_three_percent_is_outside_in_both_directions() {
        let (line, outside) = compared("router", 328.0, 328.0);
        assert_eq!(line, "router      328.0 instructions per event, baseline    328.0: +0.0 % ok");
        assert!(!outside);
        assert!(!compared("router", 102.9, 100.0).1);
        assert!(compared("router", 103.1, 100.0).1);
        let (line, outside) = compared("router", 96.0, 100.0);
        assert!(outside && line.ends_with("-4.0 % OUTSIDE"), "{line}");
    }
}
