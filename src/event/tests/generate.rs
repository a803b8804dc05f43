//! Random login events: what they say, and one of the many ways to write it.

use std::fmt::Write;

use proptest::{prelude::*, sample::select};
use serde_json::Value;

use crate::event::{ADDED_FIELDS, Field};

/// A JSON value; numbers as they are written.
#[derive(Debug, Clone)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(&'static str),
    Integer(u64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A generated event.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    /// Its members in order.
    pub(crate) members: Vec<(String, Json)>,
    /// What its timestamp means, milliseconds.
    pub(crate) time_ms: i64,
    /// How it is written.
    pub(crate) text: String,
}

impl Json {
    /// As another parser sees it.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(text) => serde_json::from_str(text).expect("a number within f64"),
            Self::Integer(number) => (*number).into(),
            Self::String(text) => text.as_str().into(),
            Self::Array(items) => items.iter().map(Self::to_value).collect(),
            Self::Object(members) => {
                members.iter().map(|(key, value)| (key.clone(), value.to_value())).collect()
            }
        }
    }
}

/// Numbers of every form that an f64 can hold.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "0.0",
    "-1",
    "1.5",
    "-12.25e3",
    "1E5",
    "1e-7",
    "0e0",
    "123456789012345678",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e308",
    "2.5E+10",
    "0.1234567890123456789",
    "123456789012345678901234567890.5",
    "5e-324",
    "1e-400",
];

/// Strings that look like structure, need escapes, or are long.
const STRINGS: &[&str] = &[
    "",
    "x",
    "2.3.0",
    "android",
    "CA",
    "199.172.111.135",
    "::1",
    "999.1.1.1",
    "}",
    "{\"a\": [",
    "\"",
    "\\",
    "\\\"",
    "a,b: c",
    "é",
    "😀\u{10ffff}",
    "\u{0}\u{1f}\u{7f}",
    "\n\t",
    "\u{2028}",
    "null",
    "unknown",
    "a string that is a good deal longer than the sixty-four bytes a value may have",
];

fn string() -> BoxedStrategy<String> {
    prop_oneof![
        4 => select(STRINGS).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[a-z\"\\\\{}\\[\\],: ]{0,12}",
    ]
    .boxed()
}

fn unknown_key() -> BoxedStrategy<String> {
    let known = |key: &String| {
        Field::ALL.map(Field::name).contains(&key.as_str()) || ADDED_FIELDS.contains(&key.as_str())
    };
    let near = select(&["user_i", "user_idx", "USER_ID", "timestam", "hour_of_da", "i"][..]);
    prop_oneof![3 => string(), 1 => near.prop_map(str::to_owned)]
        .prop_filter("not a known field", move |key| !known(key))
        .boxed()
}

fn scalar() -> BoxedStrategy<Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        select(NUMBERS).prop_map(Json::Number),
        any::<u64>().prop_map(Json::Integer),
        string().prop_map(Json::String),
    ]
    .boxed()
}

fn nested() -> BoxedStrategy<Json> {
    scalar()
        .prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
                prop::collection::vec((string(), inner), 0..4).prop_map(Json::Object),
            ]
        })
        .boxed()
}

/// A timestamp in one of its forms, and its milliseconds.
fn timestamp() -> BoxedStrategy<(Json, i64)> {
    (946_684_800_000i64..1_730_555_820_000, 0..7)
        .prop_map(|(ms, form)| {
            let (seconds, fraction) = (ms / 1000, ms % 1000);
            let time = jiff::Timestamp::from_millisecond(ms).expect("a time in this century");
            match form {
                0 => (Json::Integer(seconds as u64), seconds * 1000),
                1 => (Json::Integer(ms as u64), ms),
                2 => (Json::String(seconds.to_string()), seconds * 1000),
                3 => (Json::String(ms.to_string()), ms),
                4 => (Json::String(format!("{seconds}.{fraction:03}999")), ms),
                5 => (Json::String(format!("{ms}e-3")), ms),
                _ => (Json::String(time.to_string()), ms),
            }
        })
        .boxed()
}

/// The value of an optional field that is no hard error; often none at all.
fn optional(field: Field) -> BoxedStrategy<Option<(String, Json)>> {
    prop_oneof![2 => Just(None), 8 => scalar().prop_map(Some)]
        .prop_map(move |value| value.map(|value| (field.name().to_owned(), value)))
        .boxed()
}

