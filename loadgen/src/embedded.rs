//! Load and judge for a program that runs them in its own process, such as a demonstration.
//!
//! In:  one description of the load, and how it was processed. Out: what was sent, and a verdict.
//! Holds: nothing is printed; warnings about the Kafka clients go to the caller's function. What is
//! sent and what is expected come from the same description, by its seed.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    args::{
        Compression, CreateArgs, ExpectLate, KafkaArgs, KafkaTimestamp, ProduceArgs,
        TimestampStyle, VerifyArgs,
    },
    failure::Failure,
    generate::{Generator, Plan, Record, Shares},
    messages::MessageOutput,
    produce::{self as producing, Sent},
    stop::Stop,
    verify::{self as judging, RecordCounts},
};

/// A load of events at a rate.
#[derive(Clone, Debug)]
pub struct Load {
    /// Brokers to start from, `host:port`, separated by commas.
    pub brokers: String,
    /// Topic to send to; it must exist.
    pub topic: String,
    /// Seed of the events; the same seed gives the same events.
    pub seed: u64,
    /// Events per second, both of the clock and of event time.
    pub rate: f64,
    /// How long to send.
    pub duration: Duration,
    /// Event time of the first event, epoch seconds.
    pub start_time_s: i64,
    /// Number of different users.
    pub users: u64,
    /// Exponent of the users' Zipf distribution; 0 makes all equally busy.
    pub zipf: f64,
    /// Event times are up to this much older than scheduled.
    pub disorder: Duration,
    /// Records in a row that go to one partition.
    pub run_length: u64,
    /// Shares of special records.
    pub shares: LoadShares,
    /// Called with a line of text when a Kafka client reports a problem.
    pub on_warning: fn(&str),
}

/// Shares of special records, each from 0 to 1, together at most 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadShares {
    /// Events whose time is older than scheduled, by up to `late_by`.
    pub late: f64,
    /// Largest age of a late event; ages are spread evenly from 0.
    pub late_by: Duration,
    /// Events that repeat a recent login.
    pub duplicate: f64,
    /// Valid events in unusual JSON.
    pub odd: f64,
    /// Records that must end in the dead-letter topic.
    pub poison: f64,
    /// Records without a value.
    pub tombstone: f64,
}

/// How the events were processed.
#[derive(Clone, Debug)]
pub struct Processing {
    /// Topic with the enriched events.
    pub processed_topic: String,
    /// Topic with the windows.
    pub aggregated_topic: String,
    /// Topic with the rejected records.
    pub dead_letter_topic: String,
    /// Topic with the events that were too late for their window.
    pub late_topic: String,
    /// Length of a window, whole seconds.
    pub window: Duration,
    /// How far behind the watermark a window still accepts events.
    pub allowed_lateness: Duration,
    /// How far an event may be ahead of its record's Kafka timestamp.
    pub max_future: Duration,
    /// Longest accepted value, bytes.
    pub max_event_bytes: usize,
    /// Values that a window counts under their own name, per dimension.
    pub max_values: usize,
    /// How many times more than expected an output may occur.
    pub allowed_repeats: u8,
}

/// The judge's result.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Whether nothing is missing, doubled or wrong.
    pub is_fine: bool,
    pub counts: RecordCounts,
    /// The whole report as lines of text.
    pub report: String,
}

/// Longest wait for a record before a topic's end is reached.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// How far `unique_users` may be off: five standard errors of the estimate.
const UNIQUE_TOLERANCE: f64 = 0.08;

/// Sends the load until all of it is sent or a stop is requested. Everything sent is then
/// delivered.
pub fn produce(load: &Load, stop: &Stop) -> Result<Sent, Failure> {
    let args = ProduceArgs {
        kafka: load.kafka(),
        topic: load.topic.clone(),
        create: CreateArgs { create_topic: None, replication: 1, topic_config: Vec::new() },
        compression: Compression::None,
        kafka_timestamp: KafkaTimestamp::Now,
        transactional: false,
        count: None,
        duration: Some(signed(load.duration)?),
        rate: Some(load.rate),
        sample: false,
        labels: None,
        plan: load.plan()?,
    };
    producing::quietly(&args, stop)
}

/// Verifies the outputs of the first `count` records of the load. Every window must be complete.
pub fn verify(
    load: &Load,
    count: u64,
    processing: &Processing,
    stop: &Stop,
) -> Result<Verdict, Failure> {
    let args = VerifyArgs {
        kafka: load.kafka(),
        input_topic: load.topic.clone(),
        processed_topic: processing.processed_topic.clone(),
        aggregated_topic: processing.aggregated_topic.clone(),
        dead_letter_topic: processing.dead_letter_topic.clone(),
        late_topic: processing.late_topic.clone(),
        window: signed(processing.window)?,
        timezone: "UTC".to_owned(),
        timestamp_style: TimestampStyle::Naive,
        max_future: signed(processing.max_future)?,
        max_event_bytes: processing.max_event_bytes,
        max_values: processing.max_values,
        allow_duplicates: processing.allowed_repeats,
        duplicates_everywhere: processing.allowed_repeats > 0,
        allowed_lateness: signed(processing.allowed_lateness)?,
        expect_late: ExpectLate::Any,
        input_from: Vec::new(),
        allow_incomplete: false,
        expect_complete: true,
        unique_tolerance: UNIQUE_TOLERANCE,
        timeout: PATIENCE,
        json: false,
        count: Some(count),
        transactional: false,
        plan: load.plan()?,
    };
    let (report, names) = judging::judge(&args, stop)?;
    Ok(Verdict {
        is_fine: report.is_fine(),
        counts: report.counts,
        report: report.print(&names).to_string(),
    })
}

impl Load {
    /// The values of the first `count` records, without sending them; tombstones are left out.
    ///
    /// # Errors
    /// `Usage` when the description contradicts itself.
    pub fn values(&self, count: u64) -> Result<Vec<Vec<u8>>, Failure> {
        let generator = Generator::new(&self.plan()?, self.start_time_s, 1)?;
        let mut record = Record::new();
        let made = (0..count).filter_map(|number| {
            generator.make(number, 0, &mut record);
            record.payload().map(<[u8]>::to_vec)
        });
        Ok(made.collect())
    }

    fn kafka(&self) -> KafkaArgs {
        KafkaArgs {
            brokers: self.brokers.clone(),
            properties: Vec::new(),
            messages: MessageOutput::Caller(self.on_warning),
        }
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let shares = self.shares;
        Ok(Plan {
            seed: Some(self.seed),
            users: self.users,
            zipf: self.zipf,
            population: None,
            flat_hours: false,
            locales: 50,
            bare: false,
            required_only: false,
            event_size: 0,
            events_per_second_of_event_time: Some(self.rate),
            start_time: Some(self.start_time_s),
            disorder: signed(self.disorder)?,
            run_length: self.run_length,
            partition_shares: Vec::new(),
            shares: Shares {
                share_missing_device: 0.05,
                share_late: shares.late,
                late_by: signed(shares.late_by)?,
                share_early: 0.0,
                early_by: SignedDuration::ZERO,
                share_duplicate: shares.duplicate,
                share_odd: shares.odd,
                share_poison: shares.poison,
                share_tombstone: shares.tombstone,
                share_huge: 0.0,
                share_aborted: 0.0,
                transaction_size: 1_000,
            },
        })
    }
}

fn signed(duration: Duration) -> Result<SignedDuration, Failure> {
    SignedDuration::try_from(duration)
        .map_err(|_| Failure::Usage(format!("duration {duration:?} is too long")))
}
