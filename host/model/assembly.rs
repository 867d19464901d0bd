//! Puts an answer together from its pieces, whichever protocol they come in.
//!
//! What the pieces say is not trusted: how many there may be has a limit, and calls whose ids are missing or taken get
//! ids of their own, since nobody has seen them yet. A call without a name cannot be repaired.

use super::conversation::Conversation;
use super::types::{Delta, Message, Part, Role};

/// Parts of one answer. Danger: a stream that opens ever new ones, each of which is looked for among all.
pub(super) const PARTS_MAX: usize = 512;

/// What a stream tells that cannot be.
#[derive(Debug)]
pub(super) enum Fault {
    /// Not what the protocol says.
    Broken(String),
    /// The server tells of an error by itself; of no status where it tells none.
    Reported {
        status: Option<u16>,
        kind: String,
        said: String,
    },
    Calls(String),
    TooLarge(String),
    /// It ends before it is whole.
    Cut(String),
}

pub(super) type Listener<'a> = &'a (dyn Fn(Delta) + Send + Sync);

/// Which part of the answer a piece belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Reasoning,
    Text,
    Call(u64),
    /// A block of Anthropic and Bedrock, of any kind.
    Block(u64),
}

#[derive(Debug, Default)]
pub(super) struct Assembly {
    parts: Vec<(Slot, Part)>,
}

impl Assembly {
    pub(super) fn text(&mut self, slot: Slot, piece: &str, on: Listener<'_>) -> Result<(), Fault> {
        if piece.is_empty() {
            return Ok(());
        }
        match self.part(slot, || Part::Text { text: String::new() })? {
            Part::Text { text } => text.push_str(piece),
            _ => return Err(Fault::Broken("text is in a part of another kind".into())),
        }
        on(Delta::Text { text: piece.to_owned() });
        Ok(())
    }

    pub(super) fn reasoning(&mut self, slot: Slot, piece: &str, on: Listener<'_>) -> Result<(), Fault> {
        let (text, _, _) = self.thought(slot)?;
        if !piece.is_empty() {
            text.push_str(piece);
            on(Delta::Reasoning { text: piece.to_owned() });
        }
        Ok(())
    }

    pub(super) fn signature(&mut self, slot: Slot, piece: &str) -> Result<(), Fault> {
        let (_, signature, _) = self.thought(slot)?;
        signature.get_or_insert_default().push_str(piece);
        Ok(())
    }

    pub(super) fn redacted(&mut self, slot: Slot, piece: &str) -> Result<(), Fault> {
        let (_, _, redacted) = self.thought(slot)?;
        redacted.get_or_insert_default().push_str(piece);
        Ok(())
    }

    pub(super) fn call(&mut self, slot: Slot, id: &str, name: &str, on: Listener<'_>) -> Result<(), Fault> {
        if self.parts.iter().any(|(other, _)| *other == slot) {
            return Err(Fault::Calls("two calls begin at one index".into()));
        }
        let (id, name) = (id.to_owned(), name.to_owned());
        if !name.is_empty() {
            on(Delta::ToolCall { name: name.clone() });
        }
        self.part(slot, || Part::ToolCall { id, name, arguments: String::new() })?;
        Ok(())
    }

    pub(super) fn arguments(&mut self, slot: Slot, piece: &str) -> Result<(), Fault> {
        match self.parts.iter_mut().rev().find(|(other, _)| *other == slot) {
            Some((_, Part::ToolCall { arguments, .. })) => {
                arguments.push_str(piece);
                Ok(())
            }
            _ => Err(Fault::Calls("there are arguments of a call that has not begun".into())),
        }
    }

