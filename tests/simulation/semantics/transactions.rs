//! Transactions: markers on their way, answers that are lost, copies that come late.

use std::time::Duration;

use logintide::{
    client::{Client, Clock, OffsetCommitter, RecordConsumer, RecordProducer},
    ids::{Offset, PartitionId},
    kafka::{KafkaError, OutRecord},
};

use super::{SOON, impatient};
use crate::{
    kafka::Faults,
    script::stage::{PATIENCE, Play, committed_of, entry, kind},
    stage::{Simulated, play},
};

const BOTH: [PartitionId; 2] = [PartitionId(0), PartitionId(1)];

/// The last stable offset of both partitions.
fn stable(play: &Play<Simulated>) -> [i64; 2] {
    let logs = play.consumer(None).logs(&BOTH, PATIENCE).expect("logs");
    BOTH.map(|partition| logs[&partition].1.0)
}

#[test]
fn markers_reach_each_partition_at_a_time_of_its_own_after_the_answer() {
    let slow = (Duration::from_secs(1), Duration::from_secs(5));
    let mut seen = Vec::new();
    for seed in 0..20 {
        let play = play(seed);
        let writer = play.writer(Some("w"), PATIENCE);
        play.stage.kafka.set_faults(Faults { marker_delay: slow, ..Faults::none() });
        writer.producer.begin_transaction().expect("begin");
        play.send(&writer, 0, &["a"]);
        play.send(&writer, 1, &["b"]);
        writer.producer.commit_transaction(PATIENCE).expect("commit");
        assert_eq!(stable(&play), [0, 0], "answered before the markers");
        loop {
            let now = stable(&play);
            if !seen.contains(&now) {
                seen.push(now);
            }
            if now == [2, 2] {
                break;
            }
            play.stage.kafka.pass_to_next(Duration::from_millis(50));
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [[0, 0], [0, 2], [2, 0], [2, 2]], "in either order");
}

#[test]
fn nothing_of_the_next_transaction_is_written_before_the_markers_are() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let writer = play.writer(Some("w"), PATIENCE);
    let slow = (Duration::from_secs(3), Duration::from_secs(3));
    kafka.set_faults(Faults { marker_delay: slow, ..Faults::none() });
    play.commit(&writer, 0, &["a"]);
    writer.producer.begin_transaction().expect("begin");
    let record = OutRecord { key: b"b", value: b"b", ..OutRecord::default() };
    writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
    kafka.pass(Duration::from_secs(2));
    assert_eq!((writer.producer.poll(Duration::ZERO), writer.producer.in_flight()), (0, 1));
    play.flush(&writer);
    assert_eq!(play.read(0, true), "0=a 2=b end 3");
}

#[test]
fn registering_waits_for_markers_and_resumes() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let first = play.writer(Some("w"), PATIENCE);
    first.producer.begin_transaction().expect("begin");
    play.send(&first, 0, &["a"]);
    let slow = (Duration::from_secs(1), Duration::from_secs(1));
    kafka.set_faults(Faults { marker_delay: slow, ..impatient() });
    let settings = play.producer_settings(Some("w"), PATIENCE);
    let client = kafka.process();
    let second = client.producer(&settings).expect("a producer");
    let attempt = second.init_transactions(PATIENCE).expect_err("markers are on their way");
    assert_eq!(kind(&attempt), "Timeout");
    assert!(attempt.to_string().contains("CONCURRENT_TRANSACTIONS"), "{attempt}");
    kafka.pass(Duration::from_secs(1));
    second.init_transactions(PATIENCE).expect("the markers are there");
    assert!(first.producer.commit_transaction(PATIENCE).is_err_and(|error| error.is_fenced()));
}

