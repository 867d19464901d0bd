//! `pi-host incident report|replay`: the post-mortem of a session again, and its diagnosis again, from what was
//! observed then.

use std::path::Path;

use anyhow::anyhow;
use pi_diagnosis::{Diagnosis, Diagnostician, Incident};
use serde_json::{Value, json};

use super::super::output::table;
use super::super::{Failure, Output, block_on};
use crate::app::{open_existing_store, session_mask};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::journal::{Body, Entry, Overview, read};
use crate::report;

/// Causes in the table.
const CAUSES_SHOWN: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Markdown, as in reports/SESSION/report.md
    Md,
    /// A page that stands alone, with its pictures
    Html,
    Json,
}

/// What the journal has of a session.
struct Past {
    session: Overview,
    entries: Vec<Entry>,
    details: Value,
}

impl Past {
    fn incident(&self) -> report::Incident<'_> {
        let record = &self.session.session;
        report::Incident {
            session: &record.id,
            agent: &record.agent,
            status: &record.status,
            summary: &record.summary,
            details: &self.details,
            entries: &self.entries,
        }
    }
}

async fn past(project: &Project, id: &str) -> anyhow::Result<Past> {
    let store = open_existing_store(project).await?;
    let mask = session_mask(project)?;
    let (session, entries) = read(store.as_ref(), id, mask.as_deref()).await?;
    let details = entries.iter().rev().find_map(|entry| match &entry.body {
        Body::SessionEnded { details, .. } => Some(details.clone()),
        _ => None,
    });
    let Some(details) = details else {
        return Err(anyhow!("session `{id}` has not ended\nhint: `pi-host session show {id}` has how far it is"));
    };
    Ok(Past { session, entries, details })
}

pub(super) fn report(output: &Output, project: &Path, id: &str, format: Format) -> Result<(), Failure> {
    let project = Project::load(project)?;
    let past = block_on(past(&project, id))??;
    let incident = past.incident();
    match if output.is_json { Format::Json } else { format } {
        Format::Md => output.text(&report::markdown(&incident)),
        Format::Html => output.text(&report::page(&incident)),
        Format::Json => output.text(&report::json(&incident).to_string()),
    }
    Ok(())
}

pub(super) fn replay(output: &Output, project: &Path, incident: &str, knowledge: Option<&Path>) -> Result<(), Failure> {
    let knowledge = super::load(knowledge)?;
    let (observed, concluded) = if Path::new(incident).is_file() {
        (super::incident(Path::new(incident))?, of_file(project, incident))
    } else {
        let project = Project::load(project)?;
        let past = block_on(past(&project, incident))??;
        let observed = report::observed(&past.incident()).to_string();
        let observed = Incident::from_json(&observed).map_err(|error| anyhow!("session `{incident}`: {error}"))?;
        (observed, Some(past.details))
    };
    let now = Diagnostician::new(&knowledge).diagnose(&observed);
    let differences = concluded.as_ref().map(|then| differences(then, &now));
    let value = json!({ "then": concluded.as_ref().map(conclusion), "now": now, "differences": differences });
    output.data(&value, || text(concluded.as_ref(), &now, differences.as_deref()));
    Ok(())
}

/// What was concluded in the session that a file is of, where this project has it.
fn of_file(project: &Path, file: &str) -> Option<Value> {
    let text = super::read(Path::new(file)).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let project = Project::load(project).ok()?;
    block_on(past(&project, value["id"].as_str()?)).ok()?.ok().map(|past| past.details)
}

fn conclusion(details: &Value) -> Value {
    json!({ "root_cause": details["root_cause"], "confidence": details["confidence"], "target": details["target"],
            "hypotheses": details["hypotheses"] })
}

fn differences(then: &Value, now: &Diagnosis) -> Vec<String> {
    let mut differences = Vec::new();
    let cause = then["root_cause"].as_str().unwrap_or("nothing");
    if cause != now.root_cause.name() {
        differences.push(format!("the root cause was {cause}, and is {}", now.root_cause));
    }
    let target = then["target"].as_str().unwrap_or_default();
    if !target.is_empty() && !now.target.is_empty() && target != now.target {
        differences.push(format!("the target was {target}, and is {}", now.target));
    }
    differences
}

fn text(then: Option<&Value>, now: &Diagnosis, differences: Option<&[String]>) -> String {
    let confidence = |cause: &str| {
        let all = then?["hypotheses"].as_array()?;
        all.iter().find(|it| it["root_cause"] == cause)?["confidence"].as_f64()
    };
    let shown = |share: Option<f64>| share.map_or_else(|| "-".into(), |share| format!("{share:.2}"));
    let mut rows = vec![["cause", "then", "now"].map(String::from).to_vec()];
    let mut causes: Vec<String> = now.hypotheses.iter().map(|it| it.root_cause.name().to_owned()).collect();
    let earlier = then.and_then(|then| then["hypotheses"].as_array()).into_iter().flatten();
    for cause in earlier.filter_map(|it| it["root_cause"].as_str()) {
        if !causes.iter().any(|known| known == cause) && confidence(cause).unwrap_or(0.0) > 0.0 {
            causes.push(cause.to_owned());
        }
    }
    for cause in causes.iter().take(CAUSES_SHOWN) {
        let of_now = now.hypotheses.iter().find(|it| it.root_cause.name() == cause).map(|it| it.confidence);
        rows.push(vec![escaped(cause), shown(confidence(cause)), shown(of_now)]);
    }
    let verdict = match differences {
        None => "what was concluded then is not known here".to_owned(),
        Some([]) => "the same root cause as then".to_owned(),
        Some(differences) => differences.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n"),
    };
    format!("{}, confidence {:.2}\n\n{}\n\n{verdict}", now.root_cause, now.confidence, table(&rows))
}
