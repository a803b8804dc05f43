//! `loadgen settled`: says whether open transactions hide anything from `read_committed` readers.
//!
//! In:  names of topics. Out: each topic's end for every reader, and what is hidden of it.
//! Holds: a commit is answered before every partition has its marker, so a topic has until
//! `--timeout` to settle.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use jiff::SignedDuration;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
};

use crate::{
    Failure, Outcome,
    args::KafkaArgs,
    client::{self, Reporter},
    stop::Stop,
    values::duration,
};

/// Timeout of a query for the end of a partition.
const ENDS_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two looks at a topic.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const SETTINGS: &[(&str, &str)] = &[("group.id", "loadgen-settled")];

/// `loadgen settled`.
#[derive(Args, Debug)]
pub(crate) struct SettledArgs {
    /// Brokers.
    #[command(flatten)]
    kafka: KafkaArgs,

    /// Topic that must not be hidden by an open transaction; repeat it for others
    #[arg(long = "topic", value_name = "TOPIC", required = true)]
    topics: Vec<String>,

    /// How long a transaction may stay open before it counts
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    timeout: SignedDuration,
}

/// The end of each partition for this reader: with `read_committed` the last stable offset, else
/// the high watermark.
pub(crate) fn ends(
    reader: &BaseConsumer<Reporter>,
    topic: &str,
    partitions: usize,
) -> Result<Vec<i64>> {
    let end = |partition| reader.fetch_watermarks(topic, partition, ENDS_TIMEOUT);
    let ends = (0..partitions as i32).map(|partition| Ok(end(partition)?.1));
    let ends: Result<_, KafkaError> = ends.collect();
    ends.with_context(|| format!("cannot query the ends of {topic}"))
}

/// Runs the command.
pub(crate) fn run(args: &SettledArgs, stop: &Stop) -> Result<Outcome, Failure> {
    Ok(look(args, stop)?)
}

fn look(args: &SettledArgs, stop: &Stop) -> Result<Outcome> {
    let reader = |isolation| -> Result<BaseConsumer<Reporter>> {
        client::config(&args.kafka, SETTINGS)
            .set("isolation.level", isolation)
            .create_with_context(Reporter::new(&args.kafka))
            .context("cannot create a Kafka consumer")
    };
    let (committed, everything) = (reader("read_committed")?, reader("read_uncommitted")?);
    let patience = Duration::try_from(args.timeout).context("--timeout")?;
    let mut outcome = Outcome::Fine;
    for topic in &args.topics {
        let partitions = client::partitions(committed.client(), topic)?
            .ok_or_else(|| anyhow!("topic {topic} does not exist"))?;
        let began = Instant::now();
        loop {
            // NOTE: in this order: what is committed in between is not taken for hidden.
            let written = ends(&everything, topic, partitions)?;
            let seen = ends(&committed, topic, partitions)?;
            let hidden = hidden(&written, &seen);
            let end: i64 = written.iter().sum();
            if hidden.is_empty() {
                println!("{topic}: {end} offsets, nothing hidden");
                break;
            }
            if began.elapsed() > patience {
                println!("{topic}: {end} offsets, open transactions hide {}", named(&hidden));
                outcome = Outcome::Wrong;
                break;
            }
            if stop.is_asked() {
                bail!("stopped while waiting for transactions in {topic}");
            }
            sleep(LOOK_EVERY);
        }
    }
    Ok(outcome)
}

/// Partitions whose last stable offset is behind the high watermark, and by how much.
fn hidden(written: &[i64], seen: &[i64]) -> Vec<(usize, i64)> {
    let behind = written.iter().zip(seen).map(|(written, seen)| written - seen);
    behind.enumerate().filter(|(_, count)| *count > 0).collect()
}

fn named(hidden: &[(usize, i64)]) -> String {
    let one = |(partition, count): &(usize, i64)| format!("{count} of partition {partition}");
    hidden.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_is_what_is_behind_the_last_stable_offset() {
        assert_eq!(hidden(&[3, 5, 0], &[3, 5, 0]), []);
        // The stable end was asked for later, and may be ahead.
        assert_eq!(hidden(&[3, 5, 7], &[4, 2, 6]), [(1, 3), (2, 1)]);
        assert_eq!(named(&[(1, 3), (2, 1)]), "3 of partition 1, 1 of partition 2");
    }
}
