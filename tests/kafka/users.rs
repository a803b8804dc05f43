//! `logintide users` on a real broker: whatever becomes of its processes, the same alerts and the
//! same sessions, each once.

use std::{process::Command, time::Duration};

use logintide::{
    event::EventConfig,
    ids::{Epoch, Position},
    kafka::cluster_id,
    rows::{RowFault, RowFiles},
    users::{
        DetectorSettings, Inherited, ReadingSettings, RuleSettings, Said, Watch, WatchSettings,
        open_until_s, place::PlaceTable,
    },
};
use testkit::{Process, Scenario};

use crate::{client::support::PATIENCE, committed::committed, faults::topics::admin};

const PARTITIONS: i32 = 4;
/// Logins of some days, attackers among them, and some that are too late.
const LOGINS: &[&str] = &[
    "--create-topic",
    "4",
    "--population",
    "default",
    "--users",
    "400",
    "--count",
    "80000",
    "--events-per-second-of-event-time",
    "0.4",
    "--share-late",
    "0.01",
    "--late-by",
    "2h",
    "--share-poison",
    "0.002",
    "--seed",
    "7",
    "--rate",
    "5000",
];
const FLAGS: &[&str] = &[
    "--places",
    "us-states",
    "--learn-logins",
    "2000",
    "--allowed-lateness",
    "10m",
    "--commit-interval",
    "100ms",
    "--session-timeout",
    "6s",
    "--create-topics",
    "--http",
    "off",
];

fn command(scenario: &Scenario, instance: &str, flags: &[&str]) -> Command {
    let mut command = scenario.logintide("users");
    command.args(["--group-id", &scenario.topic("group"), "--instance-id", instance]);
    for name in ["input", "alerts", "activity", "dead-letter"] {
        command.args([format!("--{name}-topic"), scenario.topic(name)]);
    }
    command.arg("--state-dir").arg(scenario.dir.path().join(instance));
    command.args(FLAGS).args(flags);
    command
}

fn start(scenario: &Scenario, instance: &str, flags: &[&str]) -> Process {
    scenario.spawn(command(scenario, instance, flags))
}

/// What must come out of the input, in any order: alerts, sessions and dead letters.
fn expected(scenario: &Scenario) -> [Vec<Vec<u8>>; 3] {
    let (topic, mut outputs) = (scenario.topic("input"), [const { Vec::new() }; 3]);
    let settings = WatchSettings {
        event: EventConfig::default(),
        reading: ReadingSettings { places: PlaceTable::UsStates, ..ReadingSettings::default() },
        detector: DetectorSettings {
            rules: RuleSettings::default(),
            learn_logins: 2_000,
            allowed_lateness_s: 600,
            ..DetectorSettings::default()
        },
        cluster_id: cluster_id(&admin(scenario), PATIENCE).expect("an id").expect("it has one"),
        topic: topic.clone(),
        geoip: None,
        rows: RowFiles::in_memory(open_until_s).reader(),
        room_bytes: usize::MAX,
    };
    let mut watch = Watch::new(settings);
    let first_partitions = PARTITIONS as u32;
    watch.begin(Epoch(1), &Inherited { first_partitions, ..Inherited::default() });
    let [alerts, sessions, dead] = &mut outputs;
    committed(&topic, PARTITIONS, |record| {
        let position = Position {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
        };
        let value = record.value.expect("no tombstones are produced");
        let seen = watch.take(position, value, |said, _, record| {
            let records =
                if matches!(said, Said::Alert(..)) { &mut *alerts } else { &mut *sessions };
            records.push(record.to_vec());
            Ok::<_, RowFault>(())
        });
        if seen.expect("memory can be read").is_err() {
            dead.push(value.to_vec());
        }
    });
    for records in &mut outputs {
        records.sort();
    }
    outputs
}

fn found(scenario: &Scenario) -> [Vec<Vec<u8>>; 3] {
    ["alerts", "activity", "dead-letter"].map(|name| {
        let value = |record: &logintide::kafka::Record<'_>| {
            record.value.expect("every record has a value").to_vec()
        };
        let mut records = committed(&scenario.topic(name), PARTITIONS, value);
        records.sort();
        records
    })
}

fn is_exact(scenario: &Scenario) {
    let (expected, found) = (expected(scenario), found(scenario));
    for ((what, expected), found) in
        ["alerts", "sessions", "dead letters"].iter().zip(&expected).zip(&found)
    {
        println!("{what}: {}", expected.len());
        assert!(expected.len() > 20, "{what}: {}", expected.len());
        let text = |records: &[Vec<u8>]| {
            records.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect::<Vec<_>>()
        };
        assert!(
            expected == found,
            "{what}: {} expected, {} found; the first that differ: {:?}",
            expected.len(),
            found.len(),
            text(expected).into_iter().zip(text(found)).find(|(one, other)| one != other)
        );
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn alerts_and_sessions_are_exact_over_kills_lost_folders_and_instances() {
    let scenario = Scenario::new("users");
    // The topic first, so that all find it with its partitions.
    scenario.produce(&["--create-topic", "4", "--count", "0"]);
    let mut produced = scenario.producing(LOGINS);
    let mut others = Vec::new();
    for (round, instance) in ["one", "two", "one", "one"].into_iter().enumerate() {
        let mut process = start(&scenario, instance, &["--workers", "2"]);
        process.wait_for_line("reading");
        // Some epochs further, at another moment each time.
        std::thread::sleep(Duration::from_millis(730 * (round as u64 + 1)));
        process.kill();
        match round {
            0 => std::fs::remove_dir_all(scenario.dir.path().join("one")).expect("its folder"),
            1 => others.push(start(&scenario, "two", &[])),
            _ => {}
        }
    }
    produced.ends_with(0);
    for process in others {
        process.stop();
    }
    let mut ends = ["one", "two"].map(|instance| start(&scenario, instance, &["--exit-at-end"]));
    for process in &mut ends {
        process.ends_with(0);
    }
    is_exact(&scenario);
}
