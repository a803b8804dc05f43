//! Static members: they keep their place when they are gone, and a second of their name takes it.

use logintide::{
    client::{OffsetCommitter, RecordConsumer, RecordProducer},
    kafka::RebalanceEvent,
};

use super::{
    groups::serve,
    stage::{ConsumerOf, PATIENCE, Play, SESSION, Stage, entry, kind, named},
};

pub(crate) const DEAD_STATIC: &[&str] = &[
    "first assigned [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
    "still there after half of a session: true",
    "then revoked [0]",
    "within two sessions: true",
    "all assigned [0, 1]",
];

pub(crate) fn dead_static<S: Stage>(play: &mut Play<S>) {
    use logintide::client::{Client, Clock};
    let mut first = play.consumer(Some("a"));
    let offered = play.join(&mut first);
    play.note(format!("first {offered}"));
    let mut second = play.consumer(Some("b"));
    join_second(play, &mut first, &mut second);
    // A static member does not leave when it goes.
    drop(second);
    let client = play.stage.client();
    let gone = client.clock().now();
    let mut event = None;
    play.until("half of a session", || {
        serve(&mut first).expect("works");
        event = event.take().or_else(|| first.next_rebalance());
        (client.clock().since(gone) > SESSION / 2).then_some(())
    });
    play.note(format!("still there after half of a session: {}", event.is_none()));
    let revoked = play.rebalance(&mut first);
    play.note(format!("then {}", named(&revoked)));
    play.note(format!("within two sessions: {}", client.clock().since(gone) < SESSION * 2));
    first.unassign().expect("unassign");
    let all = play.take_offer(&mut first);
    play.note(format!("all {all}"));
}

/// A second member joins, and both take what they are offered.
fn join_second<S: Stage>(
    play: &mut Play<S>,
    first: &mut ConsumerOf<S>,
    second: &mut ConsumerOf<S>,
) {
    second.subscribe().expect("subscribe");
    let revoked = play.rebalance(first);
    assert!(matches!(revoked, RebalanceEvent::Revoked(_)), "{revoked:?}");
    first.unassign().expect("unassign");
    let both = [play.take_offer(first), play.take_offer(second)];
    play.note(format!("both {both:?}"));
}

pub(crate) const REPLACED: &[&str] = &[
    "first assigned [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
    "the newer one assigned [1]",
    "the older one: Fenced FENCED_INSTANCE_ID",
    "its offsets: Fenced FENCED_INSTANCE_ID",
    "the others go on: true",
    "offsets of the newer one: ok",
];

/// A second process with a member's instance id.
pub(crate) fn replaced<S: Stage>(play: &mut Play<S>) {
    let mut first = play.consumer(Some("a"));
    let offered = play.join(&mut first);
    play.note(format!("first {offered}"));
    let mut older = play.consumer(Some("b"));
    join_second(play, &mut first, &mut older);
    let place = older.committer().group_metadata().expect("a member");
    let mut newer = play.consumer(Some("b"));
    let offered = play.join(&mut newer);
    play.note(format!("the newer one {offered}"));
    let mut event = None;
    let error = play.until("a fence", || {
        serve(&mut first).expect("works");
        serve(&mut newer).expect("works");
        event = event.take().or_else(|| first.next_rebalance());
        serve(&mut older).err()
    });
    play.note(format!("the older one: {}", kind(&error)));
    let writer = play.writer(Some("w"), PATIENCE);
    writer.producer.begin_transaction().expect("begin");
    let sent = writer.producer.send_offsets(&play.topic, &entry(3, "old"), &place, PATIENCE);
    play.note_result("its offsets", &sent);
    writer.producer.abort_transaction(PATIENCE).expect("abort");
    play.note(format!("the others go on: {}", event.is_none()));
    writer.producer.begin_transaction().expect("begin");
    let place = newer.committer().group_metadata().expect("a member");
    let sent = writer.producer.send_offsets(&play.topic, &entry(4, "new"), &place, PATIENCE);
    play.note_result("offsets of the newer one", &sent);
    writer.producer.commit_transaction(PATIENCE).expect("commit");
}

pub(crate) const RETURNED: &[&str] = &[
    "first assigned [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
    "again assigned [1]",
    "before the session was over: true",
    "the other goes on: true",
];

/// A static member goes, and comes back within its session.
pub(crate) fn returned<S: Stage>(play: &mut Play<S>) {
    use logintide::client::{Client, Clock};
    let mut first = play.consumer(Some("a"));
    let offered = play.join(&mut first);
    play.note(format!("first {offered}"));
    let mut second = play.consumer(Some("b"));
    join_second(play, &mut first, &mut second);
    let client = play.stage.client();
    let gone = client.clock().now();
    second.close();
    let mut again = play.consumer(Some("b"));
    let offered = play.join(&mut again);
    play.note(format!("again {offered}"));
    play.note(format!("before the session was over: {}", client.clock().since(gone) < SESSION));
    let mut event = None;
    play.until("a session", || {
        serve(&mut first).expect("works");
        serve(&mut again).expect("works");
        event = event.take().or_else(|| first.next_rebalance());
        (client.clock().since(gone) > SESSION + SESSION / 2).then_some(())
    });
    play.note(format!("the other goes on: {}", event.is_none()));
}

pub(crate) const GONE_FOR_GOOD: &[&str] = &[
    "first assigned [0, 1]",
    "both [\"assigned [0]\", \"assigned [1]\"]",
    "members [\"a\"]",
    "then revoked [0]",
    "before the session was over: true",
    "all assigned [0, 1]",
    "members []",
];

/// A static member gives up its place, beside another one and as the last of all.
pub(crate) fn gone_for_good<S: Stage>(play: &mut Play<S>) {
    use logintide::client::{Client, Clock, Questions};
    let settings = play.consumer_settings(None);
    let client = play.stage.client();
    let admin = client.uncommitted(&settings.client).expect("a client");
    let members = || {
        let group = admin.describe_group(&settings.group_id, PATIENCE).expect("an answer");
        group.members.into_iter().map(|it| it.instance_id).collect::<Vec<_>>()
    };
    let mut first = play.consumer(Some("a"));
    let offered = play.join(&mut first);
    play.note(format!("first {offered}"));
    let mut second = play.consumer(Some("b"));
    join_second(play, &mut first, &mut second);
    let gone = client.clock().now();
    second.leave();
    play.note(format!("members {:?}", members()));
    let revoked = play.rebalance(&mut first);
    play.note(format!("then {}", named(&revoked)));
    play.note(format!("before the session was over: {}", client.clock().since(gone) < SESSION));
    first.unassign().expect("unassign");
    let all = play.take_offer(&mut first);
    play.note(format!("all {all}"));
    first.leave();
    play.note(format!("members {:?}", members()));
}
