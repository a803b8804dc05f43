//! Dead letters and late records: raw bytes with their origin in headers. Sink thread.
//!
//! In:  a batch of rejected records. Out: one record each to its side topic.
//! Holds: what does not fit the topic is cut, and a header says how long it was; nothing is left
//! out.

use super::{OutputSettings, connection::Handles};
use crate::{
    batch::{RejectBatch, RejectKind, RejectedRecord},
    ids::PartitionId,
    kafka::{KafkaError, Producer, REDRIVEN_HEADER, SendError, TopicHandle},
};

/// Length of the input record's value, where it was cut.
pub(crate) const VALUE_CUT: &str = "logintide.truncated_from";

/// Length of the input record's key, where it was cut.
pub(crate) const KEY_CUT: &str = "logintide.key_truncated_from";

/// Bytes of both headers, with lengths of any size.
const CUT_HEADERS_BYTES: usize = VALUE_CUT.len() + KEY_CUT.len() + 2 * 20;

/// Sends the rest of a batch. True when all of it was accepted.
pub(super) fn send(
    producer: &Producer,
    handles: &Handles,
    settings: &OutputSettings,
    batch: &RejectBatch,
    sent: &mut usize,
    truncated: &mut u64,
) -> Result<bool, KafkaError> {
    let input_topic = settings.topics.input.as_bytes();
    for record in &batch.records[*sent..] {
        let (topic, facts) = match record.kind {
            RejectKind::DeadLetter(_) => (handles.dead_letter, settings.facts.dead_letter),
            RejectKind::Late => (handles.late, settings.facts.late),
        };
        // The input partition decides, so that a partition's rejects keep their order.
        let partition = PartitionId(record.position.partition.0 % facts.partitions);
        let arena = &batch.arena;
        let origin = Origin { input_topic, record, arena, most_bytes: facts.record_bytes };
        match send_one(producer, topic, partition, &origin) {
            Ok(was_cut) => {
                *sent += 1;
                *truncated += u64::from(was_cut);
            }
            Err(SendError::Full) => return Ok(false),
            Err(SendError::Refused(error)) => return Err(error),
        }
    }
    Ok(true)
}

/// A rejected record where it lies.
struct Origin<'a> {
    input_topic: &'a [u8],
    record: &'a RejectedRecord,
    arena: &'a [u8],
    /// Bytes that the topic takes.
    most_bytes: usize,
}

/// Sends one record; says whether it was cut.
fn send_one(
    producer: &Producer,
    topic: TopicHandle,
    partition: PartitionId,
    &Origin { input_topic, record, arena, most_bytes }: &Origin<'_>,
) -> Result<bool, SendError> {
    let (reason, detail) = match record.kind {
        RejectKind::DeadLetter(reject) => (reject.reason.as_str(), reject.to_string()),
        RejectKind::Late => ("late", "the window is behind the allowed lateness".to_owned()),
    };
    let position = record.position;
    let input_partition = position.partition.to_string();
    let offset = position.offset.to_string();
    let timestamp = position.timestamp_ms.to_string();
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("logintide.reason", reason.as_bytes()),
        ("logintide.detail", detail.as_bytes()),
        ("logintide.topic", input_topic),
        ("logintide.partition", input_partition.as_bytes()),
        ("logintide.offset", offset.as_bytes()),
        ("logintide.timestamp", timestamp.as_bytes()),
    ];
    // What was redriven and fails again says so, or it would be redriven for ever.
    let redriven = (position.redriven > 0).then(|| position.redriven.to_string());
    if let Some(redriven) = &redriven {
        headers.push((REDRIVEN_HEADER, redriven.as_bytes()));
    }
    let whole_headers = headers.len();
    let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let (key, value) = (record.span.key(arena), record.span.value(arena));
    let room = most_bytes.saturating_sub(header_bytes);
    let (key_bytes, value_bytes) = record.span.lengths(arena);
    let (key_len, value_len) = cut(key_bytes, value_bytes, room);
    let (value_length, key_length) = (value_bytes.to_string(), key_bytes.to_string());
    if value_len < value_bytes {
        headers.push((VALUE_CUT, value_length.as_bytes()));
    }
    if key_len < key_bytes {
        headers.push((KEY_CUT, key_length.as_bytes()));
    }
    let was_cut = headers.len() > whole_headers;
    let (key, value) = (key.map(|key| &key[..key_len]), &value[..value_len]);
    producer.send_with_headers(&topic, Some(partition), key, Some(value), &headers)?;
    Ok(was_cut)
}

/// Lengths of key and value that fit: the value is cut first.
fn cut(key: usize, value: usize, room: usize) -> (usize, usize) {
    if key + value <= room {
        return (key, value);
    }
    let room = room.saturating_sub(CUT_HEADERS_BYTES);
    let key = key.min(room);
    (key, value.min(room - key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_cut_before_the_key_and_both_fit() {
        assert_eq!(cut(10, 90, 100), (10, 90));
        let room = 1000;
        let left = room - CUT_HEADERS_BYTES;
        assert_eq!(cut(10, 991, room), (10, left - 10));
        assert_eq!(cut(5000, 5000, room), (left, 0));
        assert_eq!(cut(5000, 5000, 10), (0, 0));
    }
}
