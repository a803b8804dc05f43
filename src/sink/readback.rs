//! Reads back which revisions of windows have been published. Runs in the sink thread, in a
//! rebuild only.
//!
//! In:  the horizon at the commit. Out: revision and late events per window that is still retained.
//! Holds: what is read is committed; a record that is none of ours is passed over; windows that
//! another producer's open transaction hides are waited for.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    client::{
        Client, Clock, Questions, RecordConsumer, ScanEnd, ScanEvent, ScanRange, ShortLog,
        TopicScan,
    },
    ids::{EventTimeMs, Offset, PartitionId, WindowStart},
    kafka::{ConsumerSettings, Flow, KafkaError},
    limits,
    window::{PublishedWindow, WindowRules},
};

/// How published windows are read back.
#[derive(Debug, Clone)]
pub struct ReadbackSettings {
    /// A reader of aggregated-usage. It never joins the group.
    pub consumer: ConsumerSettings,
    /// Partitions of aggregated-usage.
    pub partitions: i32,
    /// Largest lead of an event's time over its record's Kafka timestamp.
    pub max_future: Duration,
}

/// The newest published revision of every window that ends after the horizon. `read` counts the
/// records, so that others see progress.
pub(super) fn published<C: Client>(
    client: &C,
    settings: &ReadbackSettings,
    rules: &WindowRules,
    horizon: Option<EventTimeMs>,
    read: &AtomicU64,
) -> Result<BTreeMap<WindowStart, PublishedWindow>, KafkaError> {
    let consumer = client.consumer(&settings.consumer)?;
    let partitions: Vec<_> = (0..settings.partitions).map(PartitionId).collect();
    let log = consumer.logs(&partitions, limits::RECOVERY_QUERY_TIMEOUT)?;
    let starts = starts(&consumer, settings, &log, horizon)?;
    let everything = client.uncommitted(&settings.consumer.client)?;
    let timeout = limits::RECOVERY_QUERY_TIMEOUT;
    let ends = everything.all_ends(&settings.consumer.topic, &partitions, timeout)?;
    let range = |(partition, from)| ScanRange { partition, from, until: ends[&partition] };
    let ranges: Vec<_> = starts.into_iter().map(range).collect();
    let mut scan = TopicScan::begin(consumer, &ranges, ShortLog::Waits)?;
    let mut windows = BTreeMap::new();
    let mut failure = None;
    let clock = client.clock();
    let mut said = clock.now();
    let end = scan.run(clock, limits::READBACK_STALL_TIMEOUT, |event| {
        match event {
            ScanEvent::Record(record) => {
                read.fetch_add(1, Relaxed);
                take(&mut windows, rules, horizon, record.key, record.value);
            }
            ScanEvent::Error(error) if !error.is_retriable() => {
                failure = Some(error);
                return Flow::Stop;
            }
            ScanEvent::Turn { unread } if clock.since(said) >= limits::REPEATED_LOG_INTERVAL => {
                said = clock.now();
                tracing::info!(
                    partitions = unread,
                    "reading published windows back; waiting for transactions that hide them, or \
                     for a broker"
                );
            }
            _ => {}
        }
        Flow::Continue
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    if end == ScanEnd::Stalled {
        tracing::warn!(
            partitions = scan.unread(),
            "published windows could not be read back to the end: another producer's open \
             transaction hides them; revision numbers may repeat"
        );
    }
    drop(scan);
    tracing::info!(windows = windows.len(), "published windows were read back");
    Ok(windows)
}

/// Where to begin: no window can have been published before its events' time, but for the lead
/// that event time may have.
fn starts(
    consumer: &impl RecordConsumer,
    settings: &ReadbackSettings,
    log: &BTreeMap<PartitionId, (Offset, Offset)>,
    horizon: Option<EventTimeMs>,
) -> Result<Vec<(PartitionId, Offset)>, KafkaError> {
    let Some(horizon) = horizon else {
        return Ok(log.iter().map(|(partition, (low, _))| (*partition, *low)).collect());
    };
    let lead = settings.max_future + limits::READBACK_MARGIN;
    let since = horizon.0.saturating_sub(lead.as_millis() as i64);
    let partitions: Vec<_> = log.keys().copied().collect();
    consumer.offset_for_time(&partitions, since, limits::RECOVERY_QUERY_TIMEOUT)
}

fn take(
    windows: &mut BTreeMap<WindowStart, PublishedWindow>,
    rules: &WindowRules,
    horizon: Option<EventTimeMs>,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let Some(window) = PublishedWindow::parse(key, value) else { return };
    if rules.is_late(window.start, horizon) {
        return;
    }
    let known = windows.entry(window.start).or_insert(window);
    if window.meta.revision >= known.meta.revision {
        *known = window;
    }
}
