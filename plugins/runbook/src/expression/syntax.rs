//! From tokens to a tree, by recursive descent of bounded depth.

use serde_json::Value;

use super::lex::{Token, tokens};
use super::{DEPTH_MAX, EXPRESSION_CHARS_MAX, Expression, Function, Operator, Reference, Wrong};
use crate::near;

const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// Read an expression.
///
/// # Errors
/// What is wrong at which character.
pub(crate) fn parse(text: &str) -> Result<Expression, Wrong> {
    let wrong = |message: String| Wrong { at: 0, message, hint: String::new() };
    if text.chars().count() > EXPRESSION_CHARS_MAX {
        return Err(wrong(format!("an expression of more than {EXPRESSION_CHARS_MAX} characters")));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(wrong("an empty expression".into()));
    }
    let mut parser = Parser { tokens, at: 0, end: text.chars().count() };
    let expression = parser.or(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some((at, token)) => {
            let hint = match token {
                Token::Name(names, _) => {
                    near::hint(names.first().map_or("", String::as_str), ["and", "or", "contains"])
                }
                _ => String::new(),
            };
            Err(Wrong { at: *at, message: "more than one expression: an operator is missing".into(), hint })
        }
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    end: usize,
}

impl Parser {
    fn wrong(&self, message: impl Into<String>) -> Wrong {
        let at = self.tokens.get(self.at).map_or(self.end, |(at, _)| *at);
        Wrong { at, message: message.into(), hint: String::new() }
    }

    /// Take the word, if it comes next.
    fn word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some((_, Token::Name(names, pointer)))
            if pointer.is_empty() && names.len() == 1 && names.first().is_some_and(|name| name == word));
        self.at += usize::from(is_next);
        is_next
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some((_, Token::Sign(own))) if *own == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn or(&mut self, depth: usize) -> Result<Expression, Wrong> {
        if depth > DEPTH_MAX {
            return Err(self.wrong(format!("nested more than {DEPTH_MAX} deep")));
        }
        let mut left = self.and(depth)?;
        let mut count = 0;
        while self.word("or") {
            count += 1;
            self.bounded(depth + count)?;
            left = Expression::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expression, Wrong> {
        let mut left = self.not(depth)?;
        let mut count = 0;
        while self.word("and") {
            count += 1;
            self.bounded(depth + count)?;
            left = Expression::And(Box::new(left), Box::new(self.not(depth)?));
        }
        Ok(left)
    }

    /// A chain makes a tree as deep as it is long.
    fn bounded(&self, depth: usize) -> Result<(), Wrong> {
        if depth > DEPTH_MAX { Err(self.wrong(format!("more than {DEPTH_MAX} parts in a row"))) } else { Ok(()) }
    }

    fn not(&mut self, depth: usize) -> Result<Expression, Wrong> {
        let mut is_negated = false;
        let mut is_wrapped = false;
        while self.word("not") {
            is_negated = !is_negated;
            is_wrapped = true;
        }
        let inner = self.compare(depth)?;
        let once = |inner| Expression::Not(Box::new(inner));
        // Twice negated is still true or false, and nothing else.
        Ok(match (is_wrapped, is_negated) {
            (false, _) => inner,
            (true, true) => once(inner),
            (true, false) => once(once(inner)),
        })
    }

    fn compare(&mut self, depth: usize) -> Result<Expression, Wrong> {
        let left = self.operand(depth)?;
        let operator = OPERATORS.iter().find(|(sign, _)| self.sign(sign)).map(|(_, operator)| *operator);
        let operator = operator.or_else(|| self.word("contains").then_some(Operator::Contains));
        let Some(operator) = operator else { return Ok(left) };
        let right = self.operand(depth)?;
        if OPERATORS.iter().any(|(sign, _)| self.sign(sign)) {
            self.at -= 1;
            return Err(self.wrong("comparisons in a row: join them by `and`"));
        }
        Ok(Expression::Compare(operator, Box::new(left), Box::new(right)))
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, Wrong> {
        if self.sign("(") {
            let inner = self.or(depth + 1)?;
            return if self.sign(")") { Ok(inner) } else { Err(self.wrong("a `)` is missing")) };
        }
        let Some((at, token)) = self.tokens.get(self.at).cloned() else {
            return Err(self.wrong("it ends where a value is needed"));
        };
        match token {
            Token::Sign(sign) => Err(self.wrong(format!("`{sign}` where a value is needed"))),
            Token::Literal(value) => {
                self.at += 1;
                Ok(Expression::Literal(value))
            }
            Token::Name(names, pointer) => {
                self.at += 1;
                if self.sign("(") {
                    return self.call(at, &names, &pointer, depth);
                }
                reference(&names, pointer).map_err(|(message, hint)| Wrong { at, message, hint })
            }
        }
    }

    fn call(&mut self, at: usize, names: &[String], pointer: &[String], depth: usize) -> Result<Expression, Wrong> {
        let name = names.join(".");
        let known = Function::ALL.iter().find(|(known, _)| *known == name && pointer.is_empty());
        let Some((_, function)) = known else {
            let hint = near::hint(&name, Function::ALL.iter().map(|(name, _)| *name));
            return Err(Wrong { at, message: format!("there is no function `{}`", near::shown(&name)), hint });
        };
        let inner = self.or(depth + 1)?;
        if !self.sign(")") {
            return Err(self.wrong("a `)` is missing"));
        }
        Ok(Expression::Call(*function, Box::new(inner)))
    }
}

fn reference(names: &[String], pointer: Vec<String>) -> Result<Expression, (String, String)> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let reference = match names.as_slice() {
        ["true"] => return Ok(Expression::Literal(Value::Bool(true))),
        ["false"] => return Ok(Expression::Literal(Value::Bool(false))),
        ["null"] => return Ok(Expression::Literal(Value::Null)),
        [word @ ("and" | "or" | "not" | "contains")] => {
            return Err((format!("`{word}` where a value is needed"), String::new()));
        }
        ["result"] => Reference::Own,
        ["result", step] => Reference::Result((*step).into()),
        ["status", step] if pointer.is_empty() => Reference::Status((*step).into()),
        ["error", step] if pointer.is_empty() => Reference::Error((*step).into()),
        [name @ ("status" | "error")] => {
            return Err((format!("`{name}` of which step?"), format!("write `{name}.STEP`")));
        }
        [name] => Reference::Parameter((*name).into()),
        [] => return Err(("a name is missing".into(), String::new())),
        [first, ..] => {
            let hint = match *first {
                "result" | "status" | "error" => {
                    format!("a path into a result is a JSON pointer: `{first}.STEP/key/0`")
                }
                other => near::hint(other, ["result", "status", "error"]),
            };
            return Err((format!("`{}` refers to nothing", near::shown(&names.join("."))), hint));
        }
    };
    Ok(Expression::Reference(reference, pointer))
}
