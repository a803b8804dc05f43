//! A broker or a small cluster on loopback (`scripts/kafka-local`) in a temporary folder, which a
//! test may stop and kill. Wiped when dropped.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{interrupt, ports, process, text};

/// Lines of a broker's log that a failed test shows.
const LOG_LINES: usize = 30;

/// One broker or a cluster; not running before `start`.
pub struct KafkaLocal {
    port: u16,
    nodes: u16,
    settings: Vec<String>,
    heap: Option<String>,
    is_quiet: bool,
    dir: tempfile::TempDir,
}

impl KafkaLocal {
    /// A broker, or so many, on ports of their own.
    pub fn new(nodes: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = ports::free_broker_ports();
        Self { port, nodes, settings: Vec::new(), heap: None, is_quiet: false, dir }
    }

    /// The first broker's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Another setting of all nodes.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Options of each broker's Java; without them `scripts/kafka-local` chooses.
    pub fn set_heap(&mut self, options: &str) {
        self.heap = Some(options.to_owned());
    }

    /// Does not print which commands it runs.
    pub fn set_quiet(&mut self) {
        self.is_quiet = true;
    }

    pub fn start(&self) {
        let nodes = self.nodes.to_string();
        let mut arguments = vec!["--nodes", &nodes];
        for setting in &self.settings {
            arguments.extend(["--broker-config", setting]);
        }
        self.script("start", &arguments);
    }

    pub fn stop(&self) {
        self.script("stop", &[]);
    }

    pub fn kill(&self) {
        self.script("kill", &[]);
    }

    pub fn start_node(&self, node: u16) {
        self.script("start", &["--node", &node.to_string()]);
    }

    pub fn kill_node(&self, node: u16) {
        self.script("kill", &["--node", &node.to_string()]);
    }

    /// All nodes' addresses.
    pub fn address(&self) -> String {
        let all: Vec<_> =
            (0..self.nodes).map(|node| format!("127.0.0.1:{}", self.port + node)).collect();
        all.join(",")
    }

    /// Where its data lies.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// A file of each node.
    fn files(&self, name: &str) -> Vec<PathBuf> {
        let folders = (1..=self.nodes).map(|node| match self.nodes {
            1 => self.dir.path().to_owned(),
            _ => self.dir.path().join(format!("node-{node}")),
        });
        folders.map(|folder| folder.join(name)).collect()
    }

    /// What each node has written to its log.
    pub fn logs(&self) -> Vec<String> {
        let read = |path: &PathBuf| fs::read_to_string(path).unwrap_or_default();
        self.files("broker.log").iter().map(read).collect()
    }

    /// The processes of the nodes that were started.
    pub fn pids(&self) -> Vec<u32> {
        let files = self.files("broker.pid");
        let pids = files.iter().filter_map(|path| fs::read_to_string(path).ok());
        pids.map(|pid| pid.trim().parse().expect("a process id")).collect()
    }

    /// The end of what the brokers said was wrong.
    fn print_logs(&self) {
        for path in self.files("broker.log") {
            let log = fs::read_to_string(&path).unwrap_or_default();
            let troubles = |line: &&str| {
                ["WARN", "ERROR", "FATAL", "Exception"].iter().any(|word| line.contains(word))
            };
            let lines: Vec<_> = log.lines().filter(troubles).collect();
            let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("{}:\n{}", path.display(), tail.join("\n"));
        }
    }

    /// What Kafka's topic tool says of the topics.
    fn describe(&self, arguments: &[&str]) -> String {
        let address = self.address();
        let class = "org.apache.kafka.tools.TopicCommand";
        let all = [&[class, "--bootstrap-server", &address, "--describe"], arguments].concat();
        self.script("exec", &all)
    }

    /// Number of partitions, internal topics' included, that this node leads.
    pub fn leads(&self, node: u16) -> usize {
        let leader = format!("Leader: {node}\t");
        self.describe(&[]).lines().filter(|line| line.contains(&leader)).count()
    }

    /// Waits until every partition has all its replicas in sync.
    pub fn wait_in_sync(&self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let behind = self.describe(&["--under-replicated-partitions"]);
            if !behind.contains("Partition: ") {
                return;
            }
            interrupt::check();
            assert!(Instant::now() < deadline, "replicas are behind:\n{behind}");
        }
    }

    /// Any command of the script on this broker.
    pub fn script(&self, command: &str, arguments: &[&str]) -> String {
        let began = Instant::now();
        let output = process::output(self.script_command(command, arguments));
        if !self.is_quiet {
            eprintln!("kafka-local {command}: {}, {:?}", output.status, began.elapsed());
        }
        assert!(output.status.success(), "{command}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn script_command(&self, command: &str, arguments: &[&str]) -> Command {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka-local");
        let mut process = Command::new(script);
        process.args([command, "--port", &self.port.to_string(), "--dir"]).arg(self.dir.path());
        process.args(arguments).stdin(Stdio::null());
        if let Some(heap) = &self.heap {
            process.env("KAFKA_HEAP_OPTS", heap);
        }
        process
    }
}

impl Drop for KafkaLocal {
    fn drop(&mut self) {
        if std::thread::panicking() && !interrupt::requested() {
            self.print_logs();
        }
        // To its end, also after a signal, and in a group of its own: a signal from the keyboard
        // does not reach it.
        let output = self.script_command("wipe", &[]).process_group(0).output();
        let output = output.expect("scripts/kafka-local runs");
        if !output.status.success() {
            eprintln!("kafka-local wipe: {}", text(&output));
            assert!(std::thread::panicking(), "a broker may be left");
        }
    }
}
