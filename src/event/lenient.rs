//! Prepares JSON that the SIMD parser rejects although RFC 8259 allows it. Pure, off the fast path.
//!
//! The parser computes every number and decodes every string, and fails at an integer beyond 64
//! bits, a number beyond f64 and half a surrogate pair; Python writes all three. Such a token in a
//! field without meaning here must not reject the event. [`blunt`] replaces each, in a copy, by a
//! harmless one of the same length, so that all positions stay valid; values are then read from the
//! raw text.
//! Holds: an invalid text stays invalid.

use super::text;

/// Length from which a plain integer may not fit into 64 bits: 2^63 has 19 digits.
const LONG_NUMBER_BYTES: usize = 19;

/// Replaces the tokens that the parser fails at. Returns whether there were any.
pub(super) fn blunt(text: &mut [u8]) -> bool {
    let mut changed = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at = match byte {
            b'"' => blunt_string(text, at + 1, &mut changed),
            b'-' | b'0'..=b'9' => blunt_number(text, at, &mut changed),
            _ => at + 1,
        };
    }
    changed
}

/// Handles the string whose content starts at `at`; returns where it ends.
fn blunt_string(text: &mut [u8], mut at: usize, changed: &mut bool) -> usize {
    while let Some(offset) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += offset;
        let here = &text[at..];
        if here[0] == b'"' {
            return at + 1;
        }
        at += match text::decode_escape(here) {
            Some((_, length)) => length,
            None if text::unicode_unit(here).is_some() => {
                text[at..at + text::UNIT_BYTES].copy_from_slice(br"\ufffd");
                *changed = true;
                text::UNIT_BYTES
            }
            // This is not JSON; the second attempt will reject it as well.
            None => return text.len(),
        };
    }
    text.len()
}

/// Handles the number that may start at `at`; returns where to continue.
fn blunt_number(text: &mut [u8], at: usize, changed: &mut bool) -> usize {
    let starts_token = at == 0 || is_delimiter(text[at - 1]);
    let Some(length) = number_length(&text[at..]).filter(|_| starts_token) else {
        return at + 1;
    };
    let end = at + length;
    if text.get(end).is_some_and(|byte| !is_delimiter(*byte)) {
        return end;
    }
    let token = &mut text[at..end];
    if length >= LONG_NUMBER_BYTES || token.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        token.fill(b' ');
        token[0] = b'0';
        *changed = true;
    }
    end
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'[' | b']' | b'{' | b'}')
}

/// Length of the JSON number (RFC 8259 section 6) that `text` begins with.
fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    at += match (text.get(at)?, digits(at)) {
        (b'0', _) => 1,
        (_, 0) => return None,
        (_, count) => count,
    };
    if text.get(at) == Some(&b'.') {
        let count = digits(at + 1);
        if count == 0 {
            return None;
        }
        at += 1 + count;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let count = digits(at);
        if count == 0 {
            return None;
        }
        at += count;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blunted(text: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        blunt(&mut bytes).then(|| String::from_utf8(bytes).expect("ASCII for ASCII"))
    }

    #[test]
    fn only_what_the_parser_cannot_hold_is_replaced() {
        assert_eq!(blunted(r#"{"a":1.5,"b":"1e400","c":-12}"#), None);
        assert_eq!(blunted("[1e400,2]").as_deref(), Some("[0    ,2]"));
        assert_eq!(blunted("-123456789012345678901").as_deref(), Some("0                     "));
        assert_eq!(blunted(r#""\ud83d\ude00\ud83d""#).as_deref(), Some(r#""\ud83d\ude00\ufffd""#));
        assert_eq!(blunted(r#""\\ud83d""#), None);
    }

    #[test]
    fn what_is_no_token_stays() {
        for text in ["--1e400", "1e400x", "01e400", "x1e400", "1.e400", "1e", "-", r#""\ud8"#] {
            assert_eq!(blunted(text), None, "{text}");
        }
    }
}
