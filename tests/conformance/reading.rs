//! Reading: positions, pauses, offsets that are not there, and topics that are made anew.

use std::time::Duration;

use logintide::{
    client::{Client, Clock, Questions, RecordConsumer, RecordProducer},
    ids::{Offset, PartitionId},
    kafka::{ClientSettings, DrainEvent, Flow, OutRecord},
};

use super::stage::{PATIENCE, Play, Stage, committed_of, kind};

pub(crate) const PAUSED: &[&str] = &[
    "taken a",
    "paused: nothing",
    "pause of another: ok",
    "goes on 1=b 2=c 3=d end 4",
    "again 2=c 3=d end 4",
];

pub(crate) fn paused<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(None, PATIENCE);
    play.send(&writer, 0, &["a", "b", "c"]);
    let mut consumer = play.consumer(None);
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    let taken = play.until("a record", || {
        let mut taken = None;
        consumer.drain(Duration::ZERO, |event| {
            if let DrainEvent::Record(record) = event {
                taken = record.value.map(|value| String::from_utf8_lossy(value).into_owned());
            }
            Flow::Stop
        });
        taken
    });
    play.note(format!("taken {taken}"));
    consumer.pause(&[PartitionId(0)]).expect("pause");
    play.send(&writer, 0, &["d"]);
    let mut events = 0;
    for _ in 0..10 {
        play.stage.pass(Duration::from_millis(20));
        consumer.drain(Duration::ZERO, |_| {
            events += 1;
            Flow::Continue
        });
    }
    play.note(if events == 0 { "paused: nothing" } else { "paused: something" });
    let other = consumer.pause(&[PartitionId(1)]);
    play.note_result("pause of another", &other);
    consumer.resume(&[PartitionId(0)]).expect("resume");
    let seen = play.read_on(&mut consumer);
    play.note(format!("goes on {seen}"));
    consumer.assign(&[(PartitionId(0), Offset(2))]).expect("assign");
    let seen = play.read_on(&mut consumer);
    play.note(format!("again {seen}"));
}

pub(crate) const OUT_OF_RANGE: &[&str] = &["beyond the end: OutOfRange 9", "at the end: end 1"];

pub(crate) fn out_of_range<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(None, PATIENCE);
    play.send(&writer, 0, &["a"]);
    play.note(format!("beyond the end: {}", play.read(9, false)));
    play.note(format!("at the end: {}", play.read(1, false)));
}

pub(crate) const CREATED_AGAIN: &[&str] = &[
    "gone: Fatal or Retriable UNKNOWN_TOPIC_OR_PART",
    "missing: true",
    "another id: true",
    "partitions 1",
    "empty: end 0",
    "the old position: OutOfRange 2",
    "committed none \"\"",
];

pub(crate) fn created_again<S: Stage>(play: &mut Play<S>) {
    use logintide::client::OffsetCommitter;
    let settings = ClientSettings { brokers: play.stage.brokers(), properties: Vec::new() };
    let admin = play.stage.client().uncommitted(&settings).expect("an admin client");
    let describe =
        |topic: &str| admin.describe_topics(&[topic], PATIENCE).expect("an answer").remove(0);
    let before = describe(&play.topic).expect("described").id.expect("an id");
    let writer = play.writer(None, PATIENCE);
    play.send(&writer, 0, &["a", "b"]);
    let mut member = play.consumer(None);
    play.join(&mut member);
    let committed = member.committer().commit(&super::stage::entry(2, "m"), PATIENCE);
    committed.expect("committed");
    member.close();
    play.stage.delete_topic(&play.topic);
    let gone = kind(&describe(&play.topic).expect_err("gone"));
    let code = gone.rsplit(' ').next().unwrap_or_default();
    play.note(format!("gone: Fatal or Retriable {code}"));
    let found = admin.topics(&[&play.topic], PATIENCE).expect("an answer");
    play.note(format!("missing: {}", found[0].partitions.is_none()));
    play.stage.create_topic(&play.topic, 1);
    let after = describe(&play.topic).expect("described");
    play.note(format!("another id: {}", after.id.expect("an id") != before));
    play.note(format!("partitions {}", after.partitions));
    play.note(format!("empty: {}", play.read(0, false)));
    play.note(format!("the old position: {}", play.read(2, false)));
    let reader = play.consumer(None);
    play.note(format!("committed {}", committed_of(&reader)));
}

