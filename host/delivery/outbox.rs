//! The outbox: letters wait in the store until they are delivered or given up.
//!
//! A letter's place in the store is made of its delivery and its report, so that the same report is posted once however
//! often its session ends. The try is written down before it is made: a letter that ends its host is given up in the end
//! like any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::outbound::ChannelError;
use crate::store::{Lease, Store, StoreError};

/// Where letters stand in the store.
const LETTERS: &str = "outbox/";
/// The first wait after a failure, and the longest: it doubles from one to the other.
const WAIT_FIRST_MS: u64 = 30_000;
const WAIT_MAX_MS: u64 = 3_600_000;
/// How long letters are kept that nobody waits for.
const KEPT_MS: u64 = 30 * 86_400_000;
/// Reports of one digest. Danger: a message that nobody reads.
const REPORTS_MAX: usize = 100;
const HOUR_MS: u64 = 3_600_000;

/// What a letter brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Reports, by their ids.
    Reports(Vec<String>),
    /// That there is no report, and why.
    Note { title: String, text: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterState {
    Waiting,
    Delivered,
    /// Given up; it is kept for people, who may send it again.
    Dead,
}

impl LetterState {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// Something on its way by one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Of the delivery and the content: `team/ghost-1`.
    pub id: String,
    /// Of `[delivery.NAME]`.
    pub delivery: String,
    pub content: Content,
    pub state: LetterState,
    pub created_ms: u64,
    /// When it was, or is, tried first.
    pub first_ms: u64,
    /// When it is tried next.
    pub due_ms: u64,
    pub attempts: u32,
    pub changed_ms: u64,
    /// Where it is now, or why it is not there.
    pub note: String,
}

impl Letter {
    /// A letter that is tried from `due_ms` on.
    #[must_use]
    pub fn new(delivery: &str, name: &str, content: Content, now_ms: u64, due_ms: u64) -> Self {
        Self {
            id: format!("{delivery}/{name}"),
            delivery: delivery.to_owned(),
            content,
            state: LetterState::Waiting,
            created_ms: now_ms,
            first_ms: due_ms,
            due_ms,
            attempts: 0,
            changed_ms: now_ms,
            note: String::new(),
        }
    }

    /// What a receiver knows a copy by.
    #[must_use]
    pub fn key(&self) -> String {
        let text = format!("{}/{}", self.id, self.created_ms);
        Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    #[must_use]
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.state == LetterState::Waiting && self.due_ms <= now_ms
    }

    /// A try begins: should nothing more be heard of it, it is tried again after the wait.
    #[must_use]
    pub fn tried(&self, now_ms: u64) -> Self {
        let wait = WAIT_FIRST_MS.saturating_mul(1 << self.attempts.min(20)).min(WAIT_MAX_MS);
        let attempts = self.attempts.saturating_add(1);
        Self { attempts, due_ms: now_ms.saturating_add(wait), changed_ms: now_ms, ..self.clone() }
    }

    /// What came of a try.
    #[must_use]
    pub fn settled(&self, sent: &Result<String, ChannelError>, now_ms: u64, give_up_hours: u32) -> Self {
        let is_late = now_ms.saturating_sub(self.first_ms) >= u64::from(give_up_hours).saturating_mul(HOUR_MS);
        let (state, note) = match sent {
            Ok(receipt) => (LetterState::Delivered, receipt.clone()),
            Err(error) if error.is_temporary() && !is_late => (LetterState::Waiting, error.to_string()),
            Err(error) => (LetterState::Dead, error.to_string()),
        };
        Self { state, note, changed_ms: now_ms, ..self.clone() }
    }

    /// Tried again from now on, as if it were new.
    #[must_use]
    pub fn again(&self, now_ms: u64) -> Self {
        Self { state: LetterState::Waiting, first_ms: now_ms, due_ms: now_ms, attempts: 0, ..self.clone() }
    }

    /// Nobody waits for it, and it is old.
    fn is_stale(&self, now_ms: u64) -> bool {
        self.state != LetterState::Waiting && now_ms.saturating_sub(self.changed_ms) > KEPT_MS
    }
}

fn place(id: &str) -> String {
    format!("{LETTERS}{id}")
}

/// All letters, by their ids. What cannot be read is none.
///
/// # Errors
/// The store cannot be read.
pub async fn letters(store: &dyn Store) -> Result<BTreeMap<String, Letter>, StoreError> {
    let values = store.values(LETTERS).await?;
    let letters = values.into_iter().filter_map(|(_, value)| serde_json::from_value::<Letter>(value).ok());
    Ok(letters.map(|letter| (letter.id.clone(), letter)).collect())
}

/// # Errors
/// The store cannot be read.
pub async fn letter(store: &dyn Store, id: &str) -> Result<Option<Letter>, StoreError> {
    Ok(store.value(&place(id)).await?.and_then(|value| serde_json::from_value(value).ok()))
}

/// # Errors
/// The store cannot be written.
pub async fn keep(store: &dyn Store, lease: &Lease, letter: &Letter) -> Result<(), StoreError> {
    store.set_value(lease, &place(&letter.id), &json!(letter)).await
}

/// Post a letter where it is not posted yet. A digest that waits takes the reports in. None: there is nothing to change.
///
/// # Errors
/// The store cannot be read.
pub async fn posting(store: &dyn Store, new: Letter) -> Result<Option<(String, Option<Value>)>, StoreError> {
    let Some(mut known) = letter(store, &new.id).await? else {
        return Ok(Some((place(&new.id), Some(json!(new)))));
    };
    let (Content::Reports(known_reports), Content::Reports(reports)) = (&mut known.content, &new.content) else {
        return Ok(None);
    };
    let missing: Vec<String> = reports.iter().filter(|report| !known_reports.contains(report)).cloned().collect();
    if missing.is_empty() || known.state != LetterState::Waiting {
        return Ok(None);
    }
    known_reports.extend(missing);
    let surplus = known_reports.len().saturating_sub(REPORTS_MAX);
    known_reports.drain(..surplus);
    Ok(Some((place(&known.id), Some(json!(known)))))
}

/// Forget the letters that nobody waits for and that are old.
///
/// # Errors
/// The store cannot be written.
pub async fn sweep(
    store: &dyn Store,
    lease: &Lease,
    all: &BTreeMap<String, Letter>,
    now_ms: u64,
) -> Result<(), StoreError> {
    let stale: Vec<_> =
        all.values().filter(|letter| letter.is_stale(now_ms)).map(|letter| (place(&letter.id), None)).collect();
    if stale.is_empty() { Ok(()) } else { store.change_values(lease, &stale).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURS: u64 = HOUR_MS;

    fn down() -> Result<String, ChannelError> {
        Err(ChannelError::Unreachable { target: "x".into(), attempts: 1, cause: "refused".into() })
    }

    fn letter() -> Letter {
        Letter::new("team", "ghost-1", Content::Reports(vec!["ghost-1".into()]), 0, 0)
    }

    #[test]
    fn a_channel_that_fails_for_hours_is_tried_until_the_time_is_over() {
        let (mut letter, mut now_ms, mut tries) = (letter(), 0, 0_u32);
        while letter.state == LetterState::Waiting {
            assert!(letter.is_due(now_ms));
            letter = letter.tried(now_ms).settled(&down(), now_ms, 24);
            tries += 1;
            now_ms = letter.due_ms;
        }
        assert_eq!(letter.state, LetterState::Dead);
        assert!((24 * HOURS..26 * HOURS).contains(&letter.changed_ms), "{}", letter.changed_ms);
        assert!((28..36).contains(&tries), "{tries}");
        let again = letter.again(now_ms);
        assert!(again.is_due(now_ms) && again.key() == letter.key());
    }

    #[test]
    fn what_will_not_go_well_later_is_given_up_at_once() {
        let refused = ChannelError::Refused { target: "x".into(), code: "channel_not_found".into(), hint: "h".into() };
        assert_eq!(letter().tried(0).settled(&Err(refused), 0, 24).state, LetterState::Dead);
        let sent = letter().tried(0).settled(&Ok("there".into()), 5, 24);
        assert_eq!((sent.state, sent.note.as_str()), (LetterState::Delivered, "there"));
        assert!(!sent.is_stale(KEPT_MS) && sent.is_stale(KEPT_MS + 6));
    }

    #[test]
    fn keys_differ_by_delivery_and_report() {
        let other = Letter::new("boss", "ghost-1", letter().content, 0, 0);
        assert_ne!(letter().key(), other.key());
        assert_eq!(letter().key(), letter().tried(9).key());
    }
}