/// Members of a valid event, with its time.
fn members() -> BoxedStrategy<(Vec<(String, Json)>, i64)> {
    let user_id = string()
        .prop_filter("not empty", |text| !text.is_empty())
        .prop_map(|text| ("user_id".to_owned(), Json::String(text)));
    let others = Field::OPTIONAL.map(optional);
    let added = (select(&ADDED_FIELDS[..]), nested()).prop_map(|(k, v)| (k.to_owned(), v));
    let added = prop_oneof![3 => Just(vec![]), 1 => prop::collection::vec(added, 1..3)];
    let unknown = prop::collection::vec((unknown_key(), nested()), 0..4);
    (user_id, timestamp(), others, added, unknown)
        .prop_flat_map(|(user_id, (timestamp, time_ms), others, added, unknown)| {
            let mut members = vec![user_id, ("timestamp".to_owned(), timestamp)];
            members.extend(others.into_iter().flatten());
            members.extend(added);
            members.extend(unknown);
            (Just(members).prop_shuffle(), Just(time_ms))
        })
        .boxed()
}

/// Any valid event.
pub(crate) fn event() -> BoxedStrategy<Generated> {
    (members(), prop::collection::vec(any::<u8>(), 0..64))
        .prop_map(|((members, time_ms), choices)| {
            let text = Writer::new(&choices).document(&members);
            Generated { members, time_ms, text }
        })
        .boxed()
}

/// A valid event's text with some bytes changed: often almost JSON.
pub(crate) fn mutated() -> BoxedStrategy<Vec<u8>> {
    let bytes = select(&b"\"\\{}[]:,0-9eE.u \t\n\x00\x1f\x80\xc3\xff"[..]);
    let change = (any::<prop::sample::Index>(), 0..4u8, bytes);
    (event(), prop::collection::vec(change, 1..5))
        .prop_map(|(event, changes)| {
            let mut bytes = event.text.into_bytes();
            for (index, kind, byte) in changes {
                let at = index.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 if bytes.len() > 1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            bytes
        })
        .boxed()
}

/// JSON's tokens in any order, also those that parsers tend to get wrong.
pub(crate) fn tokens() -> BoxedStrategy<String> {
    let token = select(
        &[
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            " ",
            "\n",
            "\"",
            "\\",
            "\"a\"",
            "\"user_id\":\"u\",",
            "\"timestamp\":1694479551",
            "true",
            "false",
            "null",
            "nul",
            "1",
            "-",
            "01",
            "1.",
            "1e5",
            "1e999",
            "-1e999",
            "123456789012345678901",
            "--1e999",
            "\\ud83d",
            "\\ude00",
            "\"\\ud83d\"",
            "\"\\ud83d\\ude00\"",
            "\\u12",
            "é",
            "\u{b}",
            "\u{c}",
            "\u{a0}",
            "\u{feff}",
            "NaN",
        ][..],
    );
    prop_oneof![
        prop::collection::vec(token.clone(), 0..12).prop_map(|all| all.concat()),
        prop::collection::vec(token, 0..8)
            .prop_map(|all| format!(r#"{{"user_id":"u","timestamp":1,"x":{}}}"#, all.concat())),
    ]
    .boxed()
}

/// Writes JSON with whitespace and escapes as the choices say; plainly when they are used up.
struct Writer<'a> {
    choices: std::slice::Iter<'a, u8>,
    out: String,
}

impl<'a> Writer<'a> {
    fn new(choices: &'a [u8]) -> Self {
        Self { choices: choices.iter(), out: String::new() }
    }

    fn document(mut self, members: &[(String, Json)]) -> String {
        self.space();
        self.object(members);
        self.space();
        self.out
    }

    fn choose(&mut self) -> u8 {
        self.choices.next().copied().unwrap_or(0)
    }

    fn space(&mut self) {
        let space = ["", "", " ", " ", "\n", "\t \r\n"];
        let choice = usize::from(self.choose()) % space.len();
        self.out.push_str(space[choice]);
    }

    fn object(&mut self, members: &[(String, Json)]) {
        self.out.push('{');
        self.space();
        for (index, (key, value)) in members.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
                self.space();
            }
            self.string(key);
            self.space();
            self.out.push(':');
            self.space();
            self.value(value);
            self.space();
        }
        self.out.push('}');
    }

    fn value(&mut self, value: &Json) {
        match value {
            Json::Null => self.out.push_str("null"),
            Json::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Json::Number(text) => self.out.push_str(text),
            Json::Integer(number) => self.out.push_str(&number.to_string()),
            Json::String(text) => self.string(text),
            Json::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.space();
                    self.value(item);
                    self.space();
                }
                self.out.push(']');
            }
            Json::Object(members) => self.object(members),
        }
    }

    fn string(&mut self, text: &str) {
        let escape_all = self.choose() % 4 == 3;
        self.out.push('"');
        for character in text.chars() {
            if escape_all {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    write!(self.out, "\\u{unit:04x}").expect("a String takes all");
                }
                continue;
            }
            match character {
                '"' | '\\' => self.out.extend(['\\', character]),
                '\n' => self.out.push_str("\\n"),
                '\0'..='\u{1f}' => {
                    let unit = character as u32;
                    write!(self.out, "\\u{unit:04X}").expect("a String takes all");
                }
                _ => self.out.push(character),
            }
        }
        self.out.push('"');
    }
}
