//! `loadgen latency`: measures how long events or windows take to a reader.
//!
//! In:  new records of a topic, as a `read_committed` reader gets them.
//! Out: percentiles of now - `sent_us`, an event's scheduled send time, or of now - a window's
//!      closing time, in milliseconds; the first seconds can be left out.
//! Holds: the clock is read once per record, as soon as it arrives; all clocks are one machine's.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use jiff::{SignedDuration, Timestamp};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    message::Message as _,
};

use crate::{
    Failure, Outcome,
    args::KafkaArgs,
    client::{self, Reporter},
    stop::Stop,
    values::duration,
};

/// `loadgen latency`.
#[derive(Args, Debug, Clone)]
pub(crate) struct LatencyArgs {
    /// Brokers.
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// Topic to read, from its end
    #[arg(long, value_name = "NAME", default_value = "processed-logins")]
    pub(crate) topic: String,

    /// What the records are
    #[arg(long, value_enum, default_value_t = Of::Events)]
    pub(crate) of: Of,

    /// Of windows: the program's --grace, which the closing time includes
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub(crate) grace: SignedDuration,

    /// How long to read
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) duration: SignedDuration,

    /// Ignore events within this time after the first one
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(crate) skip: SignedDuration,
}

/// What a time is taken of.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Events, from when they were scheduled to be sent
    Events,
    /// Windows, from their end and the grace to their first record
    Windows,
}

/// How long one poll waits for a record.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// Longest latency that is recorded, microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;

const SETTINGS: &[(&str, &str)] = &[
    // The group is never joined and nothing is committed; assigning partitions needs a name.
    ("group.id", "loadgen-latency"),
    ("enable.auto.commit", "false"),
    ("isolation.level", "read_committed"),
    // Small responses, so that records arrive soon.
    ("fetch.wait.max.ms", "10"),
    ("fetch.queue.backoff.ms", "10"),
];

/// Runs the command.
pub(crate) fn run(args: &LatencyArgs, stop: &Stop) -> Result<Outcome, Failure> {
    Ok(measure(args, stop)?)
}

fn measure(args: &LatencyArgs, stop: &Stop) -> Result<Outcome> {
    let consumer: BaseConsumer<Reporter> = client::config(&args.kafka, SETTINGS)
        .create_with_context(Reporter::new(&args.kafka))
        .context("cannot create a Kafka consumer")?;
    let Some(partitions) = client::partitions(consumer.client(), &args.topic)? else {
        bail!("topic {} does not exist", args.topic);
    };
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        all.add_partition_offset(&args.topic, partition, Offset::End)?;
    }
    consumer.assign(&all).context("cannot assign")?;
    let duration = Duration::try_from(args.duration).context("--duration")?;
    let skip = Duration::try_from(args.skip).context("--skip")?;
    let grace_us = Duration::try_from(args.grace).context("--grace")?.as_micros() as u64;
    let mut latencies = Histogram::<u64>::new_with_max(LONGEST_US, 3).context("a histogram")?;
    let (mut first, mut skipped) = (None, 0_u64);
    let began = Instant::now();
    while !stop.is_asked() && began.elapsed() < duration {
        let Some(message) = consumer.poll(POLL_TIMEOUT) else { continue };
        let message = message.context("cannot read")?;
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_micros();
        let Some(value) = message.payload() else { continue };
        let Some(from_us) = (match args.of {
            Of::Events => sent_us(value),
            Of::Windows => end_us(value).map(|end_us| end_us + grace_us),
        }) else {
            continue;
        };
        if first.get_or_insert_with(Instant::now).elapsed() < skip {
            skipped += 1;
            continue;
        }
        latencies.saturating_record((now_us as u64).saturating_sub(from_us));
    }
    let count = latencies.len();
    let what = match args.of {
        Of::Events => "events",
        Of::Windows => "windows",
    };
    if count == 0 {
        let sought = match args.of {
            Of::Events => "event with a sent_us",
            Of::Windows => "first record of a window",
        };
        bail!("no {sought} arrived in {} within {duration:?}", args.topic);
    }
    let at = |percent| latencies.value_at_percentile(percent) as f64 / 1000.0;
    println!(
        "{count} {what} after the first {skipped}: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, \
         p99.9 {:.1} ms, max {:.1} ms",
        at(50.0),
        at(90.0),
        at(99.0),
        at(99.9),
        latencies.max() as f64 / 1000.0
    );
    Ok(Outcome::Fine)
}

/// The event's scheduled send time, microseconds since the Unix epoch.
fn sent_us(value: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Sent {
        sent_us: u64,
    }
    serde_json::from_slice::<Sent>(value).ok().map(|event| event.sent_us)
}

/// The end of the window whose first record this is, microseconds since the Unix epoch.
fn end_us(value: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Window {
        window_end: String,
        revision: u32,
    }
    let window = serde_json::from_slice::<Window>(value).ok()?;
    let end: Timestamp = window.window_end.parse().ok()?;
    if window.revision == 1 { end.as_microsecond().try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_record_of_a_window_counts() {
        let record = |revision| {
            format!(r#"{{"window_end": "2024-11-03T17:02:00Z", "revision": {revision}}}"#)
        };
        assert_eq!(end_us(record(1).as_bytes()), Some(1_730_653_320_000_000));
        assert_eq!(end_us(record(2).as_bytes()), None);
        assert_eq!(end_us(b"{}"), None);
    }

    #[test]
    fn the_send_time_is_found_in_events_that_have_one() {
        assert_eq!(sent_us(br#"{"a": "b", "sent_us": 17, "hour_of_day": 0}"#), Some(17));
        assert_eq!(sent_us(br#"{"a": "b"}"#), None);
        assert_eq!(sent_us(b"no event"), None);
    }
}
