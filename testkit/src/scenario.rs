//! Topics, group and state folder of one test, and the two programs on them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

use crate::{Process, SOON, process, programs, text};

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
    /// The folder of both programs.
    programs: PathBuf,
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
        let dir = tempfile::Builder::new().prefix(&format!("logintide-{name}-")).tempdir();
        let dir = dir.expect("a temporary folder");
        Self { prefix, brokers, way, programs: programs::beside_the_test(), dir }
    }

    /// With the programs of another folder than the test's.
    #[must_use]
    pub fn with_programs(self, folder: &Path) -> Self {
        Self { programs: folder.to_owned(), ..self }
    }

    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The processor's way to the brokers.
    pub fn way(&self) -> &str {
        &self.way
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
        let output = process::output(self.loadgen_command(arguments));
        eprintln!("loadgen {}: {}", arguments.join(" "), output.status);
        output
    }

    /// `loadgen` with a subcommand and its flags, not started.
    fn loadgen_command(&self, arguments: &[&str]) -> Command {
        let (subcommand, flags) = arguments.split_first().expect("a subcommand");
        let mut command = programs::command(&self.programs, "loadgen");
        command.args([*subcommand, "--brokers", &self.brokers]).args(flags);
        command
    }

    /// `loadgen produce` to the input topic, which it creates with 8 partitions if the flags do
    /// not say how many; not started.
    pub fn produce_command(&self, flags: &[&str]) -> Command {
        let input = self.topic("input");
        let mut command = self.loadgen_command(&["produce", "--topic", &input]);
        if !flags.contains(&"--create-topic") {
            command.args(["--create-topic", "8"]);
        }
        command.args(flags);
        command
    }

    /// Starts `loadgen produce` in the background.
    pub fn producing(&self, flags: &[&str]) -> Process {
        Process::spawn(self.produce_command(flags), self.dir.path().join("produce.log"))
    }

    /// Sends events to the input topic.
    pub fn produce(&self, flags: &[&str]) {
        let output = process::output(self.produce_command(flags));
        eprintln!("loadgen produce {}: {}", flags.join(" "), output.status);
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

    /// What the judge says and how it ends, whatever it finds.
    pub fn verdict(&self, flags: &[&str]) -> Output {
        let output = process::output(self.verify_command(flags));
        eprintln!("loadgen verify {}: {}", flags.join(" "), output.status);
        output
    }

    /// The judge on the five topics, not started.
    pub fn verify_command(&self, flags: &[&str]) -> Command {
        let mut command = self.loadgen_command(&["verify"]);
        command.args(self.topic_flags()).args(flags);
        command
    }

    /// Fails when an open transaction hides anything of an output or the journal; not started.
    pub fn settled_command(&self) -> Command {
        let mut command = self.loadgen_command(&["settled"]);
        let outputs = ["processed", "aggregated", "dead-letter", "late", "group-journal"];
        for name in outputs {
            command.args(["--topic", &self.topic(name)]);
        }
        command
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

    /// `logintide check-config` with the flags that `start` gives `run`.
    pub fn check_config(&self, flags: &[&str]) -> Output {
        let run = self.command("group", "state", flags);
        // Without `run`, the way to the brokers and the address, which come first.
        let mut command = self.logintide("check-config");
        command.args(run.get_args().skip(3));
        process::output(command)
    }

    /// `logintide redrive` from the dead letters back to the input, not started.
    pub fn redrive_command(&self, flags: &[&str]) -> Command {
        let mut command = self.logintide("redrive");
        command.args(["--group-id", &self.topic("group"), "--input-topic", &self.topic("input")]);
        command.args(["--dead-letter-topic", &self.topic("dead-letter")]).args(flags);
        command
    }

    /// What a redrive that succeeds prints.
    pub fn redrive(&self, flags: &[&str]) -> String {
        let output = process::output(self.redrive_command(flags));
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    /// A subcommand of `logintide` that uses the brokers, not started.
    pub fn logintide(&self, subcommand: &str) -> Command {
        self.logintide_through(&self.way, subcommand)
    }

    fn logintide_through(&self, way: &str, subcommand: &str) -> Command {
        let mut command = programs::command(&self.programs, "logintide");
        command.args([subcommand, "--brokers", way]);
        // A broker that a whole suite keeps busy may answer nobody for longer than the default. A
        // test that is about sessions has a flag, which counts.
        command.env("LOGINTIDE_SESSION_TIMEOUT", "20s");
        command
    }

    /// `logintide run`, not started.
    pub fn command(&self, group: &str, state: &str, flags: &[&str]) -> Command {
        self.command_through(&self.way, group, state, flags)
    }

    /// As `command`, with another way to the brokers.
    pub(crate) fn command_through(
        &self,
        way: &str,
        group: &str,
        state: &str,
        flags: &[&str],
    ) -> Command {
        let mut command = self.logintide_through(way, "run");
        command
            .args(["--group-id", &self.topic(group)])
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
