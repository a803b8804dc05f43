//! As much of a terminal as the demo uses. Pure.
//!
//! In:  what the demo writes: text, colours, and movements of the cursor.
//! Out: its pictures. The demo writes each in one go, and clears the rest of the screen at its end.

use std::{iter::Peekable, str::Chars};

/// Rows of cells.
pub(super) type Picture = Vec<Vec<Cell>>;

/// A character and how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) character: char,
    pub(super) style: Style,
}

/// How a character looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// The number that selects it: 31 to 36.
    pub(super) colour: Option<u32>,
    pub(super) bold: bool,
    pub(super) dim: bool,
}

/// The screen and the cursor's place on it.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    rows: Picture,
    row: usize,
    column: usize,
    style: Style,
}

/// The text of a picture's first row.
pub(super) fn title(picture: &Picture) -> String {
    picture.first().into_iter().flatten().map(|cell| cell.character).collect()
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { rows: vec![Vec::new()], ..Self::default() }
    }

    /// All pictures of a text that begins on an empty screen.
    pub(super) fn pictures(mut self, text: &str) -> Vec<Picture> {
        let mut pictures = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            if character == '\u{1b}' && rest.next_if_eq(&'[').is_some() {
                if self.control(&mut rest) == Some('J') {
                    pictures.push(self.rows.clone());
                }
            } else {
                self.put(character);
            }
        }
        pictures
    }

    fn put(&mut self, character: char) {
        match character {
            '\r' => self.column = 0,
            '\n' => {
                self.row += 1;
                if self.row == self.rows.len() {
                    self.rows.push(Vec::new());
                }
            }
            _ => {
                let blank = Cell { character: ' ', style: self.style };
                let row = &mut self.rows[self.row];
                if row.len() <= self.column {
                    row.resize(self.column + 1, blank);
                }
                row[self.column] = Cell { character, style: self.style };
                self.column += 1;
            }
        }
    }

    /// Takes a control sequence and returns what it does: its last letter.
    fn control(&mut self, rest: &mut Peekable<Chars<'_>>) -> Option<char> {
        let is_private = rest.next_if_eq(&'?').is_some();
        let mut numbers = String::new();
        while let Some(part) = rest.next_if(|c| c.is_ascii_digit() || *c == ';') {
            numbers.push(part);
        }
        let action = rest.next().filter(|_| !is_private)?;
        match action {
            'A' => self.row = self.row.saturating_sub(numbers.parse().unwrap_or(1)),
            'K' => self.rows[self.row].clear(),
            'J' => {
                self.rows.truncate(self.row + 1);
                self.rows[self.row].truncate(self.column);
            }
            'm' => numbers.split(';').for_each(|number| self.select(number.parse().unwrap_or(0))),
            _ => {}
        }
        Some(action)
    }

    fn select(&mut self, number: u32) {
        match number {
            0 => self.style = Style::default(),
            1 => self.style.bold = true,
            2 => self.style.dim = true,
            31..=36 => self.style.colour = Some(number),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(picture: &Picture) -> Vec<String> {
        picture.iter().map(|row| row.iter().map(|cell| cell.character).collect()).collect()
    }

    #[test]
    fn a_picture_is_drawn_over_the_one_before() {
        let first = "\u{1b}[?25l\r\u{1b}[2Kone of\r\n\r\u{1b}[2Ktwo\r\n\u{1b}[0J";
        let second = "\u{1b}[2A\r\u{1b}[2Knew\r\n\u{1b}[0J";
        let pictures = Terminal::new().pictures(&format!("{first}{second}"));
        assert_eq!(pictures.len(), 2);
        assert_eq!(texts(&pictures[0]), ["one of", "two", ""]);
        assert_eq!(title(&pictures[0]), "one of");
        assert_eq!(texts(&pictures[1]), ["new", ""]);
    }

    #[test]
    fn colours_and_weights_last_until_they_are_reset() {
        let pictures = Terminal::new().pictures("\u{1b}[1;36ma\u{1b}[0mb\u{1b}[2mc\u{1b}[J");
        let styles: Vec<Style> = pictures[0][0].iter().map(|cell| cell.style).collect();
        let plain = Style::default();
        let strong = Style { colour: Some(36), bold: true, dim: false };
        assert_eq!(styles, [strong, plain, Style { dim: true, ..plain }]);
    }
}
