//! Batches that compress well: what is read of them, what cannot be, and the way past that.

use std::time::Duration;

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{
        Admin, Consumer, DrainEvent, Flow, NewTopic, OutRecord, Producer, ProducerSettings,
        create_topics, find_topics,
    },
};
use testkit::{Scenario, Served, brokers};

use crate::client::support::{
    PATIENCE, Seen, TURN, client, consumer_settings, flush, producer_settings, take_until, until,
};

/// Limit under which a zstd batch of 18 MB is unreadable, and every other answer is none.
pub(crate) const SMALL_LIMIT: &str = "receive.message.max.bytes=4000000";
const MIB: u64 = 1024 * 1024;
/// What librdkafka takes for a record beside its bytes.
const RECORD_BYTES: u64 = 320;
const SKIP: [&str; 2] = ["--on-unreadable-batch", "skip"];

/// An input topic that is written batch by batch.
pub(crate) struct Input {
    pub(crate) scenario: Scenario,
    topic: String,
}

impl Input {
    pub(crate) fn new(name: &str, partitions: i32, config: &[(&str, &str)]) -> Self {
        Self::of(Scenario::on(name, brokers()), partitions, config)
    }

    pub(crate) fn of(scenario: Scenario, partitions: i32, config: &[(&str, &str)]) -> Self {
        let topic = scenario.topic("input");
        let admin = Admin::new(&client(scenario.brokers(), &[])).expect("admin");
        let new = NewTopic {
            name: topic.clone(),
            partitions,
            replication: 1,
            config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        create_topics(&admin, &[new], PATIENCE).expect("create the topic");
        Self { scenario, topic }
    }

    /// One batch of `count` events of `size` bytes.
    pub(crate) fn batch(&self, partition: i32, codec: &str, count: usize, size: usize) {
        let properties = [
            ("compression.codec", codec),
            ("message.max.bytes", "1000000000"),
            ("batch.num.messages", "1000000"),
        ];
        let settings = ProducerSettings {
            client: client(self.scenario.brokers(), &properties),
            queue_kbytes: 1_000_000,
            batch_bytes: 1_000_000_000,
            linger: Duration::from_secs(1),
            ..producer_settings(self.scenario.brokers())
        };
        let mut producer = Producer::new(&settings).expect("producer");
        let handle = producer.topic(&self.topic).expect("topic");
        let event = event_of(size);
        let mut sent = 0;
        until("all records accepted", || {
            let record = OutRecord { key: b"key", value: event.as_bytes(), ..OutRecord::default() };
            let rest = std::iter::repeat_n(record, count - sent);
            let outcome = producer.send_batch(&handle, PartitionId(partition), rest);
            assert_eq!(outcome.refused, []);
            sent += outcome.settled();
            (sent == count).then_some(())
        });
        flush(&producer);
        assert_eq!(producer.take_delivery_failures().count, 0);
    }

    /// Starts a processor.
    pub(crate) fn start(&self, flags: &[&str]) -> Served {
        self.scenario.serve(&[&["--workers", "2"], flags].concat())
    }

    /// Reads on with `--on-unreadable-batch skip` and expects so many records to be gone, and so
    /// many events to be processed in the end.
    pub(crate) fn goes_past(&self, flags: &[&str], gap: u64, processed: usize) {
        let running = self.start(&[flags, &SKIP].concat());
        let gone = |n| n >= gap as f64;
        running.wait_for("logintide_gap_records_total", gone);
        assert_eq!(running.metric("logintide_gap_records_total"), Some(gap as f64));
        running.stop();
        let mut again = self.start(&[flags, &SKIP, &["--exit-at-end"]].concat());
        again.ends_with(0);
        let log = again.log();
        assert!(!log.contains("is skipped"), "the gap is committed\n{}", again.tail());
        assert_eq!(self.values("processed").len(), processed, "{}", again.tail());
    }

    /// Ends with exit code 1 and says all of this.
    pub(crate) fn ends_and_says(&self, flags: &[&str], expected: &[&str]) {
        let mut running = self.start(flags);
        running.ends_with(1);
        let log = running.log();
        for part in expected {
            assert!(log.contains(part), "{part:?} is missing\n{}", running.tail());
        }
    }

    /// The committed values of one of the topics.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let topic = self.scenario.topic(name);
        let brokers = self.scenario.brokers();
        let admin = Admin::new(&client(brokers, &[])).expect("admin");
        let found = find_topics(&admin, &[&topic], PATIENCE).expect("an answer");
        let partitions = found[0].partitions.expect("the topic is there");
        let mut reader =
            Consumer::new(&consumer_settings(brokers, &topic, "reader")).expect("consumer");
        let starts: Vec<_> = (0..partitions).map(|p| (PartitionId(p), Offset(0))).collect();
        reader.assign(&starts).expect("assign");
        let seen = take_until(&mut reader, |seen| {
            let end = |seen: &&Seen| matches!(seen, Seen::End { .. });
            seen.iter().filter(end).count() == partitions as usize
        });
        seen.iter().filter_map(|seen| seen.value().map(str::to_owned)).collect()
    }
}

