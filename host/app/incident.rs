//! Closing a session: the host's own look at what the agent claims, the report, the last entry.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::host::HostError;
use crate::capability::safety::services_of;
use crate::journal::{Body, History, SessionJournal};
use crate::report;
use crate::session::Ended;
use crate::supervisor::Supervisor;

/// A session that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Closed {
    pub session: String,
    pub agent: String,
    /// Empty for a session that no service woke.
    pub service: String,
    /// `done`, `nothing_to_do`, `escalated` or `failed`.
    pub status: String,
    pub summary: String,
    pub root_cause: String,
    /// The report, where one was written.
    pub report: Option<PathBuf>,
    /// When the alarm was raised, milliseconds since 1970; 0 without one.
    pub detected_ms: u64,
    pub ended_ms: u64,
    /// It ended because a model gave no answer: who mends that can take it up again.
    pub may_resume: bool,
}

/// The service whose alarm a session works on.
pub(super) fn service_of(input: &Value) -> Option<String> {
    input.pointer("/alert/service").and_then(Value::as_str).map(str::to_owned)
}

/// End a session: a claim that the journal does not bear out becomes an escalation. The report is
/// written before the last entry: a host that is killed in between writes it again. `page` is one that was written already.
#[allow(clippy::too_many_arguments, reason = "what ends with a session has no other use together")]
pub(super) async fn close(
    reports: &Path,
    session: &str,
    agent: &str,
    input: &Value,
    journal: &SessionJournal,
    supervisor: &Supervisor,
    ended: Ended,
    page: Option<PathBuf>,
) -> Result<Closed, HostError> {
    let Ended { mut status, mut summary, details } = ended;
    let service = service_of(input).unwrap_or_default();
    let entries = journal.entries().await?;
    // Also where a person woke the agent: a claim names its service, and is a claim all the same.
    if let Err(missing) = report::check(status, &details, &entries, &|act| services_of(act, supervisor)) {
        summary = format!("{summary} The host does not accept it as `{status}`: {missing}");
        status = "escalated";
    }
    let mut report = page;
    if !service.is_empty() || details.get("observed").is_some() {
        let incident =
            report::Incident { session, agent, status, summary: &summary, details: &details, entries: &entries };
        match report::write(reports, &incident) {
            Ok(paths) => report = Some(paths.report),
            // The journal has all of it: a report that cannot be written stops no incident.
            Err(error) => summary = format!("{summary} ({error})"),
        }
    }
    let alarm_ms = input.pointer("/alert/time").and_then(report::time_of);
    let detected_ms = alarm_ms.or(entries.first().map(|entry| entry.time_ms)).unwrap_or(0);
    let root_cause = details.get("root_cause").and_then(Value::as_str).unwrap_or_default().to_owned();
    let may_resume = status == "failed" && service.is_empty() && History::load(&entries).is_unanswered();
    let body = Body::SessionEnded { status: status.into(), summary: summary.clone(), details };
    let ended_ms = journal.append_durable(body).await?;
    Ok(Closed {
        session: session.to_owned(),
        agent: agent.to_owned(),
        service,
        status: status.to_owned(),
        summary,
        root_cause,
        report,
        detected_ms,
        ended_ms,
        may_resume,
    })
}
