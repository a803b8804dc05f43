//! Histories of users: what is read, and what must come out.
//!
//! Holds: alerts and sessions are those of a shard that has read its partition from the first
//! record to the last, in one go; each is there once, and so is each dead letter.

use logintide::{
    event::EventConfig,
    ids::{Epoch, Offset, PartitionId, Position},
    journal::{Streams, Taken},
    rows::{RowFault, RowFiles, RowReader},
    topics::{PerOutput, PerTopic, Topic},
    users::{
        Burst, DetectorSettings, Inherited, ReadingSettings, Rotation, RuleSettings, Said, Switch,
        Travel, Unfamiliar, Watch, WatchSettings, open_until_s, place::PlaceTable,
    },
    worker::ProfilingSettings,
};

use super::{input::Kind, plan::GROUP, sizes::Sizes};
use crate::kafka::{Random, SimKafka};

/// Seconds of event time in a second of the history: sessions end in it.
const SPEED: i64 = 1_000;
/// How far before the history its logins happen.
const BEFORE_MS: i64 = 3 * 86_400_000;
const ALLOWED_LATENESS_S: i64 = 900;
/// Room for some rows only.
const ROOM_BYTES: usize = 4 * 1024;

/// What profiles are made of: rules that find much in little.
fn watch(rows: RowReader) -> WatchSettings {
    let switch = Switch { is_on: true, cooldown_s: 600 };
    let rules = RuleSettings {
        travel: Travel { switch, min_logins: 3, ..Travel::default() },
        rotation: Rotation { switch, min_devices: 3, min_logins: 4, ..Rotation::default() },
        burst: Burst { switch, min_logins: 4, ..Burst::default() },
        unfamiliar: Unfamiliar {
            switch,
            min_score: 1.0,
            min_age_s: 0,
            max_per_day: 6,
            ..Unfamiliar::default()
        },
        ..RuleSettings::default()
    };
    WatchSettings {
        event: EventConfig::default(),
        reading: ReadingSettings { places: PlaceTable::UsStates, ..ReadingSettings::default() },
        detector: DetectorSettings {
            rules,
            learn_s: 600,
            learn_logins: 6,
            allowed_lateness_s: ALLOWED_LATENESS_S,
            ..DetectorSettings::default()
        },
        cluster_id: "simulated".to_owned(),
        topic: format!("{GROUP}-users"),
        geoip: None,
        rows,
        room_bytes: ROOM_BYTES,
    }
}

/// What a worker is made of.
pub(crate) fn settings(outputs: PerOutput<i32>, rows: RowReader) -> ProfilingSettings {
    ProfilingSettings { watch: watch(rows), outputs }
}

/// A login; `None` is a tombstone.
pub(crate) fn value(
    began_ms: i64,
    now_ms: i64,
    user: usize,
    kind: Kind,
    random: &mut Random,
) -> Option<String> {
    match kind {
        Kind::Tombstone => return None,
        Kind::Invalid => return Some(r#"{"user_id": 7}"#.to_owned()),
        Kind::Valid => {}
    }
    let delay_ms = match random.below(12) {
        0 => random.below(3 * ALLOWED_LATENESS_S as usize * 1_000),
        1..4 => random.below(300_000),
        _ => 0,
    };
    let at_ms = began_ms - BEFORE_MS + (now_ms - began_ms) * SPEED - delay_ms as i64;
    let is_strange = random.one_in(4);
    let mut pick = |own: usize, all: usize| if is_strange { random.below(all) } else { own % all };
    let device = if pick(1, 3) == 0 { 100 + pick(user, 5) } else { user };
    let network = pick(user, 9);
    let place = ["NY", "CA", "TX", "WA", "FL"][pick(user, 5)];
    let device_type = ["iOS", "android", "web"][pick(user, 3)];
    let version = ["2.3.0", "2.3.1", "2.10.0"][pick(user, 3)];
    Some(format!(
        r#"{{"user_id":"u{user}","timestamp":{at_ms},"device_type":"{device_type}","device_id":"d{device}","app_version":"{version}","ip":"8.8.{network}.8","locale":"{place}"}}"#
    ))
}

/// Number of partitions of the input when the group began, as its journal says.
fn first_partitions(kafka: &SimKafka, journal: &str) -> u32 {
    let mut streams = Streams::new(1);
    let found = kafka.visible_with_places(journal).into_iter().find_map(|(_, offset, sent)| {
        let (key, value) = (sent.key.as_deref(), sent.value.as_deref());
        match streams.take(PartitionId(0), Offset(offset), key, value) {
            Ok(Taken::Identity(identity)) => Some(identity.first_partitions),
            _ => None,
        }
    });
    found.expect("a journal says whose it is")
}

/// What must come out of the input, and what comes out.
pub(crate) fn check(
    kafka: &SimKafka,
    names: &PerTopic<String>,
    sizes: &mut Sizes,
) -> Result<(), String> {
    let (mut alerts, mut sessions, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let mut watch = Watch::new(watch(RowFiles::in_memory(open_until_s).reader()));
    let first_partitions = first_partitions(kafka, &names[Topic::Journal]);
    watch.begin(Epoch(1), &Inherited { first_partitions, ..Inherited::default() });
    for (partition, offset, sent) in kafka.visible_with_places(&names[Topic::Input]) {
        let Some(value) = sent.value.as_deref() else { continue };
        let (partition, timestamp_ms) = (PartitionId(partition), sent.timestamp_ms);
        let position = Position { partition, offset, timestamp_ms };
        let seen = watch.take(position, value, |said, _, record| {
            let records = if matches!(said, Said::Alert(..)) { &mut alerts } else { &mut sessions };
            records.push(text(record));
            Ok::<_, RowFault>(())
        });
        match seen.map_err(|fault| fault.to_string())? {
            Ok(noticed) => sizes.late += usize::from(noticed.is_late),
            Err(_) => dead.push(text(value)),
        }
    }
    (sizes.alerts, sizes.sessions) = (alerts.len(), sessions.len());
    for (topic, mut expected) in
        [(Topic::Alerts, alerts), (Topic::Activity, sessions), (Topic::DeadLetter, dead)]
    {
        let records = kafka.visible(&names[topic]);
        let mut found: Vec<_> =
            records.iter().map(|sent| text(sent.value.as_deref().unwrap_or_default())).collect();
        expected.sort();
        found.sort();
        if expected != found {
            let differs = expected.iter().zip(&found).find(|(expected, found)| expected != found);
            return Err(format!(
                "{topic:?}: {} records, {} expected; {differs:?}",
                found.len(),
                expected.len()
            ));
        }
    }
    Ok(())
}
