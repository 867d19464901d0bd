//! A conversation in the order and with the ids that every protocol accepts.
//!
//! Providers refuse a whole conversation for one odd id, so what is harmless is repaired here, in the same way each
//! time, which keeps prompt caches valid: neighbours of one role become one turn, results stand before what else the
//! user says, a call that was never answered gets an answer that says so, an id that not every provider takes gets
//! another on the wire. What contradicts itself is refused: which result belongs to which call is never guessed.

use std::borrow::Cow;
use std::collections::HashSet;

use super::types::{Message, ModelError, Part, Role};
use crate::gate::explain::escaped;

/// What stands for the result of a call that has none.
pub(super) const NO_RESULT: &str = "there is no result: the call was ended before it was done";
/// What every provider takes as an id.
const ID_BYTES_MAX: usize = 40;
const IMAGES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp"];
const CALLS_HINT: &str = "the agent must keep each result in the message after the call that it belongs to";
const FORM_HINT: &str = "the agent must put each part where it belongs";

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    pub(super) turns: Vec<Turn<'a>>,
    /// The ids on the wire and in the messages: none may be given again.
    ids: HashSet<Cow<'a, str>>,
    calls: usize,
}

#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) role: Role,
    pub(super) pieces: Vec<Piece<'a>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    Image { mime: &'a str, data: &'a str },
    Call { id: Cow<'a, str>, name: &'a str, arguments: &'a str },
    Result { id: Cow<'a, str>, content: &'a [Part], is_error: bool },
    NoResult { id: Cow<'a, str> },
    Reasoning { text: &'a str, signature: Option<&'a str>, redacted: Option<&'a str> },
}

impl<'a> Conversation<'a> {
    /// # Errors
    /// It contradicts itself.
    pub(super) fn of(model: &str, messages: &'a [Message]) -> Result<Self, ModelError> {
        let wrong = |(reason, hint)| ModelError::Conversation { model: model.to_owned(), reason, hint };
        let mut conversation = Self::default();
        // Of the turn of the assistant before: the id as it is said, the one on the wire, whether there is a result.
        let mut open: Vec<Open<'a>> = Vec::new();
        for message in messages {
            let before = conversation.turns.last().map(|turn| turn.role);
            if before != Some(message.role) {
                if message.role == Role::Assistant {
                    conversation.close(&mut open);
                }
                conversation.turns.push(Turn { role: message.role, pieces: Vec::with_capacity(message.parts.len()) });
            }
            for part in &message.parts {
                let piece = match message.role {
                    Role::Assistant => conversation.said(part, &mut open).map_err(wrong)?,
                    Role::User => heard(part, &mut open).map_err(wrong)?,
                };
                if let (Some(piece), Some(turn)) = (piece, conversation.turns.last_mut()) {
                    turn.pieces.push(piece);
                }
            }
        }
        conversation.close(&mut open);
        conversation.turns.retain(|turn| !turn.pieces.is_empty());
        if conversation.turns.is_empty() {
            return Err(wrong(("there is nothing in it".into(), FORM_HINT)));
        }
        Ok(conversation)
    }

    /// An id for a call that came without one, or with one that is taken.
    pub(super) fn fresh_id(&self, taken: impl Fn(&str) -> bool, nth: usize) -> String {
        let mut number = self.calls + nth;
        loop {
            let id = format!("call_{number}");
            if !self.ids.contains(id.as_str()) && !taken(&id) {
                return id;
            }
            number += 1;
        }
    }

    pub(super) fn is_taken(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Whether Claude may be told to think for a number of tokens. In the middle of its turn it must then have thought
    /// before it called, which a model that was asked in its place has not.
    pub(super) fn may_think_by_budget(&self) -> bool {
        let is_result = |piece: &Piece<'_>| matches!(piece, Piece::Result { .. } | Piece::NoResult { .. });
        let is_amid_calls = self.turns.last().is_some_and(|turn| turn.pieces.iter().any(is_result));
        let said = self.turns.iter().rev().find(|turn| turn.role == Role::Assistant);
        let is_thought = |piece: &Piece<'_>| matches!(piece, Piece::Reasoning { signature, redacted, .. } if signature.is_some() || redacted.is_some());
        !is_amid_calls || said.and_then(|turn| turn.pieces.first()).is_some_and(is_thought)
    }

    fn said(&mut self, part: &'a Part, open: &mut Vec<Open<'a>>) -> Result<Option<Piece<'a>>, Odd> {
        Ok(match part {
            Part::Text { text } => (!text.trim().is_empty()).then_some(Piece::Text(text)),
            Part::Reasoning { text, signature, redacted } => {
                Some(Piece::Reasoning { text, signature: signature.as_deref(), redacted: redacted.as_deref() })
            }
            Part::ToolCall { id, name, arguments } => {
                if open.iter().any(|call| call.id == id) {
                    return Err((format!("two calls of one message have the id `{}`", shown(id)), CALLS_HINT));
                }
                let wire = if is_plain(id) && !self.ids.contains(id.as_str()) {
                    Cow::Borrowed(id.as_str())
                } else {
                    Cow::Owned(self.fresh_id(|_| false, 0))
                };
                self.calls += 1;
                self.ids.insert(Cow::Borrowed(id));
                self.ids.insert(wire.clone());
                open.push(Open { id, wire: wire.clone(), is_answered: false });
                Some(Piece::Call { id: wire, name, arguments })
            }
            Part::ToolResult { id, .. } => {
                return Err((format!("the assistant says the result of `{}` itself", shown(id)), CALLS_HINT));
            }
            Part::Image { .. } => return Err(("there is an image among what the assistant said".into(), FORM_HINT)),
        })
    }

    /// Answer what was not answered, and put results first.
    fn close(&mut self, open: &mut Vec<Open<'a>>) {
        if open.is_empty() {
            return;
        }
        if self.turns.last().is_none_or(|turn| turn.role == Role::Assistant) {
            self.turns.push(Turn { role: Role::User, pieces: Vec::new() });
        }
        let Some(turn) = self.turns.last_mut() else { return };
        let missing = open.drain(..).filter(|call| !call.is_answered);
        turn.pieces.extend(missing.map(|call| Piece::NoResult { id: call.wire }));
        // Stable: results keep their order, and so does the rest.
        turn.pieces.sort_by_key(|piece| !matches!(piece, Piece::Result { .. } | Piece::NoResult { .. }));
    }
}

struct Open<'a> {
    id: &'a str,
    wire: Cow<'a, str>,
    is_answered: bool,
}

/// What is wrong, and advice.
type Odd = (String, &'static str);

fn heard<'a>(part: &'a Part, open: &mut [Open<'a>]) -> Result<Option<Piece<'a>>, Odd> {
    Ok(match part {
        Part::Text { text } => (!text.trim().is_empty()).then_some(Piece::Text(text)),
        Part::Image { mime, data } => {
            image(mime)?;
            Some(Piece::Image { mime, data })
        }
        Part::ToolResult { id, content, is_error } => {
            for part in content {
                match part {
                    Part::Text { .. } => {}
                    Part::Image { mime, .. } => image(mime)?,
                    _ => {
                        let reason = format!("the result of `{}` holds more than texts and images", shown(id));
                        return Err((reason, FORM_HINT));
                    }
                }
            }
            let Some(call) = open.iter_mut().find(|call| call.id == id) else {
                let reason = format!("a result is for the call `{}`, which is not in the message before", shown(id));
                return Err((reason, CALLS_HINT));
            };
            if call.is_answered {
                return Err((format!("the call `{}` has two results", shown(id)), CALLS_HINT));
            }
            call.is_answered = true;
            Some(Piece::Result { id: call.wire.clone(), content, is_error: *is_error })
        }
        Part::ToolCall { name, .. } => {
            return Err((format!("the user calls `{}`", shown(name)), FORM_HINT));
        }
        Part::Reasoning { .. } => return Err(("there is reasoning of the user".into(), FORM_HINT)),
    })
}

fn image(mime: &str) -> Result<(), Odd> {
    if IMAGES.contains(&mime) {
        return Ok(());
    }
    Err((format!("models do not see images of the type `{}`", shown(mime)), "take PNG, JPEG, GIF or WebP"))
}

fn is_plain(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn shown(text: &str) -> String {
    escaped(&text.chars().take(80).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> Part {
        Part::ToolCall { id: id.into(), name: "read".into(), arguments: "{}".into() }
    }

    fn result(id: &str) -> Part {
        Part::ToolResult { id: id.into(), content: vec![Part::Text { text: "ok".into() }], is_error: false }
    }

    fn user(parts: Vec<Part>) -> Message {
        Message { role: Role::User, parts }
    }

    fn assistant(parts: Vec<Part>) -> Message {
        Message { role: Role::Assistant, parts }
    }

    fn text(text: &str) -> Part {
        Part::Text { text: text.into() }
    }

    fn refusal(messages: &[Message]) -> String {
        Conversation::of("m", messages).unwrap_err().to_string()
    }

    #[test]
    fn neighbours_of_one_role_are_one_turn_with_results_first() {
        let messages = [
            user(vec![text("go")]),
            assistant(vec![call("a")]),
            assistant(vec![call("b")]),
            user(vec![text("hurry")]),
            user(vec![result("b"), result("a")]),
        ];
        let conversation = Conversation::of("m", &messages).unwrap();
        assert_eq!(conversation.turns.len(), 3);
        let ids: Vec<String> = conversation.turns[2].pieces.iter().map(|piece| format!("{piece:?}")).collect();
        assert!(ids[0].contains("\"b\"") && ids[1].contains("\"a\"") && ids[2].contains("hurry"), "{ids:?}");
        assert!(!conversation.may_think_by_budget(), "it called without having thought");
    }

    #[test]
    fn a_call_that_was_not_answered_is_answered() {
        let messages = [user(vec![text("go")]), assistant(vec![call("a")]), user(vec![text("stop")])];
        let conversation = Conversation::of("m", &messages).unwrap();
        assert_eq!(conversation.turns[2].pieces, [Piece::NoResult { id: "a".into() }, Piece::Text("stop")]);
        let conversation = Conversation::of("m", &messages[..2]).unwrap();
        assert_eq!(conversation.turns[2].pieces, [Piece::NoResult { id: "a".into() }]);
    }

    #[test]
    fn an_odd_or_repeated_id_gets_another_on_the_wire() {
        let messages = [
            assistant(vec![call("functions.read:0")]),
            user(vec![result("functions.read:0")]),
            assistant(vec![call("x")]),
            user(vec![result("x")]),
            assistant(vec![call("x"), call("")]),
            user(vec![result(""), result("x")]),
        ];
        let conversation = Conversation::of("m", &messages).unwrap();
        let ids: Vec<&str> = conversation
            .turns
            .iter()
            .flat_map(|turn| &turn.pieces)
            .filter_map(|piece| match piece {
                Piece::Call { id, .. } | Piece::Result { id, .. } => Some(&**id),
                _ => None,
            })
            .collect();
        assert_eq!(ids, ["call_0", "call_0", "x", "x", "call_2", "call_3", "call_3", "call_2"]);
    }

    #[test]
    fn refuses_a_result_without_its_call() {
        let messages = [assistant(vec![call("a")]), user(vec![result("b")])];
        assert!(refusal(&messages).contains("the call `b`, which is not in the message before"));
        let messages =
            [assistant(vec![call("a")]), user(vec![result("a")]), assistant(vec![]), user(vec![result("a")])];
        assert!(refusal(&messages).contains("not in the message before") || refusal(&messages).contains("two results"));
    }

    #[test]
    fn refuses_two_results_and_two_calls_of_one_id() {
        assert!(refusal(&[assistant(vec![call("a")]), user(vec![result("a"), result("a")])]).contains("two results"));
        assert!(refusal(&[assistant(vec![call("a"), call("a")])]).contains("two calls"));
    }

    #[test]
    fn refuses_parts_where_they_do_not_belong() {
        let image = Part::Image { mime: "image/png".into(), data: String::new() };
        let svg = Part::Image { mime: "image/svg+xml".into(), data: String::new() };
        for message in [user(vec![call("a")]), assistant(vec![result("a")]), assistant(vec![image]), user(vec![svg])] {
            assert!(refusal(std::slice::from_ref(&message)).contains("hint:"), "{message:?}");
        }
        assert!(refusal(&[]).contains("nothing in it"));
        assert!(refusal(&[user(vec![text(" ")])]).contains("nothing in it"));
    }
}
