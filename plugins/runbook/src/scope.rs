//! What expressions can see: the parameters, and what earlier steps gave.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::expression::Reference;
use crate::parameter::Parameters;

/// Danger: a step whose answer fills the memory, a thousand times over.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// What a step gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Given {
    /// None: it was larger than is kept.
    pub(crate) result: Option<Value>,
    pub(crate) status: &'static str,
    pub(crate) error: Option<String>,
}

impl Given {
    pub(crate) fn of(status: &'static str, result: Value, error: Option<String>) -> Self {
        Self { result: kept(result), status, error }
    }
}

/// A result, if it is of a size that is kept.
pub(crate) fn kept(result: Value) -> Option<Value> {
    let mut size = 0;
    is_within(&result, &mut size).then_some(result)
}

fn is_within(value: &Value, size: &mut usize) -> bool {
    *size += match value {
        Value::String(text) => text.len() + 2,
        Value::Object(keys) => keys.keys().map(|key| key.len() + 4).sum(),
        _ => 4,
    };
    *size <= RESULT_BYTES_MAX
        && match value {
            Value::Array(items) => items.iter().all(|item| is_within(item, size)),
            Value::Object(keys) => keys.values().all(|item| is_within(item, size)),
            _ => true,
        }
}

pub(crate) struct Scope<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) steps: &'a BTreeMap<String, Given>,
    /// The result of the call that is looked at; the inner none: too large.
    pub(crate) own: Option<Option<&'a Value>>,
}

impl Scope<'_> {
    /// What a reference stands for. What is not there is null.
    ///
    /// # Errors
    /// It is not known here, in words.
    pub(crate) fn value(&self, reference: &Reference, pointer: &[String]) -> Result<Value, String> {
        let step = |id: &str| self.steps.get(id).ok_or_else(|| format!("the step `{id}` has not been done"));
        let too_large = |of: &str| format!("the result{of} is larger than {RESULT_BYTES_MAX} bytes, and was not kept");
        match reference {
            Reference::Parameter(name) => match self.parameters.get(name) {
                Some(value) => Ok(at(value, pointer)),
                None => Err(format!("the parameter `{name}` has no value")),
            },
            Reference::Own => match self.own {
                Some(Some(value)) => Ok(at(value, pointer)),
                Some(None) => Err(too_large("")),
                None => Err("there is no result here".into()),
            },
            Reference::Result(id) => match &step(id)?.result {
                Some(value) => Ok(at(value, pointer)),
                None => Err(too_large(&format!(" of `{id}`"))),
            },
            Reference::Status(id) => Ok(Value::String(step(id)?.status.into())),
            Reference::Error(id) => Ok(step(id)?.error.clone().map_or(Value::Null, Value::String)),
        }
    }
}

/// What a pointer leads to; null where there is nothing.
fn at(value: &Value, pointer: &[String]) -> Value {
    let mut value = value;
    for token in pointer {
        let next = match value {
            Value::Object(keys) => keys.get(token),
            // As RFC 6901 has it: no sign, no leading zero.
            Value::Array(items) if token == "0" || !token.starts_with(['0', '+']) => {
                token.parse::<usize>().ok().and_then(|index| items.get(index))
            }
            _ => None,
        };
        let Some(next) = next else { return Value::Null };
        value = next;
    }
    value.clone()
}
