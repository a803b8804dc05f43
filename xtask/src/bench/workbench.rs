//! Where a section measures: the programs, a broker, its topics.
//!
//! Holds: one broker or cluster at a time, which ends with the workbench; outputs are there before
//! a measurement and gone after it; nobody's settings but the ones given here.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use testkit::{KafkaLocal, Process};

use super::{host::Host, measure::Job};
use crate::shell::{self, Misuse};

/// As in production. In the small heap that kafka-local gives a broker its garbage collector stops
/// it so often that a hundredth of the events waits for it.
const BROKER_HEAP: &str = "-Xms4g -Xmx4g";

/// The longest that filling a topic or one measured run may take.
pub(crate) const LONGEST: Duration = Duration::from_mins(20);

/// How long the broker may take to delete what the dropped topics had.
const LONGEST_DELETION: Duration = Duration::from_secs(30);

/// The outputs of logintide.
pub(crate) const OUTPUTS: [&str; 4] = ["out-processed", "out-aggregated", "out-dlq", "out-late"];

/// The logintide of another build.
pub(crate) const BEFORE: &str = "logintide-before";

/// How much is measured.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) events: u64,
    pub(crate) rounds: u32,
    /// How often a measurement that the host disturbed is made again.
    pub(crate) repeats: u32,
    pub(crate) latency_s: u64,
    /// The first seconds that do not count.
    pub(crate) latency_skip_s: u64,
    pub(crate) backlog: u64,
    pub(crate) is_quick: bool,
}

/// Copies of the programs: a build meanwhile does not change what is measured.
pub(crate) struct Programs {
    folder: tempfile::TempDir,
}

impl Programs {
    pub(crate) fn build(is_released: bool, before: Option<&Path>) -> anyhow::Result<Self> {
        let target = shell::target_dir();
        let (dist, released) = (target.join("dist"), target.join("released"));
        if is_released && !released.join("logintide").is_file() {
            return Err(Misuse("first: scripts/build-release".to_owned()).into());
        }
        let mut cargo = shell::cargo(["build", "--profile", "dist", "--workspace", "--locked"]);
        cargo.args(["--bin", "loadgen", "--bin", "loadgen-mimalloc", "--example", "upper_bound"]);
        cargo.args(["--features", "loadgen/mimalloc"]);
        if !is_released {
            cargo.args(["--bin", "logintide"]);
        }
        shell::run(&mut cargo)?;
        let folder = tempfile::Builder::new().prefix("logintide-bench.").tempdir()?;
        let logintide = if is_released { released } else { dist.clone() }.join("logintide");
        let others = ["loadgen", "loadgen-mimalloc", "examples/upper_bound"];
        for path in others.iter().map(|name| dist.join(name)).chain([logintide]) {
            let name = path.file_name().expect("a program has a name");
            fs::copy(&path, folder.path().join(name))
                .with_context(|| path.display().to_string())?;
        }
        if let Some(path) = before {
            fs::copy(path, folder.path().join(BEFORE))
                .with_context(|| path.display().to_string())?;
        }
        Ok(Self { folder })
    }

