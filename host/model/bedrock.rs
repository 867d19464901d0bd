//! Amazon Bedrock's `ConverseStream`, without the SDK of AWS, which takes minutes to build.
//!
//! A request is plain HTTPS, with a bearer token or signed by Signature Version 4; the answer comes in binary frames.
//! Only models of Anthropic and Amazon's Nova know marks for the prompt cache, and others refuse them.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::assembly::{Assembly, Fault, Listener, Slot};
use super::conversation::{Conversation, NO_RESULT, Piece, Turn};
use super::eventstream::EventStream;
use super::frame::{Frame, Framer};
use super::key::Key;
use super::protocol::{Answer, Protocol, Reader, Settings, is_told_budget, object, thinking_budget, unfinished};
use super::refusal;
use super::types::{Part, Request, Role, Stop, Usage};
use crate::clock;
use crate::config::{Effort, ModelConfig, Thinking};

const OUTPUT_TOKENS: u32 = 16_384;

pub(super) struct Bedrock {
    settings: Settings,
    thinking: Thinking,
    is_caching: bool,
    is_claude: bool,
}

/// Credentials of AWS.
#[derive(Clone, Debug)]
pub(super) struct AwsKeys {
    pub(super) access_key_id: String,
    pub(super) secret: Key,
    pub(super) session_token: Option<Key>,
    pub(super) region: String,
}

impl AwsKeys {
    /// The headers of a request, signed as of now. Errors have no text: the signer's own may quote the request.
    pub(super) fn sign(&self, url: &str, host: &str, body: &[u8], headers: &mut HeaderMap) -> Result<(), &'static str> {
        const FAILED: &str = "the request could not be signed";
        let token = self.session_token.as_ref().map(|token| token.exposed().to_owned());
        let credentials = Credentials::new(&self.access_key_id, self.secret.exposed(), token, None, "pi-host");
        let identity = credentials.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("bedrock")
            .time(UNIX_EPOCH + Duration::from_millis(clock::now_ms()))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| FAILED)?
            .into();
        let signed = [("host", host), ("content-type", "application/json")];
        let request = SignableRequest::new("POST", url, signed.into_iter(), SignableBody::Bytes(body));
        let (instructions, _) = sign(request.map_err(|_| FAILED)?, &params).map_err(|_| FAILED)?.into_parts();
        let (added, _) = instructions.into_parts();
        for header in added {
            let mut value = HeaderValue::from_str(header.value()).map_err(|_| FAILED)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(header.name()), value);
        }
        Ok(())
    }
}

/// The path of a model, whose name may hold `:` and `/`.
pub(super) fn path(model: &str) -> String {
    let mut name = String::with_capacity(model.len());
    for byte in model.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') => name.push(char::from(b)),
            b => name.push_str(&format!("%{b:02X}")),
        }
    }
    format!("model/{name}/converse-stream")
}

impl Bedrock {
    pub(super) fn new(config: &ModelConfig) -> Self {
        let is_claude = config.model.contains("anthropic") || config.model.contains("claude");
        let by_name = if is_told_budget(&config.model) { Thinking::Budget } else { Thinking::Adaptive };
        Self {
            settings: Settings::of(config),
            thinking: config.thinking.unwrap_or(by_name),
            is_caching: config.prompt_cache.unwrap_or(is_claude || config.model.contains("nova")),
            is_claude,
        }
    }

