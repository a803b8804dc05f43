//! Brokers that a test may stop and kill: `scripts/kafka-local` in a temporary folder. Wiped when
//! dropped.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use crate::{proxy::Proxy, support::text};

/// Own ports lie between these: below the range that outgoing connections take theirs from, or a
/// stopped broker might not get its port back.
const FIRST_PORT: u16 = 21_000;
const PORTS: u16 = 9_000;
/// Ports that one test's brokers may use.
const PORTS_STEP: u16 = 10;
/// Lines of a broker's log that a failed test shows.
const BROKER_LOG_LINES: usize = 30;
/// The controllers' ports, behind the brokers'.
const TO_CONTROLLER: u16 = 10_000;

/// One broker or a cluster.
pub(crate) struct OwnBroker {
    port: u16,
    nodes: u16,
    settings: Vec<String>,
    dir: tempfile::TempDir,
}

impl OwnBroker {
    pub(crate) fn new() -> Self {
        Self::cluster(1)
    }

    pub(crate) fn cluster(nodes: u16) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { port: free_ports(), nodes, settings: Vec::new(), dir }
    }

    /// A broker that tells its clients the proxy's address only; `direct` is another way in.
    pub(crate) fn behind_a_proxy() -> (Self, Proxy) {
        let mut broker = Self::new();
        let (port, direct) = (broker.port, broker.port + 1);
        let proxy = Proxy::new(port);
        let outside = proxy.port();
        let controller = broker.port + TO_CONTROLLER;
        broker.settings = vec![
            format!(
                "listeners=PLAINTEXT://127.0.0.1:{port},DIRECT://127.0.0.1:{direct},\
                 CONTROLLER://127.0.0.1:{controller}"
            ),
            format!(
                "advertised.listeners=PLAINTEXT://127.0.0.1:{outside},DIRECT://127.0.0.1:{direct}"
            ),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DIRECT:PLAINTEXT,\
             CONTROLLER:PLAINTEXT"
                .to_owned(),
            "inter.broker.listener.name=DIRECT".to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        ];
        (broker, proxy)
    }

    /// A broker with a listener for each address, in this order, that tells its clients this address;
    /// `direct` is another way in.
    pub(crate) fn advertising(addresses: &[&str]) -> Self {
        let mut broker = Self::new();
        let controller = broker.port + TO_CONTROLLER;
        let mut listeners = vec![format!("PLAINTEXT://127.0.0.1:{}", broker.port)];
        let mut advertised = listeners.clone();
        let mut protocols = vec!["PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()];
        for (number, address) in (1..).zip(addresses) {
            listeners.push(format!("WAY{number}://127.0.0.1:{}", broker.port + number));
            advertised.push(format!("WAY{number}://{address}"));
            protocols.push(format!("WAY{number}:PLAINTEXT"));
        }
        listeners.push(format!("CONTROLLER://127.0.0.1:{controller}"));
        broker.settings = vec![
            format!("listeners={}", listeners.join(",")),
            format!("advertised.listeners={}", advertised.join(",")),
            format!("listener.security.protocol.map={}", protocols.join(",")),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        ];
        broker
    }

    /// The way in that advertises the address with this number, the first being 1.
    pub(crate) fn way(&self, number: u16) -> String {
        format!("127.0.0.1:{}", self.port + number)
    }

    /// A broker with access rights: anonymous (all rights) on its first port, SASL over TLS and
    /// mutual TLS on the next two. `key` has the broker's key and certificate, `ca` whom it trusts.
    pub(crate) fn secured(key: &str, ca: &str, plain: (&str, &str)) -> Self {
        const MODULES: &str = "org.apache.kafka.common.security";
        let mut broker = Self::new();
        let (port, sasl, mutual) = (broker.port, broker.port + 1, broker.port + 2);
        let controller = port + TO_CONTROLLER;
        let (user, password) = plain;
        let all = "127.0.0.1";
        broker.settings = vec![
            format!(
                "listeners=PLAINTEXT://{all}:{port},SASLTLS://{all}:{sasl},MUTUAL://{all}:{mutual},\
                 CONTROLLER://{all}:{controller}"
            ),
            format!(
                "advertised.listeners=PLAINTEXT://{all}:{port},SASLTLS://{all}:{sasl},\
                 MUTUAL://{all}:{mutual}"
            ),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASLTLS:SASL_SSL,MUTUAL:SSL,\
             CONTROLLER:PLAINTEXT"
                .to_owned(),
            format!("controller.quorum.voters=1@{all}:{controller}"),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                .to_owned(),
            "super.users=User:ANONYMOUS".to_owned(),
            "listener.name.sasltls.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
                .to_owned(),
            format!(
                "listener.name.sasltls.plain.sasl.jaas.config=\
                 {MODULES}.plain.PlainLoginModule required user_{user}=\"{password}\";"
            ),
            format!("listener.name.mutual.ssl.truststore.location={ca}"),
            "listener.name.mutual.ssl.truststore.type=PEM".to_owned(),
            "listener.name.mutual.ssl.client.auth=required".to_owned(),
        ];
        for listener in ["sasltls", "mutual"] {
            broker.set(&format!("listener.name.{listener}.ssl.keystore.type=PEM"));
            broker.set(&format!("listener.name.{listener}.ssl.keystore.location={key}"));
        }
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            broker.set(&format!(
                "listener.name.sasltls.{mechanism}.sasl.jaas.config=\
                 {MODULES}.scram.ScramLoginModule required;"
            ));
        }
        broker
    }

    /// The way of a `secured` broker's SASL users.
    pub(crate) fn sasl_tls(&self) -> String {
        format!("127.0.0.1:{}", self.port + 1)
    }

    /// The way of clients that show a certificate.
    pub(crate) fn mutual_tls(&self) -> String {
        format!("127.0.0.1:{}", self.port + 2)
    }

    /// A broker whose port for `direct` wants the user `logintide` with this password.
    pub(crate) fn with_password(password: &str) -> Self {
        let mut broker = Self::new();
        let (port, direct) = (broker.port, broker.port + 1);
        let controller = broker.port + TO_CONTROLLER;
        let login = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let addresses = format!("PLAINTEXT://127.0.0.1:{port},DIRECT://127.0.0.1:{direct}");
        broker.settings = vec![
            format!("listeners={addresses},CONTROLLER://127.0.0.1:{controller}"),
            format!("advertised.listeners={addresses}"),
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,DIRECT:SASL_PLAINTEXT,\
             CONTROLLER:PLAINTEXT"
                .to_owned(),
            format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
            "sasl.enabled.mechanisms=PLAIN".to_owned(),
            format!(
                "listener.name.direct.plain.sasl.jaas.config={login} required \
                 user_logintide=\"{password}\";"
            ),
        ];
        broker
    }

    /// Another setting of all nodes.
    pub(crate) fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    pub(crate) fn start(&self) {
        let nodes = self.nodes.to_string();
        let mut arguments = vec!["--nodes", &nodes];
        for setting in &self.settings {
            arguments.extend(["--broker-config", setting]);
        }
        self.script("start", &arguments);
    }

    pub(crate) fn stop(&self) {
        self.script("stop", &[]);
    }

    pub(crate) fn kill(&self) {
        self.script("kill", &[]);
    }

    pub(crate) fn start_node(&self, node: u16) {
        self.script("start", &["--node", &node.to_string()]);
    }

    pub(crate) fn kill_node(&self, node: u16) {
        self.script("kill", &["--node", &node.to_string()]);
    }

    /// All nodes' addresses.
    pub(crate) fn address(&self) -> String {
        let all: Vec<_> =
            (0..self.nodes).map(|node| format!("127.0.0.1:{}", self.port + node)).collect();
        all.join(",")
    }

    /// Where its data lies.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The way around the proxy.
    pub(crate) fn direct(&self) -> String {
        format!("127.0.0.1:{}", self.port + 1)
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
            let tail = &lines[lines.len().saturating_sub(BROKER_LOG_LINES)..];
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
    pub(crate) fn leads(&self, node: u16) -> usize {
        let leader = format!("Leader: {node}\t");
        self.describe(&[]).lines().filter(|line| line.contains(&leader)).count()
    }

    /// Waits until every partition has all its replicas in sync.
    pub(crate) fn wait_in_sync(&self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let behind = self.describe(&["--under-replicated-partitions"]);
            if !behind.contains("Partition: ") {
                return;
            }
            assert!(Instant::now() < deadline, "replicas are behind:\n{behind}");
        }
    }

    /// Any command of the script on this broker.
    pub(crate) fn script(&self, command: &str, arguments: &[&str]) -> String {
        let began = Instant::now();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka-local");
        let mut process = Command::new(script);
        process.args([command, "--port", &self.port.to_string(), "--dir"]).arg(self.dir.path());
        let output = process.args(arguments).stdin(Stdio::null()).output();
        let output = output.expect("scripts/kafka-local runs");
        println!("kafka-local {command}: {}, {:?}", output.status, began.elapsed());
        assert!(output.status.success(), "{command}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        self.script("wipe", &[]);
    }
}

/// The first of several ports that nobody listens on.
fn free_ports() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Processes that run at the same time begin at different places.
    let begin = (std::process::id() * 70 % u32::from(PORTS)) as u16;
    for _ in 0..PORTS / PORTS_STEP {
        let step = TRIED.fetch_add(1, Ordering::Relaxed) * PORTS_STEP;
        let port = FIRST_PORT + (begin + step) % PORTS;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (port..port + PORTS_STEP).all(|port| free(port) && free(port + TO_CONTROLLER)) {
            return port;
        }
    }
    panic!("no free ports from {FIRST_PORT} on");
}
