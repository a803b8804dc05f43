//! The commands on a real broker, with the honest processor between them.

use std::time::Duration;

use clap::Parser as _;
use jiff::{Timestamp, tz::TimeZone};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer as _},
};

use super::{
    super::{judge::Judge, topic::Topic},
    world::{Owned, World, plan},
};
use crate::{
    Outcome,
    args::{Cli, Command, KafkaArgs, TimestampStyle},
    client, copy, latency,
    messages::MessageOutput,
    produce, rate, settled,
    stop::Stop,
    verify,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Topics of one test; deleted with it.
struct Topics {
    kafka: KafkaArgs,
    suffix: String,
    names: Vec<String>,
}

impl Topics {
    fn new(test: &str) -> Self {
        let brokers = std::env::var("KAFKA_BROKERS").expect("KAFKA_BROKERS names a broker");
        let kafka = KafkaArgs { brokers, properties: Vec::new(), messages: MessageOutput::Stderr };
        let suffix = format!("{test}-{:x}", Timestamp::now().as_nanosecond());
        Self { kafka, suffix, names: Vec::new() }
    }

    /// The name of a topic; created if `partitions` is given.
    fn name(&mut self, name: &str, partitions: Option<i32>) -> String {
        let name = format!("loadgen-{name}-{}", self.suffix);
        self.names.push(name.clone());
        if let Some(partitions) = partitions {
            let create = crate::args::CreateArgs {
                create_topic: Some(partitions),
                replication: 1,
                topic_config: Vec::new(),
            };
            let found = client::open_topic(&self.kafka, &name, &create).expect("created");
            assert_eq!(found, partitions as usize);
        }
        name
    }

    fn run(&self, line: &str) -> Outcome {
        let line = format!("loadgen {line} --brokers {}", self.kafka.brokers);
        let stop = Stop::default();
        let outcome = match Cli::try_parse_from(line.split_whitespace()).expect("valid").command {
            Command::Produce(args) => produce::run(&args, &stop),
            Command::Verify(args) => verify::run(&args, &stop),
            Command::Copy(args) => copy::run(&args, &stop),
            Command::Latency(args) => latency::run(&args, &stop),
            Command::Rate(args) => rate::run(&args, &stop),
            Command::Settled(args) => settled::run(&args, &stop),
            Command::Population => panic!("{line}: needs no broker"),
        };
        outcome.unwrap_or_else(|failure| panic!("{line}: {failure:?}"))
    }

    fn read(&self, topic: &str) -> Vec<Owned> {
        let mut records = Vec::new();
        let topic = Topic::open(&self.kafka, topic).expect("there");
        let take = |record: &super::super::record::Record<'_>| {
            records.push(Owned {
                partition: record.partition,
                offset: record.offset,
                timestamp_ms: record.timestamp_ms,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: Vec::new(),
            });
        };
        topic.read(PATIENCE, &Stop::default(), take).expect("readable");
        records
    }

    fn write(&self, topic: &str, records: &[Owned]) {
        let producer: BaseProducer =
            client::config(&self.kafka, &[("enable.idempotence", "true")]).create().expect("valid");
        for record in records {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            let mut sent = BaseRecord::<[u8], [u8]>::to(topic);
            sent = sent.partition(record.partition).headers(headers);
            sent.key = record.key.as_deref();
            sent.payload = record.value.as_deref();
            producer.send(sent).map_err(|(error, _)| error).expect("room for a test's records");
        }
        producer.flush(PATIENCE).expect("delivered");
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        if let Err(error) = client::delete_topics(&self.kafka, &names) {
            eprintln!("topics are left behind: {error:#}");
        }
    }
}

