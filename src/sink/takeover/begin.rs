//! Where one partition goes on. Pure.

use super::{Known, Standing, loss::Loss};
use crate::{
    epoch::RecoverPartition,
    error::RunError,
    ids::{EventTimeMs, Offset},
    metrics::{self, Metric},
    window::{Completeness, PartitionHead, PartitionState, PartitionTotals, WindowRules},
};

/// Where a partition goes on, and with what.
pub(super) struct Begin {
    pub(super) offset: Offset,
    pub(super) state: PartitionState,
    pub(super) totals: PartitionTotals,
    /// Whether the counts that the journal has of it are still its own.
    pub(super) keeps_counts: bool,
}

/// Decides where a partition goes on. `first`: number of input partitions when the journal began.
pub(super) fn begin_partition(
    rules: &WindowRules,
    known: &Known<'_>,
    standing: Standing,
    facts: &RecoverPartition,
    loss: &Loss,
    first: Option<u32>,
) -> Result<Begin, RunError> {
    let partition = known.partition;
    let head = known.view.map(|view| &view.head);
    let totals = head.map(|head| head.totals).unwrap_or_default();
    let committed = known.commit.as_ref().map(|(offset, _)| *offset);
    let watermark = head.and_then(|head| head.state.watermark);
    let (offset, state, totals) = match standing {
        Standing::Resumed | Standing::Uncommitted => {
            let head = head.expect("it has a head");
            say_resumed(known, standing, head);
            (head.state.next_offset, head.state, totals)
        }
        Standing::Recreated => {
            (facts.log_start, mid_log(facts.log_start, watermark, rules), totals)
        }
        Standing::Moved => {
            let offset = committed.expect("it has a commit");
            tracing::warn!(
                %partition, %offset, head = %head.expect("it has a head").state.next_offset,
                "the committed offset was moved by somebody else: reading goes on there; windows \
                 that were counted before are over, later ones are incomplete until its first event"
            );
            (offset, mid_log(offset, watermark, rules), totals)
        }
        Standing::Foreign => {
            let offset = committed.expect("it has a commit");
            tracing::warn!(
                %partition, %offset,
                "the journal knows nothing of this partition, and its offset was not committed \
                 with one: counting begins there, windows up to the first event's are incomplete"
            );
            (offset, mid_log(offset, None, rules), PartitionTotals::default())
        }
        Standing::Lost => {
            let offset = committed.expect("it has a commit");
            (offset, mid_log(offset, loss.highest, rules), PartitionTotals::default())
        }
        Standing::Fresh => {
            let is_new = first.is_some_and(|first| partition.0 as u32 >= first);
            let offset = if is_new { facts.log_start } else { facts.fresh_start };
            return Ok(fresh(offset.max(facts.first_readable(offset)), rules));
        }
    };
    behind_what_is_gone(
        rules,
        known,
        facts,
        Begin {
            offset,
            state,
            totals,
            keeps_counts: !matches!(standing, Standing::Lost | Standing::Foreign),
        },
    )
}

fn say_resumed(known: &Known<'_>, standing: Standing, head: &PartitionHead) {
    let partition = known.partition;
    let older = known.commit.as_ref().filter(|commit| commit.0 < head.state.next_offset);
    if standing == Standing::Uncommitted {
        tracing::warn!(
            %partition, offset = %head.state.next_offset,
            "the group has no committed offset but the journal has a position: going on there (to \
             begin anew: logintide state reset --journal)"
        );
    } else if let Some((committed, _)) = older {
        tracing::warn!(
            %partition, %committed, head = %head.state.next_offset,
            "the committed offset is older than the journal: its request came late; going on at \
             the journal's position"
        );
    }
}

/// Goes past what the log no longer has, or what cannot be read.
fn behind_what_is_gone(
    rules: &WindowRules,
    known: &Known<'_>,
    facts: &RecoverPartition,
    begin: Begin,
) -> Result<Begin, RunError> {
    let partition = known.partition;
    let offset = begin.offset;
    if offset > facts.log_end {
        return Err(RunError::Failed(format!(
            "partition {partition}: the next offset is {offset} but the log ends at {}: the log \
             has lost its end, or the topic was deleted and created again by brokers that give \
             topics no ids; clear the old position with logintide state reset --journal, or name \
             another --group-id",
            facts.log_end
        )));
    }
    let readable = offset.max(facts.first_readable(offset));
    if readable == offset {
        return Ok(begin);
    }
    let cause = if readable > facts.log_start { "cannot be read" } else { "retention" };
    tracing::warn!(
        %partition, from = offset.0, to = readable.0, missing = readable.0 - offset.0,
        "records behind the committed offset are gone ({cause}): reading goes on behind them, \
         windows up to there are marked incomplete"
    );
    metrics::add(Metric::GapRecords, (readable.0 - offset.0) as u64);
    let state = mid_log(readable, begin.state.watermark, rules);
    Ok(Begin { offset: readable, state, ..begin })
}

fn fresh(offset: Offset, rules: &WindowRules) -> Begin {
    let state = mid_log(offset, None, rules);
    let state = match offset {
        Offset(0) => PartitionState { completeness: Completeness::FromStart, ..state },
        _ => state,
    };
    Begin { offset, state, totals: PartitionTotals::default(), keeps_counts: true }
}

/// State of a partition that is read from the middle of its log.
fn mid_log(
    next_offset: Offset,
    watermark: Option<EventTimeMs>,
    rules: &WindowRules,
) -> PartitionState {
    let at_least = watermark.map(|time| rules.window_of(time));
    let completeness = Completeness::UntilFirstEvent { at_least };
    PartitionState { watermark, ..PartitionState::new(next_offset, completeness) }
}
