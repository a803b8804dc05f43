use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    ids::Offset,
    journal::{MergerRecord, PartitionRecord},
    window::{Completeness, Dimension, PartitionState},
};

pub(in crate::replica) const RULES: WindowRules =
    WindowRules { size_ms: 10, grace_ms: 0, allowed_lateness_ms: 0 };

fn record(stream: Stream, content: Content) -> Record {
    let writer = InstanceId::parse("one").expect("valid");
    Record { stream, seq: 1, epoch: Epoch(1), writer, content }
}

/// Counts `total` events in each of these windows.
pub(in crate::replica) fn partition(p: i32, windows: &[(i64, u64)]) -> Record {
    let counted = windows.iter().map(|(start, total)| {
        let mut partial = Partial::new();
        for number in 0..*total {
            let location = format!("L{}", number % 20);
            partial.count([location.as_str(), "iOS", "1"].into(), &number.to_string());
        }
        (WindowStart(*start), Arc::new(partial))
    });
    let state = PartitionState::new(Offset(0), Completeness::FromStart);
    let totals = PartitionTotals { records_in: 1, ..PartitionTotals::default() };
    let head = PartitionHead { state, at_end: false, totals };
    let content = PartitionRecord { head, windows: counted.collect() };
    record(Stream::Partition(PartitionId(p)), Content::Partition(content))
}

pub(in crate::replica) fn merger(forgotten: Option<i64>, published: &[i64]) -> Record {
    let total = PublishedTotal { revision: 1, total: 5, late_events: 0 };
    let head = MergerHead {
        watermark: None,
        horizon: None,
        forgotten: forgotten.map(EventTimeMs),
        partitions: 1,
        run: None,
        rules: RULES,
    };
    let windows = published.iter().map(|start| (WindowStart(*start), total)).collect();
    record(Stream::Merger, Content::Merger(MergerRecord { head, past_usage: None, windows }))
}

fn totals(view: &View, p: i32) -> Vec<(i64, u64)> {
    let windows = view.partition(PartitionId(p)).map(|view| &view.windows);
    let windows = windows.into_iter().flatten();
    windows.map(|(start, partial)| (start.0, partial.total)).collect()
}

#[test]
fn a_record_replaces_the_windows_that_it_names_and_a_snapshot_all() {
    let mut view = View::new(RULES);
    view.apply(Applied::Snapshot(partition(0, &[(0, 1), (10, 2)])), 0);
    view.apply(Applied::Next(partition(0, &[(10, 3), (20, 4)])), 0);
    assert_eq!(totals(&view, 0), [(0, 1), (10, 3), (20, 4)]);
    view.apply(Applied::Snapshot(partition(0, &[(20, 5)])), 0);
    assert_eq!(totals(&view, 0), [(20, 5)]);
    view.apply(Applied::Next(partition(1, &[])), 0);
    assert_eq!(view.totals().records_in, 2);
}

#[test]
fn usage_of_what_is_forgotten_stands_until_another_record_names_it() {
    let naming = |usage: Option<u64>| {
        let mut merger = merger(None, &[]);
        let Content::Merger(record) = &mut merger.content else { panic!("the merger's") };
        record.past_usage = usage.map(|count| {
            let mut usage = UsageCounts::default();
            usage[Dimension::Device].add("iOS", count);
            Arc::new(usage)
        });
        merger
    };
    let mut view = View::new(RULES);
    for (usage, expected) in [(Some(3), 3), (None, 3), (Some(5), 5), (None, 5)] {
        view.apply(Applied::Next(naming(usage)), 0);
        let merger = view.merger().expect("it is there");
        assert_eq!(merger.past_usage[Dimension::Device].sorted(), [("iOS", expected)]);
    }
    view.apply(Applied::Snapshot(naming(Some(1))), 0);
    let merger = view.merger().expect("it is there");
    assert_eq!(merger.past_usage[Dimension::Device].sorted(), [("iOS", 1)]);
}

#[test]
fn what_everyone_has_forgotten_is_dropped_whoever_names_it_later() {
    let mut view = View::new(RULES);
    view.apply(Applied::Next(partition(0, &[(0, 1), (10, 2), (20, 3)])), 0);
    view.apply(Applied::Next(merger(None, &[0])), 0);
    assert!(view.last_published().is_empty());
    // Window 10 is published and forgotten at once.
    view.apply(Applied::Next(merger(Some(20), &[10, 20])), 0);
    assert_eq!(totals(&view, 0), [(20, 3)]);
    assert_eq!(view.last_published().keys().map(|start| start.0).collect::<Vec<_>>(), [0, 10]);
    let published = &view.merger().expect("it is there").windows;
    assert_eq!(published.keys().map(|start| start.0).collect::<Vec<_>>(), [20]);
    view.apply(Applied::Snapshot(partition(1, &[(10, 7), (20, 8)])), 0);
    assert_eq!(totals(&view, 1), [(20, 8)]);
    // A snapshot names what it forgets as well.
    view.apply(Applied::Snapshot(merger(Some(30), &[20])), 0);
    assert_eq!(view.last_published().keys().map(|start| start.0).collect::<Vec<_>>(), [0, 10, 20]);
    assert!(view.merger().expect("it is there").windows.is_empty());
}

proptest! {
    #[test]
    fn the_memory_is_that_of_all_counts(
        steps in vec((0..3_i32, any::<bool>(), vec((0..6_i64, 0..40_u64), 0..4)), 1..30),
        forgets in vec(proptest::option::weighted(0.3, 0..60_i64), 30),
    ) {
        let mut view = View::new(RULES);
        let mut highest = None;
        for ((p, is_snapshot, windows), forget) in steps.into_iter().zip(forgets) {
            let windows: Vec<_> =
                windows.into_iter().map(|(start, total)| (start * 10, total)).collect();
            let record = partition(p, &windows);
            let applied =
                if is_snapshot { Applied::Snapshot(record) } else { Applied::Next(record) };
            view.apply(applied, 0);
            if forget.is_some() {
                highest = highest.max(forget);
                view.apply(Applied::Next(merger(highest, &[])), 0);
            }
            let sum: usize = view.partitions().map(|(_, view)| bytes_of(&view.windows)).sum();
            prop_assert_eq!(view.memory_bytes(), sum);
            let starts = view.partitions().flat_map(|(_, view)| view.windows.keys());
            let ends: Vec<_> = starts.map(|start| start.0 + 10).collect();
            prop_assert!(ends.iter().all(|end| highest.is_none_or(|f| *end > f)));
        }
        for p in 0..3 {
            view.remove(Stream::Partition(PartitionId(p)));
        }
        prop_assert_eq!(view.memory_bytes(), 0);
    }
}
