//! What the group has decided, until it is answered.
//!
//! In:  rebalance events of the group's queue. Out: the decisions in their order. Owned by the
//! consumer.
//! Holds: the group waits for exactly one answer to each; an offer is answered by an assignment
//! only, everything else by none.

use std::collections::VecDeque;

use rdkafka::{bindings as rd, types::RDKafkaRespErr};

use crate::{
    ids::PartitionId,
    kafka::native::{Event, NativeClient},
};

/// What the group decided, as recorded by `serve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebalanceEvent {
    /// These partitions are offered: answer with `assign` (an empty list declines).
    Assigned(Vec<PartitionId>),
    /// These partitions, all that are owned, are asked back: finish, then answer with `unassign`.
    Revoked(Vec<PartitionId>),
    /// These partitions are already someone else's: roll back, then answer with `unassign`.
    Lost(Vec<PartitionId>),
    /// The rebalance failed; whatever was owned is lost: roll back, then `unassign`.
    Failed(String),
}

/// A decision that neither `assign` nor `unassign` has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unanswered {
    /// Partitions are offered; only `assign` is an answer.
    Offer,
    /// Partitions are asked back or gone; only `unassign` is an answer.
    Recall,
}

/// Decisions of the group.
#[derive(Debug, Default)]
pub(super) struct Rebalances {
    recorded: VecDeque<RebalanceEvent>,
    /// The one that the group waits for an answer to.
    unanswered: Option<Unanswered>,
}

impl Rebalances {
    pub(super) fn record(&mut self, client: &NativeClient, event: &Event) {
        // NOTE: before anything else: an unassign resets it.
        // SAFETY: the client is alive.
        let lost = unsafe { rd::rd_kafka_assignment_lost(client.ptr()) } != 0;
        let code = event.error_code();
        let partitions =
            event.partitions().into_iter().map(|entry| PartitionId(entry.partition)).collect();
        let is_offer = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS as i32;
        self.unanswered = Some(if is_offer { Unanswered::Offer } else { Unanswered::Recall });
        let recorded = if is_offer {
            RebalanceEvent::Assigned(partitions)
        } else if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS as i32 {
            RebalanceEvent::Failed(event.error_text())
        } else if lost {
            RebalanceEvent::Lost(partitions)
        } else {
            RebalanceEvent::Revoked(partitions)
        };
        self.recorded.push_back(recorded);
    }

    /// The oldest one that nobody has taken.
    pub(super) fn pop(&mut self) -> Option<RebalanceEvent> {
        self.recorded.pop_front()
    }

    /// Whether the group waits for an answer.
    pub(super) fn is_unanswered(&self) -> bool {
        self.unanswered.is_some()
    }

    /// Whether the group waits for an assignment.
    pub(super) fn is_offer(&self) -> bool {
        self.unanswered == Some(Unanswered::Offer)
    }

    pub(super) fn assigned(&mut self) {
        self.unanswered = self.unanswered.filter(|open| *open == Unanswered::Recall);
    }

    pub(super) fn unassigned(&mut self) {
        self.unanswered = None;
    }
}
