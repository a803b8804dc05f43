//! Who is said to read what, and when a partition is said to have no owner.

use super::*;
use crate::{
    ids::{Epoch, TopicId},
    journal::{Applied, Content, Record},
    replica::view::tests::{RULES, merger, partition},
    window::WindowRules,
};

/// The patience of instances that commit every second.
const PATIENCE_MS: i64 = 12_000;
const BEGAN_MS: i64 = 1_000_000;

fn name(text: &str) -> InstanceId {
    InstanceId::parse(text).expect("valid")
}

fn said(epoch: u64) -> InstanceRecord {
    InstanceRecord {
        epoch: Epoch(epoch),
        version: "1.0.0".to_owned(),
        started_ms: 5,
        http: Some("127.0.0.1:9464".to_owned()),
        rules: RULES,
        exactly_once: true,
        commit_interval_ms: 1000,
        idle_timeout_ms: 30_000,
        session_timeout_ms: 10_000,
    }
}

/// A journal that instances write, with the time at which each record is written.
struct Journal {
    view: View,
    epoch: u64,
}

impl Journal {
    /// Of instances that have said that they commit every second.
    fn of(instances: &[&str]) -> Self {
        let mut view = View::new(RULES);
        for instance in instances {
            view.take_instance(name(instance), said(1));
        }
        Self { view, epoch: 1 }
    }

    fn take(&mut self, writer: &str, record: Record, at_ms: i64) {
        let record = Record { writer: name(writer), epoch: Epoch(self.epoch), ..record };
        self.view.apply(Applied::Next(record), at_ms);
    }

    /// An epoch of an instance, at so many milliseconds. Each partition has one open window.
    fn epoch(&mut self, writer: &str, partitions: &[i32], at_ms: i64) {
        self.epoch += 1;
        for p in partitions {
            self.take(writer, partition(*p, &[(100, 1)]), at_ms);
        }
    }

    /// What the merger says: how many partitions there are, and which windows are published.
    fn merge(&mut self, writer: &str, announced: u32, published: &[i64], at_ms: i64) {
        let mut record = merger(None, published);
        let Content::Merger(content) = &mut record.content else { panic!("the merger's") };
        content.head.partitions = announced;
        self.take(writer, record, at_ms);
    }

    fn cluster(&self) -> Cluster {
        let identity = Identity {
            cluster_id: "c".to_owned(),
            group_id: "g".to_owned(),
            topic: "t".to_owned(),
            topic_id: Some(TopicId(1)),
            window_size_ms: 10,
            journal_partitions: 2,
            first_partitions: 3,
            began_ms: BEGAN_MS,
        };
        cluster(&self.view, &identity, 7)
    }

    fn unowned(&self) -> Vec<i32> {
        self.cluster().unowned_partitions
    }
}

#[test]
fn each_instance_has_the_partitions_that_it_wrote_last() {
    let mut journal = Journal::of(&["one"]);
    journal.epoch("two", &[0, 1, 2], BEGAN_MS);
    journal.epoch("one", &[0, 2], BEGAN_MS + 1000);
    journal.merge("one", 3, &[], BEGAN_MS + 1001);
    let cluster = journal.cluster();
    assert_eq!((cluster.at_ms, cluster.group_id.as_str()), (7, "g"));
    assert_eq!((cluster.announced_partitions, cluster.merger.as_deref()), (3, Some("one")));
    assert_eq!((cluster.run, cluster.unowned_partitions.len()), (None, 0));
    let [one, two] = &cluster.instances[..] else { panic!("{cluster:?}") };
    assert_eq!(
        (one.instance_id.as_str(), one.epoch, one.merges, one.silent),
        ("one", 3, true, false)
    );
    assert_eq!(one.written_at_ms, BEGAN_MS + 1000);
    let partitions = |of: &ClusterInstance| -> Vec<_> {
        of.partitions.iter().map(|of| (of.partition, of.next_offset, of.written_at_ms)).collect()
    };
    assert_eq!(partitions(one), [(0, 0, BEGAN_MS + 1000), (2, 0, BEGAN_MS + 1000)]);
    assert_eq!(partitions(two), [(1, 0, BEGAN_MS)]);
    let about = one.about.as_ref().expect("it has said");
    assert_eq!((about.version.as_str(), about.delivery.as_str()), ("1.0.0", "exactly-once"));
    assert_eq!((two.merges, two.about.as_ref()), (false, None));
}

