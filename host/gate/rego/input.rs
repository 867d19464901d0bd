//! The document that policies in Rego see as `input`, made from JSON within bounds.
//!
//! ```json
//! {
//!   "action": {"name": "process_run", "argv": ["psql", "-c", "drop table t"], "directory": "/srv/app"},
//!   "effects": [{"kind": "database", "operation": "drop", "target": "t", "severity": "destructive"}],
//!   "risk": 60, "evidence": ["unknown_program"],
//!   "origin": {"session": "s1", "agent": "healer", "plugin": ""},
//!   "agent": "healer", "tool": "bash", "target": "production",
//!   "time": {"unix_ms": 1790000000000, "weekday": "saturday", "hour": 3, "minute": 7, "zone": "UTC"},
//!   "profile": "auto"
//! }
//! ```
//!
//! `policies/input.schema.json` is its JSON Schema. Nothing in it is expanded, and no clock is read: the
//! time is what the caller says it is, so that a decision can be replayed.

use regorus::Value;
use regorus::value::Object;
use serde_json::Value as Json;

/// How large the input may be, all texts and values summed up. The danger: a rule walks over all of it.
pub(super) const INPUT_BYTES_MAX: usize = 4 << 20;

/// How deep it may be nested. The danger: whatever walks over it does so on the stack.
pub(super) const INPUT_DEPTH_MAX: usize = 64;

/// What a value counts beside its text.
const VALUE_BYTES: usize = 16;

/// Turn the JSON document into a value of the policy engine. An error says in words what is too large.
pub(super) fn convert(input: &Json) -> Result<Value, String> {
    let mut left = INPUT_BYTES_MAX;
    value(input, 0, &mut left)
}

fn value(input: &Json, depth: usize, left: &mut usize) -> Result<Value, String> {
    if depth > INPUT_DEPTH_MAX {
        return Err(format!("the input is nested deeper than {INPUT_DEPTH_MAX} levels"));
    }
    take(left, 0)?;
    Ok(match input {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => Value::from(number),
            (_, Some(number), _) => Value::from(number),
            (_, _, Some(number)) if number.is_finite() => Value::from(number),
            _ => return Err(format!("the input has a number that is out of range: {number}")),
        },
        Json::String(text) => {
            take(left, text.len())?;
            Value::from(text.as_str())
        }
        Json::Array(items) => {
            let items: Result<Vec<Value>, String> = items.iter().map(|item| value(item, depth + 1, left)).collect();
            Value::from(items?)
        }
        Json::Object(fields) => {
            let mut object = Object::new();
            for (key, field) in fields {
                take(left, key.len())?;
                object.insert(Value::from(key.as_str()), value(field, depth + 1, left)?);
            }
            Value::from(object)
        }
    })
}

fn take(left: &mut usize, bytes: usize) -> Result<(), String> {
    match left.checked_sub(bytes.saturating_add(VALUE_BYTES)) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(format!("the input is larger than {INPUT_BYTES_MAX} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_of_json_arrives() {
        let input = json!({"a": [1, -2, 1.5, true, null, "x"], "b": {"c": {}}});
        assert_eq!(convert(&input), Ok(Value::from(input)));
    }

    #[test]
    fn an_input_that_is_too_large_or_too_deep_is_an_error() {
        let large = json!(["x".repeat(INPUT_BYTES_MAX)]);
        assert!(convert(&large).unwrap_err().contains("larger"));
        let mut deep = json!(1);
        for _ in 0..=INPUT_DEPTH_MAX {
            deep = json!([deep]);
        }
        assert!(convert(&deep).unwrap_err().contains("deeper"));
    }
}
