//! Words to what they hold: quotes, escapes, braces, variables and substitutions are folded as far
//! as the script itself says. The rest stands as unknown.

use brush_parser::word::{BraceExpressionMember, BraceExpressionOrText, Parameter, ParameterExpr, ParameterTransformOp, SpecialParameter, SubstringMatchKind, TildeExpr, WordPiece, WordPieceWithSource};

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;

use super::lower::Lower;
use super::parse;
use super::scope::{VALUE_BYTES_MAX, Value};

/// Words that the braces of one word may become. Danger: `{1..9}{1..9}{1..9}...`.
const BRACE_WORDS_MAX: usize = 256;

/// A word under construction; an unquoted value may split it into several.
#[derive(Default)]
struct Building {
    done: Vec<Word>,
    /// None: nothing has begun, so nothing stands for an empty word.
    current: Option<Word>,
}

impl Building {
    fn quoted(&mut self, text: &str, taint: Taint) {
        let word = self.current.get_or_insert_with(Word::default);
        word.text.push_str(text);
        word.taint = word.taint.max(taint);
        if word.text.len() > VALUE_BYTES_MAX * 16 {
            word.text = UNKNOWN.to_string();
        }
    }

    fn literal(&mut self, text: &str) {
        self.quoted(text, Taint::None);
        if let Some(word) = &mut self.current {
            word.is_glob |= text.contains(['*', '?', '[']);
        }
    }

    /// The value of an unquoted expansion: it splits at `separators`.
    fn split(&mut self, text: &str, taint: Taint, separators: &str) {
        let mut parts = text.split(|c| separators.contains(c)).peekable();
        let Some(first) = parts.next() else { return };
        if !first.is_empty() {
            self.quoted(first, taint);
        }
        for part in parts {
            self.done.extend(self.current.take());
            if !part.is_empty() {
                self.quoted(part, taint);
            }
        }
        if let Some(word) = &mut self.current {
            word.is_glob |= word.text.contains(['*', '?', '[']);
        }
    }

    fn finish(mut self) -> Vec<Word> {
        self.done.extend(self.current);
        self.done
    }
}

impl Lower<'_, '_> {
    /// The words that one word of the script becomes.
    pub(crate) fn words(&mut self, raw: &str) -> Vec<Word> {
        let texts = if raw.contains('{') && (raw.contains(',') || raw.contains("..")) { brace_texts(raw) } else { vec![raw.to_owned()] };
        texts.iter().flat_map(|text| self.words_without_braces(text)).collect()
    }

    fn words_without_braces(&mut self, raw: &str) -> Vec<Word> {
        let Some(pieces) = parse::pieces(raw) else {
            self.look.note("unparsed", format!("the word `{}`", shortened(raw)));
            return vec![Word::unknown(Taint::Computed)];
        };
        let mut building = Building::default();
        for piece in &pieces {
            self.piece(piece, &mut building);
        }
        building.finish()
    }

    /// One word, never split: the right side of an assignment, the target of a redirection.
    pub(crate) fn word(&mut self, raw: &str) -> Word {
        let Some(pieces) = parse::pieces(raw) else {
            self.look.note("unparsed", format!("the word `{}`", shortened(raw)));
            return Word::unknown(Taint::Computed);
        };
        self.joined(&pieces)
    }

    /// The body of a heredoc.
    pub(crate) fn heredoc(&mut self, raw: &str) -> Word {
        match parse::heredoc_pieces(raw) {
            Some(pieces) => self.joined(&pieces),
            None => {
                self.look.note("unparsed", format!("the heredoc `{}`", shortened(raw)));
                Word::unknown(Taint::Computed)
            }
        }
    }

    fn joined(&mut self, pieces: &[WordPieceWithSource]) -> Word {
        let mut building = Building::default();
        for piece in pieces {
            self.quoted_piece(&piece.piece, &mut building);
        }
        let mut words = building.finish();
        if words.len() <= 1 {
            return words.pop().unwrap_or_default();
        }
        let taint = words.iter().map(|word| word.taint).max().unwrap_or_default();
        let texts: Vec<String> = words.into_iter().map(|word| word.text).collect();
        Word { text: texts.join(" "), is_glob: false, taint }
    }

