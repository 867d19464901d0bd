//! From text to a syntax tree, behind guards.
//!
//! The parser recurses and backtracks: a text that nests too deeply would overflow the stack, which
//! ends the whole host, or take exponential time. So the nesting is measured on the tokens before the
//! parser sees them, and what the tokenizer itself recurses into is counted before that.

use std::panic::{AssertUnwindSafe, catch_unwind};

use brush_parser::ast::Program;
use brush_parser::word::{self, BraceExpressionOrText, WordPieceWithSource};
use brush_parser::{ParserOptions, Token, parse_tokens, uncached_tokenize_str};

/// Longest script that is read.
pub(crate) const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of compound commands, and of expansions in one word.
pub(crate) const NESTING_MAX: usize = 16;
/// Most expansions (`$(`, `${`, backticks) in one script. Danger: the tokenizer's recursion.
const EXPANSIONS_MAX: usize = 400;
/// From this many on a script is read on a stack of its own.
const EXPANSIONS_LARGE_MAX: usize = 20_000;
const STACK_BYTES: usize = 256 << 20;

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unparsed {
    TooLarge,
    TooDeep,
    Syntax(String),
}

/// Parse a script.
pub(crate) fn program(text: &str) -> Result<Program, Unparsed> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(Unparsed::TooLarge);
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
        let tokens = uncached_tokenize_str(text, &options.tokenizer_options()).map_err(|error| error.to_string())?;
        if nesting(&tokens) > NESTING_MAX {
            return Ok(Err(Unparsed::TooDeep));
        }
        parse_tokens(&tokens, &options).map(Ok).map_err(|error| error.to_string())
    })
    .and_then(|result| result)
}

/// The pieces of a word. `None`: it cannot be read.
pub(crate) fn pieces(text: &str) -> Option<Vec<WordPieceWithSource>> {
    if word_nesting(text) > NESTING_MAX {
        return None;
    }
    guarded(|| word::parse(text, &ParserOptions::default()).map_err(|error| error.to_string())).ok()
}

/// The pieces of a heredoc's body, where quotes are plain characters.
pub(crate) fn heredoc_pieces(text: &str) -> Option<Vec<WordPieceWithSource>> {
    if word_nesting(text) > NESTING_MAX {
        return None;
    }
    guarded(|| word::parse_heredoc(text, &ParserOptions::default()).map_err(|error| error.to_string())).ok()
}

/// The brace expressions of a word. `None`: it cannot be read.
pub(crate) fn braces(text: &str) -> Option<Option<Vec<BraceExpressionOrText>>> {
    if word_nesting(text) > NESTING_MAX {
        return None;
    }
    guarded(|| word::parse_brace_expansions(text, &ParserOptions::default()).map_err(|error| error.to_string())).ok()
}

/// The parser unwraps numbers that do not fit (`~99999999999999999999`): a panic is a syntax error.
fn guarded<T>(parse: impl FnOnce() -> Result<T, String>) -> Result<T, Unparsed> {
    match catch_unwind(AssertUnwindSafe(parse)) {
        Ok(result) => result.map_err(Unparsed::Syntax),
        Err(_) => Err(Unparsed::Syntax("the parser gave up on it".to_owned())),
    }
}

fn expansions(text: &str) -> usize {
    let pairs = text.as_bytes().windows(2).filter(|pair| matches!(pair, [b'$', b'(' | b'{' | b'['] | [b'<' | b'>', b'('])).count();
    pairs + text.bytes().filter(|byte| *byte == b'`').count()
}

/// How deeply brackets and compound commands nest. The tokenizer has dealt with quotes, comments and
/// heredocs, so nothing in them counts.
fn nesting(tokens: &[Token]) -> usize {
    let mut open: Vec<char> = vec![];
    let mut deepest = 0;
    let mut starts_command = true;
    for token in tokens {
        let text = token.to_str();
        let is_operator = matches!(token, Token::Operator(..));
        match text {
            "(" if is_operator => open.push('('),
            // A `)` behind a pattern of `case` closes nothing.
            ")" if is_operator => {
                if open.last() == Some(&'(') {
                    open.pop();
                }
            }
            "{" | "if" | "while" | "until" | "for" | "select" | "coproc" | "!" | "[[" if starts_command => open.push('{'),
            "case" if starts_command => open.push('c'),
            "}" | "fi" | "done" | "esac" | "]]" if starts_command || text == "]]" => {
                if open.last().is_some_and(|last| *last != '(') {
                    open.pop();
                }
            }
            _ => {}
        }
        deepest = deepest.max(open.len());
        starts_command = is_operator
            || matches!(text, "{" | "}" | "if" | "then" | "else" | "elif" | "fi" | "while" | "until" | "do" | "done" | "esac" | "!" | "time" | "coproc");
    }
    deepest
}

/// An upper bound of how deeply the expansions of a word nest: closing brackets count only for the
/// bracket that is open, and quotes are not trusted to hide any.
fn word_nesting(text: &str) -> usize {
    let mut open: Vec<u8> = vec![];
    let mut deepest = 0;
    let mut backticks = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' | b'[' => open.push(byte),
            b')' if open.last() == Some(&b'(') => drop(open.pop()),
            b'}' if open.last() == Some(&b'{') => drop(open.pop()),
            b']' if open.last() == Some(&b'[') => drop(open.pop()),
            b'`' => backticks += 1,
            _ => {}
        }
        deepest = deepest.max(open.len());
    }
    // Backticks nest by backslashes; a pair is one level at most.
    deepest + if text.contains("\\`") { backticks / 2 } else { usize::from(backticks > 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_nesting_is_refused_before_the_parser_sees_it() {
        for text in ["(", "$(", "if ", "{ ", "${", "`", "\"$(", "case a in a) ", "! ", "while "] {
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
        for text in ["{1..99999999999999999999}", "~99999999999999999999999", "${99999999999999999999}", "~+99999999999999999999999"] {
            let _ = (pieces(text), braces(text));
        }
        let _ = program("99999999999999999999>x");
    }

    #[test]
    fn the_deepest_nesting_that_is_read_takes_no_long_time() {
        for (open, inner, close) in [("(", " a ", ")"), ("$(", " a ", ")"), ("{ ", "a; ", "};"), ("$((", "1", "))"), ("${a:-", "b", "}"), ("if a; then ", "b; ", "fi;"), ("\"$(", "a", ")\"")] {
            let text = format!("{}{inner}{}", open.repeat(NESTING_MAX), close.repeat(NESTING_MAX));
            let start = std::time::Instant::now();
            let _ = (program(&text), pieces(&text), braces(&text));
            let taken = start.elapsed();
            eprintln!("{open} {taken:?}");
        }
    }

    #[test]
    fn plain_scripts_parse() {
        assert!(program("for i in 1 2; do echo \"$i\"; done | sort").is_ok());
    }
}
