//! A record's place in an arena. Pure.
//!
//! Holds: key, value and what lies behind them are contiguous, so one copy takes all; an ordinary
//! record has nothing behind its value.

use crate::headers::HeaderBlock;

/// A record's place in an arena: key bytes, then value bytes, then its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    key_len: u32,
    /// With the bit `CUT` when the record was cut: its original lengths follow the value then.
    value_len: u32,
    /// 0 for an ordinary record.
    headers_len: u32,
}

const NULL_KEY: u32 = u32::MAX;
/// Marks a record that was cut. No value is half as long as this, so the bit is free.
const CUT: u32 = 1 << 31;
/// Bytes of both lengths behind a record that was cut.
const LENGTHS_BYTES: usize = 16;

impl Span {
    /// Appends key and value to the arena. Arenas stay far below 4 GiB: a batch is sent when it
    /// passes a quarter of a MiB, and a record is at most librdkafka's `receive.message.max.bytes`.
    pub fn append(arena: &mut Vec<u8>, key: Option<&[u8]>, value: &[u8]) -> Self {
        let start = arena.len() as u32;
        let key_len = key.map_or(NULL_KEY, |key| key.len() as u32);
        arena.extend_from_slice(key.unwrap_or_default());
        arena.extend_from_slice(value);
        Self { start, key_len, value_len: value.len() as u32, headers_len: 0 }
    }

    /// As [`Self::append`], for a record that is longer than what is needed of it: appends the
    /// first `most` bytes of key and value each, and their original lengths.
    #[cold]
    pub fn append_cut(arena: &mut Vec<u8>, key: Option<&[u8]>, value: &[u8], most: usize) -> Self {
        let lengths = [key.map_or(0, <[u8]>::len), value.len()];
        let kept = Self::append(
            arena,
            key.map(|key| &key[..key.len().min(most)]),
            &value[..value.len().min(most)],
        );
        arena.extend(lengths.iter().flat_map(|length| (*length as u64).to_le_bytes()));
        Self { value_len: kept.value_len | CUT, ..kept }
    }

    /// The place of a record that was written into the arena directly: the key has `key_len` bytes
    /// at `start`, the value follows up to the arena's end.
    pub fn closing(arena: &[u8], start: usize, key_len: usize) -> Self {
        let value_len = (arena.len() - start - key_len) as u32;
        Self { start: start as u32, key_len: key_len as u32, value_len, headers_len: 0 }
    }

    /// Adds headers that already lie behind the value, at the arena's end.
    #[must_use]
    pub fn with_headers(self, arena: &[u8]) -> Self {
        let headers_len = (arena.len() - self.value_end()) as u32;
        Self { headers_len, ..self }
    }

    /// Adds a copy of these headers, which it appends to the arena that ends with the value.
    #[inline]
    #[must_use]
    pub fn and_headers(self, arena: &mut Vec<u8>, headers: HeaderBlock<'_>) -> Self {
        if headers.is_empty() {
            return self;
        }
        arena.extend_from_slice(headers.as_bytes());
        self.with_headers(arena)
    }

