//! A new client in place of one that is beyond repair. Source thread.
//!
//! In: a consumer, fenced or not. Out: the same consumer with a client that has joined nothing yet.
//! Holds: committers go on with the new client; the old one is closed before.

use std::mem;

use super::client::Consumer;
use crate::kafka::native::{ConsumerSettings, KafkaError};

impl Consumer {
    /// Begins anew: nothing is assigned, and the group is joined with `subscribe`.
    ///
    /// # Errors
    /// As [`Self::new`]; the old client is kept then.
    pub fn renew(&mut self, settings: &ConsumerSettings) -> Result<(), KafkaError> {
        let mut old = Self::new(settings)?;
        mem::swap(self, &mut old);
        let gate = old.gate.clone();
        drop(old);
        gate.reopen(&self.client);
        self.gate = gate;
        Ok(())
    }
}
