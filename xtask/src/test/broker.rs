//! The broker of the tests: one that is given, one that `scripts/kafka-local` starts, or Docker's.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use testkit::{KafkaLocal, ports};

use crate::shell::{self, Misuse};

/// Longest wait for a broker in Docker; the image may have to be fetched first.
const DOCKER_START: Duration = Duration::from_mins(2);
const CONNECT: Duration = Duration::from_secs(5);

/// Where the broker comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Broker {
    /// No test needs one.
    None,
    /// `KAFKA_BROKERS` names it.
    Given(String),
    /// `scripts/kafka-local` starts it.
    Local,
    Docker,
}

/// A broker that answers. Dropping it ends what was started for it.
pub(super) enum Running {
    Given(String),
    Local(KafkaLocal),
    Docker { container: String, address: String },
}

impl Broker {
    /// # Errors
    /// The given broker does not answer, or there is nothing to start one with.
    pub(super) fn choose(wanted: bool) -> anyhow::Result<Self> {
        if !wanted {
            return Ok(Self::None);
        }
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        if let Some(given) = variable("KAFKA_BROKERS") {
            if given.split(',').any(connects) {
                return Ok(Self::Given(given));
            }
            return Err(Misuse(format!(
                "KAFKA_BROKERS={given}: nothing accepts connections there; start that broker, or \
                 unset it and let this tool start one"
            ))
            .into());
        }
        if let Some(home) = variable("KAFKA_HOME") {
            if Path::new(&home).join("libs").is_dir() {
                return Ok(Self::Local);
            }
            return Err(Misuse(format!(
                "KAFKA_HOME={home} has no libs folder: set it to an unpacked Kafka, or unset it"
            ))
            .into());
        }
        if super::missing("kafka")?.is_empty() {
            return Ok(Self::Local);
        }
        let mut docker = Command::new("docker");
        let docker = docker.arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if docker.is_ok_and(|status| status.success()) {
            return Ok(Self::Docker);
        }
        Err(Misuse(
            "missing: a Kafka broker. scripts/setup brings one; or set KAFKA_BROKERS=host:port or \
             KAFKA_HOME, or start Docker, or leave its tests out: scripts/test --without-kafka"
                .to_owned(),
        )
        .into())
    }

    /// # Errors
    /// It does not start, or does not answer in time.
    pub(super) fn start(&self) -> anyhow::Result<Running> {
        match self {
            Self::None => bail!("no broker was asked for"),
            Self::Given(address) => Ok(Running::Given(address.clone())),
            Self::Local => {
                let broker = KafkaLocal::new(1);
                broker.start();
                Ok(Running::Local(broker))
            }
            Self::Docker => start_docker(),
        }
    }
}

impl Running {
    pub(super) fn address(&self) -> String {
        match self {
            Self::Given(address) | Self::Docker { address, .. } => address.clone(),
            Self::Local(broker) => broker.address(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Docker { container, .. } = self {
            let _ = Command::new("docker").args(["rm", "--force", container]).status();
        }
    }
}

/// Wipes the brokers below a folder that tests had no time to stop.
pub(super) fn wipe_left(folder: &Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if folder.join("broker.pid").exists() {
            // A cluster is wiped as a whole, at the first of its nodes.
            let is_node = folder
                .file_name()
                .is_some_and(|name| name.to_str().is_some_and(|name| name.starts_with("node-")));
            let whole = if is_node { folder.parent().unwrap_or(&folder) } else { &folder };
            let _ = shell::command("scripts/kafka-local")
                .args(["wipe", "--dir"])
                .arg(whole)
                .stdin(Stdio::null())
                .status();
            continue;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
}

fn connects(address: &str) -> bool {
    let Ok(mut found) = address.to_socket_addrs() else { return false };
    found.any(|address| TcpStream::connect_timeout(&address, CONNECT).is_ok())
}

fn start_docker() -> anyhow::Result<Running> {
    let port = ports::free_broker_ports();
    let pom = fs::read_to_string(shell::root().join("scripts/kafka/pom.xml"))?;
    let version = pom
        .split_once("<kafka.version>")
        .and_then(|(_, rest)| rest.split_once('<'))
        .context("scripts/kafka/pom.xml names no kafka.version")?
        .0;
    let image = format!("apache/kafka:{version}");
    let mut command = Command::new("docker");
    command.args(["run", "--detach", "--rm", "--publish", &format!("127.0.0.1:{port}:{port}")]);
    // One variable of this kind replaces the image's whole configuration, so all of it is here.
    // What the settings are for stands in scripts/kafka/node.sh.
    for (name, value) in [
        ("PROCESS_ROLES", "broker,controller".to_owned()),
        ("NODE_ID", "1".to_owned()),
        ("CONTROLLER_QUORUM_VOTERS", "1@localhost:29093".to_owned()),
        ("LISTENERS", format!("PLAINTEXT://:{port},CONTROLLER://localhost:29093")),
        ("ADVERTISED_LISTENERS", format!("PLAINTEXT://127.0.0.1:{port}")),
        ("LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned()),
        ("INTER_BROKER_LISTENER_NAME", "PLAINTEXT".to_owned()),
        ("CONTROLLER_LISTENER_NAMES", "CONTROLLER".to_owned()),
        ("NUM_PARTITIONS", "8".to_owned()),
        ("AUTO_CREATE_TOPICS_ENABLE", "false".to_owned()),
        ("OFFSETS_TOPIC_REPLICATION_FACTOR", "1".to_owned()),
        ("OFFSETS_TOPIC_NUM_PARTITIONS", "8".to_owned()),
        ("TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1".to_owned()),
        ("TRANSACTION_STATE_LOG_MIN_ISR", "1".to_owned()),
        ("TRANSACTION_STATE_LOG_NUM_PARTITIONS", "8".to_owned()),
        ("SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR", "1".to_owned()),
        ("SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR", "1".to_owned()),
        ("GROUP_INITIAL_REBALANCE_DELAY_MS", "0".to_owned()),
        ("LOG_RETENTION_MS", "-1".to_owned()),
    ] {
        command.args(["--env", &format!("KAFKA_{name}={value}")]);
    }
    let container = shell::output(command.arg(&image))?.trim().to_owned();
    let running = Running::Docker { container, address: format!("127.0.0.1:{port}") };
    let deadline = Instant::now() + DOCKER_START;
    while !answers(SocketAddr::from(([127, 0, 0, 1], port))) {
        if Instant::now() > deadline {
            bail!("the broker of {image} does not answer on 127.0.0.1:{port}: docker logs");
        }
        testkit::interrupt::check();
        thread::sleep(Duration::from_millis(500));
    }
    Ok(running)
}

/// Whether a broker answers a Metadata request (version 4, no topics) with at least one live
/// broker. An open socket is not enough: it opens before the broker may be used.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<[u8; 16]> {
        let mut stream = TcpStream::connect_timeout(&address, CONNECT)?;
        stream.set_read_timeout(Some(CONNECT))?;
        stream.write_all(b"\0\0\0\x0f\0\x03\0\x04\0\0\0\x01\xff\xff\0\0\0\0\0")?;
        // Size, correlation id, throttle time, number of brokers; four bytes each.
        let mut reply = [0; 16];
        stream.read_exact(&mut reply)?;
        Ok(reply)
    };
    ask().is_ok_and(|reply| reply[4..8] == [0, 0, 0, 1] && reply[12..] != [0; 4])
}