#[test]
fn a_commit_whose_answer_is_lost_times_out_and_the_same_call_resumes_it() {
    for seed in 0..20 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        let writer = play.writer(Some("w"), PATIENCE);
        writer.producer.begin_transaction().expect("begin");
        play.send(&writer, 0, &["a"]);
        kafka.set_faults(Faults { lost_answer_one_in: 1, ..impatient() });
        let unknown = writer.producer.commit_transaction(PATIENCE).expect_err("no answer");
        assert!(matches!(unknown, KafkaError::Timeout { .. }), "{unknown:?}");
        kafka.set_faults(Faults::none());
        for other in [writer.producer.begin_transaction(), writer.producer.abort_transaction(SOON)]
        {
            assert_eq!(kind(&other.expect_err("a commit waits")), "Retriable _CONFLICT");
        }
        writer.producer.commit_transaction(PATIENCE).expect("resumed");
        play.commit(&writer, 0, &["b"]);
        kafka.pass(SOON);
        assert_eq!(play.read(0, false), "0=a 2=b end 4", "seed {seed}");
    }
}

#[test]
fn a_late_copy_of_a_commit_ends_the_next_transaction_half_written() {
    let play = play(3);
    let kafka = &play.stage.kafka;
    let writer = play.writer(Some("w"), PATIENCE);
    let late = (Duration::from_secs(2), Duration::from_secs(2));
    let faulty = Faults { late_end_one_in: 1, late_copy_delay: late, ..Faults::none() };
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a"]);
    kafka.set_faults(faulty);
    let before = kafka.clock().now();
    writer.producer.commit_transaction(PATIENCE).expect("by the second copy");
    assert!(kafka.clock().since(before) > Duration::from_secs(1), "it takes its time");
    kafka.set_faults(Faults::none());
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["half"]);
    kafka.pass(Duration::from_secs(3));
    assert_eq!(play.read(0, false), "0=a 2=half end 4", "the first copy has committed it");
    // A record for the same partition is not part of any transaction now.
    let record = OutRecord { key: b"k", value: b"rest", ..OutRecord::default() };
    writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
    play.flush(&writer);
    let failed = writer.producer.commit_transaction(PATIENCE).expect_err("not all was written");
    assert_eq!(kind(&failed), "Abortable INVALID_TXN_STATE");
}

#[test]
fn a_late_copy_of_offsets_goes_with_the_next_transaction() {
    let play = play(3);
    let kafka = &play.stage.kafka;
    let mut member = play.consumer(None);
    play.join(&mut member);
    let place = member.committer().group_metadata().expect("a member");
    let writer = play.writer(Some("w"), PATIENCE);
    let late = (Duration::from_secs(2), Duration::from_secs(2));
    kafka.set_faults(Faults { late_offsets_one_in: 1, late_copy_delay: late, ..Faults::none() });
    writer.producer.begin_transaction().expect("begin");
    let sent = writer.producer.send_offsets(&play.topic, &entry(1, "first"), &place, PATIENCE);
    sent.expect("by the second copy");
    kafka.set_faults(Faults::none());
    writer.producer.commit_transaction(PATIENCE).expect("commit");
    writer.producer.begin_transaction().expect("begin");
    let sent = writer.producer.send_offsets(&play.topic, &entry(2, "second"), &place, PATIENCE);
    sent.expect("offsets");
    kafka.pass(Duration::from_secs(3));
    writer.producer.commit_transaction(PATIENCE).expect("commit");
    assert_eq!(committed_of(&member), "1 \"first\"", "the older one came last");
}

#[test]
fn an_id_that_expired_fails_the_transaction_in_the_background() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let writer = play.writer(Some("w"), PATIENCE);
    play.commit(&writer, 0, &["a"]);
    kafka.pass(SOON);
    kafka.expire_transactional_ids(Duration::from_secs(10));
    writer.producer.begin_transaction().expect("begin");
    assert!(!writer.producer.hints_at_failed_transaction());
    play.send(&writer, 0, &["b"]);
    assert!(writer.producer.hints_at_failed_transaction());
    let failed = writer.producer.failed_transaction().expect("it has failed");
    assert_eq!(kind(&failed), "Abortable INVALID_PRODUCER_ID_MAPPING");
    assert_eq!(writer.producer.take_delivery_failures().purged, 1);
    writer.producer.abort_transaction(PATIENCE).expect("abort");
    play.commit(&writer, 0, &["c"]);
    kafka.pass(SOON);
    assert_eq!(play.read(0, false), "0=a 2=c end 4");
}

