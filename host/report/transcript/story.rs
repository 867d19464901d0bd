//! From the entries of a journal to what people want to read of them: who said what, which call came to what.

use std::collections::HashMap;

use serde_json::Value;

use super::image::Image;
use crate::gate::{Decision, Verdict};
use crate::journal::{Body, Entry, Status, cost, status_text, verdict};
use crate::model::{Completion, Part};

/// Most bytes of one text on a page.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most bytes of all texts and images. Danger: a session of months makes a page that no browser opens.
const PAGE_BYTES_MAX: usize = 24 << 20;

/// One thing on the page.
pub(super) enum Item {
    Person {
        by: String,
        text: Output,
        at: u64,
    },
    Answer(Answer),
    Call(Box<Call>),
    Note {
        text: String,
        detail: Option<String>,
        at: u64,
        is_warning: bool,
    },
    End {
        status: String,
        summary: Output,
        at: u64,
    },
    /// So many entries had no room.
    LeftOut(usize),
}

/// A text, as much of it as there is room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Output {
    pub text: String,
    pub left_out: usize,
}

/// What a model said.
pub(super) struct Answer {
    pub at: u64,
    pub model: String,
    pub text: Option<Output>,
    pub reasoning: Option<String>,
    pub error: Option<String>,
    pub usage: Option<String>,
    pub took_ms: u64,
}

/// A call of a tool with all that happened in it.
pub(super) struct Call {
    pub at: u64,
    pub tool: String,
    pub arguments: Option<Output>,
    pub verdict: String,
    pub verdict_class: &'static str,
    pub effects: Vec<Effect>,
    pub result: Vec<Piece>,
    pub outcome: &'static str,
    /// `done`, `failed`, `refused` or `open`: a class of the page.
    pub kind: &'static str,
    pub took_ms: Option<u64>,
    began_ms: u64,
}

/// An act in a call.
pub(super) struct Effect {
    key: String,
    pub what: String,
    pub verdict: String,
    pub class: &'static str,
    pub outcome: String,
    pub reason: String,
}

/// A part of a result.
pub(super) enum Piece {
    Text(Output),
    Error(String),
    Image(Image),
    Other(String),
}

/// The items of a session, in the order in which they began.
pub(super) fn story(entries: &[Entry]) -> Vec<Item> {
    let mut story = Story { items: Vec::new(), calls: HashMap::new(), asked: HashMap::new(), left: PAGE_BYTES_MAX };
    for (index, entry) in entries.iter().enumerate() {
        if story.left == 0 {
            story.items.push(Item::LeftOut(entries.len() - index));
            break;
        }
        story.add(entry);
    }
    story.items
}

struct Story {
    items: Vec<Item>,
    /// Calls by key, as indexes of `items`.
    calls: HashMap<String, usize>,
    /// When models were asked, by key.
    asked: HashMap<String, u64>,
    /// Bytes that there is room for.
    left: usize,
}

