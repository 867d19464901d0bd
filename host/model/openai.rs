//! Chat completions as OpenAI defined them and many servers speak them, streamed.
//!
//! Servers differ: some tell no usage, send arguments as objects, number all parallel calls 0, give no ids, or end
//! without saying so. What can be understood is; prompts are cached without being asked. Tools answer with texts alone,
//! so the images of results follow in a message of the user.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::assembly::{Assembly, Fault, Listener, Slot};
use super::conversation::{Conversation, NO_RESULT, Piece, Turn};
use super::frame::{Frame, Framer};
use super::protocol::{Answer, Protocol, Reader, Settings, json, unfinished};
use super::refusal;
use super::sse::Sse;
use super::types::{Part, Request, Role, Stop, Usage};
use crate::config::{Effort, ModelConfig, OPENAI_URL, OutputField};

pub(super) struct Openai {
    settings: Settings,
    output_field: OutputField,
    is_reasoning_back: bool,
}

impl Openai {
    pub(super) fn new(config: &ModelConfig) -> Self {
        let is_openai = config.url().is_some_and(|url| url.trim_end_matches('/') == OPENAI_URL);
        let by_url = if is_openai { OutputField::MaxCompletionTokens } else { OutputField::MaxTokens };
        Self {
            settings: Settings::of(config),
            output_field: config.output_field.unwrap_or(by_url),
            is_reasoning_back: config.reasoning_back,
        }
    }

    fn turn<'a>(&self, turn: &'a Turn<'a>, messages: &mut Vec<MessageBody<'a>>) {
        match turn.role {
            Role::Assistant => messages.extend(self.assistant(turn)),
            Role::User => user(turn, messages),
        }
    }

    fn assistant<'a>(&self, turn: &'a Turn<'a>) -> Option<MessageBody<'a>> {
        let (mut texts, mut thoughts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
        for piece in &turn.pieces {
            match piece {
                Piece::Text(text) => texts.push(*text),
                Piece::Reasoning { text, .. } if self.is_reasoning_back && !text.is_empty() => thoughts.push(*text),
                Piece::Call { id, name, arguments } => {
                    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
                    calls.push(CallBody { id, kind: "function", function: FunctionBody { name, arguments } });
                }
                _ => {}
            }
        }
        if texts.is_empty() && calls.is_empty() {
            return None;
        }
        Some(MessageBody {
            role: "assistant",
            content: (!texts.is_empty()).then_some(Content::Text(texts)),
            reasoning_content: (!thoughts.is_empty()).then_some(Joined(thoughts)),
            tool_calls: calls,
            tool_call_id: None,
        })
    }
}

impl Protocol for Openai {
    fn body(&self, request: &Request, conversation: &Conversation<'_>) -> Result<Vec<u8>, serde_json::Error> {
        let mut messages = Vec::with_capacity(conversation.turns.len() + 1);
        if !request.system.trim().is_empty() {
            messages.push(MessageBody::new("system", Content::Text(vec![&request.system])));
        }
        for turn in &conversation.turns {
            self.turn(turn, &mut messages);
        }
        let tools = request.tools.iter().map(|tool| ToolBody {
            kind: "function",
            function: DeclaredFunction { name: &tool.name, description: &tool.description, parameters: &tool.schema },
        });
        let output = self.settings.output_tokens(request);
        serde_json::to_vec(&Body {
            model: &self.settings.model,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            max_tokens: output.filter(|_| self.output_field == OutputField::MaxTokens),
            max_completion_tokens: output.filter(|_| self.output_field == OutputField::MaxCompletionTokens),
            reasoning_effort: self.settings.effort(request),
            tools: tools.collect(),
            messages,
        })
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn framer(&self) -> Box<dyn Framer> {
        Box::new(Sse::default())
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Chunks::default())
    }
}

fn user<'a>(turn: &'a Turn<'a>, messages: &mut Vec<MessageBody<'a>>) {
    let mut content = Vec::new();
    for piece in &turn.pieces {
        match piece {
            Piece::Result { id, content: parts, .. } => {
                let texts: Vec<&str> = parts.iter().filter_map(text_of).collect();
                let images = parts.iter().filter_map(image_of);
                let before = content.len();
                content.extend(images);
                let texts = match (texts.is_empty(), content.len() > before) {
                    (false, _) => texts,
                    (true, false) => vec!["(no output)"],
                    (true, true) => vec!["(its images follow)"],
                };
                messages.push(MessageBody::result(id, Content::Text(texts)));
            }
            Piece::NoResult { id } => messages.push(MessageBody::result(id, Content::Text(vec![NO_RESULT]))),
            Piece::Text(text) => content.push(ContentPart::Text { text }),
            Piece::Image { mime, data } => content.push(image(mime, data)),
            Piece::Call { .. } | Piece::Reasoning { .. } => {}
        }
    }
    if content.is_empty() {
        return;
    }
    // Many servers that see no images take nothing but a text here.
    let texts = content.iter().map(|part| match part {
        ContentPart::Text { text } => Some(*text),
        ContentPart::ImageUrl { .. } => None,
    });
    let only: Option<Vec<&str>> = texts.collect();
    let content = match only.as_deref() {
        Some([text]) => Content::Text(vec![text]),
        _ => Content::Parts(content),
    };
    messages.push(MessageBody::new("user", content));
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text { text } if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn image_of(part: &Part) -> Option<ContentPart<'_>> {
    match part {
        Part::Image { mime, data } => Some(image(mime, data)),
        _ => None,
    }
}

