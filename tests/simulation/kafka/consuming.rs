//! One consumer, as librdkafka keeps it.

use std::time::Duration;

use logintide::{kafka::ConsumerSettings, limits};

use super::{membership::Membership, process::ProcessId, reading::Reading};

#[derive(Debug)]
pub(crate) struct Consuming {
    pub(crate) process: ProcessId,
    pub(crate) group: String,
    pub(crate) session: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) max_poll: Duration,
    pub(crate) metadata_refresh: Duration,
    pub(crate) last_poll: Duration,
    /// Number of partitions when it joined.
    pub(crate) partitions: Option<i32>,
    pub(crate) membership: Membership,
    pub(crate) reading: Reading,
}

impl Consuming {
    pub(crate) fn new(process: ProcessId, settings: &ConsumerSettings, now: Duration) -> Self {
        let of_user = |name: &str| {
            let mut named = settings.client.properties.iter().rev().filter(|(it, _)| it == name);
            let ms = named.next().and_then(|(_, value)| value.parse().ok());
            ms.map(Duration::from_millis)
        };
        Self {
            process,
            group: settings.group_id.clone(),
            session: settings.session_timeout,
            heartbeat: of_user("heartbeat.interval.ms")
                .unwrap_or(limits::heartbeat_interval(settings.session_timeout)),
            max_poll: settings.max_poll_interval,
            metadata_refresh: settings.client.metadata_refresh_interval(),
            last_poll: now,
            partitions: None,
            membership: Membership::new(settings.instance_id.clone()),
            reading: Reading::new(&settings.topic, settings.reads_uncommitted),
        }
    }
}
