//! Who logs in from where, with what: sums since the start, and counters with bounded labels.
//!
//! Sink thread. In: the counts of committed epochs. Out: one counter series for each of the first
//! values, at most `SHOWN_VALUES` of a dimension, and `other`.
//! Holds: a series only grows, also when a value gets one of its own after it was in `other`.

use std::collections::BTreeSet;

use super::epoch::UsageCounts;
use crate::{
    limits,
    metrics::{Metric, add_value},
    status::Usage,
    window::{OTHER, ValueCounts},
};

/// All dimensions.
#[derive(Debug, Default)]
pub(super) struct UsageSums {
    sums: UsageCounts,
    named: [BTreeSet<String>; 3],
}

impl UsageSums {
    /// Adds a committed epoch's counts.
    pub(super) fn add(&mut self, epoch: &UsageCounts) {
        let UsageCounts { locations, devices, versions } = &mut self.sums;
        let [by_location, by_device, by_version] = &mut self.named;
        add(Metric::LoginsByLocation, locations, by_location, &epoch.locations);
        add(Metric::LoginsByDeviceType, devices, by_device, &epoch.devices);
        add(Metric::LoginsByAppVersion, versions, by_version, &epoch.versions);
    }

    /// The most frequent values since the start.
    pub(super) fn top(&self) -> Usage {
        Usage::of(&self.sums.locations, &self.sums.devices, &self.sums.versions)
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
            epoch.versions.add(&format!("usage-{number:03}"), 1);
        }
        epoch.versions.add("usage-frequent", 5);
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
        let top = usage.top().versions;
        assert_eq!(top.iter().map(|(_, n)| n).sum::<u64>(), 2 * 205);
        assert!(top.contains(&("usage-frequent".to_owned(), 10)));
    }
}
