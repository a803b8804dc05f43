//! The most frequent values of each dimension, as the API, the dashboard and the log show them.

use serde::{Serialize, Serializer};

use crate::{
    limits,
    window::{PerDimension, UsageCounts, ValueCounts},
};

/// Values with their counts, the highest count first; the rest as `other`.
type TopValues = Vec<(String, u64)>;

/// The most frequent values of each dimension.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub top: PerDimension<TopValues>,
}

impl Usage {
    /// The most frequent of these values.
    pub(crate) fn of(counts: &UsageCounts) -> Self {
        Self { top: PerDimension::from_fn(|dimension| top(&counts[dimension])) }
    }
}

fn top(counts: &ValueCounts) -> TopValues {
    let mut top = counts.most_frequent(limits::SHOWN_VALUES + 1);
    top.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    top.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.top.iter().map(|(dimension, top)| (dimension.spec().values, top)))
    }
}
