//! Words to what they hold: quotes, escapes, braces, variables and substitutions are folded as far
//! as the script itself says. The rest stands as unknown.

use std::collections::HashSet;

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;

use super::braces;
use super::lower::Lower;
use super::scope::{VALUE_BYTES_MAX, Value};
use super::word::{Lack, Operator, Parameter, Piece, Place, Which, pieces, quoted_pieces};

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
        if separators.contains(UNKNOWN) && !text.is_empty() {
            // Where it splits only the run will tell.
            self.quoted(&UNKNOWN.to_string(), taint);
            return;
        }
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
        let bytes = texts.iter().map(String::len).sum::<usize>();
        if !self.look.spend(bytes + texts.len() * WORD_WORK) {
            return vec![Word::unknown(Taint::Computed)];
        }
        texts.iter().flat_map(|text| self.words_without_braces(text)).collect()
    }

    fn words_without_braces(&mut self, raw: &str) -> Vec<Word> {
        let Some(pieces) = self.read(raw, pieces(raw)) else { return vec![Word::unknown(Taint::Computed)] };
        let mut building = Building::default();
        for piece in &pieces {
            self.piece(piece, &mut building);
        }
        self.look.leave();
        let words = building.finish();
        if !self.look.spend(words.len() * WORD_WORK) {
            return vec![Word::unknown(Taint::Computed)];
        }
        if words.len() > braces::WORDS_MAX {
            self.look.note("too_complex", format!("`{}` is more than {} words", shortened(raw), braces::WORDS_MAX));
            return vec![Word::unknown(Taint::Computed)];
        }
        words
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
        // What is read goes through several hands.
        pieces.filter(|_| self.look.spend(WORD_WORK + 2 * raw.len()) && self.look.deepen())
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
                let separators = self.separators();
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        building.done.extend(building.current.take());
                    }
                    // Each character is compared with each separator.
                    if !self.look.spend(value.text.len().saturating_mul(separators.len().div_ceil(4))) {
                        building.quoted(&UNKNOWN.to_string(), Taint::Computed);
                        return;
                    }
                    building.split(&value.text, value.taint, &separators);
                }
            }
            Piece::Command(code) => {
                let value = self.substitution(code);
                let separators = self.separators();
                building.split(&value.text, value.taint, &separators);
            }
            other => self.quoted_piece(other, building),
        }
    }

    /// What splits an unquoted value. Longer than anybody writes it, it is as good as unknown.
    fn separators(&self) -> String {
        const SEPARATORS_BYTES_MAX: usize = 64;
        match self.scope.get("IFS").as_slice() {
            // Without the variable the shell splits as it usually does.
            [] => " \t\n".to_owned(),
            [one] if one.text.len() <= SEPARATORS_BYTES_MAX => one.text.clone(),
            _ => UNKNOWN.to_string(),
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
                    // `for f in x/*; do cat "$f"`: it stands for each of the files.
                    if let Some(word) = building.current.as_mut().filter(|_| value.is_glob) {
                        word.is_glob = true;
                    }
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
        for name in names_in(&text) {
            self.number(name);
        }
        // `a[$(x)]` that came out of a literal runs as well.
        if text != expression || !expression.contains(['$', '`']) {
            self.expansions_in(&text);
        }
    }

    /// A variable that arithmetic reads: its value is an expression of its own, with further variables in it.
    fn number(&mut self, name: &str) {
        let mut left = vec![name.to_owned()];
        let mut seen = HashSet::new();
        while let Some(name) = left.pop() {
            // What the script does not set is a number, or nothing at all.
            if !self.scope.is_assigned(&name) || !seen.insert(name.clone()) {
                continue;
            }
            for value in self.scope.get(&name) {
                if !self.look.spend(value.text.len() + WORD_WORK) {
                    return;
                }
                if !value.is_known() && !value.is_glob {
                    self.look.note("dynamic_code", format!("arithmetic over `{name}`"));
                } else if value.text.contains(['$', '`']) {
                    self.expansions_in(&value.text);
                }
                left.extend(names_in(&value.text).map(str::to_owned));
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
        self.subscript(parameter);
        let values = self.operated(parameter);
        let bytes = values.iter().map(|word| word.text.len() + WORD_WORK).sum();
        if self.look.spend(bytes) { values } else { vec![Word::unknown(Taint::Computed)] }
    }

    /// The subscript is expanded whatever is done to the element.
    fn subscript(&mut self, parameter: &Parameter) {
        let Some(index) = parameter.index.as_ref().filter(|index| !matches!(index.as_str(), "@" | "*")) else { return };
        // The keys of an associative array are text, which only the declaration tells.
        if self.is_associative(parameter) {
            self.expansions_in(index);
        } else {
            self.arithmetic(index);
        }
    }

    fn is_associative(&self, parameter: &Parameter) -> bool {
        self.scope.associative.contains(&parameter.name)
    }

    fn operated(&mut self, parameter: &Parameter) -> Vec<Word> {
        match &parameter.operator {
            Operator::None => self.value(parameter),
            Operator::Length => vec![Word::plain(NUMBER)],
            Operator::Default(default, lack) => self.value_or(parameter, default, *lack),
            Operator::Assign(default, lack) => {
                let values = self.value_or(parameter, default, *lack);
                if let Some(value) = values.first() {
                    let is_whole = parameter.index.is_none() && !parameter.is_indirect;
                    // Of a list that gets one more element it is no longer known which is where.
                    let value = if is_whole { value.clone() } else { Word::unknown(value.taint) };
                    self.scope.set(&parameter.name, Value::Text(value));
                }
                values
            }
            Operator::Error(message) => {
                self.expansions_in(message);
                self.value(parameter)
            }
            Operator::Alternative(alternative, lack) => {
                let alternative = self.word(alternative);
                match self.presence(parameter, *lack) {
                    Some(true) => vec![alternative],
                    Some(false) => vec![Word::default()],
                    None => vec![Word::unknown(alternative.taint)],
                }
            }
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
            Operator::Replace { pattern, by, which } => {
                let (pattern, by) = (self.word(pattern), self.word(by));
                // An `&` in it stands for what was found, or for itself: that is the shell's to know.
                if by.text.contains('&') || pattern.text.is_empty() {
                    let taint = self.value(parameter).iter().map(|word| word.taint).max().unwrap_or_default();
                    return vec![Word::unknown(taint.max(Taint::Computed))];
                }
                self.mapped(parameter, &[&pattern, &by], |text| replaced(text, &pattern.text, &by.text, *which))
            }
            Operator::Upper | Operator::Transform('U') => self.mapped(parameter, &[], |text| {
                if text.is_ascii() { text.to_ascii_uppercase() } else { UNKNOWN.to_string() }
            }),
            Operator::Lower | Operator::Transform('L') => self.mapped(parameter, &[], |text| {
                if text.is_ascii() { text.to_ascii_lowercase() } else { UNKNOWN.to_string() }
            }),
            Operator::Transform('E') => self.mapped(parameter, &[], |text| unescaped(text, Escapes::Quotes)),
            Operator::Transform('Q') => self.mapped(parameter, &[], |text| {
                let is_plain = !text.contains(['\'', UNKNOWN]) && !text.chars().any(char::is_control);
                if is_plain { format!("'{text}'") } else { UNKNOWN.to_string() }
            }),
            // `${x@P}` runs the substitutions in the value: what it comes to is what a heredoc would.
            Operator::Transform('P') => {
                let values = self.value(parameter);
                values.iter().map(|value| self.prompt(value)).collect()
            }
            // The first letter in capitals, a whole assignment, attributes: no more than the taint is known.
            Operator::Transform(_) => {
                self.value(parameter).iter().map(|word| Word::unknown(word.taint.max(Taint::Computed))).collect()
            }
            Operator::Other(text) => {
                self.expansions_in(text);
                vec![Word::unknown(Taint::Computed)]
            }
        }
    }

    fn value_or(&mut self, parameter: &Parameter, default: &str, lack: Lack) -> Vec<Word> {
        // What the script does not set counts as unset.
        let is_present = self.presence(parameter, lack).unwrap_or_else(|| self.is_assigned(parameter));
        if is_present { self.value(parameter) } else { vec![self.word(default)] }
    }

    /// Whether there is a value. None: only the run will tell.
    fn presence(&mut self, parameter: &Parameter, lack: Lack) -> Option<bool> {
        if !self.is_assigned(parameter) {
            return None;
        }
        let own = self.value(parameter);
        match lack {
            Lack::Unset => Some(!own.is_empty()),
            Lack::Empty if own.iter().all(|word| word.text.is_empty()) => Some(false),
            Lack::Empty if own.iter().any(|word| word.text.chars().any(|c| c != UNKNOWN)) => Some(true),
            Lack::Empty => None,
        }
    }

    fn mapped(&mut self, parameter: &Parameter, needed: &[&Word], map: impl Fn(&str) -> String) -> Vec<Word> {
        let is_certain = needed.iter().all(|word| word.is_known() && !word.text.contains(['*', '?', '[', '(', '\\']));
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
        if parameter.is_indirect && matches!(parameter.index.as_deref(), Some("@" | "*")) {
            // The keys of an associative array are any text.
            return vec![if self.is_associative(parameter) { Word::unknown(Taint::None) } else { Word::plain(NUMBER) }];
        }
        let name = parameter.name.as_str();
        let values = match (name.as_bytes().first(), parameter.index.as_deref()) {
            (Some(byte), Some("@" | "*")) if !byte.is_ascii_digit() => self.scope.get(name),
            (Some(byte), Some(index)) if !byte.is_ascii_digit() => {
                let words = self.scope.get(name);
                match index.trim().parse::<usize>() {
                    Ok(at) if !self.scope.is_loose(name) && (words.len() > 1 || at == 0) => {
                        words.into_iter().skip(at).take(1).collect()
                    }
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
                self.scope.first(name).into_iter().collect()
            }
            // The shell's own flags are letters.
            (Some(b'-'), _) => vec![Word::unknown(Taint::None)],
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
            Some(text) if !self.look.spend(2 * text.len()) => Word::unknown(flow.taint.max(Taint::Computed)),
            // The shell leaves out what no text can hold.
            Some(text) => Word {
                text: text.replace('\0', "").trim_end_matches('\n').to_owned(),
                is_glob: false,
                taint: flow.taint,
            },
            None => Word::unknown(flow.taint.max(Taint::Computed)),
        }
    }
}

/// What stands for a number that only the run will tell: it can be no path and no flag.
const NUMBER: &str = "0";
/// What a word costs beyond its bytes.
const WORD_WORK: usize = 64;

/// The names of variables in an expression.
fn names_in(expression: &str) -> impl Iterator<Item = &str> {
    let names = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

fn is_list(parameter: &Parameter) -> bool {
    parameter.index.as_deref() == Some("@") || parameter.name == "@"
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The value with what is found in it replaced.
fn replaced(text: &str, pattern: &str, by: &str, which: Which) -> String {
    match which {
        Which::Begin => text.strip_prefix(pattern).map_or_else(|| text.to_owned(), |rest| format!("{by}{rest}")),
        Which::End => text.strip_suffix(pattern).map_or_else(|| text.to_owned(), |rest| format!("{rest}{by}")),
        Which::First | Which::All => {
            let count = if which == Which::All { usize::MAX } else { 1 };
            // The danger: 64 KiB, each byte of which becomes 64 KiB.
            let bytes = (text.len() / pattern.len().max(1)).min(count).saturating_mul(by.len());
            if bytes > VALUE_BYTES_MAX { UNKNOWN.to_string() } else { text.replacen(pattern, by, count) }
        }
    }
}

/// Whose escapes they are: each reads some of them in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// `$'...'`.
    Quotes,
    /// `echo -e`.
    Echo,
    /// The format of `printf`.
    Format,
}

/// The text that escapes stand for. Bytes that are no text come out as unknown.
pub(crate) fn unescaped(text: &str, kind: Escapes) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let push = |out: &mut Vec<u8>, c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    while let Some(c) = rest.next() {
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        let Some(escape) = rest.next() else {
            out.push(b'\\');
            break;
        };
        match escape {
            'n' => out.push(b'\n'),
            't' => out.push(b'\t'),
            'r' => out.push(b'\r'),
            'a' => out.push(7),
            'b' => out.push(8),
            'e' | 'E' => out.push(0x1b),
            'f' => out.push(0xc),
            'v' => out.push(0xb),
            // In quotes braces may stand around any number of digits, of which the last two count.
            'x' if kind == Escapes::Quotes && rest.peek() == Some(&'{') => {
                rest.next();
                let value = number(&mut rest, 0, 16, usize::MAX).unwrap_or(0);
                if rest.peek() == Some(&'}') {
                    rest.next();
                }
                out.push((value & 0xff) as u8);
            }
            'x' => match number(&mut rest, 0, 16, 2) {
                Some(value) => out.push((value & 0xff) as u8),
                None => out.extend(b"\\x"),
            },
            'u' | 'U' => match number(&mut rest, 0, 16, if escape == 'u' { 4 } else { 8 }) {
                Some(value) => push(&mut out, char::from_u32(value).unwrap_or(UNKNOWN)),
                None => out.extend([b'\\', escape as u8]),
            },
            'c' if kind == Escapes::Quotes => match rest.next() {
                Some('\\') => {
                    if rest.peek() == Some(&'\\') {
                        rest.next();
                    }
                    out.push(0x1c);
                }
                Some('?') => out.push(0x7f),
                Some(control) => push(&mut out, char::from_u32(u32::from(control) & 0x1f).unwrap_or(UNKNOWN)),
                None => out.extend(b"\\c"),
            },
            // Nothing comes behind it.
            'c' if kind == Escapes::Echo => break,
            '0'..='7' if kind != Escapes::Echo || escape == '0' => {
                let first = escape.to_digit(8).unwrap_or(0);
                // To `echo` and to `%b` the zero in front does not count.
                let digits = if kind == Escapes::Echo && escape == '0' { 3 } else { 2 };
                out.push((number(&mut rest, first, 8, digits).unwrap_or(first) & 0xff) as u8);
            }
            '\\' => out.push(b'\\'),
            '\'' | '"' | '?' if kind != Escapes::Echo => push(&mut out, escape),
            other => {
                out.push(b'\\');
                push(&mut out, other);
            }
        }
    }
    if kind == Escapes::Quotes {
        // A value ends where a NUL is.
        out.truncate(out.iter().position(|byte| *byte == 0).unwrap_or(out.len()));
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => {
            String::from_utf8_lossy(error.as_bytes()).replace(char::REPLACEMENT_CHARACTER, &UNKNOWN.to_string())
        }
    }
}

/// The number that goes on from `first` with the digits that follow, at most so many. None: there are none.
fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, first: u32, radix: u32, digits: usize) -> Option<u32> {
    let mut value = None;
    for _ in 0..digits {
        let Some(digit) = rest.peek().and_then(|c| c.to_digit(radix)) else { break };
        rest.next();
        value = Some(value.unwrap_or(first).wrapping_mul(radix).wrapping_add(digit));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        let quotes = |text: &str| unescaped(text, Escapes::Quotes);
        assert_eq!(quotes(r"r\x6d\162\u0041\\"), "rmrA\\");
        assert_eq!(quotes(r"a\"), r"a\");
        assert_eq!(quotes(r"\x{2f}etc"), "/etc");
        assert_eq!(quotes(r"\U0000002fetc"), "/etc");
        assert_eq!(quotes(r"\0577\n"), "/7\n");
        assert_eq!(quotes(r"\0101"), "\u{8}1");
        assert_eq!(quotes(r"/etc\0/x"), "/etc");
        assert_eq!(quotes(r"\xc3\xa9"), "é");
        assert_eq!(quotes(r"\xff"), UNKNOWN.to_string());
        assert_eq!(quotes(r"\xg\u\'"), r"\xg\u'");
    }

    #[test]
    fn echo_and_printf_have_escapes_of_their_own() {
        assert_eq!(unescaped(r"\0101\x{41}", Escapes::Echo), r"A\x{41}");
        assert_eq!(unescaped(r"a\cb", Escapes::Echo), "a");
        assert_eq!(unescaped(r"\'", Escapes::Echo), r"\'");
        assert_eq!(unescaped(r"\0101", Escapes::Format), "\u{8}1");
        assert_eq!(unescaped(r"a\cb", Escapes::Format), r"a\cb");
    }
}
