//! The headers of a record as a block of bytes that follows key and value in an arena. Pure.
//!
//! In:  names and values in their order. Out: a block; the same headers again.
//! Holds: a block is at least as long as its headers are in a record batch. Of an input record's
//! headers with the prefix `logintide.` only those of [`Travelling`] are kept.
#![forbid(unsafe_code)]

/// Prefix of the names that this program uses.
const OWN_PREFIX: &[u8] = b"logintide.";

/// How often `logintide redrive` has put the record into the input, a decimal number.
pub const REDRIVEN: &str = "logintide.redriven";

/// How many bytes of headers were left out, or `unreadable`.
pub const DROPPED: &str = "logintide.headers_dropped";

/// Value of [`DROPPED`] for headers that the client library could not read.
const UNREADABLE: &[u8] = b"unreadable";

/// Length that stands for a null value.
const NULL: u32 = u32::MAX;

/// Bytes in front of a header: the lengths of its name and its value.
const LENGTHS_BYTES: usize = 2 * size_of::<u32>();

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name's bytes, mostly UTF-8.
    pub name: &'a [u8],
    /// The value's bytes; `None` where it is null.
    pub value: Option<&'a [u8]>,
}

impl Header<'_> {
    /// Whether the name is one of this program's.
    pub fn is_own(&self) -> bool {
        self.name.starts_with(OWN_PREFIX)
    }

    /// Bytes of name and value.
    pub fn bytes(&self) -> usize {
        self.name.len() + self.value.map_or(0, <[u8]>::len)
    }
}

/// Headers, one after the other; empty for an ordinary record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeaderBlock<'a>(&'a [u8]);

impl<'a> HeaderBlock<'a> {
    /// No headers.
    pub const NONE: Self = Self(&[]);

    /// A block of bytes that [`push`] has written.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether there are no headers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The block itself.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The headers in their order.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let name_len = length(&mut rest)?;
            let value_len = length(&mut rest)?;
            let name = rest.split_off(..name_len as usize)?;
            if value_len == NULL {
                return Some(Header { name, value: None });
            }
            Some(Header { name, value: Some(rest.split_off(..value_len as usize)?) })
        })
    }
}

fn length(rest: &mut &[u8]) -> Option<u32> {
    rest.split_off(..size_of::<u32>())?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Appends one header to a block at the end of `arena`.
pub fn push(arena: &mut Vec<u8>, name: &[u8], value: Option<&[u8]>) {
    let value_len = value.map_or(NULL, |value| value.len() as u32);
    arena.extend_from_slice(&(name.len() as u32).to_le_bytes());
    arena.extend_from_slice(&value_len.to_le_bytes());
    arena.extend_from_slice(name);
    arena.extend_from_slice(value.unwrap_or_default());
}

/// The facts that stay with a record through every topic, whatever happens to its other headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Travelling {
    /// How often the record was put into the input again.
    pub redriven: u8,
    /// Headers that were left out.
    pub dropped: Option<Dropped>,
}

/// Headers that were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// Names and values of so many bytes.
    Bytes(u64),
    /// The client library could not read them.
    Unreadable,
}

impl Travelling {
    /// Copies the headers that are not this program's to the end of `arena`, and returns what it
    /// read from those that are; [`Self::append`] has to follow. When they have more than
    /// `most_bytes`, none of them is kept.
    pub fn copy<'a>(
        headers: impl Iterator<Item = Header<'a>>,
        arena: &mut Vec<u8>,
        most_bytes: usize,
    ) -> Self {
        let mut travelling = Self::default();
        let (start, mut total, mut fits) = (arena.len(), 0, true);
        for header in headers {
            if header.is_own() {
                travelling.note(&header);
                continue;
            }
            total += header.bytes() as u64;
            fits &= arena.len() - start + LENGTHS_BYTES + header.bytes() <= most_bytes;
            if fits {
                push(arena, header.name, header.value);
            }
        }
        if !fits {
            arena.truncate(start);
            travelling.dropped = Some(Dropped::Bytes(total));
        }
        travelling
    }

    /// Reads it from the headers in a block.
    pub fn of(block: HeaderBlock<'_>) -> Self {
        let mut travelling = Self::default();
        block.iter().filter(Header::is_own).for_each(|header| travelling.note(&header));
        travelling
    }

    fn note(&mut self, header: &Header<'_>) {
        if header.name == REDRIVEN.as_bytes() {
            self.redriven = redriven_count(header.value);
        } else if header.name == DROPPED.as_bytes() {
            let bytes = header.value.and_then(number);
            self.dropped = Some(bytes.map_or(Dropped::Unreadable, Dropped::Bytes));
        }
    }

    /// Appends its headers, if it has any, to a block at the end of `arena`.
    pub fn append(&self, arena: &mut Vec<u8>) {
        if self.redriven > 0 {
            push(arena, REDRIVEN.as_bytes(), Some(self.redriven.to_string().as_bytes()));
        }
        match self.dropped {
            None => {}
            Some(Dropped::Unreadable) => push(arena, DROPPED.as_bytes(), Some(UNREADABLE)),
            Some(Dropped::Bytes(bytes)) => {
                push(arena, DROPPED.as_bytes(), Some(bytes.to_string().as_bytes()));
            }
        }
    }
}

