//! Settings that are right by themselves and cannot hold together, and properties that cannot be
//! set.
//!
//! Pure. Holds: each problem names both settings as the operator gave them, and what to change. The
//! client checks the same once more when it is built, so that no other caller can go around it.

use std::{fmt, time::Duration};

use super::{Checker, Parts, keys::CLIENT, layers::Entry};
use crate::{
    config::{Delivery, MemoryPlan, secrets},
    kafka::{check_property, property_name, protected_property},
    limits,
};

const DELIVERY_TIMEOUT: &str = "message.timeout.ms";
const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";
const POLL_INTERVAL: &str = "max.poll.interval.ms";
const SESSION_TIMEOUT: &str = "session.timeout.ms";
const HEARTBEAT_INTERVAL: &str = "heartbeat.interval.ms";

/// A property that is a time.
struct Time {
    value: Duration,
    /// As the operator gave it: `-X transaction.timeout.ms=7000`; of a default only the property.
    shown: String,
    is_given: bool,
}

impl Checker {
    /// Notes everything that contradicts something else.
    pub(super) fn contradictions(&mut self, parts: &Parts) {
        self.properties();
        if parts.delivery == Some(Delivery::ExactlyOnce) {
            self.delivery_and_transaction();
            self.interval_and_transaction(parts.commit_interval);
        }
        self.interval_and_poll(parts.commit_interval);
        self.session_and_others();
        self.memory_and_workers(parts);
    }

    /// Properties that nobody may set, that librdkafka does not know, or whose value it refuses.
    fn properties(&mut self) {
        for entry in self.layers.table(CLIENT) {
            let setting = self.layers.name_at(CLIENT, entry.origin);
            let shown = shown_pair(entry);
            if let Some(remedy) = protected_property(&entry.name) {
                let what = format!("this property cannot be set; {remedy}");
                self.problems.add(&setting, &shown, what);
                continue;
            }
            if entry.is_path {
                continue;
            }
            if let Err(what) = check_property(&entry.name, &entry.text) {
                let is_secret = secrets::is_secret(&entry.name);
                let what = if is_secret { "librdkafka refuses it".to_owned() } else { what };
                let what = format!("{what}; see librdkafka's CONFIGURATION.md");
                self.problems.add(&setting, &shown, what);
            }
        }
    }

    /// A record that could outlive its transaction would be lost with it.
    fn delivery_and_transaction(&mut self) {
        let delivery = self.time(DELIVERY_TIMEOUT, limits::DELIVERY_TIMEOUT);
        let transaction = self.time(TRANSACTION_TIMEOUT, limits::TRANSACTION_TIMEOUT);
        let (Some(delivery), Some(transaction)) = (delivery, transaction) else { return };
        // 0 is librdkafka's "for ever".
        let fits = !delivery.value.is_zero() && delivery.value <= transaction.value;
        if fits || !(delivery.is_given || transaction.is_given) {
            return;
        }
        let (delivery, transaction) = (delivery.shown, transaction.shown);
        self.problems.add_text(format!(
            "{delivery}: is above {transaction} (0 is no limit), so a record could outlive its \
             transaction; lower it or raise the other"
        ));
    }

    fn interval_and_transaction(&mut self, interval: Option<Duration>) {
        let transaction = self.time(TRANSACTION_TIMEOUT, limits::TRANSACTION_TIMEOUT);
        let (Some(interval), Some(transaction)) = (interval, transaction) else { return };
        let most = transaction.value / limits::TRANSACTION_INTERVALS;
        if interval > most {
            let transaction = transaction.shown;
            self.wrong(
                "commit_interval",
                format!(
                    "is above {most:?}, a quarter of {transaction}: a transaction lasts up to two \
                     intervals, and trouble takes time too; shorten it or raise the other"
                ),
            );
        }
    }

    /// The group drops a member that is quiet for so long, and a rollback takes it some time.
    fn interval_and_poll(&mut self, interval: Option<Duration>) {
        let poll = self.time(POLL_INTERVAL, limits::MAX_POLL_INTERVAL);
        let (Some(interval), Some(poll)) = (interval, poll) else { return };
        let most = poll.value / 2;
        if interval > most {
            let poll = poll.shown;
            self.wrong(
                "commit_interval",
                format!(
                    "is above {most:?}, half of {poll}: the group could take the partitions away \
                     before an epoch ends; shorten it or raise the other"
                ),
            );
        }
    }

    /// A session that ends before the next heartbeat, or lasts longer than a poll may take.
    fn session_and_others(&mut self) {
        let heartbeat = self.time(HEARTBEAT_INTERVAL, limits::HEARTBEAT_INTERVAL);
        let session = self.time(SESSION_TIMEOUT, limits::SESSION_TIMEOUT);
        let poll = self.time(POLL_INTERVAL, limits::MAX_POLL_INTERVAL);
        if let (Some(heartbeat), Some(session)) = (heartbeat, &session)
            && heartbeat.value >= session.value
        {
            self.problems.add_text(format!(
                "{}: is not below {}, so the group gives the partitions away between two \
                 heartbeats; set it to a third of the other",
                heartbeat.shown, session.shown
            ));
        }
        if let (Some(session), Some(poll)) = (session, poll)
            && session.value > poll.value
        {
            self.problems.add_text(format!(
                "{}: is above {}; lower it or raise the other",
                session.shown, poll.shown
            ));
        }
    }

    fn memory_and_workers(&mut self, parts: &Parts) {
        let (Some(memory), Some(workers)) = (parts.memory, parts.workers) else { return };
        let smallest = MemoryPlan::smallest_mib(workers);
        if memory.total < smallest << 20 {
            let of_workers = self.shown("workers");
            self.wrong(
                "memory_budget",
                format!(
                    "is below the {smallest}MiB that {of_workers} cannot work without; raise it or \
                     lower --workers"
                ),
            );
        }
    }

    /// A property that is a number of milliseconds; `None` when it is given and is none, which
    /// librdkafka says.
    fn time(&self, name: &str, default: Duration) -> Option<Time> {
        let mut entries = self.layers.table(CLIENT).iter().rev();
        let Some(entry) = entries.find(|entry| property_name(&entry.name) == name) else {
            let shown = format!("{name}={}", default.as_millis());
            return Some(Time { value: default, shown, is_given: false });
        };
        let value = Duration::from_millis(entry.text.parse().ok()?);
        let setting = self.layers.name_at(CLIENT, entry.origin);
        let shown = format!("{setting} {}", shown_pair(entry));
        Some(Time { value, shown, is_given: true })
    }
}

/// `name=value`; of a secret the name alone.
fn shown_pair(entry: &Entry) -> String {
    let shown: &dyn fmt::Display =
        if secrets::is_secret(&entry.name) { &"(not shown)" } else { &entry.text };
    format!("{}={shown}", entry.name)
}
