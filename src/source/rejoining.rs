//! The group knows another member of this name. Owned by the source thread.
//!
//! In:  who has committed. Out: a new join; or the end, if another process has this one's instance
//! id.
//! Holds: a process that has hung never takes the place of the one that was started instead of it.

use std::time::Instant;

use super::{Halt, context::Context, fatal, phase::Phase};
use crate::{
    client::{Client, Questions, RecordConsumer},
    error::RunError,
    journal::JournalCommit,
    limits,
};

/// Asks who has committed, and joins again if no namesake has.
#[derive(Debug)]
pub(super) struct Rejoining {
    next_try: Instant,
}

impl Rejoining {
    pub(super) fn new(now: Instant) -> Self {
        Self { next_try: now }
    }

    pub(super) fn step<C: Client>(self, cx: &mut Context<C>) -> Result<Phase, Halt> {
        if cx.intake.now() < self.next_try {
            return Ok(Phase::Rejoining(self));
        }
        let group = &cx.settings.consumer.group_id;
        match cx.admin.commit_metadata(group, limits::RECOVERY_QUERY_TIMEOUT) {
            Ok(commits) => refuse_namesake(cx, &commits)?,
            Err(error) if error.is_retriable() => {
                cx.warn_of(&error);
                return Ok(Phase::Rejoining(Self::new(cx.now() + limits::BROKER_RETRY_PAUSE)));
            }
            // Who may not ask finds out by joining.
            Err(error) => cx.warn_of(&error),
        }
        cx.consumer.subscribe().map_err(|error| fatal(&error))?;
        Ok(Phase::Unassigned)
    }
}

/// An epoch under this name that this process has not used is another process's.
fn refuse_namesake<C: Client>(cx: &Context<C>, commits: &[String]) -> Result<(), Halt> {
    let is_namesake = |commit: JournalCommit| {
        commit.instance.as_str() == cx.settings.instance && commit.epoch >= cx.unused_epoch
    };
    let mut commits = commits.iter().filter_map(|metadata| JournalCommit::parse(metadata));
    if !commits.any(is_namesake) {
        return Ok(());
    }
    Err(Halt::Failed(RunError::Failed(format!(
        "fenced: another process with this instance id, {}, has taken this one's place and has \
         committed; this process stops. Nothing is lost or doubled; give each process its own \
         --instance-id",
        cx.settings.instance
    ))))
}
