//! One session's chain: it links bodies in the order in which they come and hands them to the writer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::chain::{self, Hash};
use super::mask;
use super::payload::{self, BODY_BYTES_MAX, Large};
use super::writer::{Health, Item, Waiter, Writer};
use super::{Body, Entry, JournalError};
use crate::clock;
use crate::store::{Blob, Durability, Lease, Row, SUMMARY_CHARS_MAX, SessionMark, Store};

/// The journal of one session. Clones append to the same chain.
#[derive(Clone)]
pub struct SessionJournal {
    chain: Arc<Chain>,
}

/// The end of a chain, and the way to the store.
pub(super) struct Chain {
    id: Arc<str>,
    end: Mutex<End>,
    writer: Arc<Writer>,
    followers: Followers,
}

/// Those who want to hear of each entry as it is appended.
pub(super) type Followers = tokio::sync::broadcast::Sender<Arc<Followed>>;

/// An entry as it was appended, for who follows the host's work.
#[derive(Clone, Debug)]
pub struct Followed {
    pub session: Arc<str>,
    pub time_ms: u64,
    pub body: Body,
}

struct End {
    /// The sequence of the next entry.
    next: u64,
    hash: Hash,
    time_ms: u64,
}

impl Chain {
    pub(super) fn new(
        id: &str,
        next: u64,
        hash: Hash,
        time_ms: u64,
        writer: Arc<Writer>,
        followers: Followers,
    ) -> Self {
        writer.attach();
        Self { id: Arc::from(id), end: Mutex::new(End { next, hash, time_ms }), writer, followers }
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    /// Nobody follows most of the time: then this is one look at a counter.
    fn tell(&self, time_ms: u64, body: Body) {
        if self.followers.receiver_count() > 0 {
            let _ = self.followers.send(Arc::new(Followed { session: self.id.clone(), time_ms, body }));
        }
    }
}

impl SessionJournal {
    /// The store that it is written to, and the lease under which: for what plugins keep beside it.
    #[must_use]
    pub fn store(&self) -> (&dyn Store, &Lease) {
        (self.chain.writer.store(), self.chain.writer.lease())
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.writer.detach();
    }
}

impl SessionJournal {
    pub(super) fn new(chain: Arc<Chain>) -> Self {
        Self { chain }
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.chain.id
    }

    /// The time of the last entry, milliseconds since 1970: what a session calls now.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.chain.lock().time_ms
    }

    /// Append without waiting until it is stored: entries are written in groups, in order. Returns
    /// the entry's time, milliseconds since 1970.
    ///
    /// Whoever appends on behalf of a guest awaits [`Self::ready`] before, so that a slow disk slows
    /// the guest down instead of filling the memory.
    pub fn append(&self, body: Body) -> u64 {
        let (body, text) = self.written(body).unwrap_or_else(|error| {
            // What cannot be kept as it may be is not kept; that there was something is.
            let body = left_out(&error);
            let text = to_value(&body).to_string();
            (body, text)
        });
        let mark = mark(&self.chain.id, &body);
        let (text, blobs) = encode(&body, text).unwrap_or_else(|_| payload::lift(to_value(&body), Large::LeftOut));
        let time_ms = self.push(text, blobs, mark, None);
        self.chain.tell(time_ms, body);
        time_ms
    }

    /// Append and wait until it, and all before it, is stored.
    ///
    /// # Errors
    /// The store could not write (disk full, lease lost), or the body is too large. It counts as
    /// not stored: what it is the intent of must not be done.
    pub async fn append_durable(&self, body: Body) -> Result<u64, JournalError> {
        let (body, text) = self.written(body)?;
        let mark = mark(&self.chain.id, &body);
        let (text, blobs) = encode(&body, text)?;
        self.chain.writer.ready().await;
        let (sender, stored) = tokio::sync::oneshot::channel();
        let waiter = Waiter { durability: Durability::Disk, stored: sender };
        let time_ms = self.push(text, blobs, mark, Some(waiter));
        match stored.await {
            Ok(result) => {
                result?;
                self.chain.tell(time_ms, body);
                Ok(time_ms)
            }
            Err(_) => Err(self.chain.writer.reason()),
        }
    }

    /// A value as an entry of this journal would keep it: what is compared with what was kept, or is to be given again
    /// from there, has to be hidden as that was.
    #[must_use]
    pub fn masked(&self, mut value: Value) -> Value {
        if let Some(mask) = self.chain.writer.mask() {
            mask::within_json(mask, &mut value);
        }
        value
    }

    /// The same of a text.
    #[must_use]
    pub fn masked_text(&self, text: &str) -> String {
        self.chain.writer.mask().map_or_else(|| text.to_owned(), |mask| mask.hidden(text).into_owned())
    }

    /// An entry as it is kept, and its JSON.
    fn written(&self, body: Body) -> Result<(Body, String), JournalError> {
        let text = to_text(&body)?;
        match self.chain.writer.mask() {
            Some(mask) if mask::may_hold(mask, &text) => match mask::body(mask, &body)? {
                Some(masked) => to_text(&masked).map(|text| (masked, text)),
                None => Ok((body, text)),
            },
            _ => Ok((body, text)),
        }
    }

    /// Wait while more is on its way to the store than [`QUEUE_BYTES_HIGH`](super::QUEUE_BYTES_HIGH).
    pub async fn ready(&self) {
        self.chain.writer.ready().await;
    }

