//! The one producer. Owned by the sink thread.
//!
//! In: runs of records for one topic partition, or single records with headers. Out: how many were
//! taken, which can never be sent, and later what was delivered and what was not.
//! Holds: librdkafka copies every record, so nothing is borrowed after a call; a run is taken from
//! the front without gaps, in order; the partition is always explicit in runs. Reports give the
//! memory of delivered records back in this thread, which also took it.

use std::{
    cell::RefCell,
    ffi::{c_int, c_void},
    fmt, ptr,
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    bindings::{self as rd, rd_kafka_vtype_t as arg},
    types::{RDKafkaRespErr, RDKafkaType},
};

use super::{
    delivery::DeliveryFailures,
    headers::native_headers,
    progress::Mark,
    records::{OPERATION, OutRecord, SendError, SendOutcome},
    reports::Reports,
    run::{EMPTY_MESSAGE, message_of, send_run},
    transactions::Transactions,
    uncounted::Uncounted,
};
use crate::{
    headers::HeaderBlock,
    ids::PartitionId,
    kafka::native::{KafkaError, NativeClient, ProducerSettings, Topic, check, read_metadata},
    limits::{PRODUCED_HEADER_BYTES, PRODUCER_RUN_RECORDS},
};

/// `RD_KAFKA_PARTITION_UA`: librdkafka chooses the partition.
const ANY_PARTITION: i32 = -1;
/// The property that names the codec of all topics.
const COMPRESSION: &str = "compression.codec";
/// The shortest wait that librdkafka knows.
const HURRY_MS: c_int = 1;

/// A topic of one producer, for its sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicHandle(usize);

/// The one producer. See the module's head.
pub struct Producer {
    // NOTE: dropped in this order; the client goes last, with its last handle.
    topics: Vec<(String, Topic)>,
    reports: Reports,
    client: Arc<NativeClient>,
    uncounted: RefCell<Uncounted<Mark>>,
    /// Whether the user has chosen a codec.
    has_codec: bool,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.topics.iter().map(|(name, _)| name).collect();
        f.debug_struct("Producer").field("topics", &names).finish_non_exhaustive()
    }
}

impl Producer {
    /// Fails with `Config` when a property is protected or refused by librdkafka.
    pub fn new(settings: &ProducerSettings) -> Result<Self, KafkaError> {
        let config = settings.to_config()?;
        let events = rd::RD_KAFKA_EVENT_DR | rd::RD_KAFKA_EVENT_STATS | rd::RD_KAFKA_EVENT_ERROR;
        let kind = RDKafkaType::RD_KAFKA_PRODUCER;
        let client = NativeClient::new(&config, kind, events, "producer")?;
        Ok(Self {
            topics: Vec::new(),
            reports: Reports::of(&client),
            client,
            uncounted: RefCell::default(),
            has_codec: settings.client.has(COMPRESSION),
        })
    }

    /// The handle of a topic; the same one for the same name.
    /// Fails with `Config` for an impossible name. Whether the topic exists is not asked.
    pub fn topic(&mut self, name: &str) -> Result<TopicHandle, KafkaError> {
        self.topic_made_by(name, Topic::new)
    }

    /// As `topic`, and its records are compressed by zstd, unless the user has chosen a codec.
    /// It is the first handle of this name.
    pub fn compressed_topic(&mut self, name: &str) -> Result<TopicHandle, KafkaError> {
        if self.has_codec {
            return self.topic(name);
        }
        self.topic_made_by(name, |client, name| Topic::compressed(client, name, "zstd"))
    }

    fn topic_made_by(
        &mut self,
        name: &str,
        make: impl FnOnce(&Arc<NativeClient>, &str) -> Result<Topic, KafkaError>,
    ) -> Result<TopicHandle, KafkaError> {
        if let Some(index) = self.topics.iter().position(|(known, _)| known == name) {
            return Ok(TopicHandle(index));
        }
        let topic = make(&self.client, name)?;
        self.reports.add_topic(&topic);
        self.topics.push((name.to_owned(), topic));
        Ok(TopicHandle(self.topics.len() - 1))
    }

