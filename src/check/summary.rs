//! Summarises what `run` would do with this configuration. Pure.

use super::{Fetch, facts::Facts, findings::Findings, local::size};
use crate::{
    config::{Delivery, RunConfig, StartFrom},
    kafka::librdkafka_version,
    limits,
    pipeline::internal_topics::{TopicFacts, number},
    state::Peek,
    topics::Topic,
};

/// Summarises the settings.
pub(super) fn of_settings(config: &RunConfig, findings: &mut Findings) {
    let version = env!("CARGO_PKG_VERSION");
    findings.fact("program", format!("logintide {version}, librdkafka {}", librdkafka_version()));
    let group = &config.group_id;
    let input = &config.topics[Topic::Input];
    findings.fact("read", format!("{input} on {} as group {group}", config.brokers));
    let outputs = config.topics.iter().filter(|(topic, _)| topic.is_output());
    let outputs: Vec<_> = outputs.map(|(_, name)| name.as_str()).collect();
    let outputs = outputs.join(", ");
    let guarantee = match config.delivery {
        Delivery::ExactlyOnce => "exactly-once",
        Delivery::AtLeastOnce => "at-least-once",
    };
    findings.fact(
        "write",
        format!("{outputs}; {guarantee}, a commit every {:?}", config.commit_interval),
    );
    let seconds = |ms: i64| format!("{} s", ms as f64 / 1000.0);
    findings.fact(
        "windows",
        format!(
            "{}, grace {}, allowed lateness {}, idle after {:?}",
            seconds(config.window.size_ms),
            seconds(config.window.grace_ms),
            seconds(config.window.allowed_lateness_ms),
            config.idle_timeout
        ),
    );
    let workers = config.workers;
    let http = config.http.map_or_else(|| "off".to_owned(), |address| address.to_string());
    findings.fact(
        "process",
        format!("{workers} workers, {} of memory, http {http}", size(config.memory.total as u64)),
    );
}

/// Summarises the memory of the process. Only the topic's setting limits the size of a batch.
pub(super) fn of_memory(config: &RunConfig, facts: &Facts, fetch: Fetch, findings: &mut Findings) {
    let own = config.memory.total as u64 + limits::MEMORY_OVERHEAD_BYTES;
    let largest = facts.topics[Topic::Input].settings.as_ref();
    let largest = largest.and_then(|settings| number(settings, "max.message.bytes"));
    let largest = largest.map_or_else(
        || "one batch, if it is larger".to_owned(),
        |bytes| format!("one batch of up to {}, if it is larger", size(bytes.unsigned_abs())),
    );
    findings.fact(
        "memory",
        format!(
            "{}, and what one answer of each broker and the batch before it unpack to: {} of \
             batches as they are stored, or {largest}; {} more for each record in them",
            size(own),
            size(fetch.answer_bytes as u64),
            size(limits::FETCHED_RECORD_BYTES as u64)
        ),
    );
}

/// Summarises the state folder.
pub(super) fn of_state(config: &RunConfig, peek: &Peek, findings: &mut Findings) {
    let holds = if peek.has_copy { "a copy of the journal" } else { "new" };
    let free = peek.free_bytes.map_or_else(String::new, |free| format!(", {} free", size(free)));
    findings.fact("state", format!("{} ({holds}{free})", config.state_dir.display()));
}

/// Summarises the cluster.
pub(super) fn of_broker(config: &RunConfig, facts: &Facts, findings: &mut Findings) {
    let setting = |name| facts.broker.as_ref().and_then(|settings| settings.get(name));
    let version = setting("inter.broker.protocol.version")
        .map_or_else(String::new, |version| format!(", protocol {version}"));
    let (id, count) = (&facts.cluster_id, facts.cluster.brokers);
    let plural = if count == 1 { "" } else { "s" };
    findings.fact("cluster", format!("{id}, {count} broker{plural} up{version}"));
    findings.fact("start", start(config, facts));
    for (topic, found) in facts.topics.iter() {
        let name = &config.topics[topic];
        findings.fact("topic", format!("{name}: {}", described(config, found)));
    }
    if let Ok(group) = &facts.group {
        let members = group.members.len();
        let state = match group.state.as_str() {
            "" | "Dead" => "new",
            state => state,
        };
        findings.fact("group", format!("{}: {state}, {members} members", config.group_id));
    }
    findings.fact(
        "transactions",
        format!(
            "id {0}-{1}; whether this user may Write all ids that begin with {0}- shows only when \
             one is taken over",
            config.group_id, config.instance_id
        ),
    );
}

fn described(config: &RunConfig, topic: &TopicFacts) -> String {
    match &topic.replicas {
        Err(_) => "not seen".to_owned(),
        Ok(None) if config.create_topics => {
            "missing, would be created with the brokers' default replicas".to_owned()
        }
        Ok(None) => "missing".to_owned(),
        Ok(Some(replicas)) => {
            let setting = |name: &str| {
                let value = topic.settings.as_ref().and_then(|settings| settings.get(name));
                value.map_or("?", String::as_str)
            };
            format!(
                "{} partitions, {} replicas, cleanup.policy={}, retention.ms={}, \
                 message.timestamp.type={}",
                replicas.partitions,
                replicas.replication,
                setting("cleanup.policy"),
                setting("retention.ms"),
                setting("message.timestamp.type")
            )
        }
    }
}

/// Where the run would begin to read.
fn start(config: &RunConfig, facts: &Facts) -> String {
    let otherwise = match config.start_from {
        StartFrom::Earliest => "earliest".to_owned(),
        StartFrom::Latest => "latest".to_owned(),
        StartFrom::Time(ms) => jiff::Timestamp::from_millisecond(ms)
            .map_or_else(|_| format!("{ms} ms"), |time| time.to_string()),
    };
    let mut behind = 0;
    let mut committed = 0;
    for partition in &facts.committed {
        let Some(offset) = partition.offset else { continue };
        committed += 1;
        let end = facts.ends.iter().find(|(id, _)| *id == partition.partition);
        behind += end.map_or(0, |(_, end)| (end.0 - offset.0).max(0));
    }
    match (committed, facts.committed.len() - committed) {
        (0, _) => format!("{otherwise}: the group has committed nothing"),
        (some, 0) => format!("committed offsets of all {some} partitions, {behind} behind"),
        (some, rest) => {
            format!("committed offsets of {some} partitions, {behind} behind; {rest} {otherwise}")
        }
    }
}
