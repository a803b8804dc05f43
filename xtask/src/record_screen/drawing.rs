//! Draws a picture of the terminal as an SVG. Pure.

use std::fmt::Write;

use super::terminal::{Cell, Picture, Style};

/// Sizes in the SVG's own units.
const CELL_WIDTH: f64 = 8.4;
const CELL_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 16.0;
/// The line with the command, above the picture.
const BAR: f64 = 30.0;

const TEXT: &str = "#e6edf3";
const DIM: &str = "#8b949e";
const BACKGROUND: &str = "#0d1117";

/// The picture below the command that made it.
pub(super) fn svg(picture: &Picture, columns: usize, command: &str) -> String {
    let is_used = |row: &Vec<Cell>| row.iter().any(|cell| cell.character != ' ');
    let rows = picture.iter().rposition(is_used).map_or(0, |last| last + 1);
    let width = columns as f64 * CELL_WIDTH + 2.0 * MARGIN;
    let height = rows as f64 * CELL_HEIGHT + BAR + 2.0 * MARGIN;
    let command = escaped(command);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', \
         monospace\" font-size=\"14\">\n\
         <title>{command}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" fill=\"{DIM}\">$ {command}</text>\n",
        BAR - 9.0
    );
    for (number, row) in picture.iter().take(rows).enumerate() {
        let y = BAR + MARGIN + (number as f64 + 0.75) * CELL_HEIGHT;
        let mut column = 0;
        for run in row.chunk_by(|a, b| a.style == b.style) {
            draw(&mut out, run, column, y);
            column += run.len();
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Draws cells of one style that begin at `column`.
fn draw(out: &mut String, run: &[Cell], column: usize, y: f64) {
    let Some(first) = run.iter().position(|cell| cell.character != ' ') else { return };
    let text: String = run[first..].iter().map(|cell| cell.character).collect();
    let text = text.trim_end();
    let x = MARGIN + (column + first) as f64 * CELL_WIDTH;
    let length = text.chars().count() as f64 * CELL_WIDTH;
    let style = run[first].style;
    let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{}\"{weight} textLength=\"{length:.1}\" \
         xml:space=\"preserve\">{}</text>",
        fill(style),
        escaped(text)
    )
    .expect("a String takes everything");
}

fn fill(style: Style) -> &'static str {
    match style.colour {
        Some(31) => "#ff7b72",
        Some(32) => "#7ee787",
        Some(33) => "#e3b341",
        Some(34) => "#79c0ff",
        Some(36) => "#76e3ea",
        _ if style.dim => DIM,
        _ => TEXT,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{super::terminal::Terminal, *};

    #[test]
    fn runs_of_one_style_stand_where_their_cells_do() {
        let text = "ab  \u{1b}[1;31m  <c\u{1b}[0m\r\n\r\n\u{1b}[J";
        let pictures = Terminal::new().pictures(text);
        let svg = svg(&pictures[0], 10, "a & b");
        assert!(svg.contains("viewBox=\"0 0 116 80\""), "{svg}");
        assert!(svg.contains("<title>a &amp; b</title>"), "{svg}");
        assert!(
            svg.contains("x=\"16.0\" y=\"59.5\" fill=\"#e6edf3\" textLength=\"16.8\""),
            "{svg}"
        );
        let bold =
            "x=\"66.4\" y=\"59.5\" fill=\"#ff7b72\" font-weight=\"bold\" textLength=\"16.8\"";
        assert!(svg.contains(bold) && svg.contains(">&lt;c</text>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 3, "{svg}");
    }
}
