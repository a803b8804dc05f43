//! Transactions: what readers see of them, and how they end.

use std::time::Duration;

use logintide::{
    client::{Client, OffsetCommitter, Questions, RecordConsumer, RecordProducer},
    ids::{Offset, PartitionId},
    kafka::{ClientSettings, OutRecord, SendError},
};

use super::stage::{PATIENCE, Play, Stage, Writer, committed_of, entry, kind};

pub(crate) const COMMITTED: &[&str] = &[
    "committed 0=a 1=b 2=c end 4",
    "from 1 1=b 2=c end 4",
    "from 3 end 4",
    "log 0 to 4",
    "again 0=a 1=b 2=c 4=d end 6",
];

pub(crate) fn committed<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(Some("w"), PATIENCE);
    play.commit(&writer, 0, &["a", "b", "c"]);
    play.note(format!("committed {}", read_to(play, 4)));
    play.note(format!("from 1 {}", play.read(1, false)));
    play.note(format!("from 3 {}", play.read(3, false)));
    let consumer = play.consumer(None);
    let logs = consumer.logs(&[PartitionId(0)], PATIENCE).expect("logs");
    let (start, end) = logs[&PartitionId(0)];
    play.note(format!("log {start} to {end}"));
    play.commit(&writer, 0, &["d"]);
    play.note(format!("again {}", read_to(play, 6)));
}

/// Reads partition 0 when its last stable offset has come so far: markers take their time.
fn read_to<S: Stage>(play: &Play<S>, end: i64) -> String {
    let consumer = play.consumer(None);
    play.until("the last stable offset", || {
        let logs = consumer.logs(&[PartitionId(0)], PATIENCE).expect("logs");
        (logs[&PartitionId(0)].1 >= Offset(end)).then_some(())
    });
    play.read(0, false)
}

pub(crate) const ABORTED: &[&str] =
    &["abort: ok", "committed 3=c 4=d end 6", "uncommitted 0=a 1=b 3=c 4=d end 6"];

pub(crate) fn aborted<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a", "b"]);
    let aborted = writer.producer.abort_transaction(PATIENCE);
    play.note_result("abort", &aborted);
    play.commit(&writer, 0, &["c", "d"]);
    play.note(format!("committed {}", read_to(play, 6)));
    play.note(format!("uncommitted {}", play.read(0, true)));
}

pub(crate) const OPEN: &[&str] = &[
    "before the first fetch None",
    "open: 0=before end 1",
    "open, cached end 4",
    "open, stable end 1, end 4",
    "uncommitted 0=before 1=a 2=b 3=after end 4",
    "ended 1=a 2=b 3=after end 5",
];

pub(crate) fn open<S: Stage>(play: &mut Play<S>) {
    let (writer, plain) = (play.writer(Some("w"), PATIENCE), play.writer(None, PATIENCE));
    play.send(&plain, 0, &["before"]);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a", "b"]);
    play.send(&plain, 0, &["after"]);
    let mut consumer = play.consumer(None);
    play.note(format!("before the first fetch {:?}", consumer.cached_log_end(PartitionId(0))));
    consumer.assign(&[(PartitionId(0), Offset(0))]).expect("assign");
    let seen = play.read_on(&mut consumer);
    play.note(format!("open: {seen}"));
    let cached = consumer.cached_log_end(PartitionId(0)).expect("it was fetched");
    play.note(format!("open, cached end {cached}"));
    let logs = consumer.logs(&[PartitionId(0)], PATIENCE).expect("logs");
    let settings = ClientSettings { brokers: play.stage.brokers(), properties: Vec::new() };
    let admin = play.stage.client().uncommitted(&settings).expect("an admin client");
    let ends = admin.all_ends(&play.topic, &[PartitionId(0)], PATIENCE).expect("ends");
    let (stable, end) = (logs[&PartitionId(0)].1, ends[&PartitionId(0)]);
    play.note(format!("open, stable end {stable}, end {end}"));
    play.note(format!("uncommitted {}", play.read(0, true)));
    writer.producer.commit_transaction(PATIENCE).expect("commit");
    let seen = play.read_on(&mut consumer);
    play.note(format!("ended {seen}"));
}

pub(crate) const FENCED: &[&str] = &[
    "commit: Fenced _FENCED",
    "begin after commit: Fenced _FENCED",
    "send: Fenced _FENCED",
    "begin after send: Fenced _FENCED",
    "offsets: Fenced _FENCED",
    "begin after offsets: Fenced _FENCED",
    "abort: Fenced _FENCED",
    "begin after abort: Fenced _FENCED",
    "next: Fenced _FENCED",
    "begin after next: Fenced _FENCED",
    "the newest has committed x0",
    "the newest has committed x1",
    "the newest has committed x2",
    "the newest has committed x3",
    "the newest has committed x4",
    "offset none \"\"",
];

