//! The text of a statement as it is sent: the tokens that were judged, and nothing else.
//!
//! Comments are left out, so that a server which ends a comment elsewhere than the parser does finds no other text; so is
//! a semicolon at the end. Where the parameters `$1`, `$2`, ... stand is kept.

use std::ops::Range;

use pi_catalog::database::Dialect;
use sqlparser::dialect::{Dialect as Grammar, PostgreSqlDialect, SQLiteDialect};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::error::Error;
use crate::functions;

/// A long text keeps the parser busy before any limit of the database's holds.
pub(crate) const STATEMENT_BYTES_MAX: usize = 64 * 1024;
/// A chain such as `1+1+1+...` becomes a tree as deep as it is long.
pub(crate) const TOKENS_MAX: usize = 10_000;
/// Each is a level of the tree that is not an expression.
const SET_OPERATIONS_MAX: usize = 200;
/// More than a statement of people has, and fewer than either database lets through.
pub(crate) const PARAMETERS_MAX: usize = 1000;

/// What is sent.
pub(crate) struct Text {
    pub(crate) text: String,
    /// Where in `text` a parameter stands, and its number from 1.
    pub(crate) parameters: Vec<(Range<usize>, usize)>,
}

pub(crate) fn grammar(dialect: Dialect) -> Box<dyn Grammar> {
    match dialect {
        Dialect::Postgres => Box::new(PostgreSqlDialect {}),
        Dialect::Sqlite => Box::new(SQLiteDialect {}),
    }
}

/// # Errors
/// It cannot be split into tokens, has too many, or has one that is not let through.
pub(crate) fn read(dialect: Dialect, source: &str) -> Result<Text, Error> {
    if source.len() > STATEMENT_BYTES_MAX {
        let (size, max) = (source.len() as u64, STATEMENT_BYTES_MAX as u64);
        return Err(Error::TooLarge { what: "the statement's text, in bytes".into(), size, max });
    }
    if source.contains('\0') {
        return Err(Error::refused("a NUL character", "neither database takes one in a statement"));
    }
    if dialect == Dialect::Postgres {
        refuse_unicode_escapes(source)?;
    }
    let grammar = grammar(dialect);
    let tokens = Tokenizer::new(&*grammar, source)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| Error::refused("a text that is not SQL", error.to_string()))?;
    if tokens.len() > TOKENS_MAX {
        let (size, max) = (tokens.len() as u64, TOKENS_MAX as u64);
        return Err(Error::TooLarge { what: "the statement, in words and signs".into(), size, max });
    }
    refuse_calls(dialect, &tokens)?;
    assemble(source, &tokens)
}

/// `U&"\0070g_sleep"` is a name to PostgreSQL and three tokens to the parser.
fn refuse_unicode_escapes(source: &str) -> Result<(), Error> {
    let bytes = source.as_bytes();
    let is_escape = |window: &[u8]| matches!(window, [b'u' | b'U', b'&', b'"' | b'\'']);
    if bytes.windows(3).any(is_escape) {
        return Err(Error::refused(
            "a `U&` string or name",
            "its escapes hide what is written: write the characters themselves",
        ));
    }
    Ok(())
}

/// A name before a parenthesis, whatever the parser makes of it.
fn refuse_calls(dialect: Dialect, tokens: &[TokenWithSpan]) -> Result<(), Error> {
    let solid: Vec<&Token> =
        tokens.iter().map(|token| &token.token).filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    let word = |at: Option<usize>| match at.and_then(|at| solid.get(at)) {
        Some(Token::Word(word)) => Some(word.value.as_str()),
        _ => None,
    };
    for (at, token) in solid.iter().enumerate() {
        let (Token::Word(name), Some(Token::LParen)) = (token, solid.get(at + 1)) else { continue };
        let is_qualified = at.checked_sub(1).and_then(|at| solid.get(at)).is_some_and(|token| **token == Token::Period);
        let schema = if is_qualified { word(at.checked_sub(2)) } else { None };
        if let Some(why) = functions::refusal(dialect, schema, &name.value) {
            return Err(Error::refused(format!("the function `{}`", name.value), why));
        }
    }
    let is_set = |token: &&&Token| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && ["union", "intersect", "except"].contains(&word.value.to_lowercase().as_str()))
    };
    let count = solid.iter().filter(is_set).count();
    if count > SET_OPERATIONS_MAX {
        return Err(Error::TooLarge {
            what: "UNIONs in one statement".into(),
            size: count as u64,
            max: SET_OPERATIONS_MAX as u64,
        });
    }
    Ok(())
}

