//! Leaving the group and ending the consumer's client, in bounded time. Source thread.
//!
//! In: a client in any state, its group's queue. Out: whether the group was left in time.
//! Holds: every rebalance event that comes while closing is answered, exactly once.

use std::time::Instant;

use rdkafka::bindings as rd;
use tracing::debug;

use crate::{
    kafka::native::{KafkaError, NativeClient, Queue, check},
    limits::CONSUMER_CLOSE_POLL,
};

/// True when librdkafka says that the group was left.
pub(super) fn leave_group(
    client: &NativeClient,
    group: &Queue,
    is_unanswered: bool,
    deadline: Instant,
) -> bool {
    // SAFETY: client and queue are alive; the returned error is ours to destroy.
    let refused = unsafe {
        let error = rd::rd_kafka_consumer_close_queue(client.ptr(), group.ptr());
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
    if is_unanswered {
        answer_while_closing(client);
    }
    // SAFETY: the client is alive.
    while unsafe { rd::rd_kafka_consumer_closed(client.ptr()) } == 0 {
        if Instant::now() >= deadline {
            return false;
        }
        let Some(event) = group.poll(CONSUMER_CLOSE_POLL) else { continue };
        if event.kind() == rd::RD_KAFKA_EVENT_REBALANCE {
            answer_while_closing(client);
        } else {
            event.serve_log(client.context());
        }
    }
    true
}

fn answer_while_closing(client: &NativeClient) {
    if let Err(error) = unassign(client) {
        debug!("while the consumer closes: {error}");
    }
}

/// Reads nothing.
pub(super) fn unassign(client: &NativeClient) -> Result<(), KafkaError> {
    // SAFETY: the client is alive; no list means no partitions.
    check("unassign", unsafe { rd::rd_kafka_assign(client.ptr(), std::ptr::null()) })
}
