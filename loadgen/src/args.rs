//! The command line. A check that needs several flags is made where they are used, and fails with
//! exit code 2 as well.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::{
    generate::Plan,
    latency::LatencyArgs,
    messages::MessageOutput,
    rate::RateArgs,
    settled::SettledArgs,
    values::{duration, property, rate, share},
};

/// Generates login events, verifies a processor's outputs, and copies topics as a baseline.
///
/// Exit codes: 0 success, 1 verification failed or another failure, 2 usage.
#[derive(Parser, Debug)]
#[command(name = "loadgen", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Send login events: as fast as possible, or at a fixed rate (open loop)
    Produce(Box<ProduceArgs>),
    /// Recount the whole input and report what is missing, doubled or wrong in the outputs
    Verify(Box<VerifyArgs>),
    /// Copy one topic to another record by record, and report the cost
    Copy(Box<CopyArgs>),
    /// Read new records of a topic, and report how long they took: events since their scheduled
    /// send times, windows since their closing times
    Latency(LatencyArgs),
    /// Report how fast a topic grows, without the beginning and the end
    Rate(RateArgs),
    /// Fail if an open transaction hides records of these topics
    Settled(SettledArgs),
    /// Print the default population, to be changed and given to `produce --population`
    Population,
}

/// The connection to Kafka.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaArgs {
    /// Brokers to start from, host:port, separated by commas
    #[arg(long, value_name = "LIST", env = "KAFKA_BROKERS", default_value = "127.0.0.1:9092")]
    pub(crate) brokers: String,

    /// Any librdkafka property; wins over what loadgen sets
    #[arg(short = 'X', value_name = "PROPERTY=VALUE", value_parser = property)]
    pub(crate) properties: Vec<(String, String)>,

    /// Where messages about the run go.
    #[arg(skip)]
    pub(crate) messages: MessageOutput,
}

/// How a missing topic is created.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct CreateArgs {
    /// Create the topic with this many partitions if it does not exist
    #[arg(long, value_name = "PARTITIONS", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) create_topic: Option<i32>,

    /// Replicas of a created topic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replication: i32,

    /// Configuration of a created topic, for example retention.ms=-1
    #[arg(long, value_name = "PROPERTY=VALUE", value_parser = property)]
    pub(crate) topic_config: Vec<(String, String)>,
}

/// `loadgen produce`.
#[derive(Args, Debug, Clone)]
pub(crate) struct ProduceArgs {
    /// Brokers.
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// Topic to send to
    #[arg(long, value_name = "NAME", default_value = "user-login", help_heading = "Kafka")]
    pub(crate) topic: String,

    /// Creation.
    #[command(flatten)]
    pub(crate) create: CreateArgs,

    /// Compression of the batches
    #[arg(long, value_enum, default_value_t = Compression::None, help_heading = "Kafka")]
    pub(crate) compression: Compression,

    /// Kafka's own timestamp of each record
    #[arg(long, value_enum, default_value_t = KafkaTimestamp::Now, help_heading = "Kafka")]
    pub(crate) kafka_timestamp: KafkaTimestamp,

    /// Send in transactions of --transaction-size events
    #[arg(long, help_heading = "Kafka")]
    pub(crate) transactional: bool,

    /// Send this many events [default: until --duration is over or a signal arrives]
    #[arg(long, value_name = "N", help_heading = "How much")]
    pub(crate) count: Option<u64>,

    /// Stop after this long
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "How much")]
    pub(crate) duration: Option<SignedDuration>,

    /// Events per second; send times are scheduled and do not wait for the broker
    /// [default: as fast as possible]
    #[arg(long, value_name = "PER_SECOND", value_parser = rate, help_heading = "How much")]
    pub(crate) rate: Option<f64>,

    /// Send only the two documented records, one valid and one invalid
    #[arg(long, conflicts_with_all = ["count", "duration", "rate"], help_heading = "How much")]
    pub(crate) sample: bool,

    /// With --population: write one JSON line per event of an attack, and per event of a user that
    /// looks unusual; the events themselves do not say it
    #[arg(long, value_name = "FILE", requires = "population", help_heading = "Events")]
    pub(crate) labels: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// `loadgen verify`.
