//! From text to a syntax tree, behind guards.
//!
//! The parser recurses: a text that nests too deeply would overflow the stack, which ends the whole
//! host. So the nesting is measured on the tokens before the parser sees them, and what the tokenizer
//! itself recurses into is counted before that. Words are read by `word`, not by the parser.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::nested;
use brush_parser::ast::Program;
use brush_parser::{ParserOptions, Token, parse_tokens, uncached_tokenize_str};

/// Longest script that is read.
pub(crate) const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of compound commands.
pub(crate) const NESTING_MAX: usize = 32;
/// How often tokens may be read again. The danger: the parser reads what is in a `case` twice, and what is
/// behind an open bracket too, so that its time doubles with each level: thirty bytes a level, hours at twenty.
const DOUBLED_MAX: u64 = 100_000;
/// Most `&&`, `||` and `!` in a `[[ ]]`. The danger: the tree of them is as deep as they are many.
const TEST_LINKS_MAX: usize = 200;
/// Most expansions (`$(`, `${`, backticks) in one script. Danger: the tokenizer's recursion.
const EXPANSIONS_MAX: usize = 400;
/// Most `<` in one script. Danger: the tokenizer's time grows with the square of the heredocs.
const REDIRECTIONS_MAX: usize = 10_000;
/// With more than that a script is read on a stack of its own; with more than this it is not read.
const EXPANSIONS_LARGE_MAX: usize = 4_000;
const STACK_BYTES: usize = 256 << 20;

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unparsed {
    TooLarge,
    TooDeep,
    Syntax(String),
}

/// Most `<<` in one script, and longest rest of a line behind one. The danger: for each what is around it is
/// looked at, so that the time would grow with the square of them.
const HEREDOCS_MAX: usize = 1_000;
const HEREDOC_LINE_BYTES_MAX: usize = 4_096;

/// Parse a script.
pub(crate) fn program(text: &str) -> Result<Program, Unparsed> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(Unparsed::TooLarge);
    }
    if has_odd_end(text) {
        return Err(Unparsed::Syntax("the end of a here-document is no plain word".to_owned()));
    }
    let expansions = expansions(text);
    if expansions > EXPANSIONS_LARGE_MAX {
        return Err(Unparsed::TooDeep);
    }
    if expansions <= EXPANSIONS_MAX {
        return tokens_to_program(text);
    }
    let run = || {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        std::thread::scope(|scope| builder.spawn_scoped(scope, || tokens_to_program(text)).map(|thread| thread.join()))
    };
    match run() {
        Ok(Ok(result)) => result,
        _ => Err(Unparsed::TooLarge),
    }
}

fn tokens_to_program(text: &str) -> Result<Program, Unparsed> {
    guarded(|| {
        let options = ParserOptions::default();
        let text = with_ended_heredocs(text)?;
        let mut tokens =
            uncached_tokenize_str(&text, &options.tokenizer_options()).map_err(|error| error.to_string())?;
        if tokens.windows(3).any(lacks_target) {
            return Err("a redirection has no target".to_owned());
        }
        if let Some(fault) = fault(&tokens) {
            return Err(fault.to_owned());
        }
        split_empty_clauses(&mut tokens);
        nested::split_subshells(&mut tokens);
        if tokens.windows(2).any(|pair| is_endless_number(pair[0].to_str()) && pair[1].to_str().starts_with(['<', '>']))
        {
            return Err("a number in it has too many digits".to_owned());
        }
        if is_too_deep(&tokens) || tokens.iter().any(is_wild_subscript) {
            return Ok(Err(Unparsed::TooDeep));
        }
        parse_tokens(&tokens, &options).map(Ok).map_err(|error| error.to_string())
    })
    .and_then(|result| result)
}

/// The text with so many empty lines behind it as it can have heredocs. The danger: a heredoc whose tag is
/// empty (`<<""`, `$(<<  `) and that no empty line ends makes the tokenizer run forever, and take memory
/// for ever, at the end of the text. An empty line at the end means nothing to any other.
fn with_ended_heredocs(text: &str) -> Result<Cow<'_, str>, String> {
    let signs = text.bytes().filter(|byte| *byte == b'<').count();
    if signs < 2 {
        return Ok(Cow::Borrowed(text));
    }
    if signs > REDIRECTIONS_MAX {
        return Err(format!("it has more than {REDIRECTIONS_MAX} `<`"));
    }
    // The backslash would join the empty line to its own.
    if text.ends_with('\\') {
        return Err("it ends in the middle of an escape".to_owned());
    }
    Ok(Cow::Owned(format!("{text}{}", "\n".repeat(signs + 1))))
}

