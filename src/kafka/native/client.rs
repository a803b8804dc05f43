//! One client of librdkafka: the handle that all others keep alive.
//!
//! In: a configuration. Out: the client's pointer, its fatal error, the errors of its calls.
//! Holds: `rd_kafka_destroy` runs once, after the last handle that shares the client; it never runs
//! for a client that was abandoned.

use std::{
    ffi::c_int,
    mem::ManuallyDrop,
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
    log::Context,
};

/// One librdkafka client.
pub(in crate::kafka) struct NativeClient {
    client: ManuallyDrop<Client<Context>>,
    /// Set when an orderly close took too long: the destructor would wait for it all the same.
    abandoned: AtomicBool,
}

impl NativeClient {
    /// Creates a client that reports `events` (a set of `RD_KAFKA_EVENT_…`) on its queues.
    ///
    /// # Errors
    /// `Config` when librdkafka refuses a property.
    pub(in crate::kafka) fn new(
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

    pub(in crate::kafka) fn ptr(&self) -> *mut rd::rd_kafka_t {
        self.client.native_ptr()
    }

    pub(in crate::kafka) fn context(&self) -> &Context {
        self.client.context()
    }

    /// The first fatal error of this client, if there was one.
    pub(in crate::kafka) fn fatal_error(&self) -> Option<KafkaError> {
        let (code, text) = self.client.fatal_error()?;
        let code = code as i32;
        Some(match KafkaError::from_code("client", code, text.clone()) {
            fenced @ KafkaError::Fenced { .. } => fenced,
            _ => KafkaError::Fatal { operation: "client", code: ErrorCode(code), text },
        })
    }

    /// A failed question to the broker, with the error behind it when nobody answered.
    pub(in crate::kafka) fn query_error(
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
    pub(in crate::kafka) fn timeout(
        &self,
        operation: &'static str,
        waited: Duration,
    ) -> KafkaError {
        let text = self.context().last_error_within(waited.max(LAST_ERROR_MEMORY));
        KafkaError::Timeout { operation, waited, text }
    }

    /// Leaves the client to the end of the process instead of destroying it: a commit that waits
    /// for an absent coordinator holds up the destructor for a whole session timeout.
    pub(in crate::kafka) fn abandon(&self) {
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
