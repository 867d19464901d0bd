//! The kill switch from the outside: `stop-all` and `resume-all`, whether or not a host runs; and what is shown of the
//! bounds of agents.
//!
//! The switch is thrown first, and written into the journal after that: what has to hold at once waits for nobody. The
//! entry is written by this process where no host has the store, and by the host where one has; a host that does not
//! answer finds it waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::requests::ALL_SWITCHED;
use super::single::session_id;
use super::state::{StateError, open_existing_store, open_store};
use crate::capability::safety::breaker::Breaker;
use crate::capability::safety::rate::Changes;
use crate::capability::safety::switch::{REASON_CHARS_MAX, Stopped, stopped, throw};
use crate::capability::safety::{BREAKER, CHANGES};
use crate::clock;
use crate::config::{Project, SafetyConfig};
use crate::journal::{Body, Journal, JournalError};
use crate::store::{Holder, LeaseError, NewRequest, Outcome, Store, StoreError};

/// How long a host may take to write the entry down before that is told. The switch holds meanwhile.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a request for the entry waits for a host to come.
const REQUEST_VALID_MS: u64 = 365 * 24 * 60 * 60 * 1_000;
/// Of the id of the session that holds the entry.
const SESSION: &str = "stop-all";
const HOST: &str = "host";

#[derive(Debug, thiserror::Error)]
pub enum SafetyError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("{error}\nhint: nothing was switched; {}", .error.hint())]
    Store { error: StoreError },
    #[error("the reason is longer than {REASON_CHARS_MAX} characters\nhint: nothing was switched; say it shorter")]
    Reason,
}

/// What a switch came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switched {
    pub is_stopped: bool,
    /// It was like that before.
    pub is_unchanged: bool,
    /// Why the journal has no entry of it yet; none, where it has one.
    pub unwritten: Option<String>,
}

/// What is written down of a switch: the payload of [`ALL_SWITCHED`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub is_stopped: bool,
    pub by: String,
    pub reason: String,
    pub time_ms: u64,
}

/// Stop everything that changes anything, for every host of the project's store.
///
/// # Errors
/// Nothing is stopped; the text says what to do.
pub async fn stop_all(project: &Project, by: &str, reason: &str) -> Result<Switched, SafetyError> {
    if reason.chars().count() > REASON_CHARS_MAX {
        return Err(SafetyError::Reason);
    }
    let store = open_store(project).await?;
    let before = stopped(store.as_ref()).await.map_err(failed)?;
    let now_ms = clock::now_ms();
    let to = Stopped { by: by.to_owned(), reason: reason.to_owned(), since_ms: now_ms };
    throw(store.as_ref(), Some(&to)).await.map_err(failed)?;
    let entry = Entry { is_stopped: true, by: to.by, reason: to.reason, time_ms: now_ms };
    let unwritten = write(&store, &entry).await;
    Ok(Switched { is_stopped: true, is_unchanged: before.is_some(), unwritten })
}

/// Let agents go on.
///
/// # Errors
/// All is as it was; the text says what to do.
pub async fn resume_all(project: &Project, by: &str) -> Result<Switched, SafetyError> {
    let store = open_existing_store(project).await?;
    if stopped(store.as_ref()).await.map_err(failed)?.is_none() {
        return Ok(Switched { is_stopped: false, is_unchanged: true, unwritten: None });
    }
    throw(store.as_ref(), None).await.map_err(failed)?;
    let entry = Entry { is_stopped: false, by: by.to_owned(), reason: String::new(), time_ms: clock::now_ms() };
    let unwritten = write(&store, &entry).await;
    Ok(Switched { is_stopped: false, is_unchanged: false, unwritten })
}

fn failed(error: StoreError) -> SafetyError {
    SafetyError::Store { error }
}

/// Have it written down; why it is not, where it is not.
async fn write(store: &std::sync::Arc<dyn Store>, entry: &Entry) -> Option<String> {
    match Journal::begin(store.clone(), &Holder::this_process(SESSION)).await {
        Ok(journal) => {
            let written = write_entry(&journal, entry).await;
            let closed = journal.close().await;
            written.err().or(closed.err()).map(|error| error.to_string())
        }
        Err(LeaseError::HeldBy(held)) => ask(store.as_ref(), entry)
            .await
            .map_err(|error| format!("{error} (the host is process {})", held.pid))
            .err(),
        Err(LeaseError::Store(error)) => Some(error.to_string()),
    }
}

