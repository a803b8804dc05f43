//! Which brokers of the cluster this machine reaches at the addresses that they advertise.
//!
//! In: nothing. Out: a live broker's number; the brokers that do not answer, each with its address
//! and the reason. Used by the start-up checks, `logintide check-config`, and a run that cannot
//! read. Holds: a broker that refuses the question is reached.

use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::bindings::rd_kafka_ResourceType_t as kind;

use super::admin::{Admin, METADATA};
use super::admin_requests::Requests;
use super::error::{KafkaError, is_broker_away};
use super::native::{Event, Queue, c_string, owned_text};

/// A broker that the cluster names, and that does not answer at the address it advertises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreachableBroker {
    /// Its number.
    pub id: i32,
    /// `host:port`, as the broker advertises it.
    pub address: String,
    /// What goes wrong.
    pub why: String,
}

impl UnreachableBroker {
    /// What is wrong, and the remedy.
    pub fn explain(&self) -> String {
        let Self { id, address, why } = self;
        format!(
            "broker {id} cannot be reached at the address that it advertises, {address}: {why}; \
             correct advertised.listeners of that broker, or make the address reachable from here \
             (name resolution, route, firewall, the listener's security.protocol)"
        )
    }
}

/// A broker as the cluster names it.
struct Advertised {
    id: i32,
    address: String,
}

impl Admin {
    /// The number of a broker that answers.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no broker is reachable.
    pub(super) fn live_broker(&self, timeout: Duration) -> Result<i32, KafkaError> {
        let id = self.read_metadata(None, timeout, |metadata| match metadata.orig_broker_id {
            // The answer came through a bootstrap address, which has no number of its own.
            // SAFETY: the array holds that many brokers while the metadata lives.
            ..0 if metadata.broker_cnt > 0 => unsafe { (*metadata.brokers).id },
            id => id,
        });
        match id.map_err(|error| self.explained(error))? {
            ..0 => Err(self.client.timeout(METADATA, timeout)),
            id => Ok(id),
        }
    }

    /// Asks every broker of the cluster a question at the address that it advertises. The result
    /// is the brokers that have not answered within the timeout, which is all of them together.
    ///
    /// # Errors
    /// `Timeout` or `Retriable` while no bootstrap address answers.
    pub fn unreachable_brokers(
        &self,
        timeout: Duration,
    ) -> Result<Vec<UnreachableBroker>, KafkaError> {
        let deadline = Instant::now() + timeout;
        let brokers = self.advertised(timeout).map_err(|error| self.explained(error))?;
        let answers: Result<Vec<_>, _> =
            brokers.iter().map(|broker| self.ask_broker(broker.id)).collect();
        let mut silent = Vec::new();
        for (broker, answer) in brokers.into_iter().zip(answers?) {
            let left = deadline.saturating_duration_since(Instant::now());
            match answer.poll(left) {
                Some(answer) if !is_broker_away(answer.error_code()) => {}
                answer => silent.push((broker, answer)),
            }
        }
        self.serve_events();
        Ok(silent.into_iter().map(|(b, answer)| self.unreachable(b, answer, timeout)).collect())
    }

    fn unreachable(
        &self,
        broker: Advertised,
        answer: Option<Event>,
        timeout: Duration,
    ) -> UnreachableBroker {
        let Advertised { id, address } = broker;
        let trouble = self.client.context().trouble_with(id);
        let why = trouble.or_else(|| answer.map(|answer| answer.error_text()));
        let why = why.unwrap_or_else(|| format!("no answer within {} ms", timeout.as_millis()));
        UnreachableBroker { id, address, why }
    }

    fn advertised(&self, timeout: Duration) -> Result<Vec<Advertised>, KafkaError> {
        self.read_metadata(None, timeout, |metadata| {
            let count = usize::try_from(metadata.broker_cnt).expect("a count is not negative");
            // SAFETY: the array holds that many brokers, with their names, while the metadata
            // lives.
            let brokers = unsafe { super::admin_configs::array(metadata.brokers, count) };
            let named = brokers.iter().map(|broker| Advertised {
                id: broker.id,
                // SAFETY: as above.
                address: format!("{}:{}", unsafe { owned_text(broker.host) }, broker.port),
            });
            named.collect()
        })
    }

    /// Sends a question to one broker; its answer comes to the queue.
    fn ask_broker(&self, id: i32) -> Result<Queue, KafkaError> {
        let name = id.to_string();
        let requests = Requests::of(&[name], rd::rd_kafka_ConfigResource_destroy, |name| {
            let name = c_string("the broker", name)?;
            let broker = kind::RD_KAFKA_RESOURCE_BROKER;
            // SAFETY: the name is alive and is copied.
            Ok(unsafe { rd::rd_kafka_ConfigResource_new(broker, name.as_ptr()) })
        })?;
        let answers = Queue::new(&self.client);
        // SAFETY: client, queue and requests are alive; librdkafka copies the requests.
        unsafe {
            rd::rd_kafka_DescribeConfigs(
                self.client.ptr(),
                requests.ptr(),
                requests.len(),
                ptr::null(),
                answers.ptr(),
            );
        }
        Ok(answers)
    }
}
