//! Programs of awk: the shells they run (`system`, pipes), the files they read and write (`getline <`,
//! `print >`, `ARGV`), the code they load.
//!
//! The program is read as awk's own lexer would, so that strings, patterns and comments are told from
//! code. Whether a `/` within brackets ends a pattern differs between versions: both readings count.
//! A text is known where it is written as strings, or held by a name that is set once to strings. A
//! command or a file of which not even the beginning is known is a finding.

use std::collections::HashMap;

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;

use super::Carried;

/// Files that are no files: awk's own standard streams.
const STREAMS: &[&str] = &["/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/fd/1", "/dev/fd/2", "-"];
/// Names behind which a value is expected, so that a `/` begins a pattern.
const WANTS_VALUE: &[&str] =
    &["print", "printf", "return", "in", "do", "else", "case", "delete", "if", "while", "for", "exit"];
/// Letters of flags that stand alone.
const BARE: &str = "bcCghIkMnNOPrsSt";
/// What may follow `-W` without an effect on files or code.
const HARMLESS_SETTINGS: &[&str] = &["version", "usage", "help", "posix", "traditional", "interactive", "lint", "dump"];

/// What the awk program in this command line does beyond printing.
pub(super) fn by_awk(words: &[Word]) -> Vec<Carried> {
    let line = Invocation::read(words);
    let mut all = line.found;
    let taint = line.sources.iter().map(|word| word.taint).max().unwrap_or_default();
    let texts: Vec<&str> = line.sources.iter().map(|word| word.text.as_str()).collect();
    // Some versions join the pieces as they are, others by a newline.
    let mut readings = vec![texts.join("\n")];
    if texts.len() > 1 {
        readings.push(texts.concat());
    }
    let noted = |finding| Carried::Noted { finding, detail: format!("awk: {}", texts.join("\n")) };
    // A number or a text that the environment sets is data in its place; what a command prints is not.
    if taint > Taint::None && readings.iter().any(|text| text.contains(UNKNOWN)) {
        all.push(noted("dynamic_code"));
    }
    let (mut read, mut is_unknown) = (0, false);
    for text in &readings {
        for has_brackets in [true, false] {
            match tokens(text, has_brackets) {
                Ok(tokens) => {
                    read += 1;
                    for carried in Program::new(&tokens, &line.variables).effects() {
                        if !all.contains(&carried) {
                            all.push(carried);
                        }
                    }
                }
                Err(Fault::Unknown) => is_unknown = true,
                Err(Fault::Syntax) => {}
            }
        }
    }
    if is_unknown {
        all.push(noted("dynamic_code"));
    } else if read == 0 {
        all.push(noted("unparsed"));
    }
    all
}

/// The words of an awk command line, sorted.
#[derive(Default)]
struct Invocation {
    sources: Vec<Word>,
    /// What `-v` and operands set.
    variables: Vec<(String, String)>,
    found: Vec<Carried>,
}

