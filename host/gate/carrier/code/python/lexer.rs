//! Python's text as tokens. What two versions of Python might take apart in different ways is not
//! taken apart at all: `f"{x["a"]}"`, `1if x`, `t"{x}"`, letters beyond ASCII in names.

use super::super::token::{
    FIELD_CLOSE, FIELD_OPEN, Kind, Token, is_name_part, is_name_start, number_end, operator_at, run, token,
};

/// Texts in fields of texts. Danger: a stack that overflows.
const FIELDS_DEEP_MAX: usize = 3;

const OPERATORS: &[&str] = &[
    "...", "**=", "//=", ">>=", "<<=", "->", ":=", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "**", "//", "<<", ">>", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(", ")", "[", "]", "{",
    "}", ",", ":", ";", ".",
];

/// A text in quotes, found by its beginning.
struct Quoted<'a> {
    content: &'a str,
    end: usize,
}

pub(super) fn lex<'a>(code: &'a str, depth: usize, out: &mut Vec<Token<'a>>) -> Option<()> {
    let bytes = code.as_bytes();
    let mut at = 0;
    let mut open = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' => at += 1,
            b'\n' => {
                if open == 0 && depth == 0 {
                    out.push(token(Kind::Line, ""));
                }
                at += 1;
            }
            b'#' => {
                let end = at + run(bytes, at, |byte| byte != b'\n');
                // A comment may name the encoding, in which other bytes are quotes.
                if depth > 0 || code.get(at..end)?.contains("coding") {
                    return None;
                }
                at = end;
            }
            b'\\' if bytes.get(at + 1) == Some(&b'\n') && depth == 0 => at += 2,
            b'"' | b'\'' => at = text(code, at, "", depth, out)?,
            _ if is_name_start(byte) => {
                let end = at + run(bytes, at, is_name_part);
                let name = code.get(at..end)?;
                if bytes.get(end).is_some_and(|byte| b"\"'".contains(byte)) {
                    at = text(code, end, name, depth, out)?;
                } else {
                    out.push(token(Kind::Name, name));
                    at = end;
                }
            }
            _ if byte.is_ascii_digit() || byte == b'.' && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => {
                let end = number_end(bytes, at, b"jJ")?;
                out.push(token(Kind::Number, code.get(at..end)?));
                at = end;
            }
            _ => {
                let operator = operator_at(code, at, OPERATORS)?;
                match operator {
                    "(" | "[" | "{" => open += 1,
                    ")" | "]" | "}" => open = open.checked_sub(1)?,
                    _ => {}
                }
                out.push(token(Kind::Operator, operator));
                at += operator.len();
            }
        }
    }
    Some(())
}

/// Read the text whose quote stands at `at`; where it ends.
fn text<'a>(code: &'a str, at: usize, prefix: &str, depth: usize, out: &mut Vec<Token<'a>>) -> Option<usize> {
    let quoted = quoted(code, at)?;
    let content = quoted.content;
    match prefix.to_ascii_lowercase().as_str() {
        "" | "u" => out.push(token(Kind::Text { is_plain: !content.contains('\\') }, content)),
        "r" => out.push(token(Kind::Text { is_plain: true }, content)),
        // Bytes are no path here.
        "b" | "br" | "rb" => out.push(token(Kind::Text { is_plain: false }, content)),
        "f" => template(content, false, depth, out)?,
        "fr" | "rf" => template(content, true, depth, out)?,
        _ => return None,
    }
    // `"a"if x`, `"a""b"`: legal, and nobody's habit.
    let hangs_on = |byte: &u8| is_name_part(*byte) || b"\"'".contains(byte);
    (!code.as_bytes().get(quoted.end).is_some_and(hangs_on)).then_some(quoted.end)
}

fn quoted(code: &str, at: usize) -> Option<Quoted<'_>> {
    let bytes = code.as_bytes();
    let quote = *bytes.get(at)?;
    let is_triple = bytes.get(at..at + 3) == Some(&[quote; 3]);
    let width = if is_triple { 3 } else { 1 };
    let start = at + width;
    let mut end = start;
    loop {
        match *bytes.get(end)? {
            b'\\' => end += 2,
            b'\n' if !is_triple => return None,
            byte if byte == quote && (!is_triple || bytes.get(end..end + 3) == Some(&[quote; 3])) => break,
            _ => end += 1,
        }
    }
    Some(Quoted { content: code.get(start..end)?, end: end + width })
}

fn template<'a>(content: &'a str, is_raw: bool, depth: usize, out: &mut Vec<Token<'a>>) -> Option<()> {
    let bytes = content.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match byte {
            // `\N{...}` names a letter, where another version might see a field.
            b'\\' if next.is_some_and(|next| b"N{}".contains(next)) => return None,
            b'\\' if !is_raw => at += 2,
            b'{' | b'}' if next == Some(&byte) => at += 2,
            b'{' => at = field(content, at, depth, out)?,
            b'}' => return None,
            _ => at += 1,
        }
    }
    out.push(token(Kind::Template, content));
    Some(())
}

/// Read the field whose brace stands at `at`; where it ends.
fn field<'a>(content: &'a str, at: usize, depth: usize, out: &mut Vec<Token<'a>>) -> Option<usize> {
    if depth >= FIELDS_DEEP_MAX {
        return None;
    }
    let bytes = content.as_bytes();
    let mut end = at + 1;
    let mut open = 0_usize;
    loop {
        let byte = *bytes.get(end)?;
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b'}' if open == 0 => break,
            b':' if open == 0 => break,
            b'!' if open == 0 && bytes.get(end + 1) != Some(&b'=') => break,
            b')' | b']' | b'}' => open = open.checked_sub(1)?,
            b'#' | b'\\' => return None,
            b'"' | b'\'' => {
                if bytes.get(end..end + 3) == Some(&[byte; 3]) {
                    return None;
                }
                end += 1 + run(bytes, end + 1, |other| other != byte && other != b'\\' && other != b'\n');
                if bytes.get(end) != Some(&byte) {
                    return None;
                }
            }
            _ => {}
        }
        end += 1;
    }
    let expression = content.get(at + 1..end)?.trim_matches([' ', '\n', '\t']);
    // `{x=}` prints the name as well.
    let expression = expression.strip_suffix('=').unwrap_or(expression);
    if expression.is_empty() || expression.starts_with('{') {
        return None;
    }
    out.push(token(Kind::Operator, FIELD_OPEN));
    lex(expression, depth + 1, out)?;
    out.push(token(Kind::Operator, FIELD_CLOSE));
    if bytes.get(end) == Some(&b'!') {
        if !bytes.get(end + 1).is_some_and(|byte| b"rsa".contains(byte)) {
            return None;
        }
        end += 2;
    }
    match bytes.get(end)? {
        b'}' => Some(end + 1),
        b':' => format(content, end + 1, depth + 1, out),
        _ => None,
    }
}

/// Read how a field is formatted, with the fields in it; where the field ends.
fn format<'a>(content: &'a str, from: usize, depth: usize, out: &mut Vec<Token<'a>>) -> Option<usize> {
    let bytes = content.as_bytes();
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b'}' => return Some(at + 1),
            b'{' => at = field(content, at, depth, out)?,
            b'\\' => return None,
            _ => at += 1,
        }
    }
}
