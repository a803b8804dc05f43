//! Runs other programs: the way every tool here starts cargo and the scripts.
//!
//! Holds: a program runs in a process group of its own, and a signal to the tool ends that group,
//! because cargo does not pass signals on to the tests it runs.

use std::{
    collections::BTreeSet,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// After a signal, what runs has this long to end by itself: a broker is wiped in it.
const TIME_TO_END: Duration = Duration::from_mins(1);

/// The process groups that run.
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

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
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
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
        for signal in signals.forever() {
            testkit::interrupt::request(signal);
            end_all();
        }
    })?;
    Ok(())
}

/// A program that runs, in a process group of its own. Dropping it ends the group.
pub(crate) struct Group {
    child: Child,
    shown: String,
    /// A signal has come, and it was asked to end.
    is_ending: bool,
}

impl Group {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started, or a signal interrupts the tool.
    pub(crate) fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let shown = shown(command);
        // Held while it starts: a signal finds every group that there is.
        let mut groups = groups();
        if testkit::interrupt::requested() {
            bail!("interrupted");
        }
        let child = command.process_group(0).spawn();
        let child = child.with_context(|| format!("cannot start {shown}"))?;
        groups.insert(child.id());
        Ok(Self { child, shown, is_ending: false })
    }

    /// Waits for its end; after `longest` it is killed.
    ///
    /// # Errors
    /// A signal interrupts the tool; the program has got its chance to end by itself then.
    pub(crate) fn wait_for(&mut self, mut longest: Duration) -> anyhow::Result<ExitStatus> {
        let began = Instant::now();
        let shown = &self.shown;
        loop {
            let ended =
                self.child.try_wait().with_context(|| format!("cannot wait for {shown}"))?;
            let interrupted = testkit::interrupt::requested();
            if let Some(status) = ended {
                if interrupted {
                    bail!("interrupted");
                }
                return Ok(status);
            }
            if interrupted && !self.is_ending {
                self.is_ending = true;
                longest = began.elapsed() + TIME_TO_END;
            }
            if began.elapsed() > longest {
                signal_group("-KILL", self.child.id());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What a test left behind is ended too.
        signal_group("-KILL", self.child.id());
        // Fails only when it has ended and was waited for.
        let _ = self.child.wait();
        groups().remove(&self.child.id());
    }
}

/// Ends everything that runs.
fn end_all() {
    for group in groups().iter() {
        signal_group("-TERM", *group);
    }
}

fn groups() -> MutexGuard<'static, BTreeSet<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the command to its end, without input.
///
/// # Errors
/// It cannot be started, or a signal interrupts the tool.
pub(crate) fn status(command: &mut Command) -> anyhow::Result<ExitStatus> {
    Group::spawn(command.stdin(Stdio::null()))?.wait_for(Duration::MAX)
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

fn signal_group(signal: &str, group: u32) {
    // Fails only when the group has ended already.
    let mut kill = Command::new("kill");
    let _ = kill.args([signal, "--", &format!("-{group}")]).stderr(Stdio::null()).status();
}
