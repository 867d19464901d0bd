//! One word of a script to its pieces: quoted and plain text, variables, substitutions.
//!
//! Our own and linear, because the parser's backtracks exponentially on nested substitutions
//! (fifty of them take longer than anyone waits). Nothing here recurses: what is nested stays text
//! until it is looked at in its own turn, within the look's depth.

use super::fold::Escapes;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Unquoted: its `*`, `?` and `[` expand.
    Text(String),
    Quoted(String),
    /// Between double quotes.
    Double(Vec<Piece>),
    /// `~` or `~user`.
    Tilde(String),
    Parameter(Parameter),
    /// The code of `$(...)` or of backticks.
    Command(String),
    /// The code of `<(...)` or `>(...)`.
    Process(String),
    Arithmetic(String),
}

/// `$name`, or `${...}` with what is done to the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// A name, a number, or one of `@*#?$!-`.
    pub name: String,
    pub index: Option<String>,
    pub is_indirect: bool,
    pub operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    None,
    Length,
    /// `${x-word}`, `${x:-word}`.
    Default(String, Lack),
    /// `${x=word}`, `${x:=word}`.
    Assign(String, Lack),
    /// `${x?word}`, `${x:?word}`.
    Error(String),
    /// `${x+word}`, `${x:+word}`.
    Alternative(String, Lack),
    RemovePrefix(String),
    RemoveSuffix(String),
    Substring {
        offset: String,
        length: Option<String>,
    },
    Replace {
        pattern: String,
        by: String,
        which: Which,
    },
    Upper,
    Lower,
    /// `${x@P}` and the like.
    Transform(char),
    /// Anything else: looked at for substitutions, its value unknown.
    Other(String),
}

/// What the word of `${x-word}` stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    Unset,
    /// With a colon: an empty value is none either.
    Empty,
}

/// Which places of a value `${x/pattern/by}` replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    First,
    All,
    Begin,
    End,
}

/// The pieces of a word. `None`: a quote or a bracket is left open.
pub(crate) fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut all = vec![];
    let mut plain = String::new();
    let mut at = 0;
    if let Some(rest) = text.strip_prefix('~') {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-+".contains(c))).unwrap_or(rest.len());
        if rest[end..].is_empty() || rest[end..].starts_with(['/', ':']) {
            all.push(Piece::Tilde(rest[..end].to_owned()));
            at = 1 + end;
        }
    }
    while let Some(c) = text.get(at..)?.chars().next() {
        let next = at + c.len_utf8();
        let (piece, end) = match c {
            '\\' => {
                let escaped = text[next..].chars().next()?;
                let kept = if escaped == '\n' { String::new() } else { escaped.to_string() };
                (Piece::Quoted(kept), next + escaped.len_utf8())
            }
            '\'' => {
                let end = next + text[next..].find('\'')?;
                (Piece::Quoted(text[next..end].to_owned()), end + 1)
            }
            '"' => {
                let end = end_of(text, next, Mode::Double)?;
                (Piece::Double(quoted_pieces(&text[next..end - 1], Place::Quotes)?), end)
            }
            '$' if text[next..].starts_with('\'') => {
                let end = ansi_end(text, next + 1)?;
                (Piece::Quoted(super::fold::unescaped(&text[next + 1..end - 1], Escapes::Quotes)), end)
            }
            '$' if text[next..].starts_with('"') => {
                at = next;
                continue;
            }
            '<' | '>' if text[next..].starts_with('(') => {
                let end = end_of(text, next + 1, Mode::Paren)?;
                (Piece::Process(text[next + 1..end - 1].to_owned()), end)
            }
            '$' | '`' => match expansion(text, at)? {
                Some(found) => found,
                None => {
                    plain.push(c);
                    at = next;
                    continue;
                }
            },
            c => {
                plain.push(c);
                at = next;
                continue;
            }
        };
        if !plain.is_empty() {
            all.push(Piece::Text(std::mem::take(&mut plain)));
        }
        all.push(piece);
        at = end;
    }
    if !plain.is_empty() {
        all.push(Piece::Text(plain));
    }
    Some(all)
}

