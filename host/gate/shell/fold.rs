//! Words to what they hold: quotes, escapes, braces, variables and substitutions are folded as far
//! as the script itself says. The rest stands as unknown.

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;

use super::braces;
use super::lower::Lower;
use super::scope::{VALUE_BYTES_MAX, Value};
use super::word::{Operator, Parameter, Piece, Place, pieces, quoted_pieces};

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
        // The command `[` is no pattern: nothing closes it.
        for word in self.done.iter_mut().filter(|word| word.is_glob && word.text == "[") {
            word.is_glob = false;
        }
        self.done
    }
}

impl Lower<'_, '_> {
    /// The words that one word of the script becomes.
    pub(crate) fn words(&mut self, raw: &str) -> Vec<Word> {
        if !(raw.contains('{') && (raw.contains(',') || raw.contains(".."))) {
            return self.words_without_braces(raw);
        }
        let Some(texts) = braces::expanded(raw) else {
            self.look.note("too_complex", format!("the braces of `{}`", shortened(raw)));
            return vec![Word::unknown(Taint::Computed)];
        };
        texts.iter().flat_map(|text| self.words_without_braces(text)).collect()
    }

    fn words_without_braces(&mut self, raw: &str) -> Vec<Word> {
        let Some(pieces) = self.read(raw, pieces(raw)) else { return vec![Word::unknown(Taint::Computed)] };
        let mut building = Building::default();
        for piece in &pieces {
            self.piece(piece, &mut building);
        }
        self.look.leave();
        building.finish()
    }

    /// One word, never split: the right side of an assignment, the target of a redirection.
    pub(crate) fn word(&mut self, raw: &str) -> Word {
        match self.read(raw, pieces(raw)) {
            Some(pieces) => self.joined(&pieces),
            None => Word::unknown(Taint::Computed),
        }
    }

    /// The target of a redirection: one word, in which the shell expands patterns.
    pub(crate) fn path_word(&mut self, raw: &str) -> Word {
        let mut words = self.words(raw);
        match (words.pop(), words.is_empty()) {
            (Some(word), true) => word,
            // None or several: the shell refuses it. The text as one word shows what was meant.
            _ => self.word(raw),
        }
    }

    /// The body of a heredoc.
    pub(crate) fn heredoc(&mut self, raw: &str) -> Word {
        match self.read(raw, quoted_pieces(raw, Place::Heredoc)) {
            Some(pieces) => self.joined(&pieces),
            None => Word::unknown(Taint::Computed),
        }
    }

    /// Go one level deeper into a word that was read, or note that it was not.
    fn read(&mut self, raw: &str, pieces: Option<Vec<Piece>>) -> Option<Vec<Piece>> {
        if pieces.is_none() {
            self.look.note("unparsed", format!("the word `{}`", shortened(raw)));
        }
        pieces.filter(|_| self.look.deepen())
    }

    fn joined(&mut self, pieces: &[Piece]) -> Word {
        let mut building = Building::default();
        for piece in pieces {
            self.quoted_piece(piece, &mut building);
        }
        self.look.leave();
        let mut words = building.finish();
        if words.len() <= 1 {
            return words.pop().unwrap_or_default();
        }
        let taint = words.iter().map(|word| word.taint).max().unwrap_or_default();
        let texts: Vec<String> = words.into_iter().map(|word| word.text).collect();
        Word { text: texts.join(" "), is_glob: false, taint }
    }

