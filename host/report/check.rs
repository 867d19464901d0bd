//! The host's rule: an incident is closed as healed, or as a false alarm, only if the journal holds
//! the proof. An agent that says more than it has shown is not believed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::gate::{Act, Severity};
use crate::journal::{Body, Entry, Status};

/// Healthy probes in a row that are proof, whatever fewer an agent asks of itself.
pub const HEALTHY_PROBES_MIN: u64 = 3;
/// Probes that are closer than this on average are one look and no row.
const SPACING_MS_MIN: u64 = 50;

/// Whether the journal bears out an outcome that says that all is well. A claim of anything else needs
/// no proof. `called` says which services a call of a cloud changes: the journal has the resources alone.
///
/// # Errors
/// A sentence that says what is missing: the outcome is then an escalation.
pub fn check(
    status: &str,
    details: &Value,
    entries: &[Entry],
    called: &dyn Fn(&Act) -> Vec<String>,
) -> Result<(), String> {
    if !matches!(status, "done" | "nothing_to_do" | "nothing-to-do") {
        return Ok(());
    }
    let alerted = alerted_service(entries).or_else(|| details["target"].as_str());
    let alerted = alerted.filter(|service| !service.is_empty());
    let required =
        details.pointer("/verification/required").and_then(Value::as_u64).unwrap_or(0).max(HEALTHY_PROBES_MIN);
    let history = History::of(entries);
    // None at all: nobody named a service, and the agent found none to be sick.
    let mut services: Vec<&str> = alerted.into_iter().collect();
    services.extend(history.touched.iter().copied().filter(|service| Some(*service) != alerted));
    let in_cloud: Vec<String> = history.calls.iter().flat_map(|act| called(act)).collect();
    for service in &in_cloud {
        if !services.contains(&service.as_str()) {
            services.push(service);
        }
    }
    for service in services {
        let row = history.row(service);
        let count = row.len() as u64;
        if count < required {
            return Err(format!(
                "the journal holds {count} healthy probes in a row of `{service}` since the last change, and {required} are needed"
            ));
        }
        let (first, last) = (row.first().copied().unwrap_or(0), row.last().copied().unwrap_or(0));
        let needed = (required - 1) * SPACING_MS_MIN;
        if last.saturating_sub(first) < needed {
            return Err(format!(
                "the healthy probes of `{service}` were all made within {needed} ms: that is one look, and no proof"
            ));
        }
    }
    Ok(())
}

/// Whether the last probe of a service after the last change was healthy. None: there was none.
#[must_use]
pub fn last_probe_since_change(entries: &[Entry], service: &str) -> Option<bool> {
    let history = History::of(entries);
    let (begun, _, _, is_healthy) = history.probes.iter().rev().find(|(_, _, probed, _)| *probed == service)?;
    history.last_change.is_none_or(|change| *begun > change).then_some(*is_healthy)
}

/// The service that the alarm named: from the journal, since an agent might name another one.
pub(super) fn alerted_service(entries: &[Entry]) -> Option<&str> {
    entries.iter().find_map(|entry| match &entry.body {
        Body::SessionStarted { task, .. } => task.pointer("/input/alert/service").and_then(Value::as_str),
        _ => None,
    })
}

/// Probes and changes in the order in which they ended.
struct History<'a> {
    /// Entry number, time, service, healthy.
    probes: Vec<(usize, u64, &'a str, bool)>,
    last_change: Option<usize>,
    /// Services that were restarted or whose logs were rotated.
    touched: Vec<&'a str>,
    /// Calls of a cloud that changed something.
    calls: Vec<&'a Act>,
}

impl<'a> History<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let mut history = Self { probes: Vec::new(), last_change: None, touched: Vec::new(), calls: Vec::new() };
        // An act that is done again after a resume has the same key: the latest intent counts.
        let mut open: BTreeMap<&str, (usize, &Act)> = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            match &entry.body {
                // What was healthy in the session that this one is forked from may not be so any more.
                Body::SessionForked { .. } => history.last_change = Some(index),
                Body::EffectStarted { key, act, .. } => {
                    open.insert(key, (index, act));
                    history.change(index, act);
                }
                Body::EffectEnded { key, status, detail } => {
                    let Some((begun, act)) = open.remove(key.as_str()) else {
                        continue;
                    };
                    history.change(index, act);
                    if let Act::ServiceProbe { service } = act {
                        let is_healthy = *status == Status::Done && detail["healthy"] == Value::Bool(true);
                        history.probes.push((begun, entry.time_ms, service, is_healthy));
                    }
                }
                _ => {}
            }
        }
        history
    }

    fn change(&mut self, index: usize, act: &'a Act) {
        if act.severity() == Severity::Read {
            return;
        }
        self.last_change = Some(index);
        if matches!(act, Act::CloudCall { .. }) {
            self.calls.push(act);
        }
        if let Act::ServiceRestart { service } | Act::LogRotate { service, .. } = act
            && !self.touched.contains(&service.as_str())
        {
            self.touched.push(service);
        }
    }

    /// The times of the healthy probes at the end, all begun after the last change.
    fn row(&self, service: &str) -> Vec<u64> {
        let of_service = self.probes.iter().rev().filter(|(_, _, probed, _)| *probed == service);
        let mut row: Vec<u64> = of_service
            .take_while(|(begun, _, _, is_healthy)| {
                *is_healthy && self.last_change.is_none_or(|change| *begun > change)
            })
            .map(|(_, time, _, _)| *time)
            .collect();
        row.reverse();
        row
    }
}
