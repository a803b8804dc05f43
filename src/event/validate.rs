//! The rules for each field. Pure.
//!
//! In:  the known members of a JSON object.
//! Out: the event, or the first rule that it breaks; required fields are checked before optional
//! ones.

use simd_json::{Node, StaticNode};

use super::{
    Event, Field, Reject, RejectReason, SoftProblem, SoftProblems, field::FieldSet, ip::is_ip,
    layout::FoundMembers, text, timestamp,
};
use crate::{ids::EventTimeMs, limits};

/// The value counted in place of a missing, null or empty one.
const UNKNOWN: &str = "unknown";

/// The value counted in place of one that is too long.
const OTHER: &str = "other";

/// The members of an event, to be validated.
///
/// NOTE: all that runs for an ordinary event is inlined, and the rest takes this by value. A
/// reference to it would force it into memory for every event.
#[derive(Clone, Copy)]
pub(super) struct Fields<'t, 'a> {
    pub(super) found: FoundMembers<'t, 'a>,
    /// Whether [`super::lenient`] has replaced tokens, so that decoded values may differ from the
    /// text.
    pub(super) is_blunted: bool,
}

/// Findings about the optional fields.
#[derive(Clone, Copy, Default)]
struct Notes {
    soft: SoftProblems,
    absent: FieldSet,
    replaced: FieldSet,
}

#[expect(clippy::inline_always, reason = "what is passed and returned is large, and taken apart")]
impl<'a> Fields<'_, 'a> {
    /// Applies every rule. `latest_ms` is the latest time the event may have.
    #[inline(always)]
    pub(super) fn validate(self, latest_ms: i64) -> Result<Event<'a>, Reject> {
        let user_id = self.user_id()?;
        let event_time = EventTimeMs(self.timestamp(latest_ms)?);
        let mut notes = Notes::default();
        let app_version = self.optional(Field::AppVersion, &mut notes)?;
        let device_type = self.optional(Field::DeviceType, &mut notes)?;
        let ip = self.ip(&mut notes)?;
        let locale = self.optional(Field::Locale, &mut notes)?;
        let device_id = self.optional(Field::DeviceId, &mut notes)?;
        let Notes { soft, absent, replaced } = notes;
        let mut layout = self.found.layout;
        layout.rewrite |= !replaced.is_empty();
        (layout.absent, layout.replaced) = (absent, replaced);
        Ok(Event {
            user_id,
            event_time,
            locale,
            device_type,
            app_version,
            ip,
            device_id,
            soft,
            layout,
        })
    }

    #[inline(always)]
    fn user_id(self) -> Result<&'a str, Reject> {
        match self.found.value(Field::UserId) {
            Some(Node::String(text)) if !text.is_empty() && !self.is_blunted => Ok(text),
            _ => self.unusual_user_id(),
        }
    }

    #[cold]
    #[inline(never)]
    fn unusual_user_id(self) -> Result<&'a str, Reject> {
        let refuse = |reason| Err(Reject::of(Field::UserId, reason));
        match self.found.value(Field::UserId) {
            None | Some(Node::Static(StaticNode::Null) | Node::String("")) => {
                refuse(RejectReason::MissingField)
            }
            Some(Node::String(_)) if !self.is_unicode(Field::UserId) => {
                refuse(RejectReason::InvalidUtf8)
            }
            Some(Node::String(text)) => Ok(text),
            Some(_) => refuse(RejectReason::WrongType),
        }
    }

    /// Whether every escape in a string is a valid character.
    fn is_unicode(self, field: Field) -> bool {
        let quoted = self.found.raw_text(field);
        text::unescape(&quoted[1..quoted.len() - 1], |_| true).is_some()
    }

    #[inline(always)]
    fn timestamp(self, latest_ms: i64) -> Result<i64, Reject> {
        let time = match self.found.value(Field::Timestamp) {
            Some(Node::Static(StaticNode::U64(number))) if !self.is_blunted => {
                timestamp::from_integer(number)
            }
            _ => self.unusual_timestamp(),
        };
        time.and_then(|time| timestamp::check_range(time, latest_ms))
            .map_err(|reason| Reject::of(Field::Timestamp, reason))
    }

    #[inline(never)]
    fn unusual_timestamp(self) -> Result<i64, RejectReason> {
        match self.found.value(Field::Timestamp) {
            None | Some(Node::Static(StaticNode::Null) | Node::String("")) => {
                Err(RejectReason::MissingField)
            }
            Some(Node::String(text)) => timestamp::from_text(text),
            Some(Node::Static(StaticNode::Bool(_)) | Node::Object { .. } | Node::Array { .. }) => {
                Err(RejectReason::WrongType)
            }
            Some(Node::Static(_)) => timestamp::from_text(self.scalar_text(Field::Timestamp)),
        }
    }

    #[inline(always)]
    fn ip(self, notes: &mut Notes) -> Result<&'a str, Reject> {
        match self.found.value(Field::Ip) {
            Some(Node::String(address)) if !address.is_empty() => {
                if !is_ip(address) {
                    notes.soft.insert(Field::Ip, SoftProblem::BadIp);
                }
                Ok(address)
            }
            _ => {
                let counted;
                (counted, *notes) = self.unusual(Field::Ip, *notes)?;
                Ok(counted)
            }
        }
    }

    /// The value to count for an optional field.
    #[inline(always)]
    fn optional(self, field: Field, notes: &mut Notes) -> Result<&'a str, Reject> {
        match self.found.value(field) {
            Some(Node::String(text)) if (1..=limits::MAX_VALUE_BYTES).contains(&text.len()) => {
                Ok(text)
            }
            _ => {
                let counted;
                (counted, *notes) = self.unusual(field, *notes)?;
                Ok(counted)
            }
        }
    }

    /// The same as `optional`, for any value but an ordinary string.
    #[inline(never)]
    fn unusual(self, field: Field, mut notes: Notes) -> Result<(&'a str, Notes), Reject> {
        let (text, problem) = match self.found.value(field) {
            None => {
                notes.absent.insert(field);
                return Ok((UNKNOWN, notes));
            }
            Some(Node::Static(StaticNode::Null) | Node::String("")) => {
                notes.replaced.insert(field);
                return Ok((UNKNOWN, notes));
            }
            Some(Node::String(text)) => (text, SoftProblem::TooLong),
            Some(Node::Static(_)) => (self.scalar_text(field), SoftProblem::ScalarType),
            Some(Node::Object { .. } | Node::Array { .. }) => {
                return Err(Reject::of(field, RejectReason::WrongType));
            }
        };
        notes.soft.insert(field, problem);
        let counted = if text.len() > limits::MAX_VALUE_BYTES { OTHER } else { text };
        Ok((counted, notes))
    }

    /// The text of a number or literal, as it was written.
    fn scalar_text(self, field: Field) -> &'a str {
        std::str::from_utf8(self.found.raw_text(field))
            .expect("the value was parsed as a number or a literal")
    }
}
