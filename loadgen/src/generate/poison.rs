//! Writes records that must be dead-lettered: each breaks a rule of the input format.
//!
//! In:  a login to spoil, the event's own stream of numbers. Out: any bytes.
//! Holds: no record is valid, and each way of spoiling breaks only the rules that it names.

use super::{
    event::{Login, write_plain},
    odd::{self, text},
    rng::Draw,
};
use crate::rules::Broken;

/// The record that broke the script this project replaces.
pub(crate) const WRONG_MESSAGE: &str = r#"{"foo": "oops_wrong_msg_type", "bar": "123"}"#;

/// A way to spoil a record.
#[cfg_attr(not(test), expect(dead_code, reason = "the tests hold the rules against it"))]
pub(super) struct Way {
    /// Its name.
    pub(super) name: &'static str,
    write: fn(&Login, &mut Draw, &mut Vec<u8>),
    /// The rules of which it breaks one.
    pub(super) breaks: &'static [Broken],
}

impl Way {
    /// Writes a record that is spoiled in this way.
    pub(super) fn write(&self, login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
        (self.write)(login, shape, out);
    }
}

macro_rules! ways {
    ($($name:ident: $($breaks:ident)|+;)*) => {
        /// All ways; they are equally likely.
        pub(super) const WAYS: &[Way] = &[$(Way {
            name: stringify!($name),
            write: $name,
            breaks: &[$(Broken::$breaks),+],
        },)*];
    };
}

ways! {
    nothing: Empty;
    no_json: NotJson;
    another_json: NotAnObject;
    another_message: Missing;
    too_deep: TooDeep | NotJsonOrTooDeep;
    invalid_utf8: Encoding;
    known_field_twice: Duplicate;
    wrong_user: Missing | Type | Encoding;
    no_user: Missing;
    wrong_time: Missing | Type | TimeUnreadable | TimeRange;
    no_time: Missing;
    structured_optional: Type;
    no_json_value: NotJson;
    too_large: TooLarge;
    truncated: NotJson;
    truncated_odd: NotJson | Encoding;
    more_behind: NotJson;
    byte_order_mark: NotJson;
    nul_byte: NotJson;
    huge_time: TimeRange;
    random_bytes: Encoding | NotJson | NotAnObject;
    random_text: NotJson | NotAnObject;
    random_tokens: NotJson | NotJsonOrTooDeep | TooDeep | NotAnObject | Missing | Type | Duplicate;
}

const NO_JSON: &[&str] = &[
    "this is not json",
    "   \n",
    "{",
    "}",
    "{}{}",
    "\u{feff}",
    "\0",
    "nul",
    "\"open",
    "{'user_id': 'a', 'timestamp': 1694479551}",
];

const ANOTHER_JSON: &[&str] = &[
    "null",
    "true",
    "42",
    "1e400",
    "\"text\"",
    "\"\\ud83d\"",
    "[]",
    "[{\"user_id\": \"a\", \"timestamp\": 1694479551}]",
];

/// Invalid values of a required field.
const WRONG_USERS: &[&str] = &[
    "null",
    "\"\"",
    "12",
    "1e400",
    "true",
    "[]",
    "{\"id\": \"a\"}",
    "\"\\ud83d\"",
    "\"a\\udc00\"",
    "\"\\ude00\\ud83d\"",
];
const WRONG_TIMES: &[&str] = &[
    "null",
    "\"\"",
    "true",
    "[1694479551]",
    "{}",
    "\"yesterday\"",
    "\"169447955\\ud800\"",
    "\"1694479551\\u0000\"",
    "\"2024-13-45T00:00:00Z\"",
    "946684799",
    "-1",
    "0",
    "4102444800",
    "\"4102444800\"",
    "4102444800000",
    "\"1999-12-31T23:59:59Z\"",
    "\"2100-01-01T00:00:00Z\"",
];

