//! Where the programs under test are.

use std::path::PathBuf;

/// A program of the workspace, as built for the test that is running: beside it.
///
/// # Panics
/// When it is not there: testing a package alone does not build the other packages' programs.
pub fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    // target/debug/deps/kafka-0123: the programs are one folder up.
    let folder = test.ancestors().nth(2).expect("a folder above deps");
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: cargo build --workspace", path.display());
    path
}