fn image<'a>(mime: &'a str, data: &'a str) -> ContentPart<'a> {
    ContentPart::ImageUrl { image_url: ImageUrl { url: DataUrl { mime, data } } }
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Effort>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolBody<'a>>,
    messages: Vec<MessageBody<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct ToolBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: DeclaredFunction<'a>,
}

#[derive(Serialize)]
struct DeclaredFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    parameters: &'a Value,
}

#[derive(Serialize)]
struct MessageBody<'a> {
    role: &'static str,
    /// Null beside calls.
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Joined<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl<'a> MessageBody<'a> {
    fn new(role: &'static str, content: Content<'a>) -> Self {
        Self { role, content: Some(content), reasoning_content: None, tool_calls: Vec::new(), tool_call_id: None }
    }

    fn result(id: &'a str, content: Content<'a>) -> Self {
        Self { tool_call_id: Some(id), ..Self::new("tool", content) }
    }
}

enum Content<'a> {
    Text(Vec<&'a str>),
    Parts(Vec<ContentPart<'a>>),
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Text(texts) => joined(texts, serializer),
            Content::Parts(parts) => parts.serialize(serializer),
        }
    }
}

struct Joined<'a>(Vec<&'a str>);

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        joined(&self.0, serializer)
    }
}

/// Mostly there is one, which is not copied.
fn joined<S: Serializer>(texts: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    match texts {
        [text] => serializer.serialize_str(text),
        texts => serializer.serialize_str(&texts.join("\n")),
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: DataUrl<'a>,
}

struct DataUrl<'a> {
    mime: &'a str,
    data: &'a str,
}

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("data:{};base64,{}", self.mime, self.data))
    }
}

#[derive(Serialize)]
struct CallBody<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: FunctionBody<'a>,
}

#[derive(Serialize)]
struct FunctionBody<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Default)]
struct Chunks {
    assembly: Assembly,
    /// The call that each index of the server stands for now, and how many there are.
    open: Vec<(u64, Slot)>,
    calls: u64,
    stop: Option<Stop>,
    is_done: bool,
    usage: Usage,
    model: String,
}

impl Reader for Chunks {
    fn read(&mut self, frame: &Frame<'_>, on: Listener<'_>) -> Result<bool, Fault> {
        if frame.data.trim_ascii() == b"[DONE]" {
            self.is_done = true;
            return Ok(true);
        }
        if frame.data.trim_ascii().is_empty() {
            return Ok(false);
        }
        let chunk: Chunk = json(frame)?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let (kind, said) = refusal::parsed(frame.data);
            let number = error.get("code").or_else(|| error.get("status")).and_then(Value::as_u64);
            let status = number.and_then(|number| u16::try_from(number).ok()).filter(|s| (400..=599).contains(s));
            let status = status.unwrap_or_else(|| refusal::status_of(&kind));
            return Err(Fault::Reported { status: Some(status), kind, said });
        }
        if self.model.is_empty() {
            self.model = chunk.model.unwrap_or_default();
        }
        if let Some(usage) = chunk.usage {
            self.usage = usage.counted();
        }
        // Several answers are never asked for; the first is the one.
        for choice in chunk.choices.into_iter().flatten().filter(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(delta) = choice.delta.or(choice.message) {
                self.delta(delta, on)?;
            }
            if let Some(reason) = choice.finish_reason {
                self.stop = Some(match reason.as_str() {
                    "stop" | "eos" | "end_turn" => Stop::End,
                    "tool_calls" | "function_call" => Stop::ToolCalls,
                    "length" | "max_tokens" => Stop::MaxTokens,
                    "content_filter" | "refusal" => Stop::Refusal,
                    _ => Stop::Other,
                });
            }
        }
        Ok(false)
    }

    fn finish(&mut self, conversation: &Conversation<'_>) -> Result<Answer, Fault> {
        let stop = match (self.stop, self.is_done) {
            (Some(stop), _) => stop,
            // It says that it is done, and not why.
            (None, true) if !self.assembly.is_empty() => Stop::End,
            (None, _) => return Err(unfinished()),
        };
        let message = self.assembly.message(conversation)?;
        Ok(Answer::of(message, stop, self.usage, std::mem::take(&mut self.model)))
    }
}

