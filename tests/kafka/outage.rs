//! A broker that is away: a clear line, no exit, nothing lost. Uses a broker of its own.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{Process, SOON, Scenario, free_port, text, wait_for_metric};

/// A broker that this test may stop; ended when dropped.
pub(crate) struct OwnBroker {
    port: String,
    dir: tempfile::TempDir,
}

impl OwnBroker {
    pub(crate) fn new() -> Self {
        let port = free_port().to_string();
        Self { port, dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn script(&self, command: &str) {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka-local");
        let output = Command::new(script)
            .args([command, "--port", &self.port, "--dir"])
            .arg(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .expect("scripts/kafka-local runs");
        assert!(output.status.success(), "{command}: {}", text(&output));
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        self.script("stop");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_broker_that_comes_late_goes_and_returns_costs_nothing() {
    let broker = OwnBroker::new();
    let scenario = Scenario::on("outage", broker.address());
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut running = scenario.start(&["--http", &address]);
    running.wait_for_line("no broker answers");
    broker.script("start");
    running.wait_for_line("reading");
    let events = ["--seed", "71", "--count", "40000"];
    scenario.produce(&events);
    wait_for_metric(&running, port, "logintide_events_in_total", |n| n >= 40_000.0);
    broker.script("stop");
    std::thread::sleep(Duration::from_secs(5));
    broker.script("start");
    scenario.produce(&["--seed", "72", "--count", "40000"]);
    wait_for_metric(&running, port, "logintide_events_in_total", |n| n >= 80_000.0);
    let mut running: Process = running;
    running.signal("-TERM");
    let status = running.wait(SOON);
    assert!(status.success(), "{status}\n{}", running.tail());
    scenario.start(&["--exit-at-end"]).ends_with(0);
    // A rolled-back epoch may have been delivered before the broker went.
    println!(
        "{}",
        scenario.verify(&["--allow-duplicates", "--expect-complete", "--expect-late", "none"])
    );
}
