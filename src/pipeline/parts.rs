//! Everything that is prepared before the first thread starts.
//!
//! In:  the configuration, what the brokers said, the state folder. Out: the settings of the
//! clients that the threads make. Main thread.

use std::{sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};

use super::BrokerFacts;
use crate::{
    clock,
    config::{Delivery, RunConfig, UsersConfig},
    control::Control,
    event::EventConfig,
    ids::Epoch,
    journal::{Identity, InstanceRecord},
    kafka::{
        Admin, ClientSettings, ConsumerSettings, MockCluster, ProducerSettings, Transactional,
    },
    limits,
    replica::ReplicaSettings,
    rows::RowFiles,
    sink::OutputSettings,
    state::{JournalCopy, StateFolder},
    status::Board,
    topics::Topic,
    users::{DetectorSettings, ReadingSettings, WatchSettings, place::GeoIpBoard},
    worker::{CountingSettings, ProfilingSettings, TaskSettings},
};

/// What makes the fingerprints of a group its own: the same in all of its processes.
fn group_key(cluster_id: &str, group_id: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    for text in [cluster_id, group_id] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize()[..16].try_into().expect("it has 32 bytes")
}

/// Everything that is prepared before the first thread starts.
pub(super) struct Parts {
    pub(super) config: RunConfig,
    pub(super) client: ClientSettings,
    pub(super) admin: Admin,
    pub(super) facts: BrokerFacts,
    pub(super) folder: StateFolder,
    pub(super) copy: Option<Box<dyn JournalCopy>>,
    /// Where users have rows.
    pub(super) rows: Option<RowFiles>,
    pub(super) geoip: Option<Arc<GeoIpBoard>>,
    pub(super) control: Arc<Control>,
    pub(super) board: Arc<Board>,
}

impl Parts {
    /// The bytes that are read of a record: one larger than an event may be goes to a side topic,
    /// which accepts no more.
    pub(super) fn most_bytes(&self) -> usize {
        let side_topics = self.facts.outputs.iter().filter(|(topic, _)| topic.is_side_topic());
        let of_event = self.config.event.max_event_bytes + 1;
        side_topics.map(|(_, topic)| topic.record_bytes).fold(of_event, usize::max)
    }

    /// Whose journal it is.
    pub(super) fn identity(&self) -> Identity {
        Identity {
            cluster_id: self.facts.cluster_id.clone(),
            group_id: self.config.group_id.clone(),
            topic: self.config.topics[Topic::Input].clone(),
            topic_id: None,
            window_size_ms: self.config.window.size_ms,
            journal_partitions: self.facts.outputs[Topic::Journal].partitions as u32,
            first_partitions: self.facts.input_partitions as u32,
            // Set when the journal is begun.
            began_ms: 0,
        }
    }

    /// What workers make of records.
    pub(super) fn task(&self) -> TaskSettings {
        let Self { config, facts, .. } = self;
        let event = config.event.clone();
        match &config.users {
            None => TaskSettings::Counting(CountingSettings {
                event,
                rules: config.window,
                output_partitions: facts.outputs[Topic::Processed].partitions,
            }),
            Some(users) => TaskSettings::Profiling(Box::new(self.profiling(event, users))),
        }
    }

    fn profiling(&self, event: EventConfig, users: &UsersConfig) -> ProfilingSettings {
        let Self { config, facts, .. } = self;
        let seconds = |time: Duration| time.as_secs() as i64;
        let watch = WatchSettings {
            event,
            reading: ReadingSettings {
                key: group_key(&facts.cluster_id, &config.group_id),
                places: users.places,
                placeholders: Arc::clone(&users.placeholders),
                networks: Arc::clone(&users.networks),
                devices: Arc::clone(&users.devices),
            },
            detector: DetectorSettings {
                rules: users.rules,
                // The group's, as soon as it is known.
                shards: 1,
                learn_s: seconds(users.learn),
                learn_logins: users.learn_logins,
                profile_ttl_s: seconds(users.profile_ttl),
                allowed_lateness_s: seconds(users.allowed_lateness),
            },
            cluster_id: facts.cluster_id.clone(),
            topic: config.topics[Topic::Input].clone(),
            geoip: self.geoip.clone(),
            rows: self.rows.as_ref().expect("users have rows").reader(),
            room_bytes: config.memory.rows_of_worker(config.workers),
        };
        ProfilingSettings { watch, outputs: facts.outputs.map(|_, topic| topic.partitions) }
    }

