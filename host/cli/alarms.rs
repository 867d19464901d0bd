//! `pi-host alarms`

use std::path::Path;

use owo_colors::Style;

use super::output::table;
use super::{Failure, Output, block_on};
use crate::app::{AlarmsStored, SafetyStored, open_existing_store, stored_alarms, stored_safety};
use crate::clock;
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::watch::alarms::{Known, Place, Severity};

/// Alarms that are listed as text; `--json` has all of them.
const SHOWN_MAX: usize = 200;
const CELL_CHARS_MAX: usize = 70;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pi-host alarms                what fires, where it stands, and what each trigger took and refused\n  pi-host alarms --all          also what is resolved, as long as it is remembered\n  pi-host alarms --json         all of it, for programs"
)]
pub(crate) struct Arguments {
    /// Also what is resolved
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(output: &Output, directory: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let project = Project::load(directory)?;
    block_on(async {
        let store = open_existing_store(&project).await?;
        let mut stored = stored_alarms(store.as_ref()).await?;
        if !arguments.all {
            stored.alarms.retain(|known| known.place != Place::Resolved);
        }
        stored.alarms.sort_by_key(|known| (std::cmp::Reverse(known.alarm.severity), known.first_ms, known.key()));
        let safety = stored_safety(store.as_ref(), &project.config.safety).await?;
        let shown = Shown { alarms: &stored, safety: &safety };
        output.data(&shown, || {
            let bounds = bounds(output, &safety);
            bounds.into_iter().chain([text(output, &stored)]).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    })?
}

#[derive(serde::Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    alarms: &'a AlarmsStored,
    safety: &'a SafetyStored,
}

/// What keeps agents from acting now, and how near they are to it.
fn bounds(output: &Output, safety: &SafetyStored) -> Vec<String> {
    let mut lines = Vec::new();
    let alert = |text: String| output.out(&text, Style::new().red().bold());
    if let Some(stopped) = &safety.stopped {
        lines.push(alert(format!("{}; `pi-host resume-all` lets agents go on", escaped(&stopped.words()))));
    }
    let named = |name: &str| if name.is_empty() { "all services".to_owned() } else { escaped(name) };
    for (name, breaker) in &safety.breakers {
        let what = named(name);
        let last = escaped(&breaker.last);
        lines.push(match (breaker.open_until_ms, &breaker.attempt) {
            (Some(_), Some(session)) => {
                alert(format!("breaker of {what}: one attempt, by the session {}", escaped(session)))
            }
            (Some(until_ms), None) => alert(format!(
                "breaker of {what}: open until {} after {} failures in a row, the last by {last}",
                clock::rfc3339(until_ms),
                breaker.failures
            )),
            (None, _) => {
                format!("breaker of {what}: closed, {} failures in a row, the last by {last}", breaker.failures)
            }
        });
    }
    let changes: Vec<String> =
        safety.changes.iter().map(|(name, count)| format!("{count} of {}", named(name))).collect();
    if !changes.is_empty() {
        lines.push(format!("changes by agents within the last hour: {}", changes.join(", ")));
    }
    lines
}

fn text(output: &Output, stored: &AlarmsStored) -> String {
    let mut parts = Vec::new();
    if stored.alarms.is_empty() {
        parts.push("no alarm from outside fires".to_owned());
    } else {
        let count = |is: fn(&Place) -> bool| stored.alarms.iter().filter(|known| is(&known.place)).count();
        parts.push(format!(
            "{} alarms: {} opened an incident, {} are grouped, {} are held back",
            stored.alarms.len(),
            count(|place| matches!(place, Place::Incident { .. })),
            count(|place| matches!(place, Place::Grouped { .. })),
            count(|place| matches!(place, Place::Suppressed { .. })),
        ));
        let rows: Vec<Vec<String>> = stored.alarms.iter().take(SHOWN_MAX).map(|known| alarm(output, known)).collect();
        parts.push(table(&rows));
        if stored.alarms.len() > SHOWN_MAX {
            parts.push(format!("and {} more; --json has all of them", stored.alarms.len() - SHOWN_MAX));
        }
    }
    let incidents: Vec<Vec<String>> = stored
        .incidents
        .iter()
        .take(SHOWN_MAX)
        .map(|(id, incident)| {
            vec![
                format!("incident {id}"),
                incident.phase.word().to_owned(),
                cell(&incident.target),
                format!("{} alarms", incident.alarms),
                format!("{} sessions", incident.attempts),
                cell(incident.session.as_deref().unwrap_or("-")),
            ]
        })
        .collect();
    if !incidents.is_empty() {
        parts.push(table(&incidents));
    }
    for (name, counts) in &stored.triggers {
        let refused: Vec<String> =
            counts.refused.iter().map(|(reason, count)| format!("{count} {}", escaped(reason))).collect();
        let refused =
            if refused.is_empty() { "nothing refused".into() } else { format!("refused: {}", refused.join(", ")) };
        let mut line = format!(
            "trigger {}: {} requests with {} alarms taken, {} sent twice, {refused}",
            escaped(name),
            counts.requests,
            counts.alarms,
            counts.duplicates
        );
        if counts.last_refused_ms > 0 {
            let (time, why) = (clock::rfc3339(counts.last_refused_ms), escaped(&counts.last_refusal));
            line.push_str(&format!("\n  refused last at {time}: {why}"));
        }
        if !counts.failure.is_empty() {
            line.push_str(&format!("\n  it cannot be asked: {}", escaped(&counts.failure)));
        }
        parts.push(line);
    }
    if !stored.unreadable.is_empty() {
        parts.push(format!("{} rows cannot be read; the next host says which", stored.unreadable.len()));
    }
    parts.join("\n")
}

fn alarm(output: &Output, known: &Known) -> Vec<String> {
    let severity = match known.alarm.severity {
        Severity::Critical => output.out("critical", Style::new().red().bold()),
        Severity::Error => output.out("error", Style::new().red()),
        Severity::Warning => output.out("warning", Style::new().yellow()),
        Severity::Info => "info".to_owned(),
    };
    vec![
        severity,
        cell(&known.alarm.target),
        cell(&known.alarm.title),
        cell(&known.trigger),
        format!("since {}", clock::rfc3339(known.first_ms)),
        format!("{} times", known.times),
        cell(&known.place.why()),
    ]
}

/// What others wrote, on one line and no longer than it may be.
fn cell(text: &str) -> String {
    let text = escaped(text);
    if text.chars().count() <= CELL_CHARS_MAX {
        return text;
    }
    text.chars().take(CELL_CHARS_MAX).chain(['…']).collect()
}