/// Leave the entry to the host that has the store. It is not taken back: who comes later writes it.
async fn ask(store: &dyn Store, entry: &Entry) -> Result<(), String> {
    let payload = serde_json::to_value(entry).unwrap_or_default();
    let request = NewRequest { kind: ALL_SWITCHED.into(), payload, is_idempotent: true, valid_ms: REQUEST_VALID_MS };
    let id = store.push_request(request).await.map_err(|error| error.to_string())?;
    let begun = clock::monotonic();
    while begun.elapsed() < WRITTEN_WITHIN {
        match store.outcome(&id).await.map_err(|error| error.to_string())? {
            Outcome::Waiting | Outcome::Claimed => tokio::time::sleep(LOOK_EVERY).await,
            Outcome::Answered(answer) => {
                return answer.get("error").and_then(Value::as_str).map_or(Ok(()), |error| Err(error.to_owned()));
            }
            Outcome::Unknown | Outcome::Withdrawn => break,
        }
    }
    Err("the host has not written it down yet; it will be with the next one that works".to_owned())
}

/// One session of the host's own, whole when this returns.
///
/// # Errors
/// The journal cannot be written.
pub(super) async fn write_entry(journal: &Journal, entry: &Entry) -> Result<(), JournalError> {
    let session = journal.session(&session_id(SESSION)).await?;
    let task = json!({ "switch": entry });
    let (component, policy) = <(String, String)>::default();
    session.append(Body::SessionStarted { agent: HOST.into(), component, task, policy });
    let Entry { is_stopped, by, reason, time_ms } = entry.clone();
    let summary = if is_stopped { format!("everything was stopped by {by}") } else { format!("{by} let agents go on") };
    session.append(if is_stopped {
        Body::AllStopped { by, reason, time_ms }
    } else {
        Body::AllResumed { by, time_ms }
    });
    session.append_durable(Body::SessionEnded { status: "done".into(), summary, details: json!({}) }).await?;
    Ok(())
}

/// What is stored of the bounds of agents, for those who look.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SafetyStored {
    /// Everything is stopped.
    pub stopped: Option<Stopped>,
    /// Those that have counted a failure; the empty name is all services together.
    pub breakers: BTreeMap<String, BreakerStored>,
    /// Changes within the last hour; the empty name is everything together.
    pub changes: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Serialize)]
pub struct BreakerStored {
    pub failures: u32,
    /// Until when agents only propose. None: it is closed.
    pub open_until_ms: Option<u64>,
    /// The session that has the one attempt.
    pub attempt: Option<String>,
    /// The session that failed last.
    pub last: String,
}

/// What a host has stored of the bounds, whether it runs or not.
///
/// # Errors
/// The store cannot be read.
pub async fn stored_safety(store: &dyn Store, config: &SafetyConfig) -> Result<SafetyStored, StoreError> {
    let mut stored = SafetyStored { stopped: stopped(store).await?, ..SafetyStored::default() };
    for (key, value) in store.values(BREAKER).await? {
        let Ok(breaker) = serde_json::from_value::<Breaker>(value) else { continue };
        let open_ms = config.breaker_minutes.saturating_mul(60_000);
        let open_until_ms = breaker.opened_ms.map(|opened_ms| opened_ms.saturating_add(open_ms));
        let Breaker { failures, attempt, last, .. } = breaker;
        let name = key.strip_prefix(BREAKER).unwrap_or_default().to_owned();
        stored.breakers.insert(name, BreakerStored { failures, open_until_ms, attempt, last });
    }
    let now_ms = clock::now_ms();
    for (key, value) in store.values(CHANGES).await? {
        let Ok(changes) = serde_json::from_value::<Changes>(value) else { continue };
        let count = changes.within_hour(now_ms);
        if count > 0 {
            stored.changes.insert(key.strip_prefix(CHANGES).unwrap_or_default().to_owned(), count);
        }
    }
    Ok(stored)
}
