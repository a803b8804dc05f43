//! Builds the workspace once, and knows the tests in what was built.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::shell;

/// A program of tests.
pub(super) struct TestProgram {
    /// The test target's name, such as `kafka`; of a library, its package's.
    pub(super) name: String,
    path: PathBuf,
    /// The package's folder, which a test runs in.
    folder: PathBuf,
}

impl TestProgram {
    /// The program with these arguments, not started.
    pub(super) fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(&self.folder);
        // As cargo sets it.
        command.env("CARGO_MANIFEST_DIR", &self.folder);
        command
    }

    /// The names of its ignored tests: those that need a broker.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(super) fn ignored(&self) -> anyhow::Result<Vec<String>> {
        let mut command = self.command(["--ignored", "--list", "--format", "terse"]);
        let list = shell::output(&mut command)?;
        Ok(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

/// Reads the programs of tests from what `cargo build --message-format json` printed.
///
/// # Errors
/// A line that says it is an artifact is not one.
pub(super) fn read(messages: &str) -> anyhow::Result<Vec<TestProgram>> {
    let mut programs = Vec::new();
    for line in messages.lines().filter(|line| line.contains(r#""reason":"compiler-artifact""#)) {
        let artifact: Artifact =
            serde_json::from_str(line).context("a line of cargo's messages")?;
        let Some(path) = artifact.executable.filter(|_| artifact.profile.test) else { continue };
        let manifest = Path::new(&artifact.manifest_path);
        let folder = manifest.parent().context("a manifest lies in a folder")?.to_owned();
        programs.push(TestProgram { name: artifact.target.name, path, folder });
    }
    if programs.is_empty() {
        bail!("cargo built no tests");
    }
    Ok(programs)
}

/// Builds all programs, libraries and tests in one go, and returns cargo's messages.
///
/// # Errors
/// It does not build.
pub(super) fn build(features: &[&str], log: &std::fs::File) -> anyhow::Result<String> {
    let mut command = shell::cargo(["build", "--workspace", "--lib", "--bins", "--tests"]);
    command.args(["--locked", "--message-format", "json-render-diagnostics"]).args(features);
    let messages = tempfile::NamedTempFile::new().context("a temporary file")?;
    command.stdout(Stdio::from(messages.reopen().context("a temporary file")?));
    shell::run(command.stderr(log.try_clone().context("a second handle")?))?;
    std::fs::read_to_string(messages.path()).context("cargo's messages")
}

#[derive(Deserialize)]
struct Artifact {
    manifest_path: String,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_tests_are_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"name":"kafka"},"profile":{"test":true},"executable":"/p/target/debug/deps/kafka-1"}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"name":"logintide"},"profile":{"test":false},"executable":"/p/target/debug/logintide"}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"name":"logintide"},"profile":{"test":true},"executable":null}
{"reason":"build-finished","success":true}
"#;
        let programs = read(messages).expect("messages of cargo");
        let found: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(found, ["kafka"]);
        assert_eq!(programs[0].folder, Path::new("/p"));
        assert!(read("").is_err());
    }
}