    fn additional(&self, request: &Request, conversation: &Conversation<'_>, output: u32) -> Option<Value> {
        let effort = self.settings.effort(request).filter(|_| self.is_claude)?;
        if self.thinking == Thinking::Adaptive {
            let effort = match effort {
                Effort::Off | Effort::Minimal | Effort::Low => "low",
                Effort::Medium => "medium",
                Effort::High => "high",
            };
            return Some(json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": effort } }));
        }
        if !conversation.may_think_by_budget() {
            return None;
        }
        let budget = thinking_budget(effort, output)?;
        Some(json!({ "thinking": { "type": "enabled", "budget_tokens": budget } }))
    }
}

impl Protocol for Bedrock {
    fn body(&self, request: &Request, conversation: &Conversation<'_>) -> Result<Vec<u8>, serde_json::Error> {
        let max_tokens = self.settings.output_tokens(request).unwrap_or(OUTPUT_TOKENS);
        let mut messages: Vec<MessageBody<'_>> = conversation.turns.iter().filter_map(message).collect();
        // Roles must alternate, also where a turn held nothing but the thoughts of another provider.
        messages.dedup_by(|next, message| {
            let is_same = next.role == message.role;
            if is_same {
                message.content.append(&mut next.content);
            }
            is_same
        });
        if self.is_caching
            && let Some(said) = messages.iter_mut().rev().find(|message| message.role == Role::User)
        {
            said.content.push(MARK);
        }
        let mut system = Vec::new();
        if !request.system.trim().is_empty() {
            system.push(Block::Text(&request.system));
            system.extend(self.is_caching.then_some(MARK));
        }
        let tools = request.tools.iter().map(|tool| {
            ToolBody::ToolSpec(ToolSpec {
                name: &tool.name,
                description: &tool.description,
                input_schema: Schema { json: &tool.schema },
            })
        });
        let mark = self.is_caching.then_some(ToolBody::CachePoint(CachePoint { kind: "default" }));
        let tool_config = (!request.tools.is_empty()).then(|| ToolConfig { tools: tools.chain(mark).collect() });
        serde_json::to_vec(&Body {
            system,
            tool_config,
            messages,
            inference_config: InferenceConfig { max_tokens },
            additional_model_request_fields: self.additional(request, conversation, max_tokens),
        })
    }

    fn stream_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn framer(&self) -> Box<dyn Framer> {
        Box::new(EventStream::default())
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Converse { model: self.settings.model.clone(), ..Converse::default() })
    }
}

const MARK: Block<'_> = Block::CachePoint(CachePoint { kind: "default" });

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    messages: Vec<MessageBody<'a>>,
    inference_config: InferenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    max_tokens: u32,
}

#[derive(Serialize)]
struct ToolConfig<'a> {
    tools: Vec<ToolBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum ToolBody<'a> {
    ToolSpec(ToolSpec<'a>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolSpec<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    json: &'a Value,
}

