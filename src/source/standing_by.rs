//! The group has given this instance no partition. Owned by the source thread.
//!
//! In:  how many partitions the input has, and what the members have. Out: a new join, if nobody
//! has some of them: this instance may be the group's leader; the end, with the bounded run.

use std::time::Instant;

use super::{answer::partitions_of_input, context::Context, phase::Phase, unassigned};
use crate::{client::Client, epoch::Times, limits};

/// Stands by until the group assigns something.
#[derive(Debug, Default)]
pub(super) struct StandingBy {
    is_answered: bool,
    next_try: Option<Instant>,
}

impl StandingBy {
    /// Others have committed something.
    pub(super) fn news<C: Client>(self, cx: &Context<C>, times: &Times) -> Phase {
        if cx.settings.exit_at_end && times.run_is_over {
            return Phase::Closed;
        }
        Phase::StandingBy(self)
    }

    pub(super) fn step<C: Client>(self, cx: &mut Context<C>) -> Self {
        let now = cx.now();
        if self.is_answered || self.next_try.is_some_and(|at| now < at) {
            return self;
        }
        let is_answered = match partitions_of_input(cx) {
            Ok(all) => unassigned::join_for(cx, all).is_ok(),
            Err(error) => !error.is_retriable(),
        };
        Self { is_answered, next_try: Some(cx.now() + limits::ASK_AGAIN_PAUSE) }
    }
}
