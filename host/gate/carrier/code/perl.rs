//! Reads code in Perl: filters of lines, as `perl -ne` has them.
//!
//! Perl is taken apart only where it can be taken apart in one way. References, symbolic names,
//! methods, handles and `@ARGV` (whose names two-argument `open` runs) are not read; texts and
//! patterns may interpolate plain variables and their elements, and nothing that is an expression.

use super::token::{Kind, Token, Tokens, is_name_part, is_name_start, listed, operator_at, run, token};
use super::{Reads, TOKENS_MAX};

const WORDS: &str = "print printf say join map grep sort split reverse length substr index rindex uc lc ucfirst lcfirst chomp chop push pop shift unshift keys values each exists delete defined scalar abs int sqrt sprintf hex oct ord chr next last if else elsif unless while until for foreach my local and or not x eq ne lt gt le ge cmp BEGIN END undef time localtime gmtime exit die warn eof STDIN STDOUT STDERR";
/// Functions of modules that `-M` may bring.
const MODULES: &[(&str, &str)] = &[
    ("List::Util", "sum sum0 max min maxstr minstr uniq uniqnum product shuffle first any all none"),
    ("POSIX", "floor ceil"),
    ("strict", ""),
    ("warnings", ""),
    ("utf8", ""),
];
/// Words that want a value behind them, so that a slash begins a pattern there.
const BEFORE_PATTERN: &str = "split if elsif unless and or not grep while until print";
const OPERATORS: &[&str] = &[
    "<=>", "**=", "||=", "&&=", "//=", "...", "=~", "!~", "==", "!=", "<=", ">=", "&&", "||", "++", "--", "+=", "-=",
    "*=", ".=", "%=", "**", "..", "=>", "+", "-", "*", "%", "<", ">", "=", "!", "?", ":", "(", ")", "[", "]", "{", "}",
    ",", ";", ".",
];

#[cfg(test)]
pub(super) fn read(code: &str) -> Option<Reads> {
    read_with(code, "")
}

fn read_with(code: &str, words: &str) -> Option<Reads> {
    let is_pod = code.lines().any(|line| line.starts_with('='));
    let all = (!is_pod).then(|| Lexer { code, at: 0, out: vec![] }.lex(words))??;
    (all.len() <= TOKENS_MAX).then_some(())?;
    let tokens = Tokens::matched(all)?;
    for at in 0..tokens.len() {
        if tokens.is_name(at, "sort") {
            // `sort $name @list` calls what the name says.
            let next = tokens.at(at + 1 + usize::from(tokens.is(at + 1, "(")));
            let is_known = next.word() == "{"
                || next.kind == Kind::Text { is_plain: false } && next.text.starts_with('@')
                || listed("keys values grep map reverse split uniq", next.word());
            is_known.then_some(())?;
        }
    }
    Some(Reads::default())
}

/// Read the words behind `perl`.
pub(super) fn read_line(words: &[&str]) -> Option<Reads> {
    let mut code: Vec<&str> = vec![];
    let mut functions = String::new();
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-') && word.len() > 1) {
        at += 1;
        if *word == "--" {
            break;
        }
        if let Some(module) = word.strip_prefix("-M") {
            functions.push_str(&module_functions(module)?);
            continue;
        }
        if let Some(pattern) = word.strip_prefix("-F") {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":,;|\\+/ \t=.-_".contains(&byte);
            pattern.bytes().all(is_plain).then_some(())?;
            continue;
        }
        let flags = word.trim_start_matches('-');
        let (flags, is_code) = match flags.strip_suffix(['e', 'E']) {
            Some(flags) => (flags, true),
            None => (flags, false),
        };
        // `-i`, `-s`, `-x`, `-I` and what else there is are not among them.
        let is_known = flags.bytes().all(|byte| b"nplaw0".contains(&byte) || byte.is_ascii_digit());
        (is_known && word.starts_with('-') && !word.starts_with("--")).then_some(())?;
        if is_code {
            code.push(words.get(at)?);
            at += 1;
        }
    }
    let files = words.get(at..)?;
    // Each is opened as two-argument `open` does: `id|` would be run.
    let is_file = |word: &&str| !word.contains(['|', '<', '>', '&']) && word.trim() == *word;
    if code.is_empty() || !files.iter().all(is_file) {
        return None;
    }
    let code = code.join("\n");
    super::is_plain(&code).then(|| read_with(&code, &functions))??;
    Some(Reads { files: files.iter().map(|word| (*word).to_owned()).collect(), ..Reads::default() })
}

fn module_functions(module: &str) -> Option<String> {
    let (name, imports) = module.split_once('=').unwrap_or((module, ""));
    let (_, known) = MODULES.iter().find(|(own, _)| *own == name)?;
    let all: Vec<&str> = imports.split(',').filter(|import| !import.is_empty()).collect();
    all.iter().all(|import| listed(known, import)).then(|| format!("{} ", all.join(" ")))
}

