//! Whatever producers do: every codec, transactions with aborts and control records.

use testkit::Scenario;

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
