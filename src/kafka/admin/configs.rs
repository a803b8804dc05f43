//! Questions about the configuration of topics and brokers.
//!
//! In: names of topics. Out: every setting that has a value, as text. Used by the start-up checks.
//! Holds: the answer has the order of the question; a setting without a value, as secrets are, is
//! not in it.

use std::{
    collections::BTreeMap,
    ptr,
    time::{Duration, Instant},
};

use rdkafka::bindings::{self as rd, rd_kafka_ResourceType_t as kind};

use super::{
    answers::{named, unanswered},
    brokers::live_broker,
    client::Admin,
    requests::Requests,
};
use crate::kafka::native::{KafkaError, array, c_string, error_text, owned_text};

/// Settings by name.
type Settings = BTreeMap<String, String>;

const OPERATION: &str = "read settings";

/// The settings of these topics, defaults included, in the same order.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable; with the topic's name when it does
/// not exist, or when access is denied (`KafkaError::is_authorization`).
pub fn topic_config(
    admin: &Admin,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<BTreeMap<String, String>>, KafkaError> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let answers = describe(admin, kind::RD_KAFKA_RESOURCE_TOPIC, topics, timeout)?;
    topics
        .iter()
        .map(|topic| {
            let answer = answers.iter().find(|answer| answer.name == *topic);
            let answer = answer.ok_or_else(|| unanswered(OPERATION, topic))?;
            answer.settings(|code, reason| named(OPERATION, topic, code, reason))
        })
        .collect()
}

/// The settings of one live broker, defaults included.
///
/// # Errors
/// As [`topic_config`].
pub fn broker_config(
    admin: &Admin,
    timeout: Duration,
) -> Result<BTreeMap<String, String>, KafkaError> {
    let deadline = Instant::now() + timeout;
    let id = live_broker(admin, timeout)?.to_string();
    let left = deadline.saturating_duration_since(Instant::now());
    let answers = describe(admin, kind::RD_KAFKA_RESOURCE_BROKER, &[&id], left)?;
    let answer = answers.first().ok_or_else(|| unanswered(OPERATION, &id))?;
    answer.settings(|code, reason| {
        KafkaError::from_code(OPERATION, code, format!("broker {id}: {reason}"))
    })
}

fn describe(
    admin: &Admin,
    kind: kind,
    names: &[&str],
    timeout: Duration,
) -> Result<Vec<Answer>, KafkaError> {
    let requests = Requests::of(names, rd::rd_kafka_ConfigResource_destroy, |name| {
        let name = c_string("the name", name)?;
        // SAFETY: the name is alive and is copied.
        Ok(unsafe { rd::rd_kafka_ConfigResource_new(kind, name.as_ptr()) })
    })?;
    let event = admin.ask(OPERATION, timeout, |client, queue| {
        // SAFETY: client, queue and requests are alive; librdkafka copies the requests.
        unsafe {
            rd::rd_kafka_DescribeConfigs(
                client,
                requests.ptr(),
                requests.len(),
                ptr::null(),
                queue,
            );
        }
    })?;
    let mut count = 0;
    // SAFETY: the event is alive, is this kind of result, and owns the array of live resources.
    unsafe {
        let result = rd::rd_kafka_event_DescribeConfigs_result(event.ptr());
        let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
        Ok(array(resources, count).iter().map(|resource| Answer::of(*resource)).collect())
    }
}

/// What a broker says of one topic or broker.
struct Answer {
    name: String,
    code: i32,
    reason: String,
    settings: Settings,
}

impl Answer {
    /// # Safety
    /// `resource` is alive.
    unsafe fn of(resource: *const rd::rd_kafka_ConfigResource_t) -> Self {
        let mut count = 0;
        // SAFETY: the resource is alive, as the caller vouches, and owns its texts and entries.
        unsafe {
            let entries = rd::rd_kafka_ConfigResource_configs(resource, &raw mut count);
            let mut settings = Settings::new();
            for entry in array(entries, count) {
                let value = rd::rd_kafka_ConfigEntry_value(*entry);
                if !value.is_null() {
                    let name = owned_text(rd::rd_kafka_ConfigEntry_name(*entry));
                    settings.insert(name, owned_text(value));
                }
            }
            Self {
                name: owned_text(rd::rd_kafka_ConfigResource_name(resource)),
                code: rd::rd_kafka_ConfigResource_error(resource) as i32,
                reason: owned_text(rd::rd_kafka_ConfigResource_error_string(resource)),
                settings,
            }
        }
    }

    fn settings(
        &self,
        failed: impl FnOnce(i32, &str) -> KafkaError,
    ) -> Result<Settings, KafkaError> {
        if self.code == 0 {
            return Ok(self.settings.clone());
        }
        let known = error_text(self.code);
        Err(failed(self.code, if self.reason.is_empty() { &known } else { &self.reason }))
    }
}
