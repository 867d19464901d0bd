//! Takes the values of secrets out of what a component answers, before anybody else has it.
//!
//! It is the one way out of every call, so that the journal, the agent, a client of MCP and the terminal get the same.

use std::borrow::Cow;

use crate::capability::bindings::agent_world::exports::pi::agent::agent::Outcome;
use crate::capability::bindings::pi::gate::refusal::Refusal;
use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::capability::secret::scan::Scan;

/// What a tool answered.
pub(super) fn result(scan: &Scan, result: Result<Vec<Content>, Error>) -> Result<Vec<Content>, Error> {
    if scan.is_empty() {
        return result;
    }
    match result {
        Ok(contents) => Ok(contents.into_iter().map(|part| content(scan, part)).collect()),
        Err(error) => Err(self::error(scan, error)),
    }
}

/// What an agent came to.
pub(super) fn outcome(scan: &Scan, outcome: Outcome) -> Outcome {
    let summary = scan.hidden(&outcome.summary).into_owned();
    let details = json(scan, outcome.details).unwrap_or_else(|text| serde_json::Value::from(text).to_string());
    Outcome { summary, details, ..outcome }
}

fn content(scan: &Scan, content: Content) -> Content {
    match content {
        Content::Text(text) => Content::Text(scan.hidden(&text).into_owned()),
        Content::Json(text) => json(scan, text).map_or_else(Content::Text, Content::Json),
        Content::Blob(mut blob) => {
            blob.mime = scan.hidden(&blob.mime).into_owned();
            if let Cow::Owned(bytes) = scan.hidden_bytes(&blob.bytes) {
                blob.bytes = bytes;
            }
            Content::Blob(blob)
        }
    }
}

/// JSON without secrets; or a text, where what stands for one has made it no JSON: a secret that was a number.
fn json(scan: &Scan, text: String) -> Result<String, String> {
    match scan.hidden(&text) {
        Cow::Borrowed(_) => Ok(text),
        Cow::Owned(hidden) if serde_json::from_str::<serde::de::IgnoredAny>(&hidden).is_ok() => Ok(hidden),
        Cow::Owned(hidden) => Err(hidden),
    }
}

fn error(scan: &Scan, error: Error) -> Error {
    let hidden = |text: String| scan.hidden(&text).into_owned();
    match error {
        Error::InvalidArguments(text) => Error::InvalidArguments(hidden(text)),
        Error::NotFound(text) => Error::NotFound(hidden(text)),
        Error::Unknown(text) => Error::Unknown(hidden(text)),
        Error::Limit(text) => Error::Limit(hidden(text)),
        Error::Failed(text) => Error::Failed(hidden(text)),
        Error::Refused(refusal) => Error::Refused(Refusal {
            action: hidden(refusal.action),
            rule: refusal.rule,
            reason: hidden(refusal.reason),
            risk: refusal.risk,
            advice: hidden(refusal.advice),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::bindings::pi::tool::types::Blob;

    #[test]
    fn a_secret_is_in_no_part_of_an_answer() {
        let scan = Scan::of([("pin", "12345678")].into_iter());
        let blob = Blob { mime: "text/plain".into(), bytes: b"a 12345678 b".to_vec() };
        let answer = vec![
            Content::Text("it is 12345678".into()),
            Content::Json(r#"{"a":"12345678"}"#.into()),
            Content::Json(r#"{"a":12345678}"#.into()),
            Content::Blob(blob),
        ];
        let hidden = Blob { mime: "text/plain".into(), bytes: b"a [secret pin] b".to_vec() };
        let expected = vec![
            Content::Text("it is [secret pin]".into()),
            Content::Json(r#"{"a":"[secret pin]"}"#.into()),
            Content::Text(r#"{"a":[secret pin]}"#.into()),
            Content::Blob(hidden),
        ];
        assert_eq!(result(&scan, Ok(answer)), Ok(expected));
        for make in [Error::Failed, Error::NotFound, Error::Limit, Error::Unknown, Error::InvalidArguments] {
            assert_eq!(result(&scan, Err(make("12345678".into()))), Err(make("[secret pin]".into())));
        }
    }
}
