//! What can be wrong with an event: hard (a dead letter) or soft (counted, still processed).
//!
//! Pure data, closed sets. The dead-letter header, metric labels and the documentation use the same
//! words.

use std::fmt;

use super::Field;
use crate::limits;

/// Why a record is dead-lettered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RejectReason {
    /// The value has no bytes.
    Empty,
    /// The value is larger than the largest accepted event.
    TooLarge,
    /// The value, or the user id in it, is not Unicode text.
    InvalidUtf8,
    /// The value is not JSON.
    NotJson,
    /// The value is JSON, but not an object.
    NotAnObject,
    /// Objects and arrays are nested too deep.
    TooDeep,
    /// A known field occurs more than once.
    DuplicateField,
    /// A required field is missing, null or empty.
    MissingField,
    /// A known field has an invalid type.
    WrongType,
    /// The timestamp is neither a number nor an RFC 3339 time.
    TimestampUnreadable,
    /// The timestamp is before 2000, or too far ahead of the record's Kafka timestamp.
    TimestampOutOfRange,
    /// The record's Kafka timestamp is so far before 2000 that no event time is valid for it.
    KafkaTimestampOutOfRange,
}

impl RejectReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::TooLarge,
        Self::InvalidUtf8,
        Self::NotJson,
        Self::NotAnObject,
        Self::TooDeep,
        Self::DuplicateField,
        Self::MissingField,
        Self::WrongType,
        Self::TimestampUnreadable,
        Self::TimestampOutOfRange,
        Self::KafkaTimestampOutOfRange,
    ];

    /// The word for headers, metric labels and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::DuplicateField => "duplicate_field",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::TimestampUnreadable => "timestamp_unreadable",
            Self::TimestampOutOfRange => "timestamp_out_of_range",
            Self::KafkaTimestampOutOfRange => "kafka_timestamp_out_of_range",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a record is dead-lettered, and because of which field. Its `Display` is the detail header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reject {
    pub reason: RejectReason,
    /// The field with the problem, if it is in one.
    pub field: Option<Field>,
}

impl Reject {
    pub(super) const fn new(reason: RejectReason) -> Self {
        Self { reason, field: None }
    }

    pub(super) const fn of(field: Field, reason: RejectReason) -> Self {
        Self { reason, field: Some(field) }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.map_or("a known field", Field::name);
        match self.reason {
            RejectReason::Empty => f.write_str("the value is empty"),
            RejectReason::TooLarge => f.write_str("the value is larger than max-event-bytes"),
            RejectReason::InvalidUtf8 if self.field.is_some() => {
                write!(f, "{field} has half of a surrogate pair, which no UTF-8 text can hold")
            }
            RejectReason::InvalidUtf8 => f.write_str("the value is not valid UTF-8"),
            RejectReason::NotJson => f.write_str("the value is not valid JSON"),
            RejectReason::NotAnObject => f.write_str("the value is JSON but not an object"),
            RejectReason::TooDeep => {
                write!(f, "objects and arrays are nested deeper than {}", limits::MAX_NESTING)
            }
            RejectReason::DuplicateField => write!(f, "{field} is there more than once"),
            RejectReason::MissingField => write!(f, "{field} is missing, null or empty"),
            RejectReason::WrongType => match self.field {
                Some(Field::UserId) => f.write_str("user_id is not a string"),
                Some(Field::Timestamp) => f.write_str("timestamp is neither a number nor a string"),
                _ => write!(f, "{field} is an object or an array"),
            },
            RejectReason::TimestampUnreadable => write!(
                f,
                "{field} is neither epoch seconds or milliseconds nor an RFC 3339 time with offset"
            ),
            RejectReason::TimestampOutOfRange => {
                write!(f, "{field} is before 2000 or more than max-future after its record")
            }
            RejectReason::KafkaTimestampOutOfRange => write!(
                f,
                "{field} is fine, but the record's Kafka timestamp is before 2000: it must be in \
                 milliseconds since 1970"
            ),
        }
    }
}

/// A problem of a field that does not reject the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SoftProblem {
    /// The ip is neither an IPv4 nor an IPv6 address.
    BadIp = 1,
    /// The value is too long to be counted under its own name.
    TooLong = 2,
    /// The value is a number or a boolean instead of a string; its JSON text is counted.
    ScalarType = 3,
}

impl SoftProblem {
    /// All problems.
    pub const ALL: [Self; 3] = [Self::BadIp, Self::TooLong, Self::ScalarType];

    /// The word for metric labels and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadIp => "bad_ip",
            Self::TooLong => "too_long",
            Self::ScalarType => "scalar_type",
        }
    }
}

/// The soft problems of one event, at most one per field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SoftProblems {
    /// Two bits per field, 0 = none.
    bits: u16,
}

impl SoftProblems {
    pub(super) fn insert(&mut self, field: Field, problem: SoftProblem) {
        let shift = 2 * field as u16;
        debug_assert_eq!(self.bits >> shift & 3, 0, "a field has one soft problem");
        self.bits |= (problem as u16) << shift;
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The fields that have a problem, with the problem.
    pub fn iter(self) -> impl Iterator<Item = (Field, SoftProblem)> {
        Field::ALL.into_iter().filter_map(move |field| {
            let number = usize::from(self.bits >> (2 * field as u16) & 3);
            let problem = SoftProblem::ALL.get(number.checked_sub(1)?)?;
            Some((field, *problem))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn reasons_are_numbered_and_named_apart() {
        for (number, reason) in RejectReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
        let words: HashSet<_> = RejectReason::ALL.map(RejectReason::as_str).into();
        assert_eq!(words.len(), RejectReason::ALL.len());
    }

    #[test]
    fn details_name_the_field_when_there_is_one() {
        for reason in RejectReason::ALL {
            assert!(!Reject::new(reason).to_string().is_empty());
        }
        for field in Field::ALL {
            let detail = Reject::of(field, RejectReason::WrongType).to_string();
            assert!(detail.starts_with(field.name()), "{detail}");
        }
    }

    #[test]
    fn soft_problems_come_back_by_field() {
        let mut soft = SoftProblems::default();
        assert!(soft.is_empty());
        soft.insert(Field::DeviceId, SoftProblem::TooLong);
        soft.insert(Field::Ip, SoftProblem::BadIp);
        soft.insert(Field::AppVersion, SoftProblem::ScalarType);
        assert!(!soft.is_empty());
        let all: Vec<_> = soft.iter().collect();
        let expected = [
            (Field::AppVersion, SoftProblem::ScalarType),
            (Field::Ip, SoftProblem::BadIp),
            (Field::DeviceId, SoftProblem::TooLong),
        ];
        assert_eq!(all, expected);
        for (number, problem) in (1..).zip(SoftProblem::ALL) {
            assert_eq!(problem as u16, number);
        }
    }
}
