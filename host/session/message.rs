//! Results of tool calls as JSON: for the journal, from which they are replayed, and for `--json`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::capability::bindings::pi::gate::refusal::Refusal;
use crate::capability::bindings::pi::model::model::Info;
use crate::capability::bindings::pi::tool::types::{Blob, Content, Definition, Effect, Error};

/// What a call gave.
pub type CallResult = Result<Vec<Content>, Error>;

/// `{"ok": [...]}` or `{"error": {"kind", "message" or "refusal"}}`.
#[must_use]
pub fn to_value(result: &CallResult) -> Value {
    match result {
        Ok(contents) => json!({ "ok": contents.iter().map(content).collect::<Vec<_>>() }),
        Err(error) => json!({ "error": error_value(error) }),
    }
}

/// One part of a result: `{"text"}`, `{"json"}` or `{"blob": {"mime", "base64"}}`.
#[must_use]
pub fn content(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({ "text": text }),
        // A guest that says JSON and means something else gets its words through as text.
        Content::Json(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => json!({ "json": value }),
            Err(_) => json!({ "text": text }),
        },
        Content::Blob(blob) => json!({ "blob": { "mime": blob.mime, "base64": BASE64.encode(&blob.bytes) } }),
    }
}

/// A part of a result as [`from_value`] gives it back: compact JSON, and as text what is none.
#[must_use]
pub fn as_written(content: Content) -> Content {
    match content {
        Content::Json(text) => match serde_json::from_str::<Value>(&text) {
            Ok(value) => Content::Json(value.to_string()),
            Err(_) => Content::Text(text),
        },
        other => other,
    }
}

/// An error, with the kind that the contract names.
#[must_use]
pub fn error_value(error: &Error) -> Value {
    let (kind, message) = match error {
        Error::InvalidArguments(message) => ("invalid_arguments", message),
        Error::NotFound(message) => ("not_found", message),
        Error::Unknown(message) => ("unknown", message),
        Error::Limit(message) => ("limit", message),
        Error::Failed(message) => ("failed", message),
        Error::Refused(refusal) => {
            return json!({ "kind": "refused", "refusal": {
                "action": refusal.action, "rule": refusal.rule, "reason": refusal.reason,
                "risk": refusal.risk, "advice": refusal.advice,
            }});
        }
    };
    json!({ "kind": kind, "message": message })
}

/// An error in one sentence.
#[must_use]
pub fn words(error: &Error) -> String {
    match error {
        Error::InvalidArguments(text)
        | Error::NotFound(text)
        | Error::Unknown(text)
        | Error::Limit(text)
        | Error::Failed(text) => text.clone(),
        Error::Refused(refusal) => format!("refused by `{}`: {}", refusal.rule, refusal.reason),
    }
}

/// The result that [`to_value`] wrote. None if it did not.
#[must_use]
pub fn from_value(value: &Value) -> Option<CallResult> {
    if let Some(contents) = value.get("ok") {
        return contents.as_array()?.iter().map(content_from).collect::<Option<Vec<_>>>().map(Ok);
    }
    let error = value.get("error")?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Err(match error.get("kind")?.as_str()? {
        "invalid_arguments" => Error::InvalidArguments(message),
        "not_found" => Error::NotFound(message),
        "unknown" => Error::Unknown(message),
        "limit" => Error::Limit(message),
        "failed" => Error::Failed(message),
        "refused" => {
            let refusal = error.get("refusal")?;
            let text = |key: &str| refusal.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            Error::Refused(Refusal {
                action: text("action"),
                rule: text("rule"),
                reason: text("reason"),
                risk: refusal
                    .get("risk")
                    .and_then(Value::as_u64)
                    .and_then(|risk| u8::try_from(risk).ok())
                    .unwrap_or(100),
                advice: text("advice"),
            })
        }
        _ => return None,
    }))
}

fn content_from(value: &Value) -> Option<Content> {
    if let Some(text) = value.get("text") {
        return Some(Content::Text(text.as_str()?.to_owned()));
    }
    if let Some(json) = value.get("json") {
        return Some(Content::Json(json.to_string()));
    }
    let blob = value.get("blob")?;
    let bytes = BASE64.decode(blob.get("base64")?.as_str()?).ok()?;
    Some(Content::Blob(Blob { mime: blob.get("mime")?.as_str()?.to_owned(), bytes }))
}

/// The tools that a session is offered.
#[must_use]
pub fn definitions(tools: &[Definition]) -> Value {
    let one = |tool: &Definition| {
        let effect = match tool.effect {
            Effect::Read => "read",
            Effect::Write => "write",
            Effect::Destructive => "destructive",
        };
        json!({
            "name": tool.name, "description": tool.description, "input_schema": tool.input_schema,
            "effect": effect, "idempotent": tool.idempotent,
        })
    };
    tools.iter().map(one).collect()
}

/// The tools that [`definitions`] wrote. What cannot be read is taken for the worst that it can be.
#[must_use]
pub fn definitions_from(value: &Value) -> Vec<Definition> {
    let text = |tool: &Value, key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let one = |tool: &Value| Definition {
        name: text(tool, "name"),
        description: text(tool, "description"),
        input_schema: text(tool, "input_schema"),
        effect: match tool.get("effect").and_then(Value::as_str) {
            Some("read") => Effect::Read,
            Some("write") => Effect::Write,
            _ => Effect::Destructive,
        },
        idempotent: tool.get("idempotent").and_then(Value::as_bool).unwrap_or(false),
    };
    value.as_array().into_iter().flatten().map(one).collect()
}

/// The models that a session is offered.
#[must_use]
pub fn infos(models: &[Info]) -> Value {
    let one = |model: &Info| json!({ "name": model.name, "context_tokens": model.context_tokens, "output_tokens": model.output_tokens });
    models.iter().map(one).collect()
}

/// The models that [`infos`] wrote.
#[must_use]
pub fn infos_from(value: &Value) -> Vec<Info> {
    let number = |model: &Value, key: &str| {
        model.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
    };
    let one = |model: &Value| Info {
        name: model.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        context_tokens: number(model, "context_tokens"),
        output_tokens: number(model, "output_tokens"),
    };
    value.as_array().into_iter().flatten().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_as_it_was() {
        let results: Vec<CallResult> = vec![
            Ok(vec![
                Content::Text("a\u{0}b".into()),
                Content::Json("{\"b\":1,\"a\":[null]}".into()),
                Content::Blob(Blob { mime: "image/png".into(), bytes: vec![0, 255] }),
            ]),
            Err(Error::Limit("memory".into())),
            Err(Error::Refused(Refusal {
                action: "a".into(),
                rule: "r".into(),
                reason: "w".into(),
                risk: 90,
                advice: "x".into(),
            })),
        ];
        for result in results {
            assert_eq!(from_value(&to_value(&result)), Some(result));
        }
    }

    #[test]
    fn keeps_what_is_no_json_as_text() {
        assert_eq!(content(&Content::Json("{".into())), json!({ "text": "{" }));
    }
}