/// `> 2>&1`: the `2` belongs to the second redirection, so the first has no target. The shell refuses
/// that, the parser would take the `2` for a file.
fn lacks_target(three: &[Token]) -> bool {
    let [Token::Operator(first, _), Token::Word(number, word), Token::Operator(second, operator)] = three else {
        return false;
    };
    is_redirection(first)
        && second.starts_with(['<', '>'])
        && word.end.index == operator.start.index
        && (number.bytes().all(|byte| byte.is_ascii_digit()) || is_descriptor_name(number))
}

/// `{name}` before a redirection: the variable that gets the descriptor.
fn is_descriptor_name(text: &str) -> bool {
    let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
    end > 0 && (end == name.len() || name[end..].starts_with('['))
}

/// What the parser would read one way and the shell reads another, or not at all.
fn fault(tokens: &[Token]) -> Option<&'static str> {
    const DECLARES: [&str; 7] = ["declare", "typeset", "local", "export", "readonly", "alias", "eval"];
    // The word that names the command at hand, once there is one.
    let mut command: Option<&str> = None;
    let mut has_heredoc = false;
    let mut is_in_array = false;
    let mut last = ["", ""];
    let mut last_end = 0;
    let mut patterns = Patterns::default();
    // Of each bracket that is open whether it is one of a process, and behind a here-document that has not begun.
    let mut brackets: Vec<(bool, bool)> = vec![];
    let mut is_timed_process = false;
    let mut begins_inside = false;
    // Where `time` is the name of a command and no keyword: where a substitution begins, and behind a pipe.
    let mut is_time_plain = false;
    for token in tokens {
        let text = token.to_str();
        patterns.step(token, command);
        match token {
            Token::Operator(operator, span) => {
                let is_adjacent = last_end == span.start.index;
                let begins_process = operator == "(" && is_adjacent && matches!(last[1], "<" | ">");
                if begins_inside && operator == "(" && is_adjacent {
                    return Some("a process substitution begins with another bracket");
                }
                if is_time_plain && is_timed(last[1]) && operator == "(" {
                    return Some("a compound command stands behind `time` where a substitution begins");
                }
                if is_timed(last[1])
                    && command.is_none()
                    && !is_time_plain
                    && matches!(operator.as_str(), "|" | "|&" | "&" | "&&" | "||")
                {
                    return Some("there is no command behind `time`");
                }
                begins_inside = begins_process;
                is_time_plain = begins_process || matches!(operator.as_str(), "|" | "|&");
                if operator == "(" && is_redirection(last[1]) && !begins_process {
                    return Some("a redirection has a bracket for its target");
                }
                if last[1] == "!"
                    && command.is_none()
                    && !is_redirection(operator)
                    && !matches!(operator.as_str(), "(" | ";" | "\n")
                {
                    return Some("there is no command behind `!`");
                }
                // The parser knows no variable for a descriptor: it would take the name for a word of the
                // command, and what is sent to another descriptor for the command's input.
                if is_adjacent && is_descriptor_name(last[1]) && (operator.starts_with('<') || last[1].contains('[')) {
                    return Some("a redirection has a variable for its descriptor");
                }
                match operator.as_str() {
                    "(" => brackets.push((begins_process, begins_process && has_heredoc)),
                    ")" => drop(brackets.pop()),
                    "\n" if brackets.iter().any(|(_, is_behind)| *is_behind) => {
                        return Some("a process substitution goes on behind the beginning of a heredoc");
                    }
                    _ => {}
                }
                if is_timed_process && operator == "(" && is_adjacent && is_assignment(last[1]) {
                    return Some("an array is assigned behind `time` where a substitution begins");
                }
                is_timed_process &= is_redirection(operator) || matches!(operator.as_str(), "(" | ")") && is_in_array;
                if operator == "(" && last[1].ends_with('=') && is_assignment(last[1]) {
                    if !is_adjacent {
                        return Some("an array does not follow its `=` at once");
                    }
                    if command.is_some_and(|command| !DECLARES.contains(&command)) {
                        return Some("an array is assigned where it cannot be");
                    }
                }
                if matches!(last[1], "<<" | "<<-") {
                    return Some("a heredoc has no tag");
                }
                has_heredoc = (has_heredoc || matches!(operator.as_str(), "<<" | "<<-")) && operator != "\n";
                if operator == "(" && is_assignment(last[1]) && is_adjacent {
                    is_in_array = true;
                } else if is_in_array {
                    is_in_array = operator != ")";
                } else if !is_redirection(operator) {
                    command = None;
                }
                last_end = span.end.index;
            }
            Token::Word(_, span) => {
                // Behind the tag of a heredoc comes its body, which may hold anything.
                if matches!(last[0], "<<" | "<<-") {
                    last = [last[1], text];
                    last_end = span.end.index;
                    continue;
                }
                if matches!(last[1], "<<" | "<<-") && text.starts_with(['<', '>', '&', ';', '|', '(']) {
                    return Some("a heredoc has no tag");
                }
                // The parser takes more behind it than the shell does.
                if text == "coproc" && command.is_none() && !is_in_array && !is_redirection(last[1]) {
                    return Some("`coproc` is not read");
                }
                is_timed_process |= is_time_plain && text == "time";
                if is_time_plain && is_timed(last[1]) && STARTS_COMPOUND.contains(&text) {
                    return Some("a compound command stands behind `time` where a substitution begins");
                }
                begins_inside = false;
                is_time_plain &= is_timed(text);
                if last[1] == "!" && command.is_none() && ENDS_COMPOUND.contains(&text) {
                    return Some("there is no command behind `!`");
                }
                if is_in_array && text.contains('\\') && brackets.iter().any(|(is_process, _)| *is_process) {
                    return Some("an array within a substitution has an escape");
                }
                if command.is_none() && has_open_subscript(text) {
                    return Some("the subscript of an element has no end");
                }
                if is_in_array && text.starts_with('[') && super::word::subscript_end(text).is_none() {
                    return Some("the subscript of an element has no end");
                }
                if patterns.are_off(command) && has_extended_pattern(text) {
                    return Some("an extended pattern stands where they are not switched on");
                }
                if has_odd_substitution(text) {
                    return Some("what stands behind `time`, or in an array, where a substitution begins");
                }
                if has_nested_heredoc(text) {
                    return Some("there is a heredoc where a variable or a number is expanded");
                }
                if text.contains("$$(") || text.contains("$$[") {
                    return Some("behind `$$` there is a bracket");
                }
                if text.contains("${") && (text.contains("<(") || text.contains(">(")) {
                    return Some("there is a process substitution where a variable is expanded");
                }
                // The shell takes the first line break, in whatever brackets, for the beginning of the body.
                if has_heredoc && text.contains('\n') && text.contains(['(', '`']) {
                    return Some("an expansion goes on behind the beginning of a heredoc");
                }
                if command.is_none()
                    && !is_in_array
                    && !is_redirection(last[1])
                    && !is_assignment(text)
                    && !KEYWORDS_BEFORE_COMMAND.contains(&text)
                {
                    command = Some(text);
                }
                last_end = span.end.index;
            }
        }
        last = [last[1], text];
    }
    None
}

