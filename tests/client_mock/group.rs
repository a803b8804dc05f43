//! Group membership, commits and closing.

use std::time::Duration;

use logintide::{
    ids::{Offset, PartitionId},
    kafka::{Admin, Consumer, KafkaError, MockCluster, RebalanceEvent, cluster_id, find_topics},
};

use crate::support::*;

const TOPIC: &str = "input";

fn cluster(partitions: i32) -> MockCluster {
    let cluster = MockCluster::new(1).expect("mock cluster");
    cluster.create_topic(TOPIC, partitions).expect("topic");
    cluster
}

fn member(cluster: &MockCluster) -> Consumer {
    member_of(cluster, "group")
}

fn member_of(cluster: &MockCluster, group: &str) -> Consumer {
    Consumer::new(&consumer_settings(&cluster.brokers(), TOPIC, group)).expect("consumer")
}

#[test]
fn a_commit_is_read_back_with_its_metadata_also_when_nothing_moved() {
    let cluster = cluster(3);
    let mut consumer = member(&cluster);
    join(&mut consumer);
    let committer = consumer.committer();
    let entries = |epoch: u64, moved: i64| {
        vec![
            (PartitionId(0), Offset(7 + moved), format!("me:{epoch}:0:-1")),
            (PartitionId(1), Offset(0), format!("me:{epoch}:é:\"quoted\"")),
        ]
    };
    for (epoch, moved) in [(1, 0), (2, 0), (3, 5)] {
        committer.commit(&entries(epoch, moved), PATIENCE).expect("commit");
        let read = consumer
            .committed(&[PartitionId(0), PartitionId(1), PartitionId(2)], PATIENCE)
            .expect("committed offsets");
        assert_eq!(read.len(), 3);
        for ((partition, offset, metadata), read) in entries(epoch, moved).iter().zip(&read) {
            assert_eq!(read.partition, *partition);
            assert_eq!(read.offset, Some(*offset));
            assert_eq!(&read.metadata, metadata);
        }
        assert_eq!(read[2].offset, None);
        assert_eq!(read[2].metadata, "");
    }
    committer.commit(&[], Duration::ZERO).expect("nothing to commit");
}

#[test]
fn a_commit_without_an_answer_times_out_and_can_be_tried_again() {
    let cluster = cluster(1);
    let mut consumer = member(&cluster);
    join(&mut consumer);
    let committer = consumer.committer();
    let entry = [(PartitionId(0), Offset(3), "late".to_owned())];
    cluster.set_round_trip(Duration::from_secs(20)).expect("slow brokers");
    let error = committer.commit(&entry, Duration::from_millis(100)).expect_err("too slow");
    assert!(matches!(error, KafkaError::Timeout { .. }), "{error:?}");
    cluster.take_down().expect("down");
    let error = committer.commit(&entry, Duration::from_millis(500)).expect_err("nobody there");
    assert!(error.is_retriable(), "{error:?}");
    cluster.set_round_trip(Duration::ZERO).expect("fast brokers");
    cluster.bring_up().expect("up");
    until("a commit", || {
        serve(&mut consumer);
        match committer.commit(&entry, Duration::from_secs(1)) {
            Ok(()) => Some(()),
            Err(error) => {
                assert!(error.is_retriable(), "{error:?}");
                None
            }
        }
    });
    let read = consumer.committed(&[PartitionId(0)], PATIENCE).expect("committed offsets");
    assert_eq!((read[0].offset, read[0].metadata.as_str()), (Some(Offset(3)), "late"));
}

#[test]
fn a_committer_outlives_the_consumer_without_keeping_it() {
    let cluster = cluster(1);
    let mut consumer = member(&cluster);
    join(&mut consumer);
    let committer = consumer.committer();
    consumer.close();
    let error = committer
        .commit(&[(PartitionId(0), Offset(1), String::new())], PATIENCE)
        .expect_err("the consumer is closed");
    assert!(matches!(error, KafkaError::NotMember { .. }), "{error:?}");
}

/// A consumer that has been offered partitions and has answered, or not.
fn offered(cluster: &MockCluster, group: &str, answer: bool) -> Consumer {
    let mut consumer = member_of(cluster, group);
    consumer.subscribe().expect("subscribe");
    let RebalanceEvent::Assigned(partitions) = next_rebalance(&mut consumer) else {
        panic!("no assignment")
    };
    if answer {
        consumer.assign(&from_start(&partitions)).expect("assign");
    }
    consumer
}

// Each case has a group of its own: a member that ends while it joins is missed by the broker only
// after the session timeout.

#[test]
fn closing_never_waits_for_an_answer_to_an_assignment() {
    let cluster = cluster(2);
    let fresh = member_of(&cluster, "fresh");
    within_patience("close of a fresh consumer", move || fresh.close());
    let joining = member_of(&cluster, "joining");
    joining.subscribe().expect("subscribe");
    within_patience("close while joining", move || joining.close());
    let unanswered = offered(&cluster, "unanswered", false);
    within_patience("close with an unanswered assignment", move || unanswered.close());
    let mut declined = offered(&cluster, "declined", false);
    declined.unassign().expect("declining");
    within_patience("close after declining", move || declined.close());
    let assigned = offered(&cluster, "assigned", true);
    within_patience("close while assigned", move || assigned.close());
}

