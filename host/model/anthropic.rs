//! Anthropic's Messages, streamed.
//!
//! Tools, system prompt and the last thing that the user said are marked for the prompt cache: each request of a
//! session then reads what the one before wrote. Thinking goes back as it came, with its signature.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assembly::{Assembly, Fault, Listener, Slot};
use super::conversation::{Conversation, NO_RESULT, Piece};
use super::frame::{Frame, Framer};
use super::protocol::{Answer, Protocol, Reader, Settings, is_told_budget, json, object, thinking_budget, unfinished};
use super::refusal;
use super::sse::Sse;
use super::types::{Part, Request, Role, Stop, Usage};
use crate::config::{Effort, ModelConfig, Thinking};

pub(super) const VERSION: &str = "2023-06-01";
/// The protocol demands a number: one that all its models since 3.7 take.
const OUTPUT_TOKENS: u32 = 16_384;

pub(super) struct Anthropic {
    settings: Settings,
    thinking: Thinking,
    is_caching: bool,
}

impl Anthropic {
    pub(super) fn new(config: &ModelConfig) -> Self {
        let by_name = if is_told_budget(&config.model) { Thinking::Budget } else { Thinking::Adaptive };
        Self {
            settings: Settings::of(config),
            thinking: config.thinking.unwrap_or(by_name),
            is_caching: config.prompt_cache.unwrap_or(true),
        }
    }

    fn thinking(&self, request: &Request, conversation: &Conversation<'_>, output: u32) -> Option<ThinkingBody> {
        let effort = self.settings.effort(request)?;
        if self.thinking == Thinking::Adaptive {
            return Some(ThinkingBody::Adaptive { display: "summarized" });
        }
        if !conversation.may_think_by_budget() {
            return None;
        }
        thinking_budget(effort, output).map(|budget_tokens| ThinkingBody::Enabled { budget_tokens })
    }
}

impl Protocol for Anthropic {
    fn body(&self, request: &Request, conversation: &Conversation<'_>) -> Result<Vec<u8>, serde_json::Error> {
        let mark = self.is_caching.then_some(CacheControl { kind: "ephemeral" });
        let max_tokens = self.settings.output_tokens(request).unwrap_or(OUTPUT_TOKENS);
        let thinking = self.thinking(request, conversation, max_tokens);
        let effort = self.settings.effort(request).filter(|_| self.thinking == Thinking::Adaptive);
        let mut messages: Vec<MessageBody<'_>> = conversation.turns.iter().filter_map(message).collect();
        if let Some(said) = messages.iter_mut().rev().find(|message| message.role == Role::User)
            && let Some(
                Block::Text { cache_control, .. }
                | Block::Image { cache_control, .. }
                | Block::ToolResult { cache_control, .. },
            ) = said.content.last_mut()
        {
            *cache_control = mark;
        }
        let last = request.tools.len().saturating_sub(1);
        let tools = request.tools.iter().enumerate().map(|(index, tool)| ToolBody {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.schema,
            cache_control: mark.filter(|_| index == last),
        });
        let system =
            (!request.system.trim().is_empty()).then(|| [Block::Text { text: &request.system, cache_control: mark }]);
        serde_json::to_vec(&Body {
            model: &self.settings.model,
            max_tokens,
            stream: true,
            system,
            tools: tools.collect(),
            messages,
            thinking,
            output_config: effort.map(|effort| OutputConfig {
                effort: match effort {
                    Effort::Off | Effort::Minimal | Effort::Low => "low",
                    Effort::Medium => "medium",
                    Effort::High => "high",
                },
            }),
        })
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn framer(&self) -> Box<dyn Framer> {
        Box::new(Sse::default())
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Messages::default())
    }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[Block<'a>; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    messages: Vec<MessageBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig>,
}

#[derive(Clone, Copy, Serialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct ToolBody<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ThinkingBody {
    Enabled { budget_tokens: u32 },
    Adaptive { display: &'static str },
}

#[derive(Serialize)]
struct OutputConfig {
    effort: &'static str,
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: Role,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Value,
    },
    ToolResult {
        tool_use_id: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "base64")]
struct Source<'a> {
    media_type: &'a str,
    data: &'a str,
}

/// None where nothing is left of it for this provider: thoughts of another.
fn message<'a>(turn: &'a super::conversation::Turn<'a>) -> Option<MessageBody<'a>> {
    let content: Vec<Block<'a>> = turn.pieces.iter().filter_map(block).collect();
    (!content.is_empty()).then_some(MessageBody { role: turn.role, content })
}

fn block<'a>(piece: &'a Piece<'a>) -> Option<Block<'a>> {
    Some(match piece {
        Piece::Text(text) => Block::Text { text, cache_control: None },
        Piece::Image { mime, data } => image(mime, data),
        Piece::Call { id, name, arguments } => Block::ToolUse { id, name, input: object(arguments) },
        Piece::Result { id, content, is_error } => Block::ToolResult {
            tool_use_id: id,
            content: content.iter().filter_map(inside).collect(),
            is_error: *is_error,
            cache_control: None,
        },
        Piece::NoResult { id } => Block::ToolResult {
            tool_use_id: id,
            content: vec![Block::Text { text: NO_RESULT, cache_control: None }],
            is_error: true,
            cache_control: None,
        },
        Piece::Reasoning { redacted: Some(data), .. } => Block::RedactedThinking { data },
        Piece::Reasoning { text, signature: Some(signature), .. } => Block::Thinking { thinking: text, signature },
        // Of another provider: without a signature it would be refused.
        Piece::Reasoning { .. } => return None,
    })
}

