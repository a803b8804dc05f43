//! Who is in a group, and what one that has gone has left open.

use std::time::Duration;

use logintide::{
    client::{Client, OffsetCommitter, Questions, RecordConsumer, RecordProducer},
    ids::PartitionId,
};

use super::{
    groups::serve,
    stage::{PATIENCE, Play, Stage, committed_of, entry},
};

pub(crate) const LISTED: &[&str] = &[
    "before []",
    "with one [\"a\"]",
    "with a guest [\"\", \"a\"]",
    "it has gone [\"\", \"a\"]",
    "in the end [\"\"]",
];

/// A group lists a static member that has gone until its session ends.
pub(crate) fn listed<S: Stage>(play: &mut Play<S>) {
    let settings = play.consumer_settings(None);
    let admin = play.stage.client().uncommitted(&settings.client).expect("a client");
    let members = || {
        let group = admin.describe_group(&settings.group_id, PATIENCE).expect("an answer");
        let mut names: Vec<_> = group.members.into_iter().map(|it| it.instance_id).collect();
        names.sort();
        names
    };
    play.note(format!("before {:?}", members()));
    let mut first = play.consumer(Some("a"));
    play.join(&mut first);
    play.note(format!("with one {:?}", members()));
    let mut guest = play.consumer(None);
    guest.subscribe().expect("subscribe");
    play.rebalance(&mut first);
    first.unassign().expect("unassign");
    play.take_offer(&mut first);
    play.take_offer(&mut guest);
    play.note(format!("with a guest {:?}", members()));
    drop(first);
    play.note(format!("it has gone {:?}", members()));
    let left = play.until("the end of a session", || {
        serve(&mut guest).expect("works");
        if guest.next_rebalance().is_some() {
            guest.unassign().expect("unassign");
        }
        Some(members()).filter(|names| names.len() < 2)
    });
    play.note(format!("in the end {left:?}"));
}

pub(crate) const ENDED_BY_OTHERS: &[&str] = &[
    "pending: Timeout",
    "without waiting [\"m1\"]",
    "hidden 0=first end 2",
    "registered: ok",
    "then 5 \"m1\"",
    "visible 0=first end 4",
];

/// Registering the id of one that has gone ends what it has left open, offsets included.
pub(crate) fn ended_by_others<S: Stage>(play: &mut Play<S>) {
    let mut member = play.consumer(None);
    play.join(&mut member);
    let place = member.committer().group_metadata().expect("a member");
    let lost = play.writer(Some("lost"), PATIENCE);
    lost.producer.begin_transaction().expect("begin");
    play.send(&lost, 0, &["first"]);
    let sent = lost.producer.send_offsets(&play.topic, &entry(5, "m1"), &place, PATIENCE);
    sent.expect("offsets");
    lost.producer.commit_transaction(PATIENCE).expect("commit");
    lost.producer.begin_transaction().expect("begin");
    play.send(&lost, 0, &["open"]);
    let sent = lost.producer.send_offsets(&play.topic, &entry(9, "m2"), &place, PATIENCE);
    sent.expect("offsets");
    let pending = member.committed(&[PartitionId(0)], Duration::from_millis(700));
    play.note_result("pending", &pending);
    let settings = play.consumer_settings(None);
    let admin = play.stage.client().uncommitted(&settings.client).expect("a client");
    let metadata = admin.commit_metadata(&settings.group_id, PATIENCE).expect("an answer");
    play.note(format!("without waiting {metadata:?}"));
    play.note(format!("hidden {}", play.read(0, false)));
    let heir = play.producer_settings(Some("lost"), PATIENCE);
    let heir = play.stage.client().producer(&heir).expect("a producer");
    let registered = heir.init_transactions(PATIENCE);
    play.note_result("registered", &registered);
    play.note(format!("then {}", committed_of(&member)));
    play.note(format!("visible {}", play.read(0, false)));
}
