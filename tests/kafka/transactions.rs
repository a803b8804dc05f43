//! Transactions against a real broker: what readers see, fences, timeouts.

use std::time::{Duration, Instant};

use logintide::{
    client::{ScanEnd, ShortLog},
    ids::{Offset, PartitionId},
    kafka::{
        CommitEntry, Consumer, ConsumerSettings, Flow, KafkaError, OutRecord, Producer, TopicHandle,
    },
};

use crate::client::{Topic, support::*};

const TIMEOUT: Duration = Duration::from_mins(1);

fn producer(topic: &Topic, timeout: Duration) -> (Producer, TopicHandle) {
    transactional(&topic.brokers, &topic.name, &topic.name, timeout)
}

/// Partition 0 is the input, partition 1 the output.
fn entries(offset: i64, metadata: &str) -> [CommitEntry; 1] {
    [(PartitionId(0), Offset(offset), metadata.to_owned())]
}

fn send(producer: &Producer, topic: TopicHandle, values: std::ops::Range<usize>) {
    send_all(producer, topic, 1, &numbered(values));
}

fn commit_some(producer: &Producer, topic: TopicHandle, values: std::ops::Range<usize>) {
    producer.transactions().begin().expect("begin");
    send(producer, topic, values);
    flush(producer);
    producer.transactions().commit(PATIENCE).expect("commit");
}

/// What a reader of committed records sees in the output, to its end. It is not the group's member.
fn committed_output(topic: &Topic) -> Vec<String> {
    let mut settings = consumer_settings(&topic.brokers, &topic.name, &format!("{}-r", topic.name));
    settings.client = client(&topic.brokers, &[("fetch.wait.max.ms", "50")]);
    let mut reader = Consumer::new(&settings).expect("reader");
    reader.assign(&[(PartitionId(1), Offset(0))]).expect("assign");
    let is_end = |seen: &Seen| matches!(seen, Seen::End { .. });
    let seen = take_until(&mut reader, |seen| seen.iter().any(is_end));
    values_of(&seen, 1)
}

