//! Drain, positions and errors of the consumer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{Consumer, Flow, KafkaError, MockCluster},
};

use crate::support::*;

const TOPIC: &str = "input";

/// A cluster with records in partition 0 and further empty partitions, and a consumer of all.
fn consumer_of(records: usize, partitions: i32) -> (MockCluster, Consumer) {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, partitions).expect("topic");
    produce(&cluster.brokers(), TOPIC, 0, &numbered(0..records));
    let settings = consumer_settings(&cluster.brokers(), TOPIC, "group");
    let mut consumer = Consumer::new(&settings).expect("consumer");
    assert_eq!(join(&mut consumer).len(), partitions as usize);
    (cluster, consumer)
}

fn values(seen: &[Seen]) -> Vec<String> {
    seen.iter().filter_map(Seen::value).map(str::to_owned).collect()
}

#[test]
fn stop_ends_a_drain_at_its_record_and_the_rest_stays_in_order() {
    let (_cluster, mut consumer) = consumer_of(100, 1);
    let mut all = Vec::new();
    // Whatever the sizes of the fetches: 1, 2, 3, … records at a time.
    for size in 1.. {
        let wanted = size.min(100 - all.len());
        if wanted == 0 {
            break;
        }
        let mut got = Vec::new();
        until("records", || {
            serve(&mut consumer);
            let taken = consumer.drain(TURN, |event| {
                got.push(Seen::of(&event));
                if got.len() == wanted { Flow::Stop } else { Flow::Continue }
            });
            assert!(taken <= wanted);
            (got.len() == wanted).then_some(())
        });
        all.extend(values(&got));
    }
    assert_eq!(all, numbered(0..100));
    let end = take_until(&mut consumer, |seen| !seen.is_empty());
    assert_eq!(end, [Seen::End { partition: 0, offset: 100 }]);
}

#[test]
fn every_partition_reports_its_end_also_an_empty_one() {
    let (cluster, mut consumer) = consumer_of(10, 2);
    let seen = take_until(&mut consumer, |seen| {
        seen.contains(&Seen::End { partition: 0, offset: 10 })
            && seen.contains(&Seen::End { partition: 1, offset: 0 })
    });
    assert_eq!(values(&seen), numbered(0..10));
    assert_eq!(consumer.cached_log_end(PartitionId(0)), Some(Offset(10)));
    // New records, and the end once more.
    produce(&cluster.brokers(), TOPIC, 0, &numbered(10..13));
    assert_eq!(values_to_end(&mut consumer, 0, 13), numbered(10..13));
    let logs = consumer.logs(&[PartitionId(0)], PATIENCE).expect("logs");
    assert_eq!(logs, [(PartitionId(0), (Offset(0), Offset(13)))].into());
}

#[test]
fn keys_values_and_timestamps_are_the_records_own() {
    let (cluster, mut consumer) = consumer_of(1, 1);
    let mut found = None;
    until("the record", || {
        serve(&mut consumer);
        consumer.drain(TURN, |event| {
            if let logintide::kafka::DrainEvent::Record(record) = event {
                assert_eq!(record.key, Some(&b"key"[..]));
                found = Some((record.offset, record.timestamp_ms));
            }
            Flow::Continue
        });
        found
    });
    let (offset, timestamp_ms) = found.expect("just seen");
    assert_eq!(offset, 0);
    assert!(timestamp_ms > 1_600_000_000_000, "{timestamp_ms}");
    drop(cluster);
}

#[test]
fn assigned_again_at_its_own_offsets_nothing_is_lost_or_doubled() {
    let (_cluster, mut consumer) = consumer_of(2_000, 1);
    let mut all = Vec::new();
    // Each round leaves prefetched records behind, in every state of the fetcher.
    for round in 0..40 {
        all.extend(values(&take_records(&mut consumer, 25)));
        let next = [(PartitionId(0), Offset(all.len() as i64))];
        if round % 2 == 0 {
            consumer.unassign().expect("unassign");
            assert_eq!(consumer.drain(Duration::ZERO, |event| panic!("{:?}", Seen::of(&event))), 0);
        }
        consumer.assign(&next).expect("assign");
    }
    all.extend(values_to_end(&mut consumer, 0, 2_000));
    assert_eq!(all, numbered(0..2_000));
}

