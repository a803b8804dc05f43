//! Queues of a client: where its events and records arrive.
//!
//! In: a client. Out: events, one at a time. Used by the threads that own the clients.
//! Holds: a queue keeps its client alive; librdkafka's queues may be used from any thread.

use std::{ffi::CStr, ptr::NonNull, sync::Arc, time::Duration};

use rdkafka::bindings as rd;

use super::{
    client::NativeClient,
    error::KafkaError,
    event::Event,
    ffi::{check, millis},
};

/// A queue of events or records.
pub(in crate::kafka) struct Queue {
    ptr: NonNull<rd::rd_kafka_queue_t>,
    client: Arc<NativeClient>,
}

// SAFETY: librdkafka's queues are locked inside and may be used from any thread.
unsafe impl Send for Queue {}

impl Queue {
    fn wrap(client: &Arc<NativeClient>, ptr: *mut rd::rd_kafka_queue_t) -> Option<Self> {
        Some(Self { ptr: NonNull::new(ptr)?, client: Arc::clone(client) })
    }

    /// A new queue that nothing is forwarded to yet.
    pub(in crate::kafka) fn new(client: &Arc<NativeClient>) -> Self {
        // SAFETY: the client is alive; the returned reference is ours.
        let ptr = unsafe { rd::rd_kafka_queue_new(client.ptr()) };
        Self::wrap(client, ptr).expect("rd_kafka_queue_new aborts rather than returning null")
    }

    /// The client's main queue: log lines, errors, delivery reports.
    pub(in crate::kafka) fn main(client: &Arc<NativeClient>) -> Self {
        // SAFETY: the client is alive; the returned reference is ours.
        let ptr = unsafe { rd::rd_kafka_queue_get_main(client.ptr()) };
        Self::wrap(client, ptr).expect("every client has a main queue")
    }

    /// The consumer group's queue; the main queue is redirected to it first.
    pub(in crate::kafka) fn group(client: &Arc<NativeClient>) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive and a consumer.
        check("open the group queue", unsafe { rd::rd_kafka_poll_set_consumer(client.ptr()) })?;
        // SAFETY: the client is alive; the returned reference is ours.
        let ptr = unsafe { rd::rd_kafka_queue_get_consumer(client.ptr()) };
        Ok(Self::wrap(client, ptr).expect("a consumer with a group.id has a group queue"))
    }

    /// Where the fetched records of a partition arrive.
    pub(in crate::kafka) fn of_partition(
        client: &Arc<NativeClient>,
        topic: &CStr,
        partition: i32,
    ) -> Self {
        // SAFETY: client and name are alive; the partition is created when it is not known yet.
        let ptr =
            unsafe { rd::rd_kafka_queue_get_partition(client.ptr(), topic.as_ptr(), partition) };
        Self::wrap(client, ptr).expect("a consumer makes the queue of any partition")
    }

    /// Sends everything in this queue, now and later, to `target`.
    pub(in crate::kafka) fn forward_to(&self, target: &Self) {
        // SAFETY: both queues are alive; librdkafka takes a reference of its own to the target.
        unsafe { rd::rd_kafka_queue_forward(self.ptr(), target.ptr()) };
    }

    pub(in crate::kafka) fn ptr(&self) -> *mut rd::rd_kafka_queue_t {
        self.ptr.as_ptr()
    }

    /// The next event, waiting up to `timeout` for one.
    pub(in crate::kafka) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the returned event is ours.
        unsafe {
            let event = rd::rd_kafka_queue_poll(self.ptr(), millis(timeout));
            Event::take(event, &self.client)
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: this is our one reference; the client outlives it through `self.client`.
        unsafe { rd::rd_kafka_queue_destroy(self.ptr()) };
    }
}