#[test]
fn a_record_that_is_not_delivered_in_time_fails_its_transaction() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let writer = play.writer(Some("w"), Duration::from_secs(10));
    writer.producer.begin_transaction().expect("begin");
    kafka.move_leader(&play.topic, 0, SOON);
    play.send(&writer, 0, &["a"]);
    let failures = writer.producer.take_delivery_failures();
    let first = failures.first.expect("a failure");
    assert_eq!((failures.count, kind(&first.error).as_str()), (1, "Retriable _MSG_TIMED_OUT"));
    let failed = writer.producer.commit_transaction(PATIENCE).expect_err("incomplete");
    assert_eq!(kind(&failed), "Abortable _MSG_TIMED_OUT");
}

#[test]
fn a_record_that_the_topic_does_not_take_fails_its_transaction() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    kafka.with(|cluster| {
        cluster.topics.get_mut(&play.topic).expect("it exists").largest_record = 100;
    });
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a", &"x".repeat(200)]);
    let failures = writer.producer.take_delivery_failures();
    let first = failures.first.expect("a failure");
    assert_eq!(kind(&first.error), "Refused MSG_SIZE_TOO_LARGE");
    let failed = writer.producer.commit_transaction(PATIENCE).expect_err("incomplete");
    assert_eq!(kind(&failed), "Abortable MSG_SIZE_TOO_LARGE");
    writer.producer.abort_transaction(PATIENCE).expect("abort");
    play.commit(&writer, 0, &["b"]);
    kafka.pass(SOON);
    assert_eq!(play.read(0, false), "2=b end 4");
}

#[test]
fn a_mark_is_delivered_whatever_is_accepted_later_and_a_purge_delivers_nothing() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let writer = play.writer(None, PATIENCE);
    let record = OutRecord { key: b"k", value: b"v", ..OutRecord::default() };
    writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
    let mark = writer.producer.mark(&[writer.topic]);
    assert!(!writer.producer.has_delivered(&mark));
    play.flush(&writer);
    kafka.move_leader(&play.topic, 1, SOON);
    writer.producer.send_batch(&writer.topic, PartitionId(1), [record]);
    assert!(writer.producer.has_delivered(&mark) && writer.producer.in_flight() == 1);
    let both = writer.producer.mark(&[writer.topic]);
    writer.producer.purge();
    assert_eq!((writer.producer.poll(Duration::ZERO), writer.producer.in_flight()), (1, 0));
    assert!(!writer.producer.has_delivered(&both));
    assert_eq!(writer.producer.take_delivery_failures().purged, 1);
}

#[test]
fn a_full_queue_takes_the_front_of_a_run() {
    let play = play(1);
    let writer = play.writer(None, PATIENCE);
    let large = vec![b'x'; 400_000];
    let record = OutRecord { key: b"k", value: &large, ..OutRecord::default() };
    let outcome = writer.producer.send_batch(&writer.topic, PartitionId(0), [record; 100]);
    assert!(outcome.full && outcome.refused.is_empty(), "{outcome:?}");
    assert!((40..60).contains(&outcome.accepted), "{outcome:?}");
    let huge = vec![b'x'; 2_000_000];
    let run = [OutRecord { key: b"k", value: &huge, ..OutRecord::default() }];
    let refused = writer.producer.send_batch(&writer.topic, PartitionId(0), run).refused;
    assert!(refused[0].1.is_refused(), "{refused:?}");
    play.flush(&writer);
    let logs = play.consumer(None).logs(&BOTH, PATIENCE).expect("logs");
    assert_eq!(logs[&PartitionId(0)].1, Offset(outcome.accepted as i64));
}
