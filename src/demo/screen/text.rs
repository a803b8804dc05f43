//! Pieces of text for a screen: numbers, bars, values that others wrote. Pure.

use console::{measure_text_width, truncate_str};

use crate::plain;

/// Heights of a curve and parts of a bar.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// `1234567` as `1 234 567`.
pub(in crate::demo) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A value from the input: nothing in it can move the cursor, change colours or turn the direction
/// of writing; cut to `width` columns.
pub(super) fn safe(value: &str, width: usize) -> String {
    truncate_str(&plain::one_line(value).to_string(), width, "…").into_owned()
}

/// `text`, cut or filled with spaces to `width` columns; styles in it stay whole.
pub(super) fn fitted(text: &str, width: usize) -> String {
    // Of no width, the mark of the cut would be too wide.
    let cut = truncate_str(text, width, if width == 0 { "" } else { "…" });
    let missing = width.saturating_sub(measure_text_width(&cut));
    format!("{cut}{}", " ".repeat(missing))
}

/// A bar of at most `width` columns; `share` is from 0 to 1. ASCII where a terminal has no more.
pub(super) fn bar(share: f64, width: usize, ascii: bool) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let (whole, part) = (eighths / 8, eighths % 8);
    if ascii {
        return "#".repeat(whole + usize::from(part >= 4));
    }
    let mut bar = LEVELS[7].to_string().repeat(whole);
    if part > 0 {
        bar.push(EIGHTHS[part]);
    }
    bar
}

/// The last `width` values as a curve from 0 to the highest of them.
pub(super) fn curve(values: impl DoubleEndedIterator<Item = f64>, width: usize) -> String {
    let mut last: Vec<f64> = values.rev().take(width).collect();
    last.reverse();
    let highest = last.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let level = |value: &f64| LEVELS[((value / highest * 7.0).round() as usize).min(7)];
    last.iter().map(level).collect()
}

/// Milliseconds as people say them.
pub(super) fn milliseconds(ms: f64) -> String {
    if ms >= 10_000.0 { format!("{:.1} s", ms / 1000.0) } else { format!("{ms:.0} ms") }
}

/// Seconds as `01:05`.
pub(super) fn clock(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_hostile_value_is_only_text() {
        let hostile = "CA\u{1b}[2J\u{1b}]0;x\u{7}\r\n\u{202e}\u{200b}\u{9b}31m\t\u{0}";
        let shown = safe(hostile, 200);
        assert!(shown.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{shown}");
        assert!(shown.starts_with("CA\\u{1b}[2J"), "{shown}");
        assert!(measure_text_width(&safe(&"界".repeat(90), 11)) <= 11);
        assert_eq!(safe("it's \"x\"", 20), "it's \"x\"");
    }

    #[test]
    fn text_is_cut_or_filled_to_its_columns() {
        assert_eq!(fitted("ab", 4), "ab  ");
        assert_eq!(fitted("abcdef", 4), "abc…");
        for (text, width) in [("界界界", 5), ("é", 3), ("", 2), ("abc", 0)] {
            assert_eq!(measure_text_width(&fitted(text, width)), width, "{text} {width}");
        }
    }

    #[test]
    fn bars_and_curves_keep_their_width() {
        assert_eq!(bar(1.0, 4, false), "████");
        assert_eq!(bar(0.53, 4, false), "██▏");
        assert_eq!(bar(0.0, 4, false), "");
        assert_eq!(bar(7.0, 3, true), "###");
        assert_eq!(curve([9.0, 0.0, 50.0, 100.0].into_iter(), 3), "▁▅█");
        assert_eq!(curve([0.0].into_iter(), 3), "▁");
        assert_eq!(curve(std::iter::empty(), 3), "");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            (milliseconds(271.4), milliseconds(12_340.0)),
            ("271 ms".into(), "12.3 s".into())
        );
        assert_eq!(clock(65), "01:05");
    }
}
