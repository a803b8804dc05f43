//! Decides where reading goes on, from what Kafka committed and the store holds. Sink thread.
//!
//! In:  a `RecoverRequest`, after everything of the previous incarnation was undone.
//! Out: the window state as of the committed epoch, and the start offsets to the source; or first
//! the order to count again what lost windows were made of.
//! Holds: committed offsets decide, never the store alone; what cannot be known is said, and its
//! windows are marked incomplete.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    EpochFailure, SinkSettings,
    collecting::Collecting,
    context::Context,
    open::Open,
    rebuilding::{Lost, Rebuilding},
    recreated::check_topic,
    report,
    stage::Stage,
};
use crate::{
    client::Client,
    config::Delivery,
    epoch::{RecoverPartition, RecoverRequest, Recovered, ToSource},
    error::RunError,
    failpoint::{self, Point},
    ids::{Epoch, EventTimeMs, Offset, PartitionId},
    state::{CommitMetadata, Committed, PartitionRecovery, Start, StateError, Store, decide},
    window::{Completeness, EpochChange, PartitionState, StateImage, WindowRules, Windows},
};

/// Where a partition goes on, and what has to be done before.
struct Begin {
    offset: Offset,
    state: PartitionState,
    lost: Option<Lost>,
}

/// Nothing of an older incarnation is left; the source asks the broker.
#[derive(Debug)]
pub(super) struct Waiting;

/// Decides where partitions go on.
pub(super) fn recover<C: Client>(
    _: Waiting,
    cx: &mut Context<C>,
    request: &RecoverRequest,
) -> Result<Stage<C>, EpochFailure> {
    failpoint::reached(Point::Recover);
    let mut loaded = cx.settings.store.wait().and_then(Store::load).map_err(stop)?;
    cx.control.activity().storing.store(false, Relaxed);
    if loaded.redo.as_ref().is_some_and(|redo| has_undone(cx, redo, &request.committed)) {
        loaded.redo = None;
    }
    let recovery = decide(&cx.settings.instance, request.topic, &loaded, &request.committed);
    if let Some(redo) = loaded.redo.as_ref().filter(|_| recovery.apply_redo) {
        cx.count_undecided(redo.epoch);
        publish_again(cx, &recovery.image, redo, request)?;
    }
    cx.undecided = None;
    let mut image = recovery.image;
    if let Err(end) = check_topic(cx, &recovery.partitions, request, &mut image) {
        // The next process does not know what this one knows of the last epoch.
        cx.settings.store.wait().and_then(|s| s.settle(recovery.apply_redo)).map_err(stop)?;
        return Err(end);
    }
    let is_recreated =
        recovery.partitions.iter().any(|known| matches!(known.start, Start::Recreated { .. }));
    cx.must_commit = false;
    let mut starts = Vec::with_capacity(request.partitions.len());
    let mut lost = Vec::new();
    for PartitionRecovery { partition, start } in recovery.partitions {
        let facts = request.partitions.iter().find(|facts| facts.partition == partition);
        let Some(mut facts) = facts.cloned() else { continue };
        if is_recreated {
            // All of the topic came while it was read, also in partitions that are new in it.
            facts.fresh_start = facts.log_start;
        }
        let resumed_at = match start {
            Start::Resumed { offset } => Some(offset),
            _ => None,
        };
        let known = image.partitions.get(&partition).copied();
        let begin = begin_partition(&cx.settings, partition, start, &facts, known)?;
        let topic = request.topic.or(begin.state.topic);
        cx.must_commit |= resumed_at != Some(begin.offset);
        image.partitions.insert(partition, PartitionState { topic, ..begin.state });
        starts.push((partition, begin.offset));
        lost.extend(begin.lost);
    }
    let store = cx.settings.store.wait().map_err(stop)?;
    store.settle(recovery.apply_redo).map_err(stop)?;
    store.forget(&recovery.forget).map_err(stop)?;
    failpoint::reached(Point::Settled);
    cx.committed_change = None;
    let first = First { starts, epoch: recovery.next_epoch, owns_all: request.owns_all };
    if lost.is_empty() {
        Ok(open(cx, &image, first))
    } else {
        Rebuilding::begin(cx, image, first, &lost)
    }
}

/// Whether this process has written the redo record and rolled its epoch back, so far as is
/// known.
fn has_undone<C: Client>(cx: &Context<C>, redo: &EpochChange, committed: &[Committed]) -> bool {
    let is_committed = cx.committed_change.as_ref().is_some_and(|c| c.epoch == redo.epoch);
    let named = || {
        let mut known = committed.iter().filter_map(|c| CommitMetadata::parse(&c.metadata));
        known.any(|metadata| metadata.epoch == redo.epoch)
    };
    cx.last_written == redo.epoch && !is_committed && !named()
}

/// Without transactions, windows are published after the commit. Nobody knows whether those of
/// the last committed epoch arrived, and once its redo record is settled, nobody knows which
/// they were: they are published again before.
fn publish_again<C: Client>(
    cx: &mut Context<C>,
    image: &StateImage,
    redo: &EpochChange,
    request: &RecoverRequest,
) -> Result<(), EpochFailure> {
    if cx.settings.delivery == Delivery::ExactlyOnce {
        return Ok(());
    }
    let owned = request.partitions.iter().map(|facts| facts.partition);
    let known: Vec<_> = owned.filter(|p| image.partitions.contains_key(p)).collect();
    let owns_all = request.owns_all && known.len() == request.partitions.len();
    let windows = Windows::new(cx.settings.rules, image, &known, owns_all);
    cx.publish_now(&windows.published_in(redo))
}

