//! What the journal says of an incident: times, decisions, refusals. None of it is the agent's word.

use serde_json::Value;

use super::Incident;
use super::check::alerted_service;
use crate::gate::{Decision, Severity, Verdict};
use crate::journal::{Body, Entry};

/// A call that changes something, as it was judged.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) decision: &'a Decision,
}

/// Something that was not let through.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    pub(super) time_ms: u64,
    pub(super) action: String,
    pub(super) decision: &'a Decision,
}

#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) service: String,
    pub(super) alert: Option<&'a Value>,
    /// When the fault was first seen, if the alarm says so.
    pub(super) onset_ms: Option<u64>,
    /// When the alarm was raised, or else when the session began.
    pub(super) detected_ms: Option<u64>,
    pub(super) calls: Vec<Call<'a>>,
    pub(super) refusals: Vec<Refusal<'a>>,
    pub(super) resumptions: usize,
}

impl<'a> Facts<'a> {
    pub(super) fn of(incident: &Incident<'a>) -> Self {
        let entries = incident.entries;
        let target = alerted_service(entries).or_else(|| incident.details["target"].as_str());
        let alert = entries.iter().find_map(|entry| match &entry.body {
            Body::SessionStarted { task, .. } => task.pointer("/input/alert").filter(|alert| alert.is_object()),
            _ => None,
        });
        let time = |key: &str| alert.and_then(|alert| time_of(&alert[key]));
        Self {
            service: target.unwrap_or_default().to_owned(),
            alert,
            onset_ms: time("since"),
            detected_ms: time("time").or_else(|| entries.first().map(|entry| entry.time_ms)),
            calls: entries.iter().filter_map(call).collect(),
            refusals: entries.iter().filter_map(refusal).collect(),
            resumptions: entries.iter().filter(|entry| matches!(entry.body, Body::SessionResumed { .. })).count(),
        }
    }

    /// The decision on the `nth` call of `tool` with these arguments.
    pub(super) fn decision(&self, tool: &str, arguments: &Value, nth: usize) -> Option<&'a Decision> {
        self.calls
            .iter()
            .filter(|call| call.tool == tool && call.arguments == arguments)
            .nth(nth)
            .map(|call| call.decision)
    }
}

/// A time of an alarm or of an agent's account, RFC 3339 or milliseconds since 1970, in milliseconds.
#[must_use]
pub fn time_of(value: &Value) -> Option<u64> {
    if let Some(ms) = value.as_u64() {
        return Some(ms);
    }
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

fn call(entry: &Entry) -> Option<Call<'_>> {
    match &entry.body {
        Body::CallStarted { tool, arguments, effect, decision, .. } if *effect != Severity::Read => {
            Some(Call { tool, arguments, decision })
        }
        _ => None,
    }
}

fn refusal(entry: &Entry) -> Option<Refusal<'_>> {
    match &entry.body {
        Body::Refused { act, decision, .. } => {
            Some(Refusal { time_ms: entry.time_ms, action: act.summary(), decision })
        }
        _ => None,
    }
}

/// A decision in a few words: `allowed, risk 20 (service-restart)`.
pub(super) fn words(decision: &Decision) -> String {
    let verdict = match decision.verdict {
        Verdict::Allow => "allowed",
        Verdict::Ask => "a person was asked",
        Verdict::Deny => "denied",
    };
    let rules = if decision.rules.is_empty() { String::new() } else { format!(" ({})", decision.rules.join(", ")) };
    format!("{verdict}, risk {}{rules}", decision.risk)
}
