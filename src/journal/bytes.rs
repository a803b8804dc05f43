//! The numbers, texts and options that the journal's values are made of. Pure.
//!
//! Unsigned numbers are LEB128, signed ones in zigzag before; both as postcard writes them, which
//! is what the counts of a window are stored with.
//! Holds: equal content gives equal bytes. A reader takes only what a writer writes: the shortest
//! form of a number, 0 or 1 as a flag. It allocates nothing but the texts it returns.

/// Bits of a number in one byte; the eighth says that more follow.
const BITS: u32 = 7;

/// What is wrong with a value, as the end of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw(pub(super) String);

/// That this is what is wrong.
pub(super) fn flaw<T>(what: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw(what.into()))
}

/// Appends to a value.
#[derive(Debug, Default)]
pub(super) struct ByteWriter(Vec<u8>);

impl ByteWriter {
    /// What was written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    pub(super) fn unsigned(&mut self, mut number: u64) {
        while number >> BITS != 0 {
            self.byte(number as u8 | 1 << BITS);
            number >>= BITS;
        }
        self.byte(number as u8);
    }

    pub(super) fn signed(&mut self, number: i64) {
        self.unsigned((number << 1 ^ number >> (i64::BITS - 1)) as u64);
    }

    /// Bytes whose number the reader knows.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.raw(text.as_bytes());
    }

    /// 1 and the content, or 0.
    pub(super) fn option<T>(&mut self, content: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(content.is_some());
        if let Some(content) = content {
            write(self, content);
        }
    }
}

/// Takes a value apart from its first byte on.
#[derive(Debug)]
pub(super) struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// All has been read.
    pub(super) fn finish(self) -> Result<(), Flaw> {
        match self.0 {
            [] => Ok(()),
            rest => flaw(format!("has {} bytes left over", rest.len())),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Flaw> {
        let [byte] = self.raw()?;
        Ok(byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Flaw> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => flaw(format!("has {other} where 0 or 1 was expected")),
        }
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, Flaw> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(BITS as usize) {
            let byte = self.byte()?;
            let bits = u64::from(byte & !(1 << BITS));
            let is_last = byte == byte & !(1 << BITS);
            if bits << shift >> shift != bits || (is_last && bits == 0 && shift > 0) {
                break;
            }
            number |= bits << shift;
            if is_last {
                return Ok(number);
            }
        }
        flaw("has a number that is too large or not in its shortest form")
    }

    pub(super) fn signed(&mut self) -> Result<i64, Flaw> {
        let number = self.unsigned()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// An unsigned number of fewer bits, or in a smaller range.
    pub(super) fn number<T: TryFrom<u64>>(&mut self) -> Result<T, Flaw> {
        let number = self.unsigned()?;
        T::try_from(number).or_else(|_| flaw(format!("has a number that is too large, {number}")))
    }

    pub(super) fn raw<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let Some((bytes, rest)) = self.0.split_first_chunk() else {
            return flaw("ends too early");
        };
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Flaw> {
        let len = self.unsigned()?;
        let split = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let Some((bytes, rest)) = split else { return flaw("ends too early") };
        self.0 = rest;
        str::from_utf8(bytes).or_else(|_| flaw("has a text that is not UTF-8"))
    }

    /// What is stored by serde, in postcard's form.
    pub(super) fn stored<T: serde::Deserialize<'a>>(&mut self) -> Result<T, Flaw> {
        let read = postcard::take_from_bytes(self.0);
        let (content, rest) = read.or_else(|error| flaw(format!("cannot be decoded: {error}")))?;
        self.0 = rest;
        Ok(content)
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Flaw>,
    ) -> Result<Option<T>, Flaw> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back_and_are_postcard_s(unsigned: u64, signed: i64, few in 0..300_u64) {
            let mut writer = ByteWriter::default();
            writer.unsigned(unsigned);
            writer.signed(signed);
            writer.unsigned(few);
            let bytes = writer.finish();
            let postcard = postcard::to_stdvec(&(unsigned, signed, few)).expect("writes");
            prop_assert_eq!(&bytes, &postcard);
            let mut reader = ByteReader::new(&bytes);
            prop_assert_eq!(reader.unsigned(), Ok(unsigned));
            prop_assert_eq!(reader.signed(), Ok(signed));
            prop_assert_eq!(reader.unsigned(), Ok(few));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        /// Whatever is accepted is what a writer writes.
        #[test]
        fn a_number_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut reader = ByteReader::new(&bytes);
            if let Ok(number) = reader.unsigned() {
                let mut writer = ByteWriter::default();
                writer.unsigned(number);
                writer.raw(reader.rest());
                prop_assert_eq!(writer.finish(), bytes);
            }
        }
    }

    #[test]
    fn the_ends_of_the_numbers_come_back_and_what_lies_behind_is_refused() {
        let mut writer = ByteWriter::default();
        for number in [i64::MIN, -1, 0, 1, i64::MAX] {
            writer.signed(number);
        }
        let bytes = writer.finish();
        let mut reader = ByteReader::new(&bytes);
        let read = std::iter::repeat_with(|| reader.signed()).take(5);
        let read = read.collect::<Result<Vec<_>, _>>().expect("as written");
        assert_eq!(read, [i64::MIN, -1, 0, 1, i64::MAX]);

        let of = |bytes: &[u8]| ByteReader::new(bytes).unsigned();
        let mut longest = [0xff; 10];
        longest[9] = 1;
        assert_eq!(of(&longest), Ok(u64::MAX));
        longest[9] = 2;
        for refused in [&longest[..], &[0x80, 0], &[0xff; 11], &[0x80], &[]] {
            assert!(of(refused).is_err(), "{refused:x?}");
        }
    }

    #[test]
    fn a_text_longer_than_the_value_is_refused_without_room_for_it() {
        for bytes in [&[0xff, 0xff, 0xff, 0x7f, b'a'][..], &[2, b'a'], &[1, 0xff]] {
            assert!(ByteReader::new(bytes).text().is_err(), "{bytes:x?}");
        }
    }
}