pub(crate) const DELETED: &[&str] =
    &["before 0=a end 1", "deleted Retriable", "made anew OutOfRange 1", "its log 0 to 2"];

/// A topic is deleted and made anew while it is read.
pub(crate) fn deleted<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(None, PATIENCE);
    play.send(&writer, 0, &["a"]);
    let mut consumer = play.consumer(None);
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    let seen = play.read_on(&mut consumer);
    play.note(format!("before {seen}"));
    play.stage.delete_topic(&play.topic);
    let seen = play.read_on(&mut consumer);
    play.note(format!("deleted {}", seen.split(' ').next().unwrap_or_default()));
    play.stage.create_topic(&play.topic, 2);
    let seen = play.until("another answer", || {
        let seen = play.read_on(&mut consumer);
        (!seen.starts_with("Retriable")).then_some(seen)
    });
    play.note(format!("made anew {seen}"));
    play.send(&play.writer(None, PATIENCE), 0, &["x", "y"]);
    let logs = consumer.logs(&[PartitionId(0)], PATIENCE).expect("logs");
    let (start, end) = logs[&PartitionId(0)];
    play.note(format!("its log {start} to {end}"));
}

pub(crate) const BY_TIME: &[&str] =
    &["long ago 0", "in between 1", "later than all 2", "another partition 0"];

pub(crate) fn by_time<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(None, PATIENCE);
    play.send(&writer, 0, &["a"]);
    play.stage.pass(Duration::from_millis(50));
    let between = play.stage.client().clock().now_ms();
    play.stage.pass(Duration::from_millis(50));
    play.send(&writer, 0, &["b"]);
    let consumer = play.consumer(None);
    let day = 86_400_000;
    for (what, partition, time) in [
        ("long ago", 0, between - day),
        ("in between", 0, between),
        ("later than all", 0, between + day),
        ("another partition", 1, between),
    ] {
        let found = consumer.offset_for_time(&[PartitionId(partition)], time, PATIENCE);
        play.note(format!("{what} {}", found.expect("found")[0].1));
    }
}

pub(crate) const UNKNOWN_PARTITION: &[&str] = &[
    "accepted 0, refused Retriable _UNKNOWN_PARTITION",
    "known by now: accepted 1",
    "delivered: true",
    "in log 0 to 1",
];

pub(crate) fn unknown_partition<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(None, PATIENCE);
    let record = OutRecord { key: b"k", value: b"v", ..OutRecord::default() };
    let outcome = writer.producer.send_batch(&writer.topic, PartitionId(2), [record]);
    let refused = outcome.refused.first().map(|(_, error)| kind(error));
    play.note(format!("accepted {}, refused {}", outcome.accepted, refused.unwrap_or_default()));
    play.stage.add_partitions(&play.topic, 3);
    writer.producer.learn_partitions(&writer.topic, PATIENCE).expect("metadata");
    let outcome = writer.producer.send_batch(&writer.topic, PartitionId(2), [record]);
    play.note(format!("known by now: accepted {}", outcome.accepted));
    let mark = writer.producer.mark(&[writer.topic]);
    play.flush(&writer);
    play.note(format!("delivered: {}", writer.producer.has_delivered(&mark)));
    let logs = play.consumer(None).logs(&[PartitionId(2)], PATIENCE).expect("logs");
    let (start, end) = logs[&PartitionId(2)];
    play.note(format!("in log {start} to {end}"));
}