/// Where extended patterns (`@(a|b)`) are read: in `[[ ]]`, in arithmetic, and behind the line that switches them on.
#[derive(Default)]
struct Patterns {
    is_in_test: bool,
    /// Brackets that are open since `((`.
    arithmetic: usize,
    last_bracket_end: Option<usize>,
    is_switched: bool,
    is_on: bool,
}

impl Patterns {
    fn step(&mut self, token: &Token, command: Option<&str>) {
        match token {
            Token::Operator(operator, span) => match operator.as_str() {
                "(" if self.arithmetic > 0 => self.arithmetic += 1,
                "(" if self.last_bracket_end == Some(span.start.index) => self.arithmetic = 2,
                "(" => self.last_bracket_end = Some(span.end.index),
                ")" => self.arithmetic = self.arithmetic.saturating_sub(1),
                "\n" => self.is_on |= self.is_switched,
                _ => {}
            },
            Token::Word(text, _) => {
                self.last_bracket_end = None;
                match text.as_str() {
                    "[[" if command.is_none() => self.is_in_test = true,
                    "]]" => self.is_in_test = false,
                    "extglob" if command == Some("shopt") => self.is_switched = true,
                    _ => {}
                }
            }
        }
    }

    fn are_off(&self, command: Option<&str>) -> bool {
        !(self.is_on || self.is_in_test || self.arithmetic > 0 || command == Some("[["))
    }
}

/// Whether `@(`, `!(`, `?(`, `*(` or `+(` stands in a word by itself, in no quotes, expansion or subscript.
fn has_extended_pattern(text: &str) -> bool {
    if !text.contains('(') {
        return false;
    }
    let bytes = text.as_bytes();
    let name = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    // `a[2*(3)]=1`: the subscript is arithmetic.
    let mut at = if name > 0 && text[name..].starts_with('[') { text.find(']').unwrap_or(0) } else { 0 };
    let mut last = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'(' && b"@!?*+".contains(&last) {
            return true;
        }
        last = *byte;
        let next = super::braces::behind(bytes, at);
        if next > at + 1 {
            last = 0;
        }
        at = next;
    }
    false
}

