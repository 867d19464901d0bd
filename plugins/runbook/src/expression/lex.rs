//! From characters to tokens. A pointer belongs to the name before it and has no blanks, so `/` needs no other meaning.

use serde_json::{Number, Value};

use super::Wrong;

/// Names in a row with dots: `result.usage`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Literal(Value),
    /// With its pointer, empty where there is none.
    Name(Vec<String>, Vec<String>),
    /// `==`, `(`, ...
    Sign(&'static str),
}

const SIGNS: [&str; 8] = ["==", "!=", "<=", ">=", "<", ">", "(", ")"];
/// What is written elsewhere, and what is meant by it here.
const FOREIGN: [(&str, &str); 6] =
    [("&&", "and"), ("||", "or"), ("=", "=="), ("!", "not"), ("|", "quoted(...)"), ("$", "a name without `$`")];

pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Wrong> {
    let mut lexer = Lexer { characters: text.chars().collect(), at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip(char::is_whitespace);
        let at = lexer.at;
        let Some(first) = lexer.peek() else { return Ok(tokens) };
        let token = if first == '"' || first == '\'' {
            Token::Literal(Value::String(lexer.quoted()?))
        } else if first.is_ascii_digit() || (first == '-' && lexer.second().is_some_and(|c| c.is_ascii_digit())) {
            lexer.number()?
        } else if first.is_alphabetic() || first == '_' {
            lexer.name()?
        } else {
            lexer.sign()?
        };
        tokens.push((at, token));
    }
}

struct Lexer {
    characters: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn second(&self) -> Option<char> {
        self.characters.get(self.at + 1).copied()
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is_skipped) {
            self.at += 1;
        }
    }

    fn taken(&mut self, is_taken: impl Fn(char) -> bool) -> String {
        let from = self.at;
        self.skip(is_taken);
        self.characters.get(from..self.at).unwrap_or_default().iter().collect()
    }

    fn wrong(&self, at: usize, message: impl Into<String>) -> Wrong {
        Wrong { at, message: message.into(), hint: String::new() }
    }

    /// A text in quotes; `\` takes the next character as it is.
    fn quoted(&mut self) -> Result<String, Wrong> {
        let (from, end) = (self.at, self.peek());
        self.at += 1;
        let mut text = String::new();
        while let Some(character) = self.peek() {
            self.at += 1;
            match character {
                _ if Some(character) == end => return Ok(text),
                '\\' => {
                    let Some(next) = self.peek() else { break };
                    self.at += 1;
                    text.push(if next == 'n' { '\n' } else { next });
                }
                _ => text.push(character),
            }
        }
        Err(self.wrong(from, "a text that is not closed"))
    }

    fn number(&mut self) -> Result<Token, Wrong> {
        let from = self.at;
        let text = self.taken(|c| c.is_ascii_alphanumeric() || ".+-".contains(c));
        let value = text.parse::<i64>().ok().map(Value::from);
        let value = value.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number));
        value.map(Token::Literal).ok_or_else(|| self.wrong(from, format!("`{text}` is no number")))
    }

    fn name(&mut self) -> Result<Token, Wrong> {
        let mut names = Vec::new();
        loop {
            let from = self.at;
            let name = self.taken(|c| c.is_alphanumeric() || c == '_' || c == '-');
            if name.is_empty() {
                return Err(self.wrong(from, "a name is missing after the dot"));
            }
            names.push(name);
            if self.peek() != Some('.') {
                break;
            }
            self.at += 1;
        }
        Ok(Token::Name(names, self.pointer()?))
    }

    fn pointer(&mut self) -> Result<Vec<String>, Wrong> {
        let mut tokens = Vec::new();
        while self.peek() == Some('/') {
            let from = self.at;
            self.at += 1;
            if matches!(self.peek(), Some('"' | '\'')) {
                tokens.push(self.quoted()?);
                continue;
            }
            let token = self.taken(|c| c.is_alphanumeric() || "_-.:~*+@%$".contains(c));
            if token.is_empty() {
                return Err(self.wrong(from, "a key is missing after the `/`"));
            }
            tokens.push(token.replace("~1", "/").replace("~0", "~"));
        }
        Ok(tokens)
    }

    fn sign(&mut self) -> Result<Token, Wrong> {
        let rest: String = self.characters.get(self.at..).unwrap_or_default().iter().take(2).collect();
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            return Ok(Token::Sign(sign));
        }
        let found: String = rest.chars().take(1).collect();
        let mut wrong = self.wrong(self.at, format!("`{}` means nothing here", found.escape_debug()));
        if let Some((_, meant)) = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign)) {
            wrong.hint = format!("write `{meant}`");
        }
        Err(wrong)
    }
}
