//! Raw handles of librdkafka, each with one owner and a `Drop`.
//!
//! In: pointers from librdkafka. Out: safe methods on [`NativeClient`], [`Queue`], [`Event`] and
//! [`Topic`]. Used by the threads that own the clients.
//! Holds: a queue, event or topic keeps its client alive, so `rd_kafka_destroy` runs after all
//! other destructors; librdkafka's functions may be called from any thread.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    mem::ManuallyDrop,
    ptr::{self, NonNull},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientConfig, bindings as rd,
    client::Client,
    types::{RDKafkaRespErr, RDKafkaType},
};

use super::{
    error::{ErrorCode, KafkaError},
    list::{PartitionEntry, entries},
    log::Context,
};

/// Milliseconds for a C call: rounded up, so that a short wait is not a busy loop.
pub(super) fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}

/// A NUL-terminated copy.
///
/// # Errors
/// `Config` when the text has a NUL inside.
pub(super) fn c_string(what: &str, text: &str) -> Result<CString, KafkaError> {
    CString::new(text).map_err(|_| KafkaError::Config {
        text: format!("{what} {text:?} contains a NUL character; remove it"),
    })
}

/// Copies a C string; a null pointer is the empty text.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives through the call.
pub(super) unsafe fn owned_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the terminator.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// librdkafka's name of a code, without its prefix.
pub(super) fn error_name(code: i32) -> String {
    match RDKafkaRespErr::try_from(code) {
        // SAFETY: the function takes any value of the enum and returns a static string.
        Ok(known) => unsafe { owned_text(rd::rd_kafka_err2name(known)) },
        Err(_) => format!("code {code}"),
    }
}

/// librdkafka's text for a code.
pub(super) fn error_text(code: i32) -> String {
    match RDKafkaRespErr::try_from(code) {
        // SAFETY: the function takes any value of the enum and returns a static string.
        Ok(known) => unsafe { owned_text(rd::rd_kafka_err2str(known)) },
        Err(_) => "an error that this version of librdkafka does not know".to_owned(),
    }
}

/// Ok, or the error that fits the code.
pub(super) fn check(operation: &'static str, code: RDKafkaRespErr) -> Result<(), KafkaError> {
    match code {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
        code => Err(KafkaError::from_native(operation, code)),
    }
}

/// One librdkafka client.
pub(super) struct NativeClient {
    client: ManuallyDrop<Client<Context>>,
    /// Set when an orderly close took too long: the destructor would wait for it all the same.
    abandoned: AtomicBool,
}

impl NativeClient {
    /// Creates a client that reports `events` (a set of `RD_KAFKA_EVENT_…`) on its queues.
    ///
    /// # Errors
    /// `Config` when librdkafka refuses a property.
    pub(super) fn new(
        config: &ClientConfig,
        kind: RDKafkaType,
        events: c_int,
        role: &'static str,
    ) -> Result<Arc<Self>, KafkaError> {
        let native = config.create_native_config().map_err(|error| config_error(role, &error))?;
        // SAFETY: the configuration is alive and not yet consumed by a client.
        unsafe { rd::rd_kafka_conf_set_events(native.ptr(), events) };
        let client = Client::new(config, native, kind, Context::new(role))
            .map_err(|error| config_error(role, &error))?;
        Ok(Arc::new(Self { client: ManuallyDrop::new(client), abandoned: AtomicBool::new(false) }))
    }

    pub(super) fn ptr(&self) -> *mut rd::rd_kafka_t {
        self.client.native_ptr()
    }

    pub(super) fn context(&self) -> &Context {
        self.client.context()
    }

    /// The first fatal error of this client, if there was one.
    pub(super) fn fatal_error(&self) -> Option<KafkaError> {
        let (code, text) = self.client.fatal_error()?;
        let code = code as i32;
        Some(match KafkaError::from_code("client", code, text.clone()) {
            fenced @ KafkaError::Fenced { .. } => fenced,
            _ => KafkaError::Fatal { operation: "client", code: ErrorCode(code), text },
        })
    }