const STARTS_COMPOUND: [&str; 9] = ["{", "if", "while", "until", "for", "select", "case", "function", "time"];
const ENDS_COMPOUND: [&str; 9] = ["}", "fi", "done", "esac", "then", "else", "elif", "do", "in"];

fn is_timed(text: &str) -> bool {
    matches!(text, "time" | "-p")
}

/// `$(time export a=(b))`, `$(time { ls; })`: at the beginning of a substitution the shell takes `time` for the
/// name of a command. And in `$(a=(\\|))` it loses the escape.
fn has_odd_substitution(text: &str) -> bool {
    let begins = |open: &'static str| text.match_indices(open).map(move |(at, _)| &text[at + open.len()..]);
    let is_odd = |code: &str| {
        let Some(rest) = code.trim_start().strip_prefix("time") else { return false };
        let rest = rest.trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix("-p").unwrap_or(rest).trim_start_matches([' ', '\t']);
        let word = rest.split(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
        rest.starts_with('(') || STARTS_COMPOUND.contains(&word) || code.contains("=(")
    };
    let escapes = |code: &str| {
        let array = code.split_once("=(").map_or("", |(_, array)| array);
        let mut depth = 1_usize;
        for c in array.chars() {
            match c {
                '\\' => return true,
                '(' => depth += 1,
                ')' if depth == 1 => break,
                ')' => depth -= 1,
                _ => {}
            }
        }
        false
    };
    ["$(", "`", "<(", ">("].into_iter().any(|open| begins(open).any(|code| is_odd(code) || escapes(code)))
}

/// `a[[1]=x`: the brackets of an element that is assigned do not match.
fn has_open_subscript(text: &str) -> bool {
    let name = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let is_name = name > 0 && !text.starts_with(|c: char| c.is_ascii_digit());
    is_name && text[name..].starts_with('[') && super::word::subscript_end(&text[name..]).is_none()
}

/// Whether a substitution within `${...}` or `$((...))` has a heredoc: the tokenizer and the shell look for its
/// body in different places.
fn has_nested_heredoc(text: &str) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Inside {
        Variable,
        Arithmetic,
        Command,
        Bracket,
    }
    if !(text.contains("<<") && (text.contains("${") || text.contains("$(("))) {
        return false;
    }
    let mut open: Vec<Inside> = vec![];
    let mut outer = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut skip = c.len_utf8();
        let begins = |with: &str| rest.starts_with(with);
        if c == '\\' {
            skip += rest[1..].chars().next().map_or(0, char::len_utf8);
        } else if begins("$((") {
            open.extend([Inside::Arithmetic, Inside::Bracket]);
            outer += 1;
            skip = 3;
        } else if begins("$(") {
            open.push(Inside::Command);
            skip = 2;
        } else if begins("${") {
            open.push(Inside::Variable);
            outer += 1;
            skip = 2;
        } else if c == '(' {
            open.push(Inside::Bracket);
        } else if begins("<<<") {
            skip = 3;
        } else if begins("<<") {
            if outer > 0 && open.iter().rfind(|inside| **inside != Inside::Bracket) == Some(&Inside::Command) {
                return true;
            }
            skip = 2;
        } else if c == ')' || c == '}' {
            let is_match = |inside: &Inside| (*inside == Inside::Variable) == (c == '}');
            if let Some(inside) = open.pop_if(|inside| is_match(inside)) {
                outer -= usize::from(matches!(inside, Inside::Variable | Inside::Arithmetic));
            }
        }
        rest = &rest[skip..];
    }
    false
}

/// Whether a word begins as an assignment does.
fn is_assignment(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    !name.is_empty() && (rest.starts_with(['=', '[']) || rest.starts_with("+=")) && rest.contains('=')
}

/// `for ((;;))`: the tokenizer takes the two semicolons for the end of a case, the shell does not.
fn split_empty_clauses(tokens: &mut Vec<Token>) {
    if !tokens.iter().any(|token| matches!(token, Token::Operator(text, _) if text == ";;")) {
        return;
    }
    let mut split = Vec::with_capacity(tokens.len() + 2);
    let mut last = [String::new(), String::new(), String::new()];
    let mut is_inside = false;
    for token in tokens.drain(..) {
        let text = token.to_str().to_owned();
        is_inside |= last[1] == "for" && last[2] == "(" && text == "(";
        is_inside &= !(last[2] == ")" && text == ")");
        match token {
            Token::Operator(semicolons, span) if is_inside && semicolons == ";;" => {
                split.extend([Token::Operator(";".to_owned(), span.clone()), Token::Operator(";".to_owned(), span)]);
            }
            token => split.push(token),
        }
        last.rotate_left(1);
        last[2] = text;
    }
    *tokens = split;
}