impl Invocation {
    fn read(words: &[Word]) -> Self {
        let mut line = Self::default();
        let mut has_file = false;
        let mut rest = words.iter().skip(1).peekable();
        let mut operands: Vec<&Word> = vec![];
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" {
                break;
            }
            if !text.starts_with('-') || text == "-" {
                operands.push(word);
                break;
            }
            if let Some(long) = text.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let is_name = |full: &str, least: usize| name.len() >= least && full.starts_with(name);
                let letter = match name {
                    _ if is_name("assign", 1) => 'v',
                    _ if is_name("field-separator", 3) => 'F',
                    _ if is_name("file", 3) => 'f',
                    _ if is_name("source", 2) => 'e',
                    _ if is_name("exec", 1) => 'E',
                    _ if is_name("include", 3) => 'i',
                    _ if is_name("load", 2) => 'l',
                    _ if is_name("debug", 2) => 'D',
                    _ => continue,
                };
                let value = match value {
                    _ if letter == 'D' => Some(word.clone()),
                    Some(value) => Some(Word { text: value.to_owned(), ..word.clone() }),
                    None => rest.next().cloned(),
                };
                has_file |= line.flag(letter, value.unwrap_or_default());
                continue;
            }
            let letters = &text[1..];
            for (at, letter) in letters.char_indices() {
                let attached = &letters[at + letter.len_utf8()..];
                let own = (!attached.is_empty()).then(|| Word { text: attached.to_owned(), ..word.clone() });
                match letter {
                    'd' | 'o' | 'p' => {
                        line.found.extend(own.map(|path| Carried::Touched { act: "file_write", path }));
                    }
                    'D' => drop(line.flag('D', word.clone())),
                    'L' => {}
                    'F' | 'v' | 'f' | 'e' | 'E' | 'i' | 'l' | 'W' => {
                        let value = own.or_else(|| rest.next().cloned()).unwrap_or_default();
                        has_file |= line.flag(letter, value);
                    }
                    letter if BARE.contains(letter) => continue,
                    // `-V` and `-h` only print; of others nobody knows whether the next word is theirs.
                    'V' => continue,
                    _ => {
                        let detail = format!("awk: the flag `-{letter}`");
                        line.found.push(Carried::Noted { finding: "dynamic_code", detail });
                    }
                }
                break;
            }
        }
        operands.extend(rest);
        let mut operands = operands.into_iter();
        if line.sources.is_empty() && !has_file {
            line.sources.extend(operands.next().cloned());
        }
        line.variables.extend(operands.filter_map(|word| assignment(&word.text)));
        line
    }

    /// Take one flag with its value; whether it names a file that holds the program.
    fn flag(&mut self, letter: char, value: Word) -> bool {
        match letter {
            'v' => self.variables.extend(assignment(&value.text)),
            'e' => self.sources.push(value),
            'D' => {
                self.found.push(Carried::Noted { finding: "dynamic_code", detail: "awk: its debugger".to_owned() });
            }
            'W' => {
                let name = value.text.split_once('=').map_or(value.text.as_str(), |(name, _)| name);
                let is_harmless = !name.is_empty() && HARMLESS_SETTINGS.iter().any(|own| own.starts_with(name));
                if !is_harmless && !matches!(name, "random" | "sprintf") {
                    let detail = format!("awk: -W {}", value.text);
                    self.found.push(Carried::Noted { finding: "dynamic_code", detail });
                }
            }
            'f' | 'E' => return true,
            _ => {}
        }
        false
    }
}

fn assignment(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // Backslashes mean here what they mean in a string.
    is_name.then(|| (name.to_owned(), if value.contains('\\') { UNKNOWN.to_string() } else { value.to_owned() }))
}

/// Why a program could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A part of its code is one that only the run will tell.
    Unknown,
    /// A string or a pattern has no end.
    Syntax,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A string, its escapes read; [`UNKNOWN`] for those that versions read differently.
    Text(String),
    Number(String),
    Name(String),
    Pattern,
    Newline,
    Mark(&'static str),
}

/// Marks, the longer first.
const MARKS: &[&str] = &[
    "**=", "|&", "||", "&&", ">>", ">=", "<=", "==", "!=", "!~", "++", "--", "+=", "-=", "*=", "%=", "^=", "/=", "**",
    "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "%", "^", "!", ">", "<", "|", "?", ":", "~", "$", "=", "@",
    "&",
];

