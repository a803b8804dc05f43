//! Parses and validates one event. Pure; one parser per worker thread.
//!
//! In:  the raw bytes of a record, which it never changes, and the record's Kafka timestamp.
//! Out: an [`Event`] that borrows from the bytes, or the [`Reject`] that says why there is none.
//! Holds: accepts exactly the JSON objects of RFC 8259 that the field rules allow; allocates only
//! for an event larger than all before it.

use std::mem;

use simd_json::{Buffers, ErrorType, Tape};

use super::{
    EventConfig, Reject, RejectReason, SoftProblems,
    field::KnownKeys,
    layout::{self, Layout},
    lenient,
    shape::Shapes,
    validate::Fields,
};
use crate::{ids::EventTimeMs, limits};

/// Parses events. It reuses its buffers.
pub struct Parser {
    known: KnownKeys,
    shapes: Shapes,
    max_future_ms: i64,
    max_event_bytes: usize,
    /// The copy of the value that is decoded in place, with the padding that the decoder reads.
    copy: Vec<u8>,
    /// The copy for a second attempt, see [`lenient`].
    blunted: Vec<u8>,
    buffers: Buffers,
    /// Empty between two events; kept to reuse its memory.
    tape: Tape<'static>,
}

/// A valid event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The user who logged in; never empty.
    pub user_id: &'a str,
    /// When it happened.
    pub event_time: EventTimeMs,
    /// The location to count: the value, `unknown` or `other`.
    pub locale: &'a str,
    /// The device type to count: the value, `unknown` or `other`.
    pub device_type: &'a str,
    /// The version to count: the value, `unknown` or `other`.
    pub app_version: &'a str,
    /// The address: the value, `unknown` or `other`; it may be none.
    pub ip: &'a str,
    /// The device: the value, `unknown` or `other`.
    pub device_id: &'a str,
    /// Problems that are counted and do not reject the event.
    pub soft: SoftProblems,
    /// The positions of its members in the raw text.
    pub(super) layout: Layout<'a>,
}

impl Parser {
    /// A parser for the given names and limits.
    pub fn new(config: &EventConfig) -> Self {
        Self {
            known: KnownKeys::new(&config.fields),
            shapes: Shapes::default(),
            max_future_ms: config.max_future_ms,
            max_event_bytes: config.max_event_bytes,
            copy: Vec::new(),
            blunted: Vec::new(),
            buffers: Buffers::with_max_depth(0, limits::MAX_NESTING),
            tape: Tape(Vec::new()),
        }
    }

    /// Parses a record's value. `record_timestamp_ms` is the record's Kafka timestamp,
    /// milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The reason why the record is a dead letter.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it returns is large, and taken apart at once")]
    pub fn parse<'a>(
        &'a mut self,
        value: &'a [u8],
        record_timestamp_ms: i64,
    ) -> Result<Event<'a>, Reject> {
        if value.is_empty() {
            return Err(Reject::new(RejectReason::Empty));
        }
        if value.len() > self.max_event_bytes {
            return Err(Reject::new(RejectReason::TooLarge));
        }
        let latest_ms = record_timestamp_ms.saturating_add(self.max_future_ms);
        let Self { known, shapes, copy, blunted, buffers, tape: kept, .. } = self;
        let mut tape: Tape<'a> = mem::replace(kept, Tape(Vec::new()));

        let mut is_blunted = false;
        let decoded =
            decode(padded(copy, value), value.len(), buffers, &mut tape).or_else(|error| {
                let copy = padded(blunted, value);
                if matches!(error.error(), ErrorType::DepthLimitExceeded)
                    || !lenient::blunt(&mut copy[..value.len()])
                {
                    return Err(error);
                }
                is_blunted = true;
                decode(copy, value.len(), buffers, &mut tape)
            });
        let event = match decoded {
            Ok(()) => layout::find(value, &tape.0, buffers.structural_indexes(), known, shapes)
                .and_then(|found| Fields { found, is_blunted }.validate(latest_ms)),
            Err(error) => Err(explain(value, &error)),
        };
        *kept = tape.reset();
        event
    }
}

/// Copies the value into a reused buffer, with padding after it.
fn padded<'a>(buffer: &'a mut Vec<u8>, value: &[u8]) -> &'a mut [u8] {
    let length = value.len() + simd_json::INPUT_PADDING;
    if buffer.len() < length {
        buffer.resize(length, b' ');
    }
    buffer[..value.len()].copy_from_slice(value);
    &mut buffer[..length]
}

fn decode<'a>(
    copy: &'a mut [u8],
    length: usize,
    buffers: &mut Buffers,
    tape: &mut Tape<'a>,
) -> simd_json::Result<()> {
    simd_json::fill_tape_padded(copy, length, buffers, tape)
}

#[cold]
fn explain(value: &[u8], error: &simd_json::Error) -> Reject {
    Reject::new(match error.error() {
        ErrorType::DepthLimitExceeded => RejectReason::TooDeep,
        _ if std::str::from_utf8(value).is_err() => RejectReason::InvalidUtf8,
        _ => RejectReason::NotJson,
    })
}
