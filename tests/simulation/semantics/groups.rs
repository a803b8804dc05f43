//! Groups: who waits for whom, and whose place is lost.

use std::time::Duration;

use logintide::{
    client::{Client, Clock, OffsetCommitter, RecordConsumer},
    ids::PartitionId,
    kafka::{DrainEvent, RebalanceEvent},
};

use super::SOON;
use crate::{
    kafka::{Faults, SimClient},
    script::stage::{ConsumerOf, PATIENCE, Play, SESSION, committed_of, entry, kind, named},
    stage::{Simulated, play},
};

type Member = ConsumerOf<Simulated>;

fn member_of(play: &Play<Simulated>, instance: Option<&str>) -> (SimClient, Member) {
    let client = play.stage.kafka.process();
    let member = client.consumer(&play.consumer_settings(instance)).expect("a consumer");
    (client, member)
}

/// Two static members with a partition each.
fn two(play: &Play<Simulated>) -> [(SimClient, Member); 2] {
    let (mut first, mut second) = (member_of(play, Some("a")), member_of(play, Some("b")));
    play.join(&mut first.1);
    second.1.subscribe().expect("subscribe");
    play.rebalance(&mut first.1);
    first.1.unassign().expect("unassign");
    let both = [play.take_offer(&mut first.1), play.take_offer(&mut second.1)];
    assert_eq!(both, ["assigned [0]", "assigned [1]"]);
    [first, second]
}

#[test]
fn a_new_id_waits_for_a_dead_member_and_a_known_one_does_not() {
    for seed in 0..20 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        let [(_, mut first), (client, second)] = two(&play);
        kafka.kill(client.process());
        drop(second);
        let killed = kafka.clock().now();
        let (_, mut known) = member_of(&play, Some("b"));
        assert_eq!(play.join(&mut known), "assigned [1]");
        assert!(kafka.clock().since(killed) < Duration::from_millis(500), "at once");
        let listed = [("a".to_owned(), vec![0]), ("b".to_owned(), vec![1])];
        assert_eq!(kafka.members(&play.topic), listed.into());
        kafka.pass(SOON);
        assert_eq!(first.serve(Duration::ZERO, &mut |_| {}), Ok(()));
        assert_eq!(first.next_rebalance(), None, "nobody else noticed");
        // Now it is killed, and somebody whom nobody knows comes.
        known.close();
        let killed = kafka.clock().now();
        let (_, mut new) = member_of(&play, Some("c"));
        new.subscribe().expect("subscribe");
        play.rebalance(&mut first);
        first.unassign().expect("unassign");
        let offered = play.take_offer(&mut new);
        let waited = kafka.clock().since(killed);
        assert!(!kafka.members(&play.topic).contains_key("b"), "seed {seed}");
        assert!(waited > SESSION / 3 && waited < SESSION * 2, "seed {seed}: {waited:?}");
        assert_eq!([play.take_offer(&mut first), offered], ["assigned [0]", "assigned [1]"]);
    }
}

#[test]
fn a_member_that_is_killed_while_it_leads_a_rebalance_holds_it_up_for_a_session() {
    for seed in 0..50 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        let [(client, mut first), (_, mut second)] = two(&play);
        let (_, mut third) = member_of(&play, Some("c"));
        third.subscribe().expect("subscribe");
        play.rebalance(&mut first);
        play.rebalance(&mut second);
        first.unassign().expect("unassign");
        second.unassign().expect("unassign");
        // At some moment between its join and the assignment.
        kafka.pass(Duration::from_millis(seed % 8));
        kafka.kill(client.process());
        let mut owned = Vec::new();
        while owned.len() < 2 {
            owned.clear();
            for member in [&mut second, &mut third] {
                match play.rebalance(member) {
                    RebalanceEvent::Assigned(partitions) => owned.extend(partitions),
                    _ => member.unassign().expect("unassign"),
                }
                member.assign(&[]).expect("an answer");
            }
        }
        owned.sort_unstable();
        assert_eq!(owned, [PartitionId(0), PartitionId(1)], "seed {seed}");
    }
}

