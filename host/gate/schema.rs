//! Whether a policy file has the form that `policies/security.schema.json` describes.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::policy::{PolicyError, nearest_hint};

/// The form of `security.json`, as published beside it.
pub(crate) const SCHEMA: &str = include_str!("../../policies/security.schema.json");

/// Check `text` against the schema.
///
/// # Errors
/// The first place where it does not fit.
pub(crate) fn check(text: &str, file_name: &str) -> Result<(), PolicyError> {
    let error = |path: &str, line: Option<usize>, message: String, hint: String| PolicyError {
        file: file_name.to_owned(),
        path: path.to_owned(),
        line,
        message,
        hint,
    };
    let document: Value = serde_json::from_str(text).map_err(|cause| {
        error("$", Some(cause.line()), format!("no valid json: {cause}"), "mend the syntax at this line".to_owned())
    })?;
    let schema: Value = serde_json::from_str(SCHEMA).map_err(|cause| {
        error("$", None, format!("the embedded schema is broken: {cause}"), "report this".to_owned())
    })?;
    let validator: Validator = jsonschema::validator_for(&schema).map_err(|cause| {
        error("$", None, format!("the embedded schema is broken: {cause}"), "report this".to_owned())
    })?;
    let Some(cause) = validator.iter_errors(&document).next() else { return Ok(()) };
    let path = dotted(cause.instance_path().as_str());
    if let ValidationErrorKind::AdditionalProperties { unexpected } = cause.kind()
        && let Some(key) = unexpected.first()
    {
        let known = known_keys(&schema, cause.schema_path().as_str());
        let hint = nearest_hint(key, known.iter().map(String::as_str));
        let place = if path == "$" { key.clone() } else { format!("{path}.{key}") };
        return Err(error(&place, line_of(text, &format!("\"{key}\"")), format!("unknown key `{key}`"), hint));
    }
    let hint = format!("see `{}` in policies/security.schema.json", cause.schema_path().as_str());
    let line = line_of_place(text, &document, cause.instance_path().as_str());
    Err(error(&path, line, cause.to_string(), hint))
}

/// The last line that holds `needle`: of something that stands there twice, the one too many.
pub(crate) fn line_of(text: &str, needle: &str) -> Option<usize> {
    text.lines().enumerate().filter(|(_, line)| line.contains(needle)).last().map(|(at, _)| at + 1)
}

/// The line of the rule that an instance path lies in.
fn line_of_place(text: &str, document: &Value, path: &str) -> Option<usize> {
    let mut parts = path.split('/').skip(1);
    let (Some("rules"), Some(index)) = (parts.next(), parts.next()) else { return None };
    let id = document.get("rules")?.get(index.parse::<usize>().ok()?)?.get("id")?.as_str()?;
    line_of(text, &format!("\"{id}\""))
}

/// `/rules/3/when` as `rules[3].when`.
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(part);
        }
    }
    if path.is_empty() { "$".to_owned() } else { path }
}

/// The keys that the schema knows where `additionalProperties` refused one.
fn known_keys(schema: &Value, schema_path: &str) -> Vec<String> {
    let place = schema_path.trim_end_matches("/additionalProperties");
    let properties = schema.pointer(&format!("{place}/properties")).and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}
