//! An agent against the journal of one of its sessions: nothing is done, nothing is asked, nothing costs.
//!
//! Every import is answered from the journal, as when a session is taken up again. Either the agent asks for the same
//! to the end, or there is a first difference, or the journal ends before the agent does. What an agent logs is not
//! compared: nothing depends on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::agent::Diverged;
use super::call::Kernel;
use super::inbox::Inbox;
use super::run::{AgentSetup, NO_END, SessionError, ended, imports, stage};
use crate::gate::explain::escaped;
use crate::journal::{Body, Entry, History, Key, SessionJournal};

/// Characters of an outcome where it is named for people.
const OUTCOME_CHARS_MAX: usize = 400;

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What was asked and answered as it was.
    pub requests: Requests,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Verdict {
    /// The same requests, and the same outcome.
    Identical,
    /// The same as far as the journal goes: the session was cut off, or its agent was.
    CutOff {
        key: Key,
        /// What would have come next.
        next: String,
    },
    /// The first difference.
    Differs {
        key: Key,
        /// The entry of the journal where it shows.
        sequence: Option<u64>,
        recorded: String,
        asked: String,
    },
}

/// Requests of an agent, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    pub calls: u64,
    pub questions: u64,
    pub waits: u64,
    pub listens: u64,
}

impl Requests {
    #[must_use]
    pub fn all(&self) -> u64 {
        self.calls + self.questions + self.waits + self.listens
    }
}

/// The journal has no answer to this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal ends before step {key}")]
pub(super) struct JournalOver {
    pub key: Key,
    pub asked: String,
}

/// What a replay has seen so far.
#[derive(Default)]
pub(super) struct Played {
    calls: AtomicU64,
    questions: AtomicU64,
    waits: AtomicU64,
    listens: AtomicU64,
    over: Mutex<Option<JournalOver>>,
}

impl Played {
    pub(super) fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn question(&self) {
        self.questions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn wait(&self) {
        self.waits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn listen(&self) {
        self.listens.fetch_add(1, Ordering::Relaxed);
    }

    /// The first one is where the journal ended.
    pub(super) fn end(&self, over: JournalOver) {
        self.over.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(over);
    }

    fn requests(&self) -> Requests {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (calls, questions) = (of(&self.calls), of(&self.questions));
        Requests { calls, questions, waits: of(&self.waits), listens: of(&self.listens) }
    }
}

/// Run an agent against the entries of a session. `journal` is one that nobody keeps.
///
/// # Errors
/// The entries do not hold the session's beginning.
pub async fn replay(
    kernel: &Arc<Kernel>,
    setup: &AgentSetup,
    journal: SessionJournal,
    session: &str,
    entries: &[Entry],
) -> Result<Replayed, SessionError> {
    let history = History::load(entries);
    let started = history.started().map(|entry| (&entry.body, entry.time_ms));
    let Some((Body::SessionStarted { task, .. }, time_ms)) = started else {
        return Err(SessionError::NoStart(session.to_owned()));
    };
    let task = task.clone();
    let played = Arc::new(Played::default());
    let inbox = Arc::new(Inbox::new(journal.clone(), false));
    // Nobody stops it: what holds the sender is this function.
    let (_stop, stopped) = watch::channel(false);
    let parts =
        imports(kernel, setup, journal.clone(), session, time_ms, history, inbox, stopped, Some(played.clone()));
    let (context, task) = stage(&parts, setup, session, &task);
    let outcome = kernel.runtime.run_agent(&setup.linked, context, &task).await;
    let requests = played.requests();
    let differs = |key: Key, recorded: String, asked: String| {
        let sequence = sequence_of(entries, &key);
        Replayed { verdict: Verdict::Differs { key, sequence, recorded, asked }, requests }
    };
    if let Some(Diverged { key, recorded, asked }) =
        parts.diverged.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        return Ok(differs(key, recorded, asked));
    }
    let recorded_end = parts.history.ended().and_then(Outcome::of);
    let over = played.over.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(JournalOver { key, asked }) = over {
        // What came to an end by itself asked for nothing more.
        return Ok(match recorded_end.filter(|end| end.is_of_agent) {
            Some(end) => differs(key, end.words(), asked),
            None => Replayed { verdict: Verdict::CutOff { key, next: asked }, requests },
        });
    }
    let taken = parts.step.load(Ordering::Relaxed);
    let now = match outcome {
        Ok(outcome) => Outcome::now(ended(outcome), &journal),
        Err(error) => Outcome::broken(&error.to_string()),
    };
    if let Some((step, recorded)) = parts.history.next_recorded(taken) {
        return Ok(differs(step.to_string(), recorded, now.words()));
    }
    let key = taken.to_string();
    Ok(match recorded_end {
        None => Replayed { verdict: Verdict::CutOff { key, next: now.words() }, requests },
        Some(end) if end.is_same(&now) => Replayed { verdict: Verdict::Identical, requests },
        Some(end) => {
            let sequence = parts.history.ended().map(|entry| entry.sequence);
            let (recorded, asked) = (end.words(), now.words());
            Replayed { verdict: Verdict::Differs { key, sequence, recorded, asked }, requests }
        }
    })
}

/// The first entry at a key, or within it.
fn sequence_of(entries: &[Entry], key: &str) -> Option<u64> {
    let is_at = |entry: &&Entry| {
        let found = match &entry.body {
            Body::CallStarted { key, .. }
            | Body::CallEnded { key, .. }
            | Body::Refused { key, .. }
            | Body::WaitStarted { key, .. }
            | Body::ModelAsked { key, .. }
            | Body::Heard { key, .. } => key,
            _ => return false,
        };
        found.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    entries.iter().find(is_at).map(|entry| entry.sequence)
}

/// How a session ended, or would.
struct Outcome {
    status: String,
    summary: String,
    details: Value,
    /// It is what the agent said: it was not ended from outside.
    is_of_agent: bool,
}

impl Outcome {
    fn of(entry: &Entry) -> Option<Self> {
        let Body::SessionEnded { status, summary, details } = &entry.body else { return None };
        // Who is ended by a limit or a trap says nothing about itself.
        let is_of_agent = !summary.contains(NO_END);
        Some(Self { status: status.clone(), summary: summary.clone(), details: details.clone(), is_of_agent })
    }

    fn now(ended: super::run::Ended, journal: &SessionJournal) -> Self {
        Self {
            status: ended.status.to_owned(),
            summary: journal.masked_text(&ended.summary),
            details: journal.masked(ended.details),
            is_of_agent: true,
        }
    }

    fn broken(why: &str) -> Self {
        let (status, summary) = ("failed".to_owned(), format!("{NO_END}: {why}"));
        Self { status, summary, details: Value::Null, is_of_agent: false }
    }

    /// The host may have added to what the agent said, and have taken its claim for less than it was.
    fn is_same(&self, now: &Self) -> bool {
        if !self.is_of_agent || !now.is_of_agent {
            return self.is_of_agent == now.is_of_agent;
        }
        let is_status = self.status == now.status || self.status == "escalated";
        is_status && self.summary.starts_with(&now.summary) && self.details == now.details
    }

    fn words(&self) -> String {
        let text: String = self.summary.chars().take(OUTCOME_CHARS_MAX).collect();
        format!("the end, {}: {}", escaped(&self.status), escaped(&text))
    }
}