struct Lexer<'a> {
    code: &'a str,
    at: usize,
    out: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn byte(&self, offset: usize) -> Option<u8> {
        self.code.as_bytes().get(self.at + offset).copied()
    }

    /// Whether a value ends here; `None` where that cannot be told.
    fn is_value_end(&self) -> Option<bool> {
        let Some(last) = self.out.last() else { return Some(false) };
        match last.kind {
            Kind::Operator => match last.text {
                "}" | "++" | "--" => None,
                text => Some(matches!(text, ")" | "]")),
            },
            Kind::Name if listed(BEFORE_PATTERN, last.text) => Some(false),
            Kind::Name => None,
            _ => Some(true),
        }
    }

    fn lex(mut self, words: &str) -> Option<Vec<Token<'a>>> {
        while let Some(byte) = self.byte(0) {
            match byte {
                b' ' | b'\t' | b'\n' => self.at += 1,
                b'-' if self.byte(1) == Some(b'>') => return None,
                b'#' => self.at += run(self.code.as_bytes(), self.at, |byte| byte != b'\n'),
                b'$' | b'@' => self.variable()?,
                b'%' if self.byte(1).is_some_and(is_name_start) => self.variable()?,
                b'"' | b'\'' => {
                    let (content, end) = until(self.code, self.at + 1, byte)?;
                    (byte == b'\'' || interpolates_plainly(content, false)).then_some(())?;
                    self.push(Kind::Template, end);
                }
                b'/' => self.slash()?,
                b'<' if self.code.get(self.at..)?.starts_with("<STDIN>") => self.push(Kind::Number, self.at + 7),
                // Elsewhere it would hold a pattern of file names.
                b'<' if self.byte(1) == Some(b'<') => return None,
                b'<' if self.byte(1) == Some(b'>') => self.push(Kind::Number, self.at + 2),
                b'<' | b'*' | b'?' | b'%' if self.is_value_end() != Some(true) && self.out.last()?.text != "}" => {
                    return None;
                }
                b'<' if self.out.last()?.text == "}" => return None,
                _ if byte.is_ascii_digit() => {
                    let digits =
                        run(self.code.as_bytes(), self.at, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
                    let text = self.code.get(self.at..self.at + digits)?;
                    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
                    self.push(Kind::Number, self.at + digits);
                }
                _ if is_name_start(byte) => self.word(words)?,
                _ => {
                    let operator = operator_at(self.code, self.at, OPERATORS)?;
                    self.push(Kind::Operator, self.at + operator.len());
                }
            }
        }
        Some(self.out)
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.out.push(token(kind, self.code.get(self.at..end).unwrap_or_default()));
        self.at = end;
    }

    fn variable(&mut self) -> Option<()> {
        let length = variable_length(self.code.get(self.at..)?)?;
        let end = self.at + length;
        self.push(Kind::Text { is_plain: false }, end);
        // `$main'x` and `$main::x` are the same.
        let rest = self.code.get(end..)?;
        let is_qualified = rest.starts_with('\'') || rest.starts_with("::");
        (!is_qualified).then_some(())
    }

    fn word(&mut self, words: &str) -> Option<()> {
        let end = self.at + run(self.code.as_bytes(), self.at, is_name_part);
        let name = self.code.get(self.at..end)?;
        let is_minus = self.out.last().is_some_and(|last| matches!(last.text, "-" | "->"));
        match name {
            "s" | "tr" | "y" | "m" | "q" | "qq" | "qw" | "qr" => {
                // `-s/x/` asks for the size of a file.
                return (!is_minus).then(|| self.quote_like(name, end))?;
            }
            _ => {}
        }
        let is_repeat = name.strip_prefix('x').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        let rest = self.code.get(end..)?;
        if is_minus || rest.starts_with('\'') || rest.starts_with("::") {
            return None;
        }
        let is_key = rest.trim_start().starts_with("=>") || rest.starts_with('}') && self.is_in_element();
        self.push(Kind::Name, end);
        (is_key || is_repeat || listed(WORDS, name) || listed(words, name)).then_some(())
    }

    /// Whether `$name{` stands right here.
    fn is_in_element(&self) -> bool {
        let is_joined =
            self.at.checked_sub(2).and_then(|at| self.code.as_bytes().get(at)).is_some_and(|byte| is_name_part(*byte));
        let mut last = self.out.iter().rev();
        let is_open = last.next().is_some_and(|last| last.word() == "{")
            && self.code.get(..self.at).is_some_and(|code| code.ends_with('{'));
        let is_scalar = last.next().is_some_and(|last| last.text.starts_with('$') && !last.text.starts_with("$#"));
        is_joined && is_open && is_scalar
    }

    fn quote_like(&mut self, name: &str, at: usize) -> Option<()> {
        let open = *self.code.as_bytes().get(at)?;
        let is_double = matches!(name, "s" | "tr" | "y");
        let close = match open {
            b'/' | b'|' | b'!' | b',' | b':' | b'~' | b'%' | b'#' => open,
            b'(' if !is_double => b')',
            b'[' if !is_double => b']',
            b'{' if !is_double => b'}',
            _ => return None,
        };
        let (first, mut end) = until(self.code, at + 1, close)?;
        if open != close && first.contains(char::from(open)) {
            return None;
        }
        let is_pattern = matches!(name, "s" | "m" | "qr");
        let mut is_read = match name {
            "s" | "m" | "qr" => interpolates_plainly(first, true) && !runs_code(first),
            "qq" => interpolates_plainly(first, false),
            _ => true,
        };
        if is_double {
            let (second, behind) = until(self.code, end, close)?;
            is_read &= name != "s" || interpolates_plainly(second, false);
            end = behind;
        }
        let flags = run(self.code.as_bytes(), end, is_name_part);
        let allowed: &[u8] = if is_pattern {
            b"gimsxraln"
        } else if is_double {
            b"cdsr"
        } else {
            b""
        };
        is_read &= self.code.get(end..end + flags)?.bytes().all(|flag| allowed.contains(&flag));
        self.push(Kind::Pattern, end + flags);
        is_read.then_some(())
    }

    fn slash(&mut self) -> Option<()> {
        if self.is_value_end()? {
            let length = if self.byte(1) == Some(b'/') { 2 } else { 1 };
            self.push(Kind::Operator, self.at + length);
            return Some(());
        }
        let (pattern, end) = until(self.code, self.at + 1, b'/')?;
        let flags = run(self.code.as_bytes(), end, is_name_part);
        let is_known = self.code.get(end..end + flags)?.bytes().all(|flag| b"gimsxaln".contains(&flag));
        self.push(Kind::Pattern, end + flags);
        (is_known && !runs_code(pattern) && interpolates_plainly(pattern, true)).then_some(())
    }
}