/// Where quoted text stands: a heredoc keeps its double quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Quotes,
    Heredoc,
}

/// The pieces of what stands between double quotes, or in a heredoc.
pub(crate) fn quoted_pieces(text: &str, place: Place) -> Option<Vec<Piece>> {
    let mut all = vec![];
    let mut plain = String::new();
    let mut at = 0;
    while let Some(c) = text.get(at..)?.chars().next() {
        let next = at + c.len_utf8();
        if c == '\\' {
            let escaped = text[next..].chars().next();
            match escaped {
                Some('\n') => {}
                Some(escaped @ ('$' | '`' | '\\')) => plain.push(escaped),
                Some('"') if place == Place::Quotes => plain.push('"'),
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            }
            at = next + escaped.map_or(0, char::len_utf8);
            continue;
        }
        if matches!(c, '$' | '`')
            && let Some((piece, end)) = expansion(text, at)?
        {
            if !plain.is_empty() {
                all.push(Piece::Quoted(std::mem::take(&mut plain)));
            }
            all.push(piece);
            at = end;
            continue;
        }
        plain.push(c);
        at = next;
    }
    if !plain.is_empty() {
        all.push(Piece::Quoted(plain));
    }
    Some(all)
}

/// What `$` or a backtick at `at` begins, and where it ends. `Some(None)`: it stands for itself.
#[allow(clippy::option_option)]
fn expansion(text: &str, at: usize) -> Option<Option<(Piece, usize)>> {
    if text[at..].starts_with('`') {
        let end = end_of(text, at + 1, Mode::Backtick)?;
        let code = text[at + 1..end - 1].replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\");
        return Some(Some((Piece::Command(code), end)));
    }
    let next = at + 1;
    let Some(c) = text[next..].chars().next() else { return Some(None) };
    let parameter = |name: &str| {
        let end = next + name.len();
        let parameter = Parameter { name: name.to_owned(), index: None, is_indirect: false, operator: Operator::None };
        Some(Some((Piece::Parameter(parameter), end)))
    };
    match c {
        '(' => {
            let end = end_of(text, next + 1, Mode::Paren)?;
            let is_arithmetic =
                text[next + 1..].starts_with('(') && end_of(text, next + 2, Mode::Paren) == Some(end - 1);
            if is_arithmetic {
                return Some(Some((Piece::Arithmetic(text[next + 2..end - 2].to_owned()), end)));
            }
            Some(Some((Piece::Command(text[next + 1..end - 1].to_owned()), end)))
        }
        '{' => {
            let end = end_of(text, next + 1, Mode::Brace)?;
            // `${ code; }` and `${| code; }` of newer shells run what stands in them.
            if let Some(code) = text[next + 1..end - 1].strip_prefix([' ', '\t', '\n', '|']) {
                return Some(Some((Piece::Command(code.to_owned()), end)));
            }
            Some(Some((Piece::Parameter(parameter_of(&text[next + 1..end - 1])), end)))
        }
        '[' => {
            let end = end_of(text, next + 1, Mode::Subscript)?;
            Some(Some((Piece::Arithmetic(text[next + 1..end - 1].to_owned()), end)))
        }
        c if c.is_ascii_alphabetic() || c == '_' => {
            let length =
                text[next..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len() - next);
            parameter(&text[next..next + length])
        }
        c if c.is_ascii_digit() || "@*#?$!-".contains(c) => parameter(&text[next..=next]),
        _ => Some(None),
    }
}