    fn piece(&mut self, piece: &WordPieceWithSource, building: &mut Building) {
        match &piece.piece {
            WordPiece::Text(text) => building.literal(text),
            WordPiece::ParameterExpansion(expression) => {
                let values = self.parameter(expression);
                let separators: String = self.scope.get("IFS").into_iter().map(|word| word.text).collect();
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        building.done.extend(building.current.take());
                    }
                    building.split(&value.text, value.taint, &separators);
                }
            }
            WordPiece::CommandSubstitution(code) => {
                let value = self.substitution(code);
                building.split(&value.text, value.taint, " \t\n");
            }
            WordPiece::BackquotedCommandSubstitution(code) => {
                let value = self.substitution(&without_backtick_escapes(code));
                building.split(&value.text, value.taint, " \t\n");
            }
            other => self.quoted_piece(other, building),
        }
    }

    /// A piece that does not split.
    fn quoted_piece(&mut self, piece: &WordPiece, building: &mut Building) {
        match piece {
            WordPiece::Text(text) => building.quoted(&text.replace("\\\n", ""), Taint::None),
            WordPiece::SingleQuotedText(text) => building.quoted(text, Taint::None),
            WordPiece::AnsiCQuotedText(text) => building.quoted(&unescaped(text), Taint::None),
            WordPiece::DoubleQuotedSequence(pieces) | WordPiece::GettextDoubleQuotedSequence(pieces) => {
                // `"$@"` without words is no word at all; any other pair of quotes is one.
                let is_empty_list = pieces.len() == 1 && matches!(&pieces[0].piece, WordPiece::ParameterExpansion(expression) if is_list(expression) && self.parameter(expression).is_empty());
                if !is_empty_list {
                    building.quoted("", Taint::None);
                }
                for piece in pieces {
                    self.quoted_piece(&piece.piece, building);
                }
            }
            WordPiece::EscapeSequence(text) => {
                let escaped = text.strip_prefix('\\').unwrap_or(text);
                building.quoted(if escaped == "\n" { "" } else { escaped }, Taint::None);
            }
            WordPiece::TildeExpansion(tilde) => match tilde {
                TildeExpr::Home => building.quoted("~", Taint::None),
                TildeExpr::UserHome(user) => building.quoted(&format!("/home/{user}"), Taint::None),
                TildeExpr::WorkingDir => building.quoted(self.scope.directory.as_deref().unwrap_or("."), Taint::None),
                _ => building.quoted(&UNKNOWN.to_string(), Taint::None),
            },
            WordPiece::ParameterExpansion(expression) => {
                let is_list = is_list(expression);
                for (at, value) in self.parameter(expression).iter().enumerate() {
                    if at > 0 && is_list {
                        building.done.extend(building.current.take());
                    } else if at > 0 {
                        building.quoted(" ", Taint::None);
                    }
                    building.quoted(&value.text, value.taint);
                }
            }
            WordPiece::CommandSubstitution(code) => {
                let value = self.substitution(code);
                building.quoted(&value.text, value.taint);
            }
            WordPiece::BackquotedCommandSubstitution(code) => {
                let value = self.substitution(&without_backtick_escapes(code));
                building.quoted(&value.text, value.taint);
            }
            WordPiece::ArithmeticExpression(expression) => {
                // Its substitutions run, whatever the number comes to.
                self.expansions_in(&expression.value);
                let is_number = expression.value.trim().bytes().all(|byte| byte.is_ascii_digit());
                building.quoted(if is_number { expression.value.trim() } else { NUMBER }, Taint::None);
            }
        }
    }

    /// Look at the substitutions in a text that is no word: arithmetic, subscripts, patterns.
    pub(crate) fn expansions_in(&mut self, text: &str) {
        if text.contains(['$', '`']) {
            let _ = self.heredoc(text);
        }
    }

    /// The values that a parameter expansion stands for.
    fn parameter(&mut self, expression: &ParameterExpr) -> Vec<Word> {
        match expression {
            ParameterExpr::Parameter { parameter, indirect } => self.value(parameter, *indirect),
            ParameterExpr::UseDefaultValues { parameter, indirect, default_value, .. }
            | ParameterExpr::AssignDefaultValues { parameter, indirect, default_value, .. } => {
                let own = self.value(parameter, *indirect);
                let is_set = self.is_assigned(parameter) && own.iter().any(|word| !word.text.is_empty());
                if is_set {
                    return own;
                }
                let default = self.word(default_value.as_deref().unwrap_or_default());
                if let (ParameterExpr::AssignDefaultValues { .. }, Parameter::Named(name)) = (expression, parameter) {
                    self.scope.set(name, Value::Text(default.clone()));
                }
                vec![default]
            }
            ParameterExpr::UseAlternativeValue { alternative_value, .. } => vec![self.word(alternative_value.as_deref().unwrap_or_default())],
            ParameterExpr::IndicateErrorIfNullOrUnset { parameter, indirect, error_message, .. } => {
                self.expansions_in(error_message.as_deref().unwrap_or_default());
                self.value(parameter, *indirect)
            }
            ParameterExpr::RemoveSmallestSuffixPattern { parameter, indirect, pattern }
            | ParameterExpr::RemoveLargestSuffixPattern { parameter, indirect, pattern } => {
                let pattern = self.word(pattern.as_deref().unwrap_or_default());
                self.mapped(parameter, *indirect, &[&pattern], |text| text.strip_suffix(pattern.text.as_str()).unwrap_or(text).to_owned())
            }
            ParameterExpr::RemoveSmallestPrefixPattern { parameter, indirect, pattern }
            | ParameterExpr::RemoveLargestPrefixPattern { parameter, indirect, pattern } => {
                let pattern = self.word(pattern.as_deref().unwrap_or_default());
                self.mapped(parameter, *indirect, &[&pattern], |text| text.strip_prefix(pattern.text.as_str()).unwrap_or(text).to_owned())
            }
            ParameterExpr::Substring { parameter, indirect, offset, length } => {
                self.expansions_in(&offset.value);
                let number = |text: &str| text.trim().parse::<usize>().ok();
                let length_text = length.as_ref().map(|length| length.value.clone());
                let (Some(skip), Ok(take)) = (number(&offset.value), length_text.map(|text| number(&text).ok_or(())).transpose()) else {
                    return vec![Word::unknown(Taint::Computed)];
                };
                self.mapped(parameter, *indirect, &[], |text| text.chars().skip(skip).take(take.unwrap_or(usize::MAX)).collect())
            }
            ParameterExpr::Transform { parameter, indirect, op } => match op {
                ParameterTransformOp::ToLowerCase => self.mapped(parameter, *indirect, &[], str::to_lowercase),
                ParameterTransformOp::ToUpperCase => self.mapped(parameter, *indirect, &[], str::to_uppercase),
                ParameterTransformOp::ExpandEscapeSequences => self.mapped(parameter, *indirect, &[], unescaped),
                // `${x@P}` runs the substitutions in the value.
                ParameterTransformOp::PromptExpand => {
                    for value in self.value(parameter, *indirect) {
                        self.expansions_in(&value.text);
                    }
                    vec![Word::unknown(Taint::Computed)]
                }
                _ => self.value(parameter, *indirect),
            },
            ParameterExpr::UppercasePattern { parameter, indirect, .. } => self.mapped(parameter, *indirect, &[], str::to_uppercase),
            ParameterExpr::LowercasePattern { parameter, indirect, .. } => self.mapped(parameter, *indirect, &[], str::to_lowercase),
            ParameterExpr::LowercaseFirstChar { parameter, indirect, .. } => self.mapped(parameter, *indirect, &[], |text| first_char(text, char::to_ascii_lowercase)),
            ParameterExpr::UppercaseFirstChar { parameter, indirect, .. } => self.mapped(parameter, *indirect, &[], |text| first_char(text, char::to_ascii_uppercase)),
            ParameterExpr::ReplaceSubstring { parameter, indirect, pattern, replacement, match_kind } => {
                let pattern = self.word(pattern);
                let by = self.word(replacement.as_deref().unwrap_or_default().trim_start_matches('/'));
                let count = if matches!(match_kind, SubstringMatchKind::Anywhere) { usize::MAX } else { 1 };
                self.mapped(parameter, *indirect, &[&pattern, &by], |text| {
                    if pattern.text.is_empty() { text.to_owned() } else { text.replacen(&pattern.text, &by.text, count) }
                })
            }
            ParameterExpr::ParameterLength { .. } => vec![Word::plain(NUMBER)],
            ParameterExpr::VariableNames { .. } | ParameterExpr::MemberKeys { .. } => vec![Word::unknown(Taint::Computed)],
        }
    }

    fn mapped(&mut self, parameter: &Parameter, indirect: bool, needed: &[&Word], map: impl Fn(&str) -> String) -> Vec<Word> {
        let is_certain = needed.iter().all(|word| word.is_known() && !word.text.contains(['*', '?', '[']));
        let change = |word: Word| {
            if is_certain && word.is_known() { Word { text: map(&word.text), ..word } } else { Word::unknown(word.taint.max(Taint::Computed)) }
        };
        self.value(parameter, indirect).into_iter().map(change).collect()
    }

    fn is_assigned(&self, parameter: &Parameter) -> bool {
        match parameter {
            Parameter::Named(name) | Parameter::NamedWithIndex { name, .. } | Parameter::NamedWithAllIndices { name, .. } => self.scope.is_assigned(name),
            Parameter::Positional(_) => self.scope.positional.is_some(),
            Parameter::Special(_) => true,
        }
    }

    fn value(&mut self, parameter: &Parameter, indirect: bool) -> Vec<Word> {
        let values = match parameter {
            Parameter::Named(name) => self.scope.get(name).into_iter().take(1).collect(),
            Parameter::NamedWithIndex { name, index } => {
                self.expansions_in(index);
                let words = self.scope.get(name);
                match index.trim().parse::<usize>() {
                    Ok(at) if words.len() > 1 || at == 0 => words.into_iter().skip(at).take(1).collect(),
                    _ => vec![Word::unknown(words.iter().map(|word| word.taint).max().unwrap_or_default())],
                }
            }
            Parameter::NamedWithAllIndices { name, .. } => self.scope.get(name),
            Parameter::Positional(at) => match &self.scope.positional {
                Some(words) => words.get((*at as usize).wrapping_sub(1)).cloned().into_iter().collect(),
                None => vec![Word::unknown(Taint::None)],
            },
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                self.scope.positional.clone().unwrap_or_else(|| vec![Word::unknown(Taint::None)])
            }
            Parameter::Special(_) => vec![Word::plain(NUMBER)],
        };
        if !indirect {
            return values;
        }
        match values.first() {
            Some(name) if name.is_known() && self.scope.is_assigned(&name.text) => self.scope.get(&name.text.clone()),
            other => vec![Word::unknown(other.map_or(Taint::None, |word| word.taint))],
        }
    }

    /// Look at the commands of a substitution; its value is what they print.
    fn substitution(&mut self, code: &str) -> Word {
        let flow = self.substituted(code);
        match flow.text {
            Some(text) => Word { text: text.trim_end_matches('\n').to_owned(), is_glob: false, taint: flow.taint },
            None => Word::unknown(flow.taint.max(Taint::Computed)),
        }
    }
}

