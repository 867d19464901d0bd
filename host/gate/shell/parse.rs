//! From text to a syntax tree, behind guards.
//!
//! The parser recurses: a text that nests too deeply would overflow the stack, which ends the whole
//! host. So the nesting is measured on the tokens before the parser sees them, and what the tokenizer
//! itself recurses into is counted before that. Words are read by `word`, not by the parser.

use std::panic::{AssertUnwindSafe, catch_unwind};

use brush_parser::ast::Program;
use brush_parser::{ParserOptions, Token, parse_tokens, uncached_tokenize_str};

/// Longest script that is read.
pub(crate) const SCRIPT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of compound commands.
pub(crate) const NESTING_MAX: usize = 32;
/// Most expansions (`$(`, `${`, backticks) in one script. Danger: the tokenizer's recursion.
const EXPANSIONS_MAX: usize = 400;
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
        let mut tokens =
            uncached_tokenize_str(text, &options.tokenizer_options()).map_err(|error| error.to_string())?;
        if tokens.windows(3).any(lacks_target) {
            return Err("a redirection has no target".to_owned());
        }
        // The parser takes more behind it than the shell does.
        if tokens.iter().any(|token| matches!(token, Token::Word(text, _) if text == "coproc")) {
            return Err("`coproc` is not read".to_owned());
        }
        split_empty_clauses(&mut tokens);
        if tokens.windows(2).any(|pair| is_endless_number(pair[0].to_str()) && pair[1].to_str().starts_with(['<', '>']))
        {
            return Err("a number in it has too many digits".to_owned());
        }
        if nesting(&tokens) > NESTING_MAX || tokens.iter().any(is_wild_subscript) {
            return Ok(Err(Unparsed::TooDeep));
        }
        parse_tokens(&tokens, &options).map(Ok).map_err(|error| error.to_string())
    })
    .and_then(|result| result)
}

/// `> 2>&1`: the `2` belongs to the second redirection, so the first has no target. The shell refuses
/// that, the parser would take the `2` for a file.
fn lacks_target(three: &[Token]) -> bool {
    let [Token::Operator(first, _), Token::Word(number, word), Token::Operator(second, operator)] = three else {
        return false;
    };
    let redirects = |text: &str| text.starts_with(['<', '>']) || text.starts_with("&>");
    redirects(first)
        && second.starts_with(['<', '>'])
        && word.end.index == operator.start.index
        && number.bytes().all(|byte| byte.is_ascii_digit())
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
    while let Some(at) = rest.find("<<") {
        rest = rest.get(at + 2..).unwrap_or_default();
        if let Some(string) = rest.strip_prefix('<') {
            rest = string.trim_start_matches('<');
            continue;
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

fn expansions(text: &str) -> usize {
    let pairs = text
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [b'$', b'(' | b'{' | b'['] | [b'<' | b'>', b'(']))
        .count();
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
            ")" if is_operator && open.last() == Some(&'(') => drop(open.pop()),
            "{" | "if" | "while" | "until" | "for" | "select" | "coproc" | "!" | "[[" if starts_command => {
                open.push('{')
            }
            "case" if starts_command => open.push('c'),
            "}" | "fi" | "done" | "esac" | "]]"
                if (starts_command || text == "]]") && open.last().is_some_and(|last| *last != '(') =>
            {
                open.pop();
            }
            _ => {}
        }
        deepest = deepest.max(open.len());
        starts_command = is_operator
            || matches!(
                text,
                "{" | "}"
                    | "if"
                    | "then"
                    | "else"
                    | "elif"
                    | "fi"
                    | "while"
                    | "until"
                    | "do"
                    | "done"
                    | "esac"
                    | "!"
                    | "time"
                    | "coproc"
            );
    }
    deepest
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
        for text in ["cat <<EOF\n$(a) ${b}\nEOF\n", "cat <<< $(a)", "cat <<'E'\nx\nE\n"] {
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
    fn plain_scripts_parse() {
        assert!(program("for i in 1 2; do echo \"$i\"; done | sort").is_ok());
    }
}
