//! The tools that there are, as far as a runbook has to know them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Read,
    Write,
    Destructive,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub effect: Effect,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

/// Tools by name.
pub type Toolbox = BTreeMap<String, Tool>;

/// What arguments do not fit, by the top of a schema; the host checks all of it when it calls. Each with the key
/// that it is about, and with the known keys where one is not known.
pub(crate) fn complaints<'a>(schema: &'a Value, arguments: &[(&str, Option<Value>)]) -> Vec<Complaint<'a>> {
    let mut complaints = Vec::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (key, value) in arguments {
        match properties.and_then(|properties| properties.get(*key)) {
            None if is_closed => {
                let known = properties.map(|known| known.keys().map(String::as_str).collect()).unwrap_or_default();
                complaints.push(Complaint::Unknown { key: (*key).to_owned(), known });
            }
            Some(property) => {
                let wanted = property.get("type").and_then(Value::as_str);
                if let (Some(wanted), Some(value)) = (wanted, value)
                    && !is_of(value, wanted)
                {
                    complaints.push(Complaint::Type { key: (*key).to_owned(), wanted });
                }
            }
            None => {}
        }
    }
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let missing = required.iter().filter_map(Value::as_str).filter(|key| arguments.iter().all(|(own, _)| own != key));
    complaints.extend(missing.map(Complaint::Missing));
    complaints
}

pub(crate) enum Complaint<'a> {
    Unknown { key: String, known: Vec<&'a str> },
    Type { key: String, wanted: &'a str },
    Missing(&'a str),
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}
