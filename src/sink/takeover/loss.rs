//! What a takeover cannot go on with: a journal that has lost its end or was deleted, a position
//! that somebody moved, an input topic that was created again. Pure.
//!
//! Holds: a window that may have been published takes no more events, so that no total is replaced
//! by a smaller one; what is lost is named.

use std::collections::BTreeMap;

use super::{Known, Rules, Standing, commit_of, is_whole};
use crate::{
    config::OnTopicRecreated,
    epoch::RecoverRequest,
    error::RunError,
    ids::{EventTimeMs, PartitionId, WindowStart},
    journal::{JournalCommit, Stream},
    metrics::{Metric, add},
    replica::Followed,
    window::{StateImage, WindowRules},
};

/// What is over.
#[derive(Debug, Default)]
pub(super) struct Loss {
    /// Windows that end at or before this were published or are lost; nothing is kept of them but
    /// what the merger's stream says.
    pub(super) forgotten: Option<EventTimeMs>,
    /// Windows that end at or before this take no more events; what was counted is published.
    pub(super) sealed: Option<EventTimeMs>,
    /// Highest committed watermark, if a stream is lost.
    pub(super) highest: Option<EventTimeMs>,
}

impl Loss {
    /// Judges what does not go together, and says so.
    pub(super) fn of(
        rules: &Rules<'_>,
        request: &RecoverRequest,
        followed: &Followed,
        known: &[Known<'_>],
        standings: &BTreeMap<PartitionId, Standing>,
        image: &StateImage,
    ) -> Result<Self, RunError> {
        let mut over = Self::default();
        let with = |wanted: Standing| {
            let with = standings.iter().filter(move |(_, standing)| **standing == wanted);
            with.map(|(partition, _)| *partition).collect::<Vec<_>>()
        };
        let (lost, recreated) = (with(Standing::Lost), with(Standing::Recreated));
        let lacks_merger = lacks_merger(request, followed, standings);
        if !lost.is_empty() || lacks_merger {
            over.of_journal(rules, request, &lost, lacks_merger, image);
        }
        if !recreated.is_empty() {
            over.of_topic(rules, request, known, recreated.len(), image)?;
        }
        // Windows up to there may have been published, and nobody knows what was counted in them.
        let before = request
            .committed
            .iter()
            .filter(|known| standings.get(&known.partition) == Some(&Standing::Foreign));
        let reached = before.filter_map(|known| watermark_of_0_1(&known.metadata)).max();
        over.forgotten = over.forgotten.max(reached.map(|time| end_of(&rules.window, time)));
        let moved = with(Standing::Moved);
        let counted =
            moved.iter().flat_map(|p| image.partials_of(*p)).map(|((_, start), _)| *start);
        let of_counts = counted.map(|start| rules.window.end(start)).max();
        let of_heads = moved.iter().filter_map(|p| image.partitions.get(p)?.watermark).max();
        let of_heads = of_heads.map(|time| end_of(&rules.window, time));
        over.sealed = over.sealed.max(of_counts).max(of_heads);
        Ok(over)
    }

    /// The journal was deleted, or has lost its end.
    fn of_journal(
        &mut self,
        rules: &Rules<'_>,
        request: &RecoverRequest,
        lost: &[PartitionId],
        lacks_merger: bool,
        image: &StateImage,
    ) {
        let window = &rules.window;
        let commits = request.committed.iter();
        let watermarks =
            commits.filter_map(|known| Some(JournalCommit::parse(&known.metadata)?.watermark));
        let watermarks: Vec<_> = watermarks.collect();
        let Some(highest) = watermarks.iter().copied().max().flatten() else {
            tracing::warn!(
                partitions = lost.len(),
                "the journal has lost what was committed; no event was counted before"
            );
            return;
        };
        add(Metric::JournalLosses, 1);
        let over = end_of(window, highest);
        let published = image.windows.keys().next_back().map(|start| window.end(*start));
        self.highest = Some(highest);
        // Silence may have closed windows behind the watermark. Their totals stand.
        self.sealed = published.max(Some(over));
        if lacks_merger {
            self.forgotten = Some(over);
        }
        let from = if is_of_one(request) {
            // A window that had closed everywhere was published, with all that was counted. A
            // partition without a watermark may have held all of them open.
            let lowest = watermarks.iter().copied().min().flatten();
            let closed = lowest.map(|at| EventTimeMs(at.0.saturating_sub(window.grace_ms)));
            let closed = closed.map(|at| window.window_of(at));
            closed.max(published.map(|end| window.window_of(end)))
        } else {
            // What one instance has counted last, the merger may not have had.
            let merged = commit_of(request, PartitionId(0)).and_then(|(_, commit)| commit);
            merged.and_then(|commit| commit.forgotten).map(|end| window.window_of(end))
        };
        tracing::error!(
            partitions = ?lost.iter().map(|partition| partition.0).collect::<Vec<_>>(),
            merger = lacks_merger,
            lost_from_ms = from.map(|start| start.0),
            lost_until_ms = over.0,
            "the journal has lost what was committed: it was deleted, or has lost its end; reading \
             goes on at the committed offsets; windows of that time that were open have lost \
             counts, those that were published keep their totals; further events of both go to \
             the late topic"
        );
    }

    /// The input topic was deleted and created again.
    fn of_topic(
        &mut self,
        rules: &Rules<'_>,
        request: &RecoverRequest,
        known: &[Known<'_>],
        partitions: usize,
        image: &StateImage,
    ) -> Result<(), RunError> {
        let topic = &rules.identity.topic;
        let was = known.iter().filter_map(|known| known.view?.head.state.topic);
        let was = was.map(|id| id.to_string()).next().unwrap_or_default();
        let now = request.topic.map(|id| id.to_string()).unwrap_or_default();
        if rules.on_topic_recreated == OnTopicRecreated::Fail {
            return Err(RunError::Failed(format!(
                "topic {topic} (--input-topic) was deleted and created again: its id is {now}, and \
                 the positions of {partitions} partitions are of the topic with the id {was}; to \
                 read the new topic from its log's start, start with --on-topic-recreated begin \
                 (windows that were published keep their totals); to go on without the old \
                 windows, clear them with `logintide state reset --journal`, or name another \
                 --group-id"
            )));
        }
        self.sealed = self.sealed.max(end_of_published(&rules.window, image));
        tracing::warn!(
            topic,
            was,
            now,
            partitions,
            sealed_until_ms = self.sealed.map(|end| end.0),
            "the input topic was deleted and created again: reading begins at its log's start; \
             what the earlier topic had behind the committed offsets is gone, and how much is not \
             known; published windows keep their totals, and events of them go to the late topic; \
             open windows are marked incomplete"
        );
        Ok(())
    }
}

/// Whether one epoch of one instance has committed all partitions.
fn is_of_one(request: &RecoverRequest) -> bool {
    let commits = request.committed.iter().map(|known| JournalCommit::parse(&known.metadata));
    let mut commits = commits.map(|commit| commit.map(|commit| (commit.instance, commit.epoch)));
    let first = commits.next().flatten();
    first.is_some() && commits.all(|commit| commit == first)
}

/// Whether the merger's stream is lost: there was an epoch that it must have a record of.
fn lacks_merger(
    request: &RecoverRequest,
    followed: &Followed,
    standings: &BTreeMap<PartitionId, Standing>,
) -> bool {
    let first = PartitionId(0);
    let was_committed = commit_of(request, first).is_some_and(|(_, commit)| commit.is_some());
    standings.contains_key(&first) && was_committed && !is_whole(request, followed, Stream::Merger)
}

/// End of the newest published window before any that is open.
fn end_of_published(rules: &WindowRules, image: &StateImage) -> Option<EventTimeMs> {
    let (start, _) = image.windows.last_key_value()?;
    let is_open = |start: &WindowStart| !image.windows.contains_key(start);
    let open = image.partials.keys().map(|(_, start)| *start).filter(is_open).min();
    let end = rules.end(*start);
    Some(open.map_or(end, |open| end.min(EventTimeMs(open.0))))
}

/// The watermark in the commit metadata of release 0.1:
/// `<instance>:<epoch>:<replay from>:<watermark>:<completeness>:<global watermark>:<horizon>`, and
/// in later builds the input's topic id.
fn watermark_of_0_1(metadata: &str) -> Option<EventTimeMs> {
    let fields: Vec<_> = metadata.split(':').collect();
    let is_its = matches!(fields.len(), 7 | 8) && fields[1].parse::<u64>().is_ok();
    fields.get(3).filter(|_| is_its)?.parse().ok().map(EventTimeMs)
}

fn end_of(rules: &WindowRules, time: EventTimeMs) -> EventTimeMs {
    rules.end(rules.window_of(time))
}
