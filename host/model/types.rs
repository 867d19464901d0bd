//! What is said to a model and what it says: the same for every wire protocol.
//!
//! It is also the form in which the journal keeps a conversation, so names stay as they are, empty fields are left
//! out, and a field that is added later has a default. Nothing here knows a protocol, a socket or a key. A text in a
//! [`ModelError`] is already cut, masked and escaped by whoever made it.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use crate::config::Effort;

/// Anything that completes a conversation: one model over the wire, or several of which one answers.
pub trait Model: Send + Sync {
    /// The next message of the assistant. `on` hears what arrives while it arrives; what it heard holds only once the
    /// completion is returned.
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        on: &'a (dyn Fn(Delta) + Send + Sync),
    ) -> BoxFuture<'a, Result<Completion, ModelError>>;
}

/// One question: a whole conversation, and what may be called. It is never kept as it is: the journal has what is new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub system: String,
    pub messages: Vec<Message>,
    /// Shared: most questions of a conversation have the tools of the one before.
    pub tools: Arc<[ToolSchema]>,
    /// None: what the configuration of the model says.
    pub max_output_tokens: Option<u32>,
    /// None: what the configuration of the model says.
    pub effort: Option<Effort>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSchema {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The JSON schema of the arguments, an object.
    pub schema: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    Text {
        text: String,
    },
    Image {
        mime: String,
        /// Base64, as every protocol sends it: it is encoded once, by whoever read the file.
        data: String,
    },
    ToolCall {
        id: String,
        name: String,
        /// As the model wrote it, which need not be JSON.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        arguments: String,
    },
    ToolResult {
        id: String,
        /// Texts and images alone.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        content: Vec<Part>,
        #[serde(default, skip_serializing_if = "is_false")]
        is_error: bool,
    },
    /// What the model thought. It goes back unchanged, since some models refuse their own tool calls without it.
    Reasoning {
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// What the provider keeps from everybody, in its own encryption.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        redacted: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    pub message: Message,
    pub stop: Stop,
    #[serde(default)]
    pub usage: Usage,
    /// Who answered, by the name that the provider gives it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The server did not tell its usage: it is an estimate from the bytes that went over the wire.
    #[serde(default, skip_serializing_if = "is_told")]
    pub is_estimated: bool,
    /// In billionths of a US dollar. None where the model has no price in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano_usd: Option<u64>,
    /// Requests that were sent for it, by all models together.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    End,
    ToolCalls,
    MaxTokens,
    Refusal,
    Other,
}

/// Tokens. `input` counts what was neither read from a cache nor written to one; all zero where a server has told nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub input: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub output: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_read: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write: u64,
}

/// A piece of an answer that is still arriving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Delta {
    Text {
        text: String,
    },
    Reasoning {
        text: String,
    },
    /// A call has begun; its arguments come with the completion.
    ToolCall {
        name: String,
    },
    /// What was heard so far is void: the same model is asked again after the pause.
    Retry {
        why: String,
        after_ms: u64,
    },
    /// What was heard so far is void: another model is asked, now.
    Fallback {
        from: String,
        to: String,
        why: String,
    },
}

/// Why there is no completion. `model` is the name in `[models.NAME]`. No text holds a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("no key for model `{model}`: {reason}\nhint: {hint}")]
    KeyMissing { model: String, reason: String, hint: String },
    #[error("the key of model `{model}` was refused (HTTP {status}): {said}\nhint: correct {source_name}")]
    KeyRefused { model: String, status: u16, source_name: String, said: String },
    #[error("model `{model}` has no credit left (HTTP {status}): {said}\nhint: look at the account's billing")]
    NoCredit { model: String, status: u16, said: String },
    #[error(
        "the conversation is larger than the window of model `{model}`: {said}\nhint: compact it, or set a model with a larger window"
    )]
    ContextTooLarge { model: String, said: String },
    #[error(
        "model `{model}` does not exist there (HTTP {status}): {said}\nhint: correct [models.{model}] model or base_url"
    )]
    UnknownModel { model: String, status: u16, said: String },
    #[error("model `{model}` refuses the request (HTTP {status}): {said}\nhint: {hint}")]
    BadRequest { model: String, status: u16, said: String, hint: &'static str },
    #[error(
        "model `{model}` limits the rate, {attempts} attempts were refused: {said}\nhint: wait{}, or set [models.{model}] fallback", seconds(*.after_ms)
    )]
    RateLimited { model: String, attempts: u32, after_ms: Option<u64>, said: String },
    #[error(
        "model `{model}` is overloaded (HTTP {status}) after {attempts} attempts: {said}\nhint: try later, or set [models.{model}] fallback"
    )]
    Overloaded { model: String, status: u16, attempts: u32, said: String },
    #[error(
        "the stream of model `{model}` was cut after {bytes} bytes: {reason}\nhint: try again; a proxy between may cut long answers"
    )]
    CutStream { model: String, bytes: u64, reason: String },
    #[error(
        "the answer of model `{model}` is broken at byte {at}: {reason}\nhint: check [models.{model}] protocol and base_url"
    )]
    BrokenAnswer { model: String, at: u64, reason: String },
    #[error(
        "model `{model}` answers with content type `{found}` instead of `{expected}`\nhint: check [models.{model}] protocol and base_url"
    )]
    ContentType { model: String, found: String, expected: &'static str },
    #[error(
        "the answer of model `{model}` is larger than the limit: {what}\nhint: the server does not behave as a model does; check it"
    )]
    AnswerTooLarge { model: String, what: String },
    #[error("model `{model}` did not finish in {seconds} s\nhint: raise [models.{model}] timeout_seconds")]
    Deadline { model: String, seconds: u64 },
    #[error("model `{model}` was silent for {seconds} s\nhint: raise [models.{model}] idle_timeout_seconds")]
    Idle { model: String, seconds: u64 },
    /// What the agent wants to be sent.
    #[error("the conversation contradicts itself (for model `{model}`): {reason}\nhint: {hint}")]
    Conversation { model: String, reason: String, hint: &'static str },
    /// What the model said.
    #[error("the tool calls of model `{model}` cannot be told apart: {reason}\nhint: try again, or take another model")]
    BrokenCalls { model: String, reason: String },
    #[error(
        "model `{model}` cannot be reached at {url}: {reason}\nhint: check [models.{model}] base_url, and that the server runs"
    )]
    Unreachable { model: String, url: String, reason: String },
    /// The model is not set up in a way that can work.
    #[error("model `{model}` cannot be used: {reason}\nhint: {hint}")]
    Setup { model: String, reason: String, hint: String },
}

