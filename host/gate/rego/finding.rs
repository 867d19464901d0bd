//! Reads what a set of rules answered. What does not have the form is a finding that asks: a rule that
//! fired and cannot be understood is not silence.

use regorus::Value;

use super::compile::{Entry, Module};
use super::{RegoFinding, RegoVerdict};

/// The id of a finding that says that a module could not be heard.
pub(super) const POLICY_FAILED: &str = "policy_failed";

/// How many findings one set of rules may have. The danger: a rule that fires once for each of a
/// million things fills the journal and the approver's message.
const FINDINGS_MAX: usize = 64;

/// How long a text of a finding may be, for the same reason.
const TEXT_CHARACTERS_MAX: usize = 1000;

/// How long an id may be.
const ID_BYTES_MAX: usize = 100;

/// The most points that a finding can add.
const POINTS_MAX: u8 = 100;

/// Add the findings of one set of rules.
pub(super) fn read(value: &Value, module: &Module, entry: &Entry, findings: &mut Vec<RegoFinding>) {
    let elements = match value {
        Value::Undefined => return,
        Value::Set(elements) => elements,
        other => {
            let message = format!("it is {} and not a set", type_name(other));
            return findings.push(failed(&module.name(), &entry.rule, &message));
        }
    };
    for element in elements.iter_sorted().take(FINDINGS_MAX) {
        findings.push(
            finding(element, module, entry).unwrap_or_else(|message| failed(&module.name(), &entry.rule, &message)),
        );
    }
    if elements.len() > FINDINGS_MAX {
        let message = format!("it has {} findings, of which the first {FINDINGS_MAX} are heard", elements.len());
        findings.push(failed(&module.name(), &entry.rule, &message));
    }
}

/// What is said where a module could not be heard.
pub(super) fn failed(module: &str, rule: &str, message: &str) -> RegoFinding {
    let of_rule = if rule.is_empty() { String::new() } else { format!(", rule `{rule}`") };
    RegoFinding {
        rule: POLICY_FAILED.to_owned(),
        verdict: RegoVerdict::Ask,
        points: 0,
        reason: cut(&format!("a policy could not be evaluated: {module}{of_rule}: {message}")),
        advice: "have the policy mended; until then a person decides".to_owned(),
    }
}

fn finding(element: &Value, module: &Module, entry: &Entry) -> Result<RegoFinding, String> {
    let fields = match element {
        // A plain text is a reason; the place of the rule is its id.
        Value::String(reason) => {
            return Ok(RegoFinding {
                rule: format!("{}.{}", module.kind, entry.rule),
                verdict: entry.verdict,
                points: default_points(entry.verdict),
                reason: reason_of(reason)?,
                advice: String::new(),
            });
        }
        Value::Object(fields) => fields,
        other => return Err(format!("an element is {} and neither an object nor a text", type_name(other))),
    };
    let (mut id, mut reason, mut advice, mut points) = (None, None, None, None);
    for (key, value) in fields.iter() {
        let slot = match key.as_string().map(|key| key.as_ref()) {
            Ok("id") => &mut id,
            Ok("reason") => &mut reason,
            Ok("advice") => &mut advice,
            Ok("points") => &mut points,
            _ => {
                let key = key.as_string().map_or("which is no text", |key| key.as_ref());
                return Err(format!(
                    "an element has an unknown key `{}`; known are id, reason, advice, points",
                    cut(key)
                ));
            }
        };
        *slot = Some(value);
    }
    let text = |name: &str, value: Option<&Value>| match value {
        None => Err(format!("an element has no `{name}`")),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Err(format!("`{name}` is {} and not a text", type_name(other))),
    };
    let id = text("id", id)?;
    if !is_id(&id) {
        return Err(format!("`id` must be of the letters a to z, digits, `_`, `-` and `.`: {}", cut(&id)));
    }
    let points = match points {
        None => default_points(entry.verdict),
        Some(value @ Value::Number(_)) => match value.as_u8() {
            Ok(points) if points <= POINTS_MAX => points,
            _ => return Err(format!("the `points` of `{id}` are not a whole number from 0 to {POINTS_MAX}")),
        },
        Some(other) => return Err(format!("the `points` of `{id}` are {} and not a number", type_name(other))),
    };
    let advice = if advice.is_some() { cut(&text("advice", advice)?) } else { String::new() };
    Ok(RegoFinding {
        rule: id.to_string(),
        verdict: entry.verdict,
        points,
        reason: reason_of(&text("reason", reason)?)?,
        advice,
    })
}

fn reason_of(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a `reason` is empty".to_owned()) } else { Ok(cut(text)) }
}

fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    text.len() <= ID_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(is_plain)
}

/// The points of a finding that names none: as many as the thresholds of the built-in policy take to
/// come to the same verdict, and for evidence a little.
fn default_points(verdict: RegoVerdict) -> u8 {
    match verdict {
        RegoVerdict::Evidence => 10,
        RegoVerdict::Ask => 40,
        RegoVerdict::Deny => 100,
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object",
        Value::Undefined => "undefined",
    }
}

/// The last line of a message of several: the others draw the place in the source.
pub(super) fn plain(message: &str) -> String {
    let last = message.trim().lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// A text that is not longer than a finding's may be.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