impl Token {
    fn is(&self, mark: &str) -> bool {
        matches!(self, Token::Mark(own) if *own == mark)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self, Token::Name(own) if own == name)
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The program's tokens.
fn tokens(text: &str, has_brackets: bool) -> Result<Vec<Token>, Fault> {
    let mut all: Vec<Token> = vec![];
    let mut rest = text;
    // Of each open parenthesis, whether it holds the head of a statement: behind it a value follows.
    let mut heads = vec![];
    let mut closed_head = false;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            ' ' | '\t' | '\r' => rest = after,
            '\n' => {
                all.push(Token::Newline);
                rest = after;
            }
            '\\' => {
                let line_end = after.trim_start_matches('\r');
                rest = line_end.strip_prefix('\n').ok_or(Fault::Syntax)?;
                // Whether the two halves of a word are one differs.
                if matches!(all.last(), Some(Token::Name(_))) && rest.starts_with(is_name_char) {
                    return Err(Fault::Unknown);
                }
            }
            '#' => rest = after.find('\n').map_or("", |at| &after[at..]),
            '"' => {
                let (token, behind) = string(after)?;
                all.push(token);
                rest = behind;
            }
            UNKNOWN => {
                // Behind an operator it is a number; elsewhere it may be anything.
                let is_operand = match all.last() {
                    Some(Token::Mark(mark)) => !matches!(*mark, "{" | "}" | ";" | ")" | "]" | "@"),
                    Some(Token::Name(name)) => matches!(name.as_str(), "print" | "return" | "in" | "exit"),
                    _ => false,
                };
                let behind = after.trim_start_matches(|c: char| c == UNKNOWN || c.is_ascii_digit() || c == '.');
                if !is_operand || behind.starts_with(|c: char| is_name_char(c) || c == '(') {
                    return Err(Fault::Unknown);
                }
                all.push(Token::Number(UNKNOWN.to_string()));
                rest = behind;
            }
            c if c.is_ascii_digit() || (c == '.' && after.starts_with(|c: char| c.is_ascii_digit())) => {
                let end = rest.find(|c: char| !(is_name_char(c) || c == '.')).unwrap_or(rest.len());
                let behind = rest[end..].trim_start_matches(UNKNOWN);
                let is_known = behind.len() == rest.len() - end;
                all.push(Token::Number(if is_known { rest[..end].to_owned() } else { UNKNOWN.to_string() }));
                rest = behind;
            }
            c if is_name_char(c) => {
                let end = rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len());
                let (name, behind) = rest.split_at(end);
                match behind.strip_prefix("::") {
                    // A namespace of gawk's: what is behind it counts.
                    Some(behind) => rest = behind,
                    None => {
                        all.push(Token::Name(name.to_owned()));
                        rest = behind;
                    }
                }
                if rest.starts_with(UNKNOWN) {
                    return Err(Fault::Unknown);
                }
            }
            '/' if !ends_value(&all, closed_head)? => {
                rest = pattern(after, has_brackets)?;
                all.push(Token::Pattern);
            }
            '/' => {
                all.push(Token::Mark("/"));
                rest = after.strip_prefix('=').unwrap_or(after);
            }
            _ => {
                let mark = MARKS.iter().find(|mark| rest.starts_with(**mark)).ok_or(Fault::Syntax)?;
                match *mark {
                    "(" => heads.push(matches!(all.last(), Some(Token::Name(name)) if matches!(name.as_str(), "if" | "while" | "for" | "switch"))),
                    ")" => closed_head = heads.pop().unwrap_or(false),
                    _ => {}
                }
                all.push(Token::Mark(mark));
                rest = &rest[mark.len()..];
            }
        }
    }
    Ok(all)
}

/// Whether a value ends here, so that a `/` divides it.
fn ends_value(before: &[Token], closed_head: bool) -> Result<bool, Fault> {
    Ok(match before.last() {
        None | Some(Token::Newline) => false,
        Some(Token::Text(_) | Token::Number(_) | Token::Pattern) => true,
        Some(Token::Name(name)) if name == "getline" => return Err(Fault::Unknown),
        Some(Token::Name(name)) => !WANTS_VALUE.contains(&name.as_str()),
        Some(Token::Mark(")")) => !closed_head,
        Some(Token::Mark("]")) => true,
        Some(Token::Mark("++" | "--")) => ends_value(before.get(..before.len() - 1).unwrap_or_default(), closed_head)?,
        Some(Token::Mark(_)) => false,
    })
}

/// A string up to its quote, and what is behind it.
fn string(text: &str) -> Result<(Token, &str), Fault> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let c = rest.chars().next().ok_or(Fault::Syntax)?;
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return Ok((Token::Text(value), rest)),
            '\n' => return Err(Fault::Syntax),
            '\\' => {
                let c = rest.chars().next().ok_or(Fault::Syntax)?;
                rest = &rest[c.len_utf8()..];
                match c {
                    'n' => value.push('\n'),
                    't' => value.push('\t'),
                    'r' => value.push('\r'),
                    'a' | 'b' | 'f' | 'v' => value.push(' '),
                    '\n' => {}
                    '\r' => rest = rest.strip_prefix('\n').unwrap_or(rest),
                    '0'..='7' => {
                        const OCTAL_DIGITS_MAX: usize = 3;
                        let more =
                            rest.chars().take(OCTAL_DIGITS_MAX - 1).take_while(|c| ('0'..='7').contains(c)).count();
                        let digits = format!("{c}{}", &rest[..more]);
                        let code = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
                        value.push(code.filter(char::is_ascii).unwrap_or(UNKNOWN));
                        rest = &rest[more..];
                    }
                    // How many digits follow differs.
                    'x' | 'u' => value.push(UNKNOWN),
                    c => value.push(c),
                }
            }
            c => value.push(c),
        }
    }
}

