//! The record of an incident: what was seen, thought, done and proved, as the JSON that
//! docs/incidents.md describes. The host writes the report from it.

use std::collections::BTreeMap;

use pi_sdk::{Value, json};

use crate::act::Deed;
use crate::cause::{Cause, Hypothesis};
use crate::facts::{Condition, ProbeResult};
use crate::instant::rfc3339;
use crate::observe::{Observation, Subject};
use crate::orient::{Diagnosis, foreign_owners, quote};
use crate::verify::Proof;
use crate::world::Trouble;

/// Log lines that are kept; the oldest go first.
const LOG_LINES_MAX: usize = 300;
/// Characters of one log line that are kept: a service may write megabytes in one.
const MESSAGE_CHARS_MAX: usize = 2_000;
/// Entries of the timeline; an incident has a few dozen.
const TIMELINE_MAX: usize = 500;

/// A call that changes something, with what came of it.
#[derive(Clone, Debug)]
pub struct Action {
    pub deed: Deed,
    pub cause: Cause,
    pub why: String,
    pub diff: Option<String>,
    pub is_undone: bool,
    /// It takes an earlier one back.
    pub is_inverse: bool,
    /// Of an act on somebody else's machine: what it touches, and what leads back.
    pub about: Option<Value>,
}

#[derive(Debug, Default)]
pub struct Record {
    pub id: String,
    pub alert: Value,
    pub target: String,
    pub actions: Vec<Action>,
    pub proof: Option<Proof>,
    pub gaps: Vec<String>,
    pub refusals: Vec<String>,
    /// Runbooks that were followed, as they came out.
    pub runbooks: Vec<Value>,
    /// What a person should do before anything else.
    pub advice: Vec<String>,
    /// What could be done, and is a person's to decide.
    pub proposals: Vec<Value>,
    /// What a proof was asked for besides probes.
    pub symptoms: Value,
    /// What was seen of a target in the cloud, in the form of incident.json already.
    pub seen: Option<pi_diagnosis::Incident>,
    /// One for each look, of the alerted service.
    pub diagnoses: Vec<(u64, Diagnosis)>,
    timeline: Vec<(u64, &'static str, String)>,
    metrics: BTreeMap<Metric, Vec<(u64, f64)>>,
    logs: Vec<(Option<u64>, String, String)>,
    events: BTreeMap<(u64, String, String), String>,
    resources: BTreeMap<(&'static str, String), Value>,
}

/// A series: its name, unit, service and, for a disk, its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Metric(&'static str, &'static str, String, String);

/// What the agent found at the end.
#[derive(Debug)]
pub struct Verdict {
    pub cause: Cause,
    pub confidence: f64,
    pub contributing: Vec<Cause>,
    pub next_steps: Vec<String>,
}

impl Record {
    pub fn new(id: String, alert: Value, target: String, gaps: Vec<String>) -> Self {
        Self { id, alert, target, gaps, ..Self::default() }
    }

    pub fn tell(&mut self, time_ms: u64, kind: &'static str, message: impl Into<String>) {
        if self.timeline.len() < TIMELINE_MAX {
            self.timeline.push((time_ms, kind, message.into()));
        }
    }

    /// Keep what an observation shows.
    pub fn saw(&mut self, observation: &Observation, diagnosis: &Diagnosis) {
        for gap in &observation.gaps {
            self.miss(gap);
        }
        for subject in &observation.subjects {
            self.saw_subject(subject);
        }
        self.diagnoses.push((observation.time_ms, diagnosis.clone()));
    }

    pub fn miss(&mut self, gap: &str) {
        if !self.gaps.iter().any(|known| known == gap) {
            self.gaps.push(gap.to_owned());
        }
    }

    pub fn proved(&mut self, proof: Proof) {
        for probed in &proof.probes {
            self.point(
                "probe_latency",
                "Milliseconds",
                &probed.service,
                "",
                probed.time_ms,
                f64::from(probed.result.latency_ms),
            );
            self.point(
                "probe_healthy",
                "Count",
                &probed.service,
                "",
                probed.time_ms,
                f64::from(u8::from(probed.result.healthy)),
            );
        }
        self.proof = Some(proof);
    }

    pub fn did(&mut self, action: Action) {
        if let Err(trouble @ (Trouble::Refused { .. } | Trouble::NotGranted(_))) = &action.deed.result {
            self.refusals.push(trouble.to_string());
        }
        self.events.insert(
            (action.deed.time_ms, "sre".into(), "action".into()),
            format!("{} {}", action.deed.call.tool, cut(&action.deed.call.arguments.to_string())),
        );
        self.actions.push(action);
    }

    /// How a runbook came out; of the same again, the latest.
    pub fn followed(&mut self, told: Value) {
        let is_same = |it: &&mut Value| it["name"] == told["name"] && it["parameters"] == told["parameters"];
        match self.runbooks.iter_mut().find(is_same) {
            Some(known) => *known = told,
            None => self.runbooks.push(told),
        }
    }

    /// The whole record.
    pub fn details(&self, verdict: &Verdict) -> Value {
        let latest = self
            .diagnoses
            .iter()
            .rev()
            .find(|(_, it)| it.confidence(verdict.cause) > 0.0 || verdict.cause == Cause::Unknown);
        let latest = latest.or(self.diagnoses.first()).map(|(_, diagnosis)| diagnosis);
        let mut details = json!({
            "version": 1,
            "root_cause": verdict.cause.name(),
            "confidence": verdict.confidence,
            "target": self.target,
            "contributing": verdict.contributing.iter().map(|cause| cause.name()).collect::<Vec<_>>(),
            "hypotheses": latest.map(|it| hypotheses(&it.hypotheses)).unwrap_or_default(),
            "ruled_out": latest.map(|it| it.ruled_out.clone()).unwrap_or_default(),
            "gaps": self.gaps,
            "actions": self.actions.iter().map(action).collect::<Vec<_>>(),
            "refusals": self.refusals,
            "proposals": self.proposals,
            "verification": self.proof.as_ref().map(|proof| {
                let mut verification = verification(proof);
                if !self.symptoms.is_null() {
                    verification["symptoms"] = self.symptoms.clone();
                }
                verification
            }),
            "timeline": self.timeline.iter()
                .map(|(time, kind, message)| json!({ "time": rfc3339(*time), "kind": kind, "message": message }))
                .collect::<Vec<_>>(),
            "next_steps": verdict.next_steps,
            "observed": self.observed(),
        });
        if !self.runbooks.is_empty() {
            details["runbooks"] = Value::Array(self.runbooks.clone());
        }
        details
    }

    fn observed(&self) -> Value {
        if let Some(seen) = &self.seen {
            let mut observed = crate::cloud::document(seen);
            let own = self.events.iter().map(event);
            if let Some(events) = observed["events"].as_array_mut() {
                events.extend(own);
            }
            return observed;
        }
        let metrics: Vec<Value> = self
            .metrics
            .iter()
            .map(|(Metric(name, unit, service, path), points)| {
                let mut dimensions = json!({ "service": service });
                if !path.is_empty() {
                    dimensions["path"] = json!(path);
                }
                let points: Vec<Value> = points.iter().map(|(time, value)| json!([rfc3339(*time), value])).collect();
                json!({ "name": name, "dimensions": dimensions, "statistic": "Sample", "unit": unit, "points": points })
            })
            .collect();
        let logs: Vec<Value> = self
            .logs
            .iter()
            .map(|(time, source, message)| json!({ "time": time.map(rfc3339), "source": source, "message": message }))
            .collect();
        let events: Vec<Value> = self.events.iter().map(event).collect();
        let resources: Vec<Value> = self
            .resources
            .iter()
            .map(|((kind, name), state)| json!({ "kind": kind, "name": name, "state": state }))
            .collect();
        json!({
            "version": 1,
            "id": self.id,
            "alert": observed_alert(&self.alert),
            "metrics": metrics,
            "logs": logs,
            "events": events,
            "resources": resources,
            "queries": [],
        })
    }

    fn saw_subject(&mut self, subject: &Subject) {
        let name = subject.name.as_str();
        for (time, probe) in &subject.probes {
            self.point("probe_latency", "Milliseconds", name, "", *time, f64::from(probe.latency_ms));
            self.point("probe_healthy", "Count", name, "", *time, f64::from(u8::from(probe.healthy)));
        }
        for (time, condition) in &subject.conditions {
            if let Some(bytes) = condition.memory_bytes {
                self.point("memory", "Bytes", name, "", *time, bytes as f64);
            }
            if let Some(load) = condition.cpu_load {
                self.point("cpu_load", "Cores", name, "", *time, load);
            }
            for disk in &condition.disks {
                self.point("disk_available", "Bytes", name, &disk.path, *time, disk.available_bytes as f64);
            }
            for exit in &condition.exits {
                let last =
                    if exit.last_words.trim().is_empty() { String::new() } else { format!(": {}", exit.last_words) };
                let words = cut(&format!("{} after {} ms{last}", exit.words(), exit.uptime_ms));
                self.events.insert((exit.time_ms, name.into(), "exit".into()), words);
            }
        }
        for change in subject.changes.iter().flatten() {
            let words = format!("{} is not as it was when the service was last healthy", change.path);
            self.events.insert((change.modified_ms, name.into(), "configuration change".into()), words);
        }
        for (port, owner) in foreign_owners(subject) {
            let state = json!({ "port": port, "command": owner.command, "uid": owner.uid, "service": owner.service, "uptime_ms": owner.uptime_ms });
            self.resources.insert(("process", owner.pid.to_string()), state);
        }
        if let Some(condition) = subject.condition() {
            let probe = subject.probes.last().map(|(_, probe)| probe);
            self.resources.insert(("service", name.into()), resource(subject, condition, probe));
        }
        self.saw_logs(subject);
    }

    fn saw_logs(&mut self, subject: &Subject) {
        for line in subject.logs.iter().flatten() {
            let entry = (line.time_ms, line.source.clone(), cut(&line.message));
            // What an earlier look has brought is not kept twice.
            if !self.logs.contains(&entry) {
                self.logs.push(entry);
            }
        }
        let excess = self.logs.len().saturating_sub(LOG_LINES_MAX);
        self.logs.drain(..excess);
    }

    fn point(&mut self, name: &'static str, unit: &'static str, service: &str, path: &str, time: u64, value: f64) {
        // A thousandth is as much as any of these sources knows.
        let value = (value * 1_000.0).round() / 1_000.0;
        self.metrics.entry(Metric(name, unit, service.into(), path.into())).or_default().push((time, value));
    }
}

fn event(((time, source, kind), message): (&(u64, String, String), &String)) -> Value {
    json!({ "time": rfc3339(*time), "source": source, "kind": kind, "message": message })
}

fn resource(subject: &Subject, condition: &Condition, probe: Option<&ProbeResult>) -> Value {
    json!({
        "supervised": subject.is_supervised(),
        "depends_on": subject.description.as_ref().map(|it| it.depends_on.clone()).unwrap_or_default(),
        "state": condition.state,
        "pid": condition.pid,
        "uptime_ms": condition.uptime_ms,
        "starts": condition.starts,
        "process_states": condition.process_states,
        "memory_bytes": condition.memory_bytes,
        "memory_bytes_max": condition.memory_bytes_max,
        "probe": probe.map(|it| json!({ "healthy": it.healthy, "detail": cut(&it.detail) })),
    })
}

/// The alert in the form of incident.json.
fn observed_alert(alert: &Value) -> Value {
    let text = |key: &str| alert.get(key).and_then(Value::as_str).unwrap_or_default();
    json!({
        "title": text("title"),
        "source": text("source"),
        "state": text("state"),
        "labels": { "service": text("service") },
        "annotations": { "detail": alert.get("detail").cloned().unwrap_or(Value::Null), "time": alert.get("time").cloned().unwrap_or(Value::Null) },
    })
}

fn hypotheses(list: &[Hypothesis]) -> Vec<Value> {
    list.iter()
        .filter(|it| !it.favour.is_empty() || !it.against.is_empty())
        .map(|it| {
            json!({ "root_cause": it.cause.name(), "confidence": it.confidence, "for": it.favour, "against": it.against })
        })
        .collect()
}

fn action(action: &Action) -> Value {
    let (result, detail) = match &action.deed.result {
        Ok(value) => ("done", value.clone()),
        Err(Trouble::Unknown(text)) => ("unknown", json!(text)),
        Err(Trouble::Failed(text)) => ("failed", json!(text)),
        Err(trouble @ Trouble::NotGranted(_)) => ("not_granted", json!(trouble.to_string())),
        Err(Trouble::Refused { action, rule, reason, advice }) => {
            ("refused", json!({ "action": action, "rule": rule, "reason": reason, "advice": advice }))
        }
    };
    let mut value = json!({
        "time": rfc3339(action.deed.time_ms),
        "tool": action.deed.call.tool,
        "arguments": action.deed.call.arguments,
        "cause": action.cause.name(),
        "why": action.why,
        "result": result,
        "detail": detail,
        "undone": action.is_undone,
    });
    if let Some(diff) = &action.diff {
        value["diff"] = json!(diff);
    }
    if let Some(note) = &action.deed.note {
        value["note"] = json!(note);
    }
    if action.is_inverse {
        value["inverse"] = json!(true);
    }
    if let Some(about) = &action.about {
        value["act"] = about["act"].clone();
        value["blast_radius"] = about["blast_radius"].clone();
        value["undo"] = about["inverse"].clone();
    }
    value
}

fn verification(proof: &Proof) -> Value {
    json!({
        "required": proof.required,
        "passed": proof.is_passed,
        "reason": proof.reason,
        "since": proof.since_ms.map(rfc3339),
        "time": rfc3339(proof.time_ms),
        "probes": proof.probes.iter().map(|probed| json!({
            "time": rfc3339(probed.time_ms),
            "service": probed.service,
            "healthy": probed.result.healthy,
            "latency_ms": probed.result.latency_ms,
            "detail": quote(&probed.result.detail),
        })).collect::<Vec<_>>(),
    })
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
