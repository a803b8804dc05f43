//! Which brokers of the cluster this machine reaches at the addresses that they advertise.
//!
//! Out: a live broker's number; the brokers that do not answer, each with its address and the
//! reason. Used by the start-up checks, `logintide check-config`, and a run that cannot read.
//! Holds: a broker that refuses the question is reached.
//!
//! NOTE: once a bootstrap address has named the brokers, librdkafka leaves it, and while none of
//! them is reached no metadata is to be had. Its own statistics name them all the same.

use std::{
    ptr,
    time::{Duration, Instant},
};

use rdkafka::bindings::{self as rd, rd_kafka_ResourceType_t as kind};

use super::{client::Admin, requests::Requests};
use crate::{
    kafka::native::{
        ClientSettings, Event, KafkaError, METADATA, Queue, array, c_string, is_broker_away,
        owned_text,
    },
    limits::ADMIN_STATISTICS_INTERVAL,
};

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
    /// What is wrong with each of several.
    pub fn explain_all(brokers: &[Self]) -> String {
        brokers.iter().map(Self::explain).collect::<Vec<_>>().join("; ")
    }

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

/// As [`unreachable_brokers`], where it may be that none is reached: through a client of its
/// own.
///
/// # Errors
/// `Timeout` while no bootstrap address answers.
pub fn find_unreachable_brokers(
    settings: &ClientSettings,
    timeout: Duration,
) -> Result<Vec<UnreachableBroker>, KafkaError> {
    let deadline = Instant::now() + timeout;
    let admin = Admin::with_statistics(settings, ADMIN_STATISTICS_INTERVAL)?;
    let unknown = || admin.client().timeout(METADATA, timeout);
    let brokers = learned(&admin, deadline).ok_or_else(unknown)?;
    silent(&admin, brokers, deadline, timeout)
}

/// A broker as the cluster names it.
struct Advertised {
    id: i32,
    address: String,
}

/// The number of a broker that answers.
///
/// # Errors
/// `Timeout` or `Retriable` while no broker is reachable.
pub(super) fn live_broker(admin: &Admin, timeout: Duration) -> Result<i32, KafkaError> {
    let id = admin.read_metadata(None, timeout, |metadata| match metadata.orig_broker_id {
        // The answer came through a bootstrap address, which has no number of its own.
        // SAFETY: the array holds that many brokers while the metadata lives.
        ..0 if metadata.broker_cnt > 0 => unsafe { (*metadata.brokers).id },
        id => id,
    });
    match id.map_err(|error| admin.explained(error, timeout))? {
        ..0 => Err(admin.client().timeout(METADATA, timeout)),
        id => Ok(id),
    }
}

/// Asks every broker of the cluster a question at the address that it advertises. The result
/// is the brokers that have not answered within the timeout, which is for all of them together.
///
/// # Errors
/// `Timeout` or `Retriable` while none of them is reachable.
pub fn unreachable_brokers(
    admin: &Admin,
    timeout: Duration,
) -> Result<Vec<UnreachableBroker>, KafkaError> {
    let deadline = Instant::now() + timeout;
    let brokers = advertised(admin, timeout).map_err(|error| admin.explained(error, timeout))?;
    silent(admin, brokers, deadline, timeout)
}

fn silent(
    admin: &Admin,
    brokers: Vec<Advertised>,
    deadline: Instant,
    timeout: Duration,
) -> Result<Vec<UnreachableBroker>, KafkaError> {
    let answers: Result<Vec<_>, _> =
        brokers.iter().map(|broker| ask_broker(admin, broker.id)).collect();
    let mut silent = Vec::new();
    for (broker, answer) in brokers.into_iter().zip(answers?) {
        let left = deadline.saturating_duration_since(Instant::now());
        match answer.poll(left) {
            Some(answer) if !is_broker_away(answer.error_code()) => {}
            answer => silent.push((broker, answer)),
        }
    }
    admin.serve_events();
    Ok(silent.into_iter().map(|(b, answer)| unreachable(admin, b, answer, timeout)).collect())
}