fn inside(part: &Part) -> Option<Block<'_>> {
    match part {
        // An empty block is refused.
        Part::Text { text } if text.trim().is_empty() => None,
        Part::Text { text } => Some(Block::Text { text, cache_control: None }),
        Part::Image { mime, data } => Some(image(mime, data)),
        _ => None,
    }
}

fn image<'a>(media_type: &'a str, data: &'a str) -> Block<'a> {
    Block::Image { source: Source { media_type, data }, cache_control: None }
}

#[derive(Default)]
struct Messages {
    assembly: Assembly,
    /// The block of a kind that is not known.
    unknown: Option<u64>,
    stop: Option<Stop>,
    usage: Usage,
    model: String,
}

impl Reader for Messages {
    fn read(&mut self, frame: &Frame<'_>, on: Listener<'_>) -> Result<bool, Fault> {
        match json::<Event>(frame)? {
            Event::MessageStart { message } => {
                self.model = message.model;
                self.count(&message.usage);
            }
            Event::ContentBlockStart { index, content_block } => {
                let slot = Slot::Block(index);
                match content_block {
                    StartedBlock::Text { text } => self.assembly.text(slot, &text, on)?,
                    StartedBlock::Thinking { thinking, signature } => {
                        self.assembly.reasoning(slot, &thinking, on)?;
                        if !signature.is_empty() {
                            self.assembly.signature(slot, &signature)?;
                        }
                    }
                    StartedBlock::RedactedThinking { data } => self.assembly.redacted(slot, &data)?,
                    StartedBlock::ToolUse { id, name, input } => {
                        self.assembly.call(slot, &id, &name, on)?;
                        // Mostly an empty object, which the pieces then fill; some servers send it whole.
                        if input.as_object().is_some_and(|input| !input.is_empty()) {
                            self.assembly.arguments(slot, &input.to_string())?;
                        }
                    }
                    StartedBlock::Other => self.unknown = Some(index),
                }
            }
            // What belongs to a kind of block that is not known is not known either.
            Event::ContentBlockDelta { index, .. } if self.unknown == Some(index) => {}
            Event::ContentBlockDelta { index, delta } => {
                let slot = Slot::Block(index);
                match delta {
                    BlockDelta::TextDelta { text } => self.assembly.text(slot, &text, on)?,
                    BlockDelta::ThinkingDelta { thinking } => self.assembly.reasoning(slot, &thinking, on)?,
                    BlockDelta::SignatureDelta { signature } => self.assembly.signature(slot, &signature)?,
                    BlockDelta::InputJsonDelta { partial_json } => self.assembly.arguments(slot, &partial_json)?,
                    BlockDelta::Other => {}
                }
            }
            Event::MessageDelta { delta, usage } => {
                if let Some(reason) = delta.stop_reason {
                    self.stop = Some(match reason.as_str() {
                        "end_turn" | "stop_sequence" => Stop::End,
                        "tool_use" => Stop::ToolCalls,
                        "max_tokens" | "model_context_window_exceeded" => Stop::MaxTokens,
                        "refusal" => Stop::Refusal,
                        _ => Stop::Other,
                    });
                }
                if let Some(usage) = usage {
                    self.count(&usage);
                }
            }
            Event::MessageStop => return Ok(true),
            Event::Error { error } => {
                let kind = refusal::kind(&error);
                let (_, said) = refusal::parsed(frame.data);
                return Err(Fault::Reported { status: Some(refusal::status_of(&kind)), kind, said });
            }
            Event::Other => {}
        }
        Ok(false)
    }

    fn finish(&mut self, conversation: &Conversation<'_>) -> Result<Answer, Fault> {
        let stop = self.stop.ok_or_else(unfinished)?;
        let message = self.assembly.message(conversation)?;
        Ok(Answer::of(message, stop, self.usage, std::mem::take(&mut self.model)))
    }
}

impl Messages {
    /// What is told later replaces what was told before: it counts all of the message.
    fn count(&mut self, told: &UsageBody) {
        let set = |field: &mut u64, told: Option<u64>| *field = told.unwrap_or(*field);
        set(&mut self.usage.input, told.input_tokens);
        set(&mut self.usage.output, told.output_tokens);
        set(&mut self.usage.cache_read, told.cache_read_input_tokens);
        set(&mut self.usage.cache_write, told.cache_creation_input_tokens);
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Started,
    },
    ContentBlockStart {
        index: u64,
        content_block: StartedBlock,
    },
    ContentBlockDelta {
        index: u64,
        delta: BlockDelta,
    },
    MessageDelta {
        delta: Ended,
        #[serde(default)]
        usage: Option<UsageBody>,
    },
    MessageStop,
    Error {
        #[serde(default)]
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Started {
    #[serde(default)]
    model: String,
    #[serde(default)]
    usage: UsageBody,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StartedBlock {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        #[serde(default)]
        id: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockDelta {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Ended {
    #[serde(default)]
    stop_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct UsageBody {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
}
