//! What was seen of a target at one moment: the evidence in the form of incident.json for the judgement, and beside
//! it the few facts in types that acts and proofs rest on.

use std::collections::BTreeMap;

use pi_diagnosis::{Alert, Event, Incident, Instant, LogLine, Metric, Resource};
use pi_sdk::{Value, json};

use super::inspect::Inspection;
use super::metrics::Query;
use super::target::Target;
use crate::facts::ProbeClass;
use crate::instant::rfc3339;
use crate::observe::Subject;

/// Lines and events of an incident that are kept: what is looked at again and again must not grow for ever.
const LINES_MAX: usize = 2_000;
/// Characters of one line: a service may write megabytes in one.
const LINE_CHARS_MAX: usize = 2_000;

/// Everything that was seen at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub time_ms: u64,
    pub incident: Incident,
    /// The target as a service: its probes.
    pub subject: Subject,
    pub state: State,
    /// Who does the same work beside it, and whoever needs it: by name, and whether it is well.
    pub neighbours: BTreeMap<String, bool>,
    /// What it needs, and whether that is well.
    pub dependencies: BTreeMap<String, bool>,
    pub group: Option<Group>,
    pub changes: Vec<Change>,
    pub alarms: Vec<Alarm>,
    /// Commands can be sent to it; none: not known.
    pub is_managed: Option<bool>,
    pub inspection: Option<Inspection>,
    /// The series that were asked for.
    pub queries: Vec<Query>,
    pub gaps: Vec<String>,
    /// The cloud knows of no such thing, in its words.
    pub gone: Option<String>,
}

/// The state of the target by the cloud's own account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// `running`, `available`, ...; empty: not known.
    pub status: String,
    /// `ok`, `impaired`, `initializing`, ...
    pub instance_check: String,
    pub system_check: String,
    pub why_stopped: String,
    /// `t3.medium`, `db.r6g.large`.
    pub class: String,
    /// Its disks survive a stop.
    pub is_on_volumes: bool,
    pub is_spot: bool,
    pub allocated_gib: Option<u64>,
    pub max_allocated_gib: Option<u64>,
    /// It has a standby.
    pub is_multi_az: bool,
    pub is_replica: bool,
    pub cluster: Option<String>,
    /// The members of a cluster: name, and whether it is the one that writes.
    pub members: Vec<(String, bool)>,
}

impl State {
    /// It is meant to be serving, by the cloud's own account.
    pub fn is_up(&self) -> bool {
        matches!(self.status.as_str(), "running" | "available")
    }

    /// It is between two states, and changes without us.
    pub fn is_in_transition(&self) -> bool {
        const PASSING: [&str; 14] = [
            "pending",
            "stopping",
            "starting",
            "shutting-down",
            "rebooting",
            "modifying",
            "backing-up",
            "failing-over",
            "upgrading",
            "maintenance",
            "renaming",
            "creating",
            "promoting",
            "resetting-master-credentials",
        ];
        PASSING.contains(&self.status.as_str()) || self.status.starts_with("configuring-")
    }

    pub fn is_impaired(&self) -> bool {
        [&self.instance_check, &self.system_check].into_iter().any(|check| check == "impaired")
    }

    pub fn writer(&self) -> Option<&str> {
        self.members.iter().find(|(_, is_writer)| *is_writer).map(|(id, _)| id.as_str())
    }
}

/// An auto-scaling group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    pub name: String,
    pub min: u64,
    pub max: u64,
    pub desired: u64,
    pub members: usize,
}

/// Something that somebody changed, by the trail.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub time_ms: u64,
    pub name: String,
    pub who: String,
    pub request: Value,
    pub response: Value,
}

/// An alarm of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    pub name: String,
    pub is_on: bool,
    pub metric: String,
    pub threshold: Option<f64>,
    /// `GreaterThanThreshold` and the like.
    pub comparison: String,
}

impl Seen {
    pub fn of(target: &Target, alert: &Value, id: &str) -> Self {
        let mut labels: BTreeMap<String, Value> =
            alert["labels"].as_object().cloned().unwrap_or_default().into_iter().collect();
        labels.insert(target.kind().dimension().1.into(), json!(target.id()));
        labels.insert("service".into(), json!(target.service));
        let mut annotations: BTreeMap<String, Value> = BTreeMap::new();
        for key in ["detail", "time", "severity", "annotations"] {
            if let Some(value) = alert.get(key).filter(|value| !value.is_null()) {
                annotations.insert(key.into(), value.clone());
            }
        }
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        let alert = Alert { title: text("title"), source: text("source"), state: text("state"), labels, annotations };
        let subject = Subject { name: target.service.clone(), ..Subject::default() };
        let incident = Incident { id: id.to_owned(), alert, ..Incident::default() };
        Self { incident, subject, ..Self::default() }
    }

