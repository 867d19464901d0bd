//! What is left of an incident: `report.md` for people, `incident.json` for machines, and the host's
//! own check that what an agent claims is in the journal. `transcript` is a session as a page.
//!
//! An agent's account (the `details` of its outcome, docs/incidents.md) is a claim: times, decisions,
//! refusals and the probes that count are taken from the journal. Everything that a service, a log or
//! an agent wrote is escaped or fenced (`escape.rs`) before it becomes Markdown.

mod check;
mod document;
mod escape;
mod facts;
mod page;
mod transcript;

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::journal::Entry;

pub use check::{HEALTHY_PROBES_MIN, check, last_probe_since_change};
pub use document::{Document, DocumentFinding, DocumentPaths};
pub use facts::time_of;
pub use transcript::transcript;

/// The most that either file may have: a report is read, and mailed.
const FILE_BYTES_MAX: usize = 16 << 20;

/// A session that has ended, with what it says and what the journal says.
#[derive(Clone, Copy, Debug)]
pub struct Incident<'a> {
    pub session: &'a str,
    pub agent: &'a str,
    /// `done`, `nothing_to_do`, `escalated` or `failed`, after [`check`].
    pub status: &'a str,
    pub summary: &'a str,
    /// The details of the agent's outcome.
    pub details: &'a Value,
    /// The session's journal.
    pub entries: &'a [Entry],
}

/// Where a report was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    pub folder: PathBuf,
    pub report: PathBuf,
    pub incident: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the report `{path}`: {source}")]
pub struct ReportError {
    path: PathBuf,
    source: io::Error,
}

/// Write `report.md` and `incident.json` into a folder of their own below `reports`. What stands there
/// of the same session is replaced.
///
/// # Errors
/// The folder or a file cannot be written.
pub fn write(reports: &Path, incident: &Incident<'_>) -> Result<Paths, ReportError> {
    let folder = reports.join(folder_name(incident.session));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReportError { path, source }
    };
    // Configuration and log lines stand in it: for this user alone.
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(failed(&folder))?;
    let paths = Paths { report: folder.join("report.md"), incident: folder.join("incident.json"), folder };
    let observed = format!("{:#}\n", observed(incident));
    replace(&paths.incident, observed.as_bytes()).map_err(failed(&paths.incident))?;
    replace(&paths.report, markdown(incident).as_bytes()).map_err(failed(&paths.report))?;
    Ok(paths)
}

/// The text of `report.md`.
#[must_use]
pub fn markdown(incident: &Incident<'_>) -> String {
    page::render(incident, &facts::Facts::of(incident))
}

/// What was observed, in the form in which incidents are recorded and replayed.
#[must_use]
pub fn observed(incident: &Incident<'_>) -> Value {
    let observed = &incident.details["observed"];
    let list = |key: &str| observed[key].as_array().cloned().unwrap_or_default();
    let alert = match &observed["alert"] {
        Value::Object(alert) => Value::Object(alert.clone()),
        _ => json!({ "title": "", "source": "", "state": "", "labels": {}, "annotations": {} }),
    };
    json!({
        "version": 1,
        "id": incident.session,
        "alert": alert,
        "metrics": list("metrics"),
        "logs": list("logs"),
        "events": list("events"),
        "resources": list("resources"),
        "queries": list("queries"),
    })
}

/// A session's id as a name of a folder: whatever it is, it stays below the reports.
fn folder_name(session: &str) -> String {
    let clean: String = session
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(128)
        .collect();
    if clean.is_empty() || clean.starts_with('.') {
        format!("incident-{}", clean.trim_start_matches('.'))
    } else {
        clean
    }
}

/// A reader sees the old file or the new one, never a half.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has {} bytes, and {FILE_BYTES_MAX} is the most", bytes.len()),
        ));
    }
    let half = path.with_extension("part");
    let _ = std::fs::remove_file(&half);
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?.write_all(bytes)?;
    std::fs::rename(&half, path)
}

#[cfg(test)]
mod tests;