    /// The key, `None` where it was null.
    pub fn key<'a>(&self, arena: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.start as usize;
        (self.key_len != NULL_KEY).then(|| &arena[start..start + self.key_len as usize])
    }

    pub fn value<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        let start = self.value_start();
        &arena[start..start + (self.value_len & !CUT) as usize]
    }

    /// The lengths of key and value before a cut.
    pub fn lengths(&self, arena: &[u8]) -> (usize, usize) {
        let kept = (self.key(arena).map_or(0, <[u8]>::len), self.value(arena).len());
        if self.value_len & CUT == 0 {
            return kept;
        }
        let at = self.start as usize + kept.0 + kept.1;
        let length = |at: usize| {
            let bytes = arena[at..at + LENGTHS_BYTES / 2].try_into().expect("half of both");
            u64::from_le_bytes(bytes) as usize
        };
        (length(at), length(at + LENGTHS_BYTES / 2))
    }

    /// Copies the record with its headers into another arena.
    #[must_use = "the copy has a place of its own"]
    pub fn copy(&self, from: &[u8], to: &mut Vec<u8>) -> Self {
        let start = to.len() as u32;
        let end = self.value_end() + self.headers_len as usize;
        to.extend_from_slice(&from[self.start as usize..end]);
        Self { start, ..*self }
    }

    /// The headers; most records have none.
    #[inline]
    pub fn headers<'a>(&self, arena: &'a [u8]) -> HeaderBlock<'a> {
        if self.headers_len == 0 {
            return HeaderBlock::NONE;
        }
        let start = self.value_end();
        HeaderBlock::new(&arena[start..start + self.headers_len as usize])
    }

    /// Bytes of the headers' block.
    pub fn headers_len(&self) -> usize {
        self.headers_len as usize
    }

    fn value_start(&self) -> usize {
        let key_len = if self.key_len == NULL_KEY { 0 } else { self.key_len as usize };
        self.start as usize + key_len
    }

    /// End of the value, or of the lengths that follow one that was cut.
    fn value_end(&self) -> usize {
        let lengths = if self.value_len & CUT == 0 { 0 } else { LENGTHS_BYTES };
        self.value_start() + (self.value_len & !CUT) as usize + lengths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers;

    #[test]
    fn a_span_gives_back_key_and_value() {
        let mut arena = b"before".to_vec();
        let with_key = Span::append(&mut arena, Some(b"k"), b"value");
        let empty_key = Span::append(&mut arena, Some(b""), b"v2");
        let null_key = Span::append(&mut arena, None, b"");
        let start = arena.len();
        arena.extend_from_slice(b"keyvalue");
        let direct = Span::closing(&arena, start, 3);
        let read = |span: Span| (span.key(&arena), span.value(&arena));
        assert_eq!(read(with_key), (Some(&b"k"[..]), &b"value"[..]));
        assert_eq!(read(empty_key), (Some(&b""[..]), &b"v2"[..]));
        assert_eq!(read(null_key), (None, &b""[..]));
        assert_eq!(read(direct), (Some(&b"key"[..]), &b"value"[..]));
    }

    #[test]
    fn headers_lie_behind_the_value_and_an_ordinary_record_has_none() {
        let (mut arena, mut block) = (Vec::new(), Vec::new());
        headers::push(&mut block, b"name", Some(b"value"));
        let block = HeaderBlock::new(&block);
        let spans = [Some(&b"k"[..]), None].map(|key| {
            let ordinary = Span::append(&mut arena, key, b"1");
            let span = Span::append(&mut arena, key, b"2").and_headers(&mut arena, block);
            (ordinary.and_headers(&mut arena, HeaderBlock::NONE), span)
        });
        for (ordinary, span) in spans {
            assert!(ordinary.headers(&arena).is_empty() && ordinary.headers_len() == 0);
            assert_eq!((ordinary.value(&arena), span.value(&arena)), (&b"1"[..], &b"2"[..]));
            assert_eq!((span.headers(&arena), span.headers_len()), (block, block.as_bytes().len()));
        }
    }

    #[test]
    fn a_record_that_was_cut_knows_how_long_it_was_also_as_a_copy() {
        let mut arena = b"before".to_vec();
        let cut = Span::append_cut(&mut arena, Some(b"long key"), b"long value", 5);
        let null = Span::append_cut(&mut arena, None, b"value", 3);
        let whole = Span::append(&mut arena, Some(b"k"), b"v");
        let mut other = b"another".to_vec();
        let copies = [cut, null, whole].map(|span| span.copy(&arena, &mut other));
        for (spans, arena) in [([cut, null, whole], &arena), (copies, &other)] {
            let read = spans.map(|span| (span.key(arena), span.value(arena), span.lengths(arena)));
            let expected: [(Option<&[u8]>, &[u8], _); 3] = [
                (Some(b"long "), b"long ", (8, 10)),
                (None, b"val", (0, 5)),
                (Some(b"k"), b"v", (1, 1)),
            ];
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn headers_lie_behind_the_lengths_of_a_record_that_was_cut() {
        let (mut arena, mut block) = (Vec::new(), Vec::new());
        headers::push(&mut block, b"name", Some(b"value"));
        let block = HeaderBlock::new(&block);
        let span = Span::append_cut(&mut arena, Some(b"key"), b"long value", 4);
        let span = span.and_headers(&mut arena, block);
        Span::append(&mut arena, None, b"next");
        let mut other = b"another".to_vec();
        let copy = span.copy(&arena, &mut other);
        for (span, arena) in [(span, &arena), (copy, &other)] {
            assert_eq!((span.key(arena), span.value(arena)), (Some(&b"key"[..]), &b"long"[..]));
            assert_eq!((span.lengths(arena), span.headers(arena)), ((3, 10), block));
        }
    }
}