    fn piece(&mut self, piece: &Piece, building: &mut Building) {
        match piece {
            Piece::Text(text) => building.literal(text),
            Piece::Parameter(parameter) => {
                let values = self.parameter(parameter);
                let separators: String = self.scope.get("IFS").into_iter().map(|word| word.text).collect();
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        building.done.extend(building.current.take());
                    }
                    building.split(&value.text, value.taint, &separators);
                }
            }
            Piece::Command(code) => {
                let value = self.substitution(code);
                building.split(&value.text, value.taint, " \t\n");
            }
            other => self.quoted_piece(other, building),
        }
    }

    /// A piece that does not split.
    fn quoted_piece(&mut self, piece: &Piece, building: &mut Building) {
        match piece {
            Piece::Text(text) | Piece::Quoted(text) => building.quoted(text, Taint::None),
            Piece::Double(pieces) => {
                // `"$@"` without words is no word at all; any other pair of quotes is one.
                let is_list = matches!(pieces.as_slice(), [Piece::Parameter(parameter)] if is_list(parameter));
                if !is_list {
                    building.quoted("", Taint::None);
                }
                for piece in pieces {
                    self.quoted_piece(piece, building);
                }
            }
            Piece::Tilde(user) => match user.as_str() {
                "" => building.quoted("~", Taint::None),
                "+" => building.quoted(self.scope.directory.as_deref().unwrap_or("."), Taint::None),
                user if user.starts_with(['+', '-']) => building.quoted(&UNKNOWN.to_string(), Taint::None),
                user => building.quoted(&format!("/home/{user}"), Taint::None),
            },
            Piece::Parameter(parameter) => {
                let is_list = is_list(parameter);
                for (at, value) in self.parameter(parameter).iter().enumerate() {
                    if at > 0 && is_list {
                        building.done.extend(building.current.take());
                    } else if at > 0 {
                        building.quoted(" ", Taint::None);
                    }
                    building.quoted(&value.text, value.taint);
                }
            }
            Piece::Command(code) => {
                let value = self.substitution(code);
                building.quoted(&value.text, value.taint);
            }
            Piece::Process(code) => {
                let taint = self.substituted(code).taint.max(Taint::Computed);
                building.quoted(&format!("/dev/fd/{UNKNOWN}"), taint);
            }
            Piece::Arithmetic(expression) => {
                // Its substitutions run, whatever the number comes to.
                self.arithmetic(expression);
                let is_number = expression.trim().bytes().all(|byte| byte.is_ascii_digit());
                building.quoted(if is_number { expression.trim() } else { NUMBER }, Taint::None);
            }
        }
    }

    /// Look at the substitutions in a text that is no word: arithmetic, subscripts, patterns.
    pub(crate) fn expansions_in(&mut self, text: &str) {
        if text.contains(['$', '`']) {
            let _ = self.heredoc(text);
        }
    }

    /// A value expanded once more, as a prompt is.
    fn prompt(&mut self, value: &Word) -> Word {
        if !value.is_known() {
            self.look.note("dynamic_code", format!("a prompt: `{}`", shortened(&value.text)));
            return Word::unknown(value.taint.max(Taint::Computed));
        }
        if value.text.contains(['$', '`']) { self.heredoc(&value.text) } else { value.clone() }
    }

    /// Look at arithmetic: a subscript in a value that it names is expanded, and its commands run.
    pub(crate) fn arithmetic(&mut self, expression: &str) {
        if expression.bytes().all(|byte| byte.is_ascii_digit() || b" +-*/%<>=!&|()^~?:,".contains(&byte)) {
            return;
        }
        let text = if expression.contains(['$', '`']) { self.heredoc(expression).text } else { expression.to_owned() };
        if text.contains(UNKNOWN) {
            self.look.note("dynamic_code", format!("arithmetic over `{}`", shortened(expression)));
        }
        let names = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for name in names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')) {
            self.number(name);
        }
        // `a[$(x)]` that came out of a literal runs as well.
        if text != expression || !expression.contains(['$', '`']) {
            self.expansions_in(&text);
        }
    }

    /// A variable that arithmetic reads: its value is an expression of its own.
    fn number(&mut self, name: &str) {
        // What the script does not set is a number, or nothing at all.
        let is_set_here = self.scope.is_assigned(name);
        for value in self.scope.get(name).into_iter().filter(|_| is_set_here) {
            if !value.is_known() {
                self.look.note("dynamic_code", format!("arithmetic over `{name}`"));
            } else if value.text.contains(['$', '`', '[']) {
                self.expansions_in(&value.text);
            }
        }
    }

    /// The name of a variable that a command gets as a word: its subscript is expanded once more.
    pub(crate) fn variable_name(&mut self, word: &Word) {
        if word.text.contains(UNKNOWN) {
            self.look.note("dynamic_code", format!("a variable named `{}`", shortened(&word.text)));
        } else {
            self.expansions_in(&word.text);
        }
    }

    /// The values that a parameter expansion stands for.
    fn parameter(&mut self, parameter: &Parameter) -> Vec<Word> {
        match &parameter.operator {
            Operator::None => self.value(parameter),
            Operator::Length => vec![Word::plain(NUMBER)],
            Operator::Default(default) => self.value_or(parameter, default),
            Operator::Assign(default) => {
                let values = self.value_or(parameter, default);
                if let Some(value) = values.first() {
                    self.scope.set(&parameter.name, Value::Text(value.clone()));
                }
                values
            }
            Operator::Error(message) => {
                self.expansions_in(message);
                self.value(parameter)
            }
            Operator::Alternative(alternative) => vec![self.word(alternative)],
            Operator::RemoveSuffix(pattern) => {
                let pattern = self.word(pattern);
                self.mapped(parameter, &[&pattern], |text| {
                    text.strip_suffix(pattern.text.as_str()).unwrap_or(text).to_owned()
                })
            }
            Operator::RemovePrefix(pattern) => {
                let pattern = self.word(pattern);
                self.mapped(parameter, &[&pattern], |text| {
                    text.strip_prefix(pattern.text.as_str()).unwrap_or(text).to_owned()
                })
            }
            Operator::Substring { offset, length } => {
                self.arithmetic(offset);
                self.arithmetic(length.as_deref().unwrap_or_default());
                let number = |text: &str| text.trim().parse::<usize>().ok();
                match (number(offset), length.as_deref().map(number)) {
                    (Some(skip), None) => self.mapped(parameter, &[], |text| text.chars().skip(skip).collect()),
                    (Some(skip), Some(Some(take))) => {
                        self.mapped(parameter, &[], |text| text.chars().skip(skip).take(take).collect())
                    }
                    _ => vec![Word::unknown(Taint::Computed)],
                }
            }
            Operator::Replace { pattern, by, is_all } => {
                let (pattern, by) = (self.word(pattern), self.word(by));
                let count = if *is_all { usize::MAX } else { 1 };
                self.mapped(parameter, &[&pattern, &by], |text| {
                    if pattern.text.is_empty() {
                        text.to_owned()
                    } else {
                        text.replacen(&pattern.text, &by.text, count)
                    }
                })
            }
            Operator::Upper | Operator::Transform('U') => self.mapped(parameter, &[], str::to_uppercase),
            Operator::Lower | Operator::Transform('L') => self.mapped(parameter, &[], str::to_lowercase),
            Operator::Transform('E') => self.mapped(parameter, &[], unescaped),
            // `${x@P}` runs the substitutions in the value: what it comes to is what a heredoc would.
            Operator::Transform('P') => {
                let values = self.value(parameter);
                values.iter().map(|value| self.prompt(value)).collect()
            }
            Operator::Transform(_) => self.value(parameter),
            Operator::Other(text) => {
                self.expansions_in(text);
                vec![Word::unknown(Taint::Computed)]
            }
        }
    }

    fn value_or(&mut self, parameter: &Parameter, default: &str) -> Vec<Word> {
        let own = self.value(parameter);
        let is_set = self.is_assigned(parameter) && own.iter().any(|word| !word.text.is_empty());
        if is_set { own } else { vec![self.word(default)] }
    }

    fn mapped(&mut self, parameter: &Parameter, needed: &[&Word], map: impl Fn(&str) -> String) -> Vec<Word> {
        let is_certain = needed.iter().all(|word| word.is_known() && !word.text.contains(['*', '?', '[']));
        let change = |word: Word| {
            if is_certain && word.is_known() {
                Word { text: map(&word.text), ..word }
            } else {
                Word::unknown(word.taint.max(Taint::Computed))
            }
        };
        self.value(parameter).into_iter().map(change).collect()
    }

    fn is_assigned(&self, parameter: &Parameter) -> bool {
        match parameter.name.as_bytes().first() {
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => self.scope.is_assigned(&parameter.name),
            Some(byte) if byte.is_ascii_digit() => self.scope.positional.is_some(),
            _ => true,
        }
    }

    fn value(&mut self, parameter: &Parameter) -> Vec<Word> {
        if let Some(index) = parameter.index.as_ref().filter(|index| !matches!(index.as_str(), "@" | "*")) {
            // The keys of an associative array are text, which only the declaration tells.
            if self.scope.associative.contains(&parameter.name) {
                self.expansions_in(index);
            } else {
                self.arithmetic(index);
            }
        }
        if parameter.is_indirect && matches!(parameter.index.as_deref(), Some("@" | "*")) {
            return vec![Word::plain(NUMBER)];
        }
        let name = parameter.name.as_str();
        let values = match (name.as_bytes().first(), parameter.index.as_deref()) {
            (Some(byte), Some("@" | "*")) if !byte.is_ascii_digit() => self.scope.get(name),
            (Some(byte), Some(index)) if !byte.is_ascii_digit() => {
                let words = self.scope.get(name);
                match index.trim().parse::<usize>() {
                    Ok(at) if words.len() > 1 || at == 0 => words.into_iter().skip(at).take(1).collect(),
                    _ => vec![Word::unknown(words.iter().map(|word| word.taint).max().unwrap_or_default())],
                }
            }
            (Some(b'@' | b'*'), _) => self.scope.positional.clone().unwrap_or_else(|| vec![Word::unknown(Taint::None)]),
            (Some(b'0'), _) => vec![self.scope.zero.clone().unwrap_or_else(|| Word::unknown(Taint::None))],
            (Some(byte), _) if byte.is_ascii_digit() => match (&self.scope.positional, name.parse::<usize>()) {
                (Some(words), Ok(at)) if at > 0 => words.get(at - 1).cloned().into_iter().collect(),
                _ => vec![Word::unknown(Taint::None)],
            },
            (Some(byte), _) if byte.is_ascii_alphabetic() || *byte == b'_' => {
                self.scope.get(name).into_iter().take(1).collect()
            }
            _ => vec![Word::plain(NUMBER)],
        };
        if !parameter.is_indirect {
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

fn is_list(parameter: &Parameter) -> bool {
    parameter.index.as_deref() == Some("@") || parameter.name == "@"
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
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
            '0'..='7' => {
                out.extend(char_by_number(&mut rest, escape.to_digit(8), 8, if escape == '0' { 3 } else { 2 }))
            }
            '\\' | '\'' | '"' | '?' => out.push(escape),
            other => out.extend(['\\', other]),
        }
    }
    out
}

/// The character whose number follows, in at most so many digits behind a `first` one.
fn char_by_number(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    first: Option<u32>,
    radix: u32,
    digits: usize,
) -> Option<char> {
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
}
