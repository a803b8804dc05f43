//! A consumer's side of its group, as librdkafka keeps it.
//!
//! In:  answers of the coordinator, answers of the application. Out: rebalance events, and when to
//! join again.
//! Holds: an event waits for its answer, and nothing is joined before; what was asked back and is
//! lost before the answer stays asked back.

use std::collections::VecDeque;

use logintide::{
    ids::PartitionId,
    kafka::{KafkaError, RebalanceEvent},
};

use super::{
    code::{
        Code, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, MAX_POLL_EXCEEDED, REBALANCE_IN_PROGRESS,
        UNKNOWN_MEMBER_ID, error,
    },
    group::{Claim, Seat},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not subscribed.
    Outside,
    /// Has asked, or is to ask, to join.
    Joining,
    /// Of a new generation, without its assignment.
    Syncing,
    /// Partitions were offered.
    Offered,
    Steady,
    /// Partitions were asked back, or are lost.
    Recalled,
}

/// What the consumer has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    Join,
}

#[derive(Debug)]
pub(crate) struct Membership {
    phase: Phase,
    claim: Claim,
    /// What the group has assigned; may be empty.
    assignment: Option<Vec<PartitionId>>,
    is_lost: bool,
    /// For `serve`.
    waiting: VecDeque<RebalanceEvent>,
    /// Of `serve`, for `next_rebalance`.
    recorded: VecDeque<RebalanceEvent>,
    errors: VecDeque<KafkaError>,
    fatal: Option<KafkaError>,
}

impl Membership {
    pub(crate) fn new(instance_id: Option<String>) -> Self {
        Self {
            phase: Phase::Outside,
            claim: Claim { member_id: String::new(), instance_id, generation: -1 },
            assignment: None,
            is_lost: false,
            waiting: VecDeque::new(),
            recorded: VecDeque::new(),
            errors: VecDeque::new(),
            fatal: None,
        }
    }

    /// Who it is now.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Whether a request to join is due.
    pub(crate) fn is_joining(&self) -> bool {
        self.phase == Phase::Joining && self.fatal.is_none()
    }

    /// The connection is there again, and what was asked before has no answer: whether to join.
    pub(crate) fn joins_again(&mut self) -> bool {
        if self.phase == Phase::Syncing {
            self.phase = Phase::Joining;
        }
        self.is_joining()
    }

    /// Whether it has a place that heartbeats keep.
    pub(crate) fn has_place(&self) -> bool {
        self.fatal.is_none()
            && matches!(
                self.phase,
                Phase::Syncing | Phase::Offered | Phase::Steady | Phase::Recalled
            )
    }

    pub(crate) fn subscribe(&mut self) -> Next {
        if self.phase != Phase::Outside {
            // What is held is given back first, and then joined for anew.
            return self.recall(false);
        }
        self.phase = Phase::Joining;
        Next::Join
    }

    /// The join waits for the others.
    pub(crate) fn waits_as(&mut self, member_id: String) {
        self.claim.member_id = member_id;
    }

    /// A generation has begun; its assignment follows.
    pub(crate) fn begins(&mut self, generation: i32) {
        if self.phase == Phase::Joining {
            self.claim.generation = generation;
            self.phase = Phase::Syncing;
        }
    }

    /// The group has assigned partitions.
    pub(crate) fn take_seat(&mut self, seat: &Seat) {
        if !matches!(self.phase, Phase::Joining | Phase::Syncing) {
            return;
        }
        self.claim.member_id.clone_from(&seat.member_id);
        self.claim.generation = seat.generation;
        let partitions: Vec<_> = seat.assigned.iter().copied().map(PartitionId).collect();
        self.assignment = Some(partitions.clone());
        self.phase = Phase::Offered;
        self.waiting.push_back(RebalanceEvent::Assigned(partitions));
    }

    /// A join or a heartbeat was refused.
    pub(crate) fn refused(&mut self, code: Code) -> Next {
        match code {
            UNKNOWN_MEMBER_ID => self.claim.member_id.clear(),
            FENCED_INSTANCE_ID => {
                self.fatal = Some(error("consume", code));
                self.recall(true);
                return Next::Nothing;
            }
            ILLEGAL_GENERATION | REBALANCE_IN_PROGRESS => {}
            _ => return Next::Nothing,
        }
        self.recall(code != REBALANCE_IN_PROGRESS)
    }

    /// No answer has come for as long as a session.
    pub(crate) fn session_ended(&mut self) -> Next {
        self.claim.member_id.clear();
        self.recall(true)
    }

    fn recall(&mut self, lost: bool) -> Next {
        match self.phase {
            Phase::Joining | Phase::Syncing => {
                self.phase = Phase::Joining;
                Next::Join
            }
            Phase::Steady => {
                self.is_lost = lost && self.assignment.is_some();
                if let Some(partitions) = self.assignment.clone() {
                    self.phase = Phase::Recalled;
                    self.waiting.push_back(RebalanceEvent::Revoked(partitions));
                    Next::Nothing
                } else {
                    self.phase = Phase::Joining;
                    Next::Join
                }
            }
            // The event is on its way, whatever follows. An offer is asked back by a heartbeat
            // after its answer.
            Phase::Outside | Phase::Offered | Phase::Recalled => Next::Nothing,
        }
    }

    /// The application has not polled for too long: the place is given up.
    pub(crate) fn is_silent(&mut self) -> Next {
        self.errors.push_back(error("fetch", MAX_POLL_EXCEEDED));
        self.claim.member_id.clear();
        self.recall(true)
    }

    /// Takes what `serve` reports beside rebalance events.
    pub(crate) fn serve(&mut self) -> (Result<(), KafkaError>, Vec<KafkaError>) {
        if let Some(fatal) = &self.fatal {
            return (Err(fatal.clone()), self.errors.drain(..).collect());
        }
        while let Some(event) = self.waiting.pop_front() {
            self.recorded.push_back(match event {
                RebalanceEvent::Revoked(partitions) if self.is_lost => {
                    RebalanceEvent::Lost(partitions)
                }
                event => event,
            });
        }
        (Ok(()), self.errors.drain(..).collect())
    }

    pub(crate) fn next_rebalance(&mut self) -> Option<RebalanceEvent> {
        self.recorded.pop_front()
    }

    /// The application reads these partitions: the answer to an offer.
    pub(crate) fn assigned(&mut self) {
        if self.phase == Phase::Offered {
            self.phase = Phase::Steady;
        }
    }

    /// The application reads nothing: the answer to a recall, and to an offer as well.
    pub(crate) fn unassigned(&mut self) -> Next {
        match self.phase {
            Phase::Offered => self.phase = Phase::Steady,
            Phase::Recalled => {
                self.assignment = None;
                self.is_lost = false;
                if self.fatal.is_none() {
                    self.phase = Phase::Joining;
                    return Next::Join;
                }
            }
            _ => {}
        }
        Next::Nothing
    }
}