/// The parser unwraps numbers that do not fit (`~99999999999999999999`): a panic is a syntax error.
fn guarded<T>(parse: impl FnOnce() -> Result<T, String>) -> Result<T, Unparsed> {
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(result) => result.map_err(Unparsed::Syntax),
        Err(_) => Err(Unparsed::Syntax("the parser gave up on it".to_owned())),
    }
}

/// `<<$( ..`: whether what stands behind a here-document's operator is no word, or holds a substitution. The shell takes it
/// as it stands, and nobody writes it; the tokenizer never comes to an end with some of them.
fn has_odd_end(text: &str) -> bool {
    let mut rest = text;
    let mut left = HEREDOCS_MAX;
    while let Some(at) = rest.find("<<") {
        left -= 1;
        if left == 0 {
            return true;
        }
        let begin = text.len() - rest.len() + at;
        let backslashes = text.get(..begin).unwrap_or_default().bytes().rev().take_while(|byte| *byte == b'\\').count();
        // The first of them stands for itself.
        if backslashes % 2 == 1 {
            rest = rest.get(at + 1..).unwrap_or_default();
            continue;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
        if is_shift(text, begin) {
            continue;
        }
        if let Some(string) = rest.strip_prefix('<') {
            rest = string.trim_start_matches('<');
            continue;
        }
        let line = rest.lines().next().unwrap_or_default();
        if line.len() > HEREDOC_LINE_BYTES_MAX || !left_open(line).is_empty() {
            return true;
        }
        // Within `${` the tokenizer loses what stands around it.
        let before = text.as_bytes().get(..begin).unwrap_or_default();
        let length = before.iter().rev().take(HEREDOC_LINE_BYTES_MAX).take_while(|byte| **byte != b'\n').count();
        let before = String::from_utf8_lossy(&before[begin - length..]);
        if length == HEREDOC_LINE_BYTES_MAX || left_open(&before).contains(&b'}') {
            return true;
        }
        let after = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches([' ', '\t']);
        // `<<-<<-'END'`: an operator is no word. The shell refuses that, the tokenizer takes it for one.
        if after.starts_with(['<', '>', '|', '&', ';']) {
            return true;
        }
        let word = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches([' ', '\t', '\\', '\n']);
        let word = word.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
        if word.contains("$(") || word.contains('`') || word.contains("${") {
            return true;
        }
    }
    false
}

/// What would close the expansions that begin in a part of a line and do not end in it. Where they go on in the
/// next line, the tokenizer and the shell look for the body of the here-document in different places.
fn left_open(line: &str) -> Vec<u8> {
    let mut open: Vec<u8> = vec![];
    let bytes = line.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
        match byte {
            b'#' if before.is_ascii_whitespace() && open.is_empty() => break,
            b'(' if matches!(before, b'$' | b'<' | b'>') || !open.is_empty() => open.push(b')'),
            b'{' if before == b'$' => open.push(b'}'),
            close if open.last() == Some(close) => drop(open.pop()),
            _ => {}
        }
    }
    open
}

/// Whether the `<<` at this place shifts a number: it stands on one line with the `((` and the `))` around it,
/// and between them is nothing that arithmetic cannot hold, so that nobody can take them for two subshells.
fn is_shift(text: &str, at: usize) -> bool {
    const REACH: usize = 200;
    let can_hold = |c: &char| c.is_ascii_alphanumeric() || " _+-*/%<=>!&|^~?:,$(){}[]".contains(*c);
    let (Some(before), Some(after)) = (text.get(..at), text.get(at + 2..)) else { return false };
    let before: String = before.chars().rev().take(REACH).take_while(can_hold).collect();
    let after: String = after.chars().take(REACH).take_while(can_hold).collect();
    let depth = |text: &str, opens: char, closes: char| {
        // How many brackets are left open at the place, seen from there; and where the second of them is.
        let mut level = 0i32;
        let mut found = vec![];
        for (at, c) in text.chars().enumerate() {
            level += i32::from(c == opens) - i32::from(c == closes);
            if level > i32::try_from(found.len()).unwrap_or(i32::MAX) {
                found.push(at);
            }
        }
        found
    };
    let (opened, closed) = (depth(&before, '(', ')'), depth(&after, ')', '('));
    let is_pair = |found: &[usize]| found.windows(2).any(|pair| pair[0] + 1 == pair[1]);
    is_pair(&opened) && is_pair(&closed) && opened.len() == closed.len()
}

