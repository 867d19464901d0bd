//! A session as JSON lines that others can verify.
//!
//! The first line says where the chain begins and ends. Then comes a line for each entry: `body` is, byte for byte,
//! the text that is stored and hashed, and always the last key. Large payloads come before the entry that refers to
//! them, as lines of their own. A value that was named a secret after it was written is taken out here as well; the
//! line says so, since its hash is that of the text as it is stored.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::mask::{Mask, within_json};
use super::session::PAGE_ROWS;
use super::{JournalError, verify};
use crate::clock;
use crate::store::Store;

/// The form of the lines.
const VERSION: u32 = 1;
const KEY: &str = "$blob";

/// A session as JSON lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub text: String,
    /// What verification found; nothing, where the chain holds.
    pub problems: Vec<String>,
}

/// All of a session as it is stored.
///
/// # Errors
/// The store failed, or there is no such session.
pub async fn export(store: &dyn Store, id: &str, mask: Option<&dyn Mask>) -> Result<Exported, JournalError> {
    let record = store.session(id).await?.ok_or_else(|| super::render::no_session(id))?;
    let reports = verify(store, Some(id)).await?;
    let problems: Vec<String> =
        reports.iter().flat_map(|report| &report.problems).map(|problem| problem.detail.clone()).collect();
    let head = store.head(id).await?;
    let head_entries = head.as_ref().map(|head| head.entries).filter(|_| problems.is_empty());
    let first = json!({
        "export": "pi-host session", "version": VERSION, "session": record.id, "agent": record.agent,
        "status": record.status, "created_ms": record.created_ms, "created": clock::rfc3339(record.created_ms),
        "start": record.hash, "entries": head.as_ref().map(|head| head.entries), "head": head.map(|head| head.hash),
        "problems": problems, "pruned": reports.first().and_then(|report| report.pruned.clone()),
        "hashing": "SHA-256(previous hash, 32 bytes; sequence, 8 bytes big-endian; time_ms, 8 bytes big-endian; body, as it stands here); the first entry's previous hash is `start`",
    });
    let mut text = format!("{first}\n");
    let mut written = BTreeSet::new();
    let mut from = 0;
    loop {
        let page = store.rows(id, from, PAGE_ROWS).await?;
        let Some(last) = page.last() else { break };
        from = last.sequence + 1;
        // What was appended since the head was read is not among what was verified.
        for row in page.iter().take_while(|row| head_entries.is_none_or(|entries| row.sequence < entries)) {
            let parsed: Result<Value, _> = serde_json::from_str(&row.body);
            if let Ok(body) = &parsed {
                payloads(store, body, mask, &mut written, &mut text).await?;
            }
            let shown = Shown::of(&row.body, parsed.ok(), mask);
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{{\"sequence\":{},\"time_ms\":{},\"time\":{},\"hash\":{},{}}}",
                row.sequence,
                row.time_ms,
                json!(clock::rfc3339(row.time_ms)),
                json!(row.hash),
                shown.fields("body")
            );
        }
    }
    Ok(Exported { text, problems })
}

/// The payloads that a value refers to, and those that they refer to, each once.
async fn payloads(
    store: &dyn Store,
    value: &Value,
    mask: Option<&dyn Mask>,
    written: &mut BTreeSet<String>,
    text: &mut String,
) -> Result<(), JournalError> {
    let mut next = Vec::new();
    references(value, &mut next);
    while let Some(sha256) = next.pop() {
        if !written.insert(sha256.clone()) {
            continue;
        }
        // One that is gone is among the problems.
        let Some(payload) = store.blob(&sha256).await? else { continue };
        let parsed: Option<Value> = serde_json::from_str(&payload).ok();
        if let Some(parsed) = &parsed {
            references(parsed, &mut next);
        }
        let shown = Shown::of(&payload, parsed, mask);
        let _ = writeln!(text, "{{\"sha256\":{},{}}}", json!(sha256), shown.fields("payload"));
    }
    Ok(())
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => match fields.get(KEY).and_then(Value::as_str) {
            Some(sha256) => found.push(sha256.to_owned()),
            None => fields.values().for_each(|field| references(field, found)),
        },
        _ => {}
    }
}

/// What of a stored text can be shown.
enum Shown<'t> {
    AsStored(&'t str),
    Masked(Value),
    /// Somebody has changed it: it is no JSON any more.
    NoJson(String),
}

impl<'t> Shown<'t> {
    fn of(stored: &'t str, parsed: Option<Value>, mask: Option<&dyn Mask>) -> Self {
        let Some(mut value) = parsed else {
            return Self::NoJson(mask.map_or_else(|| stored.to_owned(), |mask| mask.hidden(stored).into_owned()));
        };
        // A line break would begin a line that could be taken for an entry.
        let is_one_line = !stored.contains('\n');
        match mask {
            Some(mask) if within_json(mask, &mut value) => Self::Masked(value),
            _ if is_one_line => Self::AsStored(stored),
            _ => Self::NoJson(stored.to_owned()),
        }
    }

    fn fields(&self, name: &str) -> String {
        match self {
            Self::AsStored(text) => format!("\"{name}\":{text}"),
            Self::Masked(value) => format!("\"masked\":true,\"{name}\":{value}"),
            Self::NoJson(text) => format!("\"changed\":true,\"{name}\":{}", json!(text)),
        }
    }
}
