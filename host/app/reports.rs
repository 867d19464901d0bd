//! Reports that agents hand in: kept in an index, acknowledged and muted by people.
//!
//! The files are written first, then the index, then the session ends: a host that is killed in between does it again,
//! and nothing is there twice, because a report is known by its session.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::gate::explain::escaped;
use crate::report::{Document, DocumentFinding};
use crate::store::{Lease, Store, StoreError};

/// Keys of the store: a report, by its id.
const REPORT: &str = "report/";
/// What people said of findings, by the job or topic: a list, handed to the agent the next time.
pub const OPINIONS: &str = "opinion/";
/// Opinions of one topic. Danger: a list that nobody reads, in every session of its job.
const OPINIONS_MAX: usize = 1_000;

/// A report in the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// The session that made it.
    pub id: String,
    pub agent: String,
    /// The series that it belongs to.
    pub topic: String,
    /// The job that woke the agent; empty where a person did.
    pub job: String,
    pub title: String,
    pub summary: String,
    pub is_noteworthy: bool,
    pub findings: Vec<DocumentFinding>,
    pub created_ms: u64,
    /// Who has read it, and when.
    pub acknowledged: Option<Acknowledged>,
    /// `report.md`; the page and the pictures lie beside it.
    pub path: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    pub by: String,
    pub at_ms: u64,
}

/// What somebody said of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Of the finding, or the beginning of several, ending with `*`.
    pub key: String,
    /// `muted`: it is not told any more.
    pub verdict: String,
    pub by: String,
    pub at_ms: u64,
    /// None: for good.
    pub until_ms: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no report `{id}`\nhint: `pi-host report list` has them")]
    None { id: String },
    #[error("the report `{id}` has no finding {number}\nhint: it has {count}; `pi-host report show {id}` lists them")]
    NoFinding { id: String, number: usize, count: usize },
    #[error("{count} opinions are kept for `{topic}`, and no more are\nhint: `pi-host report unmute` takes some back")]
    TooMany { topic: String, count: usize },
}

/// A report in the index, as a change of the store.
#[must_use]
pub fn stored(record: &ReportRecord) -> (String, Option<Value>) {
    (format!("{REPORT}{}", record.id), Some(json!(record)))
}

/// What goes into the index of a report.
#[must_use]
pub fn record_of(document: &Document, session: &str, agent: &str, input: &Value, path: PathBuf) -> ReportRecord {
    ReportRecord {
        id: session.to_owned(),
        agent: agent.to_owned(),
        topic: document.topic.clone(),
        job: input.pointer("/heartbeat/job").and_then(Value::as_str).unwrap_or_default().to_owned(),
        title: document.title.clone(),
        summary: document.summary.clone(),
        is_noteworthy: document.is_noteworthy,
        findings: document.findings.clone(),
        created_ms: clock::now_ms(),
        acknowledged: None,
        path,
    }
}

/// All reports, the newest first.
///
/// # Errors
/// The store cannot be read.
pub async fn reports(store: &Arc<dyn Store>) -> Result<Vec<ReportRecord>, StoreError> {
    let values = store.values(REPORT).await?;
    let mut all: Vec<ReportRecord> =
        values.into_iter().filter_map(|(_, value)| serde_json::from_value(value).ok()).collect();
    all.sort_by(|a, b| b.created_ms.cmp(&a.created_ms).then_with(|| b.id.cmp(&a.id)));
    Ok(all)
}

/// One report: by its id, by the beginning of it, or the newest (`latest`).
///
/// # Errors
/// There is none.
pub async fn report(store: &Arc<dyn Store>, id: &str) -> Result<ReportRecord, ReportsError> {
    let all = reports(store).await?;
    let found = match id {
        "latest" => all.into_iter().next(),
        id => {
            let exact = all.iter().find(|report| report.id == id).cloned();
            let mut begun = all.into_iter().filter(|report| !id.is_empty() && report.id.starts_with(id));
            exact.or_else(|| begun.next().filter(|_| begun.next().is_none()))
        }
    };
    found.ok_or_else(|| ReportsError::None { id: escaped(id) })
}

/// Somebody has read a report.
///
/// # Errors
/// There is none, or the store cannot be written.
pub async fn acknowledge(
    store: &Arc<dyn Store>,
    lease: &Lease,
    id: &str,
    by: &str,
) -> Result<ReportRecord, ReportsError> {
    let mut record = report(store, id).await?;
    record.acknowledged = Some(Acknowledged { by: by.to_owned(), at_ms: clock::now_ms() });
    store.change_values(lease, &[stored(&record)]).await?;
    Ok(record)
}

/// Somebody does not want to hear of a finding any more (its number in the report, from 1 on), for good or for so many days.
///
/// # Errors
/// There is no such finding, or the store cannot be written.
pub async fn mute(
    store: &Arc<dyn Store>,
    lease: &Lease,
    id: &str,
    number: usize,
    days: Option<u32>,
    by: &str,
) -> Result<Opinion, ReportsError> {
    let record = report(store, id).await?;
    let finding = number
        .checked_sub(1)
        .and_then(|index| record.findings.get(index))
        .ok_or_else(|| ReportsError::NoFinding { id: record.id.clone(), number, count: record.findings.len() })?;
    let now_ms = clock::now_ms();
    let until_ms = days.map(|days| now_ms.saturating_add(u64::from(days) * 86_400_000));
    let opinion =
        Opinion { key: finding.key.clone(), verdict: "muted".into(), by: by.to_owned(), at_ms: now_ms, until_ms };
    let topic = series(&record);
    let mut all = opinions(store, &topic).await?;
    all.retain(|known| known.key != opinion.key);
    if all.len() >= OPINIONS_MAX {
        return Err(ReportsError::TooMany { topic, count: all.len() });
    }
    all.push(opinion.clone());
    store.set_value(lease, &format!("{OPINIONS}{topic}"), &json!(all)).await?;
    Ok(opinion)
}

/// What is kept by: the job, so that its next session is told; else the topic.
fn series(record: &ReportRecord) -> String {
    if record.job.is_empty() { record.topic.clone() } else { record.job.clone() }
}

/// What people said of the findings of a job or topic, that still holds.
///
/// # Errors
/// The store cannot be read.
pub async fn opinions(store: &Arc<dyn Store>, topic: &str) -> Result<Vec<Opinion>, StoreError> {
    let value = store.value(&format!("{OPINIONS}{topic}")).await?.unwrap_or_else(|| json!([]));
    let mut all: Vec<Opinion> = serde_json::from_value(value).unwrap_or_default();
    let now_ms = clock::now_ms();
    all.retain(|opinion| opinion.until_ms.is_none_or(|until_ms| until_ms > now_ms));
    Ok(all)
}

/// Take opinions back: those of this key.
///
/// # Errors
/// The store cannot be written.
pub async fn unmute(store: &Arc<dyn Store>, lease: &Lease, topic: &str, key: &str) -> Result<bool, ReportsError> {
    let mut all = opinions(store, topic).await?;
    let count = all.len();
    all.retain(|opinion| opinion.key != key);
    store.set_value(lease, &format!("{OPINIONS}{topic}"), &json!(all)).await?;
    Ok(all.len() < count)
}
