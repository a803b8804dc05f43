//! The rules for each field. Pure.
//!
//! In:  the known members of a JSON object.
//! Out: the event, or the first rule it breaks, required fields before optional ones.

use simd_json::{Node, StaticNode};

use super::{
    Event, Field, Reject, RejectReason, SoftProblem, SoftProblems, ip::is_ip, layout::Found, text,
    timestamp,
};
use crate::{ids::EventTimeMs, limits};

/// What is counted for a missing, null or empty value.
const UNKNOWN: &str = "unknown";

/// What is counted for a value that is too long to be counted by itself.
const OTHER: &str = "other";

/// The members of an event, to be validated.
pub(super) struct Fields<'t, 'a> {
    pub(super) found: Found<'t, 'a>,
    /// Whether decoded numbers and strings may differ from the raw text.
    pub(super) is_blunted: bool,
}

impl<'a> Fields<'_, 'a> {
    /// Applies every rule. `latest_ms` is the latest time the event may have.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what it returns is large, and taken apart at once")]
    pub(super) fn validate(mut self, latest_ms: i64) -> Result<Event<'a>, Reject> {
        let user_id = self.user_id()?;
        let event_time = EventTimeMs(self.timestamp(latest_ms)?);
        let mut soft = SoftProblems::default();
        let app_version = self.optional(Field::AppVersion, &mut soft)?;
        let device_type = self.optional(Field::DeviceType, &mut soft)?;
        self.ip(&mut soft)?;
        let locale = self.optional(Field::Locale, &mut soft)?;
        self.optional(Field::DeviceId, &mut soft)?;
        let layout = self.found.layout;
        Ok(Event { user_id, event_time, locale, device_type, app_version, soft, layout })
    }

    fn user_id(&self) -> Result<&'a str, Reject> {
        let refuse = |reason| Err(Reject::of(Field::UserId, reason));
        match self.found.value(Field::UserId) {
            None | Some(Node::Static(StaticNode::Null) | Node::String("")) => {
                refuse(RejectReason::MissingField)
            }
            Some(Node::String(_)) if self.is_blunted && !self.is_unicode(Field::UserId) => {
                refuse(RejectReason::InvalidUtf8)
            }
            Some(Node::String(text)) => Ok(text),
            Some(_) => refuse(RejectReason::WrongType),
        }
    }

    /// Whether every escape in a string stands for a character.
    fn is_unicode(&self, field: Field) -> bool {
        let quoted = self.found.raw_text(field);
        text::unescape(&quoted[1..quoted.len() - 1], |_| true).is_some()
    }

    fn timestamp(&self, latest_ms: i64) -> Result<i64, Reject> {
        let time = match self.found.value(Field::Timestamp) {
            None | Some(Node::Static(StaticNode::Null) | Node::String("")) => {
                Err(RejectReason::MissingField)
            }
            Some(Node::Static(StaticNode::U64(number))) if !self.is_blunted => {
                timestamp::from_integer(number)
            }
            Some(Node::String(text)) => timestamp::from_text(text),
            Some(Node::Static(StaticNode::Bool(_)) | Node::Object { .. } | Node::Array { .. }) => {
                Err(RejectReason::WrongType)
            }
            Some(Node::Static(_)) => timestamp::from_text(self.scalar_text(Field::Timestamp)),
        };
        time.and_then(|time| timestamp::check_range(time, latest_ms))
            .map_err(|reason| Reject::of(Field::Timestamp, reason))
    }

    fn ip(&mut self, soft: &mut SoftProblems) -> Result<(), Reject> {
        let Some(Node::String(address)) = self.found.value(Field::Ip) else {
            return self.optional(Field::Ip, soft).map(drop);
        };
        if address.is_empty() {
            self.replace(Field::Ip);
        } else if !is_ip(address) {
            soft.insert(Field::Ip, SoftProblem::BadIp);
        }
        Ok(())
    }

    /// What is counted for an optional field.
    #[inline]
    fn optional(&mut self, field: Field, soft: &mut SoftProblems) -> Result<&'a str, Reject> {
        let Some(value) = self.found.value(field) else {
            self.found.layout.absent.insert(field);
            return Ok(UNKNOWN);
        };
        let (text, problem) = match value {
            Node::Static(StaticNode::Null) | Node::String("") => {
                self.replace(field);
                return Ok(UNKNOWN);
            }
            Node::String(text) => (text, SoftProblem::TooLong),
            Node::Static(_) => (self.scalar_text(field), SoftProblem::ScalarType),
            Node::Object { .. } | Node::Array { .. } => {
                return Err(Reject::of(field, RejectReason::WrongType));
            }
        };
        let too_long = text.len() > limits::MAX_VALUE_BYTES;
        if too_long || problem == SoftProblem::ScalarType {
            soft.insert(field, problem);
        }
        Ok(if too_long { OTHER } else { text })
    }

    /// The text of a number or literal, as it was written.
    fn scalar_text(&self, field: Field) -> &'a str {
        std::str::from_utf8(self.found.raw_text(field))
            .expect("the value was parsed as a number or a literal")
    }

    fn replace(&mut self, field: Field) {
        self.found.layout.replaced.insert(field);
        self.found.layout.rewrite = true;
    }
}
