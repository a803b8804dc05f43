//! One login event: parse, validate, enrich. Pure; used by the worker threads.
//!
//! In:  the raw bytes of a record and its Kafka timestamp.
//! Out: an [`Event`] and its enriched JSON, or a [`Reject`] that says why it is a dead letter.
//! Holds: the raw bytes are never changed; nothing is allocated per event once the buffers have
//! grown to the largest event; any byte string yields an `Event` or a `Reject`, never a panic.

mod enrich;
mod field;
mod ip;
mod layout;
mod lenient;
mod local_time;
mod parse;
mod reject;
mod rfc3339;
mod shape;
pub(crate) mod text;
mod timestamp;
mod validate;

#[cfg(test)]
pub(crate) mod tests;

use jiff::tz::TimeZone;

pub use self::{
    enrich::Enricher,
    field::{ADDED_FIELDS, Field, FieldNames},
    parse::{Event, Parser},
    reject::{Reject, RejectReason, SoftProblem, SoftProblems},
};
use crate::limits;

/// How the added time fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum TimestampStyle {
    /// `2024-11-02T13:56:29`: local time of the configured zone, as the original system wrote it.
    #[default]
    Naive,
    /// `2024-11-02T13:56:29+00:00`: with the zone's offset at that instant.
    Rfc3339,
}

/// The settings of parsing and enriching.
#[derive(Debug, Clone)]
pub struct EventConfig {
    pub fields: FieldNames,
    /// Time zone of the added fields.
    pub timezone: TimeZone,
    pub timestamp_style: TimestampStyle,
    /// How far an event's timestamp may be ahead of its record's Kafka timestamp, milliseconds.
    pub max_future_ms: i64,
    /// Largest accepted event, bytes.
    pub max_event_bytes: usize,
}

impl Default for EventConfig {
    /// The documented defaults: canonical names, UTC, naive times, one hour, 64 KiB.
    fn default() -> Self {
        Self {
            fields: FieldNames::default(),
            timezone: TimeZone::UTC,
            timestamp_style: TimestampStyle::Naive,
            max_future_ms: 3_600_000,
            max_event_bytes: limits::MAX_EVENT_BYTES,
        }
    }
}