/// What stands for a number that only the run will tell: it can be no path and no flag.
const NUMBER: &str = "0";

fn is_list(expression: &ParameterExpr) -> bool {
    let (ParameterExpr::Parameter { parameter, .. } | ParameterExpr::UseDefaultValues { parameter, .. }) = expression else { return false };
    matches!(
        parameter,
        Parameter::NamedWithAllIndices { concatenate: false, .. } | Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate: false })
    )
}

fn first_char(text: &str, change: impl Fn(&char) -> char) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| change(&c)).into_iter().chain(chars).collect()
}

fn without_backtick_escapes(code: &str) -> String {
    code.replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\")
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

fn brace_texts(raw: &str) -> Vec<String> {
    match parse::braces(raw) {
        Some(Some(parts)) => {
            let mut texts = vec![String::new()];
            combine(&parts, &mut texts);
            texts
        }
        _ => vec![raw.to_owned()],
    }
}

fn combine(parts: &[BraceExpressionOrText], texts: &mut Vec<String>) {
    for part in parts {
        match part {
            BraceExpressionOrText::Text(text) => texts.iter_mut().for_each(|own| own.push_str(text)),
            BraceExpressionOrText::Expr(members) => {
                let choices: Vec<String> = members.iter().flat_map(member_texts).take(BRACE_WORDS_MAX).collect();
                let before = std::mem::take(texts);
                let all = before.iter().flat_map(|own| choices.iter().map(move |choice| format!("{own}{choice}")));
                texts.extend(all.take(BRACE_WORDS_MAX));
            }
        }
    }
}

fn member_texts(member: &BraceExpressionMember) -> Vec<String> {
    match member {
        BraceExpressionMember::NumberSequence { start, end, increment } => {
            let step = increment.unsigned_abs().max(1);
            let (low, high) = (*start.min(end), *start.max(end));
            let count = (high.abs_diff(low) / step).min(BRACE_WORDS_MAX as u64);
            (0..=count).map(|at| low.saturating_add_unsigned(at * step).to_string()).collect()
        }
        BraceExpressionMember::CharSequence { start, end, .. } => (*start.min(end)..=*start.max(end)).map(|c| c.to_string()).collect(),
        BraceExpressionMember::Child(parts) => {
            let mut texts = vec![String::new()];
            combine(parts, &mut texts);
            texts
        }
    }
}

/// The escapes of `$'...'`, `echo -e` and `printf`.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = rest.next() else {
            out.push('\\');
            break;
        };
        match escape {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'e' | 'E' => out.push('\u{1b}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            'x' => out.extend(char_by_number(&mut rest, None, 16, 2)),
            'u' => out.extend(char_by_number(&mut rest, None, 16, 4)),
            'U' => out.extend(char_by_number(&mut rest, None, 16, 6)),
            'c' => out.extend(rest.next().and_then(|c| char::from_u32(u32::from(c) & 0x1f))),
            '0'..='7' => out.extend(char_by_number(&mut rest, escape.to_digit(8), 8, if escape == '0' { 3 } else { 2 })),
            '\\' | '\'' | '"' | '?' => out.push(escape),
            other => out.extend(['\\', other]),
        }
    }
    out
}

/// The character whose number follows, in at most so many digits behind a `first` one.
fn char_by_number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, first: Option<u32>, radix: u32, digits: usize) -> Option<char> {
    let mut value = first;
    for _ in 0..digits {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(radix)) else { break };
        rest.next();
        value = Some(value.unwrap_or(0) * radix + digit);
    }
    value.map(|value| char::from_u32(value).unwrap_or(UNKNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescaped(r"r\x6d\162\u0041\\"), "rmrA\\");
        assert_eq!(unescaped(r"a\"), r"a\");
    }

    #[test]
    fn braces_become_words_within_a_bound() {
        assert_eq!(brace_texts("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(brace_texts("{1..3}"), ["1", "2", "3"]);
        assert!(brace_texts("{1..9}{1..9}{1..9}{1..9}{1..9}").len() <= BRACE_WORDS_MAX);
    }
}
