//! Arguments with `{{ expression }}` in them. One that is the whole text keeps its type; one within a longer text
//! becomes text.
//!
//! The attack: a parameter, or what a tool answered, that ends the word it was meant to be and goes on in a language
//! of its own (`shop; rm -rf /`). So within a longer text only what is one word by its type may stand as it is; all
//! else goes through `quoted(...)` for a shell, or through `text(...)`, which says that no program reads it.

use serde_json::{Map, Value};

use crate::expression::{self, EXPRESSION_CHARS_MAX, Expression, plain};
use crate::near::shown;
use crate::problem::{Place, Problem};
use crate::scope::Scope;
use crate::yaml::{Node, Tree};

/// A text that is made of a template.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// Arguments before their values are known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Fixed(Value),
    /// The value of an expression, as it is.
    Value(Written),
    Text(Vec<Part>),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Value(Written),
}

/// An expression with where and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    pub(crate) place: Place,
    pub(crate) source: String,
    pub(crate) expression: Expression,
}

impl Written {
    /// Read an expression that stands `offset` characters after the beginning of a node's text.
    pub(crate) fn parse(node: &Node, offset: usize, source: &str) -> Result<Self, Problem> {
        let at = |offset: usize| match node.verbatim {
            Some(before) => Place { line: node.place.line, column: node.place.column + before + offset },
            None => node.place,
        };
        match expression::parse(source) {
            Ok(expression) => Ok(Self { place: at(offset), source: source.trim().to_owned(), expression }),
            Err(wrong) => {
                let is_exact = node.verbatim.is_some();
                let part = if is_exact { String::new() } else { format!(" (in `{}`)", shown(source.trim())) };
                Err(Problem::new(at(offset + wrong.at), format!("{}{part}", wrong.message)).hint(wrong.hint))
            }
        }
    }
}

impl Template {
    pub(crate) fn parse(node: &Node, problems: &mut Vec<Problem>) -> Self {
        match &node.tree {
            Tree::Scalar(Value::String(text)) => match parts(node, text) {
                Ok(template) => template,
                Err(problem) => {
                    problems.push(problem);
                    Self::Fixed(Value::Null)
                }
            },
            Tree::Scalar(value) => Self::Fixed(value.clone()),
            Tree::List(items) => Self::List(items.iter().map(|item| Self::parse(item, problems)).collect()),
            Tree::Map(pairs) => {
                Self::Map(pairs.iter().map(|(key, node)| (key.text.clone(), Self::parse(node, problems))).collect())
            }
        }
    }

    /// Everything that stands in `{{ }}`, and whether it is the whole text.
    pub(crate) fn expressions(&self) -> Vec<(&Written, bool)> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::Value(written) => vec![(written, true)],
            Self::Text(parts) => parts
                .iter()
                .filter_map(|part| match part {
                    Part::Value(written) => Some((written, false)),
                    Part::Text(_) => None,
                })
                .collect(),
            Self::List(items) => items.iter().flat_map(Self::expressions).collect(),
            Self::Map(pairs) => pairs.iter().flat_map(|(_, item)| item.expressions()).collect(),
        }
    }

    /// The arguments.
    ///
    /// # Errors
    /// What has no value, in words.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Result<Value, String> {
        let of = |written: &Written| {
            written.expression.value(scope).map_err(|error| format!("`{}`: {error}", shown(&written.source)))
        };
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Value(written) => of(written),
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Text(part) => text.push_str(part),
                        Part::Value(written) => {
                            let value = of(written)?;
                            let value =
                                plain(&value).map_err(|error| format!("`{}`: {error}", shown(&written.source)))?;
                            text.push_str(&value);
                        }
                    }
                    if text.len() > TEXT_BYTES_MAX {
                        return Err(format!("a text of more than {TEXT_BYTES_MAX} bytes"));
                    }
                }
                Ok(Value::String(text))
            }
            Self::List(items) => items.iter().map(|item| item.value(scope)).collect::<Result<_, _>>().map(Value::Array),
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, item)| Ok((key.clone(), item.value(scope)?)));
                pairs.collect::<Result<Map<_, _>, String>>().map(Value::Object)
            }
        }
    }

    /// As far as it is known before anything was done; the rest stands there as it was written.
    pub(crate) fn known(&self, scope: &Scope<'_>) -> Value {
        match self {
            Self::Value(written) => written
                .expression
                .value(scope)
                .unwrap_or_else(|_| Value::String(format!("{{{{ {} }}}}", written.source))),
            Self::Text(parts) => Value::String(
                parts
                    .iter()
                    .map(|part| match part {
                        Part::Text(text) => text.clone(),
                        Part::Value(written) => {
                            let value = written.expression.value(scope).and_then(|value| plain(&value));
                            value.unwrap_or_else(|_| format!("{{{{ {} }}}}", written.source))
                        }
                    })
                    .collect(),
            ),
            Self::List(items) => Value::Array(items.iter().map(|item| item.known(scope)).collect()),
            Self::Map(pairs) => {
                Value::Object(pairs.iter().map(|(key, item)| (key.clone(), item.known(scope))).collect())
            }
            Self::Fixed(value) => value.clone(),
        }
    }
}

fn parts(node: &Node, text: &str) -> Result<Template, Problem> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut offset = 0;
    while let Some((before, after)) = rest.split_once("{{") {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        offset += before.chars().count() + 2;
        let end = end(after).ok_or_else(|| {
            let message = format!("`{{{{` without `}}}}`: `{}`", shown(after));
            Problem::new(node.place, message)
        })?;
        let (source, remaining) = after.split_at_checked(end).unwrap_or((after, ""));
        if source.chars().count() > EXPRESSION_CHARS_MAX {
            return Err(Problem::new(
                node.place,
                format!("an expression of more than {EXPRESSION_CHARS_MAX} characters"),
            ));
        }
        parts.push(Part::Value(Written::parse(node, offset, source)?));
        offset += source.chars().count() + 2;
        rest = remaining.get(2..).unwrap_or_default();
    }
    if parts.is_empty() {
        return Ok(Template::Fixed(Value::String(text.to_owned())));
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(match parts.as_slice() {
        [Part::Value(written)] => Template::Value(written.clone()),
        _ => Template::Text(parts),
    })
}

/// Where the `}}` is that ends an expression: not within a text in quotes.
fn end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        match quote {
            _ if is_escaped => is_escaped = false,
            Some(_) if character == '\\' => is_escaped = true,
            Some(open) if character == open => quote = None,
            Some(_) => {}
            None if character == '"' || character == '\'' => quote = Some(character),
            None if text.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return Some(at),
            None => {}
        }
    }
    None
}
