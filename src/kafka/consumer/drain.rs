//! Takes fetched records from the consumer's data queue without copying or allocating.
//!
//! Runs in the source thread; the hottest call of the process. In: native messages. Out: borrowed
//! [`Record`]s, end-of-partition and error events, one call of a closure each.
//! Holds: `Flow::Stop` ends the drain exactly after its record and the rest stays queued in order;
//! messages of a former assignment are never seen; a panic in the closure crosses no C frame.

use std::{
    any::Any,
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use rdkafka::bindings as rd;

use super::headers::Headers;
use crate::{
    ids::{Offset, PartitionId},
    kafka::native::{
        ErrorCode, KafkaError, Queue, bytes, error_text, is_out_of_range, is_unreadable, millis,
        owned_text,
    },
};

/// What the closure wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next record, please.
    Continue,
    /// This record has been taken; the rest stays queued.
    Stop,
}

/// One record, borrowed from librdkafka for the time of the call.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where it was read.
    pub partition: PartitionId,
    /// The record's own offset (not the next one).
    pub offset: i64,
    /// Kafka timestamp in milliseconds since the Unix epoch; -1 when there is none.
    pub timestamp_ms: i64,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// What a drain meets.
#[derive(Debug)]
pub enum DrainEvent<'a> {
    /// A record.
    Record(Record<'a>),
    /// All records of the partition up to its present end were delivered.
    EndOfPartition {
        /// The partition.
        partition: PartitionId,
        /// The next offset to read: where the next record will be, control records included.
        offset: Offset,
    },
    /// Something else; never a record's content.
    Error {
        /// The partition it concerns, if only one.
        partition: Option<PartitionId>,
        /// `OffsetOutOfRange` is the gap path.
        error: KafkaError,
    },
}

/// How librdkafka ends its text about an answer that it does not take.
const ANSWER_TOO_LARGE: &str = "increase receive.message.max.bytes";

impl DrainEvent<'_> {
    /// The event that librdkafka's error code stands for.
    pub(super) fn from_error(partition: Option<i32>, offset: i64, code: i32, text: String) -> Self {
        let id = partition.map(PartitionId);
        if let Some(partition) = id {
            if code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32 {
                return DrainEvent::EndOfPartition { partition, offset: Offset(offset) };
            }
            if is_out_of_range(code) {
                let error = KafkaError::OffsetOutOfRange { partition, position: offset, text };
                return DrainEvent::Error { partition: id, error };
            }
            if is_unreadable(code) {
                let code = ErrorCode(code);
                let error = KafkaError::Unreadable { partition, offset, code, text };
                return DrainEvent::Error { partition: id, error };
            }
        } else if text.contains(ANSWER_TOO_LARGE) {
            return DrainEvent::Error { partition: id, error: KafkaError::AnswerTooLarge { text } };
        }
        DrainEvent::Error { partition: id, error: KafkaError::from_code("fetch", code, text) }
    }
}

/// Borrows a native message as an event.
///
/// # Safety
/// `message` points to a consumer's message that lives and stays unchanged for `'a`.
#[inline]
pub(super) unsafe fn event_of<'a>(message: *const rd::rd_kafka_message_t) -> DrainEvent<'a> {
    // SAFETY: alive for `'a`, as the caller vouches.
    let native = unsafe { &*message };
    if native.err != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        // SAFETY: alive, as above.
        return unsafe { error_event_of(message) };
    }
    let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: payload and key are null or hold `len` and `key_len` bytes while the message lives.
    unsafe {
        DrainEvent::Record(Record {
            partition: PartitionId(native.partition),
            offset: native.offset,
            timestamp_ms: rd::rd_kafka_message_timestamp(message, &raw mut kind),
            key: bytes(native.key.cast(), native.key_len),
            value: bytes(native.payload.cast(), native.len),
            headers: Headers::of(message),
        })
    }
}

/// # Safety
/// As [`event_of`].
#[cold]
unsafe fn error_event_of<'a>(message: *const rd::rd_kafka_message_t) -> DrainEvent<'a> {
    // SAFETY: alive, as the caller vouches; the text lives as long as the message.
    let (native, text) = unsafe { (&*message, owned_text(rd::rd_kafka_message_errstr(message))) };
    let code = native.err as i32;
    let text = if text.is_empty() { error_text(code) } else { text };
    let partition = (native.partition >= 0).then_some(native.partition);
    DrainEvent::from_error(partition, native.offset, code, text)
}

/// State of one drain, on the stack of the thread that drains.
struct Drain<F> {
    on_event: F,
    taken: usize,
    panic: Option<Box<dyn Any + Send>>,
}

/// Hands queued messages to `on_event` until it says `Stop`, the queue is empty, or none came
/// within `timeout`. Returns how many it took.
pub(super) fn drain<F: FnMut(DrainEvent<'_>) -> Flow>(
    queue: &Queue,
    timeout: Duration,
    on_event: F,
) -> usize {
    let mut state = Drain { on_event, taken: 0, panic: None };
    // SAFETY: the queue is alive. The callback runs only inside this call, on this thread, and gets
    // back the pointer to `state`, which nothing else uses meanwhile.
    unsafe {
        rd::rd_kafka_consume_callback_queue(
            queue.ptr(),
            millis(timeout),
            Some(on_message::<F>),
            (&raw mut state).cast(),
        );
    }
    if let Some(panic) = state.panic {
        resume_unwind(panic);
    }
    state.taken
}

/// librdkafka's side of the closure.
///
/// # Safety
/// `message` is a live consumer message and `state` points to the `Drain<F>` of this call.
unsafe extern "C" fn on_message<F: FnMut(DrainEvent<'_>) -> Flow>(
    message: *mut rd::rd_kafka_message_t,
    state: *mut c_void,
) {
    // SAFETY: `drain` passed this pointer and does not touch the state before its call returns.
    let state = unsafe { &mut *state.cast::<Drain<F>>() };
    debug_assert!(state.panic.is_none(), "a drain ends with the first panic");
    state.taken += 1;
    // SAFETY: librdkafka frees the message after this function returns; the event ends before.
    let take = AssertUnwindSafe(|| (state.on_event)(unsafe { event_of(message) }));
    let flow = match catch_unwind(take) {
        Ok(flow) => flow,
        Err(panic) => {
            state.panic = Some(panic);
            Flow::Stop
        }
    };
    if flow == Flow::Stop {
        // SAFETY: sets a flag of this thread that ends the running dispatch; the client argument
        // is not used.
        unsafe { rd::rd_kafka_yield(std::ptr::null_mut()) };
    }
}
