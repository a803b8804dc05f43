//! Where the programs under test are.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The folder of the workspace's programs as built for the test that is running.
pub fn beside_the_test() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    // target/debug/deps/kafka-0123: the programs are one folder up.
    test.ancestors().nth(2).expect("a folder above deps").to_owned()
}

/// A program in this folder, without input and without the caller's own `LOGINTIDE_…` settings.
///
/// # Panics
/// When it is not there: testing a package alone does not build the other packages' programs.
pub fn command(folder: &Path, name: &str) -> Command {
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: cargo build --workspace", path.display());
    let mut command = Command::new(path);
    command.stdin(Stdio::null());
    let settings = std::env::vars_os().map(|(name, _)| name);
    for setting in settings.filter(|name| name.to_string_lossy().starts_with("LOGINTIDE_")) {
        command.env_remove(setting);
    }
    command
}
