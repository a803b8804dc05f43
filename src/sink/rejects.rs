//! Dead letters and late records: raw bytes with their origin in headers. Sink thread.
//!
//! In:  a batch of rejected records. Out: one record each to its side topic.
//! Holds: what does not fit the topic is left out, the input's headers first, and a header says how
//! much that was. No record is left out.

use super::OutputSettings;
use crate::{
    batch::{RejectBatch, RejectKind, RejectedRecord},
    client::RecordProducer,
    headers::{self, Dropped, HeaderBlock, Travelling},
    ids::PartitionId,
    kafka::{KafkaError, SendError},
    topics::{PerOutput, Topic},
};

/// Length of the input record's value, where it was cut.
pub(crate) const VALUE_CUT: &str = "logintide.truncated_from";

/// Length of the input record's key, where it was cut.
pub(crate) const KEY_CUT: &str = "logintide.key_truncated_from";

/// Bytes of both headers in a block, with lengths of any size.
const CUT_HEADERS_BYTES: usize = VALUE_CUT.len() + KEY_CUT.len() + 2 * (20 + 8);

/// Sends the rest of a batch. True when all of it was accepted.
pub(super) fn send<P: RecordProducer>(
    producer: &P,
    handles: &PerOutput<P::Topic>,
    settings: &OutputSettings,
    batch: &RejectBatch,
    sent: &mut usize,
    truncated: &mut u64,
) -> Result<bool, KafkaError> {
    let input_topic = settings.topics[Topic::Input].as_bytes();
    for record in &batch.records[*sent..] {
        let topic = match record.kind {
            RejectKind::DeadLetter(_) => Topic::DeadLetter,
            RejectKind::Late => Topic::Late,
        };
        let facts = settings.facts[topic];
        // The input partition decides, so that a partition's rejects keep their order.
        let partition = PartitionId(record.position.partition.0 % facts.partitions);
        let arena = &batch.arena;
        let origin = Origin { input_topic, record, arena, most_bytes: facts.record_bytes };
        match send_one(producer, handles[topic], partition, &origin) {
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
fn send_one<P: RecordProducer>(
    producer: &P,
    topic: P::Topic,
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
    let mut block = Vec::new();
    for (name, value) in [
        ("logintide.reason", reason.as_bytes()),
        ("logintide.detail", detail.as_bytes()),
        ("logintide.topic", input_topic),
        ("logintide.partition", input_partition.as_bytes()),
        ("logintide.offset", offset.as_bytes()),
        ("logintide.timestamp", timestamp.as_bytes()),
    ] {
        headers::push(&mut block, name.as_bytes(), Some(value));
    }
    let (key, value) = (record.span.key(arena), record.span.value(arena));
    let (key_bytes, value_bytes) = record.span.lengths(arena);
    let of_input = record.span.headers(arena);
    append_if_they_fit(&mut block, of_input, most_bytes.saturating_sub(key_bytes + value_bytes));
    let room = most_bytes.saturating_sub(block.len());
    let (key_len, value_len) = cut(key_bytes, value_bytes, room);
    let whole_headers = block.len();
    if value_len < value_bytes {
        push_length(&mut block, VALUE_CUT, value_bytes);
    }
    if key_len < key_bytes {
        push_length(&mut block, KEY_CUT, key_bytes);
    }
    let was_cut = block.len() > whole_headers;
    let (key, value) = (key.map(|key| &key[..key_len]), &value[..value_len]);
    let block = HeaderBlock::new(&block);
    producer.send_with_headers(&topic, Some(partition), key, Some(value), block)?;
    Ok(was_cut)
}

/// Appends the input record's headers: all of them, or only what travels. That must be there: what
/// was redriven and fails again says so, or it would be redriven for ever.
fn append_if_they_fit(block: &mut Vec<u8>, of_input: HeaderBlock<'_>, room: usize) {
    if block.len() + of_input.as_bytes().len() <= room {
        block.extend_from_slice(of_input.as_bytes());
        return;
    }
    let mut travelling = Travelling::of(of_input);
    let others = of_input.iter().filter(|header| !header.is_own());
    let bytes: usize = others.map(|header| header.bytes()).sum();
    if bytes > 0 {
        travelling.dropped = Some(Dropped::Bytes(bytes as u64));
    }
    travelling.append(block);
}

fn push_length(block: &mut Vec<u8>, name: &str, bytes: usize) {
    headers::push(block, name.as_bytes(), Some(bytes.to_string().as_bytes()));
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
    #[test]
    fn headers_of_the_input_are_kept_whole_or_leave_their_size_and_the_mark() {
        let mut of_input = Vec::new();
        headers::push(&mut of_input, b"traceparent", Some(b"00-1"));
        headers::push(&mut of_input, b"null", None);
        let mark = of_input.len();
        headers::push(&mut of_input, headers::REDRIVEN.as_bytes(), Some(b"1"));
        let given = HeaderBlock::new(&of_input);
        let ours = b"ours".to_vec();
        let fits = ours.len() + of_input.len();
        let appended = |room| {
            let mut block = ours.clone();
            append_if_they_fit(&mut block, given, room);
            block.split_off(ours.len())
        };
        assert_eq!(appended(fits), of_input);
        let mut left = of_input[mark..].to_vec();
        headers::push(&mut left, headers::DROPPED.as_bytes(), Some(b"19"));
        assert_eq!(appended(fits - 1), left);
        assert_eq!(appended(0), left);
        let mut none = ours.clone();
        append_if_they_fit(&mut none, HeaderBlock::NONE, 0);
        assert_eq!(none, ours);
    }
}
