//! A process that a test or a tool started: its log, its end, its signals.
//!
//! Every wait is bounded, every process is ended by its pid, and a failure shows the end of the
//! log.

use std::{
    fs::{self, File},
    io::{Read, Seek},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use crate::{SOON, wait};

/// Everything a finished process wrote.
pub fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Runs the command to its end, without input. A signal to the tool kills it.
pub fn output(mut command: Command) -> Output {
    let file = || tempfile::tempfile().expect("a temporary file");
    let (mut stdout, mut stderr) = (file(), file());
    let handle = |file: &File| file.try_clone().expect("a second handle");
    let child = command.stdin(Stdio::null()).stdout(handle(&stdout)).stderr(handle(&stderr));
    let mut child = KilledWhenDropped(child.spawn().unwrap_or_else(|error| {
        panic!("cannot start {}: {error}", command.get_program().display())
    }));
    let status = wait::until_within(Duration::MAX, String::new, || ended(&mut child.0));
    Output { status, stdout: written(&mut stdout), stderr: written(&mut stderr) }
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().expect("a child can be waited for")
}

/// What others wrote to the file.
fn written(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().expect("a file can be read again");
    file.read_to_end(&mut bytes).expect("a file can be read");
    bytes
}

/// A log's last lines, for messages; of the statistics, one a second, only a few.
pub fn tail(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let statistics = |line: &&str| line.contains(" statistics ");
    let count = log.lines().filter(statistics).count();
    let mut number = 0;
    let shown = |line: &&str| {
        number += usize::from(statistics(line));
        !statistics(line) || number + 5 > count
    };
    let lines: Vec<&str> = log.lines().filter(shown).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

struct KilledWhenDropped(Child);

impl Drop for KilledWhenDropped {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process of this test or tool. Killed when dropped.
pub struct Process {
    child: KilledWhenDropped,
    log: PathBuf,
}

impl Process {
    pub fn spawn(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Self { child: KilledWhenDropped(child), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn log_file(&self) -> &Path {
        &self.log
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The log's last lines, for messages.
    pub fn tail(&self) -> String {
        tail(&self.log)
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        ended(&mut self.child.0)
    }

    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let (child, log) = (&mut self.child.0, &self.log);
        wait::until_within(within, || format!("the end\n{}", tail(log)), || ended(child))
    }

    /// Repeats a step until it gives a value; shows the log's end when it never does.
    pub fn until<T>(&self, what: &str, step: impl FnMut() -> Option<T>) -> T {
        wait::until_within(SOON, || format!("{what}\n{}", self.tail()), step)
    }

    /// Waits for the end and expects this exit code.
    pub fn ends_with(&mut self, code: i32) {
        let status = self.wait(SOON);
        assert_eq!(status.code(), Some(code), "{status}\n{}", self.tail());
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(status.success(), "kill {signal} {pid}");
    }

    /// SIGTERM, and an orderly end.
    pub fn stop(mut self) {
        self.signal("-TERM");
        self.ends_with(0);
    }

    pub fn kill(mut self) {
        self.child.0.kill().expect("a running child can be killed");
        self.child.0.wait().expect("a child can be waited for");
    }

    /// Waits until the log contains this.
    pub fn wait_for_line(&mut self, needle: &str) {
        let (child, log) = (&mut self.child.0, &self.log);
        let message = || format!("no line {needle:?}\n{}", tail(log));
        wait::until_within(SOON, message, || {
            // In this order: a process that has ended writes nothing more.
            let status = ended(child);
            let has_come = fs::read_to_string(log).is_ok_and(|log| log.contains(needle));
            if let Some(status) = status {
                assert!(has_come, "ended ({status}): {}", message());
            }
            has_come.then_some(())
        });
    }

    /// Largest resident memory so far, bytes.
    pub fn peak_memory(&self) -> u64 {
        let kib = crate::usage::peak_kib(self.pid()).expect("a running process has memory");
        kib * 1024
    }
}
