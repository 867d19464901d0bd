//! One line about a session: what it is about, how far it came, what it cost.
//!
//! It is counted from the entries each time, so that nothing beside the chain can say otherwise. Of most entries only
//! the first bytes are looked at.

use serde::Serialize;
use serde_json::Value;

use super::payload;
use super::session::PAGE_ROWS;
use super::{Body, JournalError, Mask};
use crate::model::Completion;
use crate::store::{OPEN, PRUNED, Row, SessionRecord, Store};

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 120;

/// A session as a list has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    #[serde(flatten)]
    pub session: SessionRecord,
    /// It is open, and no host has the store.
    pub is_cut_off: bool,
    /// The first words of its task.
    pub title: String,
    /// SHA-256 of the agent's component.
    pub component: String,
    pub entries: u64,
    /// Answers of models.
    pub turns: u64,
    /// Calls of tools.
    pub calls: u64,
    /// Of all answers; of a fork, of its own.
    pub tokens: u64,
    /// In billionths of a US dollar; of a fork, its own. None where no answer had a price.
    pub cost_nano_usd: Option<u64>,
    /// Whose entries it begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// Where a fork comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parent {
    pub session: String,
    pub at: u64,
}

/// A list of sessions, the oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub sessions: Vec<Overview>,
    /// How many there are before them.
    pub earlier: usize,
}

/// The latest sessions, or all of them. Those that were pruned are only in the whole list.
///
/// # Errors
/// The store failed.
pub async fn list(store: &dyn Store, with_pruned: bool, limit: Option<usize>) -> Result<Listed, JournalError> {
    let mut records = store.sessions().await?;
    records.retain(|record| with_pruned || record.status != PRUNED);
    let earlier = limit.map_or(0, |limit| records.len().saturating_sub(limit));
    let is_held = store.holder().await?.is_some();
    let mut sessions = Vec::new();
    for record in records.into_iter().skip(earlier) {
        sessions.push(counted(store, record, is_held).await?);
    }
    Ok(Listed { sessions, earlier })
}

/// One session.
///
/// # Errors
/// The store failed.
pub async fn overview(store: &dyn Store, record: SessionRecord) -> Result<Overview, JournalError> {
    let is_held = store.holder().await?.is_some();
    counted(store, record, is_held).await
}

async fn counted(store: &dyn Store, session: SessionRecord, is_held: bool) -> Result<Overview, JournalError> {
    let mut found = Overview {
        is_cut_off: session.status == OPEN && !is_held,
        session,
        title: String::new(),
        component: String::new(),
        entries: 0,
        turns: 0,
        calls: 0,
        tokens: 0,
        cost_nano_usd: None,
        parent: None,
    };
    loop {
        let page = store.rows(&found.session.id, found.entries, PAGE_ROWS).await?;
        let Some(last) = page.last() else { return Ok(found) };
        found.entries = last.sequence + 1;
        for row in &page {
            found.add(store, row).await;
        }
    }
}

impl Overview {
    /// Take out what was named a secret after it was written.
    pub fn hide(&mut self, mask: &dyn Mask) {
        for text in [&mut self.title, &mut self.session.summary] {
            *text = mask.hidden(text).into_owned();
        }
    }

    /// An entry that cannot be read counts for nothing: verification is who says so.
    async fn add(&mut self, store: &dyn Store, row: &Row) {
        let is = |entry: &str| row.body.strip_prefix("{\"entry\":\"").is_some_and(|rest| rest.starts_with(entry));
        self.calls += u64::from(is("call_started\""));
        if !["session_started\"", "session_forked\"", "model_answered\""].into_iter().any(is) {
            return;
        }
        let Ok(body) = payload::restore(store, &row.body).await else { return };
        match serde_json::from_value(body) {
            Ok(Body::SessionStarted { task, component, .. }) => {
                self.title = title(&task);
                self.component = component;
            }
            Ok(Body::SessionForked { parent, at, .. }) => {
                self.parent = Some(Parent { session: parent, at });
                (self.tokens, self.cost_nano_usd) = (0, None);
            }
            Ok(Body::ModelAnswered { answer, .. }) => {
                let Some(completion) = completion(&answer) else { return };
                self.turns += 1;
                let tokens = completion.usage.input_all().saturating_add(completion.usage.output);
                self.tokens = self.tokens.saturating_add(tokens);
                if let Some(cost) = completion.cost_nano_usd {
                    self.cost_nano_usd = Some(self.cost_nano_usd.unwrap_or(0).saturating_add(cost));
                }
            }
            _ => {}
        }
    }
}

/// What a model answered, where it did.
#[must_use]
pub fn completion(answer: &Value) -> Option<Completion> {
    serde_json::from_value(answer.get("ok")?.clone()).ok()
}

/// What a session is about, in its first words.
fn title(task: &Value) -> String {
    let text = |pointer: &str| task.pointer(pointer).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let words = text("/prompt").map(str::to_owned);
    let words = words.or_else(|| {
        let alarm = text("/input/alert/title")?;
        Some(text("/input/alert/service").map_or_else(|| alarm.to_owned(), |service| format!("{service}: {alarm}")))
    });
    let words = words.or_else(|| text("/tool").map(|tool| format!("call of `{tool}`")));
    let words = words.unwrap_or_else(|| if task.get("prune").is_some() { "retention".into() } else { String::new() });
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_title_is_the_first_words_of_what_was_asked_or_what_has_woken_the_agent() {
        let of = |task: Value| title(&task);
        assert_eq!(of(json!({ "prompt": "make\n the  test pass", "input": {} })), "make the test pass");
        assert_eq!(
            of(json!({ "prompt": " ", "input": { "alert": { "title": "down", "service": "shop" } } })),
            "shop: down"
        );
        assert_eq!(of(json!({ "tool": "bash" })), "call of `bash`");
        assert_eq!(of(json!({ "prompt": "x".repeat(1_000) })).len(), TITLE_CHARS_MAX);
        assert_eq!(of(Value::Null), "");
    }
}
