//! Groups: who owns what, whose offsets are taken, and what is read back of them.

use std::time::Duration;

use logintide::{
    client::{OffsetCommitter, RecordConsumer, RecordProducer},
    ids::PartitionId,
    kafka::{DrainEvent, KafkaError, OutRecord},
};

use super::stage::{PATIENCE, Play, SESSION, Stage, committed_of, entry, kind, named};

pub(crate) const STABLE: &[&str] = &[
    "pending: Timeout",
    "another partition: ok",
    "committed 5 \"m1\"",
    "aborted 5 \"m1\"",
    "plain commit: ok",
    "committed 6 \"m3\"",
];

pub(crate) fn stable<S: Stage>(play: &mut Play<S>) {
    let mut member = play.consumer(None);
    play.join(&mut member);
    let committer = member.committer();
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    play.send(&writer, 1, &["a"]);
    let place = committer.group_metadata().expect("a member");
    let sent = writer.producer.send_offsets(&play.topic, &entry(5, "m1"), &place, PATIENCE);
    sent.expect("offsets");
    let short = Duration::from_millis(700);
    let pending = member.committed(&[PartitionId(0)], short);
    play.note_result("pending", &pending);
    let other = member.committed(&[PartitionId(1)], PATIENCE);
    play.note_result("another partition", &other);
    writer.producer.commit_transaction(PATIENCE).expect("commit");
    play.note(format!("committed {}", committed_of(&member)));
    writer.producer.begin_transaction().expect("begin");
    let sent = writer.producer.send_offsets(&play.topic, &entry(9, "m2"), &place, PATIENCE);
    sent.expect("offsets");
    writer.producer.abort_transaction(PATIENCE).expect("abort");
    play.note(format!("aborted {}", committed_of(&member)));
    let plain = committer.commit(&entry(6, "m3"), PATIENCE);
    play.note_result("plain commit", &plain);
    play.note(format!("committed {}", committed_of(&member)));
}

pub(crate) const STALE: &[&str] = &[
    "first assigned [0, 1]",
    "revoked [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
    "offsets of the former generation: Abortable ILLEGAL_GENERATION",
    "failed: Abortable ILLEGAL_GENERATION",
    "hint: true",
    "send: Fatal _STATE",
    "commit: Abortable ILLEGAL_GENERATION",
    "begin: Abortable ILLEGAL_GENERATION",
    "fatal: false",
    "abort: ok",
    "committed none \"\"",
    "offsets of the new one: ok",
    "committed 4 \"new\"",
];

pub(crate) fn stale<S: Stage>(play: &mut Play<S>) {
    let mut first = play.consumer(Some("a"));
    let offered = play.join(&mut first);
    play.note(format!("first {offered}"));
    let committer = first.committer();
    let former = committer.group_metadata().expect("a member");
    let mut second = play.consumer(Some("b"));
    second.subscribe().expect("subscribe");
    let revoked = play.rebalance(&mut first);
    play.note(named(&revoked));
    first.unassign().expect("unassign");
    let both = [play.take_offer(&mut first), play.take_offer(&mut second)];
    play.note(format!("both {both:?}"));
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    let sent = writer.producer.send_offsets(&play.topic, &entry(3, "old"), &former, PATIENCE);
    play.note_result("offsets of the former generation", &sent);
    let failed = writer.producer.failed_transaction().expect("it has failed");
    play.note(format!("failed: {}", kind(&failed)));
    play.note(format!("hint: {}", writer.producer.hints_at_failed_transaction()));
    let record = OutRecord { key: b"k", value: b"v", ..OutRecord::default() };
    let sent = writer.producer.send_batch(&writer.topic, PartitionId(0), [record]);
    play.note(format!("send: {}", kind(&sent.refused[0].1)));
    let result = writer.producer.commit_transaction(PATIENCE);
    play.note_result("commit", &result);
    let begun = writer.producer.begin_transaction();
    play.note_result("begin", &begun);
    play.note(format!("fatal: {}", writer.producer.fatal_error().is_some()));
    let aborted = writer.producer.abort_transaction(PATIENCE);
    play.note_result("abort", &aborted);
    play.note(format!("committed {}", committed_of(&first)));
    writer.producer.begin_transaction().expect("begin");
    let place = committer.group_metadata().expect("a member");
    let sent = writer.producer.send_offsets(&play.topic, &entry(4, "new"), &place, PATIENCE);
    play.note_result("offsets of the new one", &sent);
    writer.producer.commit_transaction(PATIENCE).expect("commit");
    play.note(format!("committed {}", committed_of(&first)));
}