/// Serves a member until `done`.
fn serve_until(consumer: &mut Consumer, what: &str, mut done: impl FnMut() -> bool) {
    until(what, || {
        serve(consumer);
        consumer.drain(TURN, |_| Flow::Continue);
        done().then_some(())
    });
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_committed_transaction_is_seen_with_its_offsets_and_metadata() {
    let topic = Topic::new("tx-commit", 2, &[]);
    let mut member = topic.member();
    join(&mut member);
    let committer = member.committer();
    let (producer, handle) = producer(&topic, TIMEOUT);
    for epoch in 1..=3 {
        let metadata = format!("instance:{epoch}:0:1730653310000");
        producer.transactions().begin().expect("begin");
        send(&producer, handle, epoch * 10..(epoch + 1) * 10);
        let group = committer.group_metadata().expect("a member");
        producer
            .transactions()
            .send_offsets(&topic.name, &entries(epoch as i64, &metadata), &group, PATIENCE)
            .expect("offsets");
        flush(&producer);
        let began = Instant::now();
        producer.transactions().commit(PATIENCE).expect("commit");
        println!("commit {epoch}: {:?}", began.elapsed());
        let read = member.committed(&[PartitionId(0)], PATIENCE).expect("committed");
        assert_eq!(read[0].offset, Some(Offset(epoch as i64)));
        assert_eq!(read[0].metadata, metadata);
    }
    // Nothing sent and nothing moved: metadata alone.
    producer.transactions().begin().expect("begin");
    let group = committer.group_metadata().expect("a member");
    producer
        .transactions()
        .send_offsets(&topic.name, &entries(3, "idle"), &group, PATIENCE)
        .expect("offsets");
    producer.transactions().commit(PATIENCE).expect("commit");
    let read = member.committed(&[PartitionId(0)], PATIENCE).expect("committed");
    assert_eq!((read[0].offset, read[0].metadata.as_str()), (Some(Offset(3)), "idle"));
    assert_eq!(committed_output(&topic), numbered(10..40));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn an_aborted_transaction_is_not_seen_also_with_20_000_records_in_flight() {
    let topic = Topic::new("tx-abort", 2, &[]);
    let mut member = topic.member();
    join(&mut member);
    let (producer, handle) = producer(&topic, TIMEOUT);
    commit_some(&producer, handle, 0..10);
    for round in 0..3 {
        producer.transactions().begin().expect("begin");
        let group = member.committer().group_metadata().expect("a member");
        producer
            .transactions()
            .send_offsets(&topic.name, &entries(7, "aborted"), &group, PATIENCE)
            .expect("offsets");
        let values = numbered(1_000_000..1_020_000);
        let records = values.iter().map(|v| OutRecord {
            key: b"k",
            value: v.as_bytes(),
            ..OutRecord::default()
        });
        assert_eq!(producer.send_batch(&handle, PartitionId(1), records).accepted, 20_000);
        // Nothing has left, the first requests have, or all answers are here.
        producer.poll(Duration::from_millis(round * 8));
        let before = producer.in_flight();
        let began = Instant::now();
        producer.transactions().abort(PATIENCE).expect("abort");
        println!("abort with {before} in flight: {:?}", began.elapsed());
        assert_eq!(producer.in_flight(), 0);
        let failures = producer.take_delivery_failures();
        println!("purged {}", failures.purged);
        assert_eq!(failures.count, 0, "{failures:?}");
        assert!(failures.purged <= 20_000, "{failures:?}");
    }
    commit_some(&producer, handle, 10..20);
    let read = member.committed(&[PartitionId(0)], PATIENCE).expect("committed");
    assert_eq!((read[0].offset, read[0].metadata.as_str()), (None, ""));
    assert_eq!(committed_output(&topic), numbered(0..20));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_second_producer_with_the_same_id_fences_the_first_and_ends_its_transaction() {
    for call in ["commit", "send", "offsets", "abort"] {
        let topic = Topic::new("tx-fence", 2, &[]);
        let mut member = topic.member();
        join(&mut member);
        let (first, handle) = producer(&topic, TIMEOUT);
        first.transactions().begin().expect("begin");
        send(&first, handle, 100..110);
        flush(&first);
        let (second, second_handle) = producer(&topic, TIMEOUT);
        let result = match call {
            "commit" => first.transactions().commit(PATIENCE),
            "send" => {
                send(&first, handle, 110..120);
                until("the reports", || {
                    first.poll(TURN);
                    (first.in_flight() == 0).then_some(())
                });
                first.transactions().commit(PATIENCE)
            }
            "offsets" => {
                let group = member.committer().group_metadata().expect("a member");
                first.transactions().send_offsets(
                    &topic.name,
                    &entries(9, "fenced"),
                    &group,
                    PATIENCE,
                )
            }
            _ => first.transactions().abort(PATIENCE),
        };
        println!("{call}: {result:?}");
        assert!(result.as_ref().is_err_and(KafkaError::is_fenced), "{call}: {result:?}");
        let after = first.transactions().begin();
        assert!(after.as_ref().is_err_and(KafkaError::is_fenced), "{call}: {after:?}");
        assert!(first.fatal_error().is_some_and(|error| error.is_fenced()));
        commit_some(&second, second_handle, 0..10);
        assert_eq!(committed_output(&topic), numbered(0..10));
        let read = member.committed(&[PartitionId(0)], PATIENCE).expect("committed");
        assert_eq!(read[0].offset, None);
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_commit_of_a_member_that_the_group_dropped_is_abortable_and_names_the_reason() {
    let topic = Topic::new("tx-dropped", 2, &[]);
    let mut settings = consumer_settings(&topic.brokers, &topic.name, &topic.name);
    settings.session_timeout = Duration::from_secs(6);
    settings.max_poll_interval = settings.session_timeout;
    let mut member = Consumer::new(&settings).expect("consumer");
    join(&mut member);
    let committer = member.committer();
    let (producer, handle) = producer(&topic, TIMEOUT);
    producer.transactions().begin().expect("begin");
    send(&producer, handle, 100..110);
    let before = committer.group_metadata().expect("a member");
    // Not served for longer than max.poll.interval: the client leaves the group by itself.
    until("the member to leave", || committer.group_metadata().is_err().then_some(()));
    let absent = committer.group_metadata().expect_err("no member");
    assert!(matches!(absent, KafkaError::NotMember { .. }), "{absent:?}");
    // The leave request is on its way to the broker: once that has it, another gets everything.
    let mut other = topic.member();
    assert_eq!(join(&mut other).len(), 2);
    other.close();
    let offsets = entries(5, "dropped");
    let error = producer
        .transactions()
        .send_offsets(&topic.name, &offsets, &before, PATIENCE)
        .expect_err("dropped");
    println!("{error}");
    assert!(error.is_abortable(), "{error:?}");
    assert!(error.to_string().contains("UNKNOWN_MEMBER_ID"), "{error}");
    producer.transactions().abort(PATIENCE).expect("abort");
    // Back in the group, under another id.
    member.serve(TURN, &mut |_| {}).expect("works");
    let _lost = member.next_rebalance();
    member.unassign().expect("unassign");
    serve_until(&mut member, "a new membership", || committer.group_metadata().is_ok());
    producer.transactions().begin().expect("begin");
    send(&producer, handle, 0..10);
    let group = committer.group_metadata().expect("a member");
    producer
        .transactions()
        .send_offsets(&topic.name, &entries(6, "again"), &group, PATIENCE)
        .expect("offsets of the new member");
    flush(&producer);
    producer.transactions().commit(PATIENCE).expect("commit");
    let read = member.committed(&[PartitionId(0)], PATIENCE).expect("committed");
    assert_eq!((read[0].offset, read[0].metadata.as_str()), (Some(Offset(6)), "again"));
    assert_eq!(committed_output(&topic), numbered(0..10));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_transaction_that_the_broker_has_ended_looks_like_a_fence() {
    for call in ["commit", "send", "offsets", "abort"] {
        let topic = Topic::new("tx-timeout", 2, &[]);
        let mut member = topic.member();
        join(&mut member);
        let (first, handle) = producer(&topic, Duration::from_secs(1));
        first.transactions().begin().expect("begin");
        send(&first, handle, 100..110);
        flush(&first);
        let began = Instant::now();
        // The broker looks for old transactions every ten seconds.
        let settled = || committed_end(&topic) > 10;
        until("the broker's abort", || settled().then_some(()));
        println!("ended after {:?}", began.elapsed());
        let result = match call {
            "commit" => first.transactions().commit(PATIENCE),
            "send" => {
                send(&first, handle, 110..120);
                until("the reports", || {
                    first.poll(TURN);
                    (first.in_flight() == 0).then_some(())
                });
                first.transactions().commit(PATIENCE)
            }
            "offsets" => {
                let group = member.committer().group_metadata().expect("a member");
                first.transactions().send_offsets(
                    &topic.name,
                    &entries(9, "late"),
                    &group,
                    PATIENCE,
                )
            }
            _ => first.transactions().abort(PATIENCE),
        };
        println!("{call}: {result:?}");
        assert!(result.as_ref().is_err_and(KafkaError::is_fenced), "{call}: {result:?}");
        drop(first);
        let (second, handle) = producer(&topic, TIMEOUT);
        commit_some(&second, handle, 0..10);
        assert_eq!(committed_output(&topic), numbered(0..10));
    }
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn a_scan_ends_behind_markers_and_waits_for_what_an_open_transaction_hides() {
    let topic = Topic::new("tx-scan", 2, &[]);
    let (producer, handle) = producer(&topic, TIMEOUT);
    // Offsets 0 to 9 and a marker; five aborted records and a marker.
    commit_some(&producer, handle, 0..10);
    producer.transactions().begin().expect("begin");
    send(&producer, handle, 100..105);
    flush(&producer);
    producer.transactions().abort(PATIENCE).expect("abort");
    let settings = consumer_settings(&topic.brokers, &topic.name, &format!("{}-r", topic.name));
    let mut scan = begin_scan(&settings, &[(1, 3, 17)], ShortLog::Waits);
    let (seen, end) = scanned(&mut scan, PATIENCE, usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(3..10), ScanEnd::Complete));
    assert_eq!(seen.last(), Some(&Seen::End { partition: 1, offset: -1 }));

    // Three more that an open transaction hides, and its marker.
    producer.transactions().begin().expect("begin");
    send(&producer, handle, 10..13);
    flush(&producer);
    let mut waiting = begin_scan(&settings, &[(1, 0, 21)], ShortLog::Waits);
    let (seen, end) = scanned(&mut waiting, Duration::from_secs(2), usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(0..10), ScanEnd::Stalled));
    let mut short = begin_scan(&settings, &[(1, 0, 21)], ShortLog::Ends);
    let (seen, end) = scanned(&mut short, PATIENCE, usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(0..10), ScanEnd::Complete));
    let everything = ConsumerSettings { reads_uncommitted: true, ..settings };
    let mut all = begin_scan(&everything, &[(1, 0, 20)], ShortLog::Waits);
    let (seen, end) = scanned(&mut all, PATIENCE, usize::MAX);
    let values = [numbered(0..10), numbered(100..105), numbered(10..13)].concat();
    assert_eq!((values_of(&seen, 1), end), (values, ScanEnd::Complete));
    producer.transactions().commit(PATIENCE).expect("commit");
    let (seen, end) = scanned(&mut waiting, PATIENCE, usize::MAX);
    assert_eq!((values_of(&seen, 1), end), (numbered(10..13), ScanEnd::Complete));
}

#[test]
#[ignore = "needs a Kafka broker (KAFKA_BROKERS); run scripts/test"]
fn after_a_record_that_the_broker_refuses_the_third_transaction_works_at_the_latest() {
    let topic = Topic::new("tx-refuse", 2, &[("max.message.bytes", "2000")]);
    let (producer, handle) = producer(&topic, TIMEOUT);
    commit_some(&producer, handle, 0..10);
    producer.transactions().begin().expect("begin");
    let large = vec![b'x'; 5_000];
    let record = OutRecord { key: b"k", value: &large, ..OutRecord::default() };
    assert_eq!(producer.send_batch(&handle, PartitionId(1), [record]).accepted, 1);
    flush(&producer);
    assert_eq!(producer.take_delivery_failures().count, 1);
    let error = producer.transactions().commit(PATIENCE).expect_err("incomplete");
    println!("{error}");
    assert!(error.is_abortable(), "{error:?}");
    producer.transactions().abort(PATIENCE).expect("abort");
    producer.transactions().begin().expect("begin");
    send(&producer, handle, 100..110);
    flush(&producer);
    println!("{:?}", producer.take_delivery_failures());
    match producer.transactions().commit(PATIENCE) {
        Ok(()) => panic!("committed: the head of `transactions` says otherwise"),
        Err(error) => {
            println!("{error}");
            assert!(error.is_abortable(), "{error:?}");
            producer.transactions().abort(PATIENCE).expect("abort");
        }
    }
    commit_some(&producer, handle, 10..20);
    assert_eq!(committed_output(&topic), numbered(0..20));
}

/// End of the output as the broker has it for readers of committed records.
fn committed_end(topic: &Topic) -> i64 {
    let reader = topic.member();
    reader.logs(&[PartitionId(1)], PATIENCE).expect("logs")[&PartitionId(1)].1.0
}
