//! Whatever producers do: every codec, transactions with aborts and control records.

use logintide::{
    ids::PartitionId,
    kafka::{KafkaError, OutRecord, Producer},
};
use testkit::Scenario;

use crate::client::{
    Topic,
    support::{flush, producer_settings},
};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn gzip_snappy_lz4_and_zstd_input_is_read() {
    let scenario = Scenario::new("codecs");
    for (seed, codec) in ["gzip", "snappy", "lz4", "zstd", "none"].into_iter().enumerate() {
        let seed = seed.to_string();
        scenario.produce(&["--seed", &seed, "--count", "5000", "--compression", codec]);
    }
    scenario.start(&["--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete", "--expect-late", "none"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn transactional_input_is_read_to_its_very_end() {
    let scenario = Scenario::new("transactional");
    let events = [
        "--seed",
        "9",
        "--count",
        "20000",
        "--transactional",
        "--transaction-size",
        "700",
        "--share-aborted",
        "0.2",
    ];
    scenario.produce(&events);
    scenario.start(&["--exit-at-end"]).ends_with(0);
    let verify: Vec<&str> =
        events.iter().chain(&["--expect-complete", "--expect-late", "none"]).copied().collect();
    println!("{}", scenario.verify(&verify));
}

/// The broker compares the compressed batch with the topic's limit.
#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn one_topic_of_a_producer_is_compressed_unless_the_user_has_chosen_a_codec() {
    let limit = [("max.message.bytes", "2000")];
    let value = vec![b'x'; 100_000];
    for (property, is_compressed) in [(None, true), (Some("compression.type"), false)] {
        let topics = [Topic::new("packed", 1, &limit), Topic::new("plain", 1, &limit)];
        let mut settings = producer_settings(&testkit::brokers());
        let of_user = property.map(|name| (name.to_owned(), "none".to_owned()));
        settings.client.properties.extend(of_user);
        let mut producer = Producer::new(&settings).expect("producer");
        let packed = producer.compressed_topic(&topics[0].name).expect("topic");
        let plain = producer.topic(&topics[1].name).expect("topic");
        for (handle, arrives) in [(packed, is_compressed), (plain, false)] {
            let record = OutRecord { key: b"k", value: &value, ..OutRecord::default() };
            let outcome = producer.send_batch(&handle, PartitionId(0), [record]);
            assert_eq!(outcome.accepted, 1);
            flush(&producer);
            let failures = producer.take_delivery_failures();
            assert_eq!(failures.count, u64::from(!arrives), "{property:?} {failures:?}");
            let error = failures.first.map(|first| first.error);
            assert!(error.is_none_or(|error| matches!(error, KafkaError::Refused { .. })));
        }
    }
}
