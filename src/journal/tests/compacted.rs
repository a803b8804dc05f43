//! A naive model of a compacted log, and of the state that a stream's records make.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    ids::{Epoch, EventTimeMs, Offset, WindowStart},
    journal::{Applied, Content, MergerRecord, PartitionRecord, Stream},
    window::{
        Completeness, MergerHead, PartitionHead, PartitionState, PartitionTotals, PublishedTotal,
        WindowRules,
    },
};

pub(super) const INPUT_PARTITIONS: i32 = 3;
pub(super) const WINDOW_MS: i64 = 10_000;

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

    /// The state of a stream after one more epoch.
    pub(super) fn changed(
        before: Option<Self>,
        stream: Stream,
        starts: &[WindowStart],
        epoch: Epoch,
    ) -> Self {
        match (before.map(|image| image.0), stream) {
            (before, Stream::Partition(_)) => {
                let mut record = match before {
                    Some(Content::Partition(record)) => record,
                    _ => PartitionRecord { head: new_partition(), windows: BTreeMap::new() },
                };
                record.head.state.next_offset.0 += 1;
                record.head.state.watermark = starts.last().map(|start| EventTimeMs(start.0));
                for start in starts {
                    let partial = Arc::make_mut(record.windows.entry(*start).or_default());
                    partial.count(["DE", "web", "1"].into(), &epoch.to_string());
                }
                Self(Content::Partition(record))
            }
            (before, Stream::Merger) => {
                let mut record = match before {
                    Some(Content::Merger(record)) => record,
                    _ => MergerRecord {
                        head: new_merger(),
                        past_usage: None,
                        windows: BTreeMap::new(),
                    },
                };
                record.head.watermark = Some(EventTimeMs(epoch.0 as i64));
                let first = PublishedTotal { revision: 0, total: 0, late_events: 0 };
                for start in starts {
                    let published = record.windows.entry(*start).or_insert(first);
                    published.revision += 1;
                    published.total += epoch.0;
                }
                Self(Content::Merger(record))
            }
        }
    }
}

/// One journal partition, as a reader of committed records sees it.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) records: Vec<(Offset, Vec<u8>, Vec<u8>)>,
    pub(super) end: i64,
}

impl Log {
    pub(super) fn append(&mut self, key: &[u8], value: &[u8]) -> Offset {
        let offset = Offset(self.end);
        self.records.push((offset, key.to_vec(), value.to_vec()));
        self.end += 1;
        offset
    }

    /// Removes records below this offset that have a newer one there, as far as `removes` says so.
    pub(super) fn compact(&mut self, below: i64, mut removes: impl FnMut() -> bool) {
        let mut newest = BTreeMap::new();
        for (offset, key, _) in self.records.iter().filter(|record| record.0.0 < below) {
            newest.insert(key.clone(), *offset);
        }
        self.records.retain(|(offset, key, _)| {
            newest.get(key).is_none_or(|newest| newest <= offset) || !removes()
        });
    }
}

fn new_partition() -> PartitionHead {
    PartitionHead {
        state: PartitionState::new(Offset(0), Completeness::FromStart),
        at_end: false,
        totals: PartitionTotals::default(),
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