impl Chunks {
    fn delta(&mut self, delta: ChunkDelta, on: Listener<'_>) -> Result<(), Fault> {
        // Some servers send both, with the same text.
        if let Some(thought) = [delta.reasoning_content, delta.reasoning].into_iter().flatten().find(|t| !t.is_empty())
        {
            self.assembly.reasoning(Slot::Reasoning, &thought, on)?;
        }
        match delta.content {
            Some(Value::String(text)) => self.assembly.text(Slot::Text, &text, on)?,
            Some(Value::Array(parts)) => {
                for text in parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)) {
                    self.assembly.text(Slot::Text, text, on)?;
                }
            }
            Some(Value::Null) | None => {}
            Some(_) => return Err(Fault::Broken("its `content` is neither a text nor parts".into())),
        }
        if let Some(refusal) = delta.refusal.filter(|text| !text.is_empty()) {
            self.assembly.text(Slot::Text, &refusal, on)?;
            self.stop = Some(Stop::Refusal);
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call, on)?;
        }
        Ok(())
    }

    fn call(&mut self, call: CallDelta, on: Listener<'_>) -> Result<(), Fault> {
        let (id, function) = (call.id.unwrap_or_default(), call.function.unwrap_or_default());
        let name = function.name.unwrap_or_default();
        let slot = self.slot(call.index, &id, &name, on)?;
        match function.arguments {
            Some(Value::String(piece)) => self.assembly.arguments(slot, &piece),
            Some(Value::Null) | None => Ok(()),
            Some(other) => self.assembly.arguments(slot, &other.to_string()),
        }
    }

    /// The call that a piece belongs to, which may begin with it.
    fn slot(&mut self, index: Option<u64>, id: &str, name: &str, on: Listener<'_>) -> Result<Slot, Fault> {
        let open = match index {
            Some(index) => self.open.iter().rev().find(|(other, _)| *other == index).map(|(_, slot)| *slot),
            // Without an index a piece that names a call begins one, others belong to the last.
            None if !id.is_empty() || !name.is_empty() => {
                let same = self.open.iter().rev().map(|(_, slot)| *slot);
                same.into_iter()
                    .find(|slot| !id.is_empty() && self.assembly.call_at(*slot).is_some_and(|(other, _)| other == id))
            }
            None => self.open.last().map(|(_, slot)| *slot),
        };
        if let Some(slot) = open
            && let Some((known_id, known_name)) = self.assembly.call_at(slot)
        {
            let is_other = !id.is_empty() && !known_id.is_empty() && known_id != id;
            if !is_other {
                if known_id.is_empty() {
                    id.clone_into(known_id);
                }
                if known_name.is_empty() && !name.is_empty() {
                    name.clone_into(known_name);
                    on(super::types::Delta::ToolCall { name: name.to_owned() });
                }
                return Ok(slot);
            }
            if name.is_empty() {
                return Err(Fault::Calls("one index stands for two ids".into()));
            }
            // Another call at the same index: there are servers that number all of them 0.
        }
        let slot = Slot::Call(self.calls);
        self.calls += 1;
        self.assembly.call(slot, id, name, on)?;
        self.open.push((index.unwrap_or(u64::MAX), slot));
        Ok(slot)
    }
}

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<UsageBody>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<ChunkDelta>,
    /// Some servers send the whole answer in one event.
    message: Option<ChunkDelta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct ChunkDelta {
    content: Option<Value>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Default, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct UsageBody {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptTokens>,
    /// Of `DeepSeek`.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct PromptTokens {
    cached_tokens: Option<u64>,
    /// Of `OpenRouter`.
    cache_write_tokens: Option<u64>,
}

impl UsageBody {
    /// The prompt's tokens include those of the cache.
    fn counted(&self) -> Usage {
        let prompt = self.prompt_tokens.unwrap_or(0);
        let details = self.prompt_tokens_details.as_ref();
        let told = details.and_then(|details| details.cached_tokens).or(self.prompt_cache_hit_tokens).unwrap_or(0);
        let cache_read = told.min(prompt);
        let told = details.and_then(|details| details.cache_write_tokens).unwrap_or(0);
        let cache_write = told.min(prompt - cache_read);
        Usage {
            input: prompt - cache_read - cache_write,
            output: self.completion_tokens.unwrap_or(0),
            cache_read,
            cache_write,
        }
    }
}
