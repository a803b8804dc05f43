//! Events of a client: log lines, errors, rebalances, answers, delivery reports.
//!
//! In: an event that was taken from a queue. Out: what it says. Used by the thread that took it.
//! Holds: an event keeps its client alive and is destroyed once.

use std::{
    ffi::c_int,
    ptr::{self, NonNull},
    sync::Arc,
};

use rdkafka::bindings as rd;

use super::{
    client::NativeClient,
    ffi::owned_text,
    list::{PartitionEntry, entries},
    log::Context,
};

/// One event taken from a queue.
pub(in crate::kafka) struct Event {
    ptr: NonNull<rd::rd_kafka_event_t>,
    _client: Arc<NativeClient>,
}

impl Event {
    /// Takes over what a queue of this client has given; a null pointer is none.
    ///
    /// # Safety
    /// `event` is null, or a live event that nobody else destroys.
    pub(super) unsafe fn take(
        event: *mut rd::rd_kafka_event_t,
        client: &Arc<NativeClient>,
    ) -> Option<Self> {
        Some(Self { ptr: NonNull::new(event)?, _client: Arc::clone(client) })
    }

    pub(in crate::kafka) fn ptr(&self) -> *mut rd::rd_kafka_event_t {
        self.ptr.as_ptr()
    }

    /// One of `RD_KAFKA_EVENT_…`.
    pub(in crate::kafka) fn kind(&self) -> c_int {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_type(self.ptr()) }
    }

    /// librdkafka's code; 0 is none.
    pub(in crate::kafka) fn error_code(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_error(self.ptr()) as i32 }
    }

    pub(in crate::kafka) fn error_text(&self) -> String {
        // SAFETY: the event is alive, and the string lives as long as it.
        unsafe { owned_text(rd::rd_kafka_event_error_string(self.ptr())) }
    }

    pub(in crate::kafka) fn is_fatal(&self) -> bool {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_error_is_fatal(self.ptr()) != 0 }
    }

    /// Partition and offset that an error event is about.
    pub(in crate::kafka) fn partition_and_offset(&self) -> Option<(i32, i64)> {
        // SAFETY: the event is alive; the returned partition is ours to destroy.
        unsafe {
            let partition = rd::rd_kafka_event_topic_partition(self.ptr());
            let found = NonNull::new(partition)?.as_ref();
            let result = (found.partition, found.offset);
            rd::rd_kafka_topic_partition_destroy(partition);
            Some(result)
        }
    }

    /// The partitions of a rebalance or commit event.
    pub(in crate::kafka) fn partitions(&self) -> Vec<PartitionEntry> {
        // SAFETY: the event is alive, and so is the list inside it.
        unsafe { entries(rd::rd_kafka_event_topic_partition_list(self.ptr())) }
    }

    /// Hands log lines and statistics to `context`. False: the event is of another kind.
    pub(in crate::kafka) fn serve_log(&self, context: &Context) -> bool {
        match self.kind() {
            rd::RD_KAFKA_EVENT_LOG => {
                let (mut facility, mut text) = (ptr::null(), ptr::null());
                let mut level = 0;
                // SAFETY: the event is alive; both strings live as long as it.
                let (facility, text) = unsafe {
                    rd::rd_kafka_event_log(
                        self.ptr(),
                        &raw mut facility,
                        &raw mut text,
                        &raw mut level,
                    );
                    (owned_text(facility), owned_text(text))
                };
                context.line(level, facility.trim(), text.trim());
                true
            }
            rd::RD_KAFKA_EVENT_STATS => true,
            _ => false,
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is ours and is not used after this.
        unsafe { rd::rd_kafka_event_destroy(self.ptr()) };
    }
}
