//! Batches that cannot be read. Owned by the source thread.
//!
//! In:  errors of fetches that say what is wrong with the data; the partitions' positions.
//! Out: the end of the run, with partition, offset and remedy; or a gap, behind which the partition
//! is recovered.
//! Holds: only what lasts counts; a gap begins at a committed offset, so that nothing before it is
//! left out; the other partitions are read meanwhile.

use std::{collections::BTreeMap, time::Instant};

use super::{
    After, Halt, Source, SourcePhase, fatal,
    recover::{Asking, Why},
    search::{Search, Verdict, explain},
};
use crate::{
    client::{Client, RecordConsumer},
    config::OnUnreadableBatch,
    epoch::Gap,
    error::RunError,
    ids::{Offset, PartitionId},
    kafka::KafkaError,
    limits,
};

/// What is known of unreadable batches.
#[derive(Debug)]
pub(super) struct Unreadable<R> {
    suspects: BTreeMap<PartitionId, Suspect>,
    search: Option<Search<R>>,
    /// The last gap of each partition.
    gaps: BTreeMap<PartitionId, Gap>,
}

/// A position at which a fetch has failed.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    at: Offset,
    since: Instant,
    /// The error named this partition.
    is_named: bool,
}

impl<R> Default for Unreadable<R> {
    fn default() -> Self {
        Self { suspects: BTreeMap::new(), search: None, gaps: BTreeMap::new() }
    }
}

impl<R> Unreadable<R> {
    /// What cannot be read at `committed`, or of what was counted before it.
    pub(super) fn at(&self, partition: PartitionId, committed: Offset) -> Option<Gap> {
        self.gaps.get(&partition).copied().filter(|gap| gap.from <= committed)
    }

    /// Whether a fetch of this partition has failed and nothing was read since.
    pub(super) fn suspects(&self, partition: PartitionId) -> bool {
        self.suspects.get(&partition).is_some_and(|suspect| suspect.is_named)
    }

    fn suspect(&mut self, partition: PartitionId, suspect: Suspect) {
        if self.gaps.get(&partition).is_some_and(|gap| gap.from == suspect.at) {
            return;
        }
        let known = self.suspects.entry(partition).or_insert(suspect);
        if known.at < suspect.at {
            *known = suspect;
        }
        known.is_named |= suspect.is_named;
    }

    /// Drops what was read after all, and what is not owned any more.
    fn forget_read(&mut self, positions: &BTreeMap<PartitionId, Offset>) {
        let stands = |partition: PartitionId, at: Offset| {
            positions.get(&partition).is_some_and(|next| *next <= at)
        };
        self.suspects.retain(|partition, suspect| stands(*partition, suspect.at));
        self.search.take_if(|search| !stands(search.partition, search.at));
    }

    /// The gap at which a partition stands.
    fn gap_at(&self, positions: &BTreeMap<PartitionId, Offset>) -> Option<(PartitionId, Gap)> {
        let mut gaps = self.gaps.iter().map(|(partition, gap)| (*partition, *gap));
        gaps.find(|(partition, gap)| positions.get(partition) == Some(&gap.from))
    }

    /// The next position to be looked at.
    fn due(&self, positions: &BTreeMap<PartitionId, Offset>, now: Instant) -> Option<PartitionId> {
        let is_due = |(partition, suspect): &(&PartitionId, &Suspect)| {
            positions.get(partition) == Some(&suspect.at)
                && now.saturating_duration_since(suspect.since) >= limits::UNREADABLE_PATIENCE
        };
        // The oldest: an error that names no partition comes again and again, for all of them.
        let due = self.suspects.iter().filter(is_due).min_by_key(|(_, suspect)| suspect.since);
        due.map(|(partition, _)| *partition)
    }
}

impl<C: Client> Source<C> {
    /// Notes an error of the data.
    pub(super) fn suspect(&mut self, error: &KafkaError) {
        let named = match error {
            KafkaError::Unreadable { partition, .. } => Some(*partition),
            KafkaError::AnswerTooLarge { .. } => None,
            _ => return,
        };
        let since = self.intake.now();
        for (partition, at) in self.intake.partitions.positions() {
            let is_wanted = !self.intake.partitions.is_replayed(partition);
            if is_wanted && named.is_none_or(|named| named == partition) {
                let is_named = named.is_some();
                self.unreadable.suspect(partition, Suspect { at, since, is_named });
            }
        }
    }

