//! The language of `when`, `expect` and `{{ }}`: comparison, `and`, `or`, `not`, `contains`, JSON pointers into
//! results, four functions. Total: no loops, no recursion, no effects, and each operation on what it does not fit is
//! an error, which fails the step. A typo must not read as `false` and let a change through.
//!
//! ```text
//! or       = and { "or" and }            and = not { "and" not }          not = "not" not | compare
//! compare  = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "contains") operand ]
//! operand  = number | "text" | 'text' | true | false | null | "(" or ")" | function "(" or ")"
//!          | parameter [pointer] | "result" ["." step] [pointer] | ("status" | "error") "." step
//! pointer  = "/" token { "/" token }     a token of RFC 6901, or one in quotes
//! ```

mod lex;
mod syntax;

use serde_json::Value;

pub(crate) use syntax::parse;

use crate::near::shown;
use crate::scope::Scope;

/// Characters of one expression.
pub(crate) const EXPRESSION_CHARS_MAX: usize = 2_000;
/// Danger: a tree that is deeper than the stack.
const DEPTH_MAX: usize = 32;
/// A text that is made by an expression.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// What is wrong with an expression, and at which character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) hint: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Literal(Value),
    Reference(Reference, Vec<String>),
    Call(Function, Box<Self>),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Compare(Operator, Box<Self>, Box<Self>),
}

/// What an expression refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    Parameter(String),
    /// The result of the call that the expression is about.
    Own,
    Result(String),
    Status(String),
    Error(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// How many items, keys or characters.
    Length,
    /// It is there, and not null.
    Exists,
    /// As one word of a shell.
    Quoted,
    /// As text, where it stands within a text that no shell reads.
    Text,
}

impl Function {
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("length", Self::Length), ("exists", Self::Exists), ("quoted", Self::Quoted), ("text", Self::Text)];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

impl Expression {
    /// Everything that it refers to.
    pub(crate) fn references(&self) -> Vec<&Reference> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Reference(reference, _) => vec![reference],
            Self::Call(_, inner) | Self::Not(inner) => inner.references(),
            Self::And(left, right) | Self::Or(left, right) | Self::Compare(_, left, right) => {
                left.references().into_iter().chain(right.references()).collect()
            }
        }
    }

    /// Its value.
    ///
    /// # Errors
    /// It does not fit what it is applied to, in words.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Result<Value, String> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Reference(reference, pointer) => scope.value(reference, pointer),
            Self::Call(function, inner) => call(*function, &inner.value(scope)?),
            Self::Not(inner) => Ok(Value::Bool(!inner.is_true(scope)?)),
            Self::And(left, right) => Ok(Value::Bool(left.is_true(scope)? && right.is_true(scope)?)),
            Self::Or(left, right) => Ok(Value::Bool(left.is_true(scope)? || right.is_true(scope)?)),
            Self::Compare(operator, left, right) => {
                compare(*operator, &left.value(scope)?, &right.value(scope)?).map(Value::Bool)
            }
        }
    }

    /// Its value, which has to be true or false.
    ///
    /// # Errors
    /// It is neither, or as of [`Expression::value`].
    pub(crate) fn is_true(&self, scope: &Scope<'_>) -> Result<bool, String> {
        match self.value(scope)? {
            Value::Bool(is_true) => Ok(is_true),
            other => Err(format!("{} where true or false is needed", named(&other))),
        }
    }

    /// Whether it may stand within a longer text as it is: nothing in it could be read as more than one word.
    pub(crate) fn is_one_word(&self, is_word: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Literal(_) | Self::Call(..) | Self::Compare(..) | Self::And(..) | Self::Or(..) | Self::Not(_) => true,
            Self::Reference(Reference::Parameter(name), _) => is_word(name),
            Self::Reference(Reference::Status(_), _) => true,
            Self::Reference(..) => false,
        }
    }
}

/// A value for people, cut short.
pub(crate) fn named(value: &Value) -> String {
    format!("`{}`", shown(&value.to_string()))
}

fn call(function: Function, value: &Value) -> Result<Value, String> {
    match function {
        Function::Exists => Ok(Value::Bool(!value.is_null())),
        Function::Length => match value {
            Value::Array(items) => Ok(items.len().into()),
            Value::Object(keys) => Ok(keys.len().into()),
            Value::String(text) => Ok(text.chars().count().into()),
            other => Err(format!("{} has no length", named(other))),
        },
        Function::Quoted => {
            let text = plain(value)?;
            if text.contains('\0') {
                return Err("a text with a zero byte, which no shell takes".into());
            }
            Ok(Value::String(format!("'{}'", text.replace('\'', r"'\''"))))
        }
        Function::Text => plain(value).map(Value::String),
    }
}

/// A scalar as it stands within a text.
pub(crate) fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.len() > TEXT_BYTES_MAX => {
            Err(format!("a text of more than {TEXT_BYTES_MAX} bytes"))
        }
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(format!("{} cannot stand within a text", named(other))),
    }
}

fn compare(operator: Operator, left: &Value, right: &Value) -> Result<bool, String> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let ordering = match operator {
        Operator::Equal => return Ok(is_equal(left, right)),
        Operator::Unequal => return Ok(!is_equal(left, right)),
        Operator::Contains => return contains(left, right),
        _ => match (left, right) {
            (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => left.as_f64().zip(right.as_f64()).and_then(|(left, right)| left.partial_cmp(&right)),
            },
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            _ => None,
        },
    };
    let Some(ordering) = ordering else {
        return Err(format!("{} and {} have no order", named(left), named(right)));
    };
    Ok(match operator {
        Operator::Less => ordering == Less,
        Operator::LessOrEqual => ordering != Greater,
        Operator::Greater => ordering == Greater,
        _ => ordering == Equal || ordering == Greater,
    })
}

/// `1` and `1.0` are one number.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right
                || (left.as_f64().is_some() && left.as_f64() == right.as_f64() && left.is_f64() != right.is_f64())
        }
        _ => left == right,
    }
}

fn contains(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::String(text), Value::String(part)) => Ok(text.contains(part.as_str())),
        (Value::Array(items), item) => Ok(items.iter().any(|own| is_equal(own, item))),
        (Value::Object(keys), Value::String(key)) => Ok(keys.contains_key(key)),
        (left, right) => Err(format!("{} cannot contain {}", named(left), named(right))),
    }
}

#[cfg(test)]
mod tests;
