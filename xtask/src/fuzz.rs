//! `cargo xtask fuzz`: the targets of fuzz/, with coverage, on the pinned stable compiler.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
    thread,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, value_parser};

use crate::shell;

/// All targets.
const TARGETS: [&str; 5] = ["router", "parse", "metadata", "journal", "mmdb"];
/// Where the programs, the corpus and the findings are, below the project's folder.
const OUT: &str = "target/fuzz";

/// An input that takes this long is one that never ends; the slowest takes milliseconds.
const TIMEOUT_S: u32 = 10;
/// Leaves room for the corpus in memory; state and journal measure what decoding takes by
/// themselves.
const MEMORY_MB: u32 = 2_048;
/// Long enough for a full sketch and an event of every kind of member.
const LONGEST_BYTES: u32 = 8_192;

/// The instrumentation is the compiler's own (LLVM's sancov pass), so stable will do.
const COVERAGE: [&str; 7] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg fuzzing",
];

/// Fuzzes what reads bytes that others wrote, one target after the other from its seeds
///
/// The targets of fuzz/ are built with coverage, on the pinned stable compiler. What a run learns
/// stays in target/fuzz/corpus/TARGET for the next one. A finding ends the command with the path of
/// the input that shows it; the same program with that path as its only argument runs it again.
///
/// Exit codes: 0 nothing was found, 1 something was, or a step failed, 2 wrong usage.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,

    /// What is fuzzed; everything when none is named
    #[arg(value_name = "TARGET", value_parser = TARGETS)]
    pub(crate) targets: Vec<String>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { seconds, mut targets } = arguments;
    if targets.is_empty() {
        targets = TARGETS.map(str::to_owned).to_vec();
    }
    let programs = build()?;
    let mut summary = Vec::new();
    for target in &targets {
        println!("\n==== {target}, {seconds} s");
        let log = fuzz(&programs.join(format!("fuzz-{target}")), target, seconds)?;
        summary.push(summarized(target, &log)?);
    }
    println!("\n==== nothing was found\n{}", summary.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// The folder of the targets' programs.
fn build() -> anyhow::Result<PathBuf> {
    let version = shell::output(shell::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc -vV names no host")?;
    eprintln!(
        "building with coverage; the first time also librdkafka and OpenSSL, which takes minutes"
    );
    let mut cargo = shell::cargo(["build", "--manifest-path", "fuzz/Cargo.toml", "--locked"]);
    // With --target, so that build scripts and macros, which have no fuzzer to report to, are built
    // without coverage.
    cargo.args(["--target-dir", OUT, "--target", host]).env("RUSTFLAGS", COVERAGE.join(" "));
    shell::run(&mut cargo)?;
    Ok(shell::root().join(OUT).join(host).join("debug"))
}

/// Runs one target; returns what it printed.
fn fuzz(program: &Path, target: &str, seconds: u64) -> anyhow::Result<String> {
    let out = shell::root().join(OUT);
    for folder in [out.join("corpus").join(target), out.join("findings")] {
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    }
    let mut command = shell::command(&program.to_string_lossy());
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={TIMEOUT_S}"),
        format!("-rss_limit_mb={MEMORY_MB}"),
        format!("-max_len={LONGEST_BYTES}"),
        format!("-dict=fuzz/dictionaries/{target}.dict"),
        format!("-artifact_prefix={OUT}/findings/{target}-"),
        "-print_final_stats=1".to_owned(),
        format!("{OUT}/corpus/{target}"),
        format!("fuzz/seeds/{target}"),
    ]);
    let path = out.join(format!("{target}.log"));
    let status = shown_and_logged(command, &path)?;
    let log = fs::read(&path).with_context(|| format!("{}", path.display()))?;
    let log = String::from_utf8_lossy(&log).into_owned();
    if !status.success() {
        match finding(&log) {
            Some(input) => bail!("{target}: found by {}", shell::root().join(input).display()),
            None => bail!("{target} failed ({status})"),
        }
    }
    // Without counters the fuzzer would only guess, and find nothing, and pass.
    ensure!(log.contains("inline 8-bit counters"), "{target} was built without coverage");
    Ok(log)
}

/// Runs the command to its end; what it prints is shown at once and written to the log.
fn shown_and_logged(mut command: Command, log: &Path) -> anyhow::Result<ExitStatus> {
    let mut file = File::create(log).with_context(|| format!("{}", log.display()))?;
    let (reader, writer) = std::io::pipe().context("a pipe")?;
    command.stdout(writer.try_clone().context("a second handle")?).stderr(writer);
    let copy = thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            std::io::stdout().write_all(&line)?;
            file.write_all(&line)?;
            line.clear();
        }
        std::io::Result::Ok(())
    });
    let status = shell::status(&mut command);
    // The pipe ends when the last handle to write is closed: the command holds two.
    drop(command);
    copy.join().expect("no panic").with_context(|| format!("{}", log.display()))?;
    status
}

/// The input that the fuzzer found last.
fn finding(log: &str) -> Option<&str> {
    log.lines().rev().find_map(|line| Some(line.split_once("Test unit written to ")?.1.trim()))
}

/// The line about a target that ran to its end.
fn summarized(target: &str, log: &str) -> anyhow::Result<String> {
    let edges = |line: &str| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    let mut covered = log.lines().filter_map(edges);
    let first = covered.next().with_context(|| format!("{target} printed no coverage"))?;
    let last = covered.next_back().unwrap_or(first);
    let runs = log.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let runs = runs.with_context(|| format!("{target} printed no statistics"))?.trim();
    Ok(format!("{target:<9} {runs:>9} runs, coverage {first} -> {last} edges"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO: Loaded 1 modules   (70 inline 8-bit counters): 70 [0x1, 0x2),
#2\tINITED cov: 31 ft: 32 corp: 1/1b exec/s: 0 rss: 30Mb
#9\tNEW    cov: 33 ft: 34 corp: 2/2b lim: 4 exec/s: 0 rss: 30Mb L: 1/1 MS: 1 ChangeBit-
#4099\tDONE   cov: 40 ft: 41 corp: 2/2b lim: 4 exec/s: 0 rss: 30Mb
stat::number_of_executed_units: 4099
";

    #[test]
    fn the_targets_are_those_of_the_folder() {
        let entries = fs::read_dir(shell::root().join("fuzz/targets")).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut found: Vec<String> = paths
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        found.sort();
        let mut targets = TARGETS;
        targets.sort_unstable();
        assert_eq!(found, targets);
    }

    #[test]
    fn a_summary_has_the_first_and_the_last_coverage() {
        let line = summarized("router", LOG).expect("a summary");
        assert_eq!(line, "router         4099 runs, coverage 31 -> 40 edges");
        assert!(summarized("router", "no coverage").is_err());
    }

    #[test]
    fn the_last_finding_counts() {
        let log = "x; Test unit written to a/first\nBase64: AA\nx; Test unit written to b/last\n";
        assert_eq!(finding(log), Some("b/last"));
        assert_eq!(finding(LOG), None);
    }
}
