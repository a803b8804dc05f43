//! Finds out whether a position cannot be read, and where reading can go on. Owned by the source
//! thread, one step per turn of its loop.
//!
//! In:  a partition's position, findings of probes. Out: a verdict.
//! Holds: a batch counts as unreadable after `UNREADABLE_ATTEMPTS` readings of new clients have
//! failed alike; what is skipped ends at the first offset at which a reading does not fail alike.
//! Before that counts, the position is read once more. Where nothing but the size of an answer, or
//! the brokers' own error, tells two batches apart, such batches close together count as one, with
//! what lies between them.

use std::time::Instant;

use super::{
    extent::Extent,
    probe::{Finding, Probe},
};
use crate::{
    client::{Client, Questions, RecordConsumer},
    ids::{Offset, PartitionId},
    kafka::{ConsumerSettings, KafkaError},
    limits,
};

/// How two failures are known to be of the same batch.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Likeness {
    /// librdkafka names the batch by its first offset (a batch of Kafka 0.10 by its last).
    Batch(i64),
    /// The answer that holds only this batch has this size.
    AnswerSize(String),
    /// The broker names only the offset that was asked for.
    None,
}

impl Likeness {
    fn of(error: &KafkaError) -> Self {
        match error {
            KafkaError::Unreadable { offset, .. } if error.is_of_the_client() => {
                Self::Batch(*offset)
            }
            KafkaError::AnswerTooLarge { text } => {
                let rest = text.split_once(" size ").map_or("", |(_, rest)| rest);
                Self::AnswerSize(rest.split(' ').next().unwrap_or_default().to_owned())
            }
            _ => Self::None,
        }
    }
}

/// A probe under way.
#[derive(Debug)]
struct Reading<R> {
    offset: Offset,
    since: Instant,
    probe: Probe<R>,
}

/// A search under way.
#[derive(Debug)]
pub(super) struct Search<R> {
    pub(super) partition: PartitionId,
    /// The position that is in question.
    pub(super) at: Offset,
    reading: Option<Reading<R>>,
    /// When the next probe begins.
    next_try: Instant,
    /// Readings at the position that have failed.
    failed: u32,
    failure: Option<KafkaError>,
    /// How far it reaches, once that is asked.
    extent: Option<Extent>,
    /// Whether anything could be read behind it.
    read_behind: bool,
    /// How often the question has found nothing at all.
    silences: u32,
    /// Whether the position has to be read before the next question.
    check_first: bool,
    /// Whether the position was read again after the last question.
    confirmed: bool,
}

/// What a search has found out.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The position can be read.
    Readable,
    /// It cannot.
    Unreadable(KafkaError),
    /// It cannot, and reading may go on at `until`.
    Gap {
        /// What is wrong with it.
        error: KafkaError,
        /// Where it ends.
        until: Offset,
    },
    /// It cannot, and `until` is further away than one batch reaches.
    TooLong {
        /// What is wrong with it.
        error: KafkaError,
        /// Where it ends.
        until: Offset,
    },
}

impl<R: RecordConsumer> Search<R> {
    pub(super) fn new(partition: PartitionId, at: Offset, now: Instant) -> Self {
        Self {
            partition,
            at,
            reading: None,
            next_try: now,
            failed: 0,
            failure: None,
            extent: None,
            read_behind: false,
            silences: 0,
            check_first: false,
            confirmed: false,
        }
    }

    /// One step. `measure`: find the end of what cannot be read, too.
    pub(super) fn step(
        &mut self,
        client: &impl Client<Consumer = R>,
        settings: &ConsumerSettings,
        admin: &impl Questions,
        measure: bool,
        now: Instant,
    ) -> Result<Option<Verdict>, KafkaError> {
        let Some(Reading { offset, since, probe }) = &mut self.reading else {
            return if now < self.next_try {
                Ok(None)
            } else {
                self.begin(client, settings, admin, now)
            };
        };
        let offset = *offset;
        let silent = now.saturating_duration_since(*since) >= limits::UNREADABLE_SILENCE;
        let failure = match probe.look()? {
            Some(Finding::Unreadable(error)) if self.is_alike(&error) => Some(error),
            Some(Finding::Unreadable(_) | Finding::Readable) => None,
            None if silent && offset != self.at && self.is_of_unknown_format() => {
                self.reading = None;
                self.fell_silent(offset);
                return Ok(None);
            }
            None => return Ok(None),
        };
        self.reading = None;
        if let Some(extent) = &mut self.extent {
            if offset == self.at {
                if failure.is_none() {
                    // It was an outage: nothing that was found counts.
                    *self = Self::new(self.partition, self.at, now);
                    return Ok(None);
                }
                self.check_first = false;
                self.confirmed = extent.question().is_none();
                return Ok(None);
            }
            self.read_behind |= failure.is_none();
            self.silences = 0;
            extent.answer(offset, failure.is_some());
            return Ok(None);
        }
        let Some(error) = failure else { return Ok(Some(Verdict::Readable)) };
        self.failed += 1;
        self.next_try = now + limits::UNREADABLE_RETRY_PAUSE;
        self.failure = Some(error.clone());
        let settled = self.failed >= limits::UNREADABLE_ATTEMPTS && !measure;
        Ok(settled.then_some(Verdict::Unreadable(error)))
    }

