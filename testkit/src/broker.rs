//! A broker or a small cluster on loopback (`scripts/kafka-local`) in a temporary folder, which a
//! test may stop and kill. Wiped when dropped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{ports, text};

/// Lines of a broker's log that a failed test shows.
const LOG_LINES: usize = 30;

/// One broker or a cluster; not running before `start`.
pub struct KafkaLocal {
    port: u16,
    nodes: u16,
    settings: Vec<String>,
    dir: tempfile::TempDir,
}

impl KafkaLocal {
    /// A broker, or so many, on ports of their own.
    pub fn new(nodes: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { port: ports::free_broker_ports(), nodes, settings: Vec::new(), dir }
    }

    /// The first broker's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Another setting of all nodes.
    pub fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
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

    /// The end of what the brokers said was wrong.
    fn print_logs(&self) {
        let folders = (1..=self.nodes).map(|node| match self.nodes {
            1 => self.dir.path().to_owned(),
            _ => self.dir.path().join(format!("node-{node}")),
        });
        for path in folders.map(|folder| folder.join("broker.log")) {
            let log = fs::read_to_string(&path).unwrap_or_default();
            let troubles = |line: &&str| {
                ["WARN", "ERROR", "FATAL", "Exception"].iter().any(|word| line.contains(word))
            };
            let lines: Vec<_> = log.lines().filter(troubles).collect();
            let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
            println!("{}:\n{}", path.display(), tail.join("\n"));
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
            crate::interrupt::check();
            assert!(Instant::now() < deadline, "replicas are behind:\n{behind}");
        }
    }

    /// Any command of the script on this broker.
    pub fn script(&self, command: &str, arguments: &[&str]) -> String {
        let began = Instant::now();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka-local");
        let mut process = Command::new(script);
        process.args([command, "--port", &self.port.to_string(), "--dir"]).arg(self.dir.path());
        let output = process.args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("scripts/kafka-local runs");
        println!("kafka-local {command}: {}, {:?}", output.status, began.elapsed());
        assert!(output.status.success(), "{command}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for KafkaLocal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        self.script("wipe", &[]);
    }
}