impl Story {
    fn add(&mut self, entry: &Entry) {
        let at = entry.sequence;
        match &entry.body {
            Body::SessionStarted { agent, task, .. } => {
                let input = task.get("input").filter(|input| input.as_object().is_some_and(|input| !input.is_empty()));
                let prompt = task.get("prompt").and_then(Value::as_str).unwrap_or_default();
                if !prompt.is_empty() {
                    let text = self.output(prompt);
                    self.items.push(Item::Person { by: "Task".into(), text, at });
                }
                let detail = input.map(pretty).map(|text| self.output(&text).text);
                // What a person asked says by itself that it began.
                if prompt.is_empty() || detail.is_some() {
                    let text = if detail.is_some() { "was woken" } else { "began" };
                    self.items.push(Item::Note { text: format!("{agent} {text}"), detail, at, is_warning: false });
                }
            }
            Body::Said { by, text } => {
                let text = self.output(text);
                self.items.push(Item::Person { by: by.clone(), text, at });
            }
            Body::ModelAsked { key, .. } => _ = self.asked.insert(key.clone(), entry.time_ms),
            Body::ModelAnswered { key, answer, .. } => {
                let asked_ms = self.asked.get(key).copied().unwrap_or(entry.time_ms);
                let answer = self.answer(answer, at, entry.time_ms.saturating_sub(asked_ms));
                self.items.push(Item::Answer(answer));
            }
            Body::CallStarted { key, tool, arguments, decision, .. } => {
                let call = self.call(at, entry.time_ms, tool, Some(arguments), Some(decision));
                self.begin(key, call);
            }
            Body::CallEnded { key, status, result } => {
                if !self.calls.contains_key(key) {
                    let call = self.call(at, entry.time_ms, "a call that was not begun", None, None);
                    self.begin(key, call);
                }
                let pieces = self.pieces(result);
                if let Some(call) = self.call_at(key) {
                    call.result = pieces;
                    (call.outcome, call.kind) = (status_text(*status), kind(*status));
                    call.took_ms = Some(entry.time_ms.saturating_sub(call.began_ms));
                }
            }
            Body::EffectStarted { key, act, decision, .. } => {
                self.effect(key, entry, act.summary(), decision, "");
            }
            Body::EffectEnded { key, status, .. } => {
                let parent = key.rsplit_once('.').map_or("", |(call, _)| call).to_owned();
                if let Some(call) = self.call_at(&parent)
                    && let Some(effect) = call.effects.iter_mut().rev().find(|effect| effect.key == *key)
                {
                    status_text(*status).clone_into(&mut effect.outcome);
                }
            }
            Body::Refused { key, act, decision, .. } => {
                // The call itself is refused at its own key, an act in it at one below.
                if let crate::gate::Act::ToolCall { tool, arguments, .. } = act
                    && !self.calls.contains_key(key)
                {
                    let call = self.call(at, entry.time_ms, tool, Some(arguments), Some(decision));
                    self.begin(key, call);
                }
                self.effect(key, entry, act.summary(), decision, "refused");
            }
            Body::ApprovalSettled { reason, id, is_granted, .. } => {
                self.note(at, format!("approval {id}: {reason}"), None, !is_granted);
            }
            Body::ApprovalAsked { id, act, .. } => {
                self.note(at, format!("a person is asked ({id}): {}", act.summary()), None, false);
            }
            Body::ApprovalAnswered { by, is_granted, comment, .. } => {
                let detail = (!comment.is_empty()).then(|| comment.clone());
                self.note(at, format!("{by} says {}", if *is_granted { "yes" } else { "no" }), detail, !is_granted);
            }
            Body::Approved { is_granted, by, reason, .. } => {
                let said = if *is_granted { "granted" } else { "not granted" };
                self.note(at, format!("{said} by {by}: {reason}"), None, !is_granted);
            }
            Body::WaitStarted { until_ms, .. } => {
                let ms = until_ms.saturating_sub(entry.time_ms);
                self.note(at, format!("waited for {}", super::duration(ms)), None, false);
            }
            Body::Logged { plugin, level, message, .. } => {
                let text = self.output(message).text;
                self.note(at, format!("{plugin}: {text}"), None, level == "error" || level == "critical");
            }
            Body::SessionResumed { host } => self.note(at, format!("taken up again by {host}"), None, false),
            Body::SessionForked { parent, at: of, by, .. } => {
                self.note(
                    at,
                    format!("forked from {parent} at entry {of} by {by}: what is above happened there"),
                    None,
                    false,
                );
            }
            Body::SessionPruned { session, entries, status, .. } => {
                self.note(at, format!("pruned {session}: {entries} entries, {status}"), None, false);
            }
            Body::AllStopped { by, reason, .. } => {
                let detail = (!reason.is_empty()).then(|| reason.clone());
                self.note(at, format!("everything was stopped by {by}"), detail, false);
            }
            Body::AllResumed { by, .. } => self.note(at, format!("{by} let agents go on"), None, false),
            Body::SessionEnded { status, summary, .. } => {
                let summary = self.output(summary);
                self.items.push(Item::End { status: status.clone(), summary, at });
            }
            Body::Offered { .. }
            | Body::Heard { .. }
            | Body::WaitEnded { .. }
            | Body::Shadowed { .. }
            | Body::ApprovalPassedOn { .. }
            | Body::ApprovalUsed { .. } => {}
        }
    }

    fn note(&mut self, at: u64, text: String, detail: Option<String>, is_warning: bool) {
        self.left = self.left.saturating_sub(text.len());
        self.items.push(Item::Note { text, detail, at, is_warning });
    }

    fn begin(&mut self, key: &str, call: Call) {
        self.calls.insert(key.to_owned(), self.items.len());
        self.items.push(Item::Call(Box::new(call)));
    }

    fn call_at(&mut self, key: &str) -> Option<&mut Call> {
        match self.items.get_mut(*self.calls.get(key)?)? {
            Item::Call(call) => Some(call),
            _ => None,
        }
    }

    fn call(
        &mut self,
        at: u64,
        began_ms: u64,
        tool: &str,
        arguments: Option<&Value>,
        decision: Option<&Decision>,
    ) -> Call {
        let arguments = arguments.map(|arguments| self.output(&words(arguments)));
        let (verdict, verdict_class) = decision.map_or_else(Default::default, judged);
        let (effects, result) = Default::default();
        let (outcome, kind, took_ms) = ("under way", "open", None);
        Call {
            at,
            tool: tool.to_owned(),
            arguments,
            verdict,
            verdict_class,
            effects,
            result,
            outcome,
            kind,
            took_ms,
            began_ms,
        }
    }