    /// One step in finding out what cannot be read, and in going past it.
    pub(super) fn advance_unreadable(&mut self) -> Result<(), Halt> {
        let known = &self.unreadable;
        let nothing = known.suspects.is_empty() && known.search.is_none() && known.gaps.is_empty();
        if nothing || !matches!(self.phase, SourcePhase::Running | SourcePhase::Rebuilding(_)) {
            return Ok(());
        }
        let positions = self.intake.partitions.positions();
        if let Some((partition, gap)) = self.unreadable.gap_at(&positions) {
            return self.go_past(partition, gap);
        }
        self.unreadable.forget_read(&positions);
        let now = self.intake.now();
        if self.unreadable.search.is_none() {
            let Some(partition) = self.unreadable.due(&positions, now) else { return Ok(()) };
            let at = positions[&partition];
            tracing::debug!(%partition, offset = %at, "is what is there readable?");
            self.unreadable.search = Some(Search::new(partition, at, now));
        }
        let search = self.unreadable.search.as_mut().expect("there is one now");
        let skip = self.settings.on_unreadable_batch == OnUnreadableBatch::Skip;
        let step = search.step(&self.client, &self.settings.consumer, &self.admin, skip, now);
        let (partition, at) = (search.partition, search.at);
        match step.map_err(|error| fatal(&error))? {
            None => Ok(()),
            Some(verdict) => self.judged(partition, at, verdict),
        }
    }

    fn judged(&mut self, partition: PartitionId, at: Offset, verdict: Verdict) -> Result<(), Halt> {
        self.unreadable.search = None;
        let suspect = self.unreadable.suspects.remove(&partition);
        match verdict {
            Verdict::Readable if suspect.is_some_and(|suspect| suspect.is_named) => {
                self.roll_back(&format!(
                    "partition {partition}: another client can read offset {at}, and this one \
                     stands there"
                ))
            }
            Verdict::Readable => Ok(()),
            Verdict::Unreadable(error) => Err(self.cannot_go_on(partition, at, &error)),
            Verdict::TooLong { error, until } => Err(self.too_long(partition, at, until, &error)),
            Verdict::Gap { error, until } => {
                let limit = self.settings.consumer.receive_limit();
                tracing::warn!(
                    %partition, from = at.0, to = until.0, why = explain(&error, limit),
                    "cannot be read and is skipped (--on-unreadable-batch skip)"
                );
                self.unreadable.gaps.insert(partition, Gap { from: at, until });
                // An answer that is too large keeps its connection from answering anything else.
                self.consumer.pause(&[partition]).map_err(|error| fatal(&error))
            }
        }
    }

    fn cannot_go_on(&self, partition: PartitionId, at: Offset, error: &KafkaError) -> Halt {
        let why = explain(error, self.settings.consumer.receive_limit());
        Halt::Failed(RunError::Failed(format!(
            "partition {partition} cannot be read at offset {at}, tried {} times: {why}; or go \
             past this batch with --on-unreadable-batch skip: its records count as a gap, and \
             windows up to there say \"complete\": false",
            limits::UNREADABLE_ATTEMPTS
        )))
    }

    fn too_long(
        &self,
        partition: PartitionId,
        at: Offset,
        until: Offset,
        error: &KafkaError,
    ) -> Halt {
        let why = explain(error, self.settings.consumer.receive_limit());
        Halt::Failed(RunError::Failed(format!(
            "partition {partition} cannot be read from offset {at} up to {until}, which is no one \
             batch, so it is not skipped: {why}"
        )))
    }

    /// Recovers behind a gap, once all before it is committed. While lost windows are rebuilt, all
    /// before is committed anyway, and what lies below the gap's end counts as gone.
    fn go_past(&mut self, partition: PartitionId, gap: Gap) -> Result<(), Halt> {
        let is_committed = self.cut.is_none()
            && !self.commit_starts
            && self.cut_positions.get(&partition) == Some(&gap.from);
        if matches!(self.phase, SourcePhase::Running) && !is_committed {
            return Ok(());
        }
        let partitions = match &self.phase {
            SourcePhase::Rebuilding(rebuilding) => rebuilding.known().partitions.clone(),
            _ => self.cut_positions.keys().copied().collect(),
        };
        let asking = Asking::new(partitions, Why::RolledBack, self.intake.now());
        self.leave(After::Ask(asking))
    }
}