/// The inside of `${...}`.
fn parameter_of(text: &str) -> Parameter {
    let other = |text: &str| Parameter {
        name: String::new(),
        index: None,
        is_indirect: false,
        operator: Operator::Other(text.to_owned()),
    };
    if let Some(measured) = text.strip_prefix('#')
        && !measured.is_empty()
        && !measured.starts_with(['#', '%', ':', '-', '=', '?', '+', '/'])
    {
        let inner = parameter_of(measured);
        // Behind a length stands no other operator: the shell refuses it.
        return if inner.operator == Operator::None && !inner.is_indirect {
            Parameter { operator: Operator::Length, ..inner }
        } else {
            other(text)
        };
    }
    let is_indirect = text.len() > 1 && text.starts_with('!');
    let text = if is_indirect { &text[1..] } else { text };
    let length = match text.chars().next() {
        Some(c) if c.is_ascii_alphabetic() || c == '_' => {
            text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
        }
        Some(c) if c.is_ascii_digit() => text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()),
        Some(c) if "@*#?$!-".contains(c) => 1,
        _ => return other(text),
    };
    let (name, mut rest) = text.split_at(length);
    let mut index = None;
    if rest.starts_with('[') {
        let Some(end) = end_of(rest, 1, Mode::Subscript) else { return other(text) };
        index = Some(rest[1..end - 1].to_owned());
        rest = &rest[end..];
    }
    Parameter { name: name.to_owned(), index, is_indirect, operator: operator_of(rest) }
}

fn operator_of(rest: &str) -> Operator {
    let word = |skip: usize| rest.get(skip..).unwrap_or_default().to_owned();
    let bytes = rest.as_bytes();
    match (bytes.first(), bytes.get(1)) {
        (None, _) => Operator::None,
        (Some(b':'), Some(b'-')) => Operator::Default(word(2), Lack::Empty),
        (Some(b'-'), _) => Operator::Default(word(1), Lack::Unset),
        (Some(b':'), Some(b'=')) => Operator::Assign(word(2), Lack::Empty),
        (Some(b'='), _) => Operator::Assign(word(1), Lack::Unset),
        (Some(b':'), Some(b'?')) => Operator::Error(word(2)),
        (Some(b'?'), _) => Operator::Error(word(1)),
        (Some(b':'), Some(b'+')) => Operator::Alternative(word(2), Lack::Empty),
        (Some(b'+'), _) => Operator::Alternative(word(1), Lack::Unset),
        (Some(b':'), _) => {
            let (offset, length) = split_at(&rest[1..], ':');
            Operator::Substring { offset: offset.to_owned(), length: length.map(str::to_owned) }
        }
        (Some(b'#'), second) => Operator::RemovePrefix(word(if second == Some(&b'#') { 2 } else { 1 })),
        (Some(b'%'), second) => Operator::RemoveSuffix(word(if second == Some(&b'%') { 2 } else { 1 })),
        (Some(b'/'), second) => {
            let (which, skip) = match second {
                Some(b'/') => (Which::All, 2),
                Some(b'#') => (Which::Begin, 2),
                Some(b'%') => (Which::End, 2),
                _ => (Which::First, 1),
            };
            let inner = word(skip);
            let (pattern, by) = split_at(&inner, '/');
            Operator::Replace { pattern: pattern.to_owned(), by: by.unwrap_or_default().to_owned(), which }
        }
        (Some(b'^'), Some(b'^')) if rest.len() == 2 => Operator::Upper,
        (Some(b','), Some(b',')) if rest.len() == 2 => Operator::Lower,
        (Some(b'@'), Some(letter)) if rest.len() == 2 => Operator::Transform(char::from(*letter)),
        _ => Operator::Other(rest.to_owned()),
    }
}

