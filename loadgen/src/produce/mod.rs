//! `loadgen produce`: sends generated events.
//!
//! In:  a plan; optionally a rate, a count and a duration. Out: records in a topic, a summary.
//! Holds: with a rate, each event has a scheduled send time that a slow broker does not change
//! (open loop), so latency measured from `sent_us` includes all waiting; the producer is
//! idempotent, so the topic has each event once; on a signal it flushes everything sent and ends.

mod labels;
mod pace;
mod sender;

use anyhow::{Context as _, Result};
use jiff::Timestamp;

pub(crate) use crate::generate::WRONG_MESSAGE;
use crate::{
    Failure, Outcome,
    args::{CreateArgs, KafkaArgs, KafkaTimestamp, ProduceArgs},
    client,
    generate::{Generator, Plan, Record, key_of, mix, start_before},
    progress::RunProgress,
    stop::Stop,
    usage::Usage,
};
use labels::LabelFile;
use pace::Pace;
use sender::Sender;

/// The documented event.
pub(crate) const SAMPLE: &str = r#"{"user_id": "424cdd21-063a-43a7-b91b-7ca1a833afae", "app_version": "2.3.0", "device_type": "android", "ip": "199.172.111.135", "locale": "RU", "device_id": "593-47-5928", "timestamp":"1694479551"}"#;

/// How far in the past a run without rate and count starts, in seconds of event time.
const ENDLESS_SPAN_S: i64 = 86_400;

/// Longest transaction, in seconds of the schedule; the broker aborts one after 60 s.
const LONGEST_TRANSACTION_S: f64 = 30.0;

/// Events between two updates of the progress and checks of the signal flag.
const LOOK_EVERY: u64 = 512;

/// Runs the command.
pub(crate) fn run(args: &ProduceArgs, stop: &Stop) -> Result<Outcome, Failure> {
    let plan = resolve(args).map_err(Failure::Usage)?;
    if args.sample {
        return Ok(sample(&args.kafka, &args.topic, &args.create)?);
    }
    Ok(produce(args, &plan, stop)?)
}

/// Fills in the plan's defaults and checks it against the other flags.
fn resolve(args: &ProduceArgs) -> Result<Plan, String> {
    let mut plan = args.plan.clone();
    plan.check()?;
    plan.seed.get_or_insert(1);
    let is_live = args.rate.is_some() && plan.events_per_second_of_event_time.is_none();
    if let Some(rate) = args.rate {
        plan.events_per_second_of_event_time.get_or_insert(rate);
        if args.transactional && plan.shares.transaction_size as f64 / rate > LONGEST_TRANSACTION_S
        {
            return Err(format!(
                "--transaction-size {}: takes more than {LONGEST_TRANSACTION_S} s at --rate {rate}; \
                 lower it",
                plan.shares.transaction_size
            ));
        }
    }
    if plan.shares.share_aborted > 0.0 && !args.transactional {
        return Err("--share-aborted needs --transactional".to_owned());
    }
    if is_live && plan.population.is_some() && !plan.flat_hours {
        return Err(
            "--population: with --rate alone event times are those of the clock, and cannot \
                    follow the hours of the population; add --flat-hours, or give \
                    --events-per-second-of-event-time"
                .to_owned(),
        );
    }
    let now_s = Timestamp::now().as_second();
    let start_s = match args.count {
        _ if is_live => now_s,
        Some(count) => ends_at(&plan, now_s, count),
        None => now_s - ENDLESS_SPAN_S,
    };
    plan.start_time.get_or_insert(start_s);
    plan.check_population()?;
    Ok(plan)
}

/// The start of a run of `count` events that ends at `end_s`, epoch seconds.
fn ends_at(plan: &Plan, end_s: i64, count: u64) -> i64 {
    let span_s = count as f64 / plan.speed();
    plan.population.as_ref().map_or(end_s - span_s.ceil() as i64, |file| {
        start_before(plan, file, end_s * 1_000, span_s * 1_000.0).div_euclid(1_000)
    })
}

fn produce(args: &ProduceArgs, plan: &Plan, stop: &Stop) -> Result<Outcome> {
    let before = Usage::now();
    let (tally, sender) = send(args, plan, stop)?;
    summarise(args, plan, &tally, &before);
    sender.outcome()
}

/// Does the same as the command without printing. Everything sent is delivered.
pub(crate) fn quietly(args: &ProduceArgs, stop: &Stop) -> Result<Sent, Failure> {
    let plan = resolve(args).map_err(Failure::Usage)?;
    let (tally, sender) = send(args, &plan, stop)?;
    sender.outcome()?;
    Ok(tally)
}

