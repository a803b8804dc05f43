//! The sink decides where partitions go on. Owned by the source thread.
//!
//! In:  the sink's answer to a `Recover` request. Out: the first epoch, or a rebuild before it.

use std::collections::BTreeMap;

use super::{Halt, context::Context, phase::Phase, rebuilding::Rebuilding, running::Running};
use crate::{
    client::Client,
    epoch::{Rebuild, Recovered},
    ids::{Offset, PartitionId},
};

/// The sink was asked and has not answered yet.
#[derive(Debug)]
pub(super) struct Recovering(Known);

/// What is known of the partitions that the sink recovers.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) partitions: Vec<PartitionId>,
    /// End of each log, records of open transactions included; of a bounded run only.
    pub(super) ends: BTreeMap<PartitionId, Offset>,
}

impl Recovering {
    pub(super) fn new(known: Known) -> Self {
        Self(known)
    }

    pub(super) fn known(&self) -> &Known {
        &self.0
    }

    /// Windows were lost: their records are counted again first.
    pub(super) fn rebuild<C: Client>(
        self,
        cx: &mut Context<C>,
        order: Rebuild,
    ) -> Result<Phase, Halt> {
        Ok(Phase::Rebuilding(Rebuilding::begin(cx, self.0, order)?))
    }

    /// Everything is there: reading goes on.
    pub(super) fn recovered<C: Client>(
        self,
        cx: &mut Context<C>,
        recovered: Recovered,
    ) -> Result<Phase, Halt> {
        Ok(Phase::Running(Running::begin(cx, self.0, recovered)?))
    }
}
