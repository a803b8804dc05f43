//! kill -9: nothing is lost or doubled, window totals are exact.

use std::time::Duration;

use testkit::Scenario;

const EVENTS: &[&str] = &[
    "--seed",
    "11",
    "--rate",
    "20000",
    "--users",
    "5000",
    "--events-per-second-of-event-time",
    "500",
    "--share-late",
    "0.05",
    "--late-by",
    "8m",
    "--share-poison",
    "0.01",
    "--share-odd",
    "0.05",
];

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_in_the_middle_the_totals_stay_exact() {
    for (delivery, verify) in [
        ("exactly-once", ["--expect-complete"].as_slice()),
        ("at-least-once", &["--expect-complete", "--allow-duplicates"]),
    ] {
        let scenario = Scenario::new("killed");
        // Input goes on until all is done that needs it, however slow the machine is: only a commit
        // moves the horizon that makes an event late.
        let produced = scenario.producing(EVENTS);
        let base = ["--delivery", delivery, "--commit-interval", "100ms"];
        for (workers, committed) in [("2", "in"), ("4", "late"), ("1", "in")] {
            let running = scenario.serve(&[base.as_slice(), &["--workers", workers]].concat());
            let metric = format!("logintide_events_{committed}_total");
            running.wait_for(&metric, |n| n >= 1.0);
            running.kill();
        }
        produced.stop();
        let end = ["--workers", "3", "--exit-at-end"];
        scenario.start(&[base.as_slice(), &end].concat()).ends_with(0);
        let flags = [verify, &["--expect-late", "some"]].concat();
        println!("{delivery}: {}", scenario.verify(&flags));
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_at_any_time_of_an_idle_close_the_windows_appear_with_the_right_totals() {
    let scenario = Scenario::new("idle-kill");
    let events = ["--seed", "5", "--count", "20000", "--events-per-second-of-event-time", "500"];
    scenario.produce(&events);
    let flags = ["--idle-timeout", "1s", "--grace", "1s", "--commit-interval", "50ms"];
    // All is read and committed, the last windows wait for the idle timeout: killed around it.
    for after_ms in [700, 950, 1000, 1050, 1100, 1200] {
        let mut running = scenario.start(&flags);
        running.wait_for_line("reading");
        std::thread::sleep(Duration::from_millis(after_ms));
        running.kill();
    }
    let running = scenario.start(&[flags.as_slice(), &["--workers", "2"]].concat());
    let verify: Vec<&str> = events.iter().chain(&["--expect-complete"]).copied().collect();
    scenario.wait_until_verified(&running, &verify);
    running.stop();
    println!("{}", scenario.verify(&verify));
}
