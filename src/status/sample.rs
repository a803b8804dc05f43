//! Samples of recent dead letters, one for each reason, to show what is wrong with the input.
//!
//! Sink thread. In: every dead letter as it is sent. Out: at most one sample per reason and
//! snapshot, truncated and escaped.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{event::RejectReason, limits};

/// A dead letter as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Sample {
    /// Input partition.
    pub partition: i32,
    pub offset: i64,
    /// What is wrong, in words.
    pub detail: String,
    /// The beginning of the value; all but printable ASCII is escaped.
    pub value: String,
    /// Bytes of the whole value.
    pub value_bytes: usize,
}

impl Sample {
    /// Makes a sample; truncates and escapes `value`.
    pub(crate) fn new(partition: i32, offset: i64, detail: String, value: &[u8]) -> Self {
        let shown = &value[..value.len().min(limits::SAMPLE_BYTES)];
        let text = shown.escape_ascii().to_string().replace("\\\"", "\"");
        Self { partition, offset, detail, value: text, value_bytes: value.len() }
    }
}

/// The newest sample of each reason.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    newest: BTreeMap<RejectReason, Taken>,
}

#[derive(Debug)]
struct Taken {
    sample: Sample,
    /// No snapshot has shown it yet: a later one need not replace it.
    is_fresh: bool,
}

impl Samples {
    /// Takes a sample, unless one of this reason has not been shown yet.
    pub(crate) fn offer(&mut self, reason: RejectReason, make: impl FnOnce() -> Sample) {
        match self.newest.get_mut(&reason) {
            Some(taken) if taken.is_fresh => {}
            Some(taken) => *taken = Taken { sample: make(), is_fresh: true },
            None => drop(self.newest.insert(reason, Taken { sample: make(), is_fresh: true })),
        }
    }

    /// The sample of a reason; it counts as shown from now on.
    pub(crate) fn show(&mut self, reason: RejectReason) -> Option<Sample> {
        let taken = self.newest.get_mut(&reason)?;
        taken.is_fresh = false;
        Some(taken.sample.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_escaped_and_shortened() {
        let value = [b"{\"a\":\"<b>\n\xff\"".as_slice(), &vec![b'x'; 1000]].concat();
        let sample = Sample::new(3, 7, "why".to_owned(), &value);
        assert!(sample.value.starts_with(r#"{"a":"<b>\n\xff"xxx"#), "{}", sample.value);
        assert!(sample.value.len() < limits::SAMPLE_BYTES + 8);
        assert_eq!((sample.partition, sample.offset, sample.value_bytes), (3, 7, value.len()));
    }

    #[test]
    fn a_sample_is_replaced_once_it_was_seen() {
        let mut samples = Samples::default();
        let sample = |offset| move || Sample::new(0, offset, String::new(), b"");
        samples.offer(RejectReason::NotJson, sample(1));
        samples.offer(RejectReason::NotJson, sample(2));
        assert_eq!(samples.show(RejectReason::NotJson).map(|s| s.offset), Some(1));
        samples.offer(RejectReason::NotJson, sample(3));
        assert_eq!(samples.show(RejectReason::NotJson).map(|s| s.offset), Some(3));
        assert_eq!(samples.show(RejectReason::NotJson).map(|s| s.offset), Some(3));
        assert_eq!(samples.show(RejectReason::TooDeep), None);
    }
}