    fn effect(&mut self, key: &str, entry: &Entry, what: String, decision: &Decision, outcome: &str) {
        self.left = self.left.saturating_sub(what.len() + decision.reason.len());
        let (verdict, class) = judged(decision);
        let reason = if decision.verdict == Verdict::Allow { String::new() } else { decision.reason.clone() };
        let effect = Effect { key: key.to_owned(), what, verdict, class, outcome: outcome.to_owned(), reason };
        let parent = key.rsplit_once('.').map_or("", |(call, _)| call).to_owned();
        let key = if self.calls.contains_key(key) { key.to_owned() } else { parent };
        match self.call_at(&key) {
            Some(call) => call.effects.push(effect),
            // What an agent does outside of a call: asking for more of its budget.
            None => {
                let text = format!("{} [{}]", effect.what, effect.verdict);
                let detail = (!effect.reason.is_empty()).then_some(effect.reason);
                self.items.push(Item::Note { text, detail, at: entry.sequence, is_warning: class == "deny" });
            }
        }
    }

    fn answer(&mut self, answer: &Value, at: u64, took_ms: u64) -> Answer {
        let mut shown =
            Answer { at, model: "model".into(), text: None, reasoning: None, error: None, usage: None, took_ms };
        let completion = answer.get("ok").and_then(|ok| serde_json::from_value::<Completion>(ok.clone()).ok());
        let Some(completion) = completion else {
            let message = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("no answer");
            shown.error = Some(self.output(message).text);
            return shown;
        };
        if !completion.model.is_empty() {
            shown.model.clone_from(&completion.model);
        }
        let (mut text, mut reasoning) = (Vec::new(), Vec::new());
        for part in &completion.message.parts {
            match part {
                Part::Text { text: said } => text.push(said.as_str()),
                Part::Reasoning { text: thought, .. } if !thought.is_empty() => reasoning.push(thought.as_str()),
                // Calls and their results have cards of their own.
                _ => {}
            }
        }
        shown.text = (!text.is_empty()).then(|| self.output(&text.join("\n")));
        shown.reasoning = (!reasoning.is_empty()).then(|| self.output(&reasoning.join("\n")).text);
        let usage = completion.usage;
        if usage.input_all() + usage.output > 0 {
            let paid = cost(completion.cost_nano_usd);
            let gap = if paid.is_empty() { "" } else { " · " };
            let cached =
                if usage.cache_read > 0 { format!(" ({} from the cache)", usage.cache_read) } else { String::new() };
            let about = if completion.is_estimated { "about " } else { "" };
            let (input, output) = (usage.input_all(), usage.output);
            shown.usage = Some(format!("{about}{input} tokens in{cached}, {output} out{gap}{paid}"));
        }
        shown
    }

    fn pieces(&mut self, result: &Value) -> Vec<Piece> {
        if let Some(error) = result.get("error") {
            let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let message = match text("/refusal/reason") {
                "" => text("/message").to_owned(),
                reason => format!("refused by {}: {reason} {}", text("/refusal/rule"), text("/refusal/advice")),
            };
            return vec![Piece::Error(self.output(message.trim()).text)];
        }
        let contents = result.get("ok").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        contents.iter().map(|content| self.piece(content)).collect()
    }

    fn piece(&mut self, content: &Value) -> Piece {
        if let Some(text) = content.get("text").and_then(Value::as_str) {
            return Piece::Text(self.output(text));
        }
        if let Some(json) = content.get("json") {
            return Piece::Text(self.output(&words(json)));
        }
        let text = |pointer: &str| content.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (mime, base64) = (text("/blob/mime"), text("/blob/base64"));
        match Image::read(mime, base64).filter(|image| image.bytes() <= self.left) {
            Some(image) => {
                self.left -= image.bytes();
                Piece::Image(image)
            }
            None => Piece::Other(format!("{} bytes of {mime}", base64.len() / 4 * 3)),
        }
    }

    /// As much of a text as there is room for.
    fn output(&mut self, text: &str) -> Output {
        let mut end = text.len().min(TEXT_BYTES_MAX).min(self.left);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.left -= end;
        Output { text: text.get(..end).unwrap_or_default().to_owned(), left_out: text.len() - end }
    }
}

fn judged(decision: &Decision) -> (String, &'static str) {
    let class = match decision.verdict {
        Verdict::Allow => "allow",
        Verdict::Ask => "ask",
        Verdict::Deny => "deny",
    };
    (verdict(decision), class)
}

fn kind(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Refused => "refused",
        Status::Failed => "failed",
        Status::Abandoned | Status::Unknown => "open",
    }
}

/// JSON as people read it: a text by itself as it is, texts of an object under their names.
fn words(value: &Value) -> String {
    let Value::Object(fields) = value else { return pretty(value) };
    let field = |(name, value): (&String, &Value)| match value {
        Value::String(text) if text.contains('\n') => format!("{name}:\n{text}"),
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    };
    fields.iter().map(field).collect::<Vec<_>>().join("\n")
}

fn pretty(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
