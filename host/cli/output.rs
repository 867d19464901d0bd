//! How commands speak: data to stdout, talk to stderr, colour only at a terminal.

use std::io::{IsTerminal, Write};

use owo_colors::{OwoColorize, Style};
use serde::Serialize;
use serde_json::json;

use crate::gate::explain::escaped;

/// Where and how a command prints.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) is_json: bool,
    is_terminal_out: bool,
    has_colour_out: bool,
    has_colour_err: bool,
}

impl Output {
    pub(crate) fn new(is_json: bool) -> Self {
        let is_plain = crate::config::is_colour_refused();
        let is_terminal_out = std::io::stdout().is_terminal();
        Self {
            is_json,
            is_terminal_out,
            has_colour_out: !is_plain && !is_json && is_terminal_out,
            has_colour_err: !is_plain && std::io::stderr().is_terminal(),
        }
    }

    /// One document for a program, or the same as text for a person.
    pub(crate) fn data<T: Serialize>(&self, value: &T, text: impl FnOnce() -> String) {
        let line = if self.is_json {
            serde_json::to_string(value).unwrap_or_else(|error| json!({ "error": error.to_string() }).to_string())
        } else {
            text()
        };
        print_line(&mut std::io::stdout().lock(), &line);
    }

    /// Text that is data by itself, whatever form was asked for.
    pub(crate) fn text(&self, text: &str) {
        let text = if self.is_terminal_out { escaped_lines(text) } else { text.to_owned() };
        print_line(&mut std::io::stdout().lock(), text.trim_end());
    }

    /// A line of talk.
    pub(crate) fn note(&self, text: &str) {
        print_line(&mut std::io::stderr().lock(), text);
    }

    /// An error with its whole chain. Hints stand on lines of their own.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        let mut text = String::new();
        for (index, link) in chain.iter().enumerate() {
            // An error that quotes its source already is not said twice.
            if index > 0 && chain.get(index - 1).is_some_and(|above| above.contains(link.as_str())) {
                continue;
            }
            text.push_str(if index == 0 { "" } else { ": " });
            text.push_str(link);
        }
        if self.is_json {
            print_line(&mut std::io::stdout().lock(), &json!({ "error": text }).to_string());
            return;
        }
        let lines: Vec<String> = text.lines().map(escaped).collect();
        let label = self.err("error:", Style::new().red().bold());
        self.note(&format!("{label} {}", lines.join("\n")));
    }

    /// What a tool gave, for stdout: byte for byte where a program reads it, escaped at a terminal,
    /// which would obey it (move the cursor, rewrite what stands there, fill the clipboard).
    pub(crate) fn foreign(&self, text: String) -> String {
        if self.is_terminal_out { escaped_lines(&text) } else { text }
    }

    /// Text with a style, for stdout.
    pub(crate) fn out(&self, text: &str, style: Style) -> String {
        if self.has_colour_out { text.style(style).to_string() } else { text.to_owned() }
    }

    /// Text with a style, for stderr.
    pub(crate) fn err(&self, text: &str, style: Style) -> String {
        if self.has_colour_err { text.style(style).to_string() } else { text.to_owned() }
    }
}

/// A closed pipe is the reader's choice, not an error.
fn print_line(to: &mut dyn Write, line: &str) {
    let _ = writeln!(to, "{line}");
    let _ = to.flush();
}

/// The text escaped, but for its lines and tabs.
pub(crate) fn escaped_lines(text: &str) -> String {
    let line = |line: &str| line.split('\t').map(escaped).collect::<Vec<_>>().join("\t");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Rows in columns, two spaces between them. What a plugin wrote is the caller's to escape.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clears the screen, sets the title, turns the text around, goes back to the line's begin.
    const FORGED: &str = "a\tb\r\n\u{1b}[2J\u{1b}]0;forged\u{7}\u{202e}\u{9b}2J\rc\n";

    fn output(is_terminal_out: bool) -> Output {
        Output { is_json: false, is_terminal_out, has_colour_out: false, has_colour_err: false }
    }

    #[test]
    fn a_terminal_obeys_nothing_that_a_tool_says() {
        assert_eq!(output(true).foreign(FORGED.into()), "a\tb\n\\u{1b}[2J\\u{1b}]0;forged\\u{7}\\u{202e}\\u{9b}2J\\rc");
    }

    #[test]
    fn a_program_reads_what_a_tool_says_as_it_is() {
        assert_eq!(output(false).foreign(FORGED.into()), FORGED);
    }
}