    fn native_topic(&self, topic: TopicHandle) -> &Topic {
        &self.topics.get(topic.0).expect("a handle is used with the producer that made it").1
    }

    /// Asks a broker how many partitions the topic has: records for one that librdkafka has not
    /// heard of are refused, and by itself it asks every few minutes.
    /// Fails with `Timeout` or `Retriable` while no broker is reachable.
    pub fn learn_partitions(
        &self,
        topic: &TopicHandle,
        timeout: Duration,
    ) -> Result<(), KafkaError> {
        let native = self.native_topic(*topic);
        read_metadata(&self.client, Some(native), timeout, |_| ())
    }

    /// Offers a run of records for one partition. Never blocks.
    pub fn send_batch<'a>(
        &self,
        topic: &TopicHandle,
        partition: PartitionId,
        records: impl IntoIterator<Item = OutRecord<'a>>,
    ) -> SendOutcome {
        let native = self.native_topic(*topic);
        let mut outcome = SendOutcome::default();
        #[expect(
            clippy::large_stack_arrays,
            reason = "36 KiB of the sink's 2 MiB stack, and no allocation per run"
        )]
        let mut run = [EMPTY_MESSAGE; PRODUCER_RUN_RECORDS];
        let mut records = records.into_iter();
        loop {
            let (mut filled, mut apart) = (0, None);
            for (slot, record) in run.iter_mut().zip(records.by_ref()) {
                if !record.headers.is_empty() {
                    apart = Some(record);
                    break;
                }
                *slot = message_of(&record);
                filled += 1;
            }
            let is_last = apart.is_none() && filled < PRODUCER_RUN_RECORDS;
            if let Some(run) = run.get_mut(..filled).filter(|run| !run.is_empty()) {
                let before = outcome.accepted;
                let goes_on = send_run(native, partition, run, &mut outcome);
                let accepted = outcome.accepted - before;
                self.reports.accepted(topic.0, partition, accepted);
                if !goes_on {
                    return outcome;
                }
            }
            if let Some(record) = apart
                && !self.send_apart(*topic, partition, &record, &mut outcome)
            {
                return outcome;
            }
            if is_last {
                return outcome;
            }
        }
    }

    /// Sends a record of a run that has headers. False: the next one is not to be sent.
    fn send_apart(
        &self,
        topic: TopicHandle,
        partition: PartitionId,
        &OutRecord { key, value, headers }: &OutRecord<'_>,
        outcome: &mut SendOutcome,
    ) -> bool {
        match self.send_with_headers(&topic, Some(partition), Some(key), Some(value), headers) {
            Ok(()) => {
                outcome.accepted += 1;
                true
            }
            Err(SendError::Full) => {
                outcome.full = true;
                false
            }
            Err(SendError::Refused(error)) => {
                let only_this_record = error.is_refused();
                outcome.refused.push((outcome.settled(), error));
                only_this_record
            }
        }
    }

    /// Offers one record with headers. Without a partition librdkafka chooses it by the key, as
    /// Java clients do, or at random without a key. Never blocks.
    pub fn send_with_headers(
        &self,
        topic: &TopicHandle,
        partition: Option<PartitionId>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: HeaderBlock<'_>,
    ) -> Result<(), SendError> {
        if !self.has_room_for_uncounted() {
            return Err(SendError::Full);
        }
        let uncounted = key.map_or(0, <[u8]>::len)
            + headers.as_bytes().len()
            + PRODUCED_HEADER_BYTES * headers.iter().count();
        let (key, key_len) = raw(key);
        let (value, value_len) = raw(value);
        // SAFETY: topic, key, value and headers are alive through the call, and the list of
        // arguments has for each tag the types that rdkafka.h names, up to END. librdkafka copies
        // key and value, and takes the headers over when it succeeds.
        let code = unsafe {
            let native_headers = native_headers(headers);
            let code = rd::rd_kafka_producev(
                self.client.ptr(),
                arg::RD_KAFKA_VTYPE_RKT,
                self.native_topic(*topic).ptr(),
                arg::RD_KAFKA_VTYPE_PARTITION,
                partition.map_or(ANY_PARTITION, |id| id.0),
                arg::RD_KAFKA_VTYPE_MSGFLAGS,
                rd::RD_KAFKA_MSG_F_COPY,
                arg::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                arg::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                arg::RD_KAFKA_VTYPE_HEADERS,
                native_headers,
                arg::RD_KAFKA_VTYPE_END,
            );
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                rd::rd_kafka_headers_destroy(native_headers);
            }
            code
        };
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                if let Some(partition) = partition {
                    self.reports.accepted(topic.0, partition, 1);
                    self.uncounted.borrow_mut().add(uncounted);
                }
                Ok(())
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL => Err(SendError::Full),
            code => Err(SendError::Refused(KafkaError::from_native(OPERATION, code))),
        }
    }

    /// Whether librdkafka may hold more keys and headers, which its own limit does not count.
    fn has_room_for_uncounted(&self) -> bool {
        let reports = &self.reports;
        let mut uncounted = self.uncounted.borrow_mut();
        let is_delivered = |mark: &Mark| reports.have_delivered(mark) || reports.in_flight() == 0;
        uncounted.has_room(is_delivered, || reports.mark(0..self.topics.len()))
    }

    /// Remembers what was accepted so far for these topics' partitions. Records whose partition
    /// librdkafka chose do not count.
    pub fn mark(&self, topics: &[TopicHandle]) -> Mark {
        self.reports.mark(topics.iter().map(|topic| topic.0))
    }

    /// Whether all that the mark counts was delivered, whatever was accepted later.
    pub fn has_delivered(&self, mark: &Mark) -> bool {
        self.reports.have_delivered(mark)
    }

    /// Lets records that wait for others to share their request go now. Blocks until all are
    /// delivered, at most a millisecond: librdkafka's threads see the wish only meanwhile.
    pub fn hurry(&self) {
        // SAFETY: the client is alive.
        let code = unsafe { rd::rd_kafka_flush(self.client.ptr(), HURRY_MS) };
        // Not all delivered is no failure: what is not is reported by `poll`.
        debug_assert!(matches!(
            code,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
                | RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT
        ));
    }

    /// Serves reports, errors and log lines; waits up to `timeout` for the first. Returns the
    /// number of their records.
    pub fn poll(&self, timeout: Duration) -> usize {
        self.reports.poll(timeout)
    }

    /// Records that are neither delivered nor reported yet, and events that `poll` has to serve.
    pub fn in_flight(&self) -> usize {
        self.reports.in_flight()
    }

    /// The failures since the last call; `poll` collects them.
    pub fn take_delivery_failures(&self) -> DeliveryFailures {
        self.reports.take_failures()
    }

    /// The calls that begin and end a transaction.
    pub fn transactions(&self) -> Transactions<'_> {
        Transactions::of(&self.reports)
    }

    /// The error after which this producer sends nothing more, if there was one.
    pub fn fatal_error(&self) -> Option<KafkaError> {
        self.client.fatal_error()
    }

    /// Throws away all records that wait or are in flight; whether the latter were delivered is
    /// then unknown. Their reports arrive through `poll` and count as purged.
    pub fn purge(&self) {
        let flags = rd::RD_KAFKA_PURGE_F_QUEUE | rd::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is alive.
        let result = check("purge", unsafe { rd::rd_kafka_purge(self.client.ptr(), flags) });
        result.expect("purging fails only for consumers and unknown flags");
    }
}

fn raw(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

#[cfg(test)]
mod tests;
