//! Tokens of code, and what stands around each of them: the one shape in which the readers of all
//! languages see code.
//!
//! What a text interpolates (`{x}`, `${x}`, `#{x}`) stands as tokens between [`FIELD_OPEN`] and
//! [`FIELD_CLOSE`] in front of the text that holds it, so that it is read by the same rules.
//! Nothing here knows a language.

/// In front of what a text interpolates.
pub(super) const FIELD_OPEN: &str = "${";
/// Behind what a text interpolates.
pub(super) const FIELD_CLOSE: &str = "}$";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// A text in quotes; plain means that what stands between the quotes is what it says.
    Text {
        is_plain: bool,
    },
    /// A text that interpolates.
    Template,
    Pattern,
    Operator,
    /// The end of a line that may end a statement.
    Line,
    /// There is no token here.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// Of a text what stands between the quotes.
    pub(super) text: &'a str,
    /// The bracket that stands around it.
    pub(super) around: Option<usize>,
    /// Of a bracket: the other one.
    pub(super) partner: usize,
}

const NOTHING: Token<'static> = Token { kind: Kind::Nothing, text: "", around: None, partner: 0 };

impl<'a> Token<'a> {
    /// What it says as a name or an operator; nothing for a text, whatever it says.
    pub(super) fn word(&self) -> &'a str {
        if matches!(self.kind, Kind::Name | Kind::Operator) { self.text } else { "" }
    }
}

/// Code as tokens, brackets matched.
pub(super) struct Tokens<'a> {
    all: Vec<Token<'a>>,
}

impl<'a> Tokens<'a> {
    /// Match the brackets; `None` when they do not.
    pub(super) fn matched(mut all: Vec<Token<'a>>) -> Option<Self> {
        let mut open: Vec<usize> = vec![];
        for at in 0..all.len() {
            let token = all.get(at).copied()?;
            let mut around = open.last().copied();
            if token.kind == Kind::Operator {
                if let Some(wanted) = closing(token.text) {
                    open.push(at);
                    debug_assert!(!wanted.is_empty());
                } else if matches!(token.text, ")" | "]" | "}" | FIELD_CLOSE) {
                    let opener = open.pop()?;
                    let partner = all.get_mut(opener)?;
                    if closing(partner.text) != Some(token.text) {
                        return None;
                    }
                    partner.partner = at;
                    all.get_mut(at)?.partner = opener;
                    around = open.last().copied();
                }
            }
            all.get_mut(at)?.around = around;
        }
        open.is_empty().then_some(Self { all })
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn at(&self, at: usize) -> Token<'a> {
        self.all.get(at).copied().unwrap_or(NOTHING)
    }

    /// The token in front of `at`.
    pub(super) fn before(&self, at: usize) -> Token<'a> {
        at.checked_sub(1).map_or(NOTHING, |before| self.at(before))
    }

    pub(super) fn is(&self, at: usize, operator: &str) -> bool {
        let token = self.at(at);
        token.kind == Kind::Operator && token.text == operator
    }

    pub(super) fn is_before(&self, at: usize, operator: &str) -> bool {
        at.checked_sub(1).is_some_and(|before| self.is(before, operator))
    }

    pub(super) fn is_name(&self, at: usize, name: &str) -> bool {
        let token = self.at(at);
        token.kind == Kind::Name && token.text == name
    }

    /// Whether these tokens stand from `at` on; a name or an operator each.
    pub(super) fn follow(&self, at: usize, texts: &[&str]) -> bool {
        texts.iter().enumerate().all(|(offset, text)| {
            let token = self.at(at + offset);
            matches!(token.kind, Kind::Name | Kind::Operator | Kind::Number) && token.text == *text
        })
    }

    /// The name in front of the bracket that stands around `at`, and the bracket.
    pub(super) fn called_around(&self, at: usize) -> Option<(usize, Token<'a>)> {
        let around = self.at(at).around?;
        (self.is(around, "(")).then(|| (around, self.before(around)))
    }
}

fn closing(open: &str) -> Option<&'static str> {
    match open {
        "(" => Some(")"),
        "[" => Some("]"),
        "{" => Some("}"),
        FIELD_OPEN => Some(FIELD_CLOSE),
        _ => None,
    }
}

pub(super) fn token(kind: Kind, text: &str) -> Token<'_> {
    Token { kind, text, around: None, partner: 0 }
}

/// Whether `word` is one of those in `words`, which spaces separate.
pub(super) fn listed(words: &str, word: &str) -> bool {
    !word.is_empty() && words.split_ascii_whitespace().any(|own| own == word)
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(super) fn is_name_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// So many bytes from `at` on belong to the run.
pub(super) fn run(bytes: &[u8], at: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| belongs(**byte)).count()
}

/// The longest of `operators` that stands at `at`; they are sorted by length, the longest first.
pub(super) fn operator_at<'o>(code: &str, at: usize, operators: &[&'o str]) -> Option<&'o str> {
    let rest = code.get(at..)?;
    operators.iter().find(|operator| rest.starts_with(**operator)).copied()
}

/// Where the number at `at` ends, if it has one of the plain shapes and nothing hangs on to it.
/// Danger: `0x1for` is `0x1f or`, and `1.real` an attribute.
pub(super) fn number_end(bytes: &[u8], at: usize, suffixes: &[u8]) -> Option<usize> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let mut end = at;
    if bytes.get(at) == Some(&b'0') && bytes.get(at + 1).is_some_and(|byte| b"xXoObB".contains(byte)) {
        end = at + 2 + run(bytes, at + 2, |byte| byte.is_ascii_hexdigit() || byte == b'_');
    } else {
        end += run(bytes, end, is_digit);
        if bytes.get(end) == Some(&b'.') {
            end += 1;
            end += run(bytes, end, is_digit);
        }
        if bytes.get(end).is_some_and(|byte| b"eE".contains(byte)) {
            end += 1;
            end += usize::from(bytes.get(end).is_some_and(|byte| b"+-".contains(byte)));
            let digits = run(bytes, end, is_digit);
            if digits == 0 {
                return None;
            }
            end += digits;
        }
        end += usize::from(bytes.get(end).is_some_and(|byte| suffixes.contains(byte)));
    }
    let hangs_on = |byte: &u8| is_name_part(*byte) || matches!(byte, b'.' | b'"' | b'\'' | b'`' | b'$' | b'\\');
    (!bytes.get(end).is_some_and(hangs_on)).then_some(end)
}