pub(crate) const REVOKED: &[&str] = &[
    "revoked [0, 1]",
    "transaction before the answer: ok",
    "commit before the answer: ok",
    "committed 2 \"plain\"",
    "closed: NotMember _ASSIGNMENT_LOST",
    "without membership: NotMember _ASSIGNMENT_LOST",
];

pub(crate) fn revoked<S: Stage>(play: &mut Play<S>) {
    let mut first = play.consumer(Some("a"));
    play.join(&mut first);
    let committer = first.committer();
    let second = play.consumer(Some("b"));
    second.subscribe().expect("subscribe");
    let revoked = play.rebalance(&mut first);
    play.note(named(&revoked));
    // What was read is committed before it is given away.
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    let place = committer.group_metadata().expect("a member");
    let sent = writer.producer.send_offsets(&play.topic, &entry(1, "txn"), &place, PATIENCE);
    sent.expect("offsets");
    let result = writer.producer.commit_transaction(PATIENCE);
    play.note_result("transaction before the answer", &result);
    let result = committer.commit(&entry(2, "plain"), PATIENCE);
    play.note_result("commit before the answer", &result);
    play.note(format!("committed {}", committed_of(&first)));
    first.unassign().expect("unassign");
    first.close();
    let result = committer.commit(&entry(3, "closed"), PATIENCE);
    play.note_result("closed", &result);
    let place = committer.group_metadata();
    play.note_result("without membership", &place);
}

pub(super) fn serve<C: RecordConsumer>(consumer: &mut C) -> Result<(), KafkaError> {
    consumer.serve(Duration::ZERO, &mut |_| {})
}

pub(crate) const UNANSWERED: &[&str] = &[
    "offered assigned [0, 1]",
    "while it is not answered: true",
    "offsets: ok",
    "then revoked [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
];

/// An offer is not answered while another member joins.
pub(crate) fn unanswered<S: Stage>(play: &mut Play<S>) {
    let mut first = play.consumer(Some("a"));
    first.subscribe().expect("subscribe");
    let offered = play.rebalance(&mut first);
    play.note(format!("offered {}", named(&offered)));
    let mut second = play.consumer(Some("b"));
    second.subscribe().expect("subscribe");
    let mut event = None;
    for _ in 0..100 {
        play.stage.pass(Duration::from_millis(30));
        serve(&mut first).expect("works");
        event = event.take().or_else(|| first.next_rebalance());
    }
    play.note(format!("while it is not answered: {}", event.is_none()));
    let result = first.committer().commit(&entry(1, "m"), PATIENCE);
    play.note_result("offsets", &result);
    first.assign(&[]).expect("assign");
    let revoked = play.rebalance(&mut first);
    play.note(format!("then {}", named(&revoked)));
    first.unassign().expect("unassign");
    let both = [play.take_offer(&mut first), play.take_offer(&mut second)];
    play.note(format!("both {both:?}"));
}

pub(crate) const SILENT: &[&str] = &[
    "the other one assigned [0, 1]",
    "without membership: NotMember _ASSIGNMENT_LOST",
    "told [\"Retriable _MAX_POLL_EXCEEDED\"]",
    "revoked [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
];

