//! Topics, group and state folder of one test, and the two programs on them.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use crate::{Process, SOON, programs, text};

/// Number of the next log file.
static NEXT_LOG: AtomicU32 = AtomicU32::new(0);

/// Not a flag of the program: leaves `--create-topics` out.
pub const WITHOUT_TOPICS: &str = "without --create-topics";

/// Address of the broker under test.
pub fn brokers() -> String {
    std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names the broker; scripts/test sets it")
}

/// Topics, group and state folder of one test.
pub struct Scenario {
    prefix: String,
    /// For `loadgen`.
    brokers: String,
    /// For `logintide`.
    way: String,
    pub dir: tempfile::TempDir,
}

impl Scenario {
    pub fn new(name: &str) -> Self {
        Self::on(name, brokers())
    }

    /// With topics and a group that no other test or earlier run has.
    pub fn on(name: &str, brokers: String) -> Self {
        let way = brokers.clone();
        Self::through(name, brokers, way)
    }

    /// As `on`, with another way to the brokers for the processor.
    pub fn through(name: &str, brokers: String, way: String) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{name}-{}-{number}", std::process::id());
        Self { prefix, brokers, way, dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    pub fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The five topics' flags, as both programs name them.
    fn topic_flags(&self) -> Vec<String> {
        ["input", "processed", "aggregated", "dead-letter", "late"]
            .iter()
            .flat_map(|name| [format!("--{name}-topic"), self.topic(name)])
            .collect()
    }

    pub fn loadgen(&self, arguments: &[&str]) -> Output {
        let (command, rest) = arguments.split_first().expect("a subcommand");
        let output = Command::new(programs::path("loadgen"))
            .args([*command, "--brokers", &self.brokers])
            .args(rest)
            .stdin(Stdio::null())
            .output()
            .expect("loadgen runs");
        println!("loadgen {}: {}", arguments.join(" "), output.status);
        output
    }

    /// Starts `loadgen produce` in the background, creating the topic with 8 partitions.
    pub fn producing(&self, flags: &[&str]) -> Process {
        let input = self.topic("input");
        let mut command = Command::new(programs::path("loadgen"));
        command.args(["produce", "--brokers", &self.brokers, "--topic", &input]);
        command.args(["--create-topic", "8"]).args(flags);
        Process::spawn(command, self.dir.path().join("produce.log"))
    }

    /// Sends events to the input topic, creating it with 8 partitions.
    pub fn produce(&self, flags: &[&str]) {
        let input = self.topic("input");
        let arguments: Vec<&str> = ["produce", "--topic", &input, "--create-topic", "8"]
            .iter()
            .chain(flags)
            .copied()
            .collect();
        let output = self.loadgen(&arguments);
        assert!(output.status.success(), "{}", text(&output));
    }

    /// The judge's report when it finds nothing wrong; panics with it otherwise.
    pub fn verify(&self, flags: &[&str]) -> String {
        let output = self.verdict(flags);
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    /// The judge's report as JSON, whatever it says.
    pub fn json_report(&self, flags: &[&str]) -> serde_json::Value {
        let output = self.verdict(&[flags, &["--json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no JSON report: {error}\n{}", text(&output)))
    }

    pub fn verdict(&self, flags: &[&str]) -> Output {
        let topics = self.topic_flags();
        let arguments: Vec<&str> = ["verify"]
            .into_iter()
            .chain(topics.iter().map(String::as_str))
            .chain(flags.iter().copied())
            .collect();
        self.loadgen(&arguments)
    }

    /// Waits until the judge, with these flags, finds nothing missing or wrong.
    pub fn wait_until_verified(&self, process: &Process, flags: &[&str]) {
        let deadline = Instant::now() + SOON;
        loop {
            let output = self.verdict(flags);
            if output.status.success() {
                return;
            }
            crate::interrupt::check();
            assert!(Instant::now() < deadline, "{}\n{}", text(&output), process.tail());
        }
    }

    /// `logintide run` with these flags on top of the scenario's.
    pub fn start(&self, flags: &[&str]) -> Process {
        self.start_group("group", "state", flags)
    }

    /// As `start`, with a group and a state folder of their own.
    pub fn start_group(&self, group: &str, state: &str, flags: &[&str]) -> Process {
        self.spawn(self.command(group, state, flags))
    }

    /// Starts a `command` with a log of its own.
    pub fn spawn(&self, command: Command) -> Process {
        let number = NEXT_LOG.fetch_add(1, Ordering::Relaxed);
        Process::spawn(command, self.dir.path().join(format!("run-{number}.log")))
    }

    /// `logintide run`, not started.
    pub fn command(&self, group: &str, state: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(programs::path("logintide"));
        command
            .arg("run")
            .args(["--brokers", &self.way, "--group-id", &self.topic(group)])
            .args(self.topic_flags())
            .arg("--state-dir")
            .arg(self.dir.path().join(state))
            .args(["--stats-interval", "1s"]);
        if !flags.contains(&WITHOUT_TOPICS) {
            command.arg("--create-topics");
        }
        if !flags.contains(&"--http") {
            command.args(["--http", "off"]);
        }
        command.args(flags.iter().filter(|flag| **flag != WITHOUT_TOPICS));
        command
    }
}