/// Sends until the count or the time is reached or a stop is requested, and waits for delivery.
fn send(args: &ProduceArgs, plan: &Plan, stop: &Stop) -> Result<(Sent, Sender)> {
    let partitions = client::open_topic(&args.kafka, &args.topic, &args.create)?;
    let start_s = plan.start_time.context("the start time was just filled in")?;
    let generator = Generator::new(plan, start_s, partitions)?;
    let sender = Sender::new(args)?;
    let labels = args.labels.as_ref().map(|path| LabelFile::create(path, plan));
    let mut labels = labels.transpose()?;
    let pace = Pace::start(args.rate);
    let mut tally = Sent::default();
    let mut progress =
        RunProgress::new(args.kafka.messages, format!("sending to {}", args.topic), args.count);
    let mut record = Record::new();

    while !is_over(args, &pace, &tally, stop) {
        if !pace.wait(tally.records, || stop.is_asked() || sender.has_failed(), || sender.serve()) {
            break;
        }
        generator.make(tally.records, pace.sent_us(tally.records), &mut record);
        if args.transactional && tally.records.is_multiple_of(plan.shares.transaction_size) {
            sender.begin()?;
        }
        let time_ms = (args.kafka_timestamp == KafkaTimestamp::Event).then_some(record.place_ms);
        sender.send(record.partition, &record.key, record.payload(), time_ms)?;
        if let Some(labels) = &mut labels
            && !(args.transactional && generator.is_aborted(tally.records))
        {
            labels.note(tally.records, &record)?;
        }
        tally.records += 1;
        tally.bytes += record.value.len() as u64;
        tally.note_time(record.time_ms);
        if args.transactional && tally.records.is_multiple_of(plan.shares.transaction_size) {
            end_transaction(&sender, &generator, plan, &mut tally)?;
        }
        if tally.records.is_multiple_of(LOOK_EVERY) {
            sender.serve();
            progress.set(tally.records);
        }
    }
    if args.transactional && !tally.records.is_multiple_of(plan.shares.transaction_size) {
        end_transaction(&sender, &generator, plan, &mut tally)?;
    }
    sender.flush()?;
    if let Some(labels) = labels {
        labels.finish()?;
    }
    progress.finish();
    tally.seconds = pace.elapsed_s();
    tally.behind_s = pace.most_behind_s();
    Ok((tally, sender))
}

/// Totals of what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Records, those of aborted transactions included.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Time that sending took.
    pub seconds: f64,
    /// Largest delay of a record behind its schedule, with a rate.
    pub behind_s: f64,
    /// Records in aborted transactions.
    aborted: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl Sent {
    fn note_time(&mut self, time_ms: i64) {
        self.first_ms = Some(self.first_ms.map_or(time_ms, |first| first.min(time_ms)));
        self.last_ms = Some(self.last_ms.map_or(time_ms, |last| last.max(time_ms)));
    }
}

fn is_over(args: &ProduceArgs, pace: &Pace, tally: &Sent, stop: &Stop) -> bool {
    if args.count.is_some_and(|count| tally.records >= count) {
        return true;
    }
    // Without a rate the clock is read only at intervals; with a rate the schedule decides.
    let is_late = args.duration.is_some_and(|duration| match args.rate {
        Some(_) => pace.due_s(tally.records) >= duration.as_secs_f64(),
        None => {
            tally.records.is_multiple_of(LOOK_EVERY) && pace.elapsed_s() >= duration.as_secs_f64()
        }
    });
    is_late || (tally.records.is_multiple_of(LOOK_EVERY) && stop.is_asked())
}

/// Commits or aborts the transaction of the event that was sent last.
fn end_transaction(
    sender: &Sender,
    generator: &Generator,
    plan: &Plan,
    tally: &mut Sent,
) -> Result<()> {
    let last = tally.records - 1;
    let is_aborted = generator.is_aborted(last);
    sender.end(is_aborted)?;
    if is_aborted {
        tally.aborted += last % plan.shares.transaction_size + 1;
    }
    Ok(())
}