fn expansions(text: &str) -> usize {
    let pairs = text
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [b'$', b'(' | b'{' | b'['] | [b'<' | b'>', b'(']))
        .count();
    pairs + text.bytes().filter(|byte| *byte == b'`').count()
}

/// Behind these words a command begins, or the name of a function.
const KEYWORDS_BEFORE_COMMAND: [&str; 17] = [
    "{", "}", "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "esac", "!", "time", "-p",
    "function", "]]",
];

/// What is open at a place of a script.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Bracket,
    Case,
    Test,
    /// `{`, and what ends with `fi` or `done`.
    Compound,
    /// `!`: ends with its pipeline.
    Not,
}

/// How deeply brackets and compound commands nest, and whether the parser would end in good time. The
/// tokenizer has dealt with quotes, comments and heredocs, so nothing in them counts. A word that closes
/// what is not open (`ls ]]`, `ls > }`) closes nothing: else a text could nest without an end, unseen.
fn is_too_deep(tokens: &[Token]) -> bool {
    let mut open: Vec<Open> = vec![];
    let mut starts_command = true;
    let mut is_function_name = false;
    let mut links = 0;
    let mut doubled: u64 = 0;
    for token in tokens {
        let text = token.to_str();
        let is_operator = matches!(token, Token::Operator(..));
        if is_operator && !is_redirection(text) && text != "(" {
            while open.last() == Some(&Open::Not) {
                open.pop();
            }
        }
        let is_name = std::mem::replace(&mut is_function_name, starts_command && text == "function");
        let closes = match text {
            "(" if is_operator => {
                open.push(Open::Bracket);
                None
            }
            // A `)` behind a pattern of `case` closes nothing.
            ")" if is_operator => Some(Open::Bracket),
            "]]" => Some(Open::Test),
            _ if is_name || !starts_command => None,
            "{" | "if" | "while" | "until" | "for" | "select" => {
                open.push(Open::Compound);
                None
            }
            "!" => {
                open.push(Open::Not);
                None
            }
            "[[" => {
                open.push(Open::Test);
                links = 0;
                None
            }
            "case" => {
                open.push(Open::Case);
                None
            }
            "}" | "fi" | "done" => Some(Open::Compound),
            "esac" => Some(Open::Case),
            _ => None,
        };
        if closes.is_some() && open.last() == closes.as_ref() {
            open.pop();
        }
        links += usize::from(matches!(text, "&&" | "||" | "!") && open.contains(&Open::Test));
        let doublings = open.iter().filter(|open| matches!(open, Open::Case | Open::Bracket)).count();
        doubled = doubled.saturating_add((1_u64 << doublings.min(NESTING_MAX)) - 1);
        if open.len() > NESTING_MAX || links > TEST_LINKS_MAX || doubled > DOUBLED_MAX {
            return true;
        }
        starts_command =
            if is_operator { !is_redirection(text) } else { is_name || KEYWORDS_BEFORE_COMMAND.contains(&text) };
    }
    false
}

fn is_redirection(operator: &str) -> bool {
    operator.starts_with(['<', '>']) || operator.starts_with("&>")
}

