//! What was last said between an agent and its models: from it follow what is new in a question, and its hash.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::question::KnownTools;
use crate::gate::explain::escaped;
use crate::journal::Question;
use crate::model::{Effort, Message, Request, ToolSchema};

type Hash = [u8; 32];

/// The last question, with its answer as the last message.
#[derive(Default)]
pub(super) struct Conversation {
    messages: Vec<Linked>,
    frame: Option<Frame>,
    /// Of the last question, for a comparison with what the journal has.
    same: usize,
    asked: Vec<Value>,
    pub(super) tools: KnownTools,
}

/// What of a question is no message, with its hash.
struct Frame {
    system: String,
    tools: Arc<[ToolSchema]>,
    max_output_tokens: Option<u32>,
    effort: Option<Effort>,
    hash: Hash,
}

impl Frame {
    fn is_of(&self, request: &Request) -> bool {
        // Mostly they are the very same.
        (Arc::ptr_eq(&self.tools, &request.tools) || self.tools == request.tools)
            && self.system == request.system
            && self.max_output_tokens == request.max_output_tokens
            && self.effort == request.effort
    }

    fn value(&self) -> Value {
        json!({
            "system": self.system, "tools": &*self.tools,
            "max_output_tokens": self.max_output_tokens, "effort": self.effort,
        })
    }
}

struct Linked {
    message: Message,
    /// Over this message and all before it.
    hash: Hash,
}

impl Conversation {
    /// What is new in a question, and the hash over all of it, in hex.
    pub(super) fn ask(&mut self, model: &str, request: &Request) -> (Question, String) {
        let same = self.messages.iter().zip(&request.messages).take_while(|(was, is)| was.message == **is).count();
        let new = request.messages.get(same..).unwrap_or_default();
        let values: Vec<Value> = new.iter().map(|message| json!(message)).collect();
        self.same = same;
        self.asked.clone_from(&values);
        self.messages.truncate(same);
        for (message, value) in new.iter().zip(&values) {
            self.push(message.clone(), value);
        }
        let new_frame = self.renew_frame(request);
        let frame_hash = self.frame.as_ref().map_or([0; 32], |frame| frame.hash);
        let mut hasher = Sha256::new();
        hasher.update(model);
        hasher.update([0]);
        hasher.update(frame_hash);
        hasher.update(self.messages.last().map_or([0; 32], |linked| linked.hash));
        let hash = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        (Question { same, messages: values, frame: new_frame }, hash)
    }

    /// The frame of a question, where it is another than that of the one before.
    fn renew_frame(&mut self, request: &Request) -> Option<Value> {
        if self.frame.as_ref().is_some_and(|known| known.is_of(request)) {
            return None;
        }
        let mut frame = Frame {
            system: request.system.clone(),
            tools: request.tools.clone(),
            max_output_tokens: request.max_output_tokens,
            effort: request.effort,
            hash: [0; 32],
        };
        let value = frame.value();
        frame.hash = Sha256::digest(value.to_string()).into();
        self.frame = Some(frame);
        Some(value)
    }

    /// The model has answered.
    pub(super) fn answered(&mut self, message: Message) {
        let value = json!(message);
        self.push(message, &value);
    }

    fn push(&mut self, message: Message, value: &Value) {
        let mut hasher = Sha256::new();
        hasher.update(self.messages.last().map_or([0; 32], |linked| linked.hash));
        hasher.update(value.to_string());
        self.messages.push(Linked { message, hash: hasher.finalize().into() });
    }

    /// Where the last question differs from what the journal has of it, in words.
    pub(super) fn difference(&self, recorded: &Question) -> String {
        if recorded.same != self.same {
            return format!(
                "a question that keeps {} messages of the one before, and not {}",
                self.same, recorded.same
            );
        }
        let index = recorded.messages.iter().zip(&self.asked).take_while(|(was, is)| was == is).count();
        match (recorded.messages.get(index), self.asked.get(index)) {
            (Some(was), Some(is)) => {
                let (was, is) = apart(&was.to_string(), &is.to_string());
                let (was, is, number) = (escaped(&was), escaped(&is), recorded.same + index + 1);
                format!("a question whose message {number} reads `{is}` and not `{was}`")
            }
            (None, Some(_)) | (Some(_), None) => {
                format!("a question of {} new messages, and not {}", self.asked.len(), recorded.messages.len())
            }
            (None, None) => self
                .frame_difference(recorded)
                .unwrap_or_else(|| "a question with another system prompt, other tools or another limit".to_owned()),
        }
    }

    /// Where what is not a message differs, where the journal has that of this question.
    fn frame_difference(&self, recorded: &Question) -> Option<String> {
        let (was, is) = (recorded.frame.as_ref()?, self.frame.as_ref()?.value());
        let parts = [
            ("system", "system prompt"),
            ("tools", "list of tools"),
            ("max_output_tokens", "limit of tokens"),
            ("effort", "effort"),
        ];
        let (part, name) = parts.into_iter().find(|(part, _)| was.get(part) != is.get(part))?;
        let text = |frame: &Value| match frame.get(part) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let (was, is) = apart(&text(was), &text(&is));
        Some(format!("a question whose {name} reads `{}` and not `{}`", escaped(&is), escaped(&was)))
    }
}

/// Two texts from shortly before the place where they part.
fn apart(one: &str, other: &str) -> (String, String) {
    const BEFORE: usize = 20;
    const SHOWN: usize = 80;
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let cut = |text: &str| text.chars().skip(same.saturating_sub(BEFORE)).take(SHOWN).collect();
    (cut(one), cut(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(texts: &[&str]) -> Request {
        Request { messages: texts.iter().map(|text| Message::user(*text)).collect(), ..Request::default() }
    }

    #[test]
    fn a_question_holds_what_is_new_and_its_hash_all_of_it() {
        let mut conversation = Conversation::default();
        let (first, hash) = conversation.ask("m", &request(&["a"]));
        assert_eq!((first.same, first.messages.len(), first.frame.is_some()), (0, 1, true));
        conversation.answered(Message::assistant("b"));
        let mut next = request(&["a", "", "c"]);
        next.messages[1] = Message::assistant("b");
        let (second, second_hash) = conversation.ask("m", &next);
        assert_eq!((second.same, second.messages.len(), second.frame), (2, 1, None));
        assert_ne!(hash, second_hash);
        // The same question asked at once has the same hash.
        assert_eq!(Conversation::default().ask("m", &next).1, second_hash);
        assert_ne!(Conversation::default().ask("other", &next).1, second_hash);
        next.system = "x".into();
        assert_ne!(Conversation::default().ask("m", &next).1, second_hash);
    }

    #[test]
    fn the_first_difference_is_named() {
        let mut recorded = Conversation::default();
        let (was, _) = recorded.ask("m", &request(&["one", "two"]));
        let mut replayed = Conversation::default();
        replayed.ask("m", &request(&["one", "three"]));
        let said = replayed.difference(&was);
        assert!(said.contains("message 2") && said.contains("three") && said.contains("two"), "{said}");
        let (was, _) = Conversation::default().ask("m", &Request { system: "Be kind.".into(), ..request(&["one"]) });
        let mut replayed = Conversation::default();
        replayed.ask("m", &Request { system: "Be quick.".into(), ..request(&["one"]) });
        let said = replayed.difference(&was);
        assert_eq!(said, "a question whose system prompt reads `Be quick.` and not `Be kind.`");
    }
}
