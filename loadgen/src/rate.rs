//! `loadgen rate`: how fast a topic grows, without its beginning and its end.
//!
//! In:  the end offsets of a topic's partitions, asked for again and again.
//! Out: records per second between a tenth and nine tenths of the expected number.
//! Holds: start-up, group join and the last commit are outside of what is measured; markers of
//!        transactions count as records, a few per commit and partition.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use jiff::SignedDuration;
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{
    Failure, Outcome,
    args::{KafkaArgs, duration},
    client::{self, Reporter},
    stop::Stop,
};

/// `loadgen rate`.
#[derive(Args, Debug, Clone)]
pub(crate) struct RateArgs {
    /// Brokers.
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// Topic that grows; it may not be there yet
    #[arg(long, value_name = "NAME", default_value = "processed-logins")]
    pub(crate) topic: String,

    /// Records that will come into it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) count: u64,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "20ms", value_parser = duration)]
    pub(crate) interval: SignedDuration,

    /// Give up when the topic does not grow for this long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: SignedDuration,
}

/// How long one question to the broker may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

const SETTINGS: &[(&str, &str)] = &[
    // Nothing is read: the end is that of the log, not of what is committed.
    ("group.id", "loadgen-rate"),
    ("enable.auto.commit", "false"),
    ("isolation.level", "read_uncommitted"),
];

/// Runs the command.
pub(crate) fn run(args: &RateArgs, stop: &Stop) -> Result<Outcome, Failure> {
    Ok(measure(args, stop)?)
}

fn measure(args: &RateArgs, stop: &Stop) -> Result<Outcome> {
    let consumer: BaseConsumer<Reporter> = client::config(&args.kafka, SETTINGS)
        .create_with_context(Reporter::new(&args.kafka))
        .context("cannot make a Kafka consumer")?;
    let interval = Duration::try_from(args.interval).context("--interval")?;
    let timeout = Duration::try_from(args.timeout).context("--timeout")?;
    let [from, to] = [0.1, 0.9].map(|share| args.count as f64 * share);
    let mut crossing = Crossing::new(from, to);
    let (began, mut grown) = (Instant::now(), Instant::now());
    let (mut partitions, mut last) = (None, 0);
    while !stop.is_asked() {
        let records = match partitions {
            None => {
                partitions = client::partitions(consumer.client(), &args.topic)?;
                0
            }
            // A topic that was just created has partitions without a leader: no news is no growth.
            Some(partitions) => log_ends(&consumer, &args.topic, partitions).unwrap_or(last),
        };
        if let Some(seconds) = crossing.look(began.elapsed().as_secs_f64(), records as f64) {
            println!("rate {:.0}/s from {from:.0} to {to:.0} records", (to - from) / seconds);
            return Ok(Outcome::Fine);
        }
        if records != last {
            (grown, last) = (Instant::now(), records);
        } else if grown.elapsed() > timeout {
            bail!("{}: {records} of {} records, and no more come", args.topic, args.count);
        }
        std::thread::sleep(interval);
    }
    bail!("stopped at {last} of {} records", args.count)
}

/// Records in the topic's logs: the sum of their ends, as nothing was deleted.
fn log_ends(consumer: &BaseConsumer<Reporter>, topic: &str, partitions: usize) -> Result<i64> {
    let mut asked = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        asked.add_partition_offset(topic, partition, Offset::End)?;
    }
    // The end is a special time: one request per broker, whatever the number of partitions.
    let ends = consumer.offsets_for_times(asked, ANSWER_TIMEOUT).context("cannot ask offsets")?;
    let end = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    Ok(ends.elements().iter().map(|partition| end(partition.offset())).sum())
}

/// When a growing number passes two marks. Between two looks it grows evenly.
struct Crossing {
    marks: [f64; 2],
    passed_at: [Option<f64>; 2],
    last: (f64, f64),
}

impl Crossing {
    fn new(from: f64, to: f64) -> Self {
        Self { marks: [from, to], passed_at: [None; 2], last: (0.0, 0.0) }
    }

    /// The number at a time, seconds. Returns the seconds between the marks once both are passed.
    fn look(&mut self, at: f64, number: f64) -> Option<f64> {
        let (before_at, before) = self.last;
        for (mark, passed_at) in self.marks.iter().zip(&mut self.passed_at) {
            if passed_at.is_none() && number >= *mark {
                let share = if number > before { (mark - before) / (number - before) } else { 1.0 };
                *passed_at = Some(before_at + share * (at - before_at));
            }
        }
        self.last = (at, number);
        Some(self.passed_at[1]? - self.passed_at[0]?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_the_marks_is_interpolated() {
        let mut crossing = Crossing::new(10.0, 90.0);
        assert_eq!(crossing.look(1.0, 0.0), None);
        // The first mark halfway between the two looks, the second one at three quarters.
        assert_eq!(crossing.look(2.0, 20.0), None);
        assert_eq!(crossing.look(3.0, 60.0), None);
        assert_eq!(crossing.look(4.0, 100.0), Some(3.75 - 1.5));
    }

    #[test]
    fn both_marks_may_be_passed_between_two_looks() {
        let mut crossing = Crossing::new(10.0, 90.0);
        assert_eq!(crossing.look(1.0, 100.0), Some(0.9 - 0.1));
    }
}
