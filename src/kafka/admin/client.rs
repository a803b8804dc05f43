//! A client without group or records, and how a question is asked of it.
//!
//! In:  a request. Out: the brokers' answer within a timeout, or the error that is behind its
//! absence. Used by whoever owns the client, one question at a time.
//! Holds: asking for a topic never creates it; a coordinator has one question at most.

use std::{
    cell::{Cell, RefCell},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{bindings as rd, types::RDKafkaType};

use crate::{
    kafka::native::{
        ClientSettings, Event, KafkaError, NativeClient, QUESTION, Queue, Refusal, Topic,
        is_broker_away, read_metadata,
    },
    limits::ADMIN_SERVE_EVENTS,
};

/// A client without group or records.
pub struct Admin {
    refusal: Cell<Option<Refusal>>,
    /// Where the answer of a coordinator arrives that was not waited for long enough.
    unanswered: RefCell<Option<Queue>>,
    // NOTE: dropped in this order; the client goes last, with its last handle.
    events: Queue,
    client: Arc<NativeClient>,
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
        // A consumer, because a producer's metadata request creates topics that are missing.
        let kind = RDKafkaType::RD_KAFKA_CONSUMER;
        let events = rd::RD_KAFKA_EVENT_ERROR | rd::RD_KAFKA_EVENT_STATS;
        let client = NativeClient::new(&config, kind, events, role)?;
        let (refusal, unanswered) = (Cell::new(None), RefCell::new(None));
        Ok(Self { refusal, unanswered, events: Queue::main(&client), client })
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
        let answers = Queue::new(&self.client);
        send(self.client.ptr(), answers.ptr());
        let answer = answers.poll(timeout);
        self.serve_events();
        checked(operation, answer.ok_or_else(|| self.client.timeout(operation, timeout))?)
    }

    /// As `ask`, for a question to the coordinator of a group.
    ///
    /// NOTE: a question that librdkafka gives up before it could be sent aborts the process as soon
    /// as the coordinator can be reached (confluentinc/librdkafka#4605). So its own timeout, which
    /// `Options::of_coordinator` sets, is as long as it can be; here the wait ends earlier. The
    /// question stays, and the next one is sent only after it was answered: an answer may be older
    /// than the question that it would be taken for.
    pub(super) fn ask_coordinator(
        &self,
        operation: &'static str,
        timeout: Duration,
        send: impl FnOnce(*mut rd::rd_kafka_t, *mut rd::rd_kafka_queue_t),
    ) -> Result<Event, KafkaError> {
        let began = Instant::now();
        let mut unanswered = self.unanswered.borrow_mut();
        if let Some(former) = &*unanswered
            && former.poll(timeout).is_none()
        {
            self.serve_events();
            return Err(self.client.timeout(operation, timeout));
        }
        *unanswered = None;
        let answers = Queue::new(&self.client);
        send(self.client.ptr(), answers.ptr());
        let answer = answers.poll(timeout.saturating_sub(began.elapsed()));
        self.serve_events();
        let Some(answer) = answer else {
            *unanswered = Some(answers);
            return Err(self.client.timeout(operation, timeout));
        };
        checked(operation, answer)
    }

    /// Asks a broker for the metadata of one topic, or of none.
    pub(super) fn read_metadata<T>(
        &self,
        topic: Option<&str>,
        timeout: Duration,
        read: impl FnOnce(&rd::rd_kafka_metadata) -> T,
    ) -> Result<T, KafkaError> {
        let native = topic.map(|name| Topic::new(&self.client, name)).transpose()?;
        read_metadata(&self.client, native.as_ref(), timeout, read)
    }

    pub(super) fn client(&self) -> &Arc<NativeClient> {
        &self.client
    }

    /// The next event, waiting up to `timeout` for one.
    pub(super) fn next_event(&self, timeout: Duration) -> Option<Event> {
        self.events.poll(timeout)
    }

    /// Serves log lines and errors, so that a timeout can say what is behind it.
    pub(super) fn serve_events(&self) {
        for _ in 0..ADMIN_SERVE_EVENTS {
            let Some(event) = self.events.poll(Duration::ZERO) else { return };
            self.serve_event(&event);
        }
    }

    pub(super) fn serve_event(&self, event: &Event) {
        let context = self.client.context();
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
            KafkaError::Timeout { operation, .. } => self.client.timeout(operation, waited),
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