const EVENTS: &str = "--seed 11 --events-per-second-of-event-time 100 --users 200 --run-length 10 \
     --share-late 0.05 --share-duplicate 0.05 --share-odd 0.2 --share-poison 0.1 \
     --share-tombstone 0.02 --share-huge 0.001";

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_honest_processor_passes_and_one_record_more_is_found() {
    let mut topics = Topics::new("honest");
    let input = topics.name("input", None);
    let processed = topics.name("processed", Some(4));
    let late = topics.name("late", Some(1));
    let dead_letters = topics.name("dlq", Some(2));
    let windows = topics.name("windows", Some(1));
    let count = "--count 20000";
    topics.run(&format!("produce --topic {input} --create-topic 4 {count} {EVENTS}"));

    let mut world = World::empty(&plan(), &TimeZone::UTC, TimestampStyle::Naive);
    world.input_topic.clone_from(&input);
    topics.read(&input).iter().for_each(|record| world.process(record));
    world.close_windows();
    let (expected, missing) = world.processed.split_at(world.processed.len() - 1);
    topics.write(&processed, expected);
    topics.write(&late, &world.late);
    topics.write(&dead_letters, &world.dead_letters);
    topics.write(&windows, &world.windows);

    let line = format!(
        "verify --input-topic {input} --processed-topic {processed} --late-topic {late} \
         --dead-letter-topic {dead_letters} --aggregated-topic {windows} --expect-complete \
         --expect-late some \
         {count} {EVENTS}"
    );
    assert_eq!(topics.run(&line), Outcome::Wrong, "an output is missing");
    topics.write(&processed, missing);
    assert_eq!(topics.run(&format!("{line} --json")), Outcome::Fine);
    topics.write(&processed, missing);
    assert_eq!(topics.run(&line), Outcome::Wrong, "an output is doubled");
    assert_eq!(topics.run(&format!("{line} --allow-duplicates")), Outcome::Fine);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn every_codec_and_transactions_bring_the_input_that_the_seed_predicts() {
    let mut topics = Topics::new("codecs");
    for codec in ["none", "gzip", "snappy", "lz4", "zstd", "transactional"] {
        let input = topics.name(codec, None);
        let way = match codec {
            "transactional" => {
                "--transactional --transaction-size 100 --share-aborted 0.3".to_owned()
            }
            codec => format!("--compression {codec}"),
        };
        let line = format!("produce --topic {input} --create-topic 3 --count 3000 {EVENTS} {way}");
        assert_eq!(topics.run(&line), Outcome::Fine);

        let command = format!("loadgen verify --count 3000 {EVENTS} {way}");
        let command = command.replace("--compression", "--input-topic");
        let cli = Cli::try_parse_from(command.split_whitespace()).expect("valid").command;
        let Command::Verify(args) = cli else { panic!("another command") };
        let world = World::empty(&plan(), &TimeZone::UTC, TimestampStyle::Naive);
        let prediction = super::super::prediction::Prediction::new(
            &args.plan,
            11,
            3,
            args.count,
            args.transactional,
        );
        let mut judge = Judge::new(world.settings(), Some(prediction.expect("a valid plan")));
        for record in topics.read(&input) {
            judge.input(&record.borrow());
        }
        let report = judge.finish();
        let of_input: Vec<_> = report
            .mistakes
            .iter()
            .filter(|(mistake, _)| **mistake <= super::super::report::Mistake::InputForeign)
            .collect();
        assert!(of_input.is_empty(), "{codec}: {of_input:#?}");
        assert!(report.counts.input >= 1_500, "{codec}: {:?}", report.counts);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_copy_has_the_same_keys_and_values() {
    let mut topics = Topics::new("copy");
    let input = topics.name("input", None);
    topics.run(&format!("produce --topic {input} --create-topic 3 --count 20000 {EVENTS}"));
    let contents = |topics: &Topics, topic: &str| {
        let records = topics.read(topic).into_iter();
        let mut contents: Vec<_> = records.map(|record| (record.key, record.value)).collect();
        contents.sort();
        contents
    };
    let expected = contents(&topics, &input);
    assert_eq!(expected.len(), 20_000);
    let grown = topics.run(&format!("rate --topic {input} --count 20000"));
    assert_eq!(grown, Outcome::Fine, "all that was expected is there");
    for way in ["", "--transactions"] {
        let copied = topics.name(&format!("copied{way}"), None);
        topics.run(&format!(
            "copy --from {input} --to {copied} --create-topic 4 --exit-at-end \
             --group-id {copied} {way}"
        ));
        assert!(contents(&topics, &copied) == expected, "{way} the copy differs");
        // The offsets are committed: nothing is copied again.
        topics.run(&format!(
            "copy --from {input} --to {copied} --exit-at-end --group-id {copied} {way}"
        ));
        assert!(contents(&topics, &copied) == expected, "{way} the second run copied again");
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_open_transaction_keeps_a_topic_from_being_settled() {
    let mut topics = Topics::new("settled");
    let topic = topics.name("input", None);
    topics.run(&format!("produce --topic {topic} --create-topic 3 --count 300 --transactional"));
    let line = format!("settled --topic {topic} --timeout 1s");
    assert_eq!(topics.run(&line), Outcome::Fine);
    let id = [("transactional.id", topic.as_str())];
    let producer: BaseProducer = client::config(&topics.kafka, &id).create().expect("valid");
    producer.init_transactions(PATIENCE).expect("registered");
    producer.begin_transaction().expect("begun");
    let record = BaseRecord::<[u8], [u8]>::to(&topic).partition(1).payload(b"open");
    producer.send(record).map_err(|(error, _)| error).expect("room for one record");
    producer.flush(PATIENCE).expect("delivered");
    assert_eq!(topics.run(&line), Outcome::Wrong);
    producer.abort_transaction(PATIENCE).expect("aborted");
    assert_eq!(topics.run(&line), Outcome::Fine);
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_sample_is_one_event_and_one_dead_letter() {
    let mut topics = Topics::new("sample");
    let input = topics.name("input", None);
    topics.run(&format!("produce --topic {input} --create-topic 3 --sample"));
    let mut values: Vec<_> =
        topics.read(&input).into_iter().filter_map(|record| record.value).collect();
    values.sort();
    assert_eq!(values, [produce::WRONG_MESSAGE.as_bytes(), produce::SAMPLE.as_bytes()]);
}
