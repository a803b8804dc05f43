//! Leaving the group and ending the consumer's client, in bounded time. Source thread.
//!
//! In: a consumer in any state. Out: a group that was left, or a warning.
//! Holds: every rebalance event that comes while closing is answered, exactly once.

use std::{sync::Arc, time::Instant};

use rdkafka::bindings as rd;
use tracing::{debug, warn};

use super::client::Consumer;
use crate::{
    kafka::native::{KafkaError, NativeClient, check},
    limits::{CONSUMER_CLOSE_DEADLINE, CONSUMER_CLOSE_POLL},
};

impl Consumer {
    /// True when librdkafka says that the group was left.
    fn leave_group(&self, deadline: Instant) -> bool {
        // SAFETY: client and queue are alive; the returned error is ours to destroy.
        let refused = unsafe {
            let error = rd::rd_kafka_consumer_close_queue(self.client.ptr(), self.group.ptr());
            let refused = !error.is_null();
            if refused {
                rd::rd_kafka_error_destroy(error);
            }
            refused
        };
        if refused {
            // After a fatal error there is nothing to leave, and destroying does not wait.
            return true;
        }
        // NOTE: exactly one unassign per event, and none unasked for. The group waits for the
        // answer to an event, so it cannot end before it; but an unassign that reaches it in the
        // moment of its end is dropped unanswered, and its caller waits for ever.
        if self.unanswered.is_some() {
            self.answer_while_closing();
        }
        // SAFETY: the client is alive.
        while unsafe { rd::rd_kafka_consumer_closed(self.client.ptr()) } == 0 {
            if Instant::now() >= deadline {
                return false;
            }
            let Some(event) = self.group.poll(CONSUMER_CLOSE_POLL) else { continue };
            if event.kind() == rd::RD_KAFKA_EVENT_REBALANCE {
                self.answer_while_closing();
            } else {
                event.serve_log(self.client.context());
            }
        }
        true
    }

    fn answer_while_closing(&self) {
        if let Err(error) = unassign(&self.client) {
            debug!("while the consumer closes: {error}");
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.gate.close();
        if !self.leave_group(Instant::now() + CONSUMER_CLOSE_DEADLINE) {
            warn!(
                "the group was not left within {} s; its partitions are given to others after \
                 the session timeout",
                CONSUMER_CLOSE_DEADLINE.as_secs()
            );
            self.client.abandon();
        }
        debug_assert_eq!(Arc::strong_count(&self.client), 3, "data queue, group queue, this");
    }
}

/// Reads nothing.
pub(super) fn unassign(client: &NativeClient) -> Result<(), KafkaError> {
    // SAFETY: the client is alive; no list means no partitions.
    check("unassign", unsafe { rd::rd_kafka_assign(client.ptr(), std::ptr::null()) })
}
