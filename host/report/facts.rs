//! What the journal says of an incident: times, decisions, refusals. None of it is the agent's word.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Incident;
use super::check::alerted_service;
use crate::gate::{Act, Decision, Severity, Verdict};
use crate::journal::{Body, Entry, Status, completion};

/// A call that changes something, as it was judged.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The entry that begins it.
    pub(super) sequence: u64,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) decision: &'a Decision,
}

/// A look at a service's health.
#[derive(Clone, Debug)]
pub(super) struct Probe<'a> {
    pub(super) time_ms: u64,
    pub(super) service: &'a str,
    pub(super) is_healthy: bool,
    pub(super) latency_ms: Option<f64>,
}

/// What an incident took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    pub(super) calls: usize,
    pub(super) changes: usize,
    pub(super) answers: usize,
    pub(super) tokens: u64,
    /// In billionths of a US dollar. None where no answer had a price.
    pub(super) nano_usd: Option<u64>,
}

/// Something that was not let through.
#[derive(Debug)]
pub(super) struct Refusal<'a> {
    /// The entry of the call that it was refused in, or its own.
    pub(super) sequence: u64,
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
    pub(super) probes: Vec<Probe<'a>>,
    pub(super) cost: Cost,
    pub(super) looks: Vec<Look<'a>>,
}

/// A call that only looks.
#[derive(Debug)]
pub(super) struct Look<'a> {
    /// The entry that begins it.
    pub(super) sequence: u64,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    /// When it ended: the time that an agent gives to what it saw.
    pub(super) ended_ms: Option<u64>,
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
            refusals: refusals(entries),
            probes: probes(entries),
            cost: Cost::of(entries),
            looks: looks(entries),
            resumptions: entries.iter().filter(|entry| matches!(entry.body, Body::SessionResumed { .. })).count(),
        }
    }

    /// The look at `service` that ended then.
    pub(super) fn look(&self, time_ms: u64, service: &str) -> Option<u64> {
        let is_of = |look: &&Look<'_>| {
            look.ended_ms == Some(time_ms) && ["name", "service"].iter().any(|key| look.arguments[*key] == service)
        };
        self.looks.iter().find(is_of).map(|look| look.sequence)
    }

    /// The `nth` call of `tool` with these arguments.
    pub(super) fn call(&self, tool: &str, arguments: &Value, nth: usize) -> Option<&Call<'a>> {
        self.calls.iter().filter(|call| call.tool == tool && call.arguments == arguments).nth(nth)
    }
}

/// The turning points of an incident, as far as there were any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moments {
    /// The first act that was done and stood.
    pub(super) act_ms: Option<u64>,
    /// The first healthy probe of the proof.
    pub(super) recovery_ms: Option<u64>,
    pub(super) proof_ms: Option<u64>,
}

impl Moments {
    pub(super) fn of(incident: &Incident<'_>, facts: &Facts<'_>) -> Self {
        let verification = &incident.details["verification"];
        let is_passed = verification["passed"] == Value::Bool(true);
        let moment = |key: &str| if is_passed { time_of(&verification[key]) } else { None };
        let (recovery_ms, proof_ms) = (moment("since"), moment("time"));
        let acts = incident.details["actions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let stood = acts.iter().filter(|act| {
            act["result"] == "done" && act["undone"] != Value::Bool(true) && act["inverse"] != Value::Bool(true)
        });
        // Nothing was effective that no recovery followed, and nothing that was done after it.
        let begin = facts.onset_ms.or(facts.detected_ms).unwrap_or(0);
        let act_ms = stood.filter_map(|act| time_of(&act["time"])).find(|time| *time >= begin);
        Self {
            act_ms: act_ms.filter(|act| recovery_ms.is_some_and(|recovery| *act <= recovery)),
            recovery_ms,
            proof_ms,
        }
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
            Some(Call { sequence: entry.sequence, tool, arguments, decision })
        }
        _ => None,
    }
}

fn looks(entries: &[Entry]) -> Vec<Look<'_>> {
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    let mut looks: Vec<Look<'_>> = Vec::new();
    for entry in entries {
        match &entry.body {
            Body::CallStarted { key, tool, arguments, effect: Severity::Read, .. } => {
                open.insert(key, looks.len());
                looks.push(Look { sequence: entry.sequence, tool, arguments, ended_ms: None });
            }
            Body::CallEnded { key, .. } => {
                if let Some(look) = open.remove(key.as_str()).and_then(|index| looks.get_mut(index)) {
                    look.ended_ms = Some(entry.time_ms);
                }
            }
            _ => {}
        }
    }
    looks
}

fn refusals(entries: &[Entry]) -> Vec<Refusal<'_>> {
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    let mut refusals = Vec::new();
    for entry in entries {
        match &entry.body {
            Body::CallStarted { key, .. } => _ = calls.insert(key, entry.sequence),
            Body::Refused { key, act, decision, .. } => {
                let mut within = calls.iter().filter(|(call, _)| {
                    key.strip_prefix(**call).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                });
                let sequence = within.next().map_or(entry.sequence, |(_, sequence)| *sequence);
                refusals.push(Refusal { sequence, time_ms: entry.time_ms, action: act.summary(), decision });
            }
            _ => {}
        }
    }
    refusals
}

/// All probes, in the order in which they ended.
fn probes(entries: &[Entry]) -> Vec<Probe<'_>> {
    let mut open: BTreeMap<&str, &str> = BTreeMap::new();
    let mut probes = Vec::new();
    for entry in entries {
        match &entry.body {
            Body::EffectStarted { key, act: Act::ServiceProbe { service }, .. } => _ = open.insert(key, service),
            Body::EffectEnded { key, status, detail } => {
                let Some(service) = open.remove(key.as_str()) else { continue };
                let is_healthy = *status == Status::Done && detail["healthy"] == Value::Bool(true);
                let latency_ms = detail["latency_ms"].as_f64();
                probes.push(Probe { time_ms: entry.time_ms, service, is_healthy, latency_ms });
            }
            _ => {}
        }
    }
    probes
}

impl Cost {
    fn of(entries: &[Entry]) -> Self {
        let mut cost = Self::default();
        for entry in entries {
            match &entry.body {
                Body::CallStarted { effect, .. } => {
                    cost.calls += 1;
                    cost.changes += usize::from(*effect != Severity::Read);
                }
                Body::ModelAnswered { answer, .. } => {
                    let Some(found) = completion(answer) else { continue };
                    cost.answers += 1;
                    cost.tokens =
                        cost.tokens.saturating_add(found.usage.input_all()).saturating_add(found.usage.output);
                    if let Some(nano_usd) = found.cost_nano_usd {
                        cost.nano_usd = Some(cost.nano_usd.unwrap_or(0).saturating_add(nano_usd));
                    }
                }
                _ => {}
            }
        }
        cost
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
