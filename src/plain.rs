//! Escapes text from outside before it reaches a terminal or a log. Pure.
//!
//! In:  values of records, names and errors that come from a broker. Out: the same text, with every
//! control and invisible character written as an escape.
//! Holds: the output moves no cursor, starts no terminal sequence, breaks no line and does not
//! change the direction of writing; JSON stays JSON of the same value.
#![forbid(unsafe_code)]

use std::{
    fmt,
    io::{self, Write},
};

/// Whether a terminal or an editor acts on the character instead of showing it: C0 and C1 controls
/// and delete, line separators, marks and overrides of the direction of writing, and characters of
/// no width.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// How an escape is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `\n`, `\u{202e}`: in text.
    Text,
    /// `\u202e`: inside a JSON string.
    Json,
}

impl Style {
    fn write(self, out: &mut impl fmt::Write, c: char) -> fmt::Result {
        match self {
            Self::Text => write!(out, "{}", c.escape_default()),
            Self::Json => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
            }
        }
    }
}

/// Appends `text`, escaped; the characters in `keep` stay as they are.
fn escape(out: &mut impl fmt::Write, text: &str, style: Style, keep: &[char]) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|c| is_hidden(c) && !keep.contains(&c)) {
        let (plain, from) = rest.split_at(at);
        out.write_str(plain)?;
        let mut chars = from.chars();
        chars.next().map_or(Ok(()), |c| style.write(out, c))?;
        rest = chars.as_str();
    }
    out.write_str(rest)
}

/// Escapes a value, so that it stays on one line.
pub fn one_line(text: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| escape(f, text, Style::Text, &[]))
}

/// Escapes a message, which may have several lines.
pub fn lines(text: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| escape(f, text, Style::Text, &['\n']))
}

/// Escapes valid JSON and puts it on one line. Hidden characters occur in its strings only; between
/// its tokens there is white space, which a blank can replace.
pub fn json_line(json: &str) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let mut parts = json.split(['\n', '\r', '\t']);
        parts.next().map_or(Ok(()), |first| escape(f, first, Style::Json, &[]))?;
        parts.try_for_each(|part| {
            f.write_str(" ")?;
            escape(f, part, Style::Json, &[])
        })
    })
}

/// A writer that escapes everything except line breaks and the characters to keep.
#[derive(Debug)]
pub struct Plain<W> {
    out: W,
    style: Style,
    keep: &'static [char],
    /// The first bytes of a character whose rest was not written yet.
    cut: Vec<u8>,
}

impl<W: Write> Plain<W> {
    /// A writer in front of `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self { out, style, keep: &['\n'], cut: Vec::new() }
    }

    /// As `new`, for text with a terminal's own colours, which begin with an escape character.
    pub fn with_colours(out: W) -> Self {
        Self { out, style: Style::Text, keep: &['\n', '\u{1b}'], cut: Vec::new() }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        if !text.contains(is_hidden) {
            return self.out.write_all(text.as_bytes());
        }
        let mut escaped = String::with_capacity(text.len() + 16);
        escape(&mut escaped, text, self.style, self.keep).expect("a String takes everything");
        self.out.write_all(escaped.as_bytes())
    }
}

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut joined = std::mem::take(&mut self.cut);
        joined.extend_from_slice(bytes);
        let mut chunks = joined.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(chunk.valid())?;
            let is_last = chunks.peek().is_none();
            if is_last && is_beginning(chunk.invalid()) {
                self.cut = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                self.text("\u{fffd}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether the bytes are the beginning of a character whose end is missing.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each kind that a terminal acts on.
    const HOSTILE: &str = "a\u{1b}[2J\u{9b}2J\u{7f}\u{0}\r\n\t\u{202e}\u{2066}\u{2069}\u{200b}\
        \u{200f}\u{61c}\u{feff}\u{2028}\u{2029}\u{ad}\u{e0041}b";

    fn printed(style: Style, pieces: &[&[u8]]) -> String {
        let mut plain = Plain::new(Vec::new(), style);
        for piece in pieces {
            plain.write_all(piece).expect("a Vec takes everything");
        }
        String::from_utf8(plain.out).expect("UTF-8")
    }

    #[test]
    fn what_a_terminal_acts_on_is_hidden_and_letters_are_not() {
        for range in [
            '\u{0}'..='\u{1f}',
            '\u{7f}'..='\u{9f}',
            '\u{200b}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2066}'..='\u{2069}',
        ] {
            assert!(range.into_iter().all(is_hidden));
        }
        assert!(['\u{61c}', '\u{feff}', '\u{2060}', '\u{ad}'].into_iter().all(is_hidden));
        assert!(!" ~éüßñ中界🙂…\u{a0}\u{301}אب".chars().any(is_hidden));
    }

    #[test]
    fn a_value_becomes_one_line_of_text() {
        assert_eq!(
            one_line(HOSTILE).to_string(),
            "a\\u{1b}[2J\\u{9b}2J\\u{7f}\\u{0}\\r\\n\\t\\u{202e}\\u{2066}\\u{2069}\\u{200b}\
             \\u{200f}\\u{61c}\\u{feff}\\u{2028}\\u{2029}\\u{ad}\\u{e0041}b"
        );
        assert_eq!(lines("a\n\tb\u{9b}").to_string(), "a\n\\tb\\u{9b}");
        assert_eq!(one_line("it's \"x\" \\ é").to_string(), "it's \"x\" \\ é");
    }

    #[test]
    fn colours_pass_only_where_they_are_the_programs_own() {
        let mut plain = Plain::with_colours(Vec::new());
        plain.write_all("\u{1b}[31mred\u{1b}[0m \u{202e}\u{9b}\n".as_bytes()).expect("a Vec");
        assert_eq!(plain.out, "\u{1b}[31mred\u{1b}[0m \\u{202e}\\u{9b}\n".as_bytes());
        assert_eq!(printed(Style::Text, &[b"\x1b[31m\n"]), "\\u{1b}[31m\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        assert_eq!(printed(Style::Text, &[b"a\xff\xe2\x80", b"b\xe2\x80"]), "a\u{fffd}\u{fffd}b");
    }

    proptest! {
        #[test]
        fn json_stays_the_same_value_on_one_line(text in any::<String>(), key in any::<String>()) {
            let value = serde_json::json!({ key + HOSTILE: [text + HOSTILE] });
            for json in [value.to_string(), format!("{value:#}").replace('\n', "\r\n\t")] {
                let line = json_line(&json).to_string();
                prop_assert!(!line.contains(is_hidden), "{}", line);
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON"), value.clone());
                let printed = printed(Style::Json, &[value.to_string().as_bytes()]);
                prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).expect("JSON"), value.clone());
            }
        }

        #[test]
        fn where_writes_are_divided_changes_nothing(text in any::<String>(), cut in 0..200_usize) {
            let text = text + HOSTILE;
            let (one, two) = text.as_bytes().split_at(cut.min(text.len()));
            let whole = printed(Style::Text, &[text.as_bytes()]);
            prop_assert!(!whole.replace('\n', "").contains(is_hidden));
            prop_assert_eq!(printed(Style::Text, &[one, two]), whole);
        }
    }
}