#[derive(Serialize)]
struct CachePoint {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: Role,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Block<'a> {
    Text(&'a str),
    Image(ImageBody<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    ReasoningContent(Reasoning<'a>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
struct ImageBody<'a> {
    format: &'a str,
    source: Bytes<'a>,
}

#[derive(Serialize)]
struct Bytes<'a> {
    bytes: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    tool_use_id: &'a str,
    name: &'a str,
    input: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult<'a> {
    tool_use_id: &'a str,
    content: Vec<Block<'a>>,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Reasoning<'a> {
    ReasoningText { text: &'a str, signature: &'a str },
    RedactedContent(&'a str),
}

fn message<'a>(turn: &'a Turn<'a>) -> Option<MessageBody<'a>> {
    let content: Vec<Block<'a>> = turn.pieces.iter().filter_map(block).collect();
    (!content.is_empty()).then_some(MessageBody { role: turn.role, content })
}

fn block<'a>(piece: &'a Piece<'a>) -> Option<Block<'a>> {
    let result = |id, content: Vec<Block<'a>>, is_error| {
        // An empty list is refused.
        let content = if content.is_empty() { vec![Block::Text("(no output)")] } else { content };
        Block::ToolResult(ToolResult { tool_use_id: id, content, status: if is_error { "error" } else { "success" } })
    };
    Some(match piece {
        Piece::Text(text) => Block::Text(text),
        Piece::Image { mime, data } => image(mime, data),
        Piece::Call { id, name, arguments } => {
            Block::ToolUse(ToolUse { tool_use_id: id, name, input: object(arguments) })
        }
        Piece::Result { id, content, is_error } => result(id, content.iter().filter_map(inside).collect(), *is_error),
        Piece::NoResult { id } => result(id, vec![Block::Text(NO_RESULT)], true),
        Piece::Reasoning { redacted: Some(data), .. } => Block::ReasoningContent(Reasoning::RedactedContent(data)),
        Piece::Reasoning { text, signature: Some(signature), .. } => {
            Block::ReasoningContent(Reasoning::ReasoningText { text, signature })
        }
        Piece::Reasoning { .. } => return None,
    })
}

fn inside(part: &Part) -> Option<Block<'_>> {
    match part {
        Part::Text { text } if text.trim().is_empty() => None,
        Part::Text { text } => Some(Block::Text(text)),
        Part::Image { mime, data } => Some(image(mime, data)),
        _ => None,
    }
}

fn image<'a>(mime: &'a str, bytes: &'a str) -> Block<'a> {
    Block::Image(ImageBody { format: mime.strip_prefix("image/").unwrap_or(mime), source: Bytes { bytes } })
}

#[derive(Default)]
struct Converse {
    assembly: Assembly,
    stop: Option<Stop>,
    usage: Usage,
    model: String,
}

impl Reader for Converse {
    fn read(&mut self, frame: &Frame<'_>, on: Listener<'_>) -> Result<bool, Fault> {
        if frame.is_exception {
            let (_, said) = refusal::parsed(frame.data);
            let kind = frame.name.to_owned();
            return Err(Fault::Reported { status: Some(refusal::status_of(&kind)), kind, said });
        }
        match frame.name {
            "contentBlockStart" => {
                let event: BlockStart = super::protocol::json(frame)?;
                if let Some(call) = event.start.tool_use {
                    self.assembly.call(Slot::Block(event.content_block_index), &call.tool_use_id, &call.name, on)?;
                }
            }
            "contentBlockDelta" => {
                let event: BlockDelta = super::protocol::json(frame)?;
                let (slot, delta) = (Slot::Block(event.content_block_index), event.delta);
                if let Some(text) = delta.text {
                    self.assembly.text(slot, &text, on)?;
                }
                if let Some(call) = delta.tool_use {
                    self.assembly.arguments(slot, &call.input)?;
                }
                if let Some(reasoning) = delta.reasoning_content {
                    if let Some(text) = reasoning.text {
                        self.assembly.reasoning(slot, &text, on)?;
                    }
                    if let Some(signature) = reasoning.signature {
                        self.assembly.signature(slot, &signature)?;
                    }
                    if let Some(redacted) = reasoning.redacted_content {
                        self.assembly.redacted(slot, &redacted)?;
                    }
                }
            }
            "messageStop" => {
                let event: MessageStop = super::protocol::json(frame)?;
                self.stop = Some(match event.stop_reason.as_str() {
                    "end_turn" | "stop_sequence" => Stop::End,
                    "tool_use" => Stop::ToolCalls,
                    "max_tokens" | "model_context_window_exceeded" => Stop::MaxTokens,
                    "guardrail_intervened" | "content_filtered" => Stop::Refusal,
                    _ => Stop::Other,
                });
            }
            "metadata" => {
                let event: Metadata = super::protocol::json(frame)?;
                self.usage = Usage {
                    input: event.usage.input_tokens,
                    output: event.usage.output_tokens,
                    cache_read: event.usage.cache_read_input_tokens,
                    cache_write: event.usage.cache_write_input_tokens,
                };
                return Ok(self.stop.is_some());
            }
            _ => {}
        }
        Ok(false)
    }

    fn finish(&mut self, conversation: &Conversation<'_>) -> Result<Answer, Fault> {
        let stop = self.stop.ok_or_else(unfinished)?;
        let message = self.assembly.message(conversation)?;
        Ok(Answer::of(message, stop, self.usage, std::mem::take(&mut self.model)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart {
    content_block_index: u64,
    #[serde(default)]
    start: Start,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    tool_use: Option<StartedCall>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartedCall {
    #[serde(default)]
    tool_use_id: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta {
    content_block_index: u64,
    delta: DeltaBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeltaBody {
    text: Option<String>,
    tool_use: Option<CallInput>,
    reasoning_content: Option<ReasoningDelta>,
}

#[derive(Deserialize)]
struct CallInput {
    #[serde(default)]
    input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningDelta {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    usage: UsageBody,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UsageBody {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_write_input_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_holds_the_models_name_whatever_is_in_it() {
        assert_eq!(path("anthropic.claude-v1:0"), "model/anthropic.claude-v1%3A0/converse-stream");
        assert_eq!(path("arn:aws:bedrock:x/y"), "model/arn%3Aaws%3Abedrock%3Ax%2Fy/converse-stream");
        assert_eq!(path("../../other?x=é"), "model/..%2F..%2Fother%3Fx%3D%C3%A9/converse-stream");
    }
}
