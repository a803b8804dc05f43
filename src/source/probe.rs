//! Reads at one offset, with a client of its own. Owned by the source thread, which never waits
//! for it.
//!
//! In:  a partition and an offset. Out: whether what is there can be read.
//! Holds: it has no part in the group and commits nothing; it asks for one batch at a time; its
//! client is new, so it knows nothing of what librdkafka has met before.

use crate::{
    client::{Client, RecordConsumer, ScanEvent, ScanRange, ShortLog, TopicScan},
    ids::{Offset, PartitionId},
    kafka::{ConsumerSettings, Flow, KafkaError},
};

/// One reading.
#[derive(Debug)]
pub(super) struct Probe<R> {
    scan: TopicScan<R>,
}

/// What a reading finds.
#[derive(Debug)]
pub(super) enum Finding {
    /// A record, or the end of the log.
    Readable,
    /// An error that says what is wrong with the data.
    Unreadable(KafkaError),
}

impl<R: RecordConsumer> Probe<R> {
    /// Begins to read at an offset. `settings` are those of the consumer that cannot read there.
    pub(super) fn new(
        client: &impl Client<Consumer = R>,
        settings: &ConsumerSettings,
        partition: PartitionId,
        offset: Offset,
    ) -> Result<Self, KafkaError> {
        let mut settings = ConsumerSettings {
            instance_id: None,
            fetch_queue_kbytes: 1,
            // A long row of aborted batches would look as if nothing could be read.
            reads_uncommitted: true,
            ..settings.clone()
        };
        let same = settings.receive_limit().to_string();
        // A broker answers with one batch at least, however small the limits are.
        for name in ["message.max.bytes", "fetch.max.bytes", "fetch.message.max.bytes"] {
            settings.client.properties.push((name.to_owned(), "1000".to_owned()));
        }
        settings.client.properties.push(("receive.message.max.bytes".to_owned(), same));
        let range = ScanRange { partition, from: offset, until: Offset(i64::MAX) };
        let scan = TopicScan::begin(client.consumer(&settings)?, &[range], ShortLog::Ends)?;
        Ok(Self { scan })
    }

    /// What was found, without waiting for it. While brokers are away that is nothing.
    pub(super) fn look(&mut self) -> Result<Option<Finding>, KafkaError> {
        let mut finding = None;
        // The first finding counts: what librdkafka says after an error may be a consequence.
        self.scan.look(|event| {
            finding = found(event);
            if finding.is_some() { Flow::Stop } else { Flow::Continue }
        })?;
        Ok(finding)
    }
}

fn found(event: ScanEvent<'_>) -> Option<Finding> {
    match event {
        ScanEvent::Record(_) | ScanEvent::EndOfRange { .. } => Some(Finding::Readable),
        ScanEvent::Error(error) | ScanEvent::ClientError(error) => match error {
            KafkaError::Unreadable { .. } | KafkaError::AnswerTooLarge { .. } => {
                Some(Finding::Unreadable(error))
            }
            // The log was cut meanwhile: whoever reads on will see.
            KafkaError::OffsetOutOfRange { .. } => Some(Finding::Readable),
            _ => None,
        },
        ScanEvent::Turn { .. } => None,
    }
}
