//! An instance of a group: its folder, id and port stay its own over all its runs.

use std::{fs, path::PathBuf, process::ExitStatus};

use crate::{SOON, Scenario, Served, ports};

/// An instance of the scenario's group. It is killed when dropped.
pub struct Instance {
    name: String,
    port: u16,
    /// Its way to the brokers, if it has one of its own.
    way: Option<String>,
    runs: usize,
    served: Option<Served>,
}

impl Instance {
    /// An instance with this id, not started.
    pub fn new(name: &str) -> Self {
        let port = ports::free_port();
        Self { name: name.to_owned(), port, way: None, runs: 0, served: None }
    }

    /// Gives it another way to the brokers than the scenario's.
    pub fn set_way(&mut self, brokers: &str) {
        self.way = Some(brokers.to_owned());
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts it; each run has a log of its own.
    ///
    /// # Panics
    /// When it runs.
    pub fn start(&mut self, scenario: &Scenario, flags: &[&str]) {
        self.start_with(scenario, flags, &[]);
    }

    /// As `start`, with variables of the environment.
    ///
    /// # Panics
    /// When it runs.
    pub fn start_with(&mut self, scenario: &Scenario, flags: &[&str], variables: &[(&str, &str)]) {
        assert!(self.served.is_none(), "instance {} runs already", self.name);
        self.runs += 1;
        let address = format!("127.0.0.1:{}", self.port);
        let own = ["--instance-id", &self.name, "--http", &address];
        let way = self.way.as_deref().unwrap_or(scenario.way());
        let flags = [&own[..], flags].concat();
        let mut command = scenario.command_through(way, "group", &self.name, &flags);
        command.envs(variables.iter().copied());
        let log = self.log_file(scenario).expect("it has had a run");
        self.served = Some(Served::spawn(command, log, self.port));
    }

    pub fn is_running(&self) -> bool {
        self.served.is_some()
    }

    /// The log of the run that goes on, else of the last one.
    pub fn log_file(&self, scenario: &Scenario) -> Option<PathBuf> {
        let name = format!("{}-{:03}.log", self.name, self.runs);
        (self.runs > 0).then(|| scenario.dir.path().join(name))
    }

    /// The run that goes on.
    ///
    /// # Panics
    /// When it does not run.
    pub fn served(&self) -> &Served {
        self.served.as_ref().unwrap_or_else(|| panic!("instance {} does not run", self.name))
    }

    /// As `served`.
    pub fn served_mut(&mut self) -> &mut Served {
        self.served.as_mut().unwrap_or_else(|| panic!("instance {} does not run", self.name))
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.take().kill();
    }

    /// SIGTERM, and an orderly end.
    pub fn stop(&mut self) {
        self.take().stop();
    }

    /// Waits until it ends by itself, with this exit code.
    pub fn ends_with(&mut self, code: i32) {
        self.take().ends_with(code);
    }

    /// SIGTERM; returns how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut served = self.take();
        served.signal("-TERM");
        served.wait(SOON)
    }

    /// SIGSTOP: it does nothing until `resume`.
    pub fn pause(&self) {
        self.served().signal("-STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.served().signal("-CONT");
    }

    /// Waits until it has so many partitions.
    pub fn wait_for_partitions(&self, count: u32) {
        self.served().wait_for("logintide_assigned_partitions", |n| n as u32 == count);
    }

    /// Removes its folder.
    ///
    /// # Panics
    /// When it runs.
    pub fn lose_state(&self, scenario: &Scenario) {
        assert!(self.served.is_none(), "instance {} has its folder open", self.name);
        let folder = self.state_dir(scenario);
        if folder.exists() {
            fs::remove_dir_all(folder).expect("a state folder can be removed");
        }
    }

    pub fn state_dir(&self, scenario: &Scenario) -> PathBuf {
        scenario.dir.path().join(&self.name)
    }

    fn take(&mut self) -> Served {
        self.served.take().unwrap_or_else(|| panic!("instance {} does not run", self.name))
    }
}