#[test]
fn closing_never_waits_for_an_answer_to_a_revoke() {
    let cluster = cluster(2);
    let mut revoked = offered(&cluster, "group", true);
    let second = member_of(&cluster, "group");
    second.subscribe().expect("subscribe");
    let event = until("the revoke", || {
        serve(&mut revoked);
        revoked.drain(TURN, |_| logintide::kafka::Flow::Continue);
        revoked.next_rebalance()
    });
    assert!(matches!(event, RebalanceEvent::Revoked(_)), "{event:?}");
    within_patience("close with an unanswered revoke", move || revoked.close());
    within_patience("close of the second", move || second.close());
}

#[test]
fn closing_is_bounded_while_the_brokers_are_away() {
    let cluster = cluster(1);
    let consumer = offered(&cluster, "group", true);
    cluster.take_down().expect("down");
    within_patience("close without brokers", move || consumer.close());
}

#[test]
fn closing_is_bounded_while_a_commit_waits_for_its_coordinator() {
    let cluster = cluster(1);
    let consumer = offered(&cluster, "group", true);
    cluster.take_down().expect("down");
    let entry = [(PartitionId(0), Offset(3), String::new())];
    let error = consumer.committer().commit(&entry, Duration::from_secs(1)).expect_err("nobody");
    assert!(error.is_retriable(), "{error:?}");
    within_patience("close with an open commit", move || consumer.close());
}

/// An unassign that met the group's end once in some tries hung for ever.
#[test]
fn closing_right_after_an_answer_does_not_hang() {
    let cluster = cluster(1);
    for round in 0..30 {
        let consumer = offered(&cluster, &format!("group-{round}"), round % 3 != 0);
        within_patience("close", move || consumer.close());
    }
}

#[test]
fn a_member_that_does_not_poll_loses_its_partitions_and_can_take_them_again() {
    let cluster = cluster(1);
    produce(&cluster.brokers(), TOPIC, 0, &numbered(0..20));
    let mut settings = consumer_settings(&cluster.brokers(), TOPIC, "group");
    settings.session_timeout = Duration::from_secs(5);
    settings.max_poll_interval = settings.session_timeout;
    settings.client = client(&cluster.brokers(), &[("heartbeat.interval.ms", "100")]);
    let mut consumer = Consumer::new(&settings).expect("consumer");
    join(&mut consumer);
    take_records(&mut consumer, 5);
    let mut told = None;
    let event = until("the loss", || {
        std::thread::sleep(2 * settings.max_poll_interval);
        consumer
            .serve(Duration::ZERO, &mut |event| told = Some(Seen::of(&event)))
            .expect("the client works");
        consumer.next_rebalance()
    });
    assert_eq!(event, RebalanceEvent::Lost(vec![PartitionId(0)]));
    assert!(matches!(told, Some(Seen::Error { partition: None, .. })), "{told:?}");
    consumer.unassign().expect("unassign");
    let RebalanceEvent::Assigned(partitions) = next_rebalance(&mut consumer) else {
        panic!("no assignment")
    };
    consumer.assign(&from_start(&partitions)).expect("assign");
    let values: Vec<_> = values_to_end(&mut consumer, 0, 20);
    assert_eq!(values, numbered(0..20));
}

#[test]
fn topics_are_asked_for_without_creating_them() {
    let cluster = cluster(3);
    let admin = Admin::new(&client(&cluster.brokers(), &[])).expect("admin");
    for _ in 0..2 {
        let topics = find_topics(&admin, &[TOPIC, "missing"], PATIENCE).expect("metadata");
        assert_eq!(topics[0].partitions, Some(3));
        assert_eq!((topics[1].name.as_str(), topics[1].partitions), ("missing", None));
    }
    assert!(cluster_id(&admin, PATIENCE).expect("cluster id").is_some());
}

#[test]
fn a_broker_that_is_not_there_is_named_in_the_timeout() {
    // Port 1 of the loopback has no listener.
    let admin = Admin::new(&client("127.0.0.1:1", &[])).expect("admin");
    for result in [
        cluster_id(&admin, Duration::from_millis(300)).map(|_| ()),
        find_topics(&admin, &["any"], Duration::from_millis(300)).map(|_| ()),
    ] {
        let error = result.expect_err("nobody answers");
        assert!(error.is_retriable(), "{error:?}");
        assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    }
}

#[test]
fn a_wrong_property_is_named_at_once() {
    let mut settings = consumer_settings("127.0.0.1:1", TOPIC, "group");
    settings.client = client("127.0.0.1:1", &[("no.such.property", "1")]);
    let error = Consumer::new(&settings).expect_err("unknown property");
    assert!(error.to_string().contains("-X no.such.property=1"), "{error}");
    settings.client = client("127.0.0.1:1", &[("fetch.wait.max.ms", "soon")]);
    let error = Consumer::new(&settings).expect_err("not a number");
    assert!(error.to_string().contains("fetch.wait.max.ms"), "{error}");
}
