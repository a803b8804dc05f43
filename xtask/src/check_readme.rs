//! `cargo xtask check-readme`: the README's commands in a fresh clone, as a reader types them.
//!
//! Holds: the clone and the broker that its commands start end with this.

use std::{
    env, fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use testkit::ports;

use crate::shell;

/// The port of the README's broker.
pub(crate) const BROKER_PORT: u16 = 9092;
/// The README has at least so many blocks; fewer were not recognised.
const FEWEST_BLOCKS: usize = 4;
/// The demo runs until it is stopped; here it stops by itself.
const DEMO: (&str, &str) = ("-- demo", "-- demo --duration 5s");
/// Left out: not done, and not failed.
const EXIT_LEFT_OUT: u8 = 3;

/// Runs every command of the README in a fresh clone, as written, in their order
///
/// What differs from what is written there: the demo runs for five seconds. Port 9092 must be free.
///
/// Exit codes: 0 all ran, 1 a command failed, 2 wrong usage, 3 left out: port 9092 is taken.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the clone builds (kept; otherwise it builds in the clone, which is deleted)
    #[arg(long, value_name = "DIR")]
    pub(crate) target: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if ports::is_taken(BROKER_PORT) {
        eprintln!("left out: port {BROKER_PORT} is taken, and the README's broker wants it");
        return Ok(ExitCode::from(EXIT_LEFT_OUT));
    }
    let clone = FreshClone::new(arguments.target.as_deref())?;
    let readme = fs::read_to_string(clone.path().join("README.md")).context("README.md")?;
    let blocks = blocks(&readme);
    let count = blocks.len();
    ensure!(count >= FEWEST_BLOCKS, "only {count} blocks of commands found in README.md");
    for (index, block) in blocks.iter().enumerate() {
        let (number, block) = (index + 1, runnable(block));
        println!("\n---- block {number}\n{block}");
        let status = shell::status(clone.command("bash").args(["-euo", "pipefail", "-c", &block]))?;
        if !status.success() {
            bail!("block {number} of README.md failed ({status})");
        }
    }
    eprintln!("check-readme: {count} blocks ran");
    Ok(ExitCode::SUCCESS)
}

/// The README's blocks of shell commands.
fn blocks(readme: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in readme.lines() {
        match (&mut open, line) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), line) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

/// The block as it runs here.
fn runnable(block: &str) -> String {
    let (written, here) = DEMO;
    block.replace(written, here)
}

/// A clone of what is committed. Dropped, it wipes the broker that was started in it.
struct FreshClone {
    dir: tempfile::TempDir,
}

impl FreshClone {
    fn new(target: Option<&Path>) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("logintide-readme-").tempdir()?;
        let clone = Self { dir };
        let mut git = shell::command("git");
        git.args(["clone", "--quiet"]).arg(shell::root()).arg(clone.path());
        shell::run(&mut git)?;
        // Jars that are here already need not be fetched again; all else is the clone's own.
        let jars = clone.path().join(".kafka");
        fs::create_dir_all(&jars).context(".kafka")?;
        for entry in fs::read_dir(shell::root().join(".kafka")).into_iter().flatten() {
            let entry = entry.context(".kafka")?;
            if entry.file_name().to_string_lossy().starts_with("libs-") && entry.path().is_dir() {
                symlink(entry.path(), jars.join(entry.file_name())).context("a link to jars")?;
            }
        }
        if let Some(target) = target {
            fs::create_dir_all(target).with_context(|| format!("--target {}", target.display()))?;
            let target = fs::canonicalize(target).context("--target")?;
            symlink(target, clone.path().join("target")).context("a link to --target")?;
        }
        Ok(clone)
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("logintide")
    }

    /// A command in the clone. A reader has none of the caller's variables: with `KAFKA_BROKERS`,
    /// loadgen would go to another broker than the README's.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        let is_ours = |name: &str| {
            ["CARGO_TARGET_DIR", "KAFKA_BROKERS", "KAFKA_LOCAL_CACHE"].contains(&name)
                || name.starts_with("LOGINTIDE_")
        };
        for name in env::vars_os().map(|(name, _)| name) {
            if is_ours(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command
    }
}

impl Drop for FreshClone {
    fn drop(&mut self) {
        let script = self.path().join("scripts/kafka-local");
        if script.exists() {
            // To its end, also after a signal, in a group that a signal from the keyboard does not
            // reach.
            let wiped =
                self.command(&script.to_string_lossy()).arg("wipe").process_group(0).status();
            if !wiped.is_ok_and(|status| status.success()) {
                eprintln!("the broker of {} may be left", self.path().display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shell_blocks_are_commands() {
        let readme = "# A title\n```sh\none\ntwo \\\n  three\n```\ntext\n```json\n{}\n```\n\n```sh\n\
                      four\n```\n```\nno commands\n```\n";
        assert_eq!(blocks(readme), ["one\ntwo \\\n  three\n", "four\n"]);
    }

    #[test]
    fn an_open_block_is_none() {
        assert_eq!(blocks("```sh\none\n"), Vec::<String>::new());
    }

    #[test]
    fn the_demo_ends_by_itself() {
        let block = "cargo run --release -- demo   # no Kafka\n";
        assert_eq!(runnable(block), "cargo run --release -- demo --duration 5s   # no Kafka\n");
    }

    #[test]
    fn everything_else_runs_as_written() {
        let block = "target/release/logintide run --brokers 127.0.0.1:9092 --exit-at-end\n";
        assert_eq!(runnable(block), block);
        assert_eq!(runnable("scripts/setup   # once\n"), "scripts/setup   # once\n");
    }

    #[test]
    fn the_readme_has_commands() {
        let readme = fs::read_to_string(shell::root().join("README.md")).expect("a README");
        assert!(blocks(&readme).len() >= FEWEST_BLOCKS);
    }
}
