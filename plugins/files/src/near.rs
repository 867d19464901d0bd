//! What stands near a passage that does not match: the help of an error message.

use std::collections::BTreeSet;

/// Most lines that are shown.
pub(crate) const LINES_MAX: usize = 3;
/// A file is looked at this far: the help must not cost more than the edit.
const LOOK_BYTES: usize = 1 << 20;
/// Longer lines are cut, where they are compared and where they are shown.
const LINE_CHARACTERS_MAX: usize = 200;
/// Lines that share less than this of their pairs of characters are not near.
const LIKENESS_MIN: f64 = 0.4;

/// The nearest lines to the first line of `old` that says anything, ready to follow the message.
pub(crate) fn describe(contents: &str, old: &str) -> String {
    let Some(wanted) = old.lines().map(str::trim).find(|line| !line.is_empty()) else {
        return String::new();
    };
    let end = (0..=LOOK_BYTES.min(contents.len())).rev().find(|end| contents.is_char_boundary(*end)).unwrap_or(0);
    let contents = contents.get(..end).unwrap_or_default();
    if let Some(line) = line_without_spaces(contents, old) {
        return format!(
            "; with other spaces or line ends it stands on line {line}\nhint: take the text as `read` gives it"
        );
    }
    let wanted = pairs(wanted);
    let mut lines: Vec<(f64, usize, &str)> = contents
        .lines()
        .enumerate()
        .map(|(index, line)| (likeness(&wanted, &pairs(line.trim())), index + 1, line))
        .filter(|(likeness, ..)| *likeness >= LIKENESS_MIN)
        .collect();
    lines.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    if lines.is_empty() {
        return "; nothing there is like it".into();
    }
    let lines = lines.iter().take(LINES_MAX).map(|(_, number, line)| format!("\n{number}: {}", cut(line)));
    format!("; the nearest lines are{}", lines.collect::<String>())
}

/// The line on which `old` stands if spaces and line ends do not count.
fn line_without_spaces(contents: &str, old: &str) -> Option<usize> {
    let squeeze = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let wanted = squeeze(old);
    let at = squeeze(contents).find(&wanted)?;
    let mut seen = 0;
    let mut line = 1;
    for character in contents.chars() {
        if character == '\n' {
            line += 1;
        } else if !character.is_whitespace() {
            if seen >= at {
                return Some(line);
            }
            seen += character.len_utf8();
        }
    }
    None
}

fn pairs(line: &str) -> BTreeSet<(char, char)> {
    let characters = line.chars().take(LINE_CHARACTERS_MAX);
    characters.clone().zip(characters.skip(1)).collect()
}

/// The share of common pairs of characters, 0.0 to 1.0 (Dice's coefficient).
fn likeness(a: &BTreeSet<(char, char)>, b: &BTreeSet<(char, char)>) -> f64 {
    let all = a.len() + b.len();
    if all == 0 {
        return 0.0;
    }
    let common = u32::try_from(a.intersection(b).count()).unwrap_or(u32::MAX);
    2.0 * f64::from(common) / f64::from(u32::try_from(all).unwrap_or(u32::MAX))
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LINE_CHARACTERS_MAX {
        return line.to_owned();
    }
    line.chars().take(LINE_CHARACTERS_MAX).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_nearest_first() {
        let said = describe("alpha = 1\nport = 8081\nports = 1\n", "port = 8080");
        assert!(said.starts_with("; the nearest lines are\n2: port = 8081"), "{said}");
    }

    #[test]
    fn finds_it_with_other_spaces() {
        assert!(describe("a\nif x {\n\ty()\n}\n", "if x {\n    y()").contains("on line 2"));
    }

    #[test]
    fn says_when_nothing_is_like_it() {
        assert_eq!(describe("abc\n", "xyz"), "; nothing there is like it");
    }

    #[test]
    fn long_lines_are_cut() {
        let line = "ä".repeat(1_000);
        assert!(describe(&line, &"ä".repeat(2_000)).chars().count() < 300);
    }
}
