//! The commit that `--version` names: the build script, compiled and run by itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The compiled build script, and a folder to run it in.
struct Script {
    dir: tempfile::TempDir,
    program: PathBuf,
}

impl Script {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let program = dir.path().join("build-script");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let mut compiler = Command::new("rustc");
        compiler.args(["--edition", "2024", "-o"]).arg(&program).arg(source);
        assert!(compiler.status().expect("rustc is there").success());
        fs::create_dir(dir.path().join("work")).expect("writable");
        Self { dir, program }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.work()).args(["-c", "user.name=n", "-c", "user.email=e"]);
        let output = git.args(arguments).output().expect("git is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    }

    /// What the script says in a folder, with these variables.
    fn run(&self, folder: &Path, variables: &[(&str, &str)]) -> Vec<String> {
        let mut script = Command::new(&self.program);
        script.current_dir(folder).env("CARGO_MANIFEST_DIR", folder);
        script.env_remove("LOGINTIDE_COMMIT").env_remove("GIT_DIR").env("PROFILE", "release");
        let output = script.envs(variables.iter().copied()).output().expect("it runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    }
}

fn commit(said: &[String]) -> &str {
    let found =
        said.iter().find_map(|line| line.strip_prefix("cargo::rustc-env=LOGINTIDE_COMMIT="));
    found.expect("always said")
}

#[test]
fn a_release_names_its_commit_and_an_archive_none() {
    let script = Script::new();
    let work = script.work();
    assert_eq!(commit(&script.run(&work, &[])), "unknown", "no repository");
    script.git(&["init", "--quiet"]);
    assert_eq!(commit(&script.run(&work, &[])), "unknown", "no commit yet");
    script.git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
    let said = script.run(&work, &[]);
    let head = script.git(&["rev-parse", "HEAD"]);
    assert_eq!(commit(&said), &head[..12]);
    assert!(said.iter().any(|line| line == "cargo::rerun-if-changed=.git/logs/HEAD"), "{said:?}");
    // Watching a file that is not there would run the script at every build.
    for path in said.iter().filter_map(|line| line.strip_prefix("cargo::rerun-if-changed=")) {
        assert!(path == "build.rs" || work.join(path).exists(), "{path}");
    }
    // Unpacked inside of another repository.
    let inside = work.join("inside");
    fs::create_dir(&inside).expect("writable");
    assert_eq!(commit(&script.run(&inside, &[])), "unknown");
    // Without git.
    assert_eq!(commit(&script.run(&work, &[("PATH", "/nonexistent")])), "unknown");
    // A debug build is not made again for every commit.
    let debug = script.run(&work, &[("PROFILE", "debug")]);
    assert_eq!(commit(&debug), "unknown");
    assert!(debug.iter().all(|line| !line.contains("HEAD")), "{debug:?}");
}

#[test]
fn a_commit_can_be_given_where_there_is_no_repository() {
    let script = Script::new();
    let given = script.run(&script.work(), &[("LOGINTIDE_COMMIT", "0123456789ab")]);
    assert_eq!(commit(&given), "0123456789ab");
    let nonsense = script.run(&script.work(), &[("LOGINTIDE_COMMIT", "a\ncargo::x=y")]);
    assert_eq!(commit(&nonsense), "unknown");
}