    pub fn miss(&mut self, gap: impl Into<String>) {
        let gap = gap.into();
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    pub fn event(&mut self, time_ms: Option<u64>, source: &str, kind: &str, message: impl Into<String>) {
        let (source, kind, message) = (source.to_owned(), kind.to_owned(), cut(&message.into()));
        let time = time_ms.and_then(instant);
        self.incident.events.push(Event { time, source, kind, message, ..Event::default() });
    }

    pub fn line(&mut self, time_ms: Option<u64>, source: &str, message: &str) {
        let (source, message) = (source.to_owned(), cut(message));
        self.incident.logs.push(LogLine { time: time_ms.and_then(instant), source, level: None, message });
    }

    pub fn resource(&mut self, kind: &str, name: &str, state: Value) {
        self.incident.resources.push(Resource { kind: kind.into(), name: name.into(), state });
    }

    /// The probe fails more often than not.
    pub fn is_failing(&self) -> bool {
        self.subject.failed_probes() * 2 > self.subject.probes.len()
    }

    /// Each probe ended without any answer.
    pub fn is_silent(&self) -> bool {
        let probes = &self.subject.probes;
        let is_silent = |class: ProbeClass| matches!(class, ProbeClass::TimedOut | ProbeClass::Refused);
        !probes.is_empty() && probes.iter().all(|(_, probe)| is_silent(probe.class()))
    }

    /// The probe was answered well each time.
    pub fn is_answering(&self) -> bool {
        self.subject.failed_probes() == 0 && self.subject.healthy_probes() > 0
    }

    /// The values of a metric of the target itself, oldest first.
    pub fn series(&self, name: &str, id: &str) -> Vec<(u64, f64)> {
        let is_own = |metric: &&Metric| {
            metric.name == name && metric.dimensions.values().any(|value| value.as_str() == Some(id))
        };
        let points = self.incident.metrics.iter().filter(is_own).flat_map(|metric| &metric.points);
        let mut points: Vec<(u64, f64)> =
            points.filter_map(|point| Some((u64::try_from(point.0.0).ok()?, point.1?))).collect();
        points.sort_by_key(|(time, _)| *time);
        points
    }

    /// Neighbours that were well, and are not well `now`.
    pub fn worse(&self, now: &Self) -> Vec<String> {
        let was_well = self.neighbours.iter().filter(|(_, is_well)| **is_well);
        was_well.filter(|(name, _)| now.neighbours.get(*name) == Some(&false)).map(|(name, _)| name.clone()).collect()
    }
}

/// Add what a later look has brought to what earlier ones have.
pub fn merge(all: &mut Incident, new: &Incident) {
    for metric in &new.metrics {
        let known = all.metrics.iter_mut().find(|it| {
            (&it.name, &it.dimensions, &it.statistic) == (&metric.name, &metric.dimensions, &metric.statistic)
        });
        match known {
            Some(known) => {
                known.points.retain(|point| !metric.points.iter().any(|other| other.0 == point.0));
                known.points.extend(metric.points.iter().copied());
                known.points.sort_by_key(|point| point.0);
            }
            None => all.metrics.push(metric.clone()),
        }
    }
    let known_line = |all: &Incident, line: &LogLine| {
        all.logs.iter().any(|it| (it.time, &it.source, &it.message) == (line.time, &line.source, &line.message))
    };
    for line in &new.logs {
        if all.logs.len() < LINES_MAX && !known_line(all, line) {
            all.logs.push(line.clone());
        }
    }
    for event in &new.events {
        let is_known = all
            .events
            .iter()
            .any(|it| (it.time, &it.source, &it.message) == (event.time, &event.source, &event.message));
        if all.events.len() < LINES_MAX && !is_known {
            all.events.push(event.clone());
        }
    }
    for resource in &new.resources {
        all.resources.retain(|it| (&it.kind, &it.name) != (&resource.kind, &resource.name));
        all.resources.push(resource.clone());
    }
    all.alert = new.alert.clone();
    all.id.clone_from(&new.id);
}

/// What happened before `since_ms` was dealt with already, and is not held against the target any more.
pub fn since(incident: &Incident, since_ms: u64) -> Incident {
    let Some(since) = instant(since_ms) else { return incident.clone() };
    let mut later = incident.clone();
    later.logs.retain(|line| line.time.is_none_or(|time| time >= since));
    later.events.retain(|event| event.time.is_none_or(|time| time >= since));
    later
}

pub fn instant(time_ms: u64) -> Option<Instant> {
    i64::try_from(time_ms).ok().map(Instant)
}

/// An incident as the document that incident.json is.
pub fn document(incident: &Incident) -> Value {
    pi_sdk::serde_json::to_value(incident)
        .unwrap_or_else(|error| json!({ "version": 1, "error": format!("what was seen cannot be written: {error}") }))
}

fn cut(text: &str) -> String {
    text.chars().take(LINE_CHARS_MAX).collect()
}

/// `2026-01-01T00:00:00.000Z` for a moment so long before another.
pub fn before(time_ms: u64, ms: u64) -> String {
    rfc3339(time_ms.saturating_sub(ms))
}
