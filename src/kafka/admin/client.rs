//! Questions about topics and the cluster, and topic creation.
//!
//! In: names. Out: what the broker says, within a timeout per call. Used by whoever owns the
//! client: the start-up checks, the sink at an epoch cut, tests.
//! Holds: asking for a topic never creates it.

use std::{
    cell::Cell,
    fmt, ptr,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use rdkafka::{
    bindings as rd,
    types::{RDKafkaRespErr, RDKafkaType},
};

use super::requests::{Requests, first_failure, new_topic};
use crate::{
    ids::PartitionId,
    kafka::native::{
        ClientSettings, Event, KafkaError, NativeClient, Queue, Refusal, is_broker_away, millis,
        owned_text,
    },
    limits::{ADMIN_SERVE_EVENTS, TOPIC_VISIBLE_POLL},
};

/// A topic as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Number of partitions; `None` when the topic does not exist.
    pub partitions: Option<i32>,
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 leaves it to the broker.
    pub partitions: i32,
    /// Copies of each partition; -1 leaves it to the broker.
    pub replication: i32,
    /// Topic configuration, for example `cleanup.policy`.
    pub config: Vec<(String, String)>,
}

/// A client without group or records.
pub struct Admin {
    refusal: Cell<Option<Refusal>>,
    // NOTE: dropped in this order; the client goes last, with its last handle.
    pub(super) events: Queue,
    pub(super) client: Arc<NativeClient>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    /// # Errors
    /// `Config` when a property is protected or refused by librdkafka.
    pub fn new(settings: &ClientSettings) -> Result<Self, KafkaError> {
        Self::made(settings, "admin", &[])
    }

    /// One whose `ends` are those of all records, in transactions that are open or not.
    ///
    /// # Errors
    /// As `new`.
    pub fn read_uncommitted(settings: &ClientSettings) -> Result<Self, KafkaError> {
        Self::made(settings, "admin", &[("isolation.level", "read_uncommitted".into())])
    }

    pub(super) fn made(
        settings: &ClientSettings,
        role: &'static str,
        more: &[(&str, String)],
    ) -> Result<Self, KafkaError> {
        let config = settings.to_question_config(more)?;
        // A consumer, because a producer's metadata request creates topics that are missing.
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        let events = rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_STATS;
        let client = NativeClient::new(&config, kind, events, role)?;
        Ok(Self { refusal: Cell::new(None), events: Queue::main(&client), client })
    }

    /// For how long brokers have refused this client although they answer, why, and the remedy.
    pub fn refused(&self) -> Option<(Duration, String)> {
        let refusal = self.refusal.take();
        self.refusal.set(refusal.clone());
        refusal.map(|refusal| refusal.explain(Instant::now()))
    }

    /// The cluster's own identifier; `None` when the brokers do not have one.
    ///
    /// # Errors
    /// `Timeout` while no broker is reachable.
    pub fn cluster_id(&self, timeout: Duration) -> Result<Option<String>, KafkaError> {
        let deadline = Instant::now() + timeout;
        // Metadata carries it; a cluster without one is told apart from one that is away.
        self.metadata(None, timeout).map_err(|error| self.explained(error, timeout))?;
        let left = deadline.saturating_duration_since(Instant::now());
        // SAFETY: the client is alive; the returned string is ours to free.
        unsafe {
            let id = rd::rd_kafka_clusterid(self.client.ptr(), millis(left));
            if id.is_null() {
                return Ok(None);
            }
            let text = owned_text(id);
            rd::rd_kafka_mem_free(self.client.ptr(), id.cast());
            Ok(Some(text))
        }
    }

