//! Which dead letters are sent again. Pure.
//!
//! In:  what a dead letter's headers and place say. Out: its class, or why it is skipped.
//! Holds: only a whole record of this input topic is ever sent.

use std::{collections::BTreeSet, fmt};

use crate::{config::alternatives, event::RejectReason, plain};

/// Which dead letters the operator selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// The topic that the dead letters must come from, and go back to.
    pub(super) input_topic: String,
    /// `None`: every reason.
    pub(super) reasons: Option<BTreeSet<RejectReason>>,
    /// Milliseconds since the Unix epoch, inclusive.
    pub(super) from_ms: Option<i64>,
    /// Milliseconds since the Unix epoch, exclusive.
    pub(super) to_ms: Option<i64>,
    /// A record that was redriven this often is not sent again.
    pub(super) max_redrives: u8,
}

/// The facts that a dead letter carries in its headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Letter<'a> {
    /// Kafka timestamp of the dead letter.
    pub(super) timestamp_ms: i64,
    pub(super) reason: Option<&'a [u8]>,
    pub(super) topic: Option<&'a [u8]>,
    /// It holds only a part of the record.
    pub(super) is_cut: bool,
    /// How often its record had been redriven when it failed.
    pub(super) redriven: u8,
}

/// A class of dead letters; progress is kept for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    pub(super) reason: RejectReason,
    pub(super) redriven: u8,
}

/// Why a record of the dead-letter topic is not sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Skip {
    /// Another program wrote it, or a later version of this one.
    NotALetter,
    /// It came from another input.
    OtherTopic(String),
    /// The rest of the record is lost.
    Cut,
    /// The selection does not include it.
    NotSelected,
    /// It failed again after it was redriven.
    RedrivenBefore,
    /// An earlier run has sent it.
    DoneBefore,
    /// Larger than the input topic or the client takes.
    TooLarge,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALetter => f.write_str("no dead letter that this version knows"),
            Self::OtherTopic(topic) => {
                write!(f, "refused: it came from {topic}, which is not --input-topic")
            }
            Self::Cut => f.write_str("cut: the dead-letter topic could not take the whole record"),
            Self::NotSelected => f.write_str("not selected"),
            Self::RedrivenBefore => {
                f.write_str("failed again after a redrive (--max-redrives sends it once more)")
            }
            Self::DoneBefore => f.write_str("sent by an earlier run (--again sends it once more)"),
            Self::TooLarge => f.write_str("larger than -X message.max.bytes"),
        }
    }
}

impl Selection {
    /// The class of a record that could be sent, and whether it is selected.
    pub(super) fn judge(&self, letter: &Letter<'_>) -> Result<(Class, Result<(), Skip>), Skip> {
        let reason = letter.reason.and_then(known_reason).ok_or(Skip::NotALetter)?;
        let topic = letter.topic.ok_or(Skip::NotALetter)?;
        if topic != self.input_topic.as_bytes() {
            return Err(Skip::OtherTopic(
                plain::one_line(&String::from_utf8_lossy(topic)).to_string(),
            ));
        }
        if letter.is_cut {
            return Err(Skip::Cut);
        }
        let class = Class { reason, redriven: letter.redriven };
        Ok((class, self.selects(letter, reason)))
    }

    fn selects(&self, letter: &Letter<'_>, reason: RejectReason) -> Result<(), Skip> {
        let by_reason = self.reasons.as_ref().is_none_or(|reasons| reasons.contains(&reason));
        let after = self.from_ms.is_none_or(|from| letter.timestamp_ms >= from);
        let before = self.to_ms.is_none_or(|to| letter.timestamp_ms < to);
        if !(by_reason && after && before) {
            return Err(Skip::NotSelected);
        }
        if letter.redriven >= self.max_redrives {
            return Err(Skip::RedrivenBefore);
        }
        Ok(())
    }
}

fn known_reason(name: &[u8]) -> Option<RejectReason> {
    RejectReason::ALL.into_iter().find(|reason| reason.as_str().as_bytes() == name)
}

/// Checks the word of a reason.
pub(super) fn parse_reason(text: &str) -> Result<RejectReason, String> {
    known_reason(text.as_bytes()).ok_or_else(|| {
        format!("expected {}", alternatives(&RejectReason::ALL.map(RejectReason::as_str)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection() -> Selection {
        Selection {
            input_topic: "in".into(),
            reasons: Some(BTreeSet::from([RejectReason::NotJson])),
            from_ms: Some(100),
            to_ms: Some(200),
            max_redrives: 1,
        }
    }

    const LETTER: Letter<'_> = Letter {
        timestamp_ms: 100,
        reason: Some(b"not_json"),
        topic: Some(b"in"),
        is_cut: false,
        redriven: 0,
    };

    /// Why it is skipped.
    fn skip(letter: Letter<'_>) -> Skip {
        match selection().judge(&letter) {
            Err(skip) | Ok((_, Err(skip))) => skip,
            Ok((_, Ok(()))) => panic!("sent: {letter:?}"),
        }
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        let class = Class { reason: RejectReason::NotJson, redriven: 0 };
        assert_eq!(selection().judge(&LETTER), Ok((class, Ok(()))));
        assert_eq!(skip(Letter { timestamp_ms: 99, ..LETTER }), Skip::NotSelected);
        assert_eq!(skip(Letter { timestamp_ms: 200, ..LETTER }), Skip::NotSelected);
        assert_eq!(skip(Letter { reason: Some(b"empty"), ..LETTER }), Skip::NotSelected);
        let all = Selection { reasons: None, from_ms: None, to_ms: None, ..selection() };
        assert!(all.judge(&Letter { timestamp_ms: -1, reason: Some(b"empty"), ..LETTER }).is_ok());
    }

    #[test]
    fn what_cannot_or_must_not_be_sent_says_why() {
        assert_eq!(skip(Letter { redriven: 1, ..LETTER }), Skip::RedrivenBefore);
        assert_eq!(skip(Letter { is_cut: true, ..LETTER }), Skip::Cut);
        assert_eq!(skip(Letter { topic: Some(b"x"), ..LETTER }), Skip::OtherTopic("x".into()));
        for letter in [
            Letter { topic: None, ..LETTER },
            Letter { reason: None, ..LETTER },
            Letter { reason: Some(b"late"), ..LETTER },
        ] {
            assert_eq!(skip(letter), Skip::NotALetter);
        }
    }

    #[test]
    fn an_unknown_reason_brings_all_of_them() {
        assert_eq!(parse_reason("too_deep"), Ok(RejectReason::TooDeep));
        let what = parse_reason("notjson").expect_err("unknown");
        assert!(RejectReason::ALL.iter().all(|r| what.contains(r.as_str())), "{what}");
    }
}