/// An application that does not poll. It was asked for its partitions before it lost them, so the
/// event says no more than that.
pub(crate) fn silent<S: Stage>(play: &mut Play<S>) {
    use logintide::client::Client;
    let mut settings = play.consumer_settings(None);
    settings.max_poll_interval = SESSION;
    let mut silent = play.stage.client().consumer(&settings).expect("a consumer");
    play.join(&mut silent);
    let mut other = play.consumer(None);
    other.subscribe().expect("subscribe");
    let offered = play.take_offer(&mut other);
    play.note(format!("the other one {offered}"));
    let place = silent.committer().group_metadata();
    play.note_result("without membership", &place);
    let mut errors = Vec::new();
    let event = play.until("a rebalance event", || {
        silent
            .serve(Duration::ZERO, &mut |event| {
                if let DrainEvent::Error { error, .. } = event {
                    errors.push(kind(&error));
                }
            })
            .expect("works");
        silent.next_rebalance()
    });
    play.note(format!("told {errors:?}"));
    play.note(named(&event));
    silent.unassign().expect("unassign");
    play.until("the revoke", || {
        serve(&mut silent).expect("works");
        serve(&mut other).expect("works");
        other.next_rebalance()
    });
    other.unassign().expect("unassign");
    let mut both = [play.take_offer(&mut silent), play.take_offer(&mut other)];
    both.sort();
    play.note(format!("both {both:?}"));
}

pub(crate) const OUTSIDE: &[&str] = &[
    "no membership: NotMember _ASSIGNMENT_LOST",
    "offsets of an empty group: ok",
    "committed 3 \"nobody\"",
    "offsets beside a member: NotMember UNKNOWN_MEMBER_ID",
];

/// A consumer that has not joined.
pub(crate) fn outside<S: Stage>(play: &mut Play<S>) {
    let outsider = play.consumer(None);
    let committer = outsider.committer();
    let place = committer.group_metadata();
    play.note_result("no membership", &place);
    let result = committer.commit(&entry(3, "nobody"), PATIENCE);
    play.note_result("offsets of an empty group", &result);
    play.note(format!("committed {}", committed_of(&outsider)));
    let mut member = play.consumer(None);
    play.join(&mut member);
    let result = committer.commit(&entry(4, "nobody"), PATIENCE);
    play.note_result("offsets beside a member", &result);
}

pub(crate) const LEFT: &[&str] = &[
    "one has [0, 1], the other none of them: true",
    "the rest: assigned [0, 1]",
    "before its session was over: true",
];

/// A dynamic member leaves when it is closed.
pub(crate) fn left<S: Stage>(play: &mut Play<S>) {
    use logintide::client::{Client, Clock};
    let mut first = play.consumer(None);
    play.join(&mut first);
    let mut second = play.consumer(None);
    second.subscribe().expect("subscribe");
    play.rebalance(&mut first);
    first.unassign().expect("unassign");
    let mut both = [play.take_offer(&mut first), play.take_offer(&mut second)];
    both.sort();
    let shared = both == ["assigned [0]", "assigned [1]"];
    play.note(format!("one has [0, 1], the other none of them: {shared}"));
    let client = play.stage.client();
    let gone = client.clock().now();
    second.close();
    play.rebalance(&mut first);
    first.unassign().expect("unassign");
    let rest = play.take_offer(&mut first);
    play.note(format!("the rest: {rest}"));
    play.note(format!("before its session was over: {}", client.clock().since(gone) < SESSION));
}

pub(crate) const GROWN: &[&str] =
    &["first assigned [0, 1]", "then revoked [0, 1]", "again assigned [0, 1, 2]"];

/// The topic grows while a member reads it.
pub(crate) fn grown<S: Stage>(play: &mut Play<S>) {
    let mut member = play.consumer(Some("a"));
    let offered = play.join(&mut member);
    play.note(format!("first {offered}"));
    play.stage.add_partitions(&play.topic, 3);
    let revoked = play.rebalance(&mut member);
    play.note(format!("then {}", named(&revoked)));
    member.unassign().expect("unassign");
    let again = play.take_offer(&mut member);
    play.note(format!("again {again}"));
}
