//! One producer, as librdkafka keeps it.
//!
//! Holds: what failed stays failed until it is aborted; a fence is for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use logintide::kafka::{KafkaError, ProducerSettings};

use super::{
    code::{CONFLICT, Code, FATAL, FENCED, STATE, error},
    outbox::Outbox,
    process::ProcessId,
    transactions::{Identity, Part},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProducerPhase {
    /// Its id is not registered.
    New,
    Ready,
    Open,
    /// A commit waits to be resumed.
    Committing,
    /// An abort waits to be resumed.
    Aborting,
    /// The transaction has to be aborted.
    Failed(Code),
    /// For ever.
    Fatal(Code),
}

#[derive(Debug)]
pub(crate) struct Producing {
    pub(crate) process: ProcessId,
    pub(crate) transactional_id: Option<String>,
    pub(crate) transaction_timeout: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) linger: Duration,
    pub(crate) metadata_refresh: Duration,
    queue_bytes: usize,
    pub(crate) identity: Option<Identity>,
    pub(crate) phase: ProducerPhase,
    pub(crate) outbox: Outbox,
    /// What is part of the transaction, as far as the client knows.
    pub(crate) parts: BTreeSet<Part>,
    /// Number of partitions of each topic, and since when that is known.
    pub(crate) known: BTreeMap<String, (i32, Duration)>,
    /// The next transaction needs another epoch.
    pub(crate) needs_epoch: bool,
    /// The transaction has failed outside of a call.
    pub(crate) hint: bool,
    /// Records of the transaction that could not be delivered.
    pub(crate) undelivered: usize,
}

impl Producing {
    pub(crate) fn new(process: ProcessId, settings: &ProducerSettings) -> Self {
        Self {
            process,
            transactional_id: settings.transactional.as_ref().map(|it| it.id.clone()),
            transaction_timeout: settings.transaction_timeout(),
            delivery_timeout: settings.delivery_timeout,
            linger: settings.linger,
            metadata_refresh: settings.client.metadata_refresh_interval(),
            queue_bytes: settings.queue_kbytes.saturating_mul(1024),
            identity: None,
            phase: ProducerPhase::New,
            outbox: Outbox::default(),
            parts: BTreeSet::new(),
            known: BTreeMap::new(),
            needs_epoch: false,
            hint: false,
            undelivered: 0,
        }
    }

    /// Why nothing can be sent now, if nothing can.
    pub(crate) fn refusal(&self) -> Option<Code> {
        match self.phase {
            ProducerPhase::Fatal(_) => Some(FATAL),
            ProducerPhase::Open => None,
            _ if self.transactional_id.is_none() => None,
            _ => Some(STATE),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.outbox.waiting_bytes() < self.queue_bytes
    }

    /// The open transaction has failed: what waits is thrown away.
    pub(crate) fn fail(&mut self, code: Code) {
        if self.transactional_id.is_none() {
            return;
        }
        if matches!(self.phase, ProducerPhase::Open | ProducerPhase::Committing) {
            self.phase = ProducerPhase::Failed(code);
            self.hint = true;
            self.needs_epoch = true;
            self.outbox.purge();
        }
    }

    /// Nothing more is sent.
    pub(crate) fn die(&mut self, code: Code) {
        if !matches!(self.phase, ProducerPhase::Fatal(_)) {
            self.phase = ProducerPhase::Fatal(code);
            self.hint = true;
            self.outbox.purge();
        }
    }

    /// Whether a call that needs one of these phases may be made.
    pub(crate) fn check(
        &self,
        operation: &'static str,
        allowed: &[ProducerPhase],
    ) -> Result<(), KafkaError> {
        if allowed.contains(&self.phase) {
            return Ok(());
        }
        Err(match self.phase {
            ProducerPhase::Fatal(_) | ProducerPhase::Failed(_) => self.failure(operation),
            ProducerPhase::Committing | ProducerPhase::Aborting => {
                let text = "another call waits to be resumed".to_owned();
                KafkaError::Retriable { operation, code: CONFLICT, text }
            }
            _ => error(operation, STATE),
        })
    }

    /// The error of every call while the producer or its transaction has failed.
    pub(crate) fn failure(&self, operation: &'static str) -> KafkaError {
        match self.phase {
            ProducerPhase::Fatal(code) => error(operation, code),
            ProducerPhase::Failed(code) => abortable(operation, code),
            phase => unreachable!("{phase:?} is no failure"),
        }
    }

    pub(crate) fn fatal_error(&self) -> Option<KafkaError> {
        match self.phase {
            ProducerPhase::Fatal(_) => Some(self.failure("client")),
            _ => None,
        }
    }
}

/// The error of a transaction that has to be aborted.
pub(crate) fn abortable(operation: &'static str, code: Code) -> KafkaError {
    let known = error(operation, code);
    if known.is_replaced_member() {
        return known;
    }
    KafkaError::Abortable { operation, code, text: code.name() }
}

/// librdkafka's one code for both kinds of fence.
pub(crate) fn fatal_code(code: Code) -> Code {
    if super::code::is_fence(code) { FENCED } else { code }
}
