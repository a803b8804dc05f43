//! What is offered to the producer, and what it says at once.
//!
//! In:  records. Out: how many were taken, and which can never be sent.

use crate::{headers::HeaderBlock, kafka::native::KafkaError};

/// The operation in errors.
pub(super) const OPERATION: &str = "send";

/// A record of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutRecord<'a> {
    /// The key's bytes; empty is a key of length 0.
    pub key: &'a [u8],
    /// The value's bytes.
    pub value: &'a [u8],
    /// Mostly none. A record with headers is sent by itself, in its place.
    pub headers: HeaderBlock<'a>,
}

/// What became of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendOutcome {
    /// Records that were taken for delivery.
    pub accepted: usize,
    /// Records that can never be sent (`KafkaError::Refused`), by their index in the run. Any other
    /// error is the last entry and concerns the run: the producer has failed, or there is no such
    /// partition; nothing from that index on was taken.
    pub refused: Vec<(usize, KafkaError)>,
    /// The queue is full: everything from [`Self::settled`] on is to be offered again after `poll`.
    pub full: bool,
}

impl SendOutcome {
    /// How many records at the run's front are done with, accepted or refused.
    pub fn settled(&self) -> usize {
        self.accepted + self.refused.len()
    }
}

/// Why a single record was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue is full: again after `poll`.
    #[error("the producer's queue is full")]
    Full,
    /// Never.
    #[error(transparent)]
    Refused(#[from] KafkaError),
}
