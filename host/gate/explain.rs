//! A decision in words for a person, and text made safe to show.

use std::fmt::Write as _;

use super::decision::{Decision, Verdict};

/// The decision as text, without colour, a fact a line. What it quotes is escaped.
#[must_use]
pub fn render(decision: &Decision) -> String {
    let verdict = match decision.verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Deny => "deny",
    };
    let mut text = format!("{verdict}, risk {} of 100\n", decision.risk);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name}: {}", escaped(value));
        }
    };
    if let Some(rule) = decision.rules.first() {
        line("rule", rule);
    }
    line("reason", &decision.reason);
    line("advice", &decision.advice);
    for code in &decision.decoded {
        line("decoded", code);
    }
    for evidence in &decision.evidence {
        line("evidence", &format!("{} +{}: {}", evidence.name, evidence.points, evidence.detail));
    }
    text
}

/// The text with everything escaped that a terminal obeys or a reader does not see: control
/// characters (ANSI escapes hide what runs), bidirectional overrides (they reverse what is read),
/// zero-width and other invisible characters.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            super::glob::UNKNOWN => out.push('…'),
            c if c.is_control() || is_hidden(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether a reader does not see the character, or sees others in a wrong order because of it.
pub(crate) fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fe00}'..='\u{fe0e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_terminal_obeys() {
        assert_eq!(escaped("a\u{1b}[2Kb\n\u{7f}"), "a\\u{1b}[2Kb\\n\\u{7f}");
    }

    #[test]
    fn escapes_what_a_reader_does_not_see() {
        assert_eq!(escaped("a\u{202e}b\u{200b}c\u{feff}"), "a\\u{202e}b\\u{200b}c\\u{feff}");
    }

    #[test]
    fn leaves_other_letters_alone() {
        assert_eq!(escaped("grün 日本 🙂"), "grün 日本 🙂");
    }
}
