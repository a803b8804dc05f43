//! Who logs in from where, with what: sums since the start, and counters with bounded labels.
//!
//! Sink thread. In: the counts of committed epochs. Out: one counter series for each of the first
//! values, at most `SHOWN_VALUES` of a dimension, and `other`.
//! Holds: a series only grows, also when a value gets one of its own after it was in `other`.

use std::collections::BTreeSet;

use crate::{
    limits,
    metrics::{Metric, add_value},
    status::Usage,
    window::{Dimension, OTHER, PerDimension, ValueCounts},
};

/// All dimensions.
#[derive(Debug, Default)]
pub(super) struct UsageSums {
    sums: PerDimension<ValueCounts>,
    named: PerDimension<BTreeSet<String>>,
}

impl UsageSums {
    /// Adds a committed epoch's counts.
    pub(super) fn add(&mut self, epoch: &PerDimension<ValueCounts>) {
        for dimension in Dimension::ALL {
            let (sum, named) = (&mut self.sums[dimension], &mut self.named[dimension]);
            add(Metric::logins_by(dimension), sum, named, &epoch[dimension]);
        }
    }

    /// The most frequent values since the start.
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
        let mut epoch = PerDimension::<ValueCounts>::default();
        for number in 0..200 {
            epoch[Dimension::Version].add(&format!("usage-{number:03}"), 1);
        }
        epoch[Dimension::Version].add("usage-frequent", 5);
        usage.add(&epoch);
        usage.add(&epoch);
        let text = handle.render();
        let series = |name: &str| {
            let line = format!("logintide_logins_by_app_version_total{{app_version=\"{name}\"}} ");
            let found = text.lines().find_map(|l| l.strip_prefix(&line));
            found.map(|n| n.parse::<u64>().expect("a number"))
        };
        assert_eq!(series("usage-frequent"), Some(10));
        let named = text.lines().filter(|l| l.contains("app_version=\"usage-")).count();
        assert_eq!(named, limits::SHOWN_VALUES);
        assert!(series(OTHER) >= Some(2 * (201 - 50)), "{:?}", series(OTHER));
        let top = &usage.top().top[Dimension::Version];
        assert_eq!(top.iter().map(|(_, n)| n).sum::<u64>(), 2 * 205);
        assert!(top.contains(&("usage-frequent".to_owned(), 10)));
    }
}
