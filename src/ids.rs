//! Newtypes for numbers that must not be mixed.
//!
//! Used by every thread; plain data. An `Offset` is always the next offset to read, never the
//! last one read; event times are milliseconds since the Unix epoch; an epoch number is used once.

use std::{
    fmt::{self, Write as _},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::limits::INSTANCE_ID_MAX_BYTES;

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

newtype!(
    /// A partition of the input topic, or of an output topic where the context says so.
    PartitionId(i32)
);
newtype!(
    /// The next offset to read of a partition.
    Offset(i64)
);
newtype!(
    /// Index of a worker thread, from 0.
    WorkerId(usize)
);
newtype!(
    /// Number of an epoch: the unit of commit. Grows by at least one and never repeats.
    Epoch(u64)
);
newtype!(
    /// Number of an incarnation: what the pipeline does between two rollbacks or reassignments. A
    /// message of an older incarnation is dropped. The consumer group's generation is another
    /// number.
    Incarnation(u64)
);
newtype!(
    /// Event time, milliseconds since the Unix epoch.
    EventTimeMs(i64)
);
newtype!(
    /// First millisecond of a window, a multiple of the window's size since the Unix epoch.
    WindowStart(i64)
);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Incarnation {
    /// The incarnation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Id of a topic. A topic that is created later under the same name has another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub u128);

impl fmt::Display for TopicId {
    /// Prints it as Kafka's tools do: base64 for URLs, without padding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 22 digits of 6 bits hold the 128 bits and 4 zeros after them.
        for place in (0..22).rev() {
            let digit = if place == 0 { self.0 << 4 } else { self.0 >> (6 * place - 4) } & 63;
            f.write_char(char::from(DIGITS[digit as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopicId({self})")
    }
}

impl TopicId {
    /// The part of it that a commit's metadata holds.
    pub fn mark(self) -> TopicMark {
        TopicMark((self.0 >> 96) as u32)
    }
}

/// The first 32 bits of a topic's id: enough to tell a topic from an earlier one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicMark(u32);

impl fmt::Display for TopicMark {
    /// Prints eight hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl TopicMark {
    /// Reads the displayed form; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 8 && text.bytes().all(is_digit))
            .then(|| u32::from_str_radix(text, 16).ok().map(Self))?
    }
}

/// Name of an instance in its group: 1 to `INSTANCE_ID_MAX_BYTES` letters, digits, '.', '_' and
/// '-'. It never contains the separators of keys and commit metadata.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// The id that this text is; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        Self::is_valid(text).then(|| Self(text.into()))
    }

    /// Whether this text can be an instance id.
    pub fn is_valid(text: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=INSTANCE_ID_MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record's origin in the input topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Input partition.
    pub partition: PartitionId,
    /// Offset of the record itself.
    pub offset: i64,
    /// The record's Kafka timestamp, milliseconds; without one, the time at which it was read.
    pub timestamp_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_id_is_shown_as_kafka_s_tools_show_it() {
        // Kafka's Uuid: the reserved ids, and one with all digits of the alphabet's end.
        assert_eq!(TopicId(1).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(TopicId(0).to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(TopicId(u128::MAX).to_string(), "_____________________w");
        let id = TopicId(0x9ea0_2647_33d9_4f7b_aa4f_6c13_a4cb_91f4);
        assert_eq!(id.to_string(), "nqAmRzPZT3uqT2wTpMuR9A");
    }

    #[test]
    fn an_instance_id_has_no_separator() {
        let longest = "x".repeat(INSTANCE_ID_MAX_BYTES);
        for valid in ["a", "host-1.example_7", &longest] {
            let id = InstanceId::parse(valid).expect(valid);
            assert_eq!((id.as_str(), id.to_string().as_str()), (valid, valid));
        }
        for invalid in ["", "a:b", "a/b", "a b", "\u{e4}", &format!("{longest}x")] {
            assert_eq!(InstanceId::parse(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn a_mark_comes_back_from_its_text_and_nothing_else_does() {
        let mark = TopicId(0x00c0_ffee_33d9_4f7b_aa4f_6c13_a4cb_91f4).mark();
        assert_eq!(mark.to_string(), "00c0ffee");
        assert_eq!(TopicMark::parse("00c0ffee"), Some(mark));
        for text in ["", "c0ffee", "+0c0ffee", "00C0FFEE", "00c0ffee0", "00c0ffeg"] {
            assert_eq!(TopicMark::parse(text), None, "{text}");
        }
    }
}
