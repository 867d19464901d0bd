//! What is remembered of an alarm and of an incident, as it is stored.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alarm::{Alarm, LABELS_MAX, Severity};
use super::settings::Settings;

/// Times of changes that are kept of one alarm. More of them tell nothing more.
const CHANGES_MAX: usize = 100;

/// Where a firing alarm stands. It is exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// It opened this incident.
    Incident { incident: u64 },
    /// It belongs to this incident.
    Grouped { incident: u64, why: String },
    /// It is held back.
    Suppressed { reason: Reason, since_ms: u64 },
    /// It fires no more.
    Resolved,
}

/// Why an alarm is held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    Maintenance {
        window: String,
    },
    Flapping {
        changes: usize,
    },
    /// So many incidents were there already.
    Storm {
        incidents: usize,
    },
}

/// An alarm that a trigger has told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub trigger: String,
    pub agent: String,
    pub alarm: Alarm,
    #[serde(flatten)]
    pub place: Place,
    /// How often its source has said that it fires.
    pub times: u64,
    /// When it began to fire.
    pub first_ms: u64,
    pub last_ms: u64,
    /// When it began or ceased to fire, lately.
    pub changes: VecDeque<u64>,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// What belongs to it comes together.
    Gathering {
        until_ms: u64,
    },
    /// For a session.
    Waiting,
    Running,
    /// Its session has ended, and the source gets time to see it.
    Settling {
        until_ms: u64,
    },
    /// Until all of its alarms are resolved.
    WithPeople,
}

/// What an agent was or will be woken for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub agent: String,
    pub target: String,
    /// The alarm that it is about.
    pub lead: String,
    #[serde(flatten)]
    pub phase: Phase,
    pub severity: Severity,
    pub opened_ms: u64,
    /// When the last alarm came that belongs to it.
    pub last_ms: u64,
    /// Sessions that it has woken.
    pub attempts: u32,
    pub session: Option<String>,
    /// Alarms that were ever of it.
    pub alarms: u64,
    /// The labels of its alarms by which others belong to it.
    pub labels: BTreeMap<String, String>,
}

pub(super) fn key(trigger: &str, fingerprint: &str) -> String {
    format!("{trigger}/{fingerprint}")
}

impl Place {
    #[must_use]
    pub fn incident(&self) -> Option<u64> {
        match self {
            Place::Incident { incident } | Place::Grouped { incident, .. } => Some(*incident),
            Place::Suppressed { .. } | Place::Resolved => None,
        }
    }

    /// In words, for people.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Place::Incident { incident } => format!("incident {incident}"),
            Place::Grouped { incident, why } => format!("in incident {incident}: {why}"),
            Place::Suppressed { reason: Reason::Maintenance { window }, .. } => format!("maintenance: {window}"),
            Place::Suppressed { reason: Reason::Flapping { changes }, .. } => {
                format!("it flaps: {changes} changes; held until it is steady")
            }
            Place::Suppressed { reason: Reason::Storm { incidents }, .. } => {
                format!("a storm: {incidents} incidents were open; it waits for its turn")
            }
            Place::Resolved => "resolved".into(),
        }
    }
}

impl Phase {
    /// Whether a session is still to come, or runs.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Phase::Gathering { .. } | Phase::Waiting | Phase::Running)
    }

    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        matches!(self, Phase::Gathering { until_ms } | Phase::Settling { until_ms } if *until_ms <= now_ms)
    }

    /// In words, for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Phase::Gathering { .. } => "gathers",
            Phase::Waiting => "waits",
            Phase::Running => "runs",
            Phase::Settling { .. } => "settles",
            Phase::WithPeople => "people",
        }
    }
}

impl Known {
    pub(super) fn new(trigger: &str, agent: &str, alarm: Alarm, now_ms: u64) -> Self {
        Self {
            trigger: trigger.to_owned(),
            agent: agent.to_owned(),
            alarm,
            place: Place::Resolved,
            times: 1,
            first_ms: now_ms,
            last_ms: now_ms,
            changes: VecDeque::from([now_ms]),
        }
    }

    #[must_use]
    pub fn key(&self) -> String {
        key(&self.trigger, &self.alarm.fingerprint)
    }

    /// It fires still. Its target stays what it was: the incident is about that one.
    pub(super) fn repeat(&mut self, alarm: Alarm, now_ms: u64) {
        let target = std::mem::take(&mut self.alarm.target);
        self.alarm = Alarm { target, ..alarm };
        self.times = self.times.saturating_add(1);
        self.last_ms = now_ms;
    }

    pub(super) fn fire_again(&mut self, agent: &str, alarm: Alarm, now_ms: u64, flap_ms: u64) {
        self.alarm = alarm;
        agent.clone_into(&mut self.agent);
        self.times = self.times.saturating_add(1);
        self.first_ms = now_ms;
        self.change(now_ms, flap_ms);
    }

    pub(super) fn change(&mut self, now_ms: u64, flap_ms: u64) {
        self.last_ms = now_ms;
        self.changes.push_back(now_ms);
        let is_old = |time: &u64| now_ms.saturating_sub(*time) > flap_ms;
        while self.changes.len() > CHANGES_MAX || self.changes.front().is_some_and(is_old) {
            self.changes.pop_front();
        }
    }

    /// What an agent is told of it beside others.
    pub(super) fn told(&self) -> Value {
        json!({ "target": self.alarm.target, "title": self.alarm.title, "severity": self.alarm.severity })
    }
}

impl Incident {
    pub(super) fn new(key: &str, known: &Known, settings: &Settings, now_ms: u64) -> Self {
        let until_ms = now_ms.saturating_add(settings.gather_ms);
        let mut incident = Self {
            agent: known.agent.clone(),
            target: known.alarm.target.clone(),
            lead: key.to_owned(),
            phase: Phase::Gathering { until_ms },
            severity: known.alarm.severity,
            opened_ms: now_ms,
            last_ms: now_ms,
            attempts: 0,
            session: None,
            alarms: 0,
            labels: BTreeMap::new(),
        };
        incident.take(known, settings);
        incident
    }

    /// Count an alarm to it.
    pub(super) fn take(&mut self, known: &Known, settings: &Settings) {
        self.alarms = self.alarms.saturating_add(1);
        self.last_ms = self.last_ms.max(known.last_ms);
        self.severity = self.severity.max(known.alarm.severity);
        for label in &settings.group_by {
            if let Some(value) = known.alarm.labels.get(label).filter(|_| self.labels.len() < LABELS_MAX) {
                self.labels.entry(label.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}
