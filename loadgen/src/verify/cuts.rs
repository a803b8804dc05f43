//! Checks dead letters that were truncated because they were too large for their topic.
//!
//! In:  the dead letters, before the input; then the input. Out: whether a dead letter is the
//! beginning of its record.
//! Holds: of each record only a hash per truncated length is kept.

use std::collections::HashMap;

use super::{input::raw_hash, record::Record};

/// Header with the length of the whole value.
pub(super) const TRUNCATED_FROM: &str = "logintide.truncated_from";

/// Truncated lengths, by input partition and offset.
#[derive(Default)]
pub(super) struct Cuts {
    by_position: HashMap<(i32, i64), Vec<Cut>>,
}

/// The beginning of one input record's value.
struct Cut {
    bytes: usize,
    /// Length of the whole value, and hash of the key and the beginning; `None` until a longer
    /// record is found at the position.
    found: Option<(usize, u128)>,
}

impl Cuts {
    /// Notes the length of a truncated dead letter, to hash its record's beginning.
    pub(super) fn ask(&mut self, dead_letter: &Record<'_>) {
        if !dead_letter.has_header(TRUNCATED_FROM) {
            return;
        }
        let (Some(position), Some(value)) = (dead_letter.position(), dead_letter.value) else {
            return;
        };
        let cuts = self.by_position.entry(position).or_default();
        if cuts.iter().all(|cut| cut.bytes != value.len()) {
            cuts.push(Cut { bytes: value.len(), found: None });
        }
    }

    /// Takes an input record.
    pub(super) fn input(&mut self, record: &Record<'_>) {
        let cuts = self.by_position.get_mut(&(record.partition, record.offset));
        let (Some(cuts), Some(value)) = (cuts, record.value) else { return };
        for cut in cuts.iter_mut().filter(|cut| cut.bytes < value.len()) {
            let beginning = Record { value: Some(&value[..cut.bytes]), ..record.clone() };
            cut.found = Some((value.len(), raw_hash(&beginning)));
        }
    }

    /// Whether a dead letter has the key and the beginning of the value of the input record that it
    /// names, and the right length of that value in its header.
    pub(super) fn is_right(&self, dead_letter: &Record<'_>) -> bool {
        let cuts = dead_letter.position().and_then(|position| self.by_position.get(&position));
        let bytes = dead_letter.value.map_or(0, <[u8]>::len);
        let cut = cuts.and_then(|cuts| cuts.iter().find(|cut| cut.bytes == bytes));
        let Some((whole, raw)) = cut.and_then(|cut| cut.found) else { return false };
        dead_letter.header(TRUNCATED_FROM) == Some(&whole.to_string())
            && raw == raw_hash(dead_letter)
    }
}
