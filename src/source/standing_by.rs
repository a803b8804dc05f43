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
    /// For so many partitions of the input it is known that somebody has each.
    owned_by_somebody: u32,
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
        // Nothing is open that another topic could make void.
        let _other_topic = cx.topics.look(cx.control.topics(), &cx.settings.topics);
        let is_known =
            self.owned_by_somebody > 0 && self.owned_by_somebody >= cx.topics.input_partitions();
        if is_known || self.next_try.is_some_and(|at| now < at) {
            return self;
        }
        let all = partitions_of_input(cx).map(|all| all.max(cx.topics.input_partitions()));
        let Ok(all) = all else {
            return Self { next_try: Some(cx.now() + limits::ASK_AGAIN_PAUSE), ..self };
        };
        match unassigned::join_for(cx, all) {
            None => Self { owned_by_somebody: all, next_try: None },
            next_try => Self { next_try, ..self },
        }
    }
}
