//! Text of strangers as Markdown. The attack: a log line that ends its fence, opens a link or a
//! picture, or brings HTML along, and so speaks to the reader in the report's own voice; or one that
//! hides what it says behind control characters and characters that turn the direction of writing.

use std::fmt::Write;

/// A line of a fenced text is cut here: a service may write megabytes in one.
const LINE_CHARS_MAX: usize = 400;
/// Lines of one fenced text.
const LINES_MAX: usize = 200;
/// Characters of a text in a sentence or a cell.
const INLINE_CHARS_MAX: usize = 1_000;

/// For a sentence, a list item or a cell of a table: one line that means nothing to Markdown.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut is_blank = true;
    for (count, (at, character)) in text.char_indices().enumerate() {
        if count == INLINE_CHARS_MAX {
            out.push_str(" \\[cut]");
            break;
        }
        if character.is_whitespace() && !is_hidden(character) {
            if !is_blank {
                out.push(' ');
            }
            is_blank = true;
            continue;
        }
        let is_first = out.is_empty();
        is_blank = false;
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Inside of a word it means nothing, and names are full of it.
            '_' if is_inside_word(text, at) => out.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' | '@' => {
                out.push('\\');
                out.push(character);
            }
            // At the beginning these would open a list or a rule.
            '-' | '+' | '=' if is_first => {
                out.push('\\');
                out.push(character);
            }
            '.' | ')' if !is_first && out.chars().all(|c| c.is_ascii_digit()) => {
                out.push('\\');
                out.push(character);
            }
            // A bare address becomes a link by itself, unless its colon or its first dot is escaped.
            ':' if text.get(at + 1..).is_some_and(|rest| rest.starts_with("//")) => out.push_str("\\:"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("\\."),
            _ if is_hidden(character) => show(&mut out, character),
            _ => out.push(character),
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// A block of text as it stands, in a fence that nothing inside can end.
pub(super) fn fenced(text: &str, language: &str) -> String {
    let mut body = String::with_capacity(text.len());
    let mut lines = text.lines();
    for line in lines.by_ref().take(LINES_MAX) {
        for (count, character) in line.chars().enumerate() {
            if count == LINE_CHARS_MAX {
                body.push_str(" [cut]");
                break;
            }
            if character == '\t' || !is_hidden(character) { body.push(character) } else { show(&mut body, character) }
        }
        body.push('\n');
    }
    let left = lines.count();
    if left > 0 {
        let _ = writeln!(body, "[{left} more lines]");
    }
    let fence = "`".repeat(longest_run(&body).max(2) + 1);
    format!("{fence}{language}\n{body}{fence}\n")
}

fn is_inside_word(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    let after = text.get(at + 1..).and_then(|after| after.chars().next());
    before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric)
}

fn longest_run(text: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for character in text.chars() {
        run = if character == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Control characters, and those that are not seen or that reorder what is.
fn is_hidden(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\r' | '\t'))
        || matches!(character, '\r' | '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn show(out: &mut String, character: char) {
    let _ = write!(out, "\u{fffd}{:04x}", u32::from(character));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_inside_ends_the_fence() {
        let hostile = "ok\n```\n# owned\n`````\n<script>";
        let text = fenced(hostile, "text");
        assert!(text.starts_with("``````text\n") && text.ends_with("\n``````\n"), "{text}");
        assert_eq!(text.matches("``````").count(), 2);
    }

    #[test]
    fn what_is_hidden_is_shown() {
        assert_eq!(fenced("a\u{1b}[2Jb\u{202e}c\rd", ""), "```\na\u{fffd}001b[2Jb\u{fffd}202ec\u{fffd}000dd\n```\n");
        assert_eq!(inline("a\u{200b}b"), "a\u{fffd}200bb");
    }

    #[test]
    fn a_sentence_means_nothing_to_markdown() {
        assert_eq!(
            inline("**x** [a](http://b) <img src=x> | `c`"),
            r"\*\*x\*\* \[a\](http\://b) &lt;img src=x&gt; \| \`c\`"
        );
        assert_eq!(inline("# not\na\ttitle"), r"\# not a title");
        assert_eq!(inline("- x"), r"\- x");
        assert_eq!(inline("12. x"), r"12\. x");
        assert_eq!(inline("see www.example.org, me@example.org"), r"see www\.example.org, me\@example.org");
    }

    #[test]
    fn a_name_with_underscores_stays_readable() {
        assert_eq!(inline("bad_configuration _x_"), r"bad_configuration \_x\_");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert!(inline(&"x".repeat(5_000)).len() < 1_100);
        assert!(fenced(&"x".repeat(5_000), "").len() < 500);
        assert!(fenced(&"x\n".repeat(5_000), "").ends_with("[4800 more lines]\n```\n"));
    }
}
