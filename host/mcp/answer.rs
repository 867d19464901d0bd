//! A call's outcome as MCP says it: text, structured content, images, audio, embedded resources,
//! and failures that a model can read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{AudioContent, CallToolResult, ContentBlock, EmbeddedResource, ImageContent, ResourceContents};
use serde_json::{Value, json};

use super::{CallFailure, Given};

/// All parts of one answer together, before base64. A client buffers a whole message, and many
/// end the connection at a larger one.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Of a failure's text, in characters.
const FAILURE_CHARS_MAX: usize = 16_384;

pub(super) fn answer(outcome: Result<Vec<Given>, CallFailure>) -> CallToolResult {
    match outcome.and_then(within_limit) {
        Ok(parts) => given(parts),
        Err(failure) => failed(&failure),
    }
}

fn within_limit(parts: Vec<Given>) -> Result<Vec<Given>, CallFailure> {
    let size = |part: &Given| match part {
        Given::Text(text) | Given::Json(text) => text.len(),
        Given::Blob { bytes, mime } => bytes.len() + mime.len(),
    };
    let bytes: usize = parts.iter().map(size).sum();
    if bytes > ANSWER_BYTES_MAX {
        return Err(CallFailure::Limit(format!(
            "the result has {bytes} bytes, and an answer may have {ANSWER_BYTES_MAX}; the call itself has ended: ask for less"
        )));
    }
    Ok(parts)
}

fn given(parts: Vec<Given>) -> CallToolResult {
    let structured = match parts.as_slice() {
        // The protocol has one place for structured content, and wants an object there.
        [Given::Json(text)] => serde_json::from_str(text).ok().filter(Value::is_object),
        _ => None,
    };
    let blocks = parts.into_iter().enumerate().map(|(index, part)| block(index, part)).collect();
    let mut result = CallToolResult::success(blocks);
    result.structured_content = structured;
    result
}

fn block(index: usize, part: Given) -> ContentBlock {
    match part {
        Given::Text(text) | Given::Json(text) => ContentBlock::text(text),
        Given::Blob { mime, bytes } => {
            let data = STANDARD.encode(bytes);
            if mime.starts_with("image/") {
                ContentBlock::Image(ImageContent::new(data, mime))
            } else if mime.starts_with("audio/") {
                ContentBlock::Audio(AudioContent::new(data, mime))
            } else {
                let contents = ResourceContents::BlobResourceContents {
                    uri: format!("result:///{index}"),
                    mime_type: Some(mime),
                    blob: data,
                    meta: None,
                };
                ContentBlock::Resource(EmbeddedResource::new(contents))
            }
        }
    }
}

fn failed(failure: &CallFailure) -> CallToolResult {
    let shortened = |text: &str| text.chars().take(FAILURE_CHARS_MAX).collect::<String>();
    let (text, data) = match failure {
        CallFailure::Refused(refused) => {
            let mut text = format!("refused by rule `{}`: {}", refused.rule, refused.reason);
            if !refused.advice.is_empty() {
                text = format!("{text}\nhint: {}", refused.advice);
            }
            let data = json!({
                "kind": failure.kind(),
                "rule": refused.rule,
                "reason": refused.reason,
                "risk": refused.risk,
                "advice": refused.advice,
                "action": refused.action,
            });
            (shortened(&text), data)
        }
        CallFailure::InvalidArguments(text)
        | CallFailure::NotFound(text)
        | CallFailure::Unknown(text)
        | CallFailure::Limit(text)
        | CallFailure::Failed(text) => {
            let text = shortened(text);
            let data = json!({ "kind": failure.kind(), "reason": text });
            (format!("{}: {text}", failure.kind().replace('_', " ")), data)
        }
    };
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = Some(data);
    result
}

#[cfg(test)]
mod tests {
    use super::super::Refused;
    use super::*;

    fn told(outcome: Result<Vec<Given>, CallFailure>) -> Value {
        serde_json::to_value(answer(outcome)).unwrap()
    }

    #[test]
    fn one_json_object_is_structured_content_as_well() {
        let told = told(Ok(vec![Given::Json(r#"{"a":1}"#.into())]));
        assert_eq!(told["structuredContent"], json!({ "a": 1 }));
        assert_eq!(told["content"][0], json!({ "type": "text", "text": r#"{"a":1}"# }));
        assert_eq!(told["isError"], false);
    }

    #[test]
    fn what_is_no_object_is_text_alone() {
        assert_eq!(told(Ok(vec![Given::Json("[1]".into())])).get("structuredContent"), None);
        let two = vec![Given::Json("{}".into()), Given::Json("{}".into())];
        assert_eq!(told(Ok(two)).get("structuredContent"), None);
    }

    #[test]
    fn bytes_are_an_image_a_sound_or_a_resource() {
        let blob = |mime: &str| Given::Blob { mime: mime.into(), bytes: vec![1, 2, 3] };
        let told = told(Ok(vec![blob("image/png"), blob("audio/wav"), blob("application/pdf")]));
        assert_eq!(told["content"][0], json!({ "type": "image", "data": "AQID", "mimeType": "image/png" }));
        assert_eq!(told["content"][1]["type"], "audio");
        let resource = json!({ "uri": "result:///2", "mimeType": "application/pdf", "blob": "AQID" });
        assert_eq!(told["content"][2], json!({ "type": "resource", "resource": resource }));
    }

    #[test]
    fn a_refusal_says_how_to_go_on() {
        let refused = Refused {
            action: "remove /etc".into(),
            rule: "delete.system".into(),
            reason: "it removes the system".into(),
            risk: 100,
            advice: "remove a file of your own".into(),
        };
        let told = told(Err(CallFailure::Refused(Box::new(refused))));
        assert_eq!(told["isError"], true);
        assert_eq!(told["structuredContent"]["kind"], "refused");
        assert_eq!(told["structuredContent"]["risk"], 100);
        assert_eq!(
            told["content"][0]["text"],
            "refused by rule `delete.system`: it removes the system\nhint: remove a file of your own"
        );
    }

    #[test]
    fn an_answer_over_the_limit_is_a_failure_that_names_it() {
        let at = vec![Given::Text("x".repeat(ANSWER_BYTES_MAX))];
        assert_eq!(told(Ok(at))["isError"], false);
        let over = vec![Given::Text("x".repeat(ANSWER_BYTES_MAX)), Given::Text("x".into())];
        let told = told(Ok(over));
        assert_eq!(told["isError"], true);
        assert_eq!(told["structuredContent"]["kind"], "limit");
    }

    #[test]
    fn a_long_failure_is_shortened() {
        let told = told(Err(CallFailure::Failed("x".repeat(FAILURE_CHARS_MAX + 1))));
        assert_eq!(told["structuredContent"]["reason"].as_str().unwrap().len(), FAILURE_CHARS_MAX);
    }
}
