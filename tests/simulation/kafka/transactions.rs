//! The transaction coordinator.
//!
//! In:  requests of producers, by transactional id. Out: answers, and transactions that end, whose
//! markers somebody else has to write.
//! Holds: an id has one open transaction at most; a higher epoch refuses the lower ones; the next
//! transaction begins when all markers of the last are written.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    code::{
        CONCURRENT_TRANSACTIONS, Code, INVALID_PRODUCER_ID_MAPPING, INVALID_TXN_STATE,
        PRODUCER_FENCED,
    },
    log::TransactionNumber,
    topics::Place,
};

/// Who a transactional producer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) transactional_id: String,
    producer_id: u64,
    epoch: u32,
}

/// What a marker of a transaction is written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Partition(Place),
    /// The offsets of a group.
    Group(String),
}

/// A transaction whose end is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) transactional_id: String,
    pub(crate) number: TransactionNumber,
    pub(crate) commit: bool,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Ongoing,
    Prepared { commit: bool },
    Complete { commit: bool },
}

#[derive(Debug)]
struct Transactional {
    producer_id: u64,
    epoch: u32,
    state: State,
    /// Of the transaction that is open, or was the last.
    number: TransactionNumber,
    began: Duration,
    timeout: Duration,
    last_used: Duration,
    /// Without those whose marker is written.
    parts: BTreeSet<Part>,
}

#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transactional>,
    producers: u64,
    numbers: TransactionNumber,
}

/// What `InitProducerId` is answered with; beside it, the transaction that it ends.
pub(crate) type Registered = (Result<Identity, Code>, Option<Decided>);

impl Transactions {
    /// Registers a producer: the next epoch of its id.
    pub(crate) fn register(&mut self, id: &str, timeout: Duration, now: Duration) -> Registered {
        if !self.by_id.contains_key(id) {
            self.producers += 1;
            let new = Transactional {
                producer_id: self.producers,
                epoch: 0,
                state: State::Empty,
                number: 0,
                began: now,
                timeout,
                last_used: now,
                parts: BTreeSet::new(),
            };
            self.by_id.insert(id.to_owned(), new);
        }
        let known = self.by_id.get_mut(id).expect("there by now");
        known.last_used = now;
        match known.state {
            State::Ongoing => {
                known.epoch += 1;
                (Err(CONCURRENT_TRANSACTIONS), Some(known.decide(id, false)))
            }
            State::Prepared { .. } => (Err(CONCURRENT_TRANSACTIONS), None),
            State::Empty | State::Complete { .. } => {
                known.epoch += 1;
                known.timeout = timeout;
                known.state = State::Empty;
                (Ok(known.identity(id)), None)
            }
        }
    }

    fn of(&mut self, who: &Identity) -> Result<&mut Transactional, Code> {
        let known = self.by_id.get_mut(&who.transactional_id);
        let known = known.filter(|known| known.producer_id == who.producer_id);
        let known = known.ok_or(INVALID_PRODUCER_ID_MAPPING)?;
        if known.epoch == who.epoch { Ok(known) } else { Err(PRODUCER_FENCED) }
    }

    /// Adds a part to the open transaction, or to a new one. Answers its number, and whether it is
    /// a new one.
    pub(crate) fn add(
        &mut self,
        who: &Identity,
        part: Part,
        now: Duration,
    ) -> Result<(TransactionNumber, bool), Code> {
        let number = self.numbers + 1;
        let known = self.of(who)?;
        known.last_used = now;
        let begins = match known.state {
            State::Prepared { .. } => return Err(CONCURRENT_TRANSACTIONS),
            State::Ongoing => false,
            State::Empty | State::Complete { .. } => {
                known.state = State::Ongoing;
                known.number = number;
                known.began = now;
                true
            }
        };
        known.parts.insert(part);
        let number = known.number;
        self.numbers = self.numbers.max(number);
        Ok((number, begins))
    }

    /// The open transaction, if it has this part: what a partition's leader and a group's
    /// coordinator ask before they take anything.
    pub(crate) fn verify(
        &mut self,
        who: &Identity,
        part: &Part,
    ) -> Result<TransactionNumber, Code> {
        let known = self.of(who)?;
        let has_it = known.state == State::Ongoing && known.parts.contains(part);
        if has_it { Ok(known.number) } else { Err(INVALID_TXN_STATE) }
    }

    /// Ends the open transaction. A repeated request is answered as the first was, once the markers
    /// are written.
    pub(crate) fn end(&mut self, who: &Identity, commit: bool) -> Result<Option<Decided>, Code> {
        let known = self.of(who)?;
        match known.state {
            State::Ongoing => Ok(Some(known.decide(&who.transactional_id, commit))),
            State::Prepared { commit: earlier } if earlier == commit => {
                Err(CONCURRENT_TRANSACTIONS)
            }
            State::Complete { commit: earlier } if earlier == commit => Ok(None),
            _ => Err(INVALID_TXN_STATE),
        }
    }

    /// Aborts a transaction that is open for too long; its producer is over.
    pub(crate) fn time_out(&mut self, number: TransactionNumber) -> Option<Decided> {
        let is_it = |known: &Transactional| known.state == State::Ongoing && known.number == number;
        let (id, known) = self.by_id.iter_mut().find(|(_, known)| is_it(known))?;
        known.epoch += 1;
        Some(known.decide(id, false))
    }

    /// The timeout of an open transaction.
    pub(crate) fn timeout_of(&self, number: TransactionNumber) -> Option<Duration> {
        self.by_id.values().find(|known| known.number == number).map(|known| known.timeout)
    }

    /// A part's marker is written.
    pub(crate) fn marked(&mut self, id: &str, number: TransactionNumber, part: &Part) {
        let Some(known) = self.by_id.get_mut(id).filter(|known| known.number == number) else {
            return;
        };
        known.parts.remove(part);
        if let State::Prepared { commit } = known.state
            && known.parts.is_empty()
        {
            known.state = State::Complete { commit };
        }
    }

    /// Forgets ids that nobody has used for long.
    pub(crate) fn expire(&mut self, unused_since: Duration) {
        self.by_id.retain(|_, known| {
            let is_open = matches!(known.state, State::Ongoing | State::Prepared { .. });
            is_open || known.last_used > unused_since
        });
    }

    /// Whether no transaction is open or waits for markers.
    pub(crate) fn are_settled(&self) -> bool {
        let is_open =
            |known: &Transactional| matches!(known.state, State::Ongoing | State::Prepared { .. });
        !self.by_id.values().any(is_open)
    }
}

impl Transactional {
    fn identity(&self, id: &str) -> Identity {
        Identity {
            transactional_id: id.to_owned(),
            producer_id: self.producer_id,
            epoch: self.epoch,
        }
    }

    fn decide(&mut self, id: &str, commit: bool) -> Decided {
        self.state = State::Prepared { commit };
        Decided {
            transactional_id: id.to_owned(),
            number: self.number,
            commit,
            parts: self.parts.iter().cloned().collect(),
        }
    }
}
