//! Steps of a check, in lanes that run side by side, and the summary of them.
//!
//! Holds: what a step prints comes out in one piece when it ends; a failed step ends its lane, and
//! the others go on, so that one run shows all that is wrong.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use anyhow::Context;

use crate::shell;

/// Steps that ran, and what was left out.
pub(super) struct Steps {
    began: Instant,
    rows: Mutex<Vec<String>>,
    failed: AtomicBool,
    /// Where the output of the steps is kept until they end.
    folder: PathBuf,
    next: AtomicUsize,
}

impl Steps {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            began: Instant::now(),
            rows: Mutex::default(),
            failed: AtomicBool::new(false),
            folder: folder.to_owned(),
            next: AtomicUsize::new(0),
        }
    }

    /// Runs one program as a step; returns what it printed.
    ///
    /// # Errors
    /// It cannot be started, or fails.
    pub(super) fn run(&self, name: &str, command: &mut Command) -> anyhow::Result<String> {
        println!("==== {name}: {}", shell::shown(command));
        self.step(name, |log| {
            let errors = log.try_clone().context("a second handle")?;
            shell::run(command.stdout(log.try_clone().context("a second handle")?).stderr(errors))
        })
    }

    /// Runs one program whose failure does not fail the check; returns whether it failed.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn run_optional(&self, name: &str, command: &mut Command) -> anyhow::Result<bool> {
        println!("==== {name}: {}", shell::shown(command));
        let mut failed = false;
        self.step(name, |log| {
            let errors = log.try_clone().context("a second handle")?;
            let output = log.try_clone().context("a second handle")?;
            failed = !shell::status(command.stdout(output).stderr(errors))?.success();
            Ok(())
        })?;
        Ok(failed)
    }

    /// Runs a step that writes to the log that it is given.
    ///
    /// # Errors
    /// As `run`.
    pub(super) fn step(
        &self,
        name: &str,
        body: impl FnOnce(&mut File) -> anyhow::Result<()>,
    ) -> anyhow::Result<String> {
        let began = Instant::now();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("step-{number}.log"));
        let mut log = File::create(&path).with_context(|| format!("{}", path.display()))?;
        let result = body(&mut log);
        let took = began.elapsed().as_secs();
        // One lock for both: what two lanes print does not mix.
        let mut rows = self.rows();
        let text = fs::read(&path).unwrap_or_default();
        println!("\n---- {name}, {took} s");
        let text = String::from_utf8_lossy(&text).into_owned();
        std::io::stdout().write_all(text.as_bytes()).context("stdout")?;
        match &result {
            Ok(()) => rows.push(format!("{name:<26} ok, {took} s")),
            Err(error) => {
                self.failed.store(true, Ordering::SeqCst);
                rows.push(format!("{name:<26} FAILED after {took} s: {error:#}"));
            }
        }
        result.map(|()| text)
    }

    /// Says that a step, or a part of one, does not run.
    pub(super) fn left_out(&self, name: &str, reason: &str) {
        self.rows().push(format!("{name:<26} left out: {reason}"));
    }

    /// Says more about the last row.
    pub(super) fn remark(&self, text: &str) {
        self.rows().push(format!("  {text}"));
    }

    pub(super) fn print_summary(&self) {
        let rows = self.rows();
        if rows.is_empty() {
            return;
        }
        println!("\n==== summary\n{}", rows.join("\n"));
        if testkit::interrupt::requested() {
            println!("INTERRUPTED after {} s", self.began.elapsed().as_secs());
        } else if !self.failed.load(Ordering::SeqCst) {
            println!("all passed in {} s", self.began.elapsed().as_secs());
        }
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
