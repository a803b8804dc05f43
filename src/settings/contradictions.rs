//! Settings that are right by themselves and cannot hold together, and properties that cannot be
//! set.
//!
//! Pure. Holds: each problem names both settings as the operator gave them, and what to change. The
//! client checks the same once more when it is built, so that no other caller can go around it.

use std::collections::BTreeMap;

use super::{
    layers::Layers,
    row::{Row, Setting},
    table::{
        ALLOWED_LATENESS, CLIENT, COMMIT_INTERVAL, DELIVERY, GRACE, HTTP, HTTP_OPEN, HTTP_TOKEN,
        MEMORY_BUDGET, SESSION_TIMEOUT, WORKERS, of_topic,
    },
    times::{self, DELIVERY_TIMEOUT, HEARTBEAT_INTERVAL, POLL_INTERVAL, TRANSACTION_TIMEOUT},
};
use crate::{
    config::{Delivery, MemoryPlan, Problems, secrets},
    kafka::{check_property, protected_property},
    limits::{self, Timing},
    topics::Topic,
};

/// Notes everything that contradicts something else.
pub(super) fn check(layers: &Layers, problems: &mut Problems) {
    let mut rules = Rules { layers, problems };
    rules.topics();
    rules.grace_and_lateness();
    rules.http();
    rules.properties();
    if let Some(timing) = times::timing(layers) {
        rules.delivery_and_transaction(timing);
        rules.session_and_others(timing);
    }
    // In at-least-once a transaction is opened when its epoch is complete.
    if layers.get(&DELIVERY) == Some(Delivery::ExactlyOnce) {
        rules.interval_and_transaction();
    }
    rules.memory_and_workers();
}

struct Rules<'a> {
    layers: &'a Layers,
    problems: &'a mut Problems,
}

impl Rules<'_> {
    fn invalid(&mut self, setting: &dyn Setting, what: &str) {
        self.problems.add(self.layers.invalid(setting, what));
    }

    /// Each topic is another one.
    fn topics(&mut self) {
        let mut users: BTreeMap<String, &Row<String>> = BTreeMap::new();
        for row in Topic::ALL.map(of_topic) {
            let Some(topic) = self.layers.get(row) else { continue };
            match users.get(&topic) {
                Some(first) => {
                    let first = self.layers.quoted(*first);
                    self.invalid(row, &format!("expected another topic than {first} has"));
                }
                None => _ = users.insert(topic, row),
            }
        }
    }

    fn grace_and_lateness(&mut self) {
        let (grace, lateness) = (self.layers.get(&GRACE), self.layers.get(&ALLOWED_LATENESS));
        if grace > lateness && lateness.is_some() {
            let other = self.layers.shown(&ALLOWED_LATENESS);
            let what = format!("expected at most {other}; shorten it or lengthen the other");
            self.invalid(&GRACE, &what);
        }
    }

    /// Other machines may come in only when the operator has said how.
    fn http(&mut self) {
        let (address, is_open) = (self.layers.get(&HTTP), self.layers.get(&HTTP_OPEN));
        let (Some(address), Some(is_open)) = (address, is_open) else { return };
        let has_token = self.layers.value(&HTTP_TOKEN).is_some();
        let is_remote = address.is_some_and(|address| !address.ip().to_canonical().is_loopback());
        if is_remote && !has_token && !is_open {
            let what = "other machines can reach this address; set a token in \
                        LOGINTIDE_HTTP_TOKEN, or let everyone read with --http-open";
            self.invalid(&HTTP, what);
        }
        if has_token && is_open {
            let (open, token) = (self.layers.quoted(&HTTP_OPEN), self.layers.quoted(&HTTP_TOKEN));
            self.problems.add(format!("{open} and {token} exclude each other; keep one"));
        }
    }

    /// Properties that are reserved, that librdkafka does not know, or whose value it refuses.
    fn properties(&mut self) {
        for entry in self.layers.table(&CLIENT) {
            let what = if let Some(remedy) = protected_property(&entry.name) {
                format!("this property cannot be set; {remedy}")
            } else if entry.is_path {
                continue;
            } else if let Err(what) = check_property(&entry.name, &entry.text) {
                let is_secret = secrets::is_secret(&entry.name);
                let what = if is_secret { "librdkafka refuses it".to_owned() } else { what };
                format!("{what}; see librdkafka's CONFIGURATION.md")
            } else {
                continue;
            };
            self.problems.add(self.layers.invalid_entry(CLIENT.spec(), entry, what));
        }
    }

    /// A record that could outlive its transaction would be lost with it.
    fn delivery_and_transaction(&mut self, timing: Timing) {
        let Some(delivery) = times::given(self.layers, DELIVERY_TIMEOUT) else { return };
        // 0 is librdkafka's "for ever".
        if !delivery.value.is_zero() && delivery.value <= timing.transaction() {
            return;
        }
        let transaction = times::given(self.layers, TRANSACTION_TIMEOUT).map_or_else(
            || format!("{TRANSACTION_TIMEOUT}={}", timing.transaction().as_millis()),
            |given| given.shown,
        );
        self.problems.add(format!(
            "{} is above {transaction} (0 means no limit): a record could outlive its \
             transaction; lower the first or raise the second",
            delivery.shown
        ));
    }

    /// A transaction lasts as long as an epoch, and the broker ends one that lasts too long. What
    /// follows from the interval itself is long enough.
    fn interval_and_transaction(&mut self) {
        let Some(interval) = self.layers.get(&COMMIT_INTERVAL) else { return };
        let most = limits::TRANSACTION_COMMIT_INTERVAL_MAX;
        if interval > most {
            let what = format!(
                "expected at most {most:?}, which a transaction may last; shorten it, or use \
                 --delivery at-least-once"
            );
            return self.invalid(&COMMIT_INTERVAL, &what);
        }
        let Some(transaction) = times::given(self.layers, TRANSACTION_TIMEOUT) else { return };
        let most = transaction.value / limits::TRANSACTION_INTERVALS;
        if interval > most {
            let what = format!(
                "expected at most {most:?}, a quarter of {}: a transaction lasts up to two \
                 intervals, and retries need time too; shorten it or raise the other",
                transaction.shown
            );
            self.invalid(&COMMIT_INTERVAL, &what);
        }
    }

    /// A session that ends before the next heartbeat, or lasts longer than a poll may take.
    fn session_and_others(&mut self, timing: Timing) {
        let session = self.layers.shown(&SESSION_TIMEOUT);
        if let Some(heartbeat) = times::given(self.layers, HEARTBEAT_INTERVAL)
            && heartbeat.value >= timing.session()
        {
            self.problems.add(format!(
                "{} is not below {session}: the group would give the partitions away between two \
                 heartbeats; set the first to a third of the second",
                heartbeat.shown
            ));
        }
        if let Some(poll) = times::given(self.layers, POLL_INTERVAL)
            && poll.value < timing.session()
        {
            self.problems.add(format!(
                "{} is below {session}; raise the first or shorten the second",
                poll.shown
            ));
        }
    }

    /// The default number of workers always fits.
    fn memory_and_workers(&mut self) {
        let (memory, workers) = (self.layers.get(&MEMORY_BUDGET), self.layers.get(&WORKERS));
        let (Some(memory), Some(workers)) = (memory, workers) else { return };
        let smallest = MemoryPlan::smallest_mib(workers);
        if memory.total < smallest << 20 {
            let of_workers = self.layers.shown(&WORKERS);
            let what = format!(
                "expected at least {smallest}MiB, which {of_workers} needs; raise it or lower the \
                 other"
            );
            self.invalid(&MEMORY_BUDGET, &what);
        }
    }
}
