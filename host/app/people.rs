//! What people ask of jobs and reports by commands: done by the host that runs, or here where none does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::heartbeat::{ask_back, ask_now, beat_of, set_paused};
use super::reports::{self, Opinion, ReportRecord};
use super::sessions::{SessionsError, by_holder};
use super::state::{open_existing_store, open_store};
use crate::config::{Project, user};
use crate::journal::Journal;

/// The kinds of requests.
const JOB: &str = "heartbeat";
const REPORT: &str = "report";

/// What is asked of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum JobRequest {
    Pause,
    Resume,
    /// Run it as soon as it may.
    Run,
    /// Run the slots of the past, at most so many.
    Backfill {
        from: Timestamp,
        to: Timestamp,
        most: usize,
    },
}

/// What is asked of a report.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum ReportRequest {
    Acknowledge { id: String },
    Mute { id: String, finding: usize, days: Option<u32> },
    Unmute { topic: String, key: String },
}

#[derive(Serialize, Deserialize)]
struct OfJob {
    job: String,
    request: JobRequest,
}

#[derive(Serialize, Deserialize)]
struct OfReport {
    request: ReportRequest,
    by: String,
}

/// Ask something of a job; how many slots are new by it.
///
/// # Errors
/// There is no such job, or it could not be written.
pub async fn ask_job(project: &Project, job: &str, request: JobRequest) -> Result<usize, SessionsError> {
    let payload = json!(OfJob { job: job.to_owned(), request });
    let done: Value = by_holder(project, open_store(project).await?, "heartbeat", JOB, payload).await?;
    Ok(done.get("new").and_then(Value::as_u64).and_then(|new| usize::try_from(new).ok()).unwrap_or_default())
}

/// Note that somebody has read a report.
///
/// # Errors
/// There is none, or it could not be written.
pub async fn acknowledge_report(project: &Project, id: &str) -> Result<ReportRecord, SessionsError> {
    ask_report(project, ReportRequest::Acknowledge { id: id.to_owned() }).await
}

/// Hear no more of a finding of a report, for good or for so many days.
///
/// # Errors
/// There is none, or it could not be written.
pub async fn mute_finding(
    project: &Project,
    id: &str,
    finding: usize,
    days: Option<u32>,
) -> Result<Opinion, SessionsError> {
    ask_report(project, ReportRequest::Mute { id: id.to_owned(), finding, days }).await
}

/// Hear of a finding again. False: it was not muted.
///
/// # Errors
/// It could not be written.
pub async fn unmute_finding(project: &Project, topic: &str, key: &str) -> Result<bool, SessionsError> {
    let done: Value =
        ask_report(project, ReportRequest::Unmute { topic: topic.to_owned(), key: key.to_owned() }).await?;
    Ok(done.get("unmuted").and_then(Value::as_bool).unwrap_or_default())
}

async fn ask_report<T: serde::de::DeserializeOwned>(
    project: &Project,
    request: ReportRequest,
) -> Result<T, SessionsError> {
    let payload = json!(OfReport { request, by: format!("cli:{}", user()) });
    by_holder(project, open_existing_store(project).await?, "report", REPORT, payload).await
}

/// Do what another command asks of jobs and reports; None, where the request is about something else. The job that it
/// was about, if any, is told by `touched`.
pub(super) async fn on_people_request(
    project: &Project,
    journal: &Journal,
    kind: &str,
    payload: &Value,
    touched: &(dyn Fn(&str) + Sync),
) -> Option<Value> {
    let unreadable = |error: serde_json::Error| format!("the request cannot be read: {error}");
    let done = match kind {
        JOB => match serde_json::from_value::<OfJob>(payload.clone()) {
            Ok(OfJob { job, request }) => {
                let done = of_job(project, journal, &job, request).await;
                touched(&job);
                done
            }
            Err(error) => Err(unreadable(error)),
        },
        REPORT => match serde_json::from_value::<OfReport>(payload.clone()) {
            Ok(OfReport { request, by }) => of_report(journal, request, &by).await,
            Err(error) => Err(unreadable(error)),
        },
        _ => return None,
    };
    Some(done.unwrap_or_else(|error| json!({ "error": error })))
}

async fn of_job(project: &Project, journal: &Journal, job: &str, request: JobRequest) -> Result<Value, String> {
    let beat = beat_of(project, job).map_err(|error| error.to_string())?;
    let (store, lease) = (journal.store(), journal.lease());
    let store = store.as_ref();
    let new = match request {
        JobRequest::Pause => set_paused(store, lease, &beat, true).await.map(|()| 0).map_err(|error| error.to_string()),
        JobRequest::Resume => {
            set_paused(store, lease, &beat, false).await.map(|()| 0).map_err(|error| error.to_string())
        }
        JobRequest::Run => ask_now(store, lease, &beat).await.map(|_| 1).map_err(|error| error.to_string()),
        JobRequest::Backfill { from, to, most } => {
            ask_back(store, lease, &beat, from, to, most).await.map_err(|error| error.to_string())
        }
    }?;
    Ok(json!({ "new": new }))
}

async fn of_report(journal: &Journal, request: ReportRequest, by: &str) -> Result<Value, String> {
    let (store, lease) = (journal.store(), journal.lease());
    let done = match request {
        ReportRequest::Acknowledge { id } => {
            reports::acknowledge(store, lease, &id, by).await.map(|record| json!(record))
        }
        ReportRequest::Mute { id, finding, days } => {
            reports::mute(store, lease, &id, finding, days, by).await.map(|opinion| json!(opinion))
        }
        ReportRequest::Unmute { topic, key } => {
            reports::unmute(store, lease, &topic, &key).await.map(|unmuted| json!({ "unmuted": unmuted }))
        }
    };
    done.map_err(|error| error.to_string())
}
