//! Killed right at the start: nothing is skipped, nothing is done twice.

use std::time::Duration;

use testkit::Scenario;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn what_arrives_after_a_start_from_latest_survives_a_kill_before_the_first_interval() {
    let flags = ["--start-from", "latest", "--instance-id", "fixed"];
    let begun = (0..5).find_map(|_| {
        let scenario = Scenario::new("latest-killed");
        scenario.produce(&["--seed", "1", "--count", "1000"]);
        let running = scenario.serve(&[&flags[..], &["--commit-interval", "15s"]].concat());
        // Before the interval is over, and without a record: the start itself is committed. Where
        // the machine needs as long for the start alone, it is tried again.
        let committed = "logintide_epochs_committed_total";
        let took = running.wait_for(committed, |n| n >= 1.0);
        (took < Duration::from_secs(15)).then_some((scenario, running))
    });
    let (scenario, running) = begun.expect("committed before the interval was over");
    scenario.produce(&["--seed", "2", "--count", "500"]);
    running.kill();
    scenario.start(&[&flags[..], &["--exit-at-end"]].concat()).ends_with(0);
    let report = scenario.json_report(&["--allow-incomplete"]);
    assert_eq!(report["counts"]["processed"], 500, "{report:#}");
    assert_eq!(report["counts"]["processed_repeats"], 0, "{report:#}");
}
