//! SQL as words: enough of it to compare two texts of one expression and to see which names they use.
//!
//! It is no parser. It knows what ends a literal, a quoted name and a comment in both dialects, so that names inside of
//! texts are not taken for names. Where a text cannot be followed to its end, the rest is one word.

/// A word of SQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// A name or keyword; in lower case unless it was quoted.
    Name { text: String, is_quoted: bool },
    /// A literal with its quotes, or a number.
    Literal(String),
    /// One character that is neither.
    Sign(char),
}

impl Word {
    /// The name, of a name.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether it is this keyword, given in lower case.
    pub fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self, Self::Name { text, is_quoted: false } if text == keyword)
    }

    /// Whether it is this sign.
    pub fn is_sign(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// The words of a text, without white space and comments.
pub fn words(text: &str) -> Vec<Word> {
    spans(text).into_iter().map(|(word, _, _)| word).collect()
}

/// The words of a text, each with the bytes where it begins and ends.
pub fn spans(text: &str) -> Vec<(Word, usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let (length, word) = match first {
            _ if first.is_whitespace() => (first.len_utf8(), None),
            '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), None),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), None),
            '\'' => {
                let length = quoted_length(rest, '\'');
                (length, rest.get(..length).map(|literal| Word::Literal(literal.to_owned())))
            }
            '"' | '`' => {
                let length = quoted_length(rest, first);
                (length, rest.get(..length).map(|name| unquoted(name, first)))
            }
            '[' if is_bracket_name(rest) => {
                let length = rest.find(']').map_or(rest.len(), |end| end + 1);
                (length, rest.get(..length).map(|name| unquoted(name.trim_end_matches(']'), '[')))
            }
            '$' if dollar_length(rest).is_some() => {
                let length = dollar_length(rest).unwrap_or(rest.len());
                (length, rest.get(..length).map(|literal| Word::Literal(literal.to_owned())))
            }
            _ if first.is_ascii_digit() => {
                let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
                (length, rest.get(..length).map(|number| Word::Literal(number.to_lowercase())))
            }
            _ if first.is_alphabetic() || first == '_' || !first.is_ascii() => {
                let is_outside = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii());
                let length = rest.find(is_outside).unwrap_or(rest.len());
                let name = rest.get(..length).map(str::to_lowercase);
                (length, name.map(|text| Word::Name { text, is_quoted: false }))
            }
            sign => (sign.len_utf8(), Some(Word::Sign(sign))),
        };
        found.extend(word.map(|word| (word, at, at + length)));
        at += length.max(1);
    }
    found
}

/// How long a quoted part is that begins here; a doubled quote does not end it.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return at + quote.len_utf8();
            }
        }
    }
    rest.len()
}

fn unquoted(name: &str, quote: char) -> Word {
    let inner = name.strip_prefix(quote).unwrap_or(name);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    let doubled: String = [quote, quote].iter().collect();
    Word::Name { text: inner.replace(&doubled, &quote.to_string()), is_quoted: true }
}

/// `[name]` is a name of SQLite; `[1]` and `[]` are subscripts of PostgreSQL.
fn is_bracket_name(rest: &str) -> bool {
    rest.chars().nth(1).is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// How long a text between dollars is: `$$...$$`, `$tag$...$tag$`. A parameter `$1` is none.
fn dollar_length(rest: &str) -> Option<usize> {
    let tag_end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..tag_end)?;
    let inner = tag.trim_matches('$');
    let is_tag =
        inner.chars().all(|c| c.is_alphanumeric() || c == '_') && !inner.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| {
        rest.get(tag_end..).and_then(|body| body.find(tag)).map_or(rest.len(), |end| tag_end + end + tag.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        words(text).iter().filter_map(Word::name).map(str::to_owned).collect()
    }

    #[test]
    fn names_inside_of_texts_and_comments_are_none() {
        let text = "SELECT a.\"B c\", 'x y' /* z */ FROM [T u] -- w\n WHERE `q``r` > $1 AND $$ in $$ <> $t$ it $$ $t$";
        assert_eq!(named(text), ["select", "a", "B c", "from", "T u", "where", "q`r", "and"]);
    }

    #[test]
    fn a_text_without_an_end_is_one_word() {
        assert_eq!(words("'abc").len(), 1);
        assert_eq!(words("\"abc\"\"").len(), 1);
        assert!(words("/* abc").is_empty());
        assert_eq!(words("$a$ b").len(), 1);
    }

    #[test]
    fn spans_are_where_the_words_are() {
        let text = "CHECK (ä > 'ö')";
        let parts: Vec<&str> = spans(text).into_iter().filter_map(|(_, from, to)| text.get(from..to)).collect();
        assert_eq!(parts, ["CHECK", "(", "ä", ">", "'ö'", ")"]);
    }
}