#[test]
fn assigned_many_times_in_a_row_the_records_still_come() {
    let (_cluster, mut consumer) = consumer_of(50, 3);
    let partitions: Vec<_> = (0..3).map(PartitionId).collect();
    for _ in 0..200 {
        consumer.assign(&from_start(&partitions)).expect("assign");
    }
    assert_eq!(values(&take_records(&mut consumer, 50)), numbered(0..50));
}

#[test]
fn assigned_again_nothing_older_is_delivered() {
    let (cluster, mut consumer) = consumer_of(300, 2);
    produce(&cluster.brokers(), TOPIC, 1, &numbered(1000..1300));
    let both = |seen: &[Seen]| {
        let of = |p| {
            seen.iter()
                .filter(|s| matches!(s, Seen::Record { partition, .. } if *partition == p))
                .count()
        };
        of(0) >= 100 && of(1) >= 100
    };
    let before = take_until(&mut consumer, both);
    let of_one = before.iter().filter(|s| matches!(s, Seen::Record { partition: 1, .. })).count();
    let starts = [(PartitionId(0), Offset(20)), (PartitionId(1), Offset(of_one as i64))];
    consumer.assign(&starts).expect("assign");
    let mut ends = 0;
    let after = take_until(&mut consumer, |seen| {
        ends = seen.iter().filter(|s| matches!(s, Seen::End { .. })).count();
        ends >= 2
    });
    let of = |p: i32| -> Vec<String> {
        let mine =
            after.iter().filter(|s| matches!(s, Seen::Record { partition, .. } if *partition == p));
        mine.filter_map(Seen::value).map(str::to_owned).collect()
    };
    assert_eq!(of(0), numbered(20..300));
    assert_eq!(of(1), numbered(1000 + of_one..1300));
}

#[test]
fn a_position_outside_the_log_is_an_event_and_another_one_goes_on() {
    let (_cluster, mut consumer) = consumer_of(5, 1);
    consumer.assign(&[(PartitionId(0), Offset(1_000_000))]).expect("assign");
    let seen = take_until(&mut consumer, |seen| !seen.is_empty());
    let [
        Seen::Error {
            partition: Some(0),
            error: KafkaError::OffsetOutOfRange { partition, position, .. },
        },
    ] = &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!((*partition, *position), (PartitionId(0), 1_000_000));
    consumer.assign(&[(PartitionId(0), Offset(3))]).expect("assign");
    assert_eq!(values_to_end(&mut consumer, 0, 5), numbered(3..5));
}

#[test]
fn pausing_loses_nothing_whenever_it_happens() {
    let (_cluster, mut consumer) = consumer_of(1_000, 1);
    let all_paused = [PartitionId(0)];
    // Before the first record, in the middle, and right after a resume.
    let mut all = Vec::new();
    for size in [0, 100, 1, 0, 250] {
        all.extend(values(&take_records(&mut consumer, size)));
        consumer.pause(&all_paused).expect("pause");
        for _ in 0..5 {
            serve(&mut consumer);
            let taken = consumer.drain(TURN, |event| panic!("paused: {:?}", Seen::of(&event)));
            assert_eq!(taken, 0);
        }
        consumer.resume(&all_paused).expect("resume");
    }
    all.extend(values_to_end(&mut consumer, 0, 1_000));
    assert_eq!(all, numbered(0..1_000));
}

#[test]
fn an_assignment_resumes_what_was_paused() {
    let (_cluster, mut consumer) = consumer_of(10, 1);
    consumer.pause(&[PartitionId(0)]).expect("pause");
    consumer.assign(&[(PartitionId(0), Offset(4))]).expect("assign");
    assert_eq!(values_to_end(&mut consumer, 0, 10), numbered(4..10));
}

#[test]
fn a_panic_in_the_closure_comes_out_and_the_rest_stays() {
    let (_cluster, mut consumer) = consumer_of(10, 1);
    let first = take_records(&mut consumer, 3);
    assert_eq!(values(&first), numbered(0..3));
    let panic = until("the fourth record", || {
        serve(&mut consumer);
        catch_unwind(AssertUnwindSafe(|| {
            consumer.drain(TURN, |event| panic!("{}", Seen::of(&event).value().unwrap_or("end")))
        }))
        .err()
    });
    assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("value-3"));
    assert_eq!(values(&take_records(&mut consumer, 6)), numbered(4..10));
}