    /// The call at this place: its id and its name.
    pub(super) fn call_at(&mut self, slot: Slot) -> Option<(&mut String, &mut String)> {
        self.parts.iter_mut().rev().find_map(|(other, part)| match part {
            Part::ToolCall { id, name, .. } if *other == slot => Some((id, name)),
            _ => None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The message, each call of which has an id that is its own in the whole conversation.
    pub(super) fn message(&mut self, conversation: &Conversation<'_>) -> Result<Message, Fault> {
        let mut taken: Vec<String> = Vec::new();
        let mut parts = Vec::with_capacity(self.parts.len());
        for (_, mut part) in std::mem::take(&mut self.parts) {
            match &mut part {
                Part::ToolCall { id, name, .. } => {
                    if name.is_empty() {
                        return Err(Fault::Calls("a call names no tool".into()));
                    }
                    if id.is_empty() || conversation.is_taken(id) || taken.contains(id) {
                        *id = conversation.fresh_id(|id| taken.iter().any(|other| other == id), taken.len());
                    }
                    taken.push(id.clone());
                }
                Part::Text { text } if text.is_empty() => continue,
                Part::Reasoning { text, signature: None, redacted: None } if text.is_empty() => continue,
                _ => {}
            }
            parts.push(part);
        }
        Ok(Message { role: Role::Assistant, parts })
    }

    fn part(&mut self, slot: Slot, new: impl FnOnce() -> Part) -> Result<&mut Part, Fault> {
        // Pieces mostly belong to the last part.
        let at = match self.parts.iter().rposition(|(other, _)| *other == slot) {
            Some(at) => at,
            None if self.parts.len() >= PARTS_MAX => {
                return Err(Fault::TooLarge(format!("it has more than {PARTS_MAX} parts")));
            }
            None => {
                self.parts.push((slot, new()));
                self.parts.len() - 1
            }
        };
        self.parts.get_mut(at).map(|(_, part)| part).ok_or_else(|| Fault::Broken("a part is lost".into()))
    }

    fn thought(&mut self, slot: Slot) -> Result<Thought<'_>, Fault> {
        match self.part(slot, || Part::Reasoning { text: String::new(), signature: None, redacted: None })? {
            Part::Reasoning { text, signature, redacted } => Ok((text, signature, redacted)),
            _ => Err(Fault::Broken("reasoning is in a part of another kind".into())),
        }
    }
}

/// Text, signature and what is redacted.
type Thought<'a> = (&'a mut String, &'a mut Option<String>, &'a mut Option<String>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_an_id_or_with_a_taken_one_gets_its_own() {
        let messages = [
            Message { role: Role::User, parts: vec![Part::Text { text: "go".into() }] },
            Message {
                role: Role::Assistant,
                parts: vec![Part::ToolCall { id: "call_0".into(), name: "a".into(), arguments: String::new() }],
            },
        ];
        let conversation = Conversation::of("m", &messages).unwrap();
        let mut assembly = Assembly::default();
        for (index, id) in ["call_0", "", "x", "x"].into_iter().enumerate() {
            assembly.call(Slot::Call(index as u64), id, "read", &|_| ()).unwrap();
        }
        let message = assembly.message(&conversation).unwrap();
        let ids: Vec<&str> = message.tool_calls().map(|(id, _, _)| id).collect();
        assert_eq!(ids, ["call_1", "call_2", "x", "call_4"]);
    }

    #[test]
    fn parts_beyond_the_limit_are_refused() {
        let mut assembly = Assembly::default();
        for index in 0..PARTS_MAX {
            assembly.call(Slot::Call(index as u64), "", "read", &|_| ()).unwrap();
        }
        let beyond = assembly.call(Slot::Call(u64::MAX), "", "read", &|_| ());
        assert!(matches!(beyond, Err(Fault::TooLarge(_))));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let conversation = Conversation::default();
        let mut assembly = Assembly::default();
        assert!(matches!(assembly.arguments(Slot::Call(0), "{}"), Err(Fault::Calls(_))));
        assembly.call(Slot::Call(0), "a", "", &|_| ()).unwrap();
        assert!(matches!(assembly.call(Slot::Call(0), "b", "read", &|_| ()), Err(Fault::Calls(_))));
        assert!(matches!(assembly.text(Slot::Call(0), "x", &|_| ()), Err(Fault::Broken(_))));
        assert!(matches!(assembly.message(&conversation), Err(Fault::Calls(_))));
    }
}