/// The text before and behind the first mark that stands by itself: in no quotes and in no expansion.
fn split_at(text: &str, mark: char) -> (&str, Option<&str>) {
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let next = at + c.len_utf8();
        let rest = &text[next..];
        let end = match c {
            c if c == mark => return (&text[..at], Some(rest)),
            '\\' => Some(next + rest.chars().next().map_or(0, char::len_utf8)),
            '\'' => rest.find('\'').map(|end| next + end + 1),
            '"' => end_of(text, next, Mode::Double),
            '`' => end_of(text, next, Mode::Backtick),
            '$' if rest.starts_with('(') => end_of(text, next + 1, Mode::Paren),
            '$' if rest.starts_with('{') => end_of(text, next + 1, Mode::Brace),
            _ => Some(next),
        };
        let Some(end) = end else { break };
        at = end;
    }
    (text, None)
}

/// The position behind the bracket that closes the one at the beginning of the text.
pub(super) fn subscript_end(text: &str) -> Option<usize> {
    end_of(text, 1, Mode::Subscript)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Double,
    Backtick,
    Paren,
    Brace,
    /// Of an array's element: brackets in it match.
    Subscript,
}

/// The position behind the character that closes what was opened before `from`.
fn end_of(text: &str, from: usize, mode: Mode) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = vec![mode];
    // Counted, because to look through all that is open at each quote takes quadratic time.
    let mut doubles = usize::from(mode == Mode::Double);
    let mut at = from;
    while let Some(byte) = bytes.get(at).copied() {
        let mode = *open.last()?;
        let next = bytes.get(at + 1).copied();
        at += 1;
        match (mode, byte) {
            (_, b'\\') => at += 1,
            (Mode::Double, b'"')
            | (Mode::Backtick, b'`')
            | (Mode::Paren, b')')
            | (Mode::Brace, b'}')
            | (Mode::Subscript, b']') => {
                open.pop();
                doubles -= usize::from(mode == Mode::Double);
                if open.is_empty() {
                    return Some(at);
                }
            }
            // Inside of backticks only the next backtick counts.
            (Mode::Backtick, _) => {}
            (_, b'`') => open.push(Mode::Backtick),
            (_, b'$') if next == Some(b'(') => {
                at += 1;
                open.push(Mode::Paren);
            }
            (_, b'$') if next == Some(b'{') => {
                at += 1;
                open.push(Mode::Brace);
            }
            (Mode::Double, _) => {}
            (_, b'"') => {
                open.push(Mode::Double);
                doubles += 1;
            }
            (Mode::Paren, b'$') if next == Some(b'\'') => at = ansi_end(text, at + 1)?,
            // Between double quotes a single quote is a plain character, in `${...}` too.
            (Mode::Brace | Mode::Subscript, b'\'') if doubles > 0 => {}
            (_, b'\'') => at += bytes.get(at..)?.iter().position(|byte| *byte == b'\'')? + 1,
            (Mode::Paren, b'(') => open.push(Mode::Paren),
            (Mode::Subscript, b'[') => open.push(Mode::Subscript),
            (Mode::Paren, b'#')
                if at < 2 || matches!(bytes[at - 2], b' ' | b'\t' | b'\n' | b';' | b'(' | b'&' | b'|') =>
            {
                at += bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?;
            }
            _ => {}
        }
    }
    None
}