    /// A failed question to the broker, with the error behind it when nobody answered.
    pub(super) fn query_error(
        &self,
        operation: &'static str,
        code: RDKafkaRespErr,
        waited: Duration,
    ) -> KafkaError {
        use RDKafkaRespErr as E;
        match code {
            E::RD_KAFKA_RESP_ERR__TIMED_OUT
            | E::RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE
            | E::RD_KAFKA_RESP_ERR__TRANSPORT
            | E::RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN
            | E::RD_KAFKA_RESP_ERR__WAIT_COORD => self.timeout(operation, waited),
            code => KafkaError::from_native(operation, code),
        }
    }

    /// No answer in time.
    pub(super) fn timeout(&self, operation: &'static str, waited: Duration) -> KafkaError {
        let text = self.context().last_error_within(waited.max(LAST_ERROR_MEMORY));
        KafkaError::Timeout { operation, waited, text }
    }

    /// Leaves the client to the end of the process instead of destroying it: a commit that waits
    /// for an absent coordinator holds up the destructor for a whole session timeout.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

/// How far back the error behind a timeout may lie: librdkafka itself repeats an unchanged error
/// only every 30 s.
const LAST_ERROR_MEMORY: Duration = Duration::from_secs(30);

pub(super) fn config_error(role: &str, error: &rdkafka::error::KafkaError) -> KafkaError {
    use rdkafka::error::KafkaError as Native;
    let text = match error {
        Native::ClientConfig(_, description, name, value) => {
            format!("{role}: -X {name}={value}: {description}; see librdkafka's CONFIGURATION.md")
        }
        Native::ClientCreation(text) => format!("{role}: {text}; check the -X properties"),
        other => format!("{role}: {other}"),
    };
    KafkaError::Config { text }
}

impl Drop for NativeClient {
    fn drop(&mut self) {
        if !self.abandoned.load(Ordering::Relaxed) {
            // SAFETY: `drop` runs once, after the last handle, and `client` is not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.client) };
        }
    }
}

/// A queue of events or records.
pub(super) struct Queue {
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
    pub(super) fn new(client: &Arc<NativeClient>) -> Self {
        // SAFETY: the client is alive; the returned reference is ours.
        let ptr = unsafe { rd::rd_kafka_queue_new(client.ptr()) };
        Self::wrap(client, ptr).expect("rd_kafka_queue_new aborts rather than returning null")
    }

    /// The client's main queue: log lines, errors, delivery reports.
    pub(super) fn main(client: &Arc<NativeClient>) -> Self {
        // SAFETY: the client is alive; the returned reference is ours.
        let ptr = unsafe { rd::rd_kafka_queue_get_main(client.ptr()) };
        Self::wrap(client, ptr).expect("every client has a main queue")
    }

    /// The consumer group's queue; the main queue is redirected to it first.
    pub(super) fn group(client: &Arc<NativeClient>) -> Result<Self, KafkaError> {
        // SAFETY: the client is alive and a consumer.
        check("open the group queue", unsafe { rd::rd_kafka_poll_set_consumer(client.ptr()) })?;
        // SAFETY: the client is alive; the returned reference is ours.
        let ptr = unsafe { rd::rd_kafka_queue_get_consumer(client.ptr()) };
        Ok(Self::wrap(client, ptr).expect("a consumer with a group.id has a group queue"))
    }

    /// Where the fetched records of a partition arrive.
    pub(super) fn of_partition(client: &Arc<NativeClient>, topic: &CStr, partition: i32) -> Self {
        // SAFETY: client and name are alive; the partition is created when it is not known yet.
        let ptr =
            unsafe { rd::rd_kafka_queue_get_partition(client.ptr(), topic.as_ptr(), partition) };
        Self::wrap(client, ptr).expect("a consumer makes the queue of any partition")
    }