fn unreachable(
    admin: &Admin,
    broker: Advertised,
    answer: Option<Event>,
    timeout: Duration,
) -> UnreachableBroker {
    let Advertised { id, address } = broker;
    let error = admin.client().context().last_error_with(id);
    let why = error.or_else(|| answer.map(|answer| answer.error_text()));
    let why = why.unwrap_or_else(|| {
        let ms = timeout.as_millis();
        format!("no answer within {ms} ms (packets that are lost, or a slow line)")
    });
    UnreachableBroker { id, address, why }
}

fn advertised(admin: &Admin, timeout: Duration) -> Result<Vec<Advertised>, KafkaError> {
    admin.read_metadata(None, timeout, |metadata| {
        let count = usize::try_from(metadata.broker_cnt).expect("a count is not negative");
        // SAFETY: the array holds that many brokers, with their names, while the metadata
        // lives.
        let brokers = unsafe { array(metadata.brokers, count) };
        let named = brokers.iter().map(|broker| Advertised {
            id: broker.id,
            // SAFETY: as above.
            address: format!("{}:{}", unsafe { owned_text(broker.host) }, broker.port),
        });
        named.collect()
    })
}

/// The brokers that a bootstrap address has named, by the client's statistics.
fn learned(admin: &Admin, deadline: Instant) -> Option<Vec<Advertised>> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = admin.next_event(left)?;
        if event.kind() != rd::RD_KAFKA_EVENT_STATS {
            admin.serve_event(&event);
            continue;
        }
        // SAFETY: the event is alive and of this kind, and keeps its text alive.
        let statistics = unsafe { owned_text(rd::rd_kafka_event_stats(event.ptr())) };
        let brokers = named_in(&statistics);
        if !brokers.is_empty() {
            return Some(brokers);
        }
    }
}

/// Sends a question to one broker; its answer comes to the queue.
fn ask_broker(admin: &Admin, id: i32) -> Result<Queue, KafkaError> {
    let name = id.to_string();
    let requests = Requests::of(&[name], rd::rd_kafka_ConfigResource_destroy, |name| {
        let name = c_string("the broker", name)?;
        let broker = kind::RD_KAFKA_RESOURCE_BROKER;
        // SAFETY: the name is alive and is copied.
        Ok(unsafe { rd::rd_kafka_ConfigResource_new(broker, name.as_ptr()) })
    })?;
    let answers = Queue::new(&admin.client());
    // SAFETY: client, queue and requests are alive; librdkafka copies the requests.
    unsafe {
        rd::rd_kafka_DescribeConfigs(
            admin.client().ptr(),
            requests.ptr(),
            requests.len(),
            ptr::null(),
            answers.ptr(),
        );
    }
    Ok(answers)
}

/// Brokers with a number in librdkafka's statistics; a bootstrap address has none.
fn named_in(statistics: &str) -> Vec<Advertised> {
    let statistics: serde_json::Value = serde_json::from_str(statistics).unwrap_or_default();
    let brokers = statistics["brokers"].as_object().into_iter().flatten();
    let named = brokers.filter_map(|(_, broker)| {
        let id = i32::try_from(broker["nodeid"].as_i64()?).ok().filter(|id| *id >= 0)?;
        let address = broker["nodename"].as_str().filter(|name| !name.is_empty())?.to_owned();
        Some(Advertised { id, address })
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_name_the_brokers_and_not_the_bootstrap_address() {
        let text = r#"{"brokers": {
            "b:1/bootstrap": {"nodeid": -1, "nodename": "b:1", "source": "configured"},
            "GroupCoordinator": {"nodeid": -1, "nodename": "", "source": "logical"},
            "a:2/7": {"nodeid": 7, "nodename": "a:2", "source": "learned"}}}"#;
        let named: Vec<_> = named_in(text).into_iter().map(|b| (b.id, b.address)).collect();
        assert_eq!(named, [(7, "a:2".to_owned())]);
        assert!(named_in("{}").is_empty() && named_in("").is_empty());
    }
}
