//! Runs other programs, one at a time: the way every tool here starts cargo and the scripts.
//!
//! Holds: a program runs in a process group of its own, and a signal to the tool ends that group,
//! because cargo does not pass signals on to the tests it runs.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::atomic::{AtomicI32, Ordering},
    thread,
};

use anyhow::{Context, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// The process group that runs; 0: none.
static GROUP: AtomicI32 = AtomicI32::new(0);

/// The caller has to change or install something: exit code 2.
#[derive(Debug)]
pub(crate) struct Misuse(pub(crate) String);

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project")
}

/// Where cargo builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command that runs in the project's folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// `cargo` with these arguments, in the project's folder.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(arguments);
    command
}

/// Ends what runs when a signal comes. Called once, before anything runs.
pub(crate) fn end_with_signals() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals")?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            testkit::interrupt::request();
            let group = GROUP.load(Ordering::SeqCst);
            if group != 0 {
                end_group(group);
            }
        }
    })?;
    Ok(())
}

/// Runs the command to its end, without input.
///
/// # Errors
/// It cannot be started, or a signal interrupts the tool.
pub(crate) fn status(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let shown = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {shown}"))?;
    GROUP.store(child.id().cast_signed(), Ordering::SeqCst);
    if testkit::interrupt::requested() {
        end_group(child.id().cast_signed());
    }
    let status = child.wait();
    GROUP.store(0, Ordering::SeqCst);
    if testkit::interrupt::requested() {
        bail!("interrupted");
    }
    status.with_context(|| format!("cannot wait for {shown}"))
}

/// Runs the command and expects that it succeeds.
///
/// # Errors
/// As `status`, or its exit code is not 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// What the command prints on stdout; its stderr is shown.
///
/// # Errors
/// As `run`, or it prints no UTF-8.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed ({})", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} printed no UTF-8"))
}

/// Whether a program of this name is on the `PATH`.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn end_group(group: i32) {
    // Fails only when the group has ended already.
    let _ = Command::new("kill").args(["-TERM", "--", &format!("-{group}")]).status();
}