fn assemble(source: &str, tokens: &[TokenWithSpan]) -> Result<Text, Error> {
    let index = Index::new(source);
    let (mut text, mut parameters) = (String::with_capacity(source.len()), Vec::new());
    let end = tokens
        .iter()
        .rposition(|token| !matches!(token.token, Token::Whitespace(_) | Token::SemiColon | Token::EOF))
        .map_or(0, |last| last + 1);
    for token in tokens.iter().take(end) {
        let slice =
            index.range(token.span.start, token.span.end).and_then(|range| source.get(range)).ok_or_else(|| {
                Error::refused("a text that cannot be split into words", "write it with simpler characters")
            })?;
        match &token.token {
            // A line end keeps two texts one, and ends nothing else here.
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => {
                text.push(if slice.contains('\n') { '\n' } else { ' ' });
            }
            Token::Placeholder(_) => {
                let number = slice.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
                let Some(number) = number.filter(|number| (1..=PARAMETERS_MAX).contains(number)) else {
                    return Err(Error::refused(
                        format!("the parameter `{slice}`"),
                        format!("parameters are `$1` to `${PARAMETERS_MAX}` in both dialects"),
                    ));
                };
                let start = text.len();
                text.push_str(&format!("${number}"));
                parameters.push((start..text.len(), number));
            }
            _ => text.push_str(slice),
        }
    }
    Ok(Text { text, parameters })
}

/// From lines and columns, counted in characters from 1, to bytes.
struct Index {
    lines: Vec<Vec<usize>>,
}

impl Index {
    fn new(source: &str) -> Self {
        let mut lines = vec![Vec::new()];
        for (at, c) in source.char_indices() {
            if let Some(line) = lines.last_mut() {
                line.push(at);
            }
            if c == '\n' {
                lines.push(Vec::new());
            }
        }
        if let Some(line) = lines.last_mut() {
            line.push(source.len());
        }
        Self { lines }
    }

    fn range(&self, start: Location, end: Location) -> Option<Range<usize>> {
        let (start, end) = (self.byte(start)?, self.byte(end)?);
        (start <= end).then_some(start..end)
    }

    fn byte(&self, location: Location) -> Option<usize> {
        let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
        let offsets = self.lines.get(line)?;
        // The end of a line is the beginning of the next.
        offsets
            .get(column)
            .copied()
            .or_else(|| (column == offsets.len()).then(|| self.lines.get(line + 1)?.first().copied()).flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        read(Dialect::Postgres, source).unwrap().text
    }

    #[test]
    fn comments_and_the_last_semicolon_are_left_out() {
        assert_eq!(text("SELECT /* a; /* b */ c */ 1 -- end\n;  "), "SELECT   1");
        assert_eq!(
            text("SELECT 'a'--x\n'b', $1 :: int, $tag$ -- $1 $tag$"),
            "SELECT 'a' \n'b', $1 :: int, $tag$ -- $1 $tag$"
        );
        assert_eq!(text("SELECT 'ä–😀' , \"Ü\"\n\n, 1"), "SELECT 'ä–😀' , \"Ü\"\n\n, 1");
    }

    #[test]
    fn parameters_are_known_by_their_place() {
        let read = read(Dialect::Sqlite, "SELECT $2, /* $9 */ '$3', $1").unwrap();
        let found: Vec<_> =
            read.parameters.iter().map(|(range, number)| (&read.text[range.clone()], *number)).collect();
        assert_eq!(found, [("$2", 2), ("$1", 1)]);
    }

    #[test]
    fn what_hides_its_meaning_is_refused() {
        for source in [
            "SELECT U&\"\\0070g_sleep\"(1)",
            "SELECT u&'\\0061'",
            "SELECT 1\0",
            "SELECT $0",
            "SELECT $1001",
            "SELECT 'open",
        ] {
            assert_eq!(read(Dialect::Postgres, source).err().unwrap().kind(), "refused", "{source}");
        }
        for source in ["SELECT ?", "SELECT ?1"] {
            assert!(read(Dialect::Sqlite, source).is_err(), "{source}");
        }
        assert_eq!(read(Dialect::Sqlite, &" ".repeat(70_000)).err().unwrap().kind(), "too_large");
    }
}
