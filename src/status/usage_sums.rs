//! Who logs in from where, with what: sums since the group began, and counters of this process with
//! bounded labels. Owned by the reporter.
//!
//! In:  what the windows of a takeover have counted, then the counts of committed epochs.
//! Out: one counter series for each of the first values, at most `SHOWN_VALUES` of a dimension, and
//! `other`.
//! Holds: a series only grows, also when a value gets one of its own after it was in `other`.

use std::collections::BTreeSet;

use super::Usage;
use crate::{
    limits,
    metrics::{Metric, add_value},
    window::{Dimension, OTHER, PerDimension, UsageCounts, ValueCounts},
};

/// All dimensions.
#[derive(Debug, Default)]
pub(super) struct UsageSums {
    sums: UsageCounts,
    named: PerDimension<BTreeSet<String>>,
}

impl UsageSums {
    /// Goes on from what the journal has counted.
    pub(super) fn go_on_from(&mut self, counted: UsageCounts) {
        self.sums = counted;
    }

    /// Adds a committed epoch's counts.
    pub(super) fn add(&mut self, epoch: &UsageCounts) {
        for dimension in Dimension::ALL {
            let (sum, named) = (&mut self.sums[dimension], &mut self.named[dimension]);
            add(Metric::logins_by(dimension), sum, named, &epoch[dimension]);
        }
    }

    /// The most frequent values since the group began.
    pub(super) fn top(&self) -> Usage {
        Usage::of(&self.sums)
    }
}

fn add(metric: Metric, sum: &mut ValueCounts, named: &mut BTreeSet<String>, epoch: &ValueCounts) {
    sum.merge(epoch);
    let mut values = epoch.sorted();
    values.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let mut other = 0;
    for (value, count) in values {
        if value != OTHER && named.len() < limits::SHOWN_VALUES && !named.contains(value) {
            named.insert(value.to_owned());
        }
        if named.contains(value) {
            add_value(metric, value, count);
        } else {
            other += count;
        }
    }
    if other > 0 {
        add_value(metric, OTHER, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn only_so_many_values_have_a_series_of_their_own() {
        let handle = metrics::install();
        let mut usage = UsageSums::default();
        let mut epoch = UsageCounts::default();
        for number in 0..200 {
            epoch[Dimension::Version].add(&format!("usage-{number:03}"), 1);
        }
        epoch[Dimension::Version].add("usage-frequent", 5);
        usage.add(&epoch);
        usage.add(&epoch);
        let text = handle.render();
        let series_in = |text: &str, name: &str| {
            let line = format!("logintide_logins_by_app_version_total{{app_version=\"{name}\"}} ");
            let found = text.lines().find_map(|l| l.strip_prefix(&line));
            found.map(|n| n.parse::<u64>().expect("a number"))
        };
        let series = |name: &str| series_in(&text, name);
        assert_eq!(series("usage-frequent"), Some(10));
        let named = text.lines().filter(|l| l.contains("app_version=\"usage-")).count();
        assert_eq!(named, limits::SHOWN_VALUES);
        assert!(series(OTHER) >= Some(2 * (201 - 50)), "{:?}", series(OTHER));
        let top = &usage.top().top[Dimension::Version];
        assert_eq!(top.iter().map(|(_, n)| n).sum::<u64>(), 2 * 205);
        assert!(top.contains(&("usage-frequent".to_owned(), 10)));
        // A takeover: the journal has counted both epochs, and an earlier process one more.
        let mut counted = usage.sums.clone();
        counted[Dimension::Version].add("usage-frequent", 5);
        usage.go_on_from(counted);
        let top = &usage.top().top[Dimension::Version];
        assert!(top.contains(&("usage-frequent".to_owned(), 15)));
        let now = series_in(&handle.render(), "usage-frequent");
        assert_eq!(now, Some(10), "the counters are the process's");
    }
}