fn summarise(args: &ProduceArgs, plan: &Plan, tally: &Sent, before: &Usage) {
    let usage = Usage::now();
    let sent = tally.records as f64;
    let cpu_s = usage.cpu_since(before);
    println!(
        "sent {} records to {} in {:.2} s: {:.0}/s, {:.1} MB/s, {:.0} bytes each",
        tally.records,
        args.topic,
        tally.seconds,
        sent / tally.seconds,
        tally.bytes as f64 / 1e6 / tally.seconds,
        tally.bytes as f64 / sent.max(1.0),
    );
    println!(
        "processor time {cpu_s:.2} s, {:.2} µs per record; memory at most {:.0} MiB",
        cpu_s * 1e6 / sent.max(1.0),
        usage.max_resident_mib(),
    );
    if args.transactional {
        println!("{} of them in aborted transactions: they do not count", tally.aborted);
    }
    if args.rate.is_some() {
        println!("at most {:.1} ms behind schedule", tally.behind_s * 1e3);
    }
    if tally.records == 0 {
        return;
    }
    let shown = |ms: Option<i64>| {
        ms.and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .map_or_else(String::new, |time| time.to_string())
    };
    println!("event times {} to {}", shown(tally.first_ms), shown(tally.last_ms));
    println!(
        "to verify: the same event and share flags, --seed {} --count {} --start-time {} \
         --events-per-second-of-event-time {}{}",
        plan.seed(),
        tally.records,
        plan.start_time.unwrap_or(0),
        plan.speed(),
        if args.transactional { " --transactional" } else { "" },
    );
}

/// Sends the two documented records under random keys.
fn sample(kafka: &KafkaArgs, topic: &str, create: &CreateArgs) -> Result<Outcome> {
    let partitions = client::open_topic(kafka, topic, create)?;
    let sender = Sender::plain(kafka, topic)?;
    let random = mix(Timestamp::now().as_nanosecond() as u64);
    for (number, value) in (0..).zip([SAMPLE, WRONG_MESSAGE]) {
        let key = key_of(random, number);
        let partition = (random.wrapping_add(number) % partitions as u64) as i32;
        sender.send(partition, &key, Some(value.as_bytes()), None)?;
        println!("sent to {topic}[{partition}]: {value}");
    }
    sender.flush()?;
    sender.outcome()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn resolved(line: &str) -> Result<Plan, String> {
        let cli = Cli::try_parse_from(line.split(' ')).expect("well-formed");
        let Command::Produce(args) = cli.command else { panic!("another command") };
        resolve(&args)
    }

    #[test]
    fn event_time_is_live_with_a_rate_alone_and_ends_now_with_a_count() {
        let now_s = || Timestamp::now().as_second();
        let (early_s, live) = (now_s(), resolved("loadgen produce --rate 500").expect("valid"));
        assert!((early_s..=now_s()).contains(&live.start_time.expect("filled in")));
        assert!((live.speed() - 500.0).abs() < 1e-9);
        let early_s = now_s();
        let backfill = resolved("loadgen produce --count 100000").expect("valid");
        assert!((early_s - 10..=now_s() - 10).contains(&backfill.start_time.expect("filled in")));
        let fixed = resolved("loadgen produce --rate 5 --start-time 7").expect("valid");
        assert_eq!(fixed.start_time, Some(7));
    }

    #[test]
    fn a_population_s_events_end_now_or_come_evenly() {
        let line = "loadgen produce --population default --events-per-second-of-event-time 2 \
                    --disorder 0s --count 100000";
        let before_s = Timestamp::now().as_second();
        let plan = resolved(line).expect("valid");
        let after_s = Timestamp::now().as_second();
        let start_s = plan.start_time.expect("filled in");
        let generator = Generator::new(&plan, start_s, 1).expect("a valid plan");
        let last_s = start_s + generator.time_from_start_ms(99_999) / 1_000;
        assert!((before_s - 10..=after_s).contains(&last_s), "{last_s}");
        let even = resolved("loadgen produce --population default --rate 500 --flat-hours");
        assert!((even.expect("valid").speed() - 500.0).abs() < 1e-9);
    }

    #[test]
    fn contradictions_are_named() {
        for (line, named) in [
            ("loadgen produce --share-late 0.6 --share-odd 0.6", "shares"),
            ("loadgen produce --share-aborted 0.5", "--transactional"),
            ("loadgen produce --transactional --rate 1", "--transaction-size"),
            ("loadgen produce --zipf=-1", "--zipf"),
            ("loadgen produce --events-per-second-of-event-time 0", "--events-per-second"),
            ("loadgen produce --population default --rate 5", "--flat-hours"),
            ("loadgen produce --population default --users 50", "--users 50"),
            (
                "loadgen produce --population default --events-per-second-of-event-time 0.01",
                "raise `minutes` or --events-per-second-of-event-time",
            ),
        ] {
            let error = resolved(line).expect_err(line);
            assert!(error.contains(named), "{error}");
        }
    }
}