/// Numbers that fit neither into 64 bits nor into a double, or only as 0.
const HUGE_NUMBERS: &[&str] = &[
    "1e400",
    "-1e400",
    "1e-400",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1e99999999999999999999",
    "0.00000000000000000000000000000000000000001",
];

/// Values that make a JSON text invalid.
const NOT_JSON_VALUES: &[&str] = &[
    "NaN",
    "undefined",
    "01",
    "+1",
    "1.",
    ".5",
    "1e",
    "'a'",
    "\"a\nb\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\ud83d\\u12\"",
    "",
    "[1,]",
];

/// Pieces of JSON. None of them is a timestamp, so no text made of them is an event.
const TOKENS: &[&str] = &[
    "{",
    "{",
    "{",
    "}",
    "}",
    "}",
    "[",
    "[",
    "]",
    "]",
    ",",
    ",",
    ",",
    ":",
    ":",
    ":",
    "\"user_id\"",
    "\"user_id\"",
    "\"locale\"",
    "\"a\"",
    "\"\\\"\"",
    "\"",
    "\\",
    "1",
    "-0",
    "1e5",
    "null",
    "true",
    " ",
    "\n",
    "{}",
    "{\"user_id\":",
    "[[[[[[[[",
];

/// Writes a poison record.
pub(super) fn write(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    shape.pick(WAYS).write(login, shape, out);
}

fn nothing(_: &Login, _: &mut Draw, _: &mut Vec<u8>) {}

fn no_json(_: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice(shape.pick(NO_JSON).as_bytes());
}

fn another_json(_: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice(shape.pick(ANOTHER_JSON).as_bytes());
}

fn another_message(_: &Login, _: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice(WRONG_MESSAGE.as_bytes());
}

/// Nests objects or arrays 17 levels deep (one too many) up to 2 000, perhaps without closing them.
fn too_deep(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    // The event itself is level 1.
    let levels = if shape.one_in(2) { 16 } else { 17 + shape.below(1_983) as usize };
    let (open, close) = *shape.pick(&[("[", "]"), ("{\"a\": ", "}")]);
    let value = format!("{}1{}", open.repeat(levels), close.repeat(levels));
    match shape.below(4) {
        0 => out.extend_from_slice(open.repeat(levels + 1).as_bytes()),
        1 => out.extend_from_slice(format!("[{value}]").as_bytes()),
        _ => object_with(login, &format!("\"deep\": {value}"), shape, out),
    }
}

fn invalid_utf8(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    object_with(login, "\"extra\": \"??\"", shape, out);
    let at = out.iter().position(|byte| *byte == b'?').expect("the mark was just written");
    let wrong: [u8; 2] = *shape.pick(&[[0xff, b'a'], [0xc3, b'('], [0xed, 0xa0], [0xc0, 0x80]]);
    out[at..at + 2].copy_from_slice(&wrong);
}

/// Writes one known field twice, the second time perhaps with an escape in its name.
fn known_field_twice(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let user = user(login, shape);
    let time = login.seconds().to_string();
    let (name, value) = *shape.pick(&[
        ("user_id", user.as_str()),
        ("timestamp", time.as_str()),
        ("locale", "\"CA\""),
        ("device_type", "null"),
    ]);
    let escaped = text(name, shape);
    let fields = format!(
        "{{\"user_id\": {user}, \"timestamp\": {time}, \"{other}\": \"CA\", {escaped}: {value}}}",
        other = if matches!(name, "user_id" | "timestamp") { "locale" } else { name },
    );
    out.extend_from_slice(fields.as_bytes());
}

fn wrong_user(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let wrong = *shape.pick(WRONG_USERS);
    object(&[("user_id", wrong), ("timestamp", &login.seconds().to_string())], out);
}

/// Writes no `user_id`, only a similar name.
fn no_user(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let name = *shape.pick(&["locale", "User_id", "user_id\\ud83d", "user_id\\u0000"]);
    object(&[("timestamp", &login.seconds().to_string()), (name, "\"CA\"")], out);
}

