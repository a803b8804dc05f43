//! A topic that goes quiet still gets its last windows, without a further event.

use testkit::Scenario;

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn the_last_windows_close_by_silence() {
    let scenario = Scenario::new("quiet");
    // Live: event time is the time of sending.
    scenario.produce(&["--seed", "3", "--count", "1", "--rate", "1000", "--disorder", "0s"]);
    let running = scenario.serve(&[
        "--idle-timeout",
        "4s",
        "--grace",
        "2s",
        "--commit-interval",
        "1s",
        "--window",
        "2s",
    ]);
    let produced = scenario.producing(&[
        "--seed",
        "4",
        "--count",
        "3000",
        "--rate",
        "1000",
        "--disorder",
        "0s",
    ]);
    let mut produced = produced;
    produced.ends_with(0);
    let all = 3001.0;
    let read = running.wait_for("logintide_events_in_total", |n| n >= all);
    let closed = running.wait_for("logintide_open_windows", |open| open == 0.0);
    // Idle timeout, grace and commit interval are 7 s together; no other event comes.
    println!("closed {:?} after the last event", read + closed);
    running.stop();
    println!(
        "{}",
        scenario.verify(&["--window", "2s", "--expect-complete", "--expect-late", "none"])
    );
}
