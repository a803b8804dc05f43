//! A Kafka record as the judge sees it, from a broker or from memory.

#[derive(Clone, Debug, Default)]
pub(super) struct Record<'a> {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Kafka's timestamp in epoch milliseconds.
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl<'a> Record<'a> {
    /// The text of a header; `None` if it is missing, occurs twice or is not text.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let mut found = self.headers.iter().filter(|header| header.0 == name);
        let value = found.next()?.1?;
        if found.next().is_some() {
            return None;
        }
        std::str::from_utf8(value).ok()
    }

    /// Whether the record has a header of this name.
    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.0 == name)
    }

    /// The input partition and offset that a side record names.
    pub(super) fn position(&self) -> Option<(i32, i64)> {
        let partition = self.header("logintide.partition")?.parse().ok()?;
        Some((partition, self.header("logintide.offset")?.parse().ok()?))
    }
}
