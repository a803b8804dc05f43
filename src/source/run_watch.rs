//! The end of a bounded run, as one instance sees it. Owned by the source thread.
//!
//! In:  event-time facts of the sink, where the partitions stand. Out: why this instance ends; that
//! the run has to end elsewhere: a log has become shorter, or a partition is new.
//! Holds: an instance ends when the run is over for the whole group, not when its own partitions
//! are read.

use std::{collections::BTreeMap, time::Instant};

use super::{
    answer::{MERGERS, run_ends},
    context::Context,
    ending::Reason,
};
use crate::{
    client::Client,
    epoch::{RunEnds, Times},
    ids::{Offset, PartitionId},
    limits,
};

/// Looks for the end of a bounded run.
#[derive(Debug)]
pub(super) struct RunWatch {
    next_look: Instant,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    /// This instance ends now.
    End(Reason),
    /// The run would never end like that: a takeover asks where.
    OtherEnds(String),
}

impl RunWatch {
    pub(super) fn new(now: Instant) -> Self {
        Self { next_look: now + limits::RUN_LOOK_INTERVAL }
    }

    pub(super) fn look<C: Client>(&mut self, cx: &mut Context<C>, times: &Times) -> Found {
        if !cx.settings.exit_at_end {
            return Found::Nothing;
        }
        if times.run_is_over {
            return Found::End(Reason::EndOfInput);
        }
        if cx.intake.partitions.hanging_before_bound().is_some() {
            return Found::End(Reason::HangingTransaction);
        }
        let now = cx.intake.now();
        let Some(ends) = times.run_ends.as_deref().filter(|_| now >= self.next_look) else {
            return Found::Nothing;
        };
        self.next_look = now + limits::RUN_LOOK_INTERVAL;
        let merges = cx.intake.partitions.positions().contains_key(&MERGERS);
        if !merges || !cx.intake.partitions.nothing_to_read() {
            return Found::Nothing;
        }
        let (named, all) = (ends.len(), cx.topics.input_partitions());
        if named < all as usize {
            let what = format!("the run has the ends of {named} partitions, and there are {all}");
            return Found::OtherEnds(what);
        }
        let all: Vec<_> = ends.keys().copied().collect();
        match run_ends(cx, &all) {
            Ok(now) => shorter(cx, ends, &now),
            Err(error) => {
                cx.warn_of(&error);
                Found::Nothing
            }
        }
    }
}

/// Whether a log ends before the run does by now.
fn shorter<C: Client>(
    cx: &mut Context<C>,
    ends: &BTreeMap<PartitionId, Offset>,
    now: &BTreeMap<PartitionId, Offset>,
) -> Found {
    let end_now = |p: &PartitionId, end: Offset| now.get(p).map_or(end, |now| end.min(*now));
    let Some((p, end)) = ends.iter().find(|(p, end)| end_now(p, **end) < **end) else {
        return Found::Nothing;
    };
    let what = format!(
        "the log of partition {p} was to be read up to offset {end} and ends at {} now",
        end_now(p, *end)
    );
    let ends = ends.iter().map(|(p, end)| (*p, end_now(p, *end))).collect();
    cx.run_ends = Some(RunEnds { ends, replaces: true });
    Found::OtherEnds(what)
}