/// The position behind the quote that closes `$'`.
fn ansi_end(text: &str, from: usize) -> Option<usize> {
    let mut is_escaped = false;
    let end = text.as_bytes().get(from..)?.iter().position(|byte| {
        let closes = *byte == b'\'' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        closes
    })?;
    Some(from + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(code: &str) -> Piece {
        Piece::Command(code.to_owned())
    }

    #[test]
    fn quotes_become_quoted_text() {
        assert_eq!(
            pieces(r#"a'b c'\d"#),
            Some(vec![Piece::Text("a".into()), Piece::Quoted("b c".into()), Piece::Quoted("d".into())])
        );
        assert_eq!(pieces(r"$'\x72m'"), Some(vec![Piece::Quoted("rm".into())]));
        assert_eq!(
            pieces("a\\\nb"),
            Some(vec![Piece::Text("a".into()), Piece::Quoted(String::new()), Piece::Text("b".into())])
        );
        assert_eq!(pieces("'a"), None);
        assert_eq!(pieces("\"a"), None);
    }

    #[test]
    fn substitutions_end_where_the_shell_ends_them() {
        assert_eq!(pieces("$(a ')' b)"), Some(vec![command("a ')' b")]));
        assert_eq!(pieces("$(a \"$(b)\" c)"), Some(vec![command("a \"$(b)\" c")]));
        assert_eq!(pieces("$(a # )\nb)"), Some(vec![command("a # )\nb")]));
        assert_eq!(pieces("`a \\`b\\``"), Some(vec![command("a `b`")]));
        assert_eq!(pieces("$((1+2))"), Some(vec![Piece::Arithmetic("1+2".into())]));
        assert_eq!(pieces("$((a) b)"), Some(vec![command("(a) b")]));
        assert_eq!(pieces("$(a"), None);
    }

    #[test]
    fn parameters_are_read_with_their_operator() {
        let operator = |text: &str| match pieces(text).and_then(|pieces| pieces.into_iter().next()) {
            Some(Piece::Parameter(parameter)) => (parameter.name, parameter.operator),
            other => panic!("{other:?}"),
        };
        assert_eq!(operator("${x:-rm}"), ("x".into(), Operator::Default("rm".into(), Lack::Empty)));
        assert_eq!(operator("${x%%y}"), ("x".into(), Operator::RemoveSuffix("y".into())));
        assert_eq!(operator("${#x}"), ("x".into(), Operator::Length));
        assert_eq!(operator("${a[0]}"), ("a".into(), Operator::None));
        assert_eq!(operator("${x:1:2}").1, Operator::Substring { offset: "1".into(), length: Some("2".into()) });
        assert_eq!(
            operator("${x//a/b}").1,
            Operator::Replace { pattern: "a".into(), by: "b".into(), which: Which::All }
        );
        assert_eq!(
            operator("${x/%a\\/b/c}").1,
            Operator::Replace { pattern: "a\\/b".into(), by: "c".into(), which: Which::End }
        );
        assert_eq!(operator("${x-rm}").1, Operator::Default("rm".into(), Lack::Unset));
        assert_eq!(
            operator("${x:$(a:b):2}").1,
            Operator::Substring { offset: "$(a:b)".into(), length: Some("2".into()) }
        );
        assert_eq!(operator("$#"), ("#".into(), Operator::None));
        assert_eq!(operator("${x:-'}'}"), ("x".into(), Operator::Default("'}'".into(), Lack::Empty)));
    }

    #[test]
    fn a_subscript_ends_with_its_own_bracket() {
        let index = |text: &str| match pieces(text).as_deref() {
            Some([Piece::Parameter(parameter)]) => (parameter.index.clone(), parameter.operator.clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(index("${#a[$(b)]}"), (Some("$(b)".into()), Operator::Length));
        assert_eq!(index("${a[b[$(c)]]}"), (Some("b[$(c)]".into()), Operator::None));
        assert_eq!(index("${a[$(echo ']'; b)]}"), (Some("$(echo ']'; b)".into()), Operator::None));
        assert_eq!(index("${a[']']^}"), (Some("']'".into()), Operator::Other("^".into())));
        assert_eq!(pieces("$[a[1]+2]"), Some(vec![Piece::Arithmetic("a[1]+2".into())]));
    }

    #[test]
    fn a_brace_with_a_blank_behind_it_holds_code() {
        assert_eq!(pieces("${ ls; }"), Some(vec![command("ls; ")]));
        assert_eq!(pieces("${| ls; }"), Some(vec![command(" ls; ")]));
    }

    #[test]
    fn endless_nesting_takes_no_time() {
        for unit in ["$(", "$(')'", "\"$(", "${a:-", "`", "$((", "\"${a:-'}'", "~"] {
            let _ = pieces(&unit.repeat(100_000));
            let _ = quoted_pieces(&unit.repeat(100_000), Place::Heredoc);
        }
    }
}