/// What is behind a pattern.
fn pattern(text: &str, has_brackets: bool) -> Result<&str, Fault> {
    let mut rest = text;
    let mut in_bracket = false;
    loop {
        let c = rest.chars().next().ok_or(Fault::Syntax)?;
        rest = &rest[c.len_utf8()..];
        match c {
            '/' if !in_bracket => return Ok(rest),
            '\n' => return Err(Fault::Syntax),
            '\\' => {
                let c = rest.chars().next().ok_or(Fault::Syntax)?;
                rest = &rest[c.len_utf8()..];
            }
            '[' if has_brackets && !in_bracket => {
                in_bracket = true;
                rest = rest.strip_prefix('^').unwrap_or(rest);
                rest = rest.strip_prefix(']').unwrap_or(rest);
            }
            '[' if in_bracket && rest.starts_with(':') => {
                rest = rest.find(":]").map_or(rest, |at| &rest[at + 2..]);
            }
            ']' => in_bracket = false,
            _ => {}
        }
    }
}

/// A program with what its names hold.
struct Program<'t> {
    tokens: &'t [Token],
    /// The text of each name that is set; None: it is set to more than one, or to what is not known.
    held: HashMap<&'t str, Option<String>>,
    found: Vec<Carried>,
}

impl<'t> Program<'t> {
    fn new(tokens: &'t [Token], variables: &'t [(String, String)]) -> Self {
        let mut program = Self { tokens, held: HashMap::new(), found: vec![] };
        for (name, value) in variables {
            program.hold(name, Some(value.clone()));
        }
        for (at, token) in tokens.iter().enumerate() {
            let Token::Name(name) = token else { continue };
            let before = at.checked_sub(1).and_then(|at| tokens.get(at));
            let after = tokens.get(at + 1);
            match (before, after) {
                (_, Some(Token::Mark("="))) => {
                    let value = program.known_value(at + 2);
                    program.hold(name, value);
                }
                (_, Some(Token::Mark("+=" | "-=" | "*=" | "%=" | "^=" | "**=" | "++" | "--" | "[")))
                | (Some(Token::Mark("++" | "--")), _) => program.hold(name, None),
                (Some(Token::Name(verb)), _) if verb == "getline" => program.hold(name, None),
                (Some(Token::Mark("(")), Some(Token::Name(verb))) if verb == "in" => program.hold(name, None),
                // `a /= 2` reads as a division here.
                (_, Some(Token::Mark("/"))) => program.hold(name, None),
                _ => {}
            }
            // What these take they may change; parameters are other variables.
            if matches!(name.as_str(), "sub" | "gsub" | "split" | "function" | "func") {
                let open =
                    at + 1 + tokens.get(at + 1..).unwrap_or_default().iter().take_while(|it| !it.is("(")).count();
                for token in tokens.get(open..program.close(open)).unwrap_or_default() {
                    if let Token::Name(name) = token {
                        program.hold(name, None);
                    }
                }
            }
        }
        program
    }

    fn hold(&mut self, name: &'t str, value: Option<String>) {
        match self.held.get(name) {
            Some(own) if *own != value => drop(self.held.insert(name, None)),
            Some(_) => {}
            None => drop(self.held.insert(name, value)),
        }
    }

    /// The strings that are all of an assignment's value.
    fn known_value(&self, from: usize) -> Option<String> {
        let mut value = String::new();
        for token in self.tokens.get(from..)? {
            match token {
                Token::Text(text) | Token::Number(text) => value.push_str(text),
                Token::Newline | Token::Mark(";" | "}" | ")" | ",") => break,
                _ => return None,
            }
        }
        Some(value)
    }