    /// What the cluster knows of these topics, in the same order.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no broker is reachable; `Fatal` when access is denied.
    pub fn topics(&self, names: &[&str], timeout: Duration) -> Result<Vec<TopicInfo>, KafkaError> {
        let deadline = Instant::now() + timeout;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let left = deadline.saturating_duration_since(Instant::now());
            let partitions = self.metadata(Some(name), left);
            let partitions = partitions.map_err(|error| self.explained(error, timeout))?;
            found.push(TopicInfo { name: (*name).to_owned(), partitions });
        }
        self.serve_events();
        Ok(found)
    }

    /// Creates topics and waits until their leaders answer. One that exists already is left as it
    /// is.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no broker is reachable; `Fatal` with the topic's name when
    /// the broker refuses.
    pub fn create_topics(&self, topics: &[NewTopic], timeout: Duration) -> Result<(), KafkaError> {
        const OPERATION: &str = "create topics";
        if topics.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + timeout;
        let requests = Requests::of(topics, rd::rd_kafka_NewTopic_destroy, new_topic)?;
        let answer = self.ask(OPERATION, timeout, |client, queue| {
            // SAFETY: client, queue and requests are alive; librdkafka copies the requests.
            unsafe {
                rd::rd_kafka_CreateTopics(
                    client,
                    requests.ptr(),
                    requests.len(),
                    ptr::null(),
                    queue,
                );
            }
        })?;
        let mut count = 0;
        // SAFETY: the answer is alive, is this kind of result, and owns the array.
        let results = unsafe {
            let result = rd::rd_kafka_event_CreateTopics_result(answer.ptr());
            rd::rd_kafka_CreateTopics_result_topics(result, &raw mut count)
        };
        let exists = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
        // SAFETY: `results` holds `count` results that live as long as the answer.
        unsafe { first_failure(OPERATION, results, count, exists) }?;
        let names: Vec<_> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let led = self.wait_until(OPERATION, &names, deadline, |info| {
            info.partitions.map_or(Ok(false), |seen| self.all_lead(&info.name, seen, deadline))
        });
        led.map_err(|error| self.explained(error, timeout))
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(
        &self,
        operation: &'static str,
        timeout: Duration,
        send: impl FnOnce(*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        let answers = Queue::new(&self.client);
        send(self.client.ptr(), answers.ptr());
        let answer = answers.poll(timeout);
        self.serve_events();
        let answer = answer.ok_or_else(|| self.client.timeout(operation, timeout))?;
        match answer.error_code() {
            0 => Ok(answer),
            code => Err(KafkaError::from_code(operation, code, answer.error_text())),
        }
    }

    fn wait_until(
        &self,
        operation: &'static str,
        names: &[&str],
        deadline: Instant,
        is_done: impl Fn(&TopicInfo) -> Result<bool, KafkaError>,
    ) -> Result<(), KafkaError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut waits = false;
            for info in self.topics(names, left)? {
                waits |= !is_done(&info)?;
            }
            if !waits {
                return Ok(());
            }
            if left.is_zero() {
                return Err(self.client.timeout(operation, Duration::ZERO));
            }
            sleep(TOPIC_VISIBLE_POLL);
        }
    }

    /// Whether all partitions' leaders know that they lead. Metadata name a leader before it does,
    /// and until then it refuses records.
    fn all_lead(
        &self,
        topic: &str,
        partitions: i32,
        deadline: Instant,
    ) -> Result<bool, KafkaError> {
        let partitions: Vec<_> = (0..partitions).map(PartitionId).collect();
        let left = deadline.saturating_duration_since(Instant::now());
        match self.ends(topic, &partitions, left) {
            Ok(ends) => Ok(ends.len() == partitions.len()),
            Err(error) if error.is_retriable() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Serves log lines and errors, so that a timeout can say what is behind it.
    pub(super) fn serve_events(&self) {
        for _ in 0..ADMIN_SERVE_EVENTS {
            let Some(event) = self.events.poll(Duration::ZERO) else { return };
            self.serve_event(&event);
        }
    }

    pub(super) fn serve_event(&self, event: &Event) {
        let context = self.client.context();
        let is_error = event.kind() == rd::RD_KAFKA_EVENT_ERROR;
        if !event.serve_log(context) && is_error && is_broker_away(event.error_code()) {
            let text = event.error_text();
            let before = self.refusal.take();
            let refusal = Refusal::next(before, event.error_code(), &text, Instant::now());
            self.refusal.set(refusal);
            context.broker_away(&text);
        }
    }

    /// A timeout with all the time that was `waited`, and the error that arrived meanwhile.
    pub(super) fn explained(&self, error: KafkaError, waited: Duration) -> KafkaError {
        self.serve_events();
        match error {
            KafkaError::Timeout { operation, .. } => self.client.timeout(operation, waited),
            other => other,
        }
    }
}
