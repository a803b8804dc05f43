//! Recounts one window.
//!
//! In:  the valid events of a window. Out: bounds for its total, its maps and its users.
//! Holds: lower and upper bounds are equal, unless events may be missing or were late.

use std::collections::{HashMap, HashSet};

use super::{input::Entry, window_record::Stats};
use crate::rules::OTHER;

/// The events of one window: those that it must count, and those with a late record.
pub(super) struct Recount {
    /// Events without a late record.
    pub(super) counted: u64,
    /// Events with a late record.
    pub(super) late: u64,
    values: [HashMap<u32, Tally>; 3],
    users: HashSet<u64>,
    users_with_late: usize,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    counted: u64,
    late: u64,
}

impl Recount {
    /// Counts the events of one window.
    pub(super) fn new(events: &[&Entry]) -> Self {
        let mut values: [HashMap<u32, Tally>; 3] = Default::default();
        let (mut counted, mut late) = (0, 0);
        let mut users = HashSet::new();
        let mut late_users = HashSet::new();
        for event in events {
            let is_late = event.late_records > 0;
            *(if is_late { &mut late } else { &mut counted }) += 1;
            for (tallies, value) in values.iter_mut().zip(event.counted) {
                let tally = tallies.entry(value).or_default();
                *(if is_late { &mut tally.late } else { &mut tally.counted }) += 1;
            }
            (if is_late { &mut late_users } else { &mut users }).insert(event.user);
        }
        let users_with_late = users.len() + late_users.difference(&users).count();
        Self { counted, late, values, users, users_with_late }
    }

    /// Largest possible count.
    pub(super) fn all(&self) -> u64 {
        self.counted + self.late
    }

    /// Bounds of one dimension's counts. With `may_miss` any event may be missing.
    pub(super) fn bounds(&self, dimension: usize, may_miss: bool) -> Bounds {
        let late = u64::from(may_miss);
        let values = self.values[dimension].iter().map(|(value, tally)| {
            let least = if may_miss { 0 } else { tally.counted };
            (*value, (least, tally.counted + late * tally.late))
        });
        // A value that only late events have does not occur in the window.
        Bounds(values.filter(|(_, (_, most))| *most > 0).collect())
    }

    /// Smallest and largest number of users.
    pub(super) fn users(&self, may_miss: bool) -> (usize, usize) {
        if may_miss { (0, self.users_with_late) } else { (self.users.len(), self.users.len()) }
    }
}

/// The smallest and the largest count of each value.
pub(super) struct Bounds(HashMap<u32, (u64, u64)>);

impl Bounds {
    /// What is wrong with a map whose sum is right. In a map with `max_values` names, the rest may
    /// be counted as `other`, so only upper bounds are known.
    pub(super) fn mistakes<'a>(
        &self,
        Stats(found): &Stats,
        max_values: usize,
        name: impl Fn(u32) -> &'a str,
    ) -> Vec<String> {
        let known: HashMap<&str, (u64, u64)> =
            self.0.iter().map(|(value, bounds)| (name(*value), *bounds)).collect();
        let is_capped = known.len() > max_values;
        let mut wrong = Vec::new();
        for (value, count) in found {
            let (least, most) = known.get(value.as_str()).copied().unwrap_or((0, 0));
            if is_capped && value == OTHER {
                continue;
            }
            if *count > most || (*count < least && !is_capped) {
                wrong.push(format!("{value:?} is {count}, expected {least}{}", up_to(least, most)));
            }
        }
        if is_capped {
            if found.len() > max_values + 1 {
                wrong.push(format!("{} values, expected at most {max_values}", found.len()));
            }
            return wrong;
        }
        for (value, (least, most)) in &known {
            if *least > 0 && !found.iter().any(|entry| entry.0 == *value) {
                wrong.push(format!(
                    "{value:?} is missing, expected {least}{}",
                    up_to(*least, *most)
                ));
            }
        }
        wrong
    }
}

fn up_to(least: u64, most: u64) -> String {
    if most > least { format!(" to {most}") } else { String::new() }
}
