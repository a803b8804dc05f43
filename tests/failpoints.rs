//! kill -9 at every step of the epoch protocol, of a start, of a rollback and of an idle close, on
//! a real broker: whatever the step, the next start is exact.
//!
//! Needs the feature `test-support`: the program kills itself where `FAILPOINTS` says.

use std::{
    collections::BTreeSet,
    os::unix::process::ExitStatusExt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use logintide::failpoint::Point;
use testkit::{Process, SOON, Scenario};

/// Steps of an ordinary epoch.
const EPOCH: &[Point] = &[
    Point::Cut,
    Point::Answer,
    Point::FirstOutput,
    Point::Aligned,
    Point::LastOutput,
    Point::Delivered,
    Point::OffsetsSent,
    Point::Committing,
    Point::Committed,
    Point::Finished,
];

/// Steps of a start, which is also what follows a rollback.
const START: &[Point] = &[Point::Undone, Point::Recover, Point::Followed, Point::TakenOver];

/// The step of a group's very first start.
const FIRST: &[Point] = &[Point::Founded];

/// A step of the local copy, which is written beside.
const COPY: &[Point] = &[Point::CopyRows];

const IDLE: &[Point] = &[Point::IdleClose, Point::IdleClosed];

const EVENTS: &[&str] = &[
    "--users",
    "500",
    "--events-per-second-of-event-time",
    "100",
    "--share-late",
    "0.05",
    "--late-by",
    "1m",
    "--share-poison",
    "0.01",
];

const COUNT: &[&str] = &["--count", "12000"];

/// Points that are tested at the same time, each with topics and a group of its own: most of what a
/// test does is to wait.
const AT_ONCE: usize = 3;

/// Runs `test` with the number of every point and the point itself.
fn each(points: &[Point], test: impl Fn(usize, Point) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(points.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    let Some(point) = points.get(number) else { break };
                    test(number, *point);
                }
            });
        }
    });
}

/// A run that ends itself at this point, the `skip` first times not.
fn killed_at(scenario: &Scenario, points: &str, flags: &[&str]) {
    let mut command = scenario.command("group", "state", flags);
    command.env("FAILPOINTS", points);
    let mut running = scenario.spawn(command);
    let status = running.wait(SOON);
    assert_eq!(status.signal(), Some(9), "{points}: {status}\n{}", running.tail());
    assert!(running.log().contains("failpoint: killed"), "{points}\n{}", running.tail());
}

fn flags(workers: &str) -> Vec<&str> {
    vec!["--workers", workers, "--commit-interval", "100ms", "--instance-id", "one"]
}

/// Runs to the end of the input and lets the judge recount everything.
fn exact(scenario: &Scenario, point: Point) {
    let end = [flags("3").as_slice(), &["--exit-at-end"]].concat();
    scenario.start(&end).ends_with(0);
    println!("{}: {}", point.name(), scenario.verify(&["--expect-complete"]));
}

/// Events for every epoch until it is stopped, however slow the machine is.
fn producing(scenario: &Scenario, seed: &str) -> Process {
    scenario.producing(&[EVENTS, &["--seed", seed, "--rate", "2000"]].concat())
}

