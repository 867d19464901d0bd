//! What people ask of jobs and reports by commands: done by the host that runs, or here where none does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::deliveries::{routes, send_due};
use super::heartbeat::{ask_back, ask_now, beat_of, set_paused};
use super::reports::{self, Opinion, ReportRecord};
use super::sessions::{SessionsError, by_holder};
use super::state::{open_existing_store, open_store};
use crate::clock;
use crate::config::{Project, user};
use crate::delivery::outbox::{self, Content, Letter};
use crate::gate::explain::escaped;
use crate::journal::Journal;
use crate::store::Holder;

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
    Acknowledge {
        id: String,
    },
    Mute {
        id: String,
        finding: usize,
        days: Option<u32>,
    },
    Unmute {
        topic: String,
        key: String,
    },
    /// Send it now by this delivery, also where it was sent already.
    Deliver {
        id: String,
        to: String,
    },
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

/// Send a report by a delivery of `pi.toml`, whatever it says of when; by the host that runs, or else here.
///
/// # Errors
/// There is no such report or delivery, or it could not be written down.
pub async fn deliver_report(project: &Project, id: &str, to: &str) -> Result<Letter, SessionsError> {
    let letter: Letter = ask_report(project, ReportRequest::Deliver { id: id.to_owned(), to: to.to_owned() }).await?;
    let store = open_existing_store(project).await?;
    let Ok(journal) = Journal::begin(store.clone(), &Holder::this_process("report deliver")).await else {
        // A host runs: it sends what is due.
        return Ok(letter);
    };
    let sent = match routes(project) {
        Ok(routes) => {
            let sent = send_due(&store, journal.lease(), &project.config, &routes, &|_| ()).await;
            sent.map(|_| ()).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    journal.close().await?;
    sent.map_err(SessionsError::Host)?;
    Ok(outbox::letter(store.as_ref(), &letter.id).await?.unwrap_or(letter))
}

async fn ask_report<T: serde::de::DeserializeOwned>(
    project: &Project,
    request: ReportRequest,
) -> Result<T, SessionsError> {
    let payload = json!(OfReport { request, by: format!("cli:{}", user()) });
    by_holder(project, open_existing_store(project).await?, "report", REPORT, payload).await
}

/// What a request was about, and has to be looked at.
#[derive(Clone, Copy)]
pub(super) enum Touched<'a> {
    Job(&'a str),
    Outbox,
}

/// Do what another command asks of jobs and reports; None, where the request is about something else. What it was about
/// is told by `touched`.
pub(super) async fn on_people_request(
    project: &Project,
    journal: &Journal,
    kind: &str,
    payload: &Value,
    touched: &(dyn Fn(Touched) + Sync),
) -> Option<Value> {
    let unreadable = |error: serde_json::Error| format!("the request cannot be read: {error}");
    let done = match kind {
        JOB => match serde_json::from_value::<OfJob>(payload.clone()) {
            Ok(OfJob { job, request }) => {
                let done = of_job(project, journal, &job, request).await;
                touched(Touched::Job(&job));
                done
            }
            Err(error) => Err(unreadable(error)),
        },
        REPORT => match serde_json::from_value::<OfReport>(payload.clone()) {
            Ok(OfReport { request, by }) => {
                let done = of_report(project, journal, request, &by).await;
                touched(Touched::Outbox);
                done
            }
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

async fn of_report(project: &Project, journal: &Journal, request: ReportRequest, by: &str) -> Result<Value, String> {
    let (store, lease) = (journal.store(), journal.lease());
    let done = match request {
        ReportRequest::Acknowledge { id } => {
            reports::acknowledge(store, lease, &id, by).await.map(|record| json!(record))
        }
        ReportRequest::Mute { id, finding, days } => {
            reports::mute(store, lease, &id, finding, days, by).await.map(|opinion| json!(opinion))
        }
        ReportRequest::Deliver { id, to } => return deliver(project, journal, &id, &to).await,
        ReportRequest::Unmute { topic, key } => {
            reports::unmute(store, lease, &topic, &key).await.map(|unmuted| json!({ "unmuted": unmuted }))
        }
    };
    done.map_err(|error| error.to_string())
}

/// Let a report be due by a delivery.
async fn deliver(project: &Project, journal: &Journal, id: &str, to: &str) -> Result<Value, String> {
    let (store, lease) = (journal.store(), journal.lease());
    if !project.config.delivery.contains_key(to) {
        let known: Vec<_> = project.config.delivery.keys().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!("there is no delivery `{}` in pi.toml\nhint: there is {known}", escaped(to)));
    }
    let all = outbox::letters(store.as_ref()).await.map_err(|error| error.to_string())?;
    let now_ms = clock::now_ms();
    // A letter's id, as `report deliveries` lists it, or a report.
    let letter = match all.get(id).filter(|letter| letter.delivery == to) {
        Some(letter) => letter.again(now_ms),
        None => {
            let record = reports::report(store, id).await.map_err(|error| error.to_string())?;
            let content = Content::Reports(vec![record.id.clone()]);
            Letter::new(to, &record.id, content, now_ms, now_ms)
        }
    };
    outbox::keep(store.as_ref(), lease, &letter).await.map_err(|error| error.to_string())?;
    Ok(json!(letter))
}