    /// Wait until everything that was appended so far is stored.
    ///
    /// # Errors
    /// The store could not write.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.chain.writer.flush(Durability::Disk).await
    }

    /// Have what was appended so far written at once: whoever will wait for it soon waits less.
    pub fn hurry(&self) {
        self.chain.writer.hurry();
    }

    /// Wait until everything that was appended so far outlives this process: a kill loses nothing of it, a power cut
    /// may. What leaves for others to see waits for this.
    ///
    /// # Errors
    /// The store could not write.
    pub async fn outlive(&self) -> Result<(), JournalError> {
        self.chain.writer.flush(Durability::Kernel).await
    }

    /// Whether the journal can still write, and what it could not.
    #[must_use]
    pub fn health(&self) -> Health {
        self.chain.writer.health()
    }

    /// All entries of the session, in order.
    ///
    /// # Errors
    /// The store failed, or an entry cannot be read.
    pub async fn entries(&self) -> Result<Vec<Entry>, JournalError> {
        self.flush().await?;
        entries(self.chain.writer.store(), &self.chain.id).await
    }

    /// Link and queue under one lock, so that the order of the chain is the order of the rows.
    fn push(&self, text: String, blobs: Vec<Blob>, mut mark: Option<SessionMark>, waiter: Option<Waiter>) -> u64 {
        let body: Arc<str> = Arc::from(text);
        let mut end = self.chain.lock();
        // Time never runs backwards within a session, whatever the system's clock does.
        let time_ms = clock::now_ms().max(end.time_ms);
        let hash = chain::link(&end.hash, end.next, time_ms, &body);
        let row = Row { session: self.chain.id.clone(), sequence: end.next, time_ms, body, hash: chain::to_hex(&hash) };
        if let Some(SessionMark::Ended { time_ms: ended_ms, .. }) = &mut mark {
            *ended_ms = time_ms;
        }
        *end = End { next: end.next + 1, hash, time_ms };
        self.chain.writer.push(Item { row: Some(row), blobs, mark, waiter });
        time_ms
    }
}

/// How many rows are read at a time.
pub(super) const PAGE_ROWS: u32 = 1_000;

/// All stored entries of a session, in order, with their payloads. Needs no lease.
///
/// # Errors
/// The store failed, or an entry cannot be read.
pub async fn entries(store: &dyn Store, session: &str) -> Result<Vec<Entry>, JournalError> {
    let mut entries = Vec::new();
    loop {
        let from = entries.last().map_or(0, |entry: &Entry| entry.sequence + 1);
        let page = store.rows(session, from, PAGE_ROWS).await?;
        let is_last = page.len() < PAGE_ROWS as usize;
        for row in page {
            entries.push(read(store, row).await?);
        }
        if is_last {
            return Ok(entries);
        }
    }
}

async fn read(store: &dyn Store, row: Row) -> Result<Entry, JournalError> {
    let broken = |why: &dyn std::fmt::Display| {
        JournalError(format!("entry {} of session `{}` cannot be read: {why}", row.sequence, row.session))
    };
    let value = payload::restore(store, &row.body).await.map_err(|error| broken(&error))?;
    let body = serde_json::from_value(value).map_err(|error| broken(&error))?;
    Ok(Entry { session: row.session.to_string(), sequence: row.sequence, time_ms: row.time_ms, body, hash: row.hash })
}

pub(super) fn to_text(body: &Body) -> Result<String, JournalError> {
    serde_json::to_string(body).map_err(|error| JournalError(format!("the entry is no JSON: {error}")))
}

/// What stands for an entry that could not be written.
fn left_out(error: &JournalError) -> Body {
    let message = format!("an entry was left out: {error}");
    Body::Logged { plugin: String::new(), level: "error".into(), context: "journal".into(), message }
}

/// What of a body's JSON goes into the chain, and what beside it.
fn encode(body: &Body, text: String) -> Result<(String, Vec<Blob>), JournalError> {
    if text.len() > BODY_BYTES_MAX {
        return Err(JournalError(format!("the entry is {} bytes, and may be: {BODY_BYTES_MAX}", text.len())));
    }
    if !payload::needs_lift(&text) {
        return Ok((text, Vec::new()));
    }
    Ok(payload::lift(to_value(body), Large::Beside))
}

/// A body is made of text, numbers and JSON values with text as keys: it always is a JSON value.
fn to_value(body: &Body) -> Value {
    serde_json::to_value(body).unwrap_or(Value::Null)
}

/// What an entry changes in the list of sessions.
fn mark(session: &Arc<str>, body: &Body) -> Option<SessionMark> {
    match body {
        Body::SessionStarted { agent, .. } => {
            Some(SessionMark::Started { session: session.clone(), agent: agent.clone() })
        }
        Body::SessionEnded { status, summary, .. } => Some(SessionMark::Ended {
            session: session.clone(),
            status: status.clone(),
            summary: summary.chars().take(SUMMARY_CHARS_MAX).collect(),
            // Set when the entry is linked.
            time_ms: 0,
        }),
        // One that had failed is open again.
        Body::SessionResumed { .. } => Some(SessionMark::Resumed { session: session.clone() }),
        Body::SessionPruned { session, .. } => Some(SessionMark::Pruned { session: Arc::from(session.as_str()) }),
        _ => None,
    }
}
