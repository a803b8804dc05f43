//! kill -9 of one of two instances at every step of an epoch and of a takeover: the other one goes
//! on, everything can be read soon, and is exact.

use std::{
    os::unix::process::ExitStatusExt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use logintide::failpoint::Point;
use testkit::{SOON, Scenario};

use super::super::group::{Group, JUDGED, goes_on};

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
/// Where the two modes differ, and between the offsets and the end of a transaction.
const AHEAD: &[Point] =
    &[Point::FirstOutput, Point::Delivered, Point::OffsetsSent, Point::Committing];
const TAKING_OVER: &[Point] = &[Point::Undone, Point::Recover, Point::Followed, Point::TakenOver];

const EVENTS: &[&str] =
    &["--rate", "400", "--users", "500", "--run-length", "20", "--share-poison", "0.01"];
/// What a dead instance has left open ends only because another one ends it.
const TRANSACTION: &[&str] = &["-X", "transaction.timeout.ms=600000"];

/// Points that are tested at the same time, each with a group of its own: most of what a test does
/// is to wait.
const AT_ONCE: usize = 3;

fn each(points: &[Point], test: impl Fn(usize, Point) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(points.len()) {
            scope.spawn(|| {
                while let Some((number, point)) = {
                    let number = next.fetch_add(1, Relaxed);
                    points.get(number).map(|point| (number, *point))
                } {
                    test(number, point);
                }
            });
        }
    });
}

/// One instance reads, another one joins and is killed at this point, the `skip` first times not.
/// It makes the window records or not, in turns.
fn killed(number: usize, point: Point, skip: usize, delivery: &str, judge: &[&str]) {
    let flags = [TRANSACTION, &["--delivery", delivery]].concat();
    let scenario = Scenario::new("group-step");
    let mut group = Group::with_events(scenario, 2, EVENTS, &flags);
    // The first one by name has the first partition.
    let victim = number % 2;
    let other = 1 - victim;
    group.start(other);
    goes_on(&group.instances[other]);
    let points = format!("{}={skip}*off->return", point.name());
    group.start_with(victim, &[], &[("FAILPOINTS", &points)]);
    let served = group.instances[victim].served_mut();
    let status = served.wait(SOON);
    let lost = Instant::now();
    assert_eq!(status.signal(), Some(9), "{points}: {status}\n{}", served.tail());
    assert!(served.log().contains("failpoint: killed"), "{points}\n{}", served.tail());
    group.instances[victim].kill();
    group.is_taken_over(lost, 8);
    println!("{} {delivery}: taken over after {:?}", point.name(), lost.elapsed());
    group.is_exact_with(&[JUDGED, judge].concat());
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_at_each_step_of_an_epoch_the_other_goes_on() {
    // The answer is reached once per worker, the first output once per batch.
    each(EPOCH, |number, point| killed(number, point, 5, "exactly-once", &[]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_at_each_step_of_a_takeover_the_other_goes_on() {
    each(TAKING_OVER, |number, point| killed(number, point, 0, "exactly-once", &[]));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn killed_where_enriched_events_are_ahead_the_other_goes_on() {
    each(AHEAD, |number, point| {
        killed(number, point, 5, "at-least-once", &["--allow-duplicates"]);
    });
}