/// Opens the first epoch on this state.
pub(super) fn open<C: Client>(cx: &mut Context<C>, image: &StateImage, first: First) -> Stage<C> {
    let First { starts, epoch, owns_all } = first;
    let owned: Vec<_> = starts.iter().map(|(partition, _)| *partition).collect();
    cx.windows = Windows::new(cx.settings.rules, image, &owned, owns_all);
    if !owns_all {
        tracing::warn!(
            owned = owned.len(),
            "this instance does not own every partition: its windows say \"complete\": false"
        );
    }
    cx.settings.budget.set_ledger(cx.windows.memory_bytes());
    let commit = cx.must_commit;
    let recovered =
        Recovered { incarnation: cx.incarnation, starts, epoch, times: cx.times(), commit };
    report::recovered(&recovered);
    cx.tell_source(ToSource::Recovered(recovered));
    Stage::Open(Open::first(Collecting::new(cx.settings.workers, epoch)))
}

/// One partition's start offset, state, and what must be rebuilt.
fn begin_partition<C: Client>(
    settings: &SinkSettings<C>,
    partition: PartitionId,
    start: Start,
    facts: &RecoverPartition,
    known: Option<PartitionState>,
) -> Result<Begin, EpochFailure> {
    let rules = &settings.rules;
    let (offset, state, lost) = match start {
        Start::Resumed { offset } => (offset, known, None),
        Start::StateOnly { offset } => {
            tracing::warn!(
                %partition, %offset,
                "the group has no committed offset but the state folder knows one: going on \
                 there (to begin anew: logintide state reset)"
            );
            (offset, known, None)
        }
        Start::Fresh => (facts.fresh_start, None, None),
        Start::Recreated { metadata, .. } => {
            let watermark = known.and_then(|state| state.watermark);
            let watermark = watermark.or(metadata.and_then(|metadata| metadata.watermark));
            (facts.log_start, Some(mid_log(facts.log_start, watermark, rules)), None)
        }
        Start::CommittedOnly { offset, why, metadata } => {
            let lost = lost(partition, offset, &why, metadata.as_ref(), facts);
            let state = match (&lost, &metadata) {
                (Some(lost), Some(metadata)) if lost.gone == 0 => PartitionState {
                    epoch: metadata.epoch,
                    next_offset: offset,
                    watermark: metadata.watermark,
                    completeness: metadata.completeness,
                    topic: None,
                },
                _ => mid_log(offset, metadata.as_ref().and_then(|m| m.watermark), rules),
            };
            (offset, Some(state), lost)
        }
    };
    if offset > facts.log_end {
        return Err(EpochFailure::Stop(RunError::Failed(format!(
            "partition {partition}: the next offset is {offset} but the log ends at {}: the \
             log has lost its end, or the topic was deleted and created again by brokers that \
             give topics no ids; clear the old position: logintide state reset, and delete \
             the consumer group or name another --group-id",
            facts.log_end
        ))));
    }
    let begin = offset.max(facts.first_readable(offset));
    if begin > offset {
        let cause = if begin > facts.log_start { "cannot be read" } else { "retention" };
        tracing::warn!(
            %partition, from = offset.0, to = begin.0, missing = begin.0 - offset.0,
            "records behind the committed offset are gone ({cause}): reading goes on behind \
             them, windows up to there are marked incomplete"
        );
        report::gap((begin.0 - offset.0) as u64);
        let watermark = state.and_then(|state| state.watermark);
        return Ok(Begin { offset: begin, state: mid_log(begin, watermark, rules), lost });
    }
    let fresh = || {
        let state = mid_log(begin, None, rules);
        if begin.0 > 0 {
            return state;
        }
        PartitionState { completeness: Completeness::FromStart, ..state }
    };
    Ok(Begin { offset: begin, state: state.unwrap_or_else(fresh), lost })
}

/// What of a partition's windows must be counted again; `None` when that cannot be told.
fn lost(
    partition: PartitionId,
    offset: Offset,
    why: &str,
    metadata: Option<&CommitMetadata>,
    facts: &RecoverPartition,
) -> Option<Lost> {
    let Some(metadata) = metadata else {
        tracing::warn!(
            %partition, %offset, why,
            "the window state does not fit the committed offset: counting begins there, \
             windows up to there are marked incomplete"
        );
        return None;
    };
    // What cannot be read at the committed offset itself was not counted before it.
    let last = Offset(offset.0 - 1);
    let from = metadata.replay_from.max(facts.first_readable(last)).min(offset);
    let gone = (from.0 - metadata.replay_from.0).max(0);
    tracing::warn!(
        %partition, %offset, why, replay_from = from.0,
        "the window state does not fit the committed offset: it is rebuilt from the input"
    );
    if gone > 0 {
        tracing::warn!(
            %partition, gone,
            "part of that input is gone (retention): open windows up to there are marked \
             incomplete, published ones take no more events"
        );
    }
    Some(Lost { partition, from, until: offset, gone, metadata: metadata.clone() })
}

/// Where the first epoch begins.
#[derive(Debug)]
pub(super) struct First {
    pub(super) starts: Vec<(PartitionId, Offset)>,
    pub(super) epoch: Epoch,
    pub(super) owns_all: bool,
}

/// State of a partition that is read from the middle of its log.
fn mid_log(
    next_offset: Offset,
    watermark: Option<EventTimeMs>,
    rules: &WindowRules,
) -> PartitionState {
    let at_least = watermark.map(|time| rules.window_of(time));
    PartitionState {
        epoch: Epoch::default(),
        next_offset,
        watermark,
        completeness: Completeness::UntilFirstEvent { at_least },
        topic: None,
    }
}

pub(super) fn stop(error: StateError) -> EpochFailure {
    EpochFailure::Stop(RunError::with_exit_code(error.exit_code(), error))
}
