//! Writes valid events in unusual JSON: escapes in keys and values, any field order, whitespace,
//! nested unknown fields that look like known ones, every form of timestamp, missing and strange
//! optional fields, fields that the processor itself adds.
//!
//! In:  a login, its trace, the event's own stream of numbers. Out: JSON text.
//! Holds: the record keeps every rule of the input format, up to its limit (16 levels). Where a
//! limit could be read in two ways, the record stays below it (fractions of a second have three
//! digits).

use std::fmt::Write as _;

use jiff::{
    Timestamp,
    tz::{Offset, TimeZone},
};

use super::{
    event::{Login, Trace, write_ip, write_locale},
    rng::Draw,
};

/// Unknown fields, as key and JSON text. Some look like known ones, some have the names of added
/// ones.
const UNKNOWN: &[(&str, &str)] = &[
    ("nested", r#"{"user_id": "nobody", "timestamp": 1, "deep": [[{"a": [], "b": {}}]]}"#),
    ("note", r#""} ] { \"user_id\": \"someone else\", \\""#),
    ("numbers", "[0, -0, 1e3, 1.5E-7, -12.75, 0.1, 9007199254740993, 18446744073709551615]"),
    ("negative", "-9223372036854775808"),
    ("long", "[123456789012345678901234567890, -123456789012345678901234567890]"),
    ("far", "[1e400, -1e400, 1e-400]"),
    ("half", r#"["\ud83d", "\ude00 \ud83d"]"#),
    ("deepest", "[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]"),
    ("deepest too", r#"{"":{"":{"":{"":{"":{"":{"":{"":{"":{"":{"":{"":{"":{"":{}}}}}}}}}}}}}}}"#),
    ("price", "19.990"),
    ("", r#""an empty key""#),
    ("ключ", r#""значение""#),
    ("emoji 😀", r#""\ud83d\ude00 and 😀""#),
    ("Locale", r#""a capital makes it another field""#),
    ("user_id ", r#""and so does a space""#),
    ("nothing", "null"),
    ("yes", "true"),
    ("empty", "{}"),
    ("none", "[ ]"),
    ("processed_timestamp", r#""2001-01-01T00:00:00.000000""#),
    ("readable_timestamp", "null"),
    ("hour_of_day", "99"),
    ("control", r#""tab \t, newline \n, nul \u0000, slash \/""#),
];

/// Numbers and booleans in place of a string; they are counted as they are written.
const SCALARS: &[&str] =
    &["7", "-0", "2.30", "1e3", "0.1", "12345678901234567890", "1e400", "true", "false"];

/// Unusual strings.
const TEXTS: &[&str] = &[
    "Zürich 東京 😀",
    "quote \" backslash \\ slash / newline \n tab \t",
    "other",
    "unknown",
    " ",
    "null",
    "a\u{0}b",
    "\u{feff}\u{202e}",
    "exactly 64 bytes: 0123456789012345678901234567890123456789012345",
    "just over 64 bytes: 012345678901234567890123456789012345678901234",
    "ééééééééééééééééééééééééééééééééé",
    "999.1.2.3",
    "2001:db8::1",
];

/// Writes an odd event.
pub(super) fn write(login: &Login, trace: Option<Trace>, shape: &mut Draw, out: &mut Vec<u8>) {
    let mut fields = known_fields(login, shape);
    if let Some(trace) = trace {
        fields.push(("event_no", trace.event_no.to_string()));
        fields.push(("sent_us", trace.sent_us.to_string()));
    }
    let first = shape.below(UNKNOWN.len() as u64) as usize;
    for index in 0..shape.below(4) as usize {
        let (key, value) = UNKNOWN[(first + index * 5) % UNKNOWN.len()];
        fields.push((key, value.to_owned()));
    }
    if shape.one_in(2) {
        shuffle(&mut fields, shape);
    }
    let mut writer = Writer { space: shape.below(3), escapes: shape.one_in(3), shape, out };
    writer.object(&fields);
}

/// The seven fields; optional ones may be missing.
fn known_fields(login: &Login, shape: &mut Draw) -> Vec<(&'static str, String)> {
    let mut ip = Vec::new();
    write_ip(login.ip, &mut ip);
    let mut locale = Vec::new();
    write_locale(login.locale, &mut locale);

    let mut user = ascii(&login.user);
    if shape.one_in(4) {
        user = format!("{} \"Łukasz\" 😀 \\ {user}", shape.below(50));
    }
    let mut fields = vec![("user_id", text(&user, shape))];
    let usual = [
        ("app_version", Some(login.app_version.to_owned())),
        ("ip", Some(ascii(&ip))),
        ("locale", Some(ascii(&locale))),
        ("device_id", Some(ascii(login.device.as_bytes()))),
        ("device_type", login.device_type.map(str::to_owned)),
    ];
    for (name, usual) in usual {
        if let Some(value) = optional(usual.as_deref(), shape) {
            fields.push((name, value));
        }
    }
    fields.push(("timestamp", timestamp(login.time_ms, shape)));
    fields
}

/// JSON text of an optional field; `None` leaves it out.
fn optional(usual: Option<&str>, shape: &mut Draw) -> Option<String> {
    match shape.below(12) {
        0 => None,
        1 => Some("null".to_owned()),
        2 => Some("\"\"".to_owned()),
        3 => Some((*shape.pick(SCALARS)).to_owned()),
        4 | 5 => {
            let value = *shape.pick(TEXTS);
            Some(text(value, shape))
        }
        6 => {
            let value = "long ".repeat(14 + shape.below(200) as usize);
            Some(text(&value, shape))
        }
        _ => usual.map(|value| text(value, shape)),
    }
}

/// JSON text of an event time in one of the accepted forms.
fn timestamp(time_ms: i64, shape: &mut Draw) -> String {
    let seconds = time_ms.div_euclid(1_000);
    let millis = time_ms.rem_euclid(1_000);
    let time = Timestamp::from_millisecond(time_ms).expect("a generated time is in range");
    match shape.below(10) {
        0 => seconds.to_string(),
        1 => format!("\"{seconds}\""),
        2 => format!("{seconds}.{millis:03}"),
        3 => format!("\"{seconds}.{millis:03}\""),
        4 => format!("{seconds}.{}", millis / 100),
        5 => time_ms.to_string(),
        6 => format!("\"{time_ms}\""),
        7 => format!("\"{}\"", time.strftime("%Y-%m-%dT%H:%M:%SZ")),
        8 => format!("\"{}\"", time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")),
        _ => {
            let hours = *shape.pick(&[-8_i8, 1, 2, 9]);
            let zone = TimeZone::fixed(Offset::constant(hours));
            let local = time.to_zoned_datetime(zone);
            format!("\"{}\"", local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z"))
        }
    }
}

/// A JSON string; sometimes with escapes that it would not need.
pub(super) fn text(value: &str, shape: &mut Draw) -> String {
    let every = *shape.pick(&[0_u64, 0, 1, 4]);
    let mut json = String::with_capacity(value.len() + 2);
    json.push('"');
    for letter in value.chars() {
        if every > 0 && shape.one_in(every) {
            push_units(letter, &mut json);
            continue;
        }
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => push_units(control, &mut json),
            _ => json.push(letter),
        }
    }
    json.push('"');
    json
}

/// One character as `\u` escapes: one unit, or a surrogate pair.
fn push_units(letter: char, json: &mut String) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        write!(json, "\\u{unit:04x}").expect("a string takes everything");
    }
}

fn shuffle<T>(items: &mut [T], shape: &mut Draw) {
    for last in (1..items.len()).rev() {
        items.swap(last, shape.below(last as u64 + 1) as usize);
    }
}

fn ascii(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the generator's own text is ASCII")
}

/// Writes the fields with the event's own whitespace and key escapes.
struct Writer<'a> {
    /// 0: no whitespace, 1: as `json.dumps` writes, 2: any whitespace anywhere.
    space: u64,
    escapes: bool,
    shape: &'a mut Draw,
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn object(&mut self, fields: &[(&str, String)]) {
        self.gap();
        self.out.push(b'{');
        for (index, (key, value)) in fields.iter().enumerate() {
            if index > 0 {
                self.mark(b',');
            }
            self.gap();
            let key = if self.escapes { text(key, self.shape) } else { format!("\"{key}\"") };
            self.out.extend_from_slice(key.as_bytes());
            self.gap();
            self.mark(b':');
            self.gap();
            self.out.extend_from_slice(value.as_bytes());
            self.gap();
        }
        self.out.push(b'}');
        self.gap();
    }

    /// Writes a comma or colon with the space that `json.dumps` writes after it.
    fn mark(&mut self, mark: u8) {
        self.out.push(mark);
        if self.space == 1 {
            self.out.push(b' ');
        }
    }

    fn gap(&mut self) {
        if self.space == 2 {
            let gap = *self.shape.pick(&["", "", " ", "\n", "\t", "\r\n", "   "]);
            self.out.extend_from_slice(gap.as_bytes());
        }
    }
}
