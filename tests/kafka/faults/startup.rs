//! kill -9 while a process starts and recovers.

use std::time::{Duration, Instant};

use testkit::Scenario;

use super::{SMALL, joined};

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_at_any_moment_of_start_up_and_recovery() {
    let scenario = Scenario::new("start-up");
    let mut produced = scenario.producing(&joined(&[SMALL, &["--rate", "2500"]]));
    let flags = ["--instance-id", "fixed", "--commit-interval", "50ms"];
    let mut before_reading = 0;
    let mut after = 0;
    for round in 0..15 {
        let began = Instant::now();
        let running = scenario.start(&flags);
        let wait = Duration::from_millis(20 + round * 780 / 14);
        std::thread::sleep(wait.saturating_sub(began.elapsed()));
        let read = running.log().contains(" reading ");
        *(if read { &mut after } else { &mut before_reading }) += 1;
        running.kill();
    }
    println!("killed {before_reading} times before reading began, {after} times after");
    assert!(before_reading > 0, "no kill hit the start-up");
    produced.ends_with(0);
    scenario.start(&["--instance-id", "fixed", "--exit-at-end"]).ends_with(0);
    println!("{}", scenario.verify(&joined(&[SMALL, &["--expect-complete"]])));
}
