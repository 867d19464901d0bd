//! What differs between wire protocols, and nothing else: the body of a request, and how its stream is read.
//!
//! A further protocol is a file with an implementation of both traits and a line in [`super::build`]. It does not see
//! sockets, keys, retries or time.

use super::assembly::{Fault, Listener};
use super::conversation::Conversation;
use super::frame::{Frame, Framer};
use super::types::{Message, Request, Stop, Usage};
use crate::config::{Effort, ModelConfig};

pub(super) trait Protocol: Send + Sync {
    /// The whole body, written once for all attempts.
    fn body(&self, request: &Request, conversation: &Conversation<'_>) -> Result<Vec<u8>, serde_json::Error>;

    /// The content type of an answer that streams.
    fn stream_type(&self) -> &'static str;

    fn framer(&self) -> Box<dyn Framer>;

    fn reader(&self) -> Box<dyn Reader>;
}

/// Reads one answer.
pub(super) trait Reader: Send {
    /// Whether this was the last event.
    fn read(&mut self, frame: &Frame<'_>, on: Listener<'_>) -> Result<bool, Fault>;

    /// What was read. Called once, after the last event or at the end of the stream.
    fn finish(&mut self, conversation: &Conversation<'_>) -> Result<Answer, Fault>;
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) message: Message,
    pub(super) stop: Stop,
    pub(super) usage: Usage,
    /// Empty where the server does not tell.
    pub(super) model: String,
}

impl Answer {
    /// Where there are calls, the end is that, whatever is told: some servers say `stop`.
    pub(super) fn of(message: Message, stop: Stop, usage: Usage, model: String) -> Self {
        let has_calls = message.tool_calls().next().is_some();
        let stop = match stop {
            Stop::End | Stop::Other if has_calls => Stop::ToolCalls,
            Stop::ToolCalls if !has_calls => Stop::End,
            stop => stop,
        };
        Self { message, stop, usage, model }
    }
}

/// The stream ended, and no end of the answer was told.
pub(super) fn unfinished() -> Fault {
    Fault::Cut("the model had not finished".into())
}

/// What of the configuration every protocol needs.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) model: String,
    max_output_tokens: Option<u32>,
    effort: Option<Effort>,
}

impl Settings {
    pub(super) fn of(config: &ModelConfig) -> Self {
        Self { model: config.model.clone(), max_output_tokens: config.max_output_tokens, effort: config.effort }
    }

    /// What is asked for, but not more than what is configured.
    pub(super) fn output_tokens(&self, request: &Request) -> Option<u32> {
        match (request.max_output_tokens, self.max_output_tokens) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }

    pub(super) fn effort(&self, request: &Request) -> Option<Effort> {
        request.effort.or(self.effort).filter(|effort| *effort != Effort::Off)
    }
}

/// A JSON text of the stream.
pub(super) fn json<'a, T: serde::Deserialize<'a>>(frame: &Frame<'a>) -> Result<T, Fault> {
    serde_json::from_slice(frame.data).map_err(|error| Fault::Broken(format!("its JSON is broken: {error}")))
}

/// What a model wrote as arguments, as the JSON object that a protocol wants. What is none goes back to the model in
/// one, so that it sees its mistake.
pub(super) fn object(arguments: &str) -> serde_json::Value {
    if arguments.trim().is_empty() {
        return serde_json::Value::Object(serde_json::Map::new());
    }
    match serde_json::from_str(arguments) {
        Ok(value @ serde_json::Value::Object(_)) => value,
        _ => serde_json::json!({ "no_json_object": arguments }),
    }
}

/// How many tokens Claude may think with; none where the answer would have no room. `output` is all it may write.
pub(super) fn thinking_budget(effort: Effort, output: u32) -> Option<u32> {
    const LEAST: u32 = 1_024;
    let wanted = match effort {
        Effort::Off => return None,
        Effort::Minimal => LEAST,
        Effort::Low => 2_048,
        Effort::Medium => 8_192,
        Effort::High => 24_576,
    };
    let budget = wanted.min(output / 2);
    (budget >= LEAST).then_some(budget)
}

/// Whether a Claude of this name is told a number of tokens to think with. The list is of old models and does not
/// grow: those since 4.6 are told the effort.
pub(super) fn is_told_budget(model: &str) -> bool {
    const OLD: &[&str] = &[
        "claude-3",
        "opus-4-0",
        "opus-4-1",
        "opus-4-5",
        "opus-4-2025",
        "sonnet-4-0",
        "sonnet-4-5",
        "sonnet-4-2025",
        "haiku-4-5",
    ];
    OLD.iter().any(|old| model.contains(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_are_no_object_go_back_in_one() {
        assert_eq!(object(" ").to_string(), "{}");
        assert_eq!(object(r#"{"b":1,"a":2}"#).to_string(), r#"{"b":1,"a":2}"#);
        assert_eq!(object("[1]").to_string(), r#"{"no_json_object":"[1]"}"#);
        assert_eq!(object(r#"{"a":"#).to_string(), r#"{"no_json_object":"{\"a\":"}"#);
    }

    #[test]
    fn thinking_leaves_room_for_the_answer() {
        assert_eq!(thinking_budget(Effort::High, 64_000), Some(24_576));
        assert_eq!(thinking_budget(Effort::High, 8_000), Some(4_000));
        assert_eq!(thinking_budget(Effort::Minimal, 2_047), None);
        assert_eq!(thinking_budget(Effort::Off, 64_000), None);
    }

    #[test]
    fn old_models_are_told_a_budget() {
        for model in
            ["claude-3-7-sonnet-latest", "claude-sonnet-4-20250514", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"]
        {
            assert!(is_told_budget(model), "{model}");
        }
        for model in ["claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-7", "claude-opus-5"] {
            assert!(!is_told_budget(model), "{model}");
        }
    }
}
