//! Batches that cannot be read. Owned by the source thread.
//!
//! In:  errors of fetches that say what is wrong with the data; the partitions' positions.
//! Out: the end of the run, with partition, offset and remedy; or a gap, behind which the partition
//! is recovered.
//! Holds: only what lasts counts; a gap begins at a committed offset, so that nothing before it is
//! left out; the other partitions are read meanwhile.

use std::{collections::BTreeMap, time::Instant};

use super::{
    Halt, SourceSettings,
    context::Context,
    fatal,
    intake::Intake,
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

impl<R: RecordConsumer> Unreadable<R> {
    /// Whether everything can be read, as far as is known.
    pub(super) fn is_empty(&self) -> bool {
        self.suspects.is_empty() && self.search.is_none() && self.gaps.is_empty()
    }

    /// Forgets everything: the topic is another one.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Notes an error of the data.
    pub(super) fn note(&mut self, error: &KafkaError, intake: &Intake) {
        let named = match error {
            KafkaError::Unreadable { partition, .. } => Some(*partition),
            KafkaError::AnswerTooLarge { .. } => None,
            _ => return,
        };
        let since = intake.now();
        for (partition, at) in intake.partitions.positions() {
            if named.is_none_or(|named| named == partition) {
                self.suspect(partition, Suspect { at, since, is_named: named.is_some() });
            }
        }
    }

    /// One step in finding out what cannot be read.
    pub(super) fn step<C: Client<Consumer = R>>(
        &mut self,
        client: &C,
        settings: &SourceSettings,
        admin: &C::Admin,
        positions: &BTreeMap<PartitionId, Offset>,
        now: Instant,
    ) -> Result<Option<Found>, Halt> {
        self.forget_read(positions);
        if self.search.is_none() {
            let Some(partition) = self.due(positions, now) else { return Ok(None) };
            let at = positions[&partition];
            tracing::debug!(%partition, offset = %at, "is what is there readable?");
            self.search = Some(Search::new(partition, at, now));
        }
        let search = self.search.as_mut().expect("there is one now");
        let skip = settings.on_unreadable_batch == OnUnreadableBatch::Skip;
        let step = search.step(client, &settings.consumer, admin, skip, now);
        let (partition, at) = (search.partition, search.at);
        let Some(verdict) = step.map_err(|error| fatal(&error))? else { return Ok(None) };
        self.search = None;
        let suspect = self.suspects.remove(&partition);
        let was_named = suspect.is_some_and(|suspect| suspect.is_named);
        Ok(Some(Found { partition, at, verdict, was_named }))
    }

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
    pub(super) fn gap_at(
        &self,
        positions: &BTreeMap<PartitionId, Offset>,
    ) -> Option<(PartitionId, Gap)> {
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

/// What a search has found out about a position.
#[derive(Debug)]
pub(super) struct Found {
    partition: PartitionId,
    at: Offset,
    verdict: Verdict,
    /// An error had named the partition.
    was_named: bool,
}

impl Found {
    /// Takes the consequences. Returns why everything has to be recovered, if it has.
    pub(super) fn judge<C: Client>(self, cx: &mut Context<C>) -> Result<Option<String>, Halt> {
        let Self { partition, at, verdict, was_named } = self;
        let limit = cx.settings.consumer.receive_limit();
        match verdict {
            Verdict::Readable => Ok(was_named.then(|| {
                format!(
                    "partition {partition}: another client can read offset {at}, and this one \
                     stands there"
                )
            })),
            Verdict::Unreadable(error) => Err(cannot_go_on(partition, at, &error, limit)),
            Verdict::TooLong { error, until } => Err(too_long(partition, at, until, &error, limit)),
            Verdict::Gap { error, until } => {
                tracing::warn!(
                    %partition, from = at.0, to = until.0, why = explain(&error, limit),
                    "cannot be read and is skipped (--on-unreadable-batch skip)"
                );
                cx.unreadable.gaps.insert(partition, Gap { from: at, until });
                // An answer that is too large keeps its connection from answering anything else.
                cx.consumer.pause(&[partition]).map_err(|error| fatal(&error))?;
                Ok(None)
            }
        }
    }
}

fn cannot_go_on(partition: PartitionId, at: Offset, error: &KafkaError, limit: usize) -> Halt {
    let why = explain(error, limit);
    Halt::Failed(RunError::Failed(format!(
        "partition {partition} cannot be read at offset {at}, tried {} times: {why}; or go past \
         this batch with --on-unreadable-batch skip: its records count as a gap, and windows up to \
         there say \"complete\": false",
        limits::UNREADABLE_ATTEMPTS
    )))
}

fn too_long(
    partition: PartitionId,
    at: Offset,
    until: Offset,
    error: &KafkaError,
    limit: usize,
) -> Halt {
    let why = explain(error, limit);
    Halt::Failed(RunError::Failed(format!(
        "partition {partition} cannot be read from offset {at} up to {until}, which is no one \
         batch, so it is not skipped: {why}"
    )))
}
