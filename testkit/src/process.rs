//! A process that a test or a tool started: its log, its end, its signals.
//!
//! Every wait is bounded, every process is ended by its pid, and a failure shows the end of the
//! log.

use std::{
    fs::{self, File},
    io::{Read, Seek},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use crate::SOON;

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
    let status = loop {
        if let Some(status) = child.0.try_wait().expect("a child can be waited for") {
            break status;
        }
        crate::interrupt::check();
        std::thread::sleep(Duration::from_millis(10));
    };
    Output { status, stdout: written(&mut stdout), stderr: written(&mut stderr) }
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
        self.child.0.try_wait().expect("a child can be waited for")
    }

    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.0.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {within:?}\n{}", self.tail());
            crate::interrupt::check();
            std::thread::sleep(Duration::from_millis(20));
        }
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

    pub fn wait_for_line(&mut self, needle: &str) {
        let deadline = Instant::now() + SOON;
        while !self.log().contains(needle) {
            if let Some(status) = self.child.0.try_wait().expect("a child can be waited for") {
                assert!(
                    self.log().contains(needle),
                    "ended ({status}) without {needle:?}\n{}",
                    self.tail()
                );
                return;
            }
            assert!(Instant::now() < deadline, "no line {needle:?}\n{}", self.tail());
            crate::interrupt::check();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Largest resident memory so far, bytes.
    pub fn peak_memory(&self) -> u64 {
        let kib = crate::usage::peak_kib(self.pid()).expect("a running process has memory");
        kib * 1024
    }
}
