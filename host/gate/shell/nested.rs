//! Brackets within brackets: an expression, or a shell within a shell.
//!
//! The parser takes two opening brackets in a row for arithmetic, whatever stands between and behind them.
//! The shell does so only for `((` that closes with `))`; else both are subshells, and what is in them runs.

use brush_parser::{SourceSpan, Token};

/// Put an empty command between two brackets of which the shell makes subshells, so that the parser does too.
pub(super) fn split_subshells(tokens: &mut Vec<Token>) {
    let is = |at: usize, text: &str| matches!(tokens.get(at), Some(Token::Operator(own, _)) if own == text);
    let is_word = |at: usize, text: &str| matches!(tokens.get(at), Some(Token::Word(own, _)) if own == text);
    let closing = closing(tokens);
    let mut starts = vec![];
    let mut is_in_test = false;
    let mut at = 0;
    while at < tokens.len() {
        is_in_test = (is_in_test || is_word(at, "[[")) && !is_word(at, "]]");
        if !is_in_test && is(at, "(") && is(at + 1, "(") {
            let is_loop = at.checked_sub(1).is_some_and(|before| is_word(before, "for"));
            if is_loop || is_expression(tokens, &closing, at) {
                // What is in an expression is no command.
                at = closing.get(at).copied().flatten().unwrap_or(tokens.len());
            } else {
                starts.push(at);
            }
        }
        at += 1;
    }
    for at in starts.into_iter().rev() {
        let span = span(&tokens[at]).clone();
        tokens.insert(at + 1, Token::Operator(";".to_owned(), span.clone()));
        tokens.insert(at + 1, Token::Word(":".to_owned(), span));
    }
}

/// Whether the brackets at `at` and behind it are adjacent, and so are those that close them.
fn is_expression(tokens: &[Token], closing: &[Option<usize>], at: usize) -> bool {
    let is_adjacent = |left: usize, right: usize| match (tokens.get(left), tokens.get(right)) {
        (Some(left), Some(right)) => span(left).end.index == span(right).start.index,
        _ => false,
    };
    let closes = |at: usize| closing.get(at).copied().flatten();
    match (closes(at), closes(at + 1)) {
        (Some(outer), Some(inner)) => inner + 1 == outer && is_adjacent(at, at + 1) && is_adjacent(inner, outer),
        _ => false,
    }
}

/// For each opening bracket the one that closes it.
fn closing(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut closing = vec![None; tokens.len()];
    let mut open = vec![];
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Operator(text, _) if text == "(" => open.push(at),
            Token::Operator(text, _) if text == ")" => {
                if let Some(slot) = open.pop().and_then(|opening: usize| closing.get_mut(opening)) {
                    *slot = Some(at);
                }
            }
            _ => {}
        }
    }
    closing
}

fn span(token: &Token) -> &SourceSpan {
    match token {
        Token::Operator(_, span) | Token::Word(_, span) => span,
    }
}

#[cfg(test)]
mod tests {
    use brush_parser::{ParserOptions, uncached_tokenize_str};

    use super::*;

    fn count(text: &str) -> usize {
        let mut tokens = uncached_tokenize_str(text, &ParserOptions::default().tokenizer_options()).unwrap();
        let before = tokens.len();
        split_subshells(&mut tokens);
        (tokens.len() - before) / 2
    }

    #[test]
    fn brackets_with_a_gap_or_that_close_apart_are_subshells() {
        for text in
            ["( ( ls ) )", "((ls) )", "( (ls))", "f() ( ( ls ) ); f", "((ls); (ls))", "if ( (ls) ); then ls; fi"]
        {
            assert_eq!(count(text), 1, "{text}");
        }
        assert_eq!(count("( ( ( ls ) ) )"), 2);
    }

    #[test]
    fn an_expression_stays_one() {
        for text in [
            "((1 + 2))",
            "(( (1 + 2) * (3) ))",
            "((((1))))",
            "for ((i = 0; i < (2); i++)); do ls; done",
            "[[ ( ( -f x ) ) ]]",
            "echo $(( (1) ))",
            "(ls)",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }
}