/// What stands up to the closing mark, and the place behind it.
fn until(code: &str, from: usize, close: u8) -> Option<(&str, usize)> {
    let bytes = code.as_bytes();
    let mut end = from;
    loop {
        match *bytes.get(end)? {
            byte if byte == close => return Some((code.get(from..end)?, end + 1)),
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
}

/// Patterns hold code in `(?{...})` and `(??{...})`.
fn runs_code(pattern: &str) -> bool {
    pattern.match_indices("(?").any(|(at, _)| {
        let next = pattern.as_bytes().get(at + 2);
        !next.is_some_and(|next| b":=!<ims>".contains(next))
    }) || pattern.contains("(*")
}

/// How long the variable is that begins here; only plain ones have a length.
fn variable_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let sigil = *bytes.first()?;
    let start = if text.starts_with("$#") { 2 } else { 1 };
    let first = *bytes.get(start)?;
    if !is_name_start(first) {
        let is_special = sigil == b'$' && start == 1 && (first.is_ascii_digit() || b".,/\\&|0".contains(&first));
        let digits = run(bytes, start, |byte| byte.is_ascii_digit());
        return is_special.then_some(start + digits.max(1));
    }
    let length = run(bytes, start, is_name_part);
    let name = text.get(start..start + length)?;
    // `ARGV`, `ENV`, `SIG`, `INC` and their like are in capitals.
    let is_plain = length == 1 || name.starts_with(|c: char| c.is_ascii_lowercase());
    is_plain.then_some(start + length)
}

/// Whether a text interpolates at most variables, and elements of them by plain keys.
fn interpolates_plainly(text: &str, is_pattern: bool) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if text.get(at..).is_some_and(|rest| rest.starts_with("\\N")) => return false,
            b'\\' => at += 2,
            b'$' if is_pattern && bytes.get(at + 1).is_none_or(|next| b"|)".contains(next)) => at += 1,
            b'$' | b'@' => {
                let Some(length) = text.get(at..).and_then(variable_length) else { return false };
                at += length;
                let is_list = byte == b'@';
                loop {
                    let rest = text.get(at..).unwrap_or_default();
                    if rest.starts_with("->") || rest.starts_with("::") || rest.starts_with('\'') {
                        return false;
                    }
                    let close = match rest.as_bytes().first() {
                        Some(b'[') => ']',
                        Some(b'{') => '}',
                        _ => break,
                    };
                    let Some(end) = rest.find(close) else { return false };
                    let key = rest.get(1..end).unwrap_or_default();
                    let key = key.strip_prefix(['$', '-']).unwrap_or(key);
                    if is_list || key.is_empty() || !key.bytes().all(is_name_part) {
                        return false;
                    }
                    let is_word = key.bytes().all(|byte| byte.is_ascii_digit()) || close == '}';
                    if !is_word && !rest.starts_with("[$") {
                        return false;
                    }
                    at += end + 1;
                }
            }
            _ => at += 1,
        }
    }
    true
}
