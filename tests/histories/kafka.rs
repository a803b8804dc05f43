//! What outlives a process: the input log, the committed offsets, the outputs as readers see them.
//!
//! In:  offsets read, outputs delivered, commits with the fate that the history gives them.
//! Out: events, committed offsets, what a reader with `read_committed` has seen.
//! Holds: an event is a function of its place, so that reading it again gives the same one.

use std::collections::BTreeMap;

use logintide::{
    ids::{EventTimeMs, Offset, PartitionId, WindowStart},
    state::Committed,
};

pub(crate) const PARTITIONS: usize = 3;

/// A record of the input topic: partition and offset.
pub(crate) type Place = (i32, i64);

/// What becomes visible together with offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Outputs and offsets of an epoch become visible at once, or never.
    ExactlyOnce,
    /// Every output by itself, offsets of each partition by themselves.
    AtLeastOnce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Event,
    /// A hard error: to the dead letters.
    Bad,
    Tombstone,
}

/// A record of the input topic, read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    pub(crate) time: EventTimeMs,
    /// Its Kafka timestamp.
    pub(crate) appended: EventTimeMs,
    pub(crate) user: usize,
}

/// A record of one of the output topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Processed(Place),
    Dead(Place),
    Late(Place),
    Window { start: WindowStart, revision: u32, total: u64, complete: bool },
}

/// What becomes of a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// It succeeds, and the process hears of it.
    Committed,
    /// It fails, and the process hears of it.
    Failed,
    /// The process does not hear. Exactly-once: bit 0 says whether it succeeded, which shows
    /// before the next start; at-least-once: a bit per partition whose offset arrived.
    Unknown(u8),
}

/// Offsets with their metadata.
pub(crate) type Offsets = Vec<(PartitionId, Offset, String)>;

#[derive(Debug, Default)]
struct Transaction {
    outputs: Vec<Output>,
    /// The commit whose outcome nobody has heard, and what it will turn out to be.
    ending: Option<(Offsets, bool)>,
}

/// The brokers.
#[derive(Debug)]
pub(crate) struct Kafka {
    pub(crate) mode: Mode,
    jitter: Vec<i16>,
    /// Ends of the input log.
    pub(crate) ends: [i64; PARTITIONS],
    /// The output topics, to a reader with `read_committed`, in one order.
    pub(crate) visible: Vec<Output>,
    committed: BTreeMap<PartitionId, Committed>,
    open: Transaction,
}

impl Kafka {
    pub(crate) fn new(mode: Mode, jitter: Vec<i16>) -> Self {
        Self {
            mode,
            jitter,
            ends: [0; PARTITIONS],
            visible: Vec::new(),
            committed: BTreeMap::new(),
            open: Transaction::default(),
        }
    }

    /// The record at a place, which is appended by being read.
    pub(crate) fn read(&mut self, (partition, offset): Place) -> Record {
        let end = &mut self.ends[partition as usize];
        *end = (*end).max(offset + 1);
        self.record((partition, offset))
    }

    /// The record at a place.
    pub(crate) fn record(&self, (partition, offset): Place) -> Record {
        let at = (offset as usize * PARTITIONS + partition as usize) % self.jitter.len();
        let chance = i64::from(self.jitter[at]);
        let appended = offset * 4;
        // Mostly in order, at times far behind, now and then ahead of the record's own timestamp.
        let shift = match chance.rem_euclid(16) {
            0..9 => -chance.rem_euclid(7),
            9..14 => -chance.rem_euclid(45),
            _ => chance.rem_euclid(20),
        };
        let kind = match chance.div_euclid(16).rem_euclid(24) {
            0 => Kind::Bad,
            1 => Kind::Tombstone,
            _ => Kind::Event,
        };
        Record {
            place: (partition, offset),
            kind,
            time: EventTimeMs(appended + shift),
            appended: EventTimeMs(appended),
            user: chance.div_euclid(7).rem_euclid(5) as usize,
        }
    }

    /// An output reaches its topic.
    pub(crate) fn deliver(&mut self, output: Output) {
        match self.mode {
            Mode::ExactlyOnce => self.open.outputs.push(output),
            Mode::AtLeastOnce => self.visible.push(output),
        }
    }

    /// A commit; `Err` when the process has to roll back.
    pub(crate) fn commit(&mut self, offsets: Offsets, fate: Fate) -> Result<(), ()> {
        match (self.mode, fate) {
            (_, Fate::Committed) => {
                self.visible.append(&mut self.open.outputs);
                self.take_offsets(offsets);
                return Ok(());
            }
            (_, Fate::Failed) => self.open = Transaction::default(),
            (Mode::ExactlyOnce, Fate::Unknown(arrived)) => {
                self.open.ending = Some((offsets, arrived & 1 == 1));
            }
            (Mode::AtLeastOnce, Fate::Unknown(which)) => {
                let arrives = |(p, ..): &(PartitionId, _, _)| which >> p.0 & 1 == 1;
                self.take_offsets(offsets.into_iter().filter(arrives).collect());
            }
        }
        Err(())
    }

    /// What is open ends: as it does before a producer of the same name may begin again.
    pub(crate) fn end_transaction(&mut self) {
        let Transaction { outputs, ending } = std::mem::take(&mut self.open);
        if let Some((offsets, true)) = ending {
            self.visible.extend(outputs);
            self.take_offsets(offsets);
        }
    }

    /// What the group has committed for a partition.
    pub(crate) fn committed(&self, partition: PartitionId) -> Committed {
        let nothing = || Committed { partition, offset: None, metadata: String::new() };
        self.committed.get(&partition).cloned().unwrap_or_else(nothing)
    }

    fn take_offsets(&mut self, offsets: Offsets) {
        for (partition, offset, metadata) in offsets {
            let known = Committed { partition, offset: Some(offset), metadata };
            self.committed.insert(partition, known);
        }
    }
}
