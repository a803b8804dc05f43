//! Contents by chance.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};

use crate::{
    ids::{Epoch, EventTimeMs, InstanceId, Offset, PartitionId, TopicId, WindowStart},
    journal::{Content, Identity, InstanceRecord, MergerRecord, PartitionRecord, Stream},
    window::{
        BoundedRun, Completeness, MergerHead, Partial, PartitionHead, PartitionState,
        PartitionTotals, PublishedTotal, WindowRules,
    },
};

pub(super) fn instance(name: &str) -> InstanceId {
    InstanceId::parse(name).expect("valid")
}

pub(super) fn partition(p: i32) -> Stream {
    Stream::Partition(PartitionId(p))
}

fn time() -> impl Strategy<Value = Option<EventTimeMs>> {
    any::<Option<i64>>().prop_map(|time| time.map(EventTimeMs))
}

fn completeness() -> impl Strategy<Value = Completeness> {
    prop_oneof![
        Just(Completeness::FromStart),
        any::<Option<i64>>()
            .prop_map(|at| Completeness::UntilFirstEvent { at_least: at.map(WindowStart) }),
        any::<i64>().prop_map(|at| Completeness::After(WindowStart(at))),
    ]
}

/// Counts of up to a hundred events, and now and then of thousands of users.
pub(super) fn partial() -> impl Strategy<Value = Partial> {
    let few = vec(("[A-Z]{0,2}", "iOS|android|other|", "[0-9a-z\u{e4}]{0,40}", 0..200_u32), 0..30);
    let many = prop_oneof![9 => Just(0_u32), 1 => 700..3000_u32];
    (few, many).prop_map(|(few, many)| {
        let mut partial = Partial::new();
        for (locale, device, version, user) in few {
            partial.count(
                [locale.as_str(), device.as_str(), version.as_str()].into(),
                &user.to_string(),
            );
        }
        for user in 0..many {
            partial.count([&(user % 1200).to_string(), "web", "1"].into(), &user.to_string());
        }
        partial
    })
}

pub(super) fn partition_head() -> impl Strategy<Value = PartitionHead> {
    let totals =
        any::<[u64; 5]>().prop_map(|[records_in, processed, dead_lettered, late, tombstones]| {
            PartitionTotals { records_in, processed, dead_lettered, late, tombstones }
        });
    let times = (time(), time(), time());
    (any::<i64>(), times, any::<bool>(), completeness(), totals, any::<Option<u128>>()).prop_map(
        |(next_offset, times, at_end, completeness, totals, topic)| {
            let (watermark, idle_as_of, horizon) = times;
            let (next_offset, topic) = (Offset(next_offset), topic.map(TopicId));
            let state =
                PartitionState { next_offset, watermark, idle_as_of, horizon, completeness, topic };
            PartitionHead { state, at_end, totals }
        },
    )
}

fn run() -> impl Strategy<Value = BoundedRun> {
    let ends = btree_map(any::<i32>(), any::<i64>(), 0..5);
    (any::<u64>(), ends, any::<bool>()).prop_map(|(number, ends, done)| BoundedRun {
        number,
        ends: Arc::new(ends.into_iter().map(|(p, end)| (PartitionId(p), Offset(end))).collect()),
        done,
    })
}

fn merger_head() -> impl Strategy<Value = MergerHead> {
    let rules = any::<[i64; 3]>().prop_map(|[size_ms, grace_ms, allowed_lateness_ms]| {
        WindowRules { size_ms, grace_ms, allowed_lateness_ms }
    });
    (time(), time(), time(), any::<u32>(), proptest::option::of(run()), rules).prop_map(
        |(watermark, horizon, forgotten, partitions, run, rules)| MergerHead {
            watermark,
            horizon,
            forgotten,
            partitions,
            run,
            rules,
        },
    )
}

fn partition_record() -> impl Strategy<Value = PartitionRecord> {
    let windows = btree_map(any::<i64>(), partial().prop_map(Arc::new), 0..4);
    (partition_head(), windows)
        .prop_map(|(head, windows)| PartitionRecord { head, windows: starts(windows) })
}

fn merger_record() -> impl Strategy<Value = MergerRecord> {
    let published = any::<(u32, u64, u64)>()
        .prop_map(|(revision, total, late_events)| PublishedTotal { revision, total, late_events });
    let past_usage = proptest::option::of(partial().prop_map(|partial| Arc::new(partial.counts)));
    (merger_head(), past_usage, btree_map(any::<i64>(), published, 0..10)).prop_map(
        |(head, past_usage, windows)| MergerRecord { head, past_usage, windows: starts(windows) },
    )
}

fn starts<T>(windows: BTreeMap<i64, T>) -> BTreeMap<WindowStart, T> {
    windows.into_iter().map(|(start, window)| (WindowStart(start), window)).collect()
}

/// A stream and what a record of it may hold.
pub(super) fn content() -> impl Strategy<Value = (Stream, Content)> {
    let partition = (0..=i32::MAX, partition_record())
        .prop_map(|(p, record)| (partition(p), Content::Partition(record)));
    let merger = merger_record().prop_map(|record| (Stream::Merger, Content::Merger(record)));
    prop_oneof![2 => partition, 1 => merger]
}

pub(super) fn instance_record() -> impl Strategy<Value = InstanceRecord> {
    let texts = ("\\PC{0,20}", proptest::option::of("\\PC{0,20}"));
    (texts, any::<[u64; 4]>(), any::<[i64; 4]>(), any::<bool>()).prop_map(
        |((version, http), numbers, signed, exactly_once)| InstanceRecord {
            epoch: Epoch(numbers[0]),
            version,
            started_ms: signed[0],
            http,
            rules: WindowRules {
                size_ms: signed[1],
                grace_ms: signed[2],
                allowed_lateness_ms: signed[3],
            },
            exactly_once,
            commit_interval_ms: numbers[1],
            idle_timeout_ms: numbers[2],
            session_timeout_ms: numbers[3],
        },
    )
}

pub(super) fn identity() -> impl Strategy<Value = Identity> {
    let numbers = (any::<i64>(), 1..=i32::MAX as u32, any::<u32>(), any::<i64>());
    ("\\PC{0,20}", "\\PC{0,20}", "\\PC{0,20}", any::<Option<u128>>(), numbers).prop_map(
        |(cluster_id, group_id, topic, topic_id, numbers)| Identity {
            cluster_id,
            group_id,
            topic,
            topic_id: topic_id.map(TopicId),
            window_size_ms: numbers.0,
            journal_partitions: numbers.1,
            first_partitions: numbers.2,
            began_ms: numbers.3,
        },
    )
}