#[test]
fn an_instance_that_stops_while_others_go_on_has_no_partitions_any_more() {
    let mut journal = Journal::of(&["one", "two"]);
    let mut seen = Vec::new();
    for second in 0..20 {
        let at_ms = BEGAN_MS + 1000 * second;
        if second < 3 {
            journal.epoch("one", &[0, 1], at_ms);
            journal.merge("one", 3, &[], at_ms);
        }
        journal.epoch("two", &[2], at_ms);
        seen.push(journal.unowned());
    }
    assert_eq!((seen[14].len(), &seen[15][..]), (0, &[0, 1][..]), "{seen:?}");
    let cluster = journal.cluster();
    assert_eq!(cluster.merger, None, "nobody merges");
    let silent: Vec<_> = cluster.instances.iter().map(|of| of.silent).collect();
    assert_eq!(silent, [true, false]);
    journal.epoch("two", &[0, 1, 2], BEGAN_MS + 20_000);
    journal.merge("two", 3, &[], BEGAN_MS + 20_000);
    let cluster = journal.cluster();
    assert_eq!((cluster.merger.as_deref(), cluster.instances.len()), (Some("two"), 1));
    assert!(cluster.unowned_partitions.is_empty());
}

#[test]
fn a_group_that_is_silent_or_has_just_been_is_not_at_fault() {
    let mut journal = Journal::of(&["one", "two"]);
    journal.epoch("one", &[0], BEGAN_MS);
    journal.merge("one", 2, &[], BEGAN_MS);
    journal.epoch("two", &[1], BEGAN_MS + 100);
    assert!(journal.unowned().is_empty(), "silence");
    let hour = BEGAN_MS + 3_600_000;
    journal.epoch("two", &[1], hour);
    assert!(journal.unowned().is_empty(), "the other has not yet seen that there is an event");
    journal.epoch("two", &[1], hour + PATIENCE_MS);
    assert!(journal.unowned().is_empty());
    journal.epoch("two", &[1], hour + PATIENCE_MS + 1);
    assert_eq!(journal.unowned(), [0], "it has had its time");
}

#[test]
fn who_has_nothing_to_say_may_be_silent_while_no_window_is_open() {
    let mut journal = Journal::of(&["one", "two"]);
    journal.epoch("one", &[0], BEGAN_MS);
    journal.merge("one", 2, &[100], BEGAN_MS);
    for second in 0..30 {
        journal.epoch("two", &[1], BEGAN_MS + 1000 * second);
    }
    assert!(journal.unowned().is_empty(), "only dead letters came, and none to the other");
}

#[test]
fn a_partition_that_was_given_up_has_no_owner_whatever_windows_are_open() {
    let mut journal = Journal::of(&["one"]);
    journal.epoch("one", &[0, 1], BEGAN_MS);
    journal.merge("one", 2, &[100], BEGAN_MS);
    for second in 1..=13 {
        assert!(journal.unowned().is_empty(), "after {second} s");
        journal.epoch("one", &[0], BEGAN_MS + 1000 * second);
    }
    assert_eq!(journal.unowned(), [1]);
}

#[test]
fn a_partition_of_which_nobody_has_ever_written_has_no_owner() {
    let mut journal = Journal::of(&["one"]);
    journal.epoch("one", &[0], BEGAN_MS);
    journal.merge("one", 3, &[], BEGAN_MS);
    assert!(journal.unowned().is_empty(), "the group has just begun");
    journal.epoch("one", &[0], BEGAN_MS + PATIENCE_MS + 1);
    assert_eq!(journal.unowned(), [1, 2]);
}

#[test]
fn what_must_agree_and_does_not_is_named_once_and_only_of_those_that_write() {
    let mut journal = Journal::of(&["one", "two", "three"]);
    journal.epoch("one", &[0], BEGAN_MS);
    journal.epoch("two", &[1], BEGAN_MS);
    journal.epoch("three", &[2], BEGAN_MS);
    let own = InstanceRecord { commit_interval_ms: 500, http: None, started_ms: 9, ..said(2) };
    journal.view.take_instance(name("two"), own.clone());
    assert!(journal.cluster().differences.is_empty(), "an instance may have its own times");
    let rules = WindowRules { grace_ms: 3, ..RULES };
    let other = InstanceRecord { version: "2".to_owned(), rules, exactly_once: false, ..own };
    journal.view.take_instance(name("two"), other);
    assert_eq!(journal.cluster().differences, ["version", "delivery", "grace"]);
    for second in 1..=13 {
        journal.epoch("one", &[0], BEGAN_MS + 1000 * second);
        journal.epoch("three", &[2], BEGAN_MS + 1000 * second);
    }
    assert_eq!(journal.unowned(), [1]);
    assert!(journal.cluster().differences.is_empty(), "it has gone");
}

#[test]
fn what_an_instance_said_last_stands_until_others_have_all_it_owned() {
    let mut journal = Journal::of(&["one"]);
    journal.epoch("one", &[0, 1], BEGAN_MS);
    let newer = InstanceRecord { version: "2".to_owned(), ..said(5) };
    journal.view.take_instance(name("one"), newer.clone());
    journal.view.take_instance(name("one"), said(4));
    journal.epoch("two", &[0], BEGAN_MS);
    assert_eq!(journal.view.instance(&name("one")), Some(&newer));
    journal.epoch("two", &[1], BEGAN_MS);
    assert_eq!(journal.view.instance(&name("one")), None);
}
