//! Unescapes JSON strings in the raw text.
//!
//! Pure, without allocation. The router uses it on values that are not validated yet, so every
//! function accepts any bytes; an invalid escape yields `None` or `false`.

/// Passes the unescaped pieces of a raw string (the bytes between its quotes) to `piece`, until
/// that returns false. `None` on an invalid escape, also on half of a surrogate pair.
pub(crate) fn unescape(raw: &[u8], mut piece: impl FnMut(&[u8]) -> bool) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        if !plain.is_empty() && !piece(plain) {
            return Some(());
        }
        let (character, length) = decode_escape(escape)?;
        if !piece(character.encode_utf8(&mut [0; 4]).as_bytes()) {
            return Some(());
        }
        rest = &escape[length..];
    }
    if !rest.is_empty() {
        piece(rest);
    }
    Some(())
}

/// Whether a raw string is `expected` after unescaping.
pub(crate) fn equals(raw: &[u8], expected: &[u8]) -> bool {
    let mut missing = Some(expected);
    let valid = unescape(raw, |piece| {
        missing = missing.and_then(|missing| missing.strip_prefix(piece));
        missing.is_some()
    });
    valid.is_some() && missing.is_some_and(<[u8]>::is_empty)
}

/// Decodes the escape that `text` begins with: returns the character and the length of the escape.
pub(super) fn decode_escape(text: &[u8]) -> Option<(char, usize)> {
    let simple = match text.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return decode_unicode_escape(text),
        _ => return None,
    };
    Some((simple, 2))
}

fn decode_unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    let unit = unicode_unit(text)?;
    if let Some(character) = char::from_u32(unit) {
        return Some((character, UNIT_BYTES));
    }
    let low = unicode_unit(text.get(UNIT_BYTES..)?)?;
    if !(0xd800..0xdc00).contains(&unit) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let code_point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    Some((char::from_u32(code_point)?, 2 * UNIT_BYTES))
}

/// Bytes of one `\uXXXX`.
pub(super) const UNIT_BYTES: usize = 6;

/// The number in a `\uXXXX` at the beginning of `text`.
pub(super) fn unicode_unit(text: &[u8]) -> Option<u32> {
    let digits = text.get(..UNIT_BYTES)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescaped(raw: &[u8]) -> Option<String> {
        let mut all = Vec::new();
        unescape(raw, |piece| {
            all.extend_from_slice(piece);
            true
        })?;
        Some(String::from_utf8(all).expect("UTF-8 in, UTF-8 out"))
    }

    #[test]
    fn known_escapes() {
        let text = unescaped(br#"a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00z"#);
        assert_eq!(text.as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\té😀z"));
        for bad in [r"\", r"\x", r"\u12", r"\u12g4", r"\ud83d", r"\ud83dx", r"\ud83d\n"] {
            assert_eq!(unescaped(bad.as_bytes()), None, "{bad}");
        }
        for bad in [r"\ude00", r"\ud83d\ud83d", r"\ud83d\u0041", r"\u+123", r"\ud83d\u"] {
            assert_eq!(unescaped(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn comparison_is_of_the_whole_text() {
        assert!(equals(br"us\u0065r_id", b"user_id"));
        assert!(!equals(br"us\u0065r_i", b"user_id"));
        assert!(!equals(br"us\u0065r_idx", b"user_id"));
        assert!(!equals(br"user_id\q", b"user_id"));
        assert!(equals(b"", b""));
    }

    /// Contents of a string: plain characters, escapes good and bad, surrogates alone and in pairs.
    const RAW: &str = concat!(
        r#"([a-z é😀]|\\["\\/bfnrtu0q]|\\u[0-9a-fA-F]{4}"#,
        r"|\\ud8[0-9]{2}\\ud[cde]00){0,8}"
    );

    proptest! {
        #[test]
        fn agrees_with_serde_json(raw in RAW) {
            let expected = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            prop_assert_eq!(unescaped(raw.as_bytes()), expected.clone());
            if let Some(text) = expected {
                prop_assert!(equals(raw.as_bytes(), text.as_bytes()));
                let longer = format!("{text}x");
                prop_assert!(!equals(raw.as_bytes(), longer.as_bytes()));
            }
        }
    }
}