impl ModelError {
    /// Whether the same request to the same model may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Overloaded { .. }
                | Self::CutStream { .. }
                | Self::BrokenAnswer { .. }
                | Self::BrokenCalls { .. }
                | Self::Deadline { .. }
                | Self::Idle { .. }
                | Self::Unreachable { .. }
        )
    }

    /// Whether the same request to another model may succeed. What contradicts itself or is malformed
    /// fails everywhere; what is too large for this model need not be for another.
    #[must_use]
    pub fn may_another_model_help(&self) -> bool {
        !matches!(self, Self::Conversation { .. } | Self::BadRequest { .. })
    }
}

impl Message {
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, parts: vec![Part::Text { text: text.into() }] }
    }

    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self { role: Role::Assistant, parts: vec![Part::Text { text: text.into() }] }
    }

    /// What it says, without what it thought and calls.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Id, name and arguments of each call.
    pub fn tool_calls(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.parts.iter().filter_map(|part| match part {
            Part::ToolCall { id, name, arguments } => Some((id.as_str(), name.as_str(), arguments.as_str())),
            _ => None,
        })
    }
}

impl Usage {
    /// All tokens that went in, from wherever.
    #[must_use]
    pub fn input_all(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// Both together, for a budget.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
        }
    }
}

fn seconds(after_ms: Option<u64>) -> String {
    after_ms.map_or_else(String::new, |ms| format!(" {} s", ms.div_ceil(1_000)))
}

fn one() -> u32 {
    1
}

fn is_told(is_estimated: &bool) -> bool {
    !is_estimated
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_in_the_journal_is_compact_and_stays() {
        let parts = vec![
            Part::Reasoning { text: "hm".into(), signature: Some("s".into()), redacted: None },
            Part::Text { text: "ok".into() },
            Part::ToolCall { id: "a".into(), name: "read".into(), arguments: "{}".into() },
        ];
        let completion = Completion {
            message: Message { role: Role::Assistant, parts },
            stop: Stop::ToolCalls,
            usage: Usage { input: 3, ..Usage::default() },
            is_estimated: false,
            model: "m".into(),
            cost_nano_usd: None,
            attempts: 1,
        };
        let text = serde_json::to_string(&completion).unwrap();
        insta::assert_snapshot!(text, @r#"{"message":{"role":"assistant","parts":[{"type":"reasoning","text":"hm","signature":"s"},{"type":"text","text":"ok"},{"type":"tool_call","id":"a","name":"read","arguments":"{}"}]},"stop":"tool_calls","usage":{"input":3},"model":"m"}"#);
        assert_eq!(serde_json::from_str::<Completion>(&text).unwrap(), completion);
        let image = Part::Image { mime: "image/png".into(), data: "aGk=".into() };
        let result = Part::ToolResult { id: "a".into(), content: vec![image], is_error: false };
        let message = Message { role: Role::User, parts: vec![result] };
        let text = serde_json::to_string(&message).unwrap();
        insta::assert_snapshot!(text, @r#"{"role":"user","parts":[{"type":"tool_result","id":"a","content":[{"type":"image","mime":"image/png","data":"aGk="}]}]}"#);
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }

    #[test]
    fn whether_another_attempt_or_another_model_helps_is_told() {
        let model = || "m".to_owned();
        let cut = ModelError::CutStream { model: model(), bytes: 1, reason: "x".into() };
        let large = ModelError::ContextTooLarge { model: model(), said: "x".into() };
        let wrong = ModelError::BadRequest { model: model(), status: 400, said: "x".into(), hint: "y" };
        let asked = [cut, large, wrong].map(|error| (error.is_transient(), error.may_another_model_help()));
        assert_eq!(asked, [(true, true), (false, true), (false, false)]);
    }

    #[test]
    fn a_limit_of_rate_says_how_long_to_wait() {
        let error =
            ModelError::RateLimited { model: "m".into(), attempts: 3, after_ms: Some(1_500), said: "slow".into() };
        insta::assert_snapshot!(error, @r"
        model `m` limits the rate, 3 attempts were refused: slow
        hint: wait 2 s, or set [models.m] fallback
        ");
    }
}