/// Whether a word is a number that the parser may unwrap as a file descriptor without looking.
fn is_endless_number(text: &str) -> bool {
    const DIGITS_MAX: usize = 9;
    text.len() > DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a token is an array's element with so much in its subscript that the parser's time
/// would explode on it.
fn is_wild_subscript(token: &Token) -> bool {
    const EXPANSIONS_IN_SUBSCRIPT_MAX: usize = 6;
    let text = token.to_str();
    let name = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(0);
    text[name..].starts_with('[') && expansions(text) > EXPANSIONS_IN_SUBSCRIPT_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_here_document_whose_end_is_computed_is_not_read() {
        for text in [
            "<<$(  ${",
            "cat << $(  $(",
            "a <<x$(  ${",
            "<<\"$(  ${",
            "cat <<-$(a)\nx\n$(a)\n",
            "cat <<-<<-'END'\nx\nEND\n",
        ] {
            assert!(matches!(program(text), Err(Unparsed::Syntax(_))), "{text}");
        }
        for text in [
            "cat <<EOF\n$(a) ${b}\nEOF\n",
            "cat <<< $(a)",
            "cat <<'E'\nx\nE\n",
            "echo $((1 << ${n}))",
            "echo $((1<<$(nproc)))",
            "echo $(( (1 << ${n}) + 2 ))",
            "((x = 1 << ${n}))",
        ] {
            assert!(program(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_the_parser_sees_it() {
        for text in ["(", "$(", "if ", "{ ", "${", "\"$(", "case a in a) ", "! ", "while "] {
            let refused = program(&text.repeat(100_000)).err();
            assert!(refused.is_some(), "{text}");
            let refused = program(&text.repeat(300)).err();
            assert!(refused.is_some(), "{text}");
        }
    }

    #[test]
    fn quotes_and_comments_do_not_hide_nesting() {
        let hidden = format!("# '\n{}", "( ')' ".repeat(1000));
        assert_eq!(program(&hidden).err(), Some(Unparsed::TooDeep));
    }

    #[test]
    fn a_script_beyond_the_limit_is_refused() {
        assert_eq!(program(&" ".repeat(SCRIPT_BYTES_MAX + 1)).err(), Some(Unparsed::TooLarge));
        assert!(program(&" ".repeat(SCRIPT_BYTES_MAX)).is_ok());
    }

    #[test]
    fn numbers_that_do_not_fit_are_no_panic() {
        assert!(program("99999999999999999999>x").is_err());
    }

    #[test]
    fn hidden_nesting_takes_no_long_time() {
        for unit in ["$(')'", "\"$(')'", "${a:-'}'", "a[$(')'", "=($(')'", "@($(')'"] {
            let _ = program(&unit.repeat(EXPANSIONS_MAX));
        }
        let closed = format!("{}{}", "$(echo ')' ".repeat(EXPANSIONS_MAX), ")".repeat(EXPANSIONS_MAX));
        assert!(program(&closed).is_ok());
    }

    #[test]
    fn what_the_shell_refuses_is_refused() {
        for text in ["ls > 2>&1", "ls >2>x", "ls >> 1>x", "for ((;;;)); do ls; done", "case x in a) ls ;; esac ;;"] {
            assert!(program(text).is_err(), "{text}");
        }
        assert!(program("ls > 2").is_ok() && program("ls > 2 > x").is_ok() && program("ls 2>&1 >x").is_ok());
    }

    #[test]
    fn a_loop_without_an_end_is_read() {
        for text in
            ["for ((;;)); do ls; done", "for ((i=0;;)); do ls; done", "case x in a) for ((;;)); do ls; done ;; esac"]
        {
            assert!(program(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_heredoc_with_an_empty_tag_ends_with_the_text() {
        for text in ["$(<<  ", "<<\"\" ", "<<$(  ${", "$(<< <<\\", "${x:-$(<<  <<''  ", "<\\\n<'' "] {
            let _ = program(text);
        }
        assert!(program("cat <<''\nx\n\nls").is_ok());
        assert!(program("cat <<E\nx\nE").is_ok() && program("cat <<E\nx\n").is_err());
        assert!(program(&"cat <<E ".repeat(100_000)).is_err());
    }

    #[test]
    fn what_only_the_parser_can_read_is_refused() {
        for text in [
            "command x=(a)",
            "exec declare x=(a)",
            "a= (b c)",
            "cat <<-<<-'E'\n\tE\n",
            "coproc function f() { ls; }",
            "f() coproc { ls; }",
            "ls $$(ls)",
            "ls ${x<(ls)}",
            "cat <<E <(ls\nE\n)\n",
            "cat <& (ls)",
            "sort < (ls)",
            "ls >>(cat)",
            "ls > {fd}>x",
            "sh {fd}<<< ls",
            "exec {a[$(ls)]}>x",
            "!&!&",
            "! | ls",
            "ls; ! && ls",
            "a=(one [wo)",
            "echo @(a|b)",
            "ls a!(b)",
            "!(ls)",
            "x=@(a)",
            "case x in @(a|b)) ls ;; esac",
            "shopt -s extglob; ls @(a)",
            "echo $(time export y=(a b))",
            "cat <(time export y=(a b))",
            "echo `time -p declare y=(a b)`",
            "echo $(time { ls; })",
            "echo $( time -p ( ls ) )",
            "cat <(time for x in a; do ls; done)",
            "cat <(time (ls))",
            "cat <((ls))",
            "tee >((ls) | cat)",
            "echo $(a=(\\|))",
            "cat <(a=(\\| b))",
            "while ls; ! done",
            "a[[1]=x",
            "ls \\<<< <<E\nE\n",
            "ls | time { ls; }",
            "ls |& time (ls)",
            "ls | time export x=(a)",
            "time && ls",
            "time | cat",
            "echo $(x=($(ls) \\<) ls)",
            "echo $$[((1))",
            "x=(a [2[[]=b)",
            "cat ${#/ <<E &>$((1))x\nls\nE\n",
            "cat <<E && ls $(ls\nE\n)",
            "cat <<E && ls ${x:-\nE\n}",
            "echo ${x:-$(cat <<E\na\nE\n)}",
            "echo $(( $(cat <<E\n1\nE\n) + 1))",
        ] {
            assert!(program(text).is_err(), "{text}");
        }
        for text in [
            "[[ a == @(x|y) ]]",
            "[[ a == @(x|y) && b != !(z) ]] && ls",
            "shopt -s extglob\nls !(a) @(b|c)",
            "echo '@(a)' \"!(b)\" \\@ (",
            "echo ${x##+( )}",
            "((x = 2 *(3)))",
            "echo $((2 *(3)))",
            "a[2*(3)]=1",
            "for ((i = 0; i < 2*(3); i++)); do ls; done",
            "echo $(time ls)",
            "cat <(time ls)",
            "echo $(ls; time { ls; })",
            "(time { ls; })",
            "ls | time cat",
            "ls && time (ls)",
            "time\nls",
            "ls |(cat)",
            "ls \\<",
            "time -p { ls; } | cat",
            "cat <( (ls) )",
            "a=(\\|); ls $(a=(b))",
            "ls a[[1]",
            "a[b[1]]=x",
            "cat <<E && ls $(ls) ${x} # it's $(\nE\n",
            "echo coproc",
            "sort < <(ls)",
            "diff <(sort a) <(sort b)",
            "tee >(cat) < x",
            "! ls | cat",
            "!\nls",
            "exec {fd}>x",
            "a=([x]=1 [y]=2)",
            "cat <<E && (ls\nE\n)",
            "cat <<E | tee >(cat)\nx\nE\n",
            "echo $(cat <<E\nx\nE\n)",
            "echo \"${x}\" $(cat <<E\nx\nE\n)",
        ] {
            assert!(text.ends_with(" (") != program(text).is_ok(), "{text}: {:?}", program(text).err());
        }
        for text in [
            "a=(b c) ls",
            "ls; a=(b c)",
            "declare -a x=(a) y=(b)",
            "local x=(a b)",
            "if ls; then a=(b); fi",
            "a[1]=(b)",
            "x=1 a=(b [2]=c) d=(e)",
            "cat <<E <(ls)\nE\n",
            "echo $$; (ls)",
            "f() { a=(b); }",
            "while a=(b); do b+=(c); done",
            "for x in a; do a=(b); done",
            "echo a=b (",
            "{ a=(b); }",
            "! a=(b)",
            "time a=(b)",
            "case x in a) a=(b) ;; esac",
            "a=(b)\nb=(c)",
            "a=(b) && b=(c) || d=(e)",
            "(a=(b))",
            ">x a=(b)",
            "a=(\n  b\n  c\n)\nls",
        ] {
            assert!(text.ends_with(" (") != program(text).is_ok(), "{text}: {:?}", program(text).err());
        }
    }

    #[test]
    fn words_that_close_nothing_hide_no_nesting() {
        for text in [
            "{ ls ]]; ",
            "f() { ls ]]; ",
            "{ ls > }; ",
            "function f { ",
            "case x in a) ls ]]; ",
            "time -p { ",
            "{ ls fi; ",
        ] {
            assert_eq!(program(&text.repeat(10_000)).err(), Some(Unparsed::TooDeep), "{text}");
        }
        for text in ["a && ", "a || ", "! "] {
            assert_eq!(program(&format!("[[ {}a ]]", text.repeat(10_000))).err(), Some(Unparsed::TooDeep), "{text}");
        }
    }

    #[test]
    fn what_the_parser_would_read_again_and_again_is_refused() {
        for text in ["case x in a) ", "( ", "((", "(case x in a) "] {
            for count in [16, 20, 31] {
                assert_eq!(program(&text.repeat(count)).err(), Some(Unparsed::TooDeep), "{text}");
            }
        }
        let closed = format!("{}ls{}", "case x in a) ".repeat(20), "; esac".repeat(20));
        assert_eq!(program(&closed).err(), Some(Unparsed::TooDeep));
        let inside = format!("{}{}{}", "case x in a) ".repeat(8), "ls; ".repeat(1_000), "esac; ".repeat(8));
        assert_eq!(program(&inside).err(), Some(Unparsed::TooDeep));
    }

    #[test]
    fn a_long_flat_script_is_not_deep() {
        for text in [
            "! ls\n",
            "case x in (a) ls ;; b) ls ; esac\n",
            "(cd a && (ls))\n",
            "function f { ls; }\n",
            "((x = (1 + (2))))\n",
            "[[ ! -f x && (-d y || a == b) ]] && ls\n",
            "time -p ls\n",
        ] {
            assert!(program(&text.repeat(1_000)).is_ok(), "{text}");
        }
    }

    #[test]
    fn plain_scripts_parse() {
        assert!(program("for i in 1 2; do echo \"$i\"; done | sort").is_ok());
    }
}
