//! What an entry may not keep: texts that the host knows and nobody may read, such as the values of secrets.
//!
//! The journal does not know what they are: who does lends it a [`Mask`], and every entry goes through it on its way
//! to the chain, so that the store, an export and whoever follows have the same. Only what is free text is changed:
//! the words that the form of an entry is made of stay, or it could not be read back.

use std::borrow::Cow;

use serde_json::Value;

use super::{Body, JournalError};

/// Takes what may not be kept out of texts.
pub trait Mask: Send + Sync {
    /// Whether there is any of it.
    fn finds(&self, text: &str) -> bool;
    /// The text without it.
    fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str>;
}

/// Fields whose value is any JSON, as a component or a person gave it.
const FREE: &[&str] =
    &["arguments", "task", "result", "detail", "details", "tools", "models", "messages", "frame", "answer"];
/// Fields whose value is a word out of a list.
const WORDS: &[&str] = &["entry", "key", "act", "status", "effect", "severity", "verdict", "kind", "mode"];

/// Whether an entry's text may hold any of it. An escape of JSON may stand within what is looked for: then its texts
/// are looked at one by one.
pub(super) fn may_hold(mask: &dyn Mask, text: &str) -> bool {
    mask.finds(text) || text.contains('\\')
}

/// The entry without it; none where there is nothing in it.
///
/// # Errors
/// It could not be taken out: then nothing of the entry may be kept.
pub(super) fn body(mask: &dyn Mask, body: &Body) -> Result<Option<Body>, JournalError> {
    let failed = |error: serde_json::Error| JournalError(format!("the entry cannot be freed of secrets: {error}"));
    let mut value = serde_json::to_value(body).map_err(failed)?;
    if !within_entry(mask, &mut value) {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(failed)
}

/// Take it out of the texts of an entry; whether there was any. Numbers of an entry are the host's own.
fn within_entry(mask: &dyn Mask, value: &mut Value) -> bool {
    match value {
        Value::String(text) => within_text(mask, text),
        Value::Array(items) => in_all(items.iter_mut(), |item| within_entry(mask, item)),
        Value::Object(fields) => in_all(fields.iter_mut(), |(name, field)| match name.as_str() {
            name if FREE.contains(&name) => within_json(mask, field),
            name if WORDS.contains(&name) && field.is_string() => false,
            _ => within_entry(mask, field),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Take it out of any JSON, names and numbers included; whether there was any.
pub(super) fn within_json(mask: &dyn Mask, value: &mut Value) -> bool {
    match value {
        Value::String(text) => within_text(mask, text),
        Value::Number(number) => {
            let text = number.to_string();
            match mask.hidden(&text) {
                Cow::Owned(hidden) if hidden != text => {
                    *value = Value::String(hidden);
                    true
                }
                _ => false,
            }
        }
        Value::Array(items) => in_all(items.iter_mut(), |item| within_json(mask, item)),
        Value::Object(fields) => {
            let mut is_found = false;
            if fields.keys().any(|name| mask.finds(name)) {
                is_found = true;
                let all = std::mem::take(fields).into_iter();
                *fields = all.map(|(name, field)| (mask.hidden(&name).into_owned(), field)).collect();
            }
            in_all(fields.iter_mut(), |(_, field)| within_json(mask, field)) || is_found
        }
        Value::Null | Value::Bool(_) => false,
    }
}

/// Whether there was any in one of these; it is taken out of all.
fn in_all<T>(items: impl Iterator<Item = T>, mut within: impl FnMut(T) -> bool) -> bool {
    let mut is_found = false;
    for item in items {
        is_found |= within(item);
    }
    is_found
}

fn within_text(mask: &dyn Mask, text: &mut String) -> bool {
    match mask.hidden(text) {
        Cow::Owned(hidden) if hidden != *text => {
            *text = hidden;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::{Act, Decision, Origin, Severity};
    use crate::journal::Status;

    /// Hides these texts.
    struct Words(&'static [&'static str]);

    impl Mask for Words {
        fn finds(&self, text: &str) -> bool {
            self.0.iter().any(|word| text.contains(word))
        }
        fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
            if !self.finds(text) {
                return Cow::Borrowed(text);
            }
            Cow::Owned(self.0.iter().fold(text.to_owned(), |text, word| text.replace(word, "[secret]")))
        }
    }

    fn call(arguments: Value) -> Body {
        Body::CallStarted {
            key: "12345678.0".into(),
            tool: "t".into(),
            arguments,
            effect: Severity::Destructive,
            idempotent: false,
            decision: Decision::allow(),
        }
    }

    #[test]
    fn a_value_is_in_no_part_of_what_is_free() {
        let mask = Words(&["12345678", "hunter22"]);
        let given = json!({ "a": ["x hunter22 y", { "hunter22": 1 }], "n": 12345678, "f": 1.5 });
        let expected = json!({ "a": ["x [secret] y", { "[secret]": 1 }], "n": "[secret]", "f": 1.5 });
        assert_eq!(body(&mask, &call(given)).unwrap(), Some(call(expected)));
        assert_eq!(body(&mask, &call(json!({ "a": "hunter21" }))).unwrap(), None);
        let act = |text: &str| Act::Script { text: text.into(), directory: "/".into() };
        let refused = |text: &str| Body::Refused {
            key: "0".into(),
            act: act(text),
            origin: Origin::default(),
            decision: Decision { reason: format!("because of {text}"), ..Decision::allow() },
        };
        assert_eq!(body(&mask, &refused("echo hunter22")).unwrap(), Some(refused("echo [secret]")));
    }

    #[test]
    fn what_an_entry_is_made_of_stays_whatever_is_secret() {
        let mask = Words(&["call_ended", "call_started", "tool_call", "destructive", "abandoned", "12345678"]);
        let entries = [
            call(json!({})),
            Body::CallEnded { key: "12345678".into(), status: Status::Abandoned, result: json!({ "ok": [] }) },
            Body::WaitStarted { key: "0".into(), until_ms: 1_234_567_890 },
        ];
        for entry in entries {
            assert_eq!(body(&mask, &entry).unwrap(), None, "{entry:?}");
        }
        let of_call = |text: &str| Body::Refused {
            key: "0".into(),
            act: Act::ToolCall {
                tool: "t".into(),
                effect: Severity::Destructive,
                idempotent: true,
                arguments: json!({ "effect": text }),
            },
            origin: Origin::default(),
            decision: Decision::allow(),
        };
        assert_eq!(body(&mask, &of_call("destructive")).unwrap(), Some(of_call("[secret]")));
    }
}