    /// Inside of a batch of unknown format nothing is heard, and neither is while a broker is away:
    /// two silences count, with an answer at the position between them.
    fn fell_silent(&mut self, offset: Offset) {
        self.silences += 1;
        if self.silences < 2 {
            self.check_first = true;
        } else if let Some(extent) = &mut self.extent {
            self.silences = 0;
            extent.answer(offset, true);
        }
    }

    /// librdkafka says so at the batch's first offset only; at the others it reads on and on.
    fn is_of_unknown_format(&self) -> bool {
        let text = |error: &KafkaError| error.to_string().contains(MAGIC);
        self.failure.as_ref().is_some_and(text)
    }

    fn is_alike(&self, error: &KafkaError) -> bool {
        self.failure.as_ref().is_none_or(|first| Likeness::of(first) == Likeness::of(error))
    }

    /// Begins the next reading, or tells what all of them have found.
    fn begin(
        &mut self,
        client: &impl Client<Consumer = R>,
        settings: &ConsumerSettings,
        admin: &impl Questions,
        now: Instant,
    ) -> Result<Option<Verdict>, KafkaError> {
        if self.failed >= limits::UNREADABLE_ATTEMPTS && self.extent.is_none() {
            self.extent = self.measure(settings, admin, now);
            if self.extent.is_none() {
                return Ok(None);
            }
        }
        let next = match &self.extent {
            Some(extent) if !self.check_first => {
                extent.question().or((!self.confirmed).then_some(self.at))
            }
            _ => Some(self.at),
        };
        if let Some(offset) = next {
            let probe = Probe::new(client, settings, self.partition, offset)?;
            self.reading = Some(Reading { offset, since: now, probe });
            return Ok(None);
        }
        let until = self.extent.as_ref().expect("there are no more questions").until();
        let error = self.failure.clone().expect("a reading has failed");
        if Likeness::of(&error) == Likeness::None {
            if !self.read_behind {
                // That the broker can read nothing at all proves nothing about one batch.
                *self = Self::new(self.partition, self.at, now + limits::PROBE_RETRY_PAUSE);
                return Ok(None);
            }
            if until.0 - self.at.0 > limits::UNREADABLE_MOST_OFFSETS {
                return Ok(Some(Verdict::TooLong { error, until }));
            }
        }
        Ok(Some(Verdict::Gap { error, until }))
    }

    /// The end of the log is asked for once; while no broker answers, later again.
    fn measure(
        &mut self,
        settings: &ConsumerSettings,
        admin: &impl Questions,
        now: Instant,
    ) -> Option<Extent> {
        let asked = admin.ends(&settings.topic, &[self.partition], limits::PROBE_TIMEOUT);
        let end = asked.ok().and_then(|ends| ends.first().map(|(_, end)| *end));
        if end.is_none() {
            self.next_try = now + limits::PROBE_RETRY_PAUSE;
        }
        end.map(|end| Extent::new(self.at, end))
    }
}

/// What the operator is told: what is wrong there, and which setting may help.
pub(super) fn explain(error: &KafkaError, receive_limit: usize) -> String {
    let raise =
        format!("raise -X receive.message.max.bytes={receive_limit}, and the memory limit with it");
    let remedy = match error {
        KafkaError::AnswerTooLarge { .. } => raise,
        KafkaError::Unreadable { code, text, .. } => match code.name().as_str() {
            "MSG_SIZE_TOO_LARGE" => raise,
            "_BAD_COMPRESSION" if text.contains(ZSTD) => format!(
                "a zstd batch is read while three times its unpacked size is below \
                 receive.message.max.bytes: {raise}; if that does not help, it is damaged"
            ),
            "_CRIT_SYS_RESOURCE" => "there is no memory to unpack it: add some".to_owned(),
            "_NOT_IMPLEMENTED" => {
                let version = crate::kafka::librdkafka_version();
                format!("librdkafka {version} does not know its format or its codec")
            }
            name if name.starts_with('_') => {
                "its bytes are damaged: no setting makes them readable".to_owned()
            }
            _ => "the broker cannot read it: see its log".to_owned(),
        },
        other => other.to_string(),
    };
    format!("{error}; {remedy}")
}

/// How librdkafka's text names a format that it does not know.
const MAGIC: &str = "MagicByte";

/// How librdkafka names the codec in its text.
const ZSTD: &str = "(codec 0x4)";
