//! Adds up windows and usage over all partitions, for people. Pure.
//!
//! In:  the view. Out: what an instance shows that does not read every partition itself.
//! Holds: nothing is kept between two sums, and the newest windows only are added up one by one.

use std::{collections::BTreeMap, sync::Arc};

use super::{cluster::cluster, view::View};
use crate::{
    ids::WindowStart,
    journal::Identity,
    limits,
    status::{Group, Usage, WindowSums, WindowView},
    window::{Partial, UsageCounts, WindowRecord, WindowRules},
};

/// The group as it is shown at this moment. `with_sums`: windows and usage as well.
pub(super) fn group(
    view: &View,
    rules: WindowRules,
    identity: Option<&Identity>,
    (with_sums, at_ms): (bool, i64),
) -> Group {
    Group {
        since_ms: identity.map(|identity| identity.began_ms),
        watermark: view.merger().and_then(|merger| merger.head.watermark),
        totals: view.totals(),
        heads: view.partitions().map(|(p, view)| (p, view.head)).collect(),
        last_published: view.last_published().clone(),
        cluster: identity.map(|identity| cluster(view, identity, at_ms)),
        sums: with_sums.then(|| of(view, rules)),
    }
}

/// Adds up everything that the view holds.
fn of(view: &View, rules: WindowRules) -> WindowSums {
    let merger = view.merger();
    let past_usage = merger.map(|merger| UsageCounts::clone(&merger.past_usage));
    let mut usage = past_usage.unwrap_or_default();
    let mut windows = BTreeMap::<WindowStart, Vec<&Partial>>::new();
    for (_, partition) in view.partitions() {
        for (start, partial) in &partition.windows {
            windows.entry(*start).or_default().push(partial);
            for (dimension, counts) in usage.iter_mut() {
                counts.merge(&partial.counts[dimension]);
            }
        }
    }
    let mut sums = WindowSums { usage: Usage::of(&usage), ..WindowSums::default() };
    for (start, parts) in windows.into_iter().rev() {
        let published = merger.and_then(|merger| merger.windows.get(&start));
        sums.open_count += usize::from(published.is_none());
        let (shown, most) = match published {
            None => (&mut sums.open, limits::SHOWN_OPEN_WINDOWS),
            Some(_) => (&mut sums.closed, limits::RECENT_WINDOWS),
        };
        if shown.len() < most {
            let record = WindowRecord {
                start,
                end: rules.end(start),
                revision: published.map_or(0, |published| published.revision),
                late_events: published.map_or(0, |published| published.late_events),
                complete: is_complete(view, start),
                sum: Arc::new(sum_of(&parts)),
            };
            shown.push(WindowView::of(&record));
        }
    }
    sums
}

fn sum_of(parts: &[&Partial]) -> Partial {
    let mut sum = Partial::new();
    for part in parts {
        sum.merge(part);
    }
    sum
}

/// Whether a window has all input of all partitions.
fn is_complete(view: &View, start: WindowStart) -> bool {
    let announced = view.merger().map_or(0, |merger| merger.head.partitions as usize);
    let mut heads = view.partitions().map(|(_, partition)| &partition.head);
    view.partitions().count() >= announced
        && !heads.any(|head| head.state.completeness.may_miss(start))
}

#[cfg(test)]
mod tests {
    use super::{
        super::view::tests::{RULES, merger, partition},
        *,
    };
    use crate::{
        journal::{Applied, Content},
        window::{Completeness, Dimension},
    };

    #[test]
    fn windows_and_usage_are_those_of_all_partitions() {
        let mut view = View::new(RULES);
        view.apply(Applied::Snapshot(partition(0, &[(10, 3), (20, 4)])), 0);
        let mut mid_log = partition(1, &[(20, 5), (30, 1)]);
        let Content::Partition(record) = &mut mid_log.content else { panic!("a partition's") };
        record.head.state.completeness = Completeness::After(WindowStart(10));
        view.apply(Applied::Snapshot(mid_log), 0);
        let mut published = merger(Some(10), &[10, 20]);
        let Content::Merger(record) = &mut published.content else { panic!("the merger's") };
        let mut past = UsageCounts::default();
        past[Dimension::Device].add("iOS", 100);
        record.past_usage = Some(Arc::new(past));
        view.apply(Applied::Snapshot(published), 0);

        let sums = of(&view, RULES);
        let shown = |windows: &[WindowView]| -> Vec<_> {
            windows.iter().map(|w| (w.start_ms, w.revision, w.total_events, w.complete)).collect()
        };
        assert_eq!(shown(&sums.closed), [(20, 1, 9, true), (10, 1, 3, false)]);
        assert_eq!(shown(&sums.open), [(30, 0, 1, true)]);
        assert_eq!(sums.open_count, 1);
        assert_eq!(sums.usage.top[Dimension::Device], [("iOS".to_owned(), 113)]);
        assert_eq!(sums.closed[0].usage.top[Dimension::Device], [("iOS".to_owned(), 9)]);
    }
}