fn event_of(size: usize) -> String {
    let head = r#"{"user_id":"u","timestamp":"1694479551","pad":""#;
    format!("{head}{}\"}}", "x".repeat(size.saturating_sub(head.len() + 2)))
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_zstd_batch_of_eighty_four_megabytes_is_read() {
    let input = Input::new("zstd", 1, &[]);
    input.batch(0, "zstd", 1_400, 60_000);
    let mut running = input.start(&["--exit-at-end"]);
    running.ends_with(0);
    assert_eq!(input.values("processed").len(), 1_400);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_unreadable_batch_is_named_with_the_remedy_and_skipped_on_request() {
    let input = Input::new("unreadable", 1, &[]);
    for bad in [false, true, false, true, true, false] {
        let (codec, count) = if bad { ("zstd", 300) } else { ("none", 10) };
        input.batch(0, codec, count, if bad { 60_000 } else { 100 });
    }
    let flags = ["-X", SMALL_LIMIT];
    let partition_and_offset = "partition 0 cannot be read at offset 10,";
    let remedies =
        ["raise -X receive.message.max.bytes=4000000", "--on-unreadable-batch skip", "_BAD_COMPR"];
    input.ends_and_says(&flags, &[&[partition_and_offset], remedies.as_slice()].concat());
    input.goes_past(&flags, 900, 30);
    let windows = input.values("aggregated");
    assert!(!windows.is_empty());
    let complete = windows.iter().filter(|window| !window.contains("\"complete\":false"));
    assert_eq!(complete.count(), 0, "{windows:#?}");
    // What was passed is behind the committed offset, also for who has no copy of the state.
    std::fs::remove_dir_all(input.scenario.state_dir()).expect("the state folder");
    input.batch(0, "none", 10, 100);
    let mut running = input.start(&[&flags, &SKIP[..], &["--exit-at-end"]].concat());
    running.ends_with(0);
    assert_eq!(input.values("processed").len(), 40, "{}", running.tail());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_answer_that_is_too_large_is_named_by_partition_and_skipped_on_request() {
    let input = Input::new("too-large", 3, &[("max.message.bytes", "20000000")]);
    input.batch(0, "none", 10, 100);
    input.batch(1, "none", 7, 100);
    input.batch(1, "none", 2, 5_000_000);
    input.batch(1, "none", 3, 100);
    let flags = ["-X", SMALL_LIMIT];
    let expected =
        ["partition 1 cannot be read at offset 7,", "raise -X receive.message.max.bytes="];
    input.ends_and_says(&flags, &expected);
    input.goes_past(&flags, 2, 20);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_unreadable_batch_does_not_hold_up_the_other_partitions() {
    let input = Input::new("others", 2, &[]);
    input.batch(0, "zstd", 300, 60_000);
    input.batch(1, "none", 10, 100);
    let running = input.start(&["-X", SMALL_LIMIT, SKIP[0], SKIP[1]]);
    running.wait_for("logintide_gap_records_total", |n| n >= 300.0);
    let read = |n| n >= 10.0;
    running.wait_for("logintide_events_in_total", read);
    // At the end of the log there is nothing behind it yet: what comes is read.
    input.batch(0, "none", 5, 100);
    running.wait_for_events(15.0);
    assert!(running.get("/healthz").is_some());
    running.stop();
}

/// Runs with a budget of 64 MiB and checks the resident memory against it, 100 MiB, and what one
/// answer may hold beyond that.
fn stays_within(input: &Input, events: u64, unpacked: u64) {
    let running = input.start(&["--memory-budget", "64MiB"]);
    running.wait_for_events(events as f64);
    let (peak, most) = (running.peak_memory(), 164 * MIB + unpacked);
    println!("peak memory {} of {} MiB", peak / MIB, most / MIB);
    assert!(peak <= most, "{} of {} MiB\n{}", peak / MIB, most / MIB, running.tail());
    running.stop();
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_record_of_eighty_megabytes_is_cut_where_it_is_read() {
    const BYTES: usize = 80_000_000;
    let input = Input::new("eighty", 1, &[("max.message.bytes", "100000000")]);
    input.batch(0, "none", 1, BYTES);
    // It is fetched as it is, and nothing but what the dead-letter topic takes is copied.
    stays_within(&input, 1, 0);
    let topic = input.scenario.topic("dead-letter");
    let settings = consumer_settings(input.scenario.brokers(), &topic, "reader");
    let mut reader = Consumer::new(&settings).expect("consumer");
    reader.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    let (length, text) = until("the dead letter", || {
        let mut found = None;
        reader.drain(TURN, |event| {
            if let DrainEvent::Record(record) = event {
                let text = |name| record.headers.get(name).map(String::from_utf8_lossy);
                let cut_from = text("logintide.truncated_from").expect("it was cut").into_owned();
                let value = record.value.expect("a value");
                assert!(event_of(BYTES).as_bytes().starts_with(value));
                found = Some((value.len(), cut_from));
            }
            Flow::Continue
        });
        found
    });
    assert_eq!(text, BYTES.to_string());
    assert!((900_000..1_048_588).contains(&length), "{length} bytes are kept");
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn batches_that_unpack_to_a_thousand_times_take_what_they_unpack_to_and_no_more() {
    let input = Input::new("unpacked", 2, &[]);
    // Few large records, and many small ones, which librdkafka needs more memory for.
    input.batch(0, "gzip", 2_000, 60_000);
    input.batch(1, "gzip", 400_000, 60);
    let per_record = (RECORD_BYTES + 60 + 20) * 400_000;
    stays_within(&input, 402_000, 2_000 * 60_000 + per_record);
}
