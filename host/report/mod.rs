//! What is left of an incident: `report.md` for people with its pictures and the journal as a page, `incident.json` for machines, and the host's
//! own check that what an agent claims is in the journal. `transcript` is a session as a page.
//!
//! An agent's account (the `details` of its outcome, docs/incidents.md) is a claim: times, decisions,
//! refusals and the probes that count are taken from the journal. Everything that a service, a log or
//! an agent wrote is escaped or fenced (`escape.rs`) before it becomes Markdown.

mod check;
mod document;
mod escape;
mod facts;
mod html;
mod page;
mod plots;
mod transcript;

use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::journal::{Body, Entry, Overview};
use crate::store::SessionRecord;

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
    /// The journal as a page, to which the report refers.
    pub journal: PathBuf,
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
    let paths = Paths {
        report: folder.join("report.md"),
        incident: folder.join("incident.json"),
        journal: folder.join("journal.html"),
        folder,
    };
    let observed = format!("{:#}\n", observed(incident));
    replace(&paths.incident, observed.as_bytes()).map_err(failed(&paths.incident))?;
    let plots = pictures(incident);
    let pictures = paths.folder.join("plots");
    // Those of an earlier report of the session may be others.
    let _ = std::fs::remove_dir_all(&pictures);
    if !plots.is_empty() {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&pictures);
        made.map_err(failed(&pictures))?;
    }
    for plot in &plots {
        let path = pictures.join(&plot.file);
        replace(&path, plot.svg.as_bytes()).map_err(failed(&path))?;
    }
    let journal = transcript(&overview(incident), incident.entries, None, &[]);
    replace(&paths.journal, journal.as_bytes()).map_err(failed(&paths.journal))?;
    let text = page::render(incident, &facts::Facts::of(incident), &plots);
    replace(&paths.report, text.as_bytes()).map_err(failed(&paths.report))?;
    Ok(paths)
}

/// The text of `report.md`.
#[must_use]
pub fn markdown(incident: &Incident<'_>) -> String {
    page::render(incident, &facts::Facts::of(incident), &pictures(incident))
}

/// The curves of what was measured; where nothing was, those of the probes in the journal.
fn pictures(incident: &Incident<'_>) -> Vec<plots::Plot> {
    let facts = facts::Facts::of(incident);
    let moments = facts::Moments::of(incident, &facts);
    let acts = incident.details["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let acts = acts.iter().filter_map(|act| Some((time_of(&act["time"])?, act["tool"].as_str()?.to_owned())));
    let marks = plots::Marks {
        onset_ms: facts.onset_ms,
        alarm_ms: facts.alert.and(facts.detected_ms),
        acts: acts.collect(),
        recovery_ms: moments.recovery_ms,
    };
    let metrics = incident.details["observed"]["metrics"].as_array().cloned().unwrap_or_default();
    let mut series = plots::series(&metrics, time_of);
    if series.is_empty() {
        series = probed(&facts);
    }
    plots::plots(&series, &marks)
}

fn probed(facts: &facts::Facts<'_>) -> Vec<plots::Series> {
    let mut services: Vec<&str> = facts.probes.iter().map(|probe| probe.service).collect();
    services.sort_unstable();
    services.dedup();
    let series = services.into_iter().map(|service| {
        let own = || facts.probes.iter().filter(move |probe| probe.service == service);
        plots::Series {
            name: "probe_latency".into(),
            of: service.to_owned(),
            unit: "Milliseconds".into(),
            points: own().map(|probe| (probe.time_ms, probe.latency_ms.unwrap_or(0.0))).collect(),
            sick_ms: own().filter(|probe| !probe.is_healthy).map(|probe| probe.time_ms).collect(),
        }
    });
    series.filter(|series| series.points.len() > 1).collect()
}

/// The session in one line, from its journal: its last entry is not written yet.
fn overview(incident: &Incident<'_>) -> Overview {
    let facts = facts::Facts::of(incident);
    let entries = incident.entries;
    let (created_ms, last_ms) = (entries.first().map_or(0, |it| it.time_ms), entries.last().map(|it| it.time_ms));
    let component = entries.iter().find_map(|entry| match &entry.body {
        Body::SessionStarted { component, .. } => Some(component.clone()),
        _ => None,
    });
    Overview {
        session: SessionRecord {
            id: incident.session.to_owned(),
            number: 0,
            agent: incident.agent.to_owned(),
            status: incident.status.to_owned(),
            created_ms,
            ended_ms: last_ms,
            summary: incident.summary.to_owned(),
            hash: String::new(),
        },
        is_cut_off: false,
        title: facts.alert.and_then(|alert| alert["title"].as_str()).unwrap_or_default().to_owned(),
        component: component.unwrap_or_default(),
        entries: entries.len() as u64,
        turns: facts.cost.answers as u64,
        calls: facts.cost.calls as u64,
        tokens: facts.cost.tokens,
        cost_nano_usd: facts.cost.nano_usd,
        parent: None,
    }
}

/// The report as a page that stands alone: the same text, its pictures within it.
#[must_use]
pub fn page(incident: &Incident<'_>) -> String {
    html::render(&page::render(incident, &facts::Facts::of(incident), &[]), &pictures(incident))
}

/// The report for machines.
#[must_use]
pub fn json(incident: &Incident<'_>) -> Value {
    let facts = facts::Facts::of(incident);
    let moments = facts::Moments::of(incident, &facts);
    let refused = facts
        .refusals
        .iter()
        .map(|it| json!({ "entry": it.sequence, "time_ms": it.time_ms, "act": it.action, "decision": it.decision }));
    let calls = facts
        .calls
        .iter()
        .map(|it| json!({ "entry": it.sequence, "tool": it.tool, "arguments": it.arguments, "decision": it.decision }));
    json!({
        "session": incident.session, "agent": incident.agent, "status": incident.status, "summary": incident.summary,
        "onset_ms": facts.onset_ms, "detected_ms": facts.detected_ms, "first_effective_act_ms": moments.act_ms,
        "healthy_since_ms": moments.recovery_ms, "proved_ms": moments.proof_ms,
        "calls": calls.collect::<Vec<_>>(), "refused": refused.collect::<Vec<_>>(),
        "cost": { "tool_calls": facts.cost.calls, "model_answers": facts.cost.answers, "tokens": facts.cost.tokens,
                  "nano_usd": facts.cost.nano_usd },
        "plots": pictures(incident).iter().map(|plot| json!({ "file": format!("plots/{}", plot.file), "alternative": plot.alternative })).collect::<Vec<_>>(),
        "details": incident.details,
    })
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
pub(crate) fn folder_name(session: &str) -> String {
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