    /// The place of the parenthesis or bracket that closes the one at `open`, or the end.
    fn close(&self, open: usize) -> usize {
        let mut depth = 0usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token {
                Token::Mark("(" | "[") => depth += 1,
                Token::Mark(")" | "]") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// The place of what opens the one that is closed at `end`.
    fn open(&self, end: usize) -> usize {
        let mut depth = 0usize;
        for at in (0..=end).rev() {
            match self.tokens.get(at) {
                Some(Token::Mark(")" | "]")) => depth += 1,
                Some(Token::Mark("(" | "[")) => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        0
    }

    fn effects(mut self) -> Vec<Carried> {
        let mut depth = 0usize;
        let mut printing = None;
        for (at, token) in self.tokens.iter().enumerate() {
            match token {
                Token::Mark("(" | "[") => depth += 1,
                Token::Mark(")" | "]") => depth = depth.saturating_sub(1),
                Token::Mark(";" | "{" | "}") => printing = None,
                Token::Newline => {
                    let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
                    if !matches!(before, Some(Token::Mark("," | "&&" | "||"))) {
                        printing = None;
                    }
                }
                Token::Mark(">" | ">>") if printing == Some(depth) => self.file("file_write", at + 1),
                Token::Mark("|") => self.pipe(at, printing == Some(depth)),
                Token::Mark("|&") => self.note("runs_commands", "awk: a command that it talks with"),
                Token::Mark("@") => self.directive(at),
                Token::Name(name) => match name.as_str() {
                    "print" | "printf" => printing = Some(depth),
                    "system" => self.system(at),
                    "getline" => self.getline(at),
                    "ARGV" | "ENVIRON" => self.surroundings(at),
                    "SYMTAB" | "FUNCTAB" | "extension" => self.note("dynamic_code", &format!("awk: {name}")),
                    _ => {}
                },
                _ => {}
            }
        }
        self.found
    }

    fn note(&mut self, finding: &'static str, detail: &str) {
        self.found.push(Carried::Noted { finding, detail: detail.to_owned() });
    }

    fn runs(&mut self, code: String) {
        self.found.push(Carried::Piped { code: Word::plain(code) });
    }

    fn system(&mut self, at: usize) {
        let newlines =
            self.tokens.get(at + 1..).unwrap_or_default().iter().take_while(|it| **it == Token::Newline).count();
        let open = at + 1 + newlines;
        let code = match self.tokens.get(open) {
            Some(Token::Mark("(")) => self.text(self.tokens.get(open + 1..self.close(open)).unwrap_or_default()),
            _ => UNKNOWN.to_string(),
        };
        self.note("runs_commands", &format!("awk: system {code}"));
        self.runs(code);
    }

    /// `print | "sort"`, `"date" | getline`.
    fn pipe(&mut self, at: usize, is_printing: bool) {
        let next = self.tokens.get(at + 1..).unwrap_or_default().iter().find(|token| **token != Token::Newline);
        let values = if next.is_some_and(|token| token.is_name("getline")) {
            self.tokens.get(self.value_before(at)..at).unwrap_or_default()
        } else if is_printing {
            self.value_behind(at + 1)
        } else {
            &[]
        };
        let code = if values.is_empty() { UNKNOWN.to_string() } else { self.text(values) };
        // Written out where it is run it is seen for what it is; in a name, or put together, it is hidden.
        if !matches!(values, [Token::Text(_)] | [Token::Newline, Token::Text(_)]) {
            self.note("runs_commands", &format!("awk: a pipe with {code}"));
        }
        self.runs(code);
    }

    /// `getline < "file"`, with or without a variable in between.
    fn getline(&mut self, at: usize) {
        let mut next = at + 1;
        while self.tokens.get(next).is_some_and(|token| token.is("$")) {
            next += 1;
        }
        match self.tokens.get(next) {
            Some(Token::Name(_) | Token::Number(_)) => {
                next += 1;
                if self.tokens.get(next).is_some_and(|token| token.is("[")) {
                    next = self.close(next) + 1;
                }
            }
            Some(Token::Mark("(")) if next > at + 1 => next = self.close(next) + 1,
            _ => {}
        }
        if self.tokens.get(next).is_some_and(|token| token.is("<")) {
            self.file("file_read", next + 1);
        }
    }

    /// The file that is named from here on: by the first value alone and by all of them, since versions
    /// differ in which of them it is.
    fn file(&mut self, act: &'static str, from: usize) {
        let all = self.value_behind(from);
        let whole = self.text(all);
        if let Some(Token::Text(first)) = all.first().filter(|_| all.len() > 1)
            && !first.ends_with('/')
        {
            self.touch(act, first.clone());
        }
        self.touch(act, whole);
    }

    fn touch(&mut self, act: &'static str, path: String) {
        if path.starts_with("/inet") {
            self.note("network_device", &path);
        } else if path.starts_with(UNKNOWN) {
            self.note("dynamic_code", &format!("awk: {} what only the run will tell", &act["file_".len()..]));
        } else if !path.is_empty() && !STREAMS.contains(&path.as_str()) {
            self.found.push(Carried::Touched { act, path: Word::plain(path) });
        }
    }

    /// `@load`, `@include`, and calls of a function by its name.
    fn directive(&mut self, at: usize) {
        match (self.tokens.get(at + 1), self.tokens.get(at + 2)) {
            (Some(Token::Name(name)), Some(Token::Text(path))) if matches!(name.as_str(), "load" | "include") => {
                self.found.push(Carried::File { path: Word::plain(path.clone()) });
            }
            _ => self.note("dynamic_code", "awk: a function by its name"),
        }
    }

    /// What awk reads next, and what the commands that it runs see around them.
    fn surroundings(&mut self, at: usize) {
        let is_files = self.tokens.get(at).is_some_and(|token| token.is_name("ARGV"));
        let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let has_subscript = self.tokens.get(at + 1).is_some_and(|token| token.is("["));
        if !has_subscript {
            let is_looked_at = before.is_some_and(|token| token.is_name("in") || token.is_name("delete"))
                || at.checked_sub(2).and_then(|at| self.tokens.get(at)).is_some_and(|token| token.is_name("length"));
            if !is_looked_at {
                self.note("dynamic_code", "awk: its arguments or its environment as a whole");
            }
            return;
        }
        let end = self.close(at + 1);
        let is_changed_here = before.is_some_and(|token| token.is_name("getline") || token.is("++") || token.is("--"))
            || matches!(
                self.tokens.get(end + 1),
                Some(Token::Mark("+=" | "-=" | "*=" | "/=" | "%=" | "^=" | "**=" | "++" | "--"))
            );
        let is_set = self.tokens.get(end + 1).is_some_and(|token| token.is("="));
        if is_set && is_files {
            let path = self.text(self.value_behind(end + 2));
            self.touch("file_read", path);
        } else if is_set || is_changed_here || self.is_within_change(at) {
            self.note("dynamic_code", "awk: it changes its arguments or its environment");
        }
    }

    /// Whether this place is an argument of `sub` or `gsub`.
    fn is_within_change(&self, at: usize) -> bool {
        self.tokens
            .iter()
            .enumerate()
            .any(|(own, token)| (token.is_name("sub") || token.is_name("gsub")) && own < at && at < self.close(own + 1))
    }

    /// The values that stand one behind the other from here on.
    fn value_behind(&self, from: usize) -> &'t [Token] {
        let mut depth = 0usize;
        let mut end = from;
        while let Some(token) = self.tokens.get(end) {
            match token {
                Token::Mark("(" | "[") => depth += 1,
                Token::Mark(")" | "]") if depth == 0 => break,
                Token::Mark(")" | "]") => depth -= 1,
                Token::Newline if end == from => {}
                Token::Newline
                | Token::Mark(";" | "}" | "{" | "|" | "|&" | "&&" | "||" | "," | ">" | ">>" | "==" | "!=" | "<")
                    if depth == 0 =>
                {
                    break;
                }
                _ => {}
            }
            end += 1;
        }
        self.tokens.get(from..end).unwrap_or_default()
    }

    /// Where the values begin that stand one behind the other up to here.
    fn value_before(&self, end: usize) -> usize {
        let mut at = end;
        while let Some(token) = at.checked_sub(1).and_then(|at| self.tokens.get(at)) {
            match token {
                Token::Text(_) | Token::Number(_) | Token::Mark("$") => at -= 1,
                Token::Name(name) if !WANTS_VALUE.contains(&name.as_str()) => at -= 1,
                Token::Mark(")" | "]") => at = self.open(at - 1),
                _ => break,
            }
        }
        at
    }

    /// The text that these values make, as far as it is known.
    fn text(&self, values: &[Token]) -> String {
        let mut text = String::new();
        let mut at = 0;
        while let Some(token) = values.get(at) {
            at += 1;
            match token {
                Token::Newline => {}
                Token::Text(own) | Token::Number(own) => text.push_str(own),
                Token::Name(name) => match values.get(at) {
                    Some(Token::Mark("(" | "[")) => {
                        at = after_group(values, at);
                        text.push(UNKNOWN);
                    }
                    _ => match self.held.get(name.as_str()) {
                        Some(Some(own)) => text.push_str(own),
                        _ => text.push(UNKNOWN),
                    },
                },
                Token::Mark("$") => {
                    let is_group = values.get(at).is_some_and(|token| token.is("("));
                    at = if is_group { after_group(values, at) } else { at + 1 };
                    text.push(UNKNOWN);
                }
                Token::Mark("(") => {
                    let end = after_group(values, at - 1);
                    text.push_str(&self.text(values.get(at..end.saturating_sub(1)).unwrap_or_default()));
                    at = end;
                }
                // A sum, a choice, a comparison.
                Token::Mark(_) | Token::Pattern => return UNKNOWN.to_string(),
            }
        }
        text
    }
}

/// The place behind the group that opens at `open`.
fn after_group(values: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in values.iter().enumerate().skip(open) {
        match token {
            Token::Mark("(" | "[") => depth += 1,
            Token::Mark(")" | "]") => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    values.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(words: &[&str]) -> Vec<String> {
        let words: Vec<Word> = words.iter().map(|text| Word::plain(*text)).collect();
        let name = |carried: &Carried| match carried {
            Carried::Noted { finding, .. } => (*finding).to_owned(),
            Carried::Touched { act, path } => format!("{act} {}", path.text),
            Carried::Piped { code } => format!("runs {}", code.text),
            other => other.summary(),
        };
        by_awk(&words).iter().map(name).collect()
    }

    #[test]
    fn a_shell_is_seen_however_it_is_written() {
        for program in [
            "BEGIN{system(\"id\")}",
            "BEGIN{system\t(\"id\")}",
            "BEGIN{system\\\n(\"id\")}",
            "BEGIN{x=1/2;system(\"id\");y=3/4}",
            "{if(x)/\"/;system(\"id\")}",
            "/[/]\"/{system(\"id\")}#\"",
            "{a[1]/system(\"id\")/2}",
            "BEGIN{c=\"i\" \"d\";system(c)}",
            "BEGIN{awk::system(\"id\")}",
            "# note \\\nBEGIN{system(\"id\")}",
            "BEGIN{a++/system(\"id\")/2}",
            "BEGIN{\"id\"|&getline x}",
        ] {
            assert!(
                seen(&["awk", program]).contains(&"runs_commands".to_owned()),
                "{program} {:?}",
                seen(&["awk", program])
            );
        }
        assert!(seen(&["gawk", "-e", "BEGIN{sys", "-e", "tem(\"id\")}"]).contains(&"runs_commands".to_owned()));
        assert!(seen(&["awk", "BEGIN{sys\\\ntem(\"id\")}"]).contains(&"dynamic_code".to_owned()));
        assert_eq!(seen(&["awk", "{print | \"sort -rn\"}"]), ["runs sort -rn"]);
        assert_eq!(seen(&["awk", "BEGIN{\"date\" | getline d}"]), ["runs date"]);
        assert_eq!(
            seen(&["awk", "BEGIN{c=\"date\"; while ((c | getline d) > 0) print d; close(c)}"]),
            ["runs_commands", "runs date"]
        );
        assert_eq!(seen(&["awk", "-v", "c=rm x", "{print $1,\n$2 | c}"]), ["runs_commands", "runs rm x"]);
        assert_eq!(seen(&["awk", "{print | (\"s\" \"h\")}"]), ["runs_commands", "runs sh"]);
        let unknown = format!("runs rm {UNKNOWN}");
        assert!(seen(&["awk", "{system(\"rm \" $1)}"]).contains(&unknown));
        assert!(seen(&["awk", "{c=\"date\";c=$1;c|getline}"]).contains(&format!("runs {UNKNOWN}")));
    }

    #[test]
    fn plain_programs_are_plain() {
        for program in [
            "{print $1}",
            "NR>1 && $3 > 5 {s+=$2} END {print s/NR}",
            "/system\\(/{print \"system(\\\"id\\\")\"}",
            "{print ($1 > $2)}",
            "$1 ~ /^[^/]*$/ {print $0}",
            "{gsub(/a|b/, \"x\"); print}",
            "# system(\"id\")\n{print}",
            "BEGIN{FS=\",\"; OFS=\"|\"} {print $1, $2}",
            "{a[$1]++} END{for(k in a) print k, a[k]}",
            "!seen[$0]++",
            "length > 80",
            "{printf \"%s %d\\n\", $1, $2/1024}",
            "BEGIN{getline; print}",
            "{n = ARGV[1]; print n, ENVIRON[\"HOME\"]}",
            "{print > \"/dev/stderr\"}",
            "END{print NR/2/3}",
            "/start/,/end/",
            "function f(a, b) { return a/b } {print f($1, $2)}",
            "{print $1 \"|\" $2}",
            "$2>max{max=$2}END{print max}",
            "",
        ] {
            assert!(seen(&["awk", program, "f"]).is_empty(), "{program} {:?}", seen(&["awk", program]));
        }
        assert!(seen(&["awk", "-F:", "-vOFS=,", "--", "{print $1}", "f"]).is_empty());
        assert!(seen(&["gawk", "--posix", "-F", "|", "{print $1}", "f"]).is_empty());
        assert!(seen(&["mawk", "-W", "interactive", "{print}"]).is_empty());
    }

    #[test]
    fn files_are_read_and_written() {
        assert_eq!(seen(&["awk", "{print > \"out\"}"]), ["file_write out"]);
        assert_eq!(seen(&["awk", "{print > \"out/\" $1 \".txt\"}"]), [format!("file_write out/{UNKNOWN}.txt")]);
        assert_eq!(seen(&["awk", "-v", "o=/etc/x", "{print >> o}"]), ["file_write /etc/x"]);
        assert_eq!(
            seen(&["awk", "BEGIN{while ((getline l < \"/etc/shadow\") > 0) print l}"]),
            ["file_read /etc/shadow"]
        );
        assert_eq!(seen(&["awk", "BEGIN{getline a[1] < \"x\"}"]), ["file_read x"]);
        assert_eq!(seen(&["awk", "BEGIN{ARGV[1]=\"/etc/sha\" \"dow\";ARGC=2}{print}"]), ["file_read /etc/shadow"]);
        assert_eq!(seen(&["awk", "{print > \"/\\145tc/x\"}"]), ["file_write /etc/x"]);
        assert_eq!(seen(&["gawk", "-o/etc/x", "{print}"]), ["file_write /etc/x"]);
        assert_eq!(seen(&["gawk", "-bp/etc/x", "{print}"]), ["file_write /etc/x"]);
        assert_eq!(seen(&["gawk", "@load \"x\"; {print}"]), ["file: x"]);
    }

    #[test]
    fn what_only_the_run_will_tell_is_code_unless_it_is_a_number_or_a_string() {
        let known = |program: &str| program.replace('~', &UNKNOWN.to_string());
        for program in [
            "~",
            "{~}",
            "BEGIN{~(\"id\")}",
            "{print > $1}",
            "{getline < x}",
            "{@f(1)}",
            "{sys~}",
            "{SYMTAB[\"c\"]=\"x\"}",
            "BEGIN{split(\"x /etc/shadow\",ARGV)}",
            "{sub(/x/,\"y\",ARGV[1])}",
            "BEGIN{ENVIRON[\"PATH\"]=\"/x\"}",
        ] {
            assert!(seen(&["awk", &known(program)]).contains(&"dynamic_code".to_owned()), "{program}");
        }
        for program in ["NR==~", "$3 > ~ {print \"~\"}", "{print $~}", "/~/", "BEGIN{print (~ - ~) / 60}"] {
            assert!(seen(&["awk", &known(program)]).is_empty(), "{program}");
        }
        assert_eq!(seen(&["mawk", "-W", "exec=x"]), ["dynamic_code"]);
        assert_eq!(seen(&["awk", "{print \"x}"]), ["unparsed"]);
        let computed = Word { text: known("NR==~"), is_glob: false, taint: Taint::Computed };
        assert_eq!(by_awk(&[Word::plain("awk"), computed]).len(), 1);
    }
}
