//! One of three brokers is killed in the middle of the work, and comes back; then another one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use testkit::{Scenario, metric};

use crate::{own_broker::OwnBroker, work::Work};

const NODES: u16 = 3;

/// How long a node is away: longer than its session with the controllers (9 s) and an election.
const AWAY: Duration = Duration::from_secs(20);

/// Longest time until the replicas of a node that is back have caught up.
const CATCH_UP: Duration = Duration::from_mins(2);

/// Measures the longest time without a committed event.
struct GapMeter {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl GapMeter {
    fn start(port: u16) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let thread = spawn(move || {
            let (mut last, mut since, mut longest) = (None, Instant::now(), Duration::ZERO);
            while !until.load(Ordering::SeqCst) {
                let read = metric(port, "logintide_events_in_total");
                longest = longest.max(since.elapsed());
                if read.is_some() && read != last {
                    (last, since) = (read, Instant::now());
                }
                sleep(Duration::from_millis(200));
            }
            longest
        });
        Self { ended, thread }
    }

    fn end(self) -> Duration {
        self.ended.store(true, Ordering::SeqCst);
        self.thread.join().expect("the meter does not panic")
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_killed_node_stops_nothing_for_longer_than_an_election() {
    let cluster = OwnBroker::cluster(NODES);
    cluster.start();
    let scenario = Scenario::on("cluster", cluster.address());
    let replicated = ["--replication", "3", "--topic-config", "min.insync.replicas=2"];
    let mut work =
        Work::begin_with(scenario, &[&["--rate", "1000"], replicated.as_slice()].concat(), &[]);
    for node in [1, 2] {
        work.goes_on();
        let leads = cluster.leads(node);
        assert!(leads > 0, "node {node} leads nothing: killing it proves nothing");
        let meter = GapMeter::start(work.port());
        cluster.kill_node(node);
        let killed = Instant::now();
        work.assert_under_way();
        sleep(AWAY);
        // Others lead by now: it need not come back.
        let next = work.goes_on();
        let gap = meter.end();
        println!("node {node}, leader of {leads} partitions, away: longest gap {gap:?}, {next:?}");
        println!("node {node} was away for {:?}", killed.elapsed());
        cluster.start_node(node);
        cluster.wait_in_sync(CATCH_UP);
    }
    work.drain_and_end();
}
