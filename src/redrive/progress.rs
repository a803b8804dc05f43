//! What has been sent of one partition of the dead-letter topic. Pure.
//!
//! Kept as the metadata of the committed offset, so that it is written in the transaction that
//! sends. An offset alone is not enough: a run that selects one reason skips the records of all
//! others.
//! Form: `1|input-topic|reason:from-end,from-end|reason*redriven:from-end`, offsets of dead
//! letters, the end exclusive; a range has all records of its class in it.
//! Holds: a record in a range was sent; only records of its own class break a range.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    ops::Range,
};

use super::selection::{Class, parse_reason};

const VERSION: &str = "1";

/// One partition's progress: as read, and as this run finds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Done {
    before: BTreeMap<Class, Vec<Range<i64>>>,
    now: BTreeMap<Class, Vec<Range<i64>>>,
    /// Classes with a skipped record that has not been sent.
    broken: BTreeSet<Class>,
}

impl Done {
    /// Whether an earlier run has sent it.
    pub(super) fn contains(&self, class: Class, offset: i64) -> bool {
        let ranges = self.before.get(&class);
        ranges.is_some_and(|ranges| ranges.iter().any(|range| range.contains(&offset)))
    }

    /// Notes that the record has been sent, now or before. Offsets come in order.
    pub(super) fn sent(&mut self, class: Class, offset: i64) {
        let ranges = self.now.entry(class).or_default();
        match ranges.last_mut() {
            Some(last) if !self.broken.remove(&class) => last.end = offset + 1,
            _ => {
                self.broken.remove(&class);
                ranges.push(offset..offset + 1);
            }
        }
    }

    /// Notes that the record is skipped.
    pub(super) fn passed(&mut self, class: Class) {
        self.broken.insert(class);
    }

    /// As metadata of a commit: this run's up to `position`, the earlier runs' from there on.
    pub(super) fn encode(&self, input_topic: &str, position: i64) -> String {
        let mut text = format!("{VERSION}|{input_topic}");
        let classes: BTreeSet<&Class> = self.now.keys().chain(self.before.keys()).collect();
        for class in classes {
            let now = self.now.get(class).into_iter().flatten().cloned();
            let before = self.before.get(class).into_iter().flatten();
            let rest = before.filter(|range| range.end > position);
            let rest = rest.map(|range| range.start.max(position)..range.end);
            let ranges: Vec<String> =
                now.chain(rest).map(|range| format!("{}-{}", range.start, range.end)).collect();
            if ranges.is_empty() {
                continue;
            }
            let redriven = match class.redriven {
                0 => String::new(),
                count => format!("*{count}"),
            };
            write!(text, "|{}{redriven}:{}", class.reason, ranges.join(","))
                .expect("a String takes everything");
        }
        text
    }

    /// The input topic and the progress; `None` for anything else.
    pub(super) fn decode(text: &str) -> Option<(&str, Self)> {
        let mut parts = text.split('|');
        if parts.next()? != VERSION {
            return None;
        }
        let topic = parts.next()?;
        let mut before = BTreeMap::new();
        for part in parts {
            let (class, ranges) = part.split_once(':')?;
            let (reason, redriven) = class.split_once('*').unwrap_or((class, "0"));
            let reason = parse_reason(reason).ok()?;
            let class = Class { reason, redriven: redriven.parse().ok()? };
            let ranges: Option<Vec<Range<i64>>> = ranges.split(',').map(range).collect();
            before.insert(class, ranges?);
        }
        Some((topic, Self { before, ..Self::default() }))
    }
}

fn range(text: &str) -> Option<Range<i64>> {
    let (from, end) = text.split_once('-')?;
    Some(from.parse().ok()?..end.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::RejectReason;

    const A: Class = Class { reason: RejectReason::NotJson, redriven: 0 };
    const B: Class = Class { reason: RejectReason::NotJson, redriven: 1 };

    fn read_back(done: &Done, position: i64) -> Done {
        let text = done.encode("in", position);
        let (topic, done) = Done::decode(&text).expect("what was written");
        assert_eq!(topic, "in");
        done
    }

    #[test]
    fn records_of_other_classes_do_not_break_a_range() {
        let mut done = Done::default();
        for offset in 0..1000 {
            if offset % 3 == 0 { done.passed(B) } else { done.sent(A, offset) }
        }
        assert_eq!(done.encode("in", 1000), "1|in|not_json:1-999");
        done.sent(B, 1000);
        done.passed(A);
        done.sent(A, 1002);
        let expected = "1|in|not_json:1-999,1002-1003|not_json*1:1000-1001";
        assert_eq!(done.encode("in", 1003), expected);
    }

    #[test]
    fn what_is_no_progress_is_not_taken_for_it() {
        for text in ["", "2|in", "1", "1|in|x:1-2", "1|in|not_json:1", "1|in|not_json*x:1-2"] {
            assert_eq!(Done::decode(text), None, "{text}");
        }
        assert_eq!(Done::decode("1|in"), Some(("in", Done::default())));
    }

    proptest! {
        /// Runs that select, stop and start again anywhere send every record once.
        #[test]
        fn every_record_is_sent_once_whatever_the_runs(
            classes in proptest::collection::vec(0..3_usize, 1..60),
            runs in proptest::collection::vec((0..8_u8, 0..60_i64, 0..60_i64, 1..60_usize), 0..8),
        ) {
            let all = [A, B, Class { reason: RejectReason::Empty, redriven: 0 }];
            let mut sent = vec![0; classes.len()];
            let mut done = Done::default();
            let last = (7, 0, i64::MAX, usize::MAX);
            for (mask, from, to, stop) in runs.into_iter().chain([last]) {
                let mut position = 0;
                for (offset, class) in (0_i64..).zip(&classes).take(stop) {
                    let (class, chosen) = (all[*class], mask >> *class & 1 == 1);
                    if done.contains(class, offset) {
                        done.sent(class, offset);
                    } else if chosen && (from..to).contains(&offset) {
                        sent[offset as usize] += 1;
                        done.sent(class, offset);
                    } else {
                        done.passed(class);
                    }
                    position = offset + 1;
                }
                done = read_back(&done, position);
            }
            prop_assert!(sent.iter().all(|count| *count == 1), "{sent:?}");
        }
    }
}
