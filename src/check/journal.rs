//! Whose journal it is, as the journal itself says.
//!
//! In:  the configuration, what the brokers said. Out: a problem, if a run would refuse it.
//! Holds: nothing is joined or changed; of the log only the beginning is read, where the identity
//! of every journal is.

use std::time::Duration;

use super::{facts::Facts, findings::Findings};
use crate::{
    client::{ScanEvent, ScanRange, ShortLog, SystemClock, TopicScan},
    config::RunConfig,
    ids::PartitionId,
    journal::Identity,
    kafka::{ClientSettings, Consumer, ConsumerSettings, Flow, KafkaError},
    limits,
    topics::Topic,
};

/// Reads the identity and judges it. A journal that cannot be read is judged by its rights.
pub(super) fn judge(
    config: &RunConfig,
    client: &ClientSettings,
    facts: &Facts,
    patience: Duration,
    findings: &mut Findings,
) {
    let Some(found) = facts.topics[Topic::Journal].seen() else { return };
    match read(config, client, patience) {
        Ok(Some(identity)) => {
            if let Some(what) = problem(config, &facts.cluster_id, &identity, found.partitions) {
                let name = &config.topics[Topic::Journal];
                findings.problem(format!("topic {name} (--journal-topic): {what}"));
            }
        }
        Ok(None) => {}
        Err(error) if error.is_authorization() => {}
        Err(error) => findings.hint(format!(
            "topic {} (--journal-topic): whose journal it is could not be read: {error}",
            config.topics[Topic::Journal]
        )),
    }
}

/// The identity; `None` where none was written yet.
fn read(
    config: &RunConfig,
    client: &ClientSettings,
    patience: Duration,
) -> Result<Option<Identity>, KafkaError> {
    let consumer = Consumer::new(&ConsumerSettings {
        client: client.clone(),
        group_id: config.group_id.clone(),
        instance_id: None,
        topic: config.topics[Topic::Journal].clone(),
        fetch_queue_kbytes: limits::SCAN_QUEUE_BYTES / 1024,
        session_timeout: limits::SESSION_TIMEOUT,
        max_poll_interval: limits::SESSION_TIMEOUT,
        reads_uncommitted: false,
    })?;
    let logs = consumer.logs(&[PartitionId(0)], limits::BROKER_QUERY_TIMEOUT)?;
    let range = |(partition, (from, until))| ScanRange { partition, from, until };
    let ranges: Vec<_> = logs.into_iter().map(range).collect();
    let (key, mut taken, mut identity, mut wrong) = (Identity::key(), 0, None, None);
    let mut scan = TopicScan::begin(consumer, &ranges, ShortLog::Ends)?;
    scan.run(&SystemClock, patience, |event| {
        match event {
            ScanEvent::Record(record) => {
                taken += 1;
                if record.key == Some(&key) {
                    identity = record.value.and_then(Identity::parse);
                }
            }
            ScanEvent::Error(error) => wrong = Some(error),
            _ => {}
        }
        let enough = taken >= limits::IDENTITY_SEARCH_RECORDS;
        if enough || identity.is_some() || wrong.is_some() { Flow::Stop } else { Flow::Continue }
    })?;
    wrong.map_or(Ok(identity), Err)
}

/// Why a run would refuse the journal.
fn problem(
    config: &RunConfig,
    cluster_id: &str,
    identity: &Identity,
    partitions: usize,
) -> Option<String> {
    let ours = Identity {
        cluster_id: cluster_id.to_owned(),
        group_id: config.group_id.clone(),
        topic: config.topics[Topic::Input].clone(),
        window_size_ms: config.window.size_ms,
        ..identity.clone()
    };
    if let Err(error) = identity.check(&ours) {
        return Some(error.to_string());
    }
    let begun = identity.journal_partitions;
    ((partitions as u64) < u64::from(begun)).then(|| {
        format!(
            "it has {partitions} partitions, and was begun with {begun}: it was created again; \
             delete it, and create it with {begun}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings;

    fn identity() -> Identity {
        Identity {
            cluster_id: "c1".into(),
            group_id: "logintide".into(),
            topic: "user-login".into(),
            topic_id: None,
            window_size_ms: 10_000,
            journal_partitions: 8,
            first_partitions: 12,
            began_ms: 0,
        }
    }

    #[test]
    fn a_journal_of_something_else_is_named_with_both_values() {
        let of = |flags: &[&str], cluster: &str, partitions| {
            let config =
                settings::of_line(&[&["logintide", "run", "--brokers", "b:1"], flags].concat());
            problem(&config, cluster, &identity(), partitions)
        };
        assert_eq!(of(&[], "c1", 8), None);
        assert_eq!(of(&[], "c1", 9), None, "added later, and not used");
        for (flags, cluster, part) in [
            (&["--window", "20s"][..], "c1", "window size (--window): it has '10000 ms', this run"),
            (&["--group-id", "g"], "c1", "consumer group (--group-id): it has 'logintide', this"),
            (&["--input-topic", "i"], "c1", "input topic (--input-topic): it has 'user-login'"),
            (&[], "c2", "Kafka cluster id (of --brokers): it has 'c1', this run has 'c2'"),
        ] {
            let text = of(flags, cluster, 8).expect(part);
            assert!(text.contains(&format!("belongs to another {part}")), "{text}");
        }
        assert!(of(&[], "c1", 3).expect("too few").contains("it has 3 partitions, and was begun"));
    }
}
