//! A client without group or records, and how a question is asked of it.
//!
//! In:  a request. Out: the brokers' answer within a timeout, or the error that is behind its
//! absence. Used by whoever owns the client, one question at a time.
//! Holds: asking for a topic never creates it; a question to a coordinator is never given up by
//! librdkafka.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{ClientConfig, bindings as rd, types::RDKafkaType};

use crate::{
    kafka::native::{
        ClientSettings, Event, KafkaError, NativeClient, QUESTION, Queue, Refusal, Topic,
        is_broker_away, read_metadata,
    },
    limits::ADMIN_SERVE_EVENTS,
};

/// A client without group or records.
pub struct Admin {
    config: ClientConfig,
    role: &'static str,
    refusal: Cell<Option<Refusal>>,
    native: RefCell<Native>,
}

/// What librdkafka has of a client.
struct Native {
    // NOTE: dropped in this order; the client goes last, with its last handle.
    events: Queue,
    client: Arc<NativeClient>,
}

impl Native {
    fn new(config: &ClientConfig, role: &'static str) -> Result<Self, KafkaError> {
        // A consumer, because a producer's metadata request creates topics that are missing.
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        let events = rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_STATS;
        let client = NativeClient::new(config, kind, events, role)?;
        Ok(Self { events: Queue::main(&client), client })
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    /// # Errors
    /// `Config` when a property is protected or refused by librdkafka.
    pub fn new(settings: &ClientSettings) -> Result<Self, KafkaError> {
        Self::made(settings, "admin", &[])
    }

    /// One whose `log_ends` are those of all records, in transactions that are open or not.
    ///
    /// # Errors
    /// As `new`.
    pub fn read_uncommitted(settings: &ClientSettings) -> Result<Self, KafkaError> {
        Self::made(settings, "admin", &[("isolation.level", "read_uncommitted".into())])
    }

    /// One for a question about the brokers: its own errors are no log lines.
    ///
    /// # Errors
    /// As `new`.
    pub fn for_question(settings: &ClientSettings) -> Result<Self, KafkaError> {
        Self::made(settings, QUESTION, &[])
    }

    /// As `for_question`, with librdkafka's statistics among its events.
    pub(super) fn with_statistics(
        settings: &ClientSettings,
        interval: Duration,
    ) -> Result<Self, KafkaError> {
        let interval = interval.as_millis().to_string();
        Self::made(settings, QUESTION, &[("statistics.interval.ms", interval)])
    }

    fn made(
        settings: &ClientSettings,
        role: &'static str,
        more: &[(&str, String)],
    ) -> Result<Self, KafkaError> {
        let config = settings.to_question_config(more)?;
        let native = RefCell::new(Native::new(&config, role)?);
        Ok(Self { config, role, refusal: Cell::new(None), native })
    }

    /// For how long brokers have refused this client although they answer, why, and the remedy.
    pub fn refused(&self) -> Option<(Duration, String)> {
        let refusal = self.refusal.take();
        self.refusal.set(refusal.clone());
        refusal.map(|refusal| refusal.explain(Instant::now()))
    }

    /// Sends a request and waits for its answer.
    pub(super) fn ask(
        &self,
        operation: &'static str,
        timeout: Duration,
        send: impl FnOnce(*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        let answer = self.answer(timeout, send);
        checked(operation, answer.ok_or_else(|| self.client().timeout(operation, timeout))?)
    }

    /// As `ask`, for a question to the coordinator of a group.
    ///
    /// NOTE: a question that librdkafka itself gives up before it could be sent aborts the process
    /// as soon as the coordinator can be reached (confluentinc/librdkafka#4605), and one that the
    /// coordinator has refused three times waits until a broker comes or goes. So librdkafka may
    /// take as long as it likes, which `Options::of_coordinator` sets, and who was not answered in
    /// time goes on with another client.
    pub(super) fn ask_coordinator(
        &self,
        operation: &'static str,
        timeout: Duration,
        send: impl FnOnce(*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        if let Some(answer) = self.answer(timeout, send) {
            return checked(operation, answer);
        }
        let error = self.client().timeout(operation, timeout);
        *self.native.borrow_mut() = Native::new(&self.config, self.role)?;
        Err(error)
    }

    fn answer(
        &self,
        timeout: Duration,
        send: impl FnOnce(*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t),
    ) -> Option<Event> {
        let client = self.client();
        let answers = Queue::new(&client);
        send(client.ptr(), answers.ptr());
        let answer = answers.poll(timeout);
        self.serve_events();
        answer
    }

    /// Asks a broker for the metadata of one topic, or of none.
    pub(super) fn read_metadata<T>(
        &self,
        topic: Option<&str>,
        timeout: Duration,
        read: impl FnOnce(&rd::rd_kafka_metadata) -> T,
    ) -> Result<T, KafkaError> {
        let client = self.client();
        let native = topic.map(|name| Topic::new(&client, name)).transpose()?;
        read_metadata(&client, native.as_ref(), timeout, read)
    }

    pub(super) fn client(&self) -> Arc<NativeClient> {
        Arc::clone(&self.native.borrow().client)
    }

    /// The next event, waiting up to `timeout` for one.
    pub(super) fn next_event(&self, timeout: Duration) -> Option<Event> {
        self.native.borrow().events.poll(timeout)
    }

    /// Serves log lines and errors, so that a timeout can say what is behind it.
    pub(super) fn serve_events(&self) {
        for _ in 0..ADMIN_SERVE_EVENTS {
            let Some(event) = self.next_event(Duration::ZERO) else { return };
            self.serve_event(&event);
        }
    }

    pub(super) fn serve_event(&self, event: &Event) {
        let client = self.client();
        let context = client.context();
        let is_error = event.kind() == rd::RD_KAFKA_EVENT_ERROR;
        if !event.serve_log(context) && is_error && is_broker_away(event.error_code()) {
            let text = event.error_text();
            let before = self.refusal.take();
            let refusal = Refusal::next(before, event.error_code(), &text, Instant::now());
            self.refusal.set(refusal);
            context.broker_away(&text);
        }
    }

    /// A timeout with all the time that was `waited`, and the error that arrived meanwhile.
    pub(super) fn explained(&self, error: KafkaError, waited: Duration) -> KafkaError {
        self.serve_events();
        match error {
            KafkaError::Timeout { operation, .. } => self.client().timeout(operation, waited),
            other => other,
        }
    }
}

fn checked(operation: &'static str, answer: Event) -> Result<Event, KafkaError> {
    match answer.error_code() {
        0 => Ok(answer),
        code => Err(KafkaError::from_code(operation, code, answer.error_text())),
    }
}