fn wrong_time(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let wrong = *shape.pick(WRONG_TIMES);
    object(&[("user_id", &user(login, shape)), ("timestamp", wrong)], out);
}

fn huge_time(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let mut number = (*shape.pick(HUGE_NUMBERS)).to_owned();
    if shape.one_in(2) {
        number = format!("\"{number}\"");
    }
    object(&[("user_id", &user(login, shape)), ("timestamp", &number)], out);
}

fn no_time(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    object(&[("user_id", &user(login, shape)), ("locale", "\"CA\"")], out);
}

fn structured_optional(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let name = *shape.pick(&["app_version", "ip", "locale", "device_id", "device_type"]);
    let value = *shape.pick(&["{}", "[]", "[\"CA\"]", "{\"a\": null}"]);
    object_with(login, &format!("\"{name}\": {value}"), shape, out);
}

fn no_json_value(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let value = *shape.pick(NOT_JSON_VALUES);
    object_with(login, &format!("\"extra\": {value}"), shape, out);
}

fn too_large(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    write_plain(login, None, 65_537 + shape.below(5_000) as usize, out);
}

fn truncated(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    write_plain(login, None, 0, out);
    out.truncate(1 + shape.below(out.len() as u64 - 1) as usize);
}

/// Cuts an odd event off, perhaps in the middle of a character.
fn truncated_odd(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    odd::write(login, None, shape, out);
    let end = out.iter().rposition(|byte| *byte == b'}').expect("an object was just written");
    let start = out.iter().position(|byte| *byte == b'{').expect("an object was just written");
    out.truncate(start + 1 + shape.below((end - start) as u64) as usize);
}

fn more_behind(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    write_plain(login, None, 0, out);
    out.extend_from_slice(shape.pick(&["x", "}", ",", "{}", "\0", " 1"]).as_bytes());
}

fn byte_order_mark(login: &Login, _: &mut Draw, out: &mut Vec<u8>) {
    out.extend_from_slice("\u{feff}".as_bytes());
    write_plain(login, None, 0, out);
}

/// Puts a zero byte into an event: at its start, between tokens, in a key or in a value.
fn nul_byte(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    write_plain(login, None, 0, out);
    let at = *shape.pick(&[0, 1, 4, 20, out.len() / 2]);
    if shape.one_in(2) { out.insert(at, 0) } else { out[at] = 0 }
}

fn random_bytes(_: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let most = *shape.pick(&[3, 200]);
    for _ in 0..=shape.below(most) {
        out.push(shape.number() as u8);
    }
}

/// Writes characters of one, two, three and four bytes.
fn random_text(_: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    for _ in 0..=shape.below(100) {
        let last = *shape.pick(&[0x7f_u64, 0x7ff, 0xffff, 0x0010_ffff]);
        let letter = char::from_u32(shape.below(last + 1) as u32).unwrap_or('\u{fffd}');
        out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn random_tokens(_: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    for _ in 0..=shape.below(25) {
        out.extend_from_slice(shape.pick(TOKENS).as_bytes());
    }
}

/// Writes a JSON object that is valid except for `field`, which is first or last.
fn object_with(login: &Login, field: &str, shape: &mut Draw, out: &mut Vec<u8>) {
    let rest = format!("\"user_id\": {}, \"timestamp\": {}", user(login, shape), login.seconds());
    let json = if shape.one_in(2) {
        format!("{{{field}, {rest}}}")
    } else {
        format!("{{{rest}, {field}}}")
    };
    out.extend_from_slice(json.as_bytes());
}

fn object(fields: &[(&str, &str)], out: &mut Vec<u8>) {
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    out.extend_from_slice(format!("{{{}}}", fields.join(", ")).as_bytes());
}

fn user(login: &Login, shape: &mut Draw) -> String {
    text(std::str::from_utf8(&login.user).expect("a UUID is ASCII"), shape)
}