    /// Is there a logintide of another build to compare with?
    pub(crate) fn has_before(&self) -> bool {
        self.path(BEFORE).is_file()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(crate) struct Workbench {
    plan: Plan,
    programs: Programs,
    scratch: tempfile::TempDir,
    broker: Option<KafkaLocal>,
    /// How many partitions each filled topic has.
    partitions: HashMap<String, u16>,
    host: Host,
    /// Numbers the measurements, for the names of groups, state folders and logs.
    attempt: u32,
    logs: std::cell::Cell<u32>,
}

impl Workbench {
    pub(crate) fn new(plan: Plan, programs: Programs) -> anyhow::Result<Self> {
        Ok(Self {
            plan,
            programs,
            scratch: tempfile::Builder::new().prefix("logintide-bench.").tempdir()?,
            broker: None,
            partitions: HashMap::new(),
            host: Host::default(),
            attempt: 0,
            logs: std::cell::Cell::new(0),
        })
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// How often the host disturbed a measurement since the last call.
    pub(crate) fn take_host(&mut self) -> Host {
        std::mem::take(&mut self.host)
    }

    // ---- the broker ----------------------------------------------------------------------------

    /// Starts so many brokers; those that ran end. One alone has a heap as in production and writes
    /// its pauses to its log.
    pub(crate) fn start_broker(&mut self, nodes: u16) {
        self.start_broker_with(nodes, &[]);
    }

    /// As `start_broker`, with settings of the brokers.
    pub(crate) fn start_broker_with(&mut self, nodes: u16, settings: &[&str]) {
        self.stop_broker();
        let mut broker = KafkaLocal::new(nodes);
        broker.set_quiet();
        for setting in settings {
            broker.set(setting);
        }
        // What a run wrote goes when its topics go, not in the midst of another one a minute later.
        broker.set("log.segment.delete.delay.ms=1000");
        if nodes == 1 {
            broker.set_heap(&format!("{} -Xlog:gc:stdout:uptime", broker_heap()));
        }
        broker.start();
        self.broker = Some(broker);
    }

    /// Lets the broker work: one that has just started is slower.
    ///
    /// # Errors
    /// The run fails.
    pub(crate) fn warm(&mut self, events: u64) -> anyhow::Result<()> {
        self.fill("warm", 8, events, &[]);
        Job::new(events).input("warm").run(self, 0)?;
        Ok(())
    }

    pub(crate) fn stop_broker(&mut self) {
        self.broker = None;
        self.partitions.clear();
    }

    pub(crate) fn broker(&self) -> &KafkaLocal {
        self.broker.as_ref().expect("a section starts its broker first")
    }

    /// Fills a topic with events of seven fields, about 215 bytes each; the flags are those of
    /// loadgen produce.
    pub(crate) fn fill(&mut self, topic: &str, partitions: u16, events: u64, flags: &[&str]) {
        self.partitions.insert(topic.to_owned(), partitions);
        let mut produce = self.loadgen("produce");
        produce.args(["--topic", topic, "--create-topic", &partitions.to_string()]);
        produce.args(["--count", &events.to_string(), "--seed", "1", "--bare"]).args(flags);
        self.complete(produce);
    }

    /// Creates empty topics with as many partitions as a filled one: a processor finds its outputs
    /// there, and their creation is no part of its run. One replica each, so that several brokers
    /// do not copy from each other as well.
    pub(crate) fn create_like(&mut self, filled: &str, topics: &[&str]) {
        let partitions = self.partitions[filled];
        for topic in topics {
            self.fill(topic, partitions, 0, &["--replication", "1"]);
        }
    }

    /// Deletes the topics that match, all in one go, and waits until their files are gone.
    pub(crate) fn drop_topics(&self, pattern: &str) {
        let broker = self.broker();
        let class = "org.apache.kafka.tools.TopicCommand";
        let address = broker.address();
        let arguments = [class, "--bootstrap-server", &address, "--delete", "--if-exists"];
        broker.script("exec", &[&arguments[..], &["--topic", pattern]].concat());
        let deadline = Instant::now() + LONGEST_DELETION;
        while has_deleted(broker.folder()) {
            assert!(Instant::now() < deadline, "the broker does not delete the topics {pattern}");
            pause(Duration::from_millis(200));
        }
    }

    // ---- programs ------------------------------------------------------------------------------

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.path(program));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("LOGINTIDE_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// A subcommand of loadgen.
    pub(crate) fn loadgen(&self, subcommand: &str) -> Command {
        self.tool("loadgen", &[subcommand])
    }

    /// Another program on the broker.
    pub(crate) fn tool(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(program);
        command.args(arguments).args(["--brokers", &self.broker().address()]);
        command
    }

    /// `logintide run` from this topic, in a group and with a state folder of this name.
    pub(crate) fn logintide(&self, group: &str, input: &str, flags: &[&str]) -> Command {
        self.run_of("logintide", group, input, flags)
    }

    /// The same of one of the two builds.
    pub(crate) fn run_of(
        &self,
        program: &str,
        group: &str,
        input: &str,
        flags: &[&str],
    ) -> Command {
        self.instance_of(program, (group, "one"), input, flags)
    }

    /// The same as one of several instances of a group.
    pub(crate) fn instance_of(
        &self,
        program: &str,
        (group, instance): (&str, &str),
        input: &str,
        flags: &[&str],
    ) -> Command {
        let mut command = self.tool(program, &["run"]);
        command.args(["--group-id", group, "--input-topic", input, "--http", "off"]);
        // The group's journal: all other topics are there.
        command.arg("--create-topics");
        for (flag, topic) in ["processed", "aggregated", "dead-letter", "late"].iter().zip(OUTPUTS)
        {
            command.args([&format!("--{flag}-topic"), topic]);
        }
        command.args(["--instance-id", instance]).arg("--state-dir");
        command.arg(self.state_dir(group, instance)).args(flags);
        command
    }

    fn state_dir(&self, group: &str, instance: &str) -> PathBuf {
        self.scratch.path().join("state").join(group).join(instance)
    }

    /// Removes the state folder of a group's only instance.
    pub(crate) fn lose_state(&self, group: &str) {
        let folder = self.state_dir(group, "one");
        fs::remove_dir_all(folder).expect("the group had a folder");
    }

    /// From now on this compacted topic is not cleaned: its segments stay open.
    pub(crate) fn keep_uncleaned(&self, topic: &str) {
        let address = self.broker().address();
        let arguments = ["kafka.admin.ConfigCommand", "--bootstrap-server", &address, "--alter"];
        let settings =
            "segment.ms=604800000,segment.bytes=1073741824,max.compaction.lag.ms=604800000";
        let change = ["--topic", topic, "--add-config", settings];
        self.broker().script("exec", &[&arguments[..], &change].concat());
    }

    /// Starts a command with a log of its own.
    pub(crate) fn spawn(&self, command: Command) -> Process {
        let number = self.logs.replace(self.logs.get() + 1);
        Process::spawn(command, self.scratch.path().join(format!("{number}.log")))
    }

    /// Runs a command to its end and expects that it succeeds; returns its log.
    pub(crate) fn complete(&self, command: Command) -> String {
        let shown = shell::shown(&command);
        let mut process = self.spawn(command);
        let status = process.wait(LONGEST);
        assert!(status.success(), "{shown} failed ({status})\n{}", process.tail());
        process.log()
    }

    // ---- one measurement -----------------------------------------------------------------------

    /// Measures, and again where the host disturbed it; once in the round 0, which only warms up.
    pub(crate) fn measured<T>(
        &mut self,
        round: u32,
        mut measure: impl FnMut(&mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut attempt = || {
            self.attempt += 1;
            measure(self)
        };
        if round == 0 {
            return attempt();
        }
        // Apart while the measurement has the workbench.
        let mut host = Host::default();
        std::mem::swap(&mut host, &mut self.host);
        let repeats = self.plan.repeats;
        let result = host.calm(repeats, || {
            self.attempt += 1;
            measure(self)
        });
        self.host = host;
        result
    }

    /// A name that no other measurement has.
    pub(crate) fn unique(&self, name: &str) -> String {
        format!("{name}-{}", self.attempt)
    }
}

/// The options of a single broker's Java.
pub(crate) fn broker_heap() -> String {
    std::env::var("KAFKA_HEAP_OPTS").unwrap_or_else(|_| BROKER_HEAP.to_owned())
}

/// Waits; fails when a signal asks to stop.
pub(crate) fn pause(duration: Duration) {
    testkit::interrupt::check();
    thread::sleep(duration);
}

/// Whether the broker still has folders of topics that are deleted.
fn has_deleted(folder: &Path) -> bool {
    // A folder may go while it is read.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).any(|path| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.ends_with("-delete") || has_deleted(&path)
    })
}
