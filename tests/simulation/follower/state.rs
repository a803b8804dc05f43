//! The state of a group's streams, as whoever writes them has it.

use std::{collections::BTreeMap, sync::Arc};

use logintide::{
    ids::{EventTimeMs, Offset, PartitionId, WindowStart},
    journal::{Condition, Content, MergerRecord, PartitionRecord, RecordKind, Stream},
    replica::Followed,
    window::{
        Completeness, MergerHead, Partial, PartitionHead, PartitionState, PartitionTotals,
        PublishedTotal, WindowRules,
    },
};

use super::{INPUT_PARTITIONS, WINDOW_MS};

pub(crate) const RULES: WindowRules =
    WindowRules { size_ms: WINDOW_MS, grace_ms: 0, allowed_lateness_ms: 0 };

/// All streams of the group, in the order in which an epoch writes them.
pub(crate) fn streams() -> impl Iterator<Item = Stream> {
    let partitions = (0..INPUT_PARTITIONS).map(|p| Stream::Partition(PartitionId(p)));
    partitions.chain([Stream::Merger])
}

/// What every stream says.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) streams: BTreeMap<Stream, Content>,
}

impl State {
    /// As a replica has read it.
    pub(crate) fn of(followed: &Followed) -> Self {
        let partitions = followed.partitions.iter().map(|(p, view)| {
            let record = PartitionRecord { head: view.head, windows: view.windows.clone() };
            (Stream::Partition(*p), Content::Partition(record))
        });
        let merger = followed.merger.iter().map(|view| {
            let (head, windows) = (view.head.clone(), view.windows.clone());
            (Stream::Merger, Content::Merger(MergerRecord { head, past_usage: None, windows }))
        });
        Self { streams: partitions.chain(merger).collect() }
    }

    /// One more epoch changes these windows of a stream.
    pub(crate) fn change(&mut self, stream: Stream, starts: &[WindowStart], event: &Partial) {
        let content = self.streams.entry(stream).or_insert_with(|| new(stream));
        match content {
            Content::Partition(record) => {
                record.head.state.next_offset.0 += 1;
                record.head.totals.records_in += 1;
                for start in starts {
                    Arc::make_mut(record.windows.entry(*start).or_default()).merge(event);
                }
            }
            Content::Merger(record) => {
                let first = PublishedTotal { revision: 0, total: 0, late_events: 0 };
                for start in starts {
                    let published = record.windows.entry(*start).or_insert(first);
                    published.revision += 1;
                    published.total += 1;
                }
            }
        }
    }

    /// The merger announces that windows up to here are forgotten.
    pub(crate) fn forget(&mut self, forgotten: EventTimeMs) {
        if let Some(Content::Merger(record)) = self.streams.get_mut(&Stream::Merger) {
            record.head.forgotten = Some(forgotten);
        }
        *self = std::mem::take(self).without_forgotten();
    }

    /// Without what the merger says is forgotten.
    pub(crate) fn without_forgotten(mut self) -> Self {
        let forgotten = match self.streams.get(&Stream::Merger) {
            Some(Content::Merger(record)) => record.head.forgotten,
            _ => None,
        };
        for content in self.streams.values_mut() {
            match content {
                Content::Partition(record) => {
                    record.windows.retain(|start, _| !RULES.is_late(*start, forgotten));
                }
                Content::Merger(record) => {
                    record.windows.retain(|start, _| !RULES.is_late(*start, forgotten));
                }
            }
        }
        self
    }

    /// What a record of a stream says: everything, or these windows.
    pub(crate) fn content(
        &self,
        stream: Stream,
        of: RecordKind,
        starts: &[WindowStart],
    ) -> Content {
        let mut content = self.streams[&stream].clone();
        let is_said = |start: &WindowStart| of == RecordKind::Snapshot || starts.contains(start);
        match &mut content {
            Content::Partition(record) => record.windows.retain(|start, _| is_said(start)),
            Content::Merger(record) => record.windows.retain(|start, _| is_said(start)),
        }
        content
    }
}

/// Checks that a replica has read exactly this.
#[track_caller]
pub(crate) fn assert_followed(followed: &Followed, truth: &State, hint: &str) {
    let expected = truth.clone().without_forgotten();
    let found = State::of(followed);
    let streams = |state: &State| state.streams.keys().copied().collect::<Vec<_>>();
    assert_eq!(streams(&found), streams(&expected), "{hint}");
    for (stream, expected) in expected.streams {
        assert_eq!(found.streams[&stream], expected, "{hint}: stream {stream}");
        let condition = followed.chains[&stream].condition();
        assert_eq!(condition, Condition::Whole, "{hint}: stream {stream}");
    }
}

fn new(stream: Stream) -> Content {
    let Stream::Partition(_) = stream else {
        let head = MergerHead {
            watermark: None,
            horizon: None,
            forgotten: None,
            partitions: INPUT_PARTITIONS as u32,
            run: None,
            rules: RULES,
        };
        let windows = BTreeMap::new();
        return Content::Merger(MergerRecord { head, past_usage: None, windows });
    };
    let head = PartitionHead {
        state: PartitionState::new(Offset(0), Completeness::FromStart),
        at_end: false,
        totals: PartitionTotals::default(),
    };
    Content::Partition(PartitionRecord { head, windows: BTreeMap::new() })
}
