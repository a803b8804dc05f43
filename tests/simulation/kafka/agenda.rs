//! What happens later, in the order of time.

use std::{collections::BTreeMap, time::Duration};

use super::{
    group::{Claim, ConsumerId, Seat},
    log::{Sent, TransactionNumber},
    offsets::Entries,
    topics::Place,
    transactions::{Identity, Part},
};

/// Number of a producer of the simulation.
pub(crate) type ProducerId = usize;

#[derive(Debug)]
pub(crate) enum Event {
    /// A producer's request with records for a partition arrives.
    Produce {
        producer: ProducerId,
        place: Place,
    },
    /// The answer to it arrives.
    Produced {
        producer: ProducerId,
        answer: u64,
    },
    /// Records arrive whose producer has given them up or is gone.
    Stray {
        identity: Option<Identity>,
        place: Place,
        records: Vec<Sent>,
    },
    /// A marker reaches its partition or group.
    Mark {
        id: String,
        number: TransactionNumber,
        commit: bool,
        part: Part,
    },
    /// A transaction is open for too long.
    TimeOut {
        number: TransactionNumber,
    },
    /// A second copy of a request that was answered long ago.
    LateEnd {
        identity: Identity,
        commit: bool,
    },
    LateOffsets {
        identity: Identity,
        group: String,
        claim: Claim,
        entries: Entries,
    },
    /// A consumer's request to join arrives.
    Join {
        consumer: ConsumerId,
    },
    /// A heartbeat arrives that learns something.
    Heartbeat {
        consumer: ConsumerId,
    },
    /// The generation's leader assigns.
    Assign {
        group: String,
        generation: i32,
    },
    /// A member learns its assignment.
    Seat {
        seat: Seat,
    },
    /// Sessions of the group's members, or the time to join, may be over.
    Check {
        group: String,
    },
    /// A consumer has heard nothing for a session, if this cut is still the last.
    Deaf {
        consumer: ConsumerId,
        cut: u64,
    },
    /// The application may not have polled for too long.
    MaxPoll {
        consumer: ConsumerId,
    },
    /// A consumer asks for metadata.
    Metadata {
        consumer: ConsumerId,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    events: BTreeMap<(Duration, u64), Event>,
    added: u64,
}

impl Agenda {
    /// Adds an event; those of one moment happen in the order in which they were added.
    pub(crate) fn add(&mut self, at: Duration, event: Event) {
        self.added += 1;
        self.events.insert((at, self.added), event);
    }

    /// When the next event happens.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next event, if it happens by then.
    pub(crate) fn take(&mut self, by: Duration) -> Option<(Duration, Event)> {
        let entry = self.events.first_entry().filter(|entry| entry.key().0 <= by)?;
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
