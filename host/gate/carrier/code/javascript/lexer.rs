//! JavaScript's text as tokens. Where a slash may begin a pattern or divide, and the tokens in front
//! of it do not say which, the code is not taken apart: a pattern could hide code.

use super::super::token::{
    FIELD_CLOSE, FIELD_OPEN, Kind, Token, is_name_part, is_name_start, listed, number_end, operator_at, run, token,
};
use super::table::BEFORE_VALUE;

/// Templates in templates. Danger: a stack that overflows.
const FIELDS_DEEP_MAX: usize = 4;

const OPERATORS: &[&str] = &[
    ">>>=", "...", "===", "!==", "**=", "<<=", ">>=", ">>>", "&&=", "||=", "??=", "=>", "==", "!=", "<=", ">=", "&&",
    "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "**", "+", "-", "*", "%",
    "&", "|", "^", "~", "!", "<", ">", "=", "?", ":", "(", ")", "[", "]", "{", "}", ",", ";", ".",
];
/// Behind these a slash begins a pattern.
const BEFORE_PATTERN: &[&str] = &["(", ",", "=", ":", "[", "!", "&&", "||", "??", "?", "=>", ";", FIELD_OPEN];

pub(super) struct Lexer<'a> {
    code: &'a str,
    at: usize,
    out: Vec<Token<'a>>,
    /// Where the round brackets stand that are open.
    open: Vec<usize>,
    /// Where the one stands that was closed last.
    closed: usize,
}

pub(super) fn lex(code: &str) -> Option<Vec<Token<'_>>> {
    // Comments of HTML are comments in JavaScript.
    if code.contains("<!--") || code.contains("-->") {
        return None;
    }
    let mut lexer = Lexer { code, at: 0, out: vec![], open: vec![], closed: 0 };
    lexer.run(0)?;
    (lexer.at == code.len()).then_some(lexer.out)
}

impl<'a> Lexer<'a> {
    fn byte(&self, offset: usize) -> Option<u8> {
        self.code.as_bytes().get(self.at + offset).copied()
    }

    fn push(&mut self, kind: Kind, end: usize) -> Option<()> {
        self.out.push(token(kind, self.code.get(self.at..end)?));
        self.at = end;
        Some(())
    }

    /// Read until the end, or until a brace that closes what was open before.
    fn run(&mut self, depth: usize) -> Option<()> {
        let bytes = self.code.as_bytes();
        let mut braces = 0_usize;
        while let Some(byte) = self.byte(0) {
            match byte {
                b' ' | b'\t' | b'\n' => self.at += 1,
                b'/' if self.byte(1) == Some(b'/') => self.at += run(bytes, self.at, |byte| byte != b'\n'),
                b'/' if self.byte(1) == Some(b'*') => {
                    let length = self.code.get(self.at + 2..)?.find("*/")?;
                    self.at += length + 4;
                }
                b'/' => self.slash()?,
                b'"' | b'\'' => self.text(byte)?,
                b'`' => self.template(depth)?,
                _ if is_name_start(byte) || byte == b'$' => {
                    let end = self.at + run(bytes, self.at, |byte| is_name_part(byte) || byte == b'$');
                    self.push(Kind::Name, end)?;
                }
                _ if byte.is_ascii_digit()
                    || byte == b'.' && self.byte(1).is_some_and(|byte| byte.is_ascii_digit()) =>
                {
                    let end = number_end(bytes, self.at, b"n")?;
                    self.push(Kind::Number, end)?;
                }
                b'}' if braces == 0 => return (depth > 0).then_some(()),
                _ => {
                    let operator = operator_at(self.code, self.at, OPERATORS)?;
                    match operator {
                        "{" => braces += 1,
                        "}" => braces -= 1,
                        "(" => self.open.push(self.out.len()),
                        ")" => self.closed = self.open.pop()?,
                        _ => {}
                    }
                    self.push(Kind::Operator, self.at + operator.len())?;
                }
            }
        }
        Some(())
    }

    fn text(&mut self, quote: u8) -> Option<()> {
        let start = self.at + 1;
        let bytes = self.code.as_bytes();
        let mut end = start;
        loop {
            match *bytes.get(end)? {
                b'\\' => end += 2,
                b'\n' => return None,
                byte if byte == quote => break,
                _ => end += 1,
            }
        }
        let content = self.code.get(start..end)?;
        self.out.push(token(Kind::Text { is_plain: !content.contains('\\') }, content));
        self.at = end + 1;
        Some(())
    }

    fn template(&mut self, depth: usize) -> Option<()> {
        // A name in front of it would be a function that is called.
        let is_tagged = self.out.last().is_some_and(|last| match last.kind {
            Kind::Operator => matches!(last.text, ")" | "]" | "}"),
            Kind::Name => !listed(BEFORE_VALUE, last.text),
            _ => true,
        });
        if is_tagged || depth >= FIELDS_DEEP_MAX {
            return None;
        }
        let start = self.at;
        self.at += 1;
        loop {
            match (self.byte(0)?, self.byte(1)) {
                (b'\\', _) => self.at += 2,
                (b'$', Some(b'{')) => {
                    self.out.push(token(Kind::Operator, FIELD_OPEN));
                    self.at += 2;
                    self.run(depth + 1)?;
                    if self.byte(0) != Some(b'}') {
                        return None;
                    }
                    self.out.push(token(Kind::Operator, FIELD_CLOSE));
                    self.at += 1;
                }
                (b'`', _) => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.out.push(token(Kind::Template, self.code.get(start..self.at)?));
        Some(())
    }

    fn slash(&mut self) -> Option<()> {
        let last = self.out.last();
        let is_pattern = match last.map(|last| (last.kind, last.text)) {
            None | Some((Kind::Name, "return")) => true,
            Some((Kind::Operator, ")")) => {
                // Behind `if (x)` it begins a pattern, behind `(a + b)` it divides.
                let called = self.closed.checked_sub(1).and_then(|at| self.out.get(at));
                if called.is_some_and(|called| matches!(called.text, "if" | "while" | "for" | "with" | "catch")) {
                    return None;
                }
                false
            }
            Some((Kind::Operator, "]")) | Some((Kind::Number, _)) => false,
            Some((Kind::Name, name)) if !listed(BEFORE_VALUE, name) && name != "of" => false,
            Some((Kind::Operator, operator)) if BEFORE_PATTERN.contains(&operator) => true,
            _ => return None,
        };
        if !is_pattern {
            let length = if self.byte(1) == Some(b'=') { 2 } else { 1 };
            return self.push(Kind::Operator, self.at + length);
        }
        let bytes = self.code.as_bytes();
        let mut end = self.at + 1;
        let mut in_class = false;
        loop {
            match *bytes.get(end)? {
                b'\\' if bytes.get(end + 1) != Some(&b'\n') => end += 1,
                b'\n' | b'\\' => return None,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => break,
                _ => {}
            }
            end += 1;
        }
        end += 1;
        let flags = run(bytes, end, is_name_part);
        // With `v` classes nest.
        if !self.code.get(end..end + flags)?.bytes().all(|byte| b"dgimsuy".contains(&byte)) {
            return None;
        }
        self.push(Kind::Pattern, end + flags)
    }
}