#[test]
fn offsets_of_a_member_that_others_have_replaced_are_refused() {
    let play = play(1);
    let [(client, mut first), (_, mut second)] = two(&play);
    let kafka = &play.stage.kafka;
    let committer = first.committer();
    kafka.pause(client.process());
    assert_eq!(named(&play.rebalance(&mut second)), "revoked [1]");
    second.unassign().expect("unassign");
    assert_eq!(play.take_offer(&mut second), "assigned [0, 1]");
    let taken = second.committer().commit(&entry(7, "second"), PATIENCE);
    taken.expect("the owner");
    kafka.resume(client.process());
    let refused = committer.commit(&entry(3, "zombie"), PATIENCE).expect_err("not a member");
    assert!(kind(&refused).starts_with("NotMember"), "{refused:?}");
    assert_eq!(
        committer.group_metadata().map_err(|error| kind(&error)).err().as_deref(),
        Some("NotMember _ASSIGNMENT_LOST")
    );
    assert_eq!(named(&play.rebalance(&mut first)), "lost [0]");
    assert_eq!(committed_of(&second), "7 \"second\"");
    // It joins again, and gets something.
    first.unassign().expect("unassign");
    play.rebalance(&mut second);
    second.unassign().expect("unassign");
    let both = [play.take_offer(&mut first), play.take_offer(&mut second)];
    assert_eq!(both, ["assigned [0]", "assigned [1]"]);
}

#[test]
fn a_member_whose_application_does_not_poll_loses_its_place() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let client = kafka.process();
    let mut settings = play.consumer_settings(None);
    settings.max_poll_interval = SESSION;
    let mut silent = client.consumer(&settings).expect("a consumer");
    play.join(&mut silent);
    let (_, mut other) = member_of(&play, None);
    other.subscribe().expect("subscribe");
    // It does not answer the revoke either: the group goes on without it.
    assert_eq!(play.take_offer(&mut other), "assigned [0, 1]");
    assert!(silent.committer().group_metadata().is_err());
    let mut errors = Vec::new();
    silent
        .serve(Duration::ZERO, &mut |event| {
            if let DrainEvent::Error { error, .. } = event {
                errors.push(kind(&error));
            }
        })
        .expect("it works");
    assert_eq!(errors, ["Retriable _MAX_POLL_EXCEEDED"]);
    let event = silent.next_rebalance().expect("an event");
    assert_eq!(named(&event), "revoked [0, 1]", "as it was asked before");
}

#[test]
fn the_first_generation_of_a_group_waits_for_more_members_where_brokers_do() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    kafka.with(|cluster| cluster.first_rebalance_delay = Duration::from_secs(3));
    let (_, mut first) = member_of(&play, Some("a"));
    first.subscribe().expect("subscribe");
    kafka.pass(Duration::from_secs(2));
    first.serve(Duration::ZERO, &mut |_| {}).expect("it works");
    assert_eq!(first.next_rebalance(), None);
    let (_, mut second) = member_of(&play, Some("b"));
    let offered = play.join(&mut second);
    assert_eq!([play.take_offer(&mut first), offered], ["assigned [0]", "assigned [1]"]);
}

#[test]
fn a_leader_that_is_slow_to_answer_a_revoke_is_waited_for() {
    for seed in 0..20 {
        let play = play(seed);
        let kafka = &play.stage.kafka;
        let [(_, mut first), (_, mut second)] = two(&play);
        let (_, mut third) = member_of(&play, Some("c"));
        third.subscribe().expect("subscribe");
        play.rebalance(&mut second);
        second.unassign().expect("unassign");
        play.rebalance(&mut first);
        kafka.pass(SOON);
        for member in [&mut second, &mut third] {
            member.serve(Duration::ZERO, &mut |_| {}).expect("it works");
            assert_eq!(member.next_rebalance(), None, "seed {seed}");
        }
        // What it has read is still its own.
        first.committer().commit(&entry(8, "last"), PATIENCE).expect("still a member");
        first.unassign().expect("unassign");
        let all = [&mut first, &mut second, &mut third].map(|member| play.take_offer(member));
        assert_eq!(all, ["assigned [0]", "assigned [1]", "assigned []"], "seed {seed}");
    }
}

#[test]
fn a_coordinator_that_moves_is_waited_for_and_may_have_forgotten() {
    let play = play(1);
    let kafka = &play.stage.kafka;
    let (_, mut member) = member_of(&play, None);
    play.join(&mut member);
    member.committer().commit(&entry(4, "m"), PATIENCE).expect("commit");
    kafka.move_group_coordinator(Duration::from_secs(5));
    kafka.set_faults(super::impatient());
    let away = member.committed(&[PartitionId(0)], PATIENCE).expect_err("away");
    assert_eq!(kind(&away), "Timeout");
    kafka.pass(Duration::from_secs(5));
    kafka.set_faults(Faults { forgotten_offsets_one_in: 1, ..Faults::none() });
    assert_eq!(committed_of(&member), "none \"\"");
    kafka.set_faults(Faults::none());
    assert_eq!(committed_of(&member), "4 \"m\"");
    kafka.pass(SOON);
    member.serve(Duration::ZERO, &mut |_| {}).expect("it works");
    assert_eq!(member.next_rebalance(), None, "its place was kept");
}
