//! `loadgen rate`: measures how fast a topic grows, without the beginning and the end.
//!
//! In:  the end offsets of a topic's partitions, polled at an interval.
//! Out: records per second between a tenth and nine tenths of the expected number, and the longest
//! time in between in which a partition did not grow.
//! Holds: start-up, group join and the last commit are not measured; markers of transactions count
//! as records, a few per commit and partition.

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
    args::KafkaArgs,
    client::{self, Reporter},
    stop::Stop,
    values::duration,
};

/// `loadgen rate`.
#[derive(Args, Debug, Clone)]
pub(crate) struct RateArgs {
    /// Brokers.
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// Topic that grows; it need not exist yet
    #[arg(long, value_name = "NAME", default_value = "processed-logins")]
    pub(crate) topic: String,

    /// Records that it will get
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) count: u64,

    /// Time between two polls
    #[arg(long, value_name = "DURATION", default_value = "20ms", value_parser = duration)]
    pub(crate) interval: SignedDuration,

    /// Give up when the topic does not grow for this long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) timeout: SignedDuration,

    /// Count only what a reader of committed records may read
    #[arg(long)]
    pub(crate) committed: bool,
}

/// Timeout of a query to the broker.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

const SETTINGS: &[(&str, &str)] = &[
    // Nothing is read; only the end of the log counts.
    ("group.id", "loadgen-rate"),
    ("enable.auto.commit", "false"),
];

/// Runs the command.
pub(crate) fn run(args: &RateArgs, stop: &Stop) -> Result<Outcome, Failure> {
    Ok(measure(args, stop)?)
}

fn measure(args: &RateArgs, stop: &Stop) -> Result<Outcome> {
    let mut config = client::config(&args.kafka, SETTINGS);
    // The end of a log is that of its records, or where the first open transaction begins.
    config
        .set("isolation.level", if args.committed { "read_committed" } else { "read_uncommitted" });
    let consumer: BaseConsumer<Reporter> = config
        .create_with_context(Reporter::new(&args.kafka))
        .context("cannot create a Kafka consumer")?;
    let interval = Duration::try_from(args.interval).context("--interval")?;
    let timeout = Duration::try_from(args.timeout).context("--timeout")?;
    let [from, to] = [0.1, 0.9].map(|share| args.count as f64 * share);
    let (mut crossing, mut standstill) = (Crossing::new(from, to), Standstill::default());
    let (began, mut grown) = (Instant::now(), Instant::now());
    let (mut partitions, mut ends) = (None, Vec::new());
    while !stop.is_asked() {
        let seen: Vec<i64> = match partitions {
            None => {
                partitions = client::partitions(consumer.client(), &args.topic)?;
                Vec::new()
            }
            // The partitions of a new topic have no leader at first; then it has not grown.
            Some(partitions) => {
                log_ends(&consumer, &args.topic, partitions).unwrap_or_else(|_| ends.clone())
            }
        };
        let (at, records) = (began.elapsed().as_secs_f64(), seen.iter().sum::<i64>());
        if records as f64 >= from {
            standstill.look(at, &seen);
        }
        if let Some(seconds) = crossing.look(at, records as f64) {
            println!(
                "rate {:.0}/s from {from:.0} to {to:.0} records, longest standstill of a \
                 partition {:.0} ms",
                (to - from) / seconds,
                standstill.longest_s * 1e3
            );
            return Ok(Outcome::Fine);
        }
        if seen != ends {
            (grown, ends) = (Instant::now(), seen);
        } else if grown.elapsed() > timeout {
            bail!("topic {}: no growth after {records} of {} records", args.topic, args.count);
        }
        std::thread::sleep(interval);
    }
    bail!("stopped at {} of {} records", ends.iter().sum::<i64>(), args.count)
}

/// The ends of the topic's logs: its records, because nothing was deleted.
fn log_ends(consumer: &BaseConsumer<Reporter>, topic: &str, partitions: usize) -> Result<Vec<i64>> {
    let mut asked = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        asked.add_partition_offset(topic, partition, Offset::End)?;
    }
    // A query with a special time returns the ends, with one request per broker.
    let ends =
        consumer.offsets_for_times(asked, ANSWER_TIMEOUT).context("cannot query the log ends")?;
    let end = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
    Ok(ends.elements().iter().map(|partition| end(partition.offset())).collect())
}

/// Finds the longest time in which one partition did not grow.
#[derive(Default)]
struct Standstill {
    /// Each partition's end, and when it was first seen there.
    since: Vec<(i64, f64)>,
    longest_s: f64,
}

impl Standstill {
    /// Takes the partitions' ends at a time in seconds.
    fn look(&mut self, at: f64, ends: &[i64]) {
        self.since.resize_with(ends.len(), || (-1, at));
        for ((end, since), now) in self.since.iter_mut().zip(ends) {
            self.longest_s = self.longest_s.max(at - *since);
            if end != now {
                (*end, *since) = (*now, at);
            }
        }
    }
}

/// Finds the times at which a growing number passes two marks, by interpolation between two polls.
struct Crossing {
    marks: [f64; 2],
    passed_at: [Option<f64>; 2],
    last: (f64, f64),
}

impl Crossing {
    fn new(from: f64, to: f64) -> Self {
        Self { marks: [from, to], passed_at: [None; 2], last: (0.0, 0.0) }
    }

    /// Takes the number at a time in seconds. Returns the seconds between the marks once it has
    /// passed both.
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
        // The first mark is halfway between the two polls, the second one at three quarters.
        assert_eq!(crossing.look(2.0, 20.0), None);
        assert_eq!(crossing.look(3.0, 60.0), None);
        assert_eq!(crossing.look(4.0, 100.0), Some(3.75 - 1.5));
    }

    #[test]
    fn a_partition_that_stands_still_beside_one_that_grows_is_found() {
        let mut standstill = Standstill::default();
        for (at, ends) in [(1.0, [5, 5]), (2.0, [6, 5]), (3.0, [7, 5]), (4.5, [8, 6])] {
            standstill.look(at, &ends);
        }
        assert!((standstill.longest_s - 3.5).abs() < 1e-9, "{}", standstill.longest_s);
        // One that stands still at the end counts too.
        standstill.look(9.0, &[8, 7]);
        assert!((standstill.longest_s - 4.5).abs() < 1e-9, "{}", standstill.longest_s);
    }

    #[test]
    fn both_marks_may_be_passed_between_two_looks() {
        let mut crossing = Crossing::new(10.0, 90.0);
        assert_eq!(crossing.look(1.0, 100.0), Some(0.9 - 0.1));
    }
}
