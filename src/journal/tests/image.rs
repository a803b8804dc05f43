//! A stream's state in the naive model: what a reader makes of records, and what an epoch changes.

use std::{collections::BTreeMap, sync::Arc};

use super::compacted::{INPUT_PARTITIONS, WINDOW_MS};
use crate::{
    ids::{Epoch, EventTimeMs, Offset, WindowStart},
    journal::{Applied, Content, MergerRecord, PartitionRecord, Stream},
    window::{
        Completeness, MergerHead, PartitionHead, PartitionTotals, PublishedTotal, WindowRules,
    },
};

/// What a reader makes of a stream, by the rules for applying records.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image(pub(super) Content);

impl Image {
    pub(super) fn apply(before: Option<Self>, applied: &Applied) -> Self {
        let (before, record) = match applied {
            Applied::Snapshot(record) => (None, record),
            Applied::Next(record) => (before, record),
        };
        let mut content = record.content.clone();
        match (&mut content, before) {
            (_, None) => {}
            (Content::Partition(new), Some(Self(Content::Partition(mut old)))) => {
                old.windows.append(&mut new.windows);
                new.windows = old.windows;
            }
            (Content::Merger(new), Some(Self(Content::Merger(mut old)))) => {
                old.windows.append(&mut new.windows);
                new.windows = old.windows;
            }
            (_, Some(_)) => panic!("a stream is of one kind"),
        }
        Self(content)
    }

    /// Without the windows before this one.
    pub(super) fn since(mut self, start: WindowStart) -> Self {
        match &mut self.0 {
            Content::Partition(record) => record.windows.retain(|at, _| *at >= start),
            Content::Merger(record) => record.windows.retain(|at, _| *at >= start),
        }
        self
    }

    /// With only these windows.
    pub(super) fn only(mut self, starts: &[WindowStart]) -> Self {
        match &mut self.0 {
            Content::Partition(record) => record.windows.retain(|at, _| starts.contains(at)),
            Content::Merger(record) => record.windows.retain(|at, _| starts.contains(at)),
        }
        self
    }
}

/// The state of a stream after one more epoch.
pub(super) fn changed(
    before: Option<Image>,
    stream: Stream,
    starts: &[WindowStart],
    epoch: Epoch,
) -> Image {
    match (before.map(|image| image.0), stream) {
        (before, Stream::Partition(_)) => {
            let mut record = match before {
                Some(Content::Partition(record)) => record,
                _ => PartitionRecord { head: new_partition(), windows: BTreeMap::new() },
            };
            record.head.next_offset.0 += 1;
            record.head.watermark = starts.last().map(|start| EventTimeMs(start.0));
            for start in starts {
                let partial = Arc::make_mut(record.windows.entry(*start).or_default());
                partial.count(
                    record.head.next_offset.0,
                    ["DE", "web", "1"].into(),
                    &epoch.to_string(),
                );
            }
            Image(Content::Partition(record))
        }
        (before, Stream::Merger) => {
            let mut record = match before {
                Some(Content::Merger(record)) => record,
                _ => MergerRecord { head: new_merger(), windows: BTreeMap::new() },
            };
            record.head.watermark = Some(EventTimeMs(epoch.0 as i64));
            let first = PublishedTotal { revision: 0, total: 0, late_events: 0 };
            for start in starts {
                let published = record.windows.entry(*start).or_insert(first);
                published.revision += 1;
                published.total += epoch.0;
            }
            Image(Content::Merger(record))
        }
    }
}

fn new_partition() -> PartitionHead {
    PartitionHead {
        next_offset: Offset(0),
        watermark: None,
        idle: false,
        at_end: false,
        lease_ms: 30_000,
        adopted_horizon: None,
        completeness: Completeness::FromStart,
        totals: PartitionTotals::default(),
        topic: None,
    }
}

fn new_merger() -> MergerHead {
    MergerHead {
        watermark: None,
        horizon: None,
        forgotten: None,
        partitions: INPUT_PARTITIONS as u32,
        run: None,
        rules: WindowRules { size_ms: WINDOW_MS, grace_ms: 0, allowed_lateness_ms: 0 },
    }
}
