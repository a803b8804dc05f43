//! Bounded runs of several instances: they end together, when all of the input is read.

use testkit::{Instance, Scenario};

/// All of them run until the end, and end well.
fn run(scenario: &Scenario, instances: &mut [Instance]) {
    for instance in &mut *instances {
        instance.start(scenario, &["--session-timeout", "6s", "--exit-at-end"]);
    }
    for instance in instances {
        instance.ends_with(0);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn instances_end_together_when_the_slowest_partition_is_read_and_every_window_is_closed() {
    let scenario = Scenario::new("bounded");
    let input = scenario.topic("input");
    let created =
        scenario.loadgen(&["produce", "--topic", &input, "--create-topic", "3", "--count", "0"]);
    assert!(created.status.success(), "{created:?}");
    // One of them stands by.
    let mut instances = ["one", "two", "three", "four"].map(Instance::new);
    // What has ended once is not the end of what is written later.
    for seed in ["91", "92"] {
        let flags = ["--seed", seed, "--count", "240000", "--partition-shares", "1,1,10"];
        scenario.produce(&flags);
        run(&scenario, &mut instances);
        println!("{}", scenario.verify(&["--expect-complete"]));
    }
    let settled = scenario.settled_command().status().expect("loadgen runs");
    assert!(settled.success(), "an open transaction hides something");
}
