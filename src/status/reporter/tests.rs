//! What a snapshot says of the group, and what of the process.

use std::{collections::BTreeMap, sync::Arc};

use super::*;
use crate::{
    ids::{Epoch, EventTimeMs, Offset, WindowStart},
    status::{CommitTime, Totals, Usage},
    window::{
        Completeness, Dimension, Partial, PartitionHead, PartitionState, PartitionTotals,
        PublishedTotal, StateImage, UsageCounts, WindowRules,
    },
};

const P0: PartitionId = PartitionId(0);
const P1: PartitionId = PartitionId(1);
const RULES: WindowRules = WindowRules { size_ms: 10, grace_ms: 0, allowed_lateness_ms: 100 };

fn reporter() -> Reporter {
    Reporter::new(&InstanceId::parse("one").expect("valid"), None, Health::new(0), Board::new())
}

/// What is seen now.
fn seen(reporter: &mut Reporter, windows: &Windows) -> Arc<Snapshot> {
    reporter.published_at = None;
    reporter.tick(windows);
    reporter.board.newest()
}

fn usage(device: &str, n: u64) -> UsageCounts {
    let mut usage = UsageCounts::default();
    usage[Dimension::Device].add(device, n);
    usage
}

fn windows() -> Windows {
    windows_of(true)
}

/// Partition 0 has counted three events in window 0, which is closed, and two in window 10; seven
/// are in windows that are forgotten.
fn windows_of(owns_all: bool) -> Windows {
    let counted = |n| {
        let mut partial = Partial::new();
        for _ in 0..n {
            partial.count(["NY", "iOS", "1"].into(), "user");
        }
        Arc::new(partial)
    };
    let state = PartitionState {
        watermark: Some(EventTimeMs(15)),
        ..PartitionState::new(Offset(5), Completeness::FromStart)
    };
    let published = PublishedTotal { revision: 2, total: 3, late_events: 1 };
    let image = StateImage {
        epoch: Epoch(1),
        partials: [((P0, WindowStart(0)), counted(3)), ((P0, WindowStart(10)), counted(2))].into(),
        partitions: [(P0, state)].into(),
        windows: [(WindowStart(0), published)].into(),
        watermark: Some(EventTimeMs(15)),
        announced: if owns_all { 1 } else { 2 },
        past_usage: Arc::new(usage("iOS", 7)),
        ..StateImage::default()
    };
    Windows::new(RULES, &image, &[P0])
}

fn head(totals: PartitionTotals, next_offset: i64) -> PartitionHead {
    let state = PartitionState {
        watermark: Some(EventTimeMs(15)),
        idle_as_of: Some(EventTimeMs(20)),
        ..PartitionState::new(Offset(next_offset), Completeness::FromStart)
    };
    PartitionHead { state, at_end: true, totals }
}

/// Twelve records in partition 0, of which one was no event, and ten in partition 1.
fn group() -> Group {
    let of_0 = PartitionTotals {
        records_in: 12,
        processed: 10,
        dead_lettered: 1,
        tombstones: 1,
        ..PartitionTotals::default()
    };
    let of_1 = PartitionTotals { records_in: 10, processed: 10, ..PartitionTotals::default() };
    let sum = PartitionTotals { records_in: 22, processed: 20, ..of_0 };
    Group {
        since_ms: Some(1_730_653_000_000),
        watermark: Some(EventTimeMs(15)),
        totals: sum,
        heads: BTreeMap::from([(P0, head(of_0, 12)), (P1, head(of_1, 10))]),
        last_published: BTreeMap::new(),
        cluster: None,
        sums: None,
    }
}

/// Four events in partition 0, one of which was late.
fn report(epoch: u64, is_committed: bool) -> EpochReport {
    let counts = Totals { events_in: 4, processed: 4, late: 1, ..Totals::default() };
    let partition =
        PartitionReport { partition: P0, counts, lag_records: Some(9), held_by_transaction: true };
    let commit = CommitTime { at_ms: 1_730_653_100_000, took: Duration::from_millis(3) };
    EpochReport {
        epoch: Epoch(epoch),
        cut_at_ms: 1_730_653_099_990,
        aligned_at: Instant::now(),
        commit: is_committed.then_some(commit),
        bytes: 400,
        dropped: 0,
        truncated: 0,
        is_early: false,
        said: Vec::new(),
        reasons: vec![(RejectReason::NotJson, 2), (RejectReason::NotJson, 1)],
        soft: Vec::new(),
        partitions: vec![partition],
        latency: Vec::new(),
        usage: usage("android", 3),
        windows: Vec::new(),
        capped_values: 0,
    }
}

