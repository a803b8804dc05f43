//! A Kafka record as the tests make and change it.

use super::super::record::Record;

/// A record that owns its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Owned {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, String)>,
}

impl Owned {
    pub(super) fn borrow(&self) -> Record<'_> {
        Record {
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
                .collect(),
        }
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().expect("a value")).expect("UTF-8")
    }

    pub(super) fn set_text(&mut self, text: impl Into<String>) {
        self.value = Some(text.into().into_bytes());
    }

    pub(super) fn set_header(&mut self, name: &str, value: &str) {
        let header = self.headers.iter_mut().find(|header| header.0 == name).expect("there");
        header.1 = value.to_owned();
    }
}