pub(crate) fn fenced<S: Stage>(play: &mut Play<S>) {
    let mut member = play.consumer(None);
    play.join(&mut member);
    for (round, call) in ["commit", "send", "offsets", "abort", "next"].into_iter().enumerate() {
        let first = play.writer(Some("w"), PATIENCE);
        if call != "next" {
            first.producer.begin_transaction().expect("begin");
            play.send(&first, 0, &["a", "b"]);
        }
        let second = play.writer(Some("w"), PATIENCE);
        let result = match call {
            "commit" => first.producer.commit_transaction(PATIENCE),
            "send" => send_and_commit(play, &first),
            "offsets" => {
                let place = member.committer().group_metadata().expect("a member");
                first.producer.send_offsets(&play.topic, &entry(9, "x"), &place, PATIENCE)
            }
            "abort" => first.producer.abort_transaction(PATIENCE),
            _ => {
                first.producer.begin_transaction().expect("begin");
                send_and_commit(play, &first)
            }
        };
        play.note_result(call, &result);
        let begun = first.producer.begin_transaction();
        play.note_result(&format!("begin after {call}"), &begun);
        assert!(first.producer.fatal_error().is_some_and(|error| error.is_fenced()));
        play.commit(&second, 0, &[&format!("x{round}")]);
    }
    let seen = play.until("all commits", || {
        let seen = play.read(0, false);
        (seen.matches('x').count() == 5).then_some(seen)
    });
    for seen in seen.split(' ').filter_map(|seen| seen.split_once('=')) {
        play.note(format!("the newest has committed {}", seen.1));
    }
    play.note(format!("offset {}", committed_of(&member)));
}

fn send_and_commit<S: Stage>(
    play: &Play<S>,
    writer: &Writer<S>,
) -> Result<(), logintide::kafka::KafkaError> {
    let record = OutRecord { key: b"k", value: b"late", ..OutRecord::default() };
    writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
    play.flush(writer);
    writer.producer.commit_transaction(PATIENCE)
}

pub(crate) const LEFT_OPEN: &[&str] =
    &["before 0=a end 1", "after 0=a 3=x end 5", "stable 5, end 5"];

/// A producer goes without a word; the next one of its id ends what it left open.
pub(crate) fn left_open<S: Stage>(play: &mut Play<S>) {
    let plain = play.writer(None, PATIENCE);
    play.send(&plain, 0, &["a"]);
    let first = play.writer(Some("w"), PATIENCE);
    first.producer.begin_transaction().expect("begin");
    play.send(&first, 0, &["lost"]);
    drop(first);
    play.note(format!("before {}", play.read(0, false)));
    let second = play.writer(Some("w"), PATIENCE);
    play.commit(&second, 0, &["x"]);
    play.note(format!("after {}", read_to(play, 5)));
    let settings = ClientSettings { brokers: play.stage.brokers(), properties: Vec::new() };
    let admin = play.stage.client().uncommitted(&settings).expect("an admin client");
    let end = admin.all_ends(&play.topic, &[PartitionId(0)], PATIENCE).expect("ends");
    let logs = play.consumer(None).logs(&[PartitionId(0)], PATIENCE).expect("logs");
    let (stable, end) = (logs[&PartitionId(0)].1, end[&PartitionId(0)]);
    play.note(format!("stable {stable}, end {end}"));
}

pub(crate) const TIMED_OUT: &[&str] =
    &["ended by the broker: end 2", "commit: Fenced _FENCED", "the next 2=x end 4"];

pub(crate) fn timed_out<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(Some("w"), Duration::from_secs(1));
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 0, &["a"]);
    play.note(format!("ended by the broker: {}", read_to(play, 2)));
    let result = writer.producer.commit_transaction(PATIENCE);
    play.note_result("commit", &result);
    drop(writer);
    let next = play.writer(Some("w"), PATIENCE);
    play.commit(&next, 0, &["x"]);
    play.note(format!("the next {}", read_to(play, 4)));
}

pub(crate) const EMPTY: &[&str] = &[
    "commit: ok",
    "abort: ok",
    "nothing end 0",
    "offsets alone: ok",
    "offset 3 \"m\"",
    "still end 0",
];