#[test]
fn a_process_that_has_counted_nothing_shows_what_the_journal_holds() {
    let (mut reporter, windows) = (reporter(), windows());
    reporter.board.set_group(group());
    reporter.taken_over(&windows);
    let seen = seen(&mut reporter, &windows);
    assert_eq!(seen.since_ms, Some(1_730_653_000_000));
    assert_eq!((seen.totals.events_in, seen.totals.difference()), (22, 0));
    assert_eq!(seen.process, ProcessCounts::default());
    assert_eq!(seen.usage.top[Dimension::Device], [("iOS".to_owned(), 12)]);
    let closed: Vec<_> =
        seen.recent_windows.iter().map(|w| (w.start_ms, w.revision, w.total_events)).collect();
    assert_eq!(closed, [(0, 2, 3)]);
    assert_eq!(seen.open_windows.iter().map(|w| w.start_ms).collect::<Vec<_>>(), [10]);
    // Once more, after a rollback: nothing is counted twice.
    reporter.rolled_back();
    reporter.taken_over(&windows);
    let again = self::seen(&mut reporter, &windows);
    assert_eq!((&again.usage, again.recent_windows.len()), (&seen.usage, 1));
    assert_eq!(again.process.rollbacks, 1);
}

#[test]
fn a_committed_epoch_adds_to_the_process_and_the_group_s_totals_come_from_the_journal() {
    let (mut reporter, windows) = (reporter(), windows());
    reporter.board.set_group(group());
    reporter.taken_over(&windows);
    reporter.epoch(report(2, true));
    reporter.epoch(report(3, true));
    let seen = seen(&mut reporter, &windows);
    assert_eq!((seen.totals.events_in, seen.totals.late), (22, 0), "as far as it was followed");
    let process = &seen.process;
    assert_eq!((process.records.events_in, process.records.late, process.epochs), (8, 2, 2));
    assert_eq!(process.bytes_in, 800);
    let android = ("android".to_owned(), 6);
    assert_eq!(seen.usage.top[Dimension::Device], [("iOS".to_owned(), 12), android]);
    assert_eq!((seen.dead_letters[0].reason, seen.dead_letters[0].count), ("not_json", 6));
    assert_eq!(seen.last_epoch.map(|last| (last.epoch, last.commit_ms)), Some((3, 3.0)));
}

#[test]
fn an_epoch_without_anything_to_commit_is_no_commit() {
    let (mut reporter, windows) = (reporter(), windows());
    reporter.epoch(report(2, false));
    let seen = seen(&mut reporter, &windows);
    assert_eq!((seen.process.epochs, seen.last_epoch), (0, None));
}

#[test]
fn partitions_of_others_are_shown_as_the_journal_has_them() {
    let (mut reporter, windows) = (reporter(), windows());
    reporter.board.set_group(group());
    let before = seen(&mut reporter, &windows);
    assert!(before.partitions.iter().all(|p| !p.owned && p.lag_records.is_none()));
    reporter.epoch(report(2, true));
    let seen = seen(&mut reporter, &windows);
    let [ours, other] = &seen.partitions[..] else { panic!("two: {:?}", seen.partitions) };
    assert_eq!((ours.owned, ours.lag_records, ours.held_by_transaction), (true, Some(9), true));
    assert_eq!((other.owned, other.lag_records, other.held_by_transaction), (false, None, false));
    assert_eq!((other.next_offset, other.totals.processed, other.idle), (10, 10, true));
    assert_eq!(seen.lag_records, Some(9), "of what is owned");
}

#[test]
fn who_reads_some_partitions_shows_the_windows_and_the_usage_of_all() {
    let (mut reporter, windows) = (reporter(), windows_of(false));
    reporter.taken_over(&windows);
    let own = seen(&mut reporter, &windows);
    assert_eq!(own.usage.top[Dimension::Device], [("iOS".to_owned(), 12)]);
    assert!(reporter.board.wants_sums());
    let closed = |start_ms, total_events| WindowView {
        start_ms,
        total_events,
        revision: 3,
        ..WindowView::of(&windows.newest_closed(1)[0])
    };
    let sums = WindowSums {
        open_count: 4,
        open: Vec::new(),
        closed: vec![closed(10, 8), closed(0, 9)],
        usage: Usage::of(&usage("web", 17)),
    };
    reporter.board.set_group(Group { sums: Some(sums), ..group() });
    let all = seen(&mut reporter, &windows);
    assert_eq!((all.open_window_count, all.open_windows.len()), (4, 0));
    let closed: Vec<_> = all.recent_windows.iter().map(|w| (w.start_ms, w.total_events)).collect();
    assert_eq!(closed, [(10, 8), (0, 9)]);
    assert_eq!(all.usage.top[Dimension::Device], [("web".to_owned(), 17)]);
    // Window 10 was published anew and forgotten before it was added up again.
    let last = |revision, total| PublishedTotal { revision, total, late_events: 0 };
    let last_published = [(WindowStart(0), last(3, 9)), (WindowStart(10), last(4, 11))].into();
    reporter.board.set_group(Group { last_published, ..group() });
    let shown = seen(&mut reporter, &windows).recent_windows.clone();
    assert_eq!(shown.iter().map(|w| w.start_ms).collect::<Vec<_>>(), [0]);
    // Once it reads all of them, it has the sums itself.
    let windows = self::windows();
    reporter.taken_over(&windows);
    let again = seen(&mut reporter, &windows);
    assert_eq!((again.open_window_count, &again.usage), (1, &own.usage));
    assert!(!reporter.board.wants_sums());
}
