//! What the agent tells of itself: actions, looks and a timeline, in the form of docs/incidents.md.

use pi_runbook::{Answer, Call, Outcome, Role, Runner, State};
use pi_sdk::{Value, json};
use pi_signals::instant::rfc3339;

/// Entries of any list: a runbook of a hundred steps may look a thousand times at each.
const ROWS_MAX: usize = 1_000;
/// Characters of what an act came to.
const DETAIL_CHARS_MAX: usize = 1_000;

pub(crate) struct Account {
    id: String,
    alert: Value,
    actions: Vec<Value>,
    refusals: Vec<String>,
    probes: Vec<Value>,
    timeline: Vec<Value>,
    points: Vec<(String, u64, f64, f64)>,
    row: u32,
    since_ms: Option<u64>,
    last_ms: Option<u64>,
}

impl Account {
    pub(crate) fn new(id: String, alert: Value) -> Self {
        Self {
            id,
            alert,
            actions: Vec::new(),
            refusals: Vec::new(),
            probes: Vec::new(),
            timeline: Vec::new(),
            points: Vec::new(),
            row: 0,
            since_ms: None,
            last_ms: None,
        }
    }

    /// A call has ended.
    pub(crate) fn called(&mut self, call: &Call, answer: &Answer, now_ms: u64) {
        let (result, detail) = match answer {
            Answer::Done(_) => ("done", Value::Null),
            Answer::Failed(why) => ("failed", Value::String(cut(why))),
            Answer::Refused(why) => ("refused", Value::String(cut(why))),
            Answer::Unknown(why) => ("unknown", Value::String(cut(why))),
        };
        if let Answer::Refused(why) = answer {
            push(&mut self.refusals, cut(why));
        }
        if call.role != Role::Verify {
            let kind = if call.is_change { "act" } else { "look" };
            let undo = if call.role == Role::Undo { " is taken back" } else { "" };
            let message = format!("step `{}`{undo}: {}: {result}", call.step, call.tool);
            push(&mut self.timeline, json!({ "time": now_ms, "kind": kind, "message": message }));
        }
        if call.is_change {
            let why = format!("the step `{}` of the runbook", call.step);
            push(
                &mut self.actions,
                json!({
                    "time": now_ms, "tool": call.tool, "arguments": call.arguments, "why": why, "result": result,
                    "detail": detail, "step": call.step, "inverse": call.role == Role::Undo, "undone": false,
                }),
            );
        }
        if let Answer::Done(result) = answer {
            self.point(call, result, now_ms);
        }
    }

    /// What any look at a health shows is worth a curve.
    fn point(&mut self, call: &Call, result: &Value, now_ms: u64) {
        let Some(is_healthy) = result.get("healthy").and_then(Value::as_bool) else { return };
        let latency = result.get("latency_ms").and_then(Value::as_f64).unwrap_or(0.0);
        let of = target_of(&call.arguments).unwrap_or(&call.tool).to_owned();
        push(&mut self.points, (of, now_ms, latency, if is_healthy { 1.0 } else { 0.0 }));
    }

    /// What the runner made of a look.
    pub(crate) fn saw(&mut self, runner: &Runner, call: &Call, now_ms: u64) {
        if call.role != Role::Verify {
            return;
        }
        let record = runner.records().iter().find(|record| record.id == call.step);
        let row = record.and_then(|record| record.looks).map_or(0, |(row, _)| row);
        let is_healthy = row > 0;
        if row == 1 {
            self.since_ms = Some(now_ms);
        }
        self.row = row;
        self.last_ms = Some(now_ms);
        let (of, latency) = match self.points.last() {
            Some((of, time_ms, latency, _)) if *time_ms == now_ms => (of.clone(), *latency),
            _ => (target_of(&call.arguments).unwrap_or(&call.tool).to_owned(), 0.0),
        };
        let detail = format!("step `{}`: {}", call.step, call.tool);
        push(
            &mut self.probes,
            json!({
                "time": now_ms, "service": of, "healthy": is_healthy, "latency_ms": latency.max(0.0).round() as u64,
                "detail": detail,
            }),
        );
    }

    /// The whole account.
    pub(crate) fn details(mut self, runner: &Runner, outcome: Outcome) -> Value {
        for record in runner.records().iter().filter(|record| record.is_undone) {
            let made = self.actions.iter_mut().filter(|act| act["step"] == *record.id && act["inverse"] == false);
            made.for_each(|act| act["undone"] = Value::Bool(true));
        }
        let has_changed = runner.records().iter().any(|record| record.is_made);
        let target = runner.parameters().get("service").filter(|_| has_changed).and_then(Value::as_str);
        let is_proved = runner.records().iter().any(|record| record.looks.is_some() && record.state == State::Done);
        let verification = (!self.probes.is_empty()).then(|| {
            json!({
                "required": self.row.max(1), "passed": is_proved && outcome == Outcome::Done,
                "reason": "", "since": self.since_ms, "time": self.last_ms, "probes": self.probes,
            })
        });
        let next_steps: Vec<String> = runner
            .records()
            .iter()
            .filter(|record| record.state == State::Proposed)
            .map(|record| {
                let arguments = record.arguments.clone().unwrap_or_default();
                format!("step `{}` ({}): call `{}` with {arguments}", record.id, record.title, record.tool)
            })
            .collect();
        json!({
            "version": 1,
            "target": target.unwrap_or_default(),
            "runbook": { "name": runner.runbook().name, "title": runner.runbook().title, "outcome": outcome,
                         "parameters": runner.parameters(), "steps": runner.records() },
            "actions": self.actions,
            "refusals": self.refusals,
            "verification": verification,
            "timeline": self.timeline,
            "next_steps": next_steps,
            "observed": self.observed(),
        })
    }

    fn observed(&self) -> Value {
        let mut metrics: Vec<Value> = Vec::new();
        let mut services: Vec<&String> = self.points.iter().map(|(of, ..)| of).collect();
        services.sort();
        services.dedup();
        for of in services {
            let own = || self.points.iter().filter(move |point| point.0 == *of);
            let latency: Vec<Value> = own().map(|(_, time_ms, latency, _)| json!([time(*time_ms), latency])).collect();
            let health: Vec<Value> = own().map(|(_, time_ms, _, health)| json!([time(*time_ms), health])).collect();
            for (name, unit, points) in [("probe_latency", "Milliseconds", latency), ("probe_healthy", "Count", health)]
            {
                metrics.push(json!({
                    "name": name, "dimensions": { "service": of }, "statistic": "Sample", "unit": unit, "points": points,
                }));
            }
        }
        json!({ "version": 1, "id": self.id, "alert": alert(&self.alert), "metrics": metrics, "logs": [], "events": [],
                "resources": [], "queries": [] })
    }
}

fn alert(alert: &Value) -> Value {
    let text = |key: &str| alert.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    json!({ "title": text("title"), "source": text("source"), "state": text("state"),
            "labels": { "service": text("service") }, "annotations": {} })
}

/// What a call is about, by the names that tools have for it.
fn target_of(arguments: &Value) -> Option<&str> {
    ["name", "service"].iter().find_map(|key| arguments.get(*key)?.as_str())
}

/// A time as incident.json has it.
fn time(time_ms: u64) -> String {
    rfc3339(i64::try_from(time_ms).unwrap_or(i64::MAX))
}

fn cut(text: &str) -> String {
    text.chars().take(DETAIL_CHARS_MAX).collect()
}

fn push<T>(list: &mut Vec<T>, item: T) {
    if list.len() < ROWS_MAX {
        list.push(item);
    }
}