pub(crate) fn empty<S: Stage>(play: &mut Play<S>) {
    let mut member = play.consumer(None);
    play.join(&mut member);
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    let committed = writer.producer.commit_transaction(PATIENCE);
    play.note_result("commit", &committed);
    writer.producer.begin_transaction().expect("begin");
    let aborted = writer.producer.abort_transaction(PATIENCE);
    play.note_result("abort", &aborted);
    play.note(format!("nothing {}", play.read(0, false)));
    writer.producer.begin_transaction().expect("begin");
    let place = member.committer().group_metadata().expect("a member");
    let sent = writer.producer.send_offsets(&play.topic, &entry(3, "m"), &place, PATIENCE);
    sent.expect("offsets");
    let committed = writer.producer.commit_transaction(PATIENCE);
    play.note_result("offsets alone", &committed);
    play.note(format!("offset {}", committed_of(&member)));
    play.note(format!("still {}", play.read(0, false)));
}

pub(crate) const UNPOLLED: &[&str] = &[
    "commit: Timeout",
    "send: Fatal _STATE",
    "begin: Retriable _CONFLICT",
    "abort: Retriable _CONFLICT",
    "commit again: ok",
    "seen 0=a end 2",
];

/// A commit waits for reports that nobody polls.
pub(crate) fn unpolled<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(Some("w"), PATIENCE);
    let producer = &writer.producer;
    producer.begin_transaction().expect("begin");
    let record = OutRecord { key: b"a", value: b"a", ..OutRecord::default() };
    let outcome = producer.send_batch(&writer.topic, PartitionId(0), [record]);
    assert_eq!(outcome.accepted, 1);
    play.stage.pass(Duration::from_millis(300));
    let result = producer.commit_transaction(Duration::from_millis(300));
    play.note_result("commit", &result);
    let outcome = producer.send_batch(&writer.topic, PartitionId(0), [record]);
    play.note(format!("send: {}", kind(&outcome.refused[0].1)));
    let begun = producer.begin_transaction();
    play.note_result("begin", &begun);
    let aborted = producer.abort_transaction(Duration::from_millis(300));
    play.note_result("abort", &aborted);
    play.flush(&writer);
    let result = producer.commit_transaction(PATIENCE);
    play.note_result("commit again", &result);
    play.note(format!("seen {}", read_to(play, 2)));
}

pub(crate) const PURGED: &[&str] = &[
    "hint: true",
    "purged 1",
    "sound: true",
    "commit: Abortable _INCONSISTENT",
    "abort: ok",
    "committed x",
];

/// A purge leaves a transaction incomplete.
pub(crate) fn purged<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(Some("w"), PATIENCE);
    let producer = &writer.producer;
    producer.begin_transaction().expect("begin");
    let record = OutRecord { key: b"a", value: b"a", ..OutRecord::default() };
    producer.send_batch(&writer.topic, PartitionId(0), [record]);
    producer.purge();
    play.flush(&writer);
    play.note(format!("hint: {}", producer.hints_at_failed_transaction()));
    play.note(format!("purged {}", producer.take_delivery_failures().purged));
    play.note(format!("sound: {}", producer.failed_transaction().is_none()));
    let result = producer.commit_transaction(PATIENCE);
    play.note_result("commit", &result);
    let aborted = producer.abort_transaction(PATIENCE);
    play.note_result("abort", &aborted);
    play.commit(&writer, 0, &["x"]);
    let seen = play.until("the commit", || {
        let seen = play.read(0, false);
        seen.contains('=').then_some(seen)
    });
    let values: Vec<_> = seen.split(' ').filter_map(|it| it.split_once('=')).collect();
    play.note(format!("committed {}", values[0].1));
}

pub(crate) const WRONG_STATE: &[&str] = &[
    "send before begin: Fatal _STATE",
    "commit before begin: Fatal _STATE",
    "abort before begin: Fatal _STATE",
    "begin twice: Fatal _STATE",
    "sound: true",
    "commit: ok",
    "register twice: Fatal _STATE",
];

pub(crate) fn wrong_state<S: Stage>(play: &mut Play<S>) {
    let writer = play.writer(Some("w"), PATIENCE);
    let producer = &writer.producer;
    let headers = logintide::headers::HeaderBlock::NONE;
    let partition = Some(PartitionId(0));
    let sent = producer.send_with_headers(&writer.topic, partition, None, Some(b"a"), headers);
    let Err(SendError::Refused(error)) = sent else { panic!("{sent:?}") };
    play.note(format!("send before begin: {}", kind(&error)));
    let committed = producer.commit_transaction(PATIENCE);
    play.note_result("commit before begin", &committed);
    let aborted = producer.abort_transaction(PATIENCE);
    play.note_result("abort before begin", &aborted);
    producer.begin_transaction().expect("begin");
    let begun = producer.begin_transaction();
    play.note_result("begin twice", &begun);
    play.note(format!("sound: {}", producer.failed_transaction().is_none()));
    play.send(&writer, 0, &["a"]);
    let committed = producer.commit_transaction(PATIENCE);
    play.note_result("commit", &committed);
    let registered = producer.init_transactions(PATIENCE);
    play.note_result("register twice", &registered);
}