#[derive(Args, Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct VerifyArgs {
    /// Brokers.
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// Topic that was processed
    #[arg(long, value_name = "NAME", default_value = "user-login", help_heading = "Topics")]
    pub(crate) input_topic: String,

    /// Topic with the enriched events
    #[arg(long, value_name = "NAME", default_value = "processed-logins", help_heading = "Topics")]
    pub(crate) processed_topic: String,

    /// Topic with the windows
    #[arg(long, value_name = "NAME", default_value = "aggregated-usage", help_heading = "Topics")]
    pub(crate) aggregated_topic: String,

    /// Topic with the rejected records
    #[arg(long, value_name = "NAME", default_value = "user-login-dlq", help_heading = "Topics")]
    pub(crate) dead_letter_topic: String,

    /// Topic with the events that were too late for their window
    #[arg(long, value_name = "NAME", default_value = "user-login-late", help_heading = "Topics")]
    pub(crate) late_topic: String,

    /// Length of a window; whole seconds
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration,
          help_heading = "How it was processed")]
    pub(crate) window: SignedDuration,

    /// Time zone of the readable timestamps
    #[arg(long, value_name = "ZONE", default_value = "UTC", help_heading = "How it was processed")]
    pub(crate) timezone: String,

    /// Style of the added timestamps
    #[arg(long, value_enum, default_value_t = TimestampStyle::Naive,
          help_heading = "How it was processed")]
    pub(crate) timestamp_style: TimestampStyle,

    /// How far an event may be ahead of its record's Kafka timestamp
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = duration,
          help_heading = "How it was processed")]
    pub(crate) max_future: SignedDuration,

    /// Longest accepted value
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 65_536,
        help_heading = "How it was processed"
    )]
    pub(crate) max_event_bytes: usize,

    /// Values that a window counts under their own name, per dimension
    #[arg(long, value_name = "N", default_value_t = 1_000, help_heading = "How it was processed")]
    pub(crate) max_values: usize,

    /// Accept repeated enriched events, as at-least-once makes after a crash: each at most TIMES
    /// times more than expected [without a number: 10]; they are counted
    #[arg(long, value_name = "TIMES", num_args = 0..=1, require_equals = true,
          default_value_t = 0, default_missing_value = "10", hide_default_value = true,
          value_parser = clap::value_parser!(u8).range(..=100), help_heading = "What to accept")]
    pub(crate) allow_duplicates: u8,

    /// With --allow-duplicates: accept them of dead letters, late records and windows too, as a
    /// processor without transactions makes them
    #[arg(long, requires = "allow_duplicates", help_heading = "What to accept")]
    pub(crate) duplicates_everywhere: bool,

    /// How far behind the watermark a window still accepts events
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration,
          help_heading = "How it was processed")]
    pub(crate) allowed_lateness: SignedDuration,

    /// How many late records are expected
    #[arg(long, value_enum, default_value_t = ExpectLate::Any, help_heading = "What to accept")]
    pub(crate) expect_late: ExpectLate,

    /// Offsets at which processing began, one per partition, like 500,0,0: no output is expected of
    /// earlier records, and windows that miss them must say `"complete": false`
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        conflicts_with = "expect_complete",
        help_heading = "What to accept"
    )]
    pub(crate) input_from: Vec<i64>,

    /// Accept windows that say `"complete": false` and count fewer events than the input has
    #[arg(long, conflicts_with = "expect_complete", help_heading = "What to accept")]
    pub(crate) allow_incomplete: bool,

    /// Require `"complete": true` of every window
    #[arg(long, help_heading = "What to accept")]
    pub(crate) expect_complete: bool,

    /// How far `unique_users` may be off: five standard errors; always at least 3 users
    #[arg(long, value_name = "SHARE", default_value_t = 0.08, value_parser = share,
          help_heading = "What to accept")]
    pub(crate) unique_tolerance: f64,

    /// Give up when nothing arrives for this long before a topic's end is reached
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: SignedDuration,

    /// Report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// With --seed: how many events were produced; the input itself is then checked as well
    #[arg(long, value_name = "N", requires = "seed", help_heading = "Events")]
    pub(crate) count: Option<u64>,

    /// With --seed: the events were produced in transactions
    #[arg(long, requires = "seed", help_heading = "Events")]
    pub(crate) transactional: bool,

    /// With --seed: the same flags as given to `produce`.
    #[command(flatten)]
    pub(crate) plan: Plan,
}

/// `loadgen copy`.
#[derive(Args, Debug, Clone)]
pub(crate) struct CopyArgs {
    /// Brokers.
    #[command(flatten)]
    pub(crate) kafka: KafkaArgs,

    /// Topic to read
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,

    /// Topic to write
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,

    /// How the topic to write is created.
    #[command(flatten)]
    pub(crate) create: CreateArgs,

    /// Consumer group
    #[arg(long, value_name = "NAME", default_value = "loadgen-copy")]
    pub(crate) group_id: String,

    /// Commit offsets in transactions (exactly once) instead of after a flush (at least once)
    #[arg(long)]
    pub(crate) transactions: bool,

    /// Time between two commits
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration)]
    pub(crate) commit_interval: SignedDuration,

    /// Stop when every partition's end is reached
    #[arg(long)]
    pub(crate) exit_at_end: bool,
}

/// Compression codecs of Kafka.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// What a record's Kafka timestamp is.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KafkaTimestamp {
    /// The time of sending
    Now,
    /// The event's scheduled event time: without disorder, lateness or lead
    Event,
}

/// How many late records are expected.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpectLate {
    /// None
    None,
    /// At least one
    Some,
    /// Any number
    Any,
}

/// How the processor writes local times.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimestampStyle {
    /// Without an offset
    Naive,
    /// With an offset
    Rfc3339,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for line in [
            "loadgen",
            "loadgen produce --sample --count 1",
            "loadgen verify --allow-incomplete --expect-complete",
            "loadgen verify --count 5",
            "loadgen verify --expect-complete --input-from 5,0",
            "loadgen verify --allow-duplicates=101",
            "loadgen produce --partition-shares 100,0",
            "loadgen copy --from a",
            "loadgen produce --share-late 2",
            "loadgen produce --labels file",
            "loadgen produce --flat-hours",
            "loadgen produce --population /does/not/exist.toml",
            "loadgen produce --population default --required-only",
            "loadgen produce -X nonsense",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
