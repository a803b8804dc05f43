//! Sending: runs of records, transactions, and what became of them.
//!
//! The producer is owned by the sink thread, or by a command of its own. In: runs of records for
//! one partition, records with headers, transactional calls. Out: how many were taken, which can
//! never be sent, what was delivered; errors whose variant says what to do next.
//! Holds: librdkafka copies every record, so nothing is borrowed after a call.

mod client;
mod delivery;
mod failure;
mod headers;
mod partitioner;
mod progress;
mod records;
mod reports;
mod run;
mod transactions;
mod uncounted;

pub use self::{
    client::{Producer, TopicHandle},
    delivery::{DeliveryFailure, DeliveryFailures},
    partitioner::Partitioner,
    progress::Mark,
    records::{OutRecord, SendError, SendOutcome},
    transactions::Transactions,
};