/// How often a record was redriven, going by the header's value; `None` without the header.
pub fn redriven_count(value: Option<&[u8]>) -> u8 {
    let Some(value) = value else { return 0 };
    // Any other value still says that the record was redriven.
    number(value).map_or(1, |number| number.min(u64::from(u8::MAX)) as u8)
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    type Pair = (Vec<u8>, Option<Vec<u8>>);

    fn headers(pairs: &[Pair]) -> impl Iterator<Item = Header<'_>> {
        pairs.iter().map(|(name, value)| Header { name, value: value.as_deref() })
    }

    fn pair(name: &str, value: &str) -> Pair {
        (name.into(), Some(value.into()))
    }

    /// The block that an input record with these headers gets.
    fn kept(pairs: &[Pair], most_bytes: usize) -> Vec<Pair> {
        let mut arena = b"before".to_vec();
        Travelling::copy(headers(pairs), &mut arena, most_bytes).append(&mut arena);
        let block = HeaderBlock::new(&arena[b"before".len()..]);
        block.iter().map(|h| (h.name.to_vec(), h.value.map(<[u8]>::to_vec))).collect()
    }

    #[test]
    fn a_mark_that_is_no_number_counts_as_one() {
        let counts = [None, Some(&b"2"[..]), Some(b"300"), Some(b"x"), Some(b"")];
        assert_eq!(counts.map(redriven_count), [0, 2, 255, 1, 1]);
    }

    #[test]
    fn names_of_this_program_are_not_taken_from_the_input_except_for_what_travels() {
        let input = [
            pair("logintide.redriven", "1"),
            pair("traceparent", "00-1"),
            pair("logintide.reason", "not_json"),
            pair("logintide.", ""),
            pair("traceparent", "00-2"),
            pair("logintide.redriven", "0002"),
            pair("logintide.headers_dropped", "x\u{1b}[2J"),
        ];
        let expected = [
            pair("traceparent", "00-1"),
            pair("traceparent", "00-2"),
            pair("logintide.redriven", "2"),
            pair("logintide.headers_dropped", "unreadable"),
        ];
        assert_eq!(kept(&input, 1000), expected);
    }

    #[test]
    fn headers_that_are_too_large_leave_their_size_and_what_travels() {
        let small = pair("a", "b");
        let input =
            [small.clone(), pair("large", &"x".repeat(995)), pair("logintide.redriven", "3")];
        let expected = [pair("logintide.redriven", "3"), pair("logintide.headers_dropped", "1002")];
        assert_eq!(kept(&input, 1000), expected);
        let exactly = 2 * LENGTHS_BYTES + 1002;
        assert_eq!(kept(&input, exactly)[0], small);
        assert_eq!(kept(&input, exactly - 1), expected);
        // Headers that were dropped once stay dropped.
        assert_eq!(kept(&expected, 1000), expected);
    }

    #[test]
    fn a_block_that_was_cut_ends_with_its_last_whole_header() {
        let mut arena = Vec::new();
        push(&mut arena, b"name", Some(b"value"));
        let first = arena.len();
        push(&mut arena, b"", None);
        for end in 0..arena.len() {
            let count = HeaderBlock::new(&arena[..end]).iter().count();
            assert_eq!(count, usize::from(end >= first), "{end}");
        }
        assert_eq!(HeaderBlock::new(&arena).iter().count(), 2);
    }

    proptest! {
        #[test]
        fn a_block_gives_back_names_values_and_order(
            pairs in vec((vec(any::<u8>(), 0..12), option::of(vec(any::<u8>(), 0..12))), 0..20),
        ) {
            prop_assume!(headers(&pairs).all(|header| !header.is_own()));
            prop_assert_eq!(kept(&pairs, usize::MAX), pairs);
        }

        #[test]
        fn a_block_is_at_least_as_long_as_its_headers_are_on_the_wire(
            lengths in vec((0..300_usize, option::of(0..300_usize)), 1..10),
        ) {
            // Two bytes hold a length below 8192, zigzag.
            let wire = |length: usize| length + if length < 64 { 1 } else { 2 };
            let mut block = Vec::new();
            let mut on_wire = 0;
            for (name, value) in lengths {
                push(&mut block, &vec![b'n'; name], value.map(|len| vec![0; len]).as_deref());
                on_wire += wire(name) + wire(value.unwrap_or(0));
            }
            prop_assert!(block.len() >= on_wire);
        }
    }
}
