//! The sink decides where partitions go on. Owned by the source thread.
//!
//! In:  the sink's answer to a `Recover` request. Out: the first epoch, or the same question again.

use std::collections::BTreeSet;

use super::{Halt, asking::Asking, context::Context, phase::Phase, running::Running};
use crate::{
    client::Client,
    epoch::Recovered,
    ids::{InstanceId, PartitionId},
};

/// The sink was asked and has not answered yet.
#[derive(Debug)]
pub(super) struct Recovering {
    known: Known,
    /// The question, to be asked again.
    question: Asking,
}

/// What is known of the partitions that the sink recovers.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) partitions: Vec<PartitionId>,
    /// Number of the input's partitions.
    pub(super) all: u32,
}

impl Recovering {
    pub(super) fn new(known: Known, question: Asking) -> Self {
        Self { known, question }
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// What the sink has found in the journal does not go with the commits.
    pub(super) fn ask_again<C: Client>(
        self,
        cx: &mut Context<C>,
        writers: &BTreeSet<InstanceId>,
    ) -> Phase {
        cx.departed.note_writers(writers.iter().map(|writer| writer.as_str().to_owned()));
        Phase::Asking(self.question.again(cx.now()))
    }

    /// Everything is there: reading goes on.
    pub(super) fn recovered<C: Client>(
        self,
        cx: &mut Context<C>,
        recovered: Recovered,
    ) -> Result<Phase, Halt> {
        if let Some(wanted) = &mut cx.run_ends {
            wanted.replaces = false;
        }
        Ok(Phase::Running(Running::begin(cx, &self.known, recovered)?))
    }
}
