//! Records which commit a release is built from.
//!
//! In: the git repository whose top folder this is, or `LOGINTIDE_COMMIT` where there is none, as
//! in a container. Out: `LOGINTIDE_COMMIT` for the compiler. Holds: without git, or from an
//! unpacked archive, the build goes on and the commit is unknown. A debug build does not ask git,
//! because then each commit would compile everything again.

use std::{env, path::Path, process::Command};

const VARIABLE: &str = "LOGINTIDE_COMMIT";
const UNKNOWN: &str = "unknown";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let given = env::var(VARIABLE).ok().filter(|commit| is_commit(commit));
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given.or_else(|| is_release.then(commit_of_git).flatten());
    println!("cargo::rustc-env={VARIABLE}={}", commit.as_deref().unwrap_or(UNKNOWN));
}

/// The checked-out commit. The script runs again when another commit is checked out.
fn commit_of_git() -> Option<String> {
    let here = Path::new(&env::var("CARGO_MANIFEST_DIR").ok()?).canonicalize().ok()?;
    // An archive that was unpacked inside another repository is not from that one's commit.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != here {
        return None;
    }
    // HEAD changes with the branch, its log with every commit; not every repository has the log.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if here.join(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).filter(|commit| is_commit(commit))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn is_commit(text: &str) -> bool {
    (7..=40).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit())
}
