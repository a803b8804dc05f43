//! Records that must be dead-lettered: each breaks one rule of the input format.
//!
//! In:  a login to spoil, the event's own stream of numbers. Out: any bytes.
//! Holds: no record here could be read as valid: the rule is broken by a margin where its edge
//!        could be read in two ways (nesting is 20 and more).

use super::event::{Login, write_plain};
use super::odd::text;
use super::rng::Draw;

/// The record that broke the script this project replaces.
pub(crate) const WRONG_MESSAGE: &str = r#"{"foo": "oops_wrong_msg_type", "bar": "123"}"#;

/// Not a JSON text at all, or one of another kind than an object.
const NOT_AN_OBJECT: &[&str] = &[
    "this is not json",
    "",
    "   \n",
    "null",
    "true",
    "42",
    "\"text\"",
    "[]",
    "[{\"user_id\": \"a\", \"timestamp\": 1694479551}]",
    "{",
    "}",
    "{}{}",
    "\u{feff}",
    "{'user_id': 'a', 'timestamp': 1694479551}",
];

/// Wrong values of a required field.
const WRONG_USERS: &[&str] = &["null", "\"\"", "12", "true", "[]", "{\"id\": \"a\"}"];
const WRONG_TIMES: &[&str] = &[
    "null",
    "\"\"",
    "true",
    "[1694479551]",
    "{}",
    "\"yesterday\"",
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

/// Values that make a JSON text invalid.
const NOT_JSON_VALUES: &[&str] = &[
    "NaN",
    "undefined",
    "01",
    "+1",
    "1.",
    ".5",
    "'a'",
    "\"a\nb\"",
    "\"\\x\"",
    "\"\\u12\"",
    "",
    "[1,]",
];

/// Writes a poison record.
pub(super) fn write(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    match shape.below(14) {
        0 => out.extend_from_slice(shape.pick(NOT_AN_OBJECT).as_bytes()),
        1 => out.extend_from_slice(WRONG_MESSAGE.as_bytes()),
        2 => deep(login, shape, out),
        3 => invalid_utf8(login, shape, out),
        4 => known_field_twice(login, shape, out),
        5 => {
            let wrong = *shape.pick(WRONG_USERS);
            object(&[("user_id", wrong), ("timestamp", &login.seconds().to_string())], out);
        }
        6 => object(&[("timestamp", &login.seconds().to_string()), ("locale", "\"CA\"")], out),
        7 => {
            let wrong = *shape.pick(WRONG_TIMES);
            object(&[("user_id", &user(login, shape)), ("timestamp", wrong)], out);
        }
        8 => object(&[("user_id", &user(login, shape)), ("locale", "\"CA\"")], out),
        9 => {
            let name = *shape.pick(&["app_version", "ip", "locale", "device_id", "device_type"]);
            let value = *shape.pick(&["{}", "[]", "[\"CA\"]", "{\"a\": null}"]);
            object_with(login, &format!("\"{name}\": {value}"), shape, out);
        }
        10 => {
            let value = *shape.pick(NOT_JSON_VALUES);
            object_with(login, &format!("\"extra\": {value}"), shape, out);
        }
        11 => {
            write_plain(login, None, 65_537 + shape.below(5_000) as usize, out);
        }
        12 => {
            write_plain(login, None, 0, out);
            if shape.one_in(2) {
                out.truncate(1 + shape.below(out.len() as u64 - 1) as usize);
            } else {
                out.extend_from_slice(shape.pick(&["x", "}", ",", "{}", "\0", " 1"]).as_bytes());
            }
        }
        _ => {
            // 0xff is in no UTF-8 text.
            out.push(0xff);
            for _ in 0..shape.below(200) {
                out.push(shape.number() as u8);
            }
        }
    }
}

/// Nested 20 to 2 000 levels, objects or arrays.
fn deep(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    let levels = if shape.one_in(2) { 20 } else { 20 + shape.below(1_980) as usize };
    let (open, close) = *shape.pick(&[("[", "]"), ("{\"a\": ", "}")]);
    let value = format!("{}1{}", open.repeat(levels), close.repeat(levels));
    object_with(login, &format!("\"deep\": {value}"), shape, out);
}

fn invalid_utf8(login: &Login, shape: &mut Draw, out: &mut Vec<u8>) {
    object_with(login, "\"extra\": \"??\"", shape, out);
    let at = out.iter().position(|byte| *byte == b'?').expect("the mark was just written");
    let wrong: [u8; 2] = *shape.pick(&[[0xff, b'a'], [0xc3, b'('], [0xed, 0xa0], [0xc0, 0x80]]);
    out[at..at + 2].copy_from_slice(&wrong);
}

/// One known field twice; the second time perhaps with an escape in its name.
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

/// A JSON object that is valid but for `field`, which stands first or last.
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
