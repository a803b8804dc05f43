//! Times that are properties of librdkafka, and what follows from the settings where none is given.
//!
//! Pure. In: the layers. Out: the run's `Timing`, and properties as the operator gave them.

use std::time::Duration;

use super::{
    layers::Layers,
    row::Setting,
    table::{CLIENT, COMMIT_INTERVAL, SESSION_TIMEOUT},
};
use crate::{kafka::property_name, limits::Timing};

pub(super) const DELIVERY_TIMEOUT: &str = "message.timeout.ms";
pub(super) const TRANSACTION_TIMEOUT: &str = "transaction.timeout.ms";
pub(super) const POLL_INTERVAL: &str = "max.poll.interval.ms";
pub(super) const HEARTBEAT_INTERVAL: &str = "heartbeat.interval.ms";

/// A property that is a time.
pub(super) struct Time {
    pub(super) value: Duration,
    /// As the operator gave it: `-X transaction.timeout.ms=7000`.
    pub(super) shown: String,
}

/// The run's times; `None` when a setting that they follow from is wrong.
pub(super) fn timing(layers: &Layers) -> Option<Timing> {
    let timing = Timing::of(layers.get(&SESSION_TIMEOUT)?, layers.get(&COMMIT_INTERVAL)?);
    Some(match given(layers, TRANSACTION_TIMEOUT) {
        Some(transaction) => timing.with_transaction(transaction.value),
        None => timing,
    })
}

/// A property that is a number of milliseconds; `None` when it is not given, or is not one, which
/// librdkafka says.
pub(super) fn given(layers: &Layers, name: &str) -> Option<Time> {
    let mut entries = layers.table(&CLIENT).iter().rev();
    let entry = entries.find(|entry| property_name(&entry.name) == name)?;
    let value = Duration::from_millis(entry.text.parse().ok()?);
    Some(Time { value, shown: layers.shown_entry(CLIENT.spec(), entry) })
}