    /// Sends everything in this queue, now and later, to `target`.
    pub(super) fn forward_to(&self, target: &Self) {
        // SAFETY: both queues are alive; librdkafka takes a reference of its own to the target.
        unsafe { rd::rd_kafka_queue_forward(self.ptr(), target.ptr()) };
    }

    pub(super) fn ptr(&self) -> *mut rd::rd_kafka_queue_t {
        self.ptr.as_ptr()
    }

    /// The next event, waiting up to `timeout` for one.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the returned event is ours.
        let event = unsafe { rd::rd_kafka_queue_poll(self.ptr(), millis(timeout)) };
        Some(Event { ptr: NonNull::new(event)?, _client: Arc::clone(&self.client) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: this is our one reference; the client outlives it through `self.client`.
        unsafe { rd::rd_kafka_queue_destroy(self.ptr()) };
    }
}

/// One event taken from a queue.
pub(super) struct Event {
    ptr: NonNull<rd::rd_kafka_event_t>,
    _client: Arc<NativeClient>,
}

impl Event {
    pub(super) fn ptr(&self) -> *mut rd::rd_kafka_event_t {
        self.ptr.as_ptr()
    }

    /// One of `RD_KAFKA_EVENT_…`.
    pub(super) fn kind(&self) -> c_int {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_type(self.ptr()) }
    }

    /// librdkafka's code; 0 is none.
    pub(super) fn error_code(&self) -> i32 {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_error(self.ptr()) as i32 }
    }

    pub(super) fn error_text(&self) -> String {
        // SAFETY: the event is alive, and the string lives as long as it.
        unsafe { owned_text(rd::rd_kafka_event_error_string(self.ptr())) }
    }

    pub(super) fn is_fatal(&self) -> bool {
        // SAFETY: the event is alive.
        unsafe { rd::rd_kafka_event_error_is_fatal(self.ptr()) != 0 }
    }

    /// Partition and offset that an error event is about.
    pub(super) fn partition_and_offset(&self) -> Option<(i32, i64)> {
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
    pub(super) fn partitions(&self) -> Vec<PartitionEntry> {
        // SAFETY: the event is alive, and so is the list inside it.
        unsafe { entries(rd::rd_kafka_event_topic_partition_list(self.ptr())) }
    }

    /// Hands log lines and statistics to `context`. False: the event is of another kind.
    pub(super) fn serve_log(&self, context: &Context) -> bool {
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

/// A topic of one client: saves looking its name up on every send.
pub(super) struct Topic {
    ptr: NonNull<rd::rd_kafka_topic_t>,
    _client: Arc<NativeClient>,
}

// SAFETY: librdkafka's topics are locked inside and may be used from any thread.
unsafe impl Send for Topic {}

impl Topic {
    /// # Errors
    /// `Config` for an impossible name.
    pub(super) fn new(client: &Arc<NativeClient>, name: &str) -> Result<Self, KafkaError> {
        let c_name = c_string("topic", name)?;
        // SAFETY: client and name are alive; no configuration means the client's defaults.
        let ptr = unsafe { rd::rd_kafka_topic_new(client.ptr(), c_name.as_ptr(), ptr::null_mut()) };
        let Some(ptr) = NonNull::new(ptr) else {
            // SAFETY: reads this thread's last error.
            let code = unsafe { rd::rd_kafka_last_error() };
            return Err(KafkaError::Config {
                text: format!("topic {name:?}: {}; choose another name", error_text(code as i32)),
            });
        };
        Ok(Self { ptr, _client: Arc::clone(client) })
    }

    pub(super) fn ptr(&self) -> *mut rd::rd_kafka_topic_t {
        self.ptr.as_ptr()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: this is our one reference; the client outlives it through `_client`.
        unsafe { rd::rd_kafka_topic_destroy(self.ptr()) };
    }
}