#[test]
fn every_point_is_tested() {
    let tested: Vec<_> = [EPOCH, IDLE, START, FIRST, COPY].concat();
    let names = |points: &[Point]| points.iter().map(|p| p.name()).collect::<BTreeSet<_>>();
    assert_eq!(names(&tested), names(Point::ALL));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_at_each_step_of_an_epoch_the_next_start_is_exact() {
    each(EPOCH, |number, point| {
        let scenario = Scenario::new("step");
        let produced = producing(&scenario, &number.to_string());
        // The answer is reached once per worker, the first output once per batch.
        for (skip, workers) in [(4, "2"), (1, "1")] {
            killed_at(&scenario, &format!("{}={skip}*off->return", point.name()), &flags(workers));
        }
        produced.stop();
        exact(&scenario, point);
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_in_a_start_and_in_a_rollback_the_next_start_is_exact() {
    each(START, |number, point| {
        let scenario = Scenario::new("start");
        // Each run has something to commit, however slow the machine is.
        let more = |seed: usize| {
            let seed = (20 + 10 * number + seed).to_string();
            scenario.produce(&["--seed", &seed, "--count", "3000", "--users", "500"]);
        };
        more(0);
        killed_at(&scenario, &format!("{}=return", point.name()), &flags("2"));
        // Reached again in the rollback of an epoch whose deliveries fail.
        let rolled_back = format!("fail-delivery=1*return;{}=1*off->return", point.name());
        killed_at(&scenario, &rolled_back, &flags("1"));
        // And behind a kill that left an open transaction.
        more(1);
        killed_at(&scenario, "offsets-sent=1*off->return", &flags("4"));
        killed_at(&scenario, &format!("{}=return", point.name()), &flags("2"));
        let seed = (20 + 10 * number + 2).to_string();
        scenario.produce(&[EVENTS, COUNT, &["--seed", &seed]].concat());
        exact(&scenario, point);
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_in_an_idle_close_the_windows_appear_once_with_the_right_totals() {
    each(IDLE, |number, point| {
        let scenario = Scenario::new("idle-step");
        let seed = (30 + number).to_string();
        scenario.produce(&[EVENTS, COUNT, &["--seed", &seed]].concat());
        let silence = ["--idle-timeout", "1s", "--grace", "1s"];
        let quiet = |workers| [flags(workers).as_slice(), &silence].concat();
        killed_at(&scenario, &format!("{}=return", point.name()), &quiet("2"));
        let running = scenario.start(&quiet("1"));
        scenario.wait_until_verified(&running, &["--expect-complete"]);
        running.stop();
        println!("{}: {}", point.name(), scenario.verify(&["--expect-complete"]));
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_in_the_first_start_and_in_the_copy_s_write_the_next_start_is_exact() {
    each(&[FIRST, COPY].concat(), |number, point| {
        let scenario = Scenario::new("copy-step");
        scenario.produce(&[EVENTS, COUNT, &["--seed", &(40 + number).to_string()]].concat());
        killed_at(&scenario, &format!("{}=return", point.name()), &flags("2"));
        if point == Point::CopyRows {
            // Over a copy that was whole, and over one that was cut off.
            for skip in [2, 0] {
                let produced = producing(&scenario, &(50 + number + skip).to_string());
                let points = format!("{}={skip}*off->return", point.name());
                killed_at(&scenario, &points, &flags("1"));
                produced.stop();
            }
        }
        exact(&scenario, point);
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_failed_delivery_is_rolled_back_without_an_exit_and_doubles_nothing() {
    for (delivery, verify) in [
        ("exactly-once", ["--expect-complete"].as_slice()),
        ("at-least-once", &["--expect-complete", "--allow-duplicates"]),
    ] {
        let scenario = Scenario::new("roll-back");
        let produced = producing(&scenario, "50");
        let points = [("FAILPOINTS", "fail-delivery=2*off->3*return->off")];
        let more = ["--delivery", delivery];
        let running = scenario.serve_with(&[flags("2").as_slice(), &more].concat(), &points);
        let rollbacks = "logintide_epoch_rollbacks_total";
        running.wait_for(rollbacks, |n| n >= 3.0);
        produced.stop();
        running.stop();
        let end = [flags("3").as_slice(), &["--exit-at-end", "--delivery", delivery]].concat();
        scenario.start(&end).ends_with(0);
        println!("{delivery}: {}", scenario.verify(verify));
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_worker_that_hangs_is_a_stall_and_a_quiet_topic_is_none() {
    let scenario = Scenario::new("stall");
    scenario.produce(&[EVENTS, COUNT, &["--seed", "60"]].concat());
    let watched = |timeout| [flags("2").as_slice(), &["--stall-timeout", timeout]].concat();
    // It ends 20 s after it is unhealthy, which is the time to see that.
    let points = [("FAILPOINTS", "answer=1*off->pause")];
    let mut hanging = scenario.serve_with(&watched("20s"), &points);
    hanging.wait_for_line("stalled: a broker answers and there is work");
    let health = hanging.get("/healthz").expect("an answer");
    assert!(health.contains("\"healthy\":false") && health.contains("stalled"), "{health}");
    hanging.ends_with(1);
    let log = hanging.log();
    assert!(log.contains("twice --stall-timeout") && log.contains("worker-1: "), "{log}");

    let running = scenario.serve(&watched("5s"));
    running.wait_for_events(12_000.0);
    // Longer than twice the stall timeout, without a record.
    running.wait_its_own_seconds(12);
    let health = running.get("/healthz").expect("an answer");
    assert!(health.contains("\"healthy\":true"), "{health}\n{}", running.tail());
    running.stop();
    scenario.start(&[flags("1").as_slice(), &["--exit-at-end"]].concat()).ends_with(0);
    println!("{}", scenario.verify(&["--expect-complete"]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_disk_that_takes_its_time_delays_nothing() {
    let scenario = Scenario::new("slow-disk");
    let produced = producing(&scenario, "70");
    // The write never ends.
    let points = [("FAILPOINTS", "copy-rows=pause")];
    let running = scenario.serve_with(&flags("2"), &points);
    running.wait_for_epochs(30.0);
    produced.stop();
    running.kill();
    exact(&scenario, Point::CopyRows);
}
