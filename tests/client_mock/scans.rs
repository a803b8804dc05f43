//! Reading parts of a topic outside of any group.

use std::time::Duration;

use logintide::{
    client::{ScanEnd, ScanEvent, ShortLog, SystemClock, TopicScan},
    ids::{Offset, PartitionId},
    kafka::{Flow, KafkaError, MockCluster},
};

use crate::support::*;

const TOPIC: &str = "input";
/// Shorter than `PATIENCE`, for what never comes.
const SHORT: Duration = Duration::from_millis(300);

/// A cluster with 100 records in partition 0, 10 in partition 1 and none in partition 2.
fn cluster() -> MockCluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, 3).expect("topic");
    produce(&cluster.brokers(), TOPIC, 0, &numbered(0..100));
    produce(&cluster.brokers(), TOPIC, 1, &numbered(0..10));
    cluster
}

fn scan(cluster: &MockCluster, ranges: &[(i32, i64, i64)], short_log: ShortLog) -> TopicScan {
    let settings = consumer_settings(&cluster.brokers(), TOPIC, "nobody");
    begin_scan(&settings, ranges, short_log)
}

#[test]
fn exactly_the_records_of_the_ranges_are_told_and_the_end_of_each() {
    let cluster = cluster();
    let mut scan = scan(&cluster, &[(0, 30, 60), (1, 0, 10), (2, 0, 0)], ShortLog::Waits);
    assert_eq!((scan.left(), scan.unread()), (40, 2));
    let (seen, end) = scanned(&mut scan, PATIENCE, usize::MAX);
    assert_eq!(end, ScanEnd::Complete);
    assert_eq!(values_of(&seen, 0), numbered(30..60));
    assert_eq!(values_of(&seen, 1), numbered(0..10));
    assert_eq!(seen.iter().filter(|s| matches!(s, Seen::End { .. })).count(), 2);
    assert_eq!((scan.left(), scan.unread()), (0, 0));
    assert_eq!(scan.position(PartitionId(0)), Some(Offset(60)));
    // Nothing more, whatever is behind.
    assert_eq!(scanned(&mut scan, PATIENCE, usize::MAX), (Vec::new(), ScanEnd::Complete));
}

#[test]
fn a_scan_that_was_stopped_goes_on_behind_its_record() {
    let cluster = cluster();
    let mut scan = scan(&cluster, &[(0, 0, 100)], ShortLog::Ends);
    let mut all = Vec::new();
    for most in 1.. {
        let (seen, end) = scanned(&mut scan, PATIENCE, most);
        all.extend(values_of(&seen, 0));
        assert_eq!(scan.left(), 100 - all.len() as u64);
        if end == ScanEnd::Complete {
            break;
        }
        assert_eq!((end, seen.len()), (ScanEnd::Stopped, most));
        assert_eq!(scan.position(PartitionId(0)), Some(Offset(all.len() as i64)));
    }
    assert_eq!(all, numbered(0..100));
}

#[test]
fn whoever_watches_may_stop_a_scan_that_reads_nothing() {
    let cluster = cluster();
    let mut scan = scan(&cluster, &[(2, 0, 5)], ShortLog::Waits);
    let mut turns = 0;
    let end = scan.run(&SystemClock, PATIENCE, |event| {
        let ScanEvent::Turn { unread } = event else { return Flow::Continue };
        assert_eq!(unread, 1);
        turns += 1;
        if turns == 3 { Flow::Stop } else { Flow::Continue }
    });
    assert_eq!((end, turns), (Ok(ScanEnd::Stopped), 3));
}

#[test]
fn a_log_that_ends_early_ends_the_range_or_is_waited_for() {
    let cluster = cluster();
    let ranges = [(1, 5, 12)];
    let mut short = scan(&cluster, &ranges, ShortLog::Ends);
    let (seen, end) = scanned(&mut short, PATIENCE, usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(5..10), ScanEnd::Complete));
    assert_eq!(short.position(PartitionId(1)), Some(Offset(12)));

    let mut waiting = scan(&cluster, &ranges, ShortLog::Waits);
    let (seen, end) = scanned(&mut waiting, SHORT, usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(5..10), ScanEnd::Stalled));
    assert_eq!((waiting.left(), waiting.unread()), (2, 1));
    produce(&cluster.brokers(), TOPIC, 1, &numbered(10..20));
    let (seen, end) = scanned(&mut waiting, PATIENCE, usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(10..12), ScanEnd::Complete));
}

#[test]
fn a_scan_without_a_broker_stalls_and_goes_on_when_it_is_back() {
    let cluster = cluster();
    cluster.take_down().expect("down");
    let mut scan = scan(&cluster, &[(0, 90, 100)], ShortLog::Ends);
    assert_eq!(scanned(&mut scan, SHORT, usize::MAX), (Vec::new(), ScanEnd::Stalled));
    cluster.bring_up().expect("up");
    let (seen, end) = scanned(&mut scan, PATIENCE, usize::MAX);
    assert_eq!((values_of(&seen, 0), end), (numbered(90..100), ScanEnd::Complete));
}

#[test]
fn a_range_whose_beginning_is_gone_is_an_error_that_names_it() {
    let cluster = cluster();
    let mut scan = scan(&cluster, &[(1, 1_000, 1_001)], ShortLog::Waits);
    let (seen, end) = scanned(&mut scan, PATIENCE, 1);
    let [Seen::Error { error: KafkaError::OffsetOutOfRange { partition, position, .. }, .. }] =
        &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!((end, *partition, *position), (ScanEnd::Stopped, PartitionId(1), 1_000));
}
