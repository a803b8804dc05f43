//! The judge's JSON reader: it keeps every field's own text and duplicate keys, and has a canonical
//! form in which two texts with the same JSON value are the same bytes.
//!
//! In:  JSON text. Out: fields, depth, canonical bytes, hashes of them.
//! Holds: objects are equal whatever the order of their keys; `1e3`, `1000` and `1000.0` are equal
//! numbers; whole numbers keep all their digits.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher as _, Hasher as _},
};

use foldhash::quality::FixedState;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text of a string after unescaping. It is UTF-8, except that half of a surrogate pair
/// (`\ud83d` alone, which JSON's grammar allows) keeps the three bytes that UTF-8 would give it.
type Text<'a> = Cow<'a, [u8]>;

/// The fields of an object as they were written, in order, with duplicates.
pub(crate) struct Fields<'a>(pub(crate) Vec<(Text<'a>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads the outermost object of a text.
    pub(crate) fn read(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = Vec::with_capacity(12);
                while let Some((Unescaped(key), value)) = map.next_entry()? {
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads a string as bytes, which is the only way in which `serde_json` accepts half a surrogate
/// pair.
struct Unescaped<'a>(Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Unescaped<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Unescaped<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Unescaped<'de>, E> {
                Ok(Unescaped(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Unescaped<'de>, E> {
                Ok(Unescaped(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Reader)
    }
}

/// Whether the whole text is JSON by the grammar of RFC 8259.
pub(crate) fn is_valid(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The string in a JSON text; an error if the text is something else.
pub(crate) fn string(text: &str) -> serde_json::Result<Text<'_>> {
    serde_json::from_str::<Unescaped<'_>>(text).map(|text| text.0)
}

/// A text with U+FFFD in place of each half of a surrogate pair.
pub(crate) fn readable(text: Text<'_>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| replaced(bytes), Into::into)
        }
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(error) => Cow::Owned(replaced(error.as_bytes()).into_owned()),
        },
    }
}

fn replaced(bytes: &[u8]) -> Cow<'static, str> {
    let mut bytes = bytes.to_vec();
    for at in 2..bytes.len() {
        if bytes[at - 2] == 0xed && bytes[at - 1] >= 0xa0 {
            bytes[at - 2..=at].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// How deep arrays and objects are nested in a JSON text: 0 for a scalar, 1 for `{}`.
pub(crate) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Appends the canonical form of a JSON text. The caller must bound its nesting.
pub(crate) fn canonical(text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match text.as_bytes().first() {
        Some(b'{') => {
            let Fields(fields) = Fields::read(text)?;
            out.push(b'{');
            canonical_fields(fields, out)?;
            out.push(b'}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push(b'[');
            for item in items {
                canonical(item.get(), out)?;
            }
            out.push(b']');
        }
        Some(b'"') => push_string(&string(text)?, out),
        Some(b't' | b'f' | b'n') => out.extend_from_slice(text.as_bytes()),
        Some(_) => push_number(text, out)?,
        None => return Err(serde_json::Error::custom("an empty text")),
    }
    Ok(())
}

/// Appends the canonical form of an object's fields: sorted by key, the last of each key.
pub(crate) fn canonical_fields(
    mut fields: Vec<(Text<'_>, &RawValue)>,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    // The sort is stable: the last of equal keys stays last.
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    for (index, (key, value)) in fields.iter().enumerate() {
        if fields.get(index + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        push_string(key, out);
        canonical(value.get(), out)?;
    }
    Ok(())
}

/// Writes the length first, so that no two lists of strings give the same bytes.
fn push_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

/// Writes whole numbers as digits, and others as the nearest double; as digits again if that is
/// whole.
fn push_number(text: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    out.push(b'#');
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        out.extend_from_slice(if text == "-0" { b"0" } else { text.as_bytes() });
    } else {
        let number: f64 = text.parse().map_err(serde_json::Error::custom)?;
        if number.fract() == 0.0 && number.abs() < (1_u64 << 53) as f64 {
            out.extend_from_slice((number as i64).to_string().as_bytes());
        } else {
            out.push(b'~');
            out.extend_from_slice(&number.to_bits().to_le_bytes());
        }
    }
    out.push(b';');
    Ok(())
}

/// Hash of bytes: the same in every run; its 128 bits make a collision of records unlikely.
pub(crate) fn hash(bytes: &[u8]) -> u128 {
    let half = |seed| {
        let mut hasher = FixedState::with_seed(seed).build_hasher();
        hasher.write(bytes);
        hasher.write_usize(bytes.len());
        hasher.finish()
    };
    (u128::from(half(0x6c6f_6164)) << 64) | u128::from(half(0x6a75_6467))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        canonical(text, &mut out).expect("valid JSON");
        out
    }

    #[test]
    fn the_same_value_has_one_form() {
        for (one, other) in [
            (r#"{"a": 1, "b": [1, 2]}"#, r#"{"b":[1,2],"a":1}"#),
            (r#""\u00e9\n""#, "\"é\\n\""),
            (r#"{"\u0061": null}"#, r#"{"a": null}"#),
            ("1e3", "1000.0"),
            ("1000", "1000.0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            (r#"{"a": 1, "a": 2}"#, r#"{"a": 2}"#),
        ] {
            assert_eq!(form(one), form(other), "{one} and {other}");
        }
    }

    #[test]
    fn different_values_have_different_forms() {
        let texts = [
            "1",
            "2",
            "\"1\"",
            "true",
            "null",
            "[]",
            "{}",
            "[1]",
            "[[1]]",
            "[1,2]",
            "[12]",
            "\"\"",
            "\"a\"",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"b":1}"#,
            r#"["a","b"]"#,
            r#"["ab"]"#,
            "0.1",
            "9007199254740993",
            "9007199254740992",
            "18446744073709551615",
            "1e300",
        ];
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[index + 1..] {
                assert_ne!(form(one), form(other), "{one} and {other}");
                assert_ne!(hash(&form(one)), hash(&form(other)), "{one} and {other}");
            }
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_a_text_of_its_own() {
        assert!(is_valid(r#"["\ud83d"]"#));
        assert_ne!(form(r#""\ud83d""#), form(r#""\ud83e""#));
        assert_ne!(form(r#""\ud83d""#), form(r#""\ufffd""#));
        assert_eq!(form(r#"{"\ud83d\ude00": 1}"#), form(r#"{"😀": 1}"#));
        let text = |json| readable(string(json).expect("a string")).into_owned();
        assert_eq!(text(r#""\ud83d""#), "\u{fffd}");
        assert_eq!(text(r#""é\ud83d\ude00\udc00\ud800x""#), "é😀\u{fffd}\u{fffd}x");
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (text, expected) in [
            ("1", 0),
            ("{}", 1),
            (r#"{"a": [1, {"b": 2}], "c": []}"#, 3),
            (r#"{"a": "[[[[\"[[{{"}"#, 1),
            (r#"{"a\\": [[]]}"#, 3),
        ] {
            assert_eq!(depth(text), expected, "{text}");
        }
    }
}
