//! What a question and its answer come to in tokens, where the server does not say: without it a budget would never end.
//!
//! It is a guess from the bytes of the texts, and `Completion::is_estimated` says so. The same measure as the agents'
//! own (`plugins/agent`), which makes room before a window is full.

use super::types::{Message, Part, Request, Usage};

/// Bytes of text that are taken for one token, in tenths: code and JSON have fewer than prose.
const BYTES_PER_TOKEN_TENTHS: usize = 33;
/// What a picture costs at most with the models there are.
const IMAGE_TOKENS: u64 = 1_600;
/// Of a message besides its texts.
const MESSAGE_TOKENS: u64 = 8;

pub(super) fn estimate(request: &Request, answer: &Message) -> Usage {
    let tool = |tool: &super::types::ToolSchema| {
        of_bytes(tool.name.len() + tool.description.len() + tool.schema.to_string().len())
    };
    let input = of_bytes(request.system.len())
        + request.tools.iter().map(tool).sum::<u64>()
        + request.messages.iter().map(of_message).sum::<u64>();
    Usage { input, output: of_message(answer), ..Usage::default() }
}

fn of_message(message: &Message) -> u64 {
    MESSAGE_TOKENS + message.parts.iter().map(of_part).sum::<u64>()
}

fn of_part(part: &Part) -> u64 {
    match part {
        Part::Text { text } | Part::Reasoning { text, .. } => of_bytes(text.len()),
        Part::Image { .. } => IMAGE_TOKENS,
        Part::ToolCall { name, arguments, .. } => of_bytes(name.len() + arguments.len()),
        Part::ToolResult { content, .. } => content.iter().map(of_part).sum(),
    }
}

fn of_bytes(bytes: usize) -> u64 {
    u64::try_from(bytes.saturating_mul(10).div_ceil(BYTES_PER_TOKEN_TENTHS)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_counts_and_a_picture_by_itself() {
        let picture = Part::Image { mime: "image/png".into(), data: "x".repeat(1 << 20) };
        let result = Part::ToolResult { id: "1".into(), content: vec![picture], is_error: false };
        let user = Message { parts: vec![Part::Text { text: "a".repeat(330) }, result], ..Message::user("") };
        let request = Request { system: "b".repeat(33), messages: vec![user], ..Request::default() };
        let usage = estimate(&request, &Message::assistant("c".repeat(66)));
        assert_eq!(usage, Usage { input: 10 + 8 + 100 + 1_600, output: 8 + 20, ..Usage::default() });
    }
}
