//! The committed offsets of one group, and those of transactions that have not ended.

use std::collections::BTreeMap;

use super::{log::TransactionNumber, topics::Place};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) metadata: String,
}

/// Offsets on their way into the group.
pub(crate) type Entries = Vec<(Place, Committed)>;

/// An offset, and which record of the group it was.
#[derive(Debug)]
struct Written {
    order: u64,
    committed: Committed,
}

#[derive(Debug, Default)]
pub(crate) struct Offsets {
    written: u64,
    committed: BTreeMap<Place, Written>,
    pending: BTreeMap<TransactionNumber, BTreeMap<Place, Written>>,
}

impl Offsets {
    fn write(&mut self, entries: Entries) -> impl Iterator<Item = (Place, Written)> + use<> {
        self.written += 1;
        let order = self.written;
        entries.into_iter().map(move |(place, committed)| (place, Written { order, committed }))
    }

    pub(crate) fn commit(&mut self, entries: Entries) {
        let written = self.write(entries);
        self.committed.extend(written);
    }

    /// Adds offsets to a transaction; a later one of a partition replaces the earlier.
    pub(crate) fn commit_in(&mut self, number: TransactionNumber, entries: Entries) {
        let written = self.write(entries);
        self.pending.entry(number).or_default().extend(written);
    }

    /// The marker of a transaction has come. An offset that was committed after the transaction's
    /// own stays.
    pub(crate) fn end_transaction(&mut self, number: TransactionNumber, commit: bool) {
        let pending = self.pending.remove(&number).unwrap_or_default();
        for (place, written) in pending.into_iter().filter(|_| commit) {
            let newest = self.committed.get(&place).map_or(0, |newest| newest.order);
            if newest < written.order {
                self.committed.insert(place, written);
            }
        }
    }

    pub(crate) fn get(&self, place: &Place) -> Option<&Committed> {
        self.committed.get(place).map(|written| &written.committed)
    }

    /// The metadata of all that is committed.
    pub(crate) fn metadata(&self) -> Vec<String> {
        self.committed.values().map(|written| written.committed.metadata.clone()).collect()
    }

    /// Whether a transaction that has not ended has an offset of the partition.
    pub(crate) fn is_unstable(&self, place: &Place) -> bool {
        self.pending.values().any(|entries| entries.contains_key(place))
    }

    /// The topic was deleted.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.committed.retain(|place, _| place.topic != topic);
        for entries in self.pending.values_mut() {
            entries.retain(|place, _| place.topic != topic);
        }
    }
}
