//! A server's result as a tool's result: text, JSON and blobs, decoded and bounded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::Value;

use crate::mcp::message::shown;
use crate::mcp::{CallFailure, Given};

/// Parts of one result. Each costs more than its bytes.
const PARTS_MAX: usize = 256;

pub(super) fn given(result: CallToolResult, bytes_max: usize) -> Result<Vec<Given>, CallFailure> {
    if result.content.len() > PARTS_MAX {
        return Err(CallFailure::Limit(format!("the result has more than {PARTS_MAX} parts")));
    }
    let mut parts = Vec::with_capacity(result.content.len() + 1);
    if let Some(structured) = &result.structured_content {
        parts.push(Given::Json(structured.to_string()));
    }
    for block in result.content {
        match part(block)? {
            // A server says structured content once more as text, for clients that know no other.
            Given::Text(text) if is_same(&text, result.structured_content.as_ref()) => {}
            part => parts.push(part),
        }
    }
    let size = |part: &Given| match part {
        Given::Text(text) | Given::Json(text) => text.len(),
        Given::Blob { mime, bytes } => mime.len() + bytes.len(),
    };
    if parts.iter().map(size).sum::<usize>() > bytes_max {
        return Err(CallFailure::Limit(format!("the result is over `result_bytes_max`, {bytes_max} bytes")));
    }
    if result.is_error == Some(true) {
        let texts = parts.iter().filter_map(|part| match part {
            Given::Text(text) | Given::Json(text) => Some(text.as_str()),
            Given::Blob { .. } => None,
        });
        let text = texts.collect::<Vec<_>>().join("\n");
        return Err(CallFailure::Failed(if text.is_empty() {
            "the tool failed and says no more".into()
        } else {
            text
        }));
    }
    Ok(parts)
}

fn is_same(text: &str, structured: Option<&Value>) -> bool {
    let Some(structured) = structured else {
        return false;
    };
    // The official Python server puts what is no object into one, as `result`.
    let only = structured.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("result"));
    if only.and_then(Value::as_str) == Some(text) {
        return true;
    }
    serde_json::from_str::<Value>(text).is_ok_and(|value| value == *structured || Some(&value) == only)
}

fn part(block: ContentBlock) -> Result<Given, CallFailure> {
    match block {
        ContentBlock::Text(text) => Ok(Given::Text(text.text)),
        ContentBlock::Image(image) => blob(&image.mime_type, &image.data),
        ContentBlock::Audio(audio) => blob(&audio.mime_type, &audio.data),
        ContentBlock::Resource(resource) => match resource.resource {
            ResourceContents::TextResourceContents { text, .. } => Ok(Given::Text(text)),
            ResourceContents::BlobResourceContents { mime_type, blob: data, .. } => {
                blob(mime_type.as_deref().unwrap_or("application/octet-stream"), &data)
            }
            _ => Err(unknown()),
        },
        ContentBlock::ResourceLink(link) => Ok(Given::Text(link.uri)),
        _ => Err(unknown()),
    }
}

fn unknown() -> CallFailure {
    CallFailure::Failed("a part of the result is of a kind that this host does not know".into())
}

fn blob(mime: &str, data: &str) -> Result<Given, CallFailure> {
    let bytes = STANDARD
        .decode(data)
        .map_err(|error| CallFailure::Failed(format!("a part of the result is not base64: {error}")))?;
    Ok(Given::Blob { mime: shown(mime), bytes })
}

#[cfg(test)]
mod tests {
    use rmcp::model::ImageContent;
    use serde_json::json;

    use super::*;

    #[test]
    fn structured_content_is_json_and_not_its_text_once_more() {
        let mut result =
            CallToolResult::success(vec![ContentBlock::text("{ \"a\": 1 }"), ContentBlock::text("and more")]);
        result.structured_content = Some(json!({ "a": 1 }));
        let expected = vec![Given::Json("{\"a\":1}".into()), Given::Text("and more".into())];
        assert_eq!(given(result, 100), Ok(expected));
        let mut result = CallToolResult::success(vec![ContentBlock::text("hello")]);
        result.structured_content = Some(json!({ "result": "hello" }));
        assert_eq!(given(result, 100), Ok(vec![Given::Json("{\"result\":\"hello\"}".into())]));
    }

    #[test]
    fn what_is_not_base64_is_a_failure() {
        let image =
            |data: &str| CallToolResult::success(vec![ContentBlock::Image(ImageContent::new(data, "image/png"))]);
        let expected = vec![Given::Blob { mime: "image/png".into(), bytes: vec![1, 2, 3] }];
        assert_eq!(given(image("AQID"), 100), Ok(expected));
        assert!(matches!(given(image("A"), 100), Err(CallFailure::Failed(_))));
    }

    #[test]
    fn a_result_ends_at_its_bytes_and_at_its_parts() {
        let text = |bytes: usize| CallToolResult::success(vec![ContentBlock::text("x".repeat(bytes))]);
        assert!(given(text(100), 100).is_ok());
        assert!(matches!(given(text(101), 100), Err(CallFailure::Limit(_))));
        let many = |parts: usize| CallToolResult::success(vec![ContentBlock::text(""); parts]);
        assert!(given(many(PARTS_MAX), 100).is_ok());
        assert!(matches!(given(many(PARTS_MAX + 1), 100), Err(CallFailure::Limit(_))));
    }

    #[test]
    fn an_error_of_a_tool_is_a_failure_with_its_text() {
        let result = CallToolResult::error(vec![ContentBlock::text("no such file")]);
        assert_eq!(given(result, 100), Err(CallFailure::Failed("no such file".into())));
    }
}
