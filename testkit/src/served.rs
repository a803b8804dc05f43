//! A running logintide with its HTTP server.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Process, SOON, Scenario, ports, wait};

/// `logintide run` with a port of its own. Killed when dropped.
pub struct Served {
    process: Process,
    port: u16,
}

impl Deref for Served {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Served {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

impl Scenario {
    /// As `start`, with an HTTP server.
    pub fn serve(&self, flags: &[&str]) -> Served {
        self.serve_on(ports::free_port(), flags)
    }

    /// As `serve`, with the port of an earlier run.
    pub fn serve_on(&self, port: u16, flags: &[&str]) -> Served {
        self.served("group", "state", port, flags, &[])
    }

    /// As `serve`, with variables of the environment.
    pub fn serve_with(&self, flags: &[&str], variables: &[(&str, &str)]) -> Served {
        self.served("group", "state", ports::free_port(), flags, variables)
    }

    /// As `start_group`, with an HTTP server.
    pub fn serve_group(&self, group: &str, state: &str, flags: &[&str]) -> Served {
        self.served(group, state, ports::free_port(), flags, &[])
    }

    fn served(
        &self,
        group: &str,
        state: &str,
        port: u16,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Served {
        let address = format!("127.0.0.1:{port}");
        let mut command = self.command(group, state, &[&["--http", &address], flags].concat());
        command.envs(variables.iter().copied());
        Served { process: self.spawn(command), port }
    }
}

impl Served {
    /// Starts a command that serves this port.
    pub(crate) fn spawn(command: Command, log: PathBuf, port: u16) -> Self {
        Self { process: Process::spawn(command, log), port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// As browsers name it.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Body of an HTTP answer; `None` while it does not listen.
    pub fn get(&self, path: &str) -> Option<String> {
        crate::http::get(self.port, path)
    }

    /// An answer of `/api/v1/`.
    pub fn api(&self, path: &str) -> Value {
        let body = self.get(&format!("/api/v1/{path}"));
        let body = body.unwrap_or_else(|| panic!("no answer to {path}\n{}", self.tail()));
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}\n{body}"))
    }

    /// Value of an unlabelled metric; `None` while there is no such metric or nobody listens.
    pub fn metric(&self, name: &str) -> Option<f64> {
        crate::http::metric(self.port, name)
    }

    /// Waits until a metric fulfils a condition; returns how long that took.
    pub fn wait_for(&self, name: &str, reached: impl Fn(f64) -> bool) -> Duration {
        let (began, last) = (Instant::now(), Cell::new(None));
        let message = || format!("{name} stays at {:?}\n{}", last.get(), self.tail());
        wait::until_within(SOON, message, || {
            last.set(self.metric(name));
            last.get().filter(|value| reached(*value))
        });
        began.elapsed()
    }

    /// Waits until so many epochs are committed.
    pub fn wait_for_epochs(&self, least: f64) {
        self.wait_for("logintide_epochs_committed_total", |n| n >= least);
    }

    /// Waits until so many events are committed.
    pub fn wait_for_events(&self, least: f64) {
        self.wait_for("logintide_events_in_total", |n| n >= least);
    }

    /// Waits until the process has lived so much longer, by the points of its own history: one a
    /// second, however little of the machine it gets.
    pub fn wait_its_own_seconds(&self, seconds: usize) {
        let newest = || {
            let history: Value = serde_json::from_str(&self.get("/api/v1/history")?).ok()?;
            history["points"].as_array()?.last()?["at_ms"].as_i64()
        };
        let (mut last, mut passed) = (newest(), 0);
        self.until(&format!("{seconds} points of its history"), || {
            let now = newest();
            passed += usize::from(now > last);
            last = now;
            (passed >= seconds).then_some(())
        });
    }

    /// SIGTERM, and an orderly end.
    pub fn stop(self) {
        self.process.stop();
    }

    pub fn kill(self) {
        self.process.kill();
    }
}