    /// What this instance says of itself. The epoch is that of the record.
    pub(super) fn introduction(&self) -> InstanceRecord {
        let milliseconds = |time: Duration| time.as_millis() as u64;
        let config = &self.config;
        InstanceRecord {
            epoch: Epoch::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: clock::now_ms(),
            http: config.http.map(|address| address.to_string()),
            rules: config.window,
            exactly_once: config.delivery == Delivery::ExactlyOnce,
            commit_interval_ms: milliseconds(config.commit_interval),
            idle_timeout_ms: milliseconds(config.idle_timeout),
            session_timeout_ms: milliseconds(config.timing.session()),
        }
    }

    /// Settings of the replica. Its consumer has the group's name but does not join.
    pub(super) fn replica(&mut self) -> ReplicaSettings {
        let mut client = self.client.clone();
        // Before the user's, of which the last one counts.
        let fetch_wait = limits::REPLICA_FETCH_WAIT.as_millis().to_string();
        client.properties.insert(0, ("fetch.wait.max.ms".to_owned(), fetch_wait));
        ReplicaSettings {
            consumer: ConsumerSettings {
                client,
                instance_id: None,
                topic: self.config.topics[Topic::Journal].clone(),
                fetch_queue_kbytes: limits::SCAN_QUEUE_BYTES / 1024,
                ..self.consumer()
            },
            partitions: self.facts.outputs[Topic::Journal].partitions as u32,
            rules: self.config.window,
            memory_limit: self.config.memory.total,
            copy: self.copy.take(),
            rows: self.rows.take(),
            board: Arc::clone(&self.board),
        }
    }

    /// Settings of the consumer that joins the group.
    pub(super) fn consumer(&self) -> ConsumerSettings {
        ConsumerSettings {
            client: self.client.clone(),
            group_id: self.config.group_id.clone(),
            instance_id: Some(self.config.instance_id.to_string()),
            topic: self.config.topics[Topic::Input].clone(),
            fetch_queue_kbytes: self.config.memory.fetch_queue / 1024,
            session_timeout: self.config.timing.session(),
            max_poll_interval: self.config.timing.max_poll(),
            reads_uncommitted: false,
        }
    }

    /// How the outputs are produced.
    pub(super) fn outputs(&self) -> OutputSettings {
        let has_transactions = !MockCluster::has_id(&self.facts.cluster_id);
        let runs_ahead = has_transactions && self.config.delivery == Delivery::AtLeastOnce;
        let (group, instance) = (&self.config.group_id, self.config.instance_id.as_str());
        let transactional = has_transactions
            .then(|| Transactional::of(group, instance, self.config.timing.transaction()));
        let queue_kbytes = self.config.memory.producer_queue / 1024;
        // Nearly all that is produced are enriched events.
        let of_rest = queue_kbytes / 4;
        let producer = |transactional, queue_kbytes| ProducerSettings {
            client: self.client.clone(),
            queue_kbytes,
            batch_bytes: self.facts.batch_bytes,
            linger: limits::PRODUCER_LINGER,
            delivery_timeout: self.config.timing.delivery(),
            transactional,
        };
        let ahead = runs_ahead.then(|| producer(None, queue_kbytes - of_rest));
        let queue_kbytes = if runs_ahead { of_rest } else { queue_kbytes };
        OutputSettings {
            producer: producer(transactional, queue_kbytes),
            ahead,
            topics: self.config.topics.clone(),
            facts: self.facts.outputs,
        }
    }
}
