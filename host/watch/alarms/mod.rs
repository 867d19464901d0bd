//! Alarms from outside: which wake an agent, which are noted with others, and which are held back, and why.
//!
//! Pure: alarms, ends of sessions and the time come in; where each alarm stands, whom to wake and what to store come
//! out. Each firing alarm stands at exactly one place: it opened an incident, it is grouped in one, or it is held back
//! for a reason that is said. Nothing here knows HTTP, the store or an agent.

pub mod alarm;
pub mod maintenance;
mod record;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

pub use alarm::{Alarm, Severity, State};
pub use record::{Incident, Known, Phase, Place, Reason};
pub use settings::{Settings, SettingsError};

use crate::clock;

/// Alarms that are known at a time, firing or just resolved. Danger: a source that makes up names fills the memory.
pub const ALARMS_MAX: usize = 20_000;
/// Incidents that wait for a session or have one. Danger: 10,000 faults at once become 10,000 incidents.
pub const OPEN_MAX: usize = 64;
/// Incidents of all kinds, with those that people have. Danger: as above, over weeks.
pub const INCIDENTS_MAX: usize = 1_000;
/// Alarms of a group that its agent is told of; it is told how many more there are.
pub const TOLD_MAX: usize = 20;
/// After a session that could not be run: what broke it may be over.
const AFTER_BROKEN_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;

/// Keys of the store.
pub const KNOWN: &str = "alarms/known/";
pub const INCIDENT: &str = "alarms/incident/";
pub const META: &str = "alarms/meta";

/// What became of one alarm that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It opened an incident.
    Opened(u64),
    /// It belongs to an incident.
    Grouped(u64),
    /// It is known to fire already.
    Noted,
    /// It is held back; `pi-host alarms` says why.
    Suppressed,
    Resolved,
    /// It is resolved, and was not known to fire.
    Unknown,
    /// There is no room for it: its source has to send it again.
    Full,
}

/// How a session ended that an incident woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is well, as the session says.
    Well,
    /// People have it now.
    HandedOver,
    /// The session could not be run.
    Broken,
    /// The session never began: the host ended first.
    NotBegun,
    /// The service has a session already, which its own probe has woken.
    Elsewhere,
}

/// An agent to be woken.
#[derive(Clone, Debug, PartialEq)]
pub struct Wake {
    pub incident: u64,
    pub agent: String,
    pub target: String,
    /// What the agent reads as `alert`.
    pub alert: Value,
}

/// Something that people should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub is_bad: bool,
    pub text: String,
}

/// All alarms from outside.
pub struct Alarms {
    settings: Settings,
    /// By trigger and fingerprint.
    known: BTreeMap<String, Known>,
    incidents: BTreeMap<u64, Incident>,
    /// The firing alarms of each incident.
    members: BTreeMap<u64, BTreeSet<String>>,
    /// The incident of a target, by agent and target.
    by_target: BTreeMap<(String, String), u64>,
    /// Those that are held back.
    held: BTreeSet<String>,
    /// Those that are resolved, by when they last changed: the oldest makes room.
    resolved: BTreeSet<(u64, String)>,
    next_incident: u64,
    /// When sessions were woken within the last hour.
    starts: VecDeque<u64>,
    /// Rows that differ from what is stored.
    changed: BTreeSet<String>,
    notes: Vec<Note>,
    wakes: Vec<Wake>,
    swept_ms: u64,
    is_storm: bool,
    /// As many sessions were woken as may be in an hour.
    is_spent: bool,
}

impl Alarms {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            known: BTreeMap::new(),
            incidents: BTreeMap::new(),
            members: BTreeMap::new(),
            by_target: BTreeMap::new(),
            held: BTreeSet::new(),
            resolved: BTreeSet::new(),
            next_incident: 1,
            starts: VecDeque::new(),
            changed: BTreeSet::new(),
            notes: Vec::new(),
            wakes: Vec::new(),
            swept_ms: 0,
            is_storm: false,
            is_spent: false,
        }
    }

    /// What an earlier host has stored. A row that cannot be read is said and left out: its source tells of it again.
    #[must_use]
    pub fn load(settings: Settings, rows: Vec<(String, Value)>) -> Self {
        let mut alarms = Self::new(settings);
        for (row, value) in rows {
            let is_read = if let Some(id) = row.strip_prefix(INCIDENT) {
                let incident = id.parse().ok().zip(serde_json::from_value::<Incident>(value).ok());
                incident.map(|(id, incident)| alarms.load_incident(id, incident)).is_some()
            } else if row.starts_with(KNOWN) {
                serde_json::from_value::<Known>(value).map(|known| alarms.load_known(known)).is_ok()
            } else if row == META {
                alarms.next_incident = value["next_incident"].as_u64().unwrap_or(1);
                let starts = value["starts"].as_array().into_iter().flatten().filter_map(Value::as_u64);
                alarms.starts = starts.collect();
                true
            } else {
                true
            };
            if !is_read {
                alarms.note(true, format!("what was stored of an alarm cannot be read, and is left out: {row}"));
                alarms.changed.insert(row);
            }
        }
        alarms.mend();
        alarms
    }

    fn load_incident(&mut self, id: u64, incident: Incident) {
        self.next_incident = self.next_incident.max(id.saturating_add(1));
        self.by_target.insert((incident.agent.clone(), incident.target.clone()), id);
        self.members.entry(id).or_default();
        self.incidents.insert(id, incident);
    }

    fn load_known(&mut self, known: Known) {
        let key = known.key();
        match &known.place {
            Place::Incident { incident } | Place::Grouped { incident, .. } => {
                self.members.entry(*incident).or_default().insert(key.clone());
            }
            Place::Suppressed { .. } => _ = self.held.insert(key.clone()),
            Place::Resolved => _ = self.resolved.insert((known.last_ms, key.clone())),
        }
        self.known.insert(key, known);
    }

    /// A host that was killed between two rows: alarms of an incident that is not there are placed anew.
    fn mend(&mut self) {
        let lost: Vec<u64> = self.members.keys().filter(|id| !self.incidents.contains_key(id)).copied().collect();
        for id in lost {
            for key in self.members.remove(&id).unwrap_or_default() {
                if let Some(known) = self.known.get(&key) {
                    let now_ms = known.last_ms;
                    self.place(&key, now_ms);
                }
            }
        }
    }

    /// An alarm that a trigger or a source has told of.
    pub fn observe(&mut self, trigger: &str, agent: &str, alarm: Alarm, now_ms: u64) -> Taken {
        let alarm = alarm.bounded();
        let key = record::key(trigger, &alarm.fingerprint);
        let is_known = self.known.contains_key(&key);
        match alarm.state {
            State::Resolved => {
                if !is_known || !self.is_firing(&key) {
                    return Taken::Unknown;
                }
                self.resolve(&key, &alarm, now_ms);
                Taken::Resolved
            }
            State::Firing if is_known && self.is_firing(&key) => {
                if let Some(known) = self.known.get_mut(&key) {
                    known.repeat(alarm, now_ms);
                }
                self.touch(&key);
                Taken::Noted
            }
            State::Firing => {
                if !is_known && self.known.len() >= ALARMS_MAX && !self.make_room() {
                    return Taken::Full;
                }
                match self.known.get_mut(&key) {
                    Some(known) => {
                        self.resolved.remove(&(known.last_ms, key.clone()));
                        known.fire_again(agent, alarm, now_ms, self.settings.flap_ms);
                    }
                    None => _ = self.known.insert(key.clone(), Known::new(trigger, agent, alarm, now_ms)),
                }
                self.place(&key, now_ms)
            }
        }
    }

    /// Time has passed. To be called every second or so.
    pub fn tick(&mut self, now_ms: u64) {
        if now_ms.abs_diff(self.swept_ms) >= MINUTE_MS {
            self.swept_ms = now_ms;
            self.sweep(now_ms);
        }
        self.release(now_ms);
        let due: Vec<u64> =
            self.incidents.iter().filter(|(_, it)| it.phase.is_due(now_ms)).map(|(id, _)| *id).collect();
        for id in due {
            match self.incidents.get(&id).map(|incident| incident.phase) {
                Some(Phase::Gathering { .. }) => self.set_phase(id, Phase::Waiting),
                Some(Phase::Settling { .. }) => self.settled(id, now_ms),
                _ => {}
            }
        }
        self.wake(now_ms);
    }

    /// The session of an incident has begun.
    pub fn running(&mut self, incident: u64, session: &str) {
        if let Some(found) = self.incidents.get_mut(&incident) {
            found.phase = Phase::Running;
            found.session = Some(session.to_owned());
            self.touch_incident(incident);
        }
    }

    /// The session of an incident is over.
    pub fn closed(&mut self, incident: u64, ending: Ending, now_ms: u64) {
        let Some(found) = self.incidents.get_mut(&incident) else { return };
        let is_over = self.members.get(&incident).is_none_or(BTreeSet::is_empty);
        let settling = |wait_ms: u64| Phase::Settling { until_ms: now_ms.saturating_add(wait_ms) };
        let phase = match ending {
            Ending::NotBegun => {
                found.attempts = found.attempts.saturating_sub(1);
                Phase::Waiting
            }
            Ending::Well | Ending::Elsewhere => settling(self.settings.settle_ms),
            Ending::Broken => settling(AFTER_BROKEN_MS),
            Ending::HandedOver => Phase::WithPeople,
        };
        if is_over {
            self.remove_incident(incident, now_ms);
            return;
        }
        if phase == Phase::WithPeople {
            let text = format!("`{}` is for people now; its alarms are noted until they are resolved", found.target);
            self.note(true, text);
        }
        self.set_phase(incident, phase);
    }

    /// The incidents whose sessions run, or should; with their sessions.
    #[must_use]
    pub fn in_session(&self) -> Vec<(u64, Option<String>)> {
        let running = self.incidents.iter().filter(|(_, incident)| incident.phase == Phase::Running);
        running.map(|(id, incident)| (*id, incident.session.clone())).collect()
    }

    /// Whom to wake now. Each is told once.
    pub fn take_wakes(&mut self) -> Vec<Wake> {
        std::mem::take(&mut self.wakes)
    }

    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The rows to be written since the last call; None: to be removed.
    pub fn take_changes(&mut self) -> Vec<(String, Option<Value>)> {
        let rows = std::mem::take(&mut self.changed);
        rows.into_iter().map(|row| (self.row(&row), row)).map(|(value, row)| (row, value)).collect()
    }

    fn row(&self, row: &str) -> Option<Value> {
        if row == META {
            return Some(json!({ "next_incident": self.next_incident, "starts": self.starts }));
        }
        if let Some(id) = row.strip_prefix(INCIDENT) {
            let incident = id.parse().ok().and_then(|id| self.incidents.get(&id));
            return incident.and_then(|incident| serde_json::to_value(incident).ok());
        }
        let known = row.strip_prefix(KNOWN).and_then(|key| self.known.get(key));
        known.and_then(|known| serde_json::to_value(known).ok())
    }

    #[must_use]
    pub fn known(&self) -> &BTreeMap<String, Known> {
        &self.known
    }

    #[must_use]
    pub fn incidents(&self) -> &BTreeMap<u64, Incident> {
        &self.incidents
    }

    /// The firing alarms of a trigger, by their fingerprints.
    #[must_use]
    pub fn firing_of(&self, trigger: &str) -> Vec<Alarm> {
        let of_trigger = self.known.values().filter(|known| known.trigger == trigger && known.place != Place::Resolved);
        of_trigger.map(|known| known.alarm.clone()).collect()
    }

    fn is_firing(&self, key: &str) -> bool {
        self.known.get(key).is_some_and(|known| known.place != Place::Resolved)
    }

    /// Find the place of a firing alarm that has none.
    fn place(&mut self, key: &str, now_ms: u64) -> Taken {
        self.held.remove(key);
        let Some(known) = self.known.get(key) else { return Taken::Unknown };
        let (agent, target) = (known.agent.clone(), known.alarm.target.clone());
        // What is under way already is told of it, whatever would hold it back.
        if let Some(id) = self.by_target.get(&(agent.clone(), target.clone())).copied() {
            return self.join(key, id, "it is of the same target");
        }
        if let Some(window) = self.settings.maintenance_of(&target, now_ms) {
            let window = window.name.clone();
            return self.hold(key, Reason::Maintenance { window }, now_ms);
        }
        if known.changes.len() >= self.settings.flap_changes {
            let (title, changes) = (known.alarm.title.clone(), known.changes.len());
            // Once: each further change is told of by the list alone.
            if changes < self.settings.flap_changes + 2 {
                let text = format!("`{title}` flaps: it has changed {changes} times, and is held until it is steady");
                self.note(true, text);
            }
            return self.hold(key, Reason::Flapping { changes }, now_ms);
        }
        if let Some((id, why)) = self.root_of(key, now_ms) {
            return self.join(key, id, why);
        }
        let open = self.incidents.values().filter(|incident| incident.phase.is_open()).count();
        if open >= OPEN_MAX || self.incidents.len() >= INCIDENTS_MAX {
            if !self.is_storm {
                self.is_storm = true;
                let text =
                    format!("a storm: {} incidents are open; further alarms are kept and wait", self.incidents.len());
                self.note(true, text);
            }
            return self.hold(key, Reason::Storm { incidents: self.incidents.len() }, now_ms);
        }
        self.open(key, now_ms)
    }

    /// The incident that an alarm shares a root with, and why.
    fn root_of(&mut self, key: &str, now_ms: u64) -> Option<(u64, &'static str)> {
        let known = self.known.get(key)?;
        let (agent, target) = (known.agent.clone(), known.alarm.target.clone());
        let needs = self.settings.needs(&target);
        let needed_by = self.settings.needed_by(&target);
        let mut found = None;
        for (id, incident) in self.incidents.iter().filter(|(_, incident)| incident.agent == agent) {
            if needs.contains(&incident.target) {
                found = Some((*id, "its target needs the one of the incident"));
                break;
            }
            if needed_by.contains(&incident.target) && incident.phase.is_open() {
                found = Some((*id, "the target of the incident needs its target"));
                break;
            }
            let is_recent = now_ms.abs_diff(incident.last_ms) <= self.settings.group_ms;
            let shares = |(label, value): (&String, &String)| known.alarm.labels.get(label) == Some(value);
            if found.is_none() && incident.phase.is_open() && is_recent && incident.labels.iter().any(shares) {
                found = Some((*id, "it shares a label with an incident of the same moment"));
            }
        }
        // The root is what is needed: as long as nobody works on it, the incident is about that.
        if let Some((id, "the target of the incident needs its target")) = found {
            self.lead(id, key);
        }
        found
    }

    /// Make an incident that has not begun one about the target of this alarm.
    fn lead(&mut self, id: u64, key: &str) {
        let (Some(incident), Some(known)) = (self.incidents.get_mut(&id), self.known.get(key)) else { return };
        if !matches!(incident.phase, Phase::Gathering { .. } | Phase::Waiting) || incident.attempts > 0 {
            return;
        }
        self.by_target.remove(&(incident.agent.clone(), incident.target.clone()));
        incident.target = known.alarm.target.clone();
        let before = std::mem::replace(&mut incident.lead, key.to_owned());
        self.by_target.insert((incident.agent.clone(), incident.target.clone()), id);
        if let Some(known) = self.known.get_mut(&before) {
            known.place = Place::Grouped { incident: id, why: "its target needs the one of the incident".into() };
        }
        self.touch(&before);
        self.touch_incident(id);
    }

    fn open(&mut self, key: &str, now_ms: u64) -> Taken {
        let id = self.next_incident;
        let Some(known) = self.known.get_mut(key) else { return Taken::Unknown };
        self.next_incident = self.next_incident.saturating_add(1);
        let incident = Incident::new(key, known, &self.settings, now_ms);
        known.place = Place::Incident { incident: id };
        self.by_target.insert((incident.agent.clone(), incident.target.clone()), id);
        self.members.insert(id, BTreeSet::from([key.to_owned()]));
        self.incidents.insert(id, incident);
        self.touch(key);
        self.touch_incident(id);
        self.changed.insert(META.to_owned());
        Taken::Opened(id)
    }

    fn join(&mut self, key: &str, id: u64, why: &str) -> Taken {
        let (Some(known), Some(incident)) = (self.known.get_mut(key), self.incidents.get_mut(&id)) else {
            return Taken::Unknown;
        };
        known.place = match incident.lead == key {
            true => Place::Incident { incident: id },
            false => Place::Grouped { incident: id, why: why.to_owned() },
        };
        incident.take(known, &self.settings);
        self.members.entry(id).or_default().insert(key.to_owned());
        self.touch(key);
        self.touch_incident(id);
        Taken::Grouped(id)
    }

    fn hold(&mut self, key: &str, reason: Reason, now_ms: u64) -> Taken {
        if let Some(known) = self.known.get_mut(key) {
            known.place = Place::Suppressed { reason, since_ms: now_ms };
        }
        self.held.insert(key.to_owned());
        self.touch(key);
        Taken::Suppressed
    }

    fn resolve(&mut self, key: &str, alarm: &Alarm, now_ms: u64) {
        self.held.remove(key);
        let Some(known) = self.known.get_mut(key) else { return };
        let before = std::mem::replace(&mut known.place, Place::Resolved);
        known.change(now_ms, self.settings.flap_ms);
        if !alarm.detail.is_empty() {
            known.alarm.detail.clone_from(&alarm.detail);
        }
        known.alarm.state = State::Resolved;
        self.resolved.insert((known.last_ms, key.to_owned()));
        self.touch(key);
        if let Some(id) = before.incident() {
            self.leave(key, id, now_ms);
        }
    }

    /// An alarm of an incident fires no more.
    fn leave(&mut self, key: &str, id: u64, now_ms: u64) {
        let members = self.members.entry(id).or_default();
        members.remove(key);
        let is_empty = members.is_empty();
        let Some(incident) = self.incidents.get(&id) else { return };
        let is_begun = incident.phase == Phase::Running;
        let is_lead = incident.lead == key;
        let is_unattended =
            matches!(incident.phase, Phase::Gathering { .. } | Phase::Waiting) && incident.attempts == 0;
        let target = incident.target.clone();
        if !is_begun && is_empty {
            self.remove_incident(id, now_ms);
        } else if is_lead && is_unattended && !self.lead_on(id, &target) {
            // What is left of a group whose root is well before anybody looked stands for itself.
            self.remove_incident(id, now_ms);
        }
    }

    /// Another alarm of the same target takes the place of the one that an incident was about. False: there is none.
    fn lead_on(&mut self, id: u64, target: &str) -> bool {
        let members = self.members.get(&id).into_iter().flatten();
        let is_own = |key: &&String| self.known.get(*key).is_some_and(|known| known.alarm.target == target);
        let Some(key) = members.into_iter().find(is_own).cloned() else { return false };
        if let Some(known) = self.known.get_mut(&key) {
            known.place = Place::Incident { incident: id };
        }
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.lead.clone_from(&key);
        }
        self.touch(&key);
        self.touch_incident(id);
        true
    }

    /// The incident is over: what still fires of it finds another place.
    fn remove_incident(&mut self, id: u64, now_ms: u64) {
        let Some(incident) = self.incidents.remove(&id) else { return };
        let own = (incident.agent, incident.target);
        if self.by_target.get(&own) == Some(&id) {
            self.by_target.remove(&own);
        }
        self.touch_incident(id);
        for key in self.members.remove(&id).unwrap_or_default() {
            self.place(&key, now_ms);
        }
    }

    /// The time is over that the source had to see what the session has done.
    fn settled(&mut self, id: u64, now_ms: u64) {
        let Some(incident) = self.incidents.get(&id) else { return };
        let members = self.members.get(&id).cloned().unwrap_or_default();
        let is_own = |key: &String| self.known.get(key).is_some_and(|known| known.alarm.target == incident.target);
        let (own, others): (Vec<String>, Vec<String>) = members.into_iter().partition(is_own);
        if own.is_empty() {
            self.remove_incident(id, now_ms);
            return;
        }
        let (target, attempts) = (incident.target.clone(), incident.attempts);
        if attempts >= self.settings.attempts_max {
            let text = format!("`{target}` still has alarms after {attempts} sessions: it is for people now");
            self.note(true, text);
            self.set_phase(id, Phase::WithPeople);
        } else {
            self.set_phase(id, Phase::Waiting);
        }
        // They were not of its root after all.
        if let Some(members) = self.members.get_mut(&id) {
            others.iter().for_each(|key| _ = members.remove(key));
        }
        for key in others {
            self.place(&key, now_ms);
        }
    }

    /// Place anew what was held back for a reason that is over.
    fn release(&mut self, now_ms: u64) {
        if self.held.is_empty() {
            self.is_storm = false;
            return;
        }
        let open = self.incidents.values().filter(|incident| incident.phase.is_open()).count();
        let mut room = OPEN_MAX.saturating_sub(open).min(INCIDENTS_MAX.saturating_sub(self.incidents.len()));
        let mut due = Vec::new();
        let mut storm = Vec::new();
        for key in &self.held {
            let Some(known) = self.known.get(key) else { continue };
            match &known.place {
                Place::Suppressed { reason: Reason::Maintenance { .. }, .. }
                    if self.settings.maintenance_of(&known.alarm.target, now_ms).is_none() =>
                {
                    due.push(key.clone());
                }
                Place::Suppressed { reason: Reason::Flapping { .. }, .. }
                    if known.changes.back().is_none_or(|last| now_ms.abs_diff(*last) >= self.settings.steady_ms) =>
                {
                    due.push(key.clone());
                }
                Place::Suppressed { reason: Reason::Storm { .. }, .. } if room > 0 => {
                    storm.push((std::cmp::Reverse(known.alarm.severity), known.first_ms, key.clone()));
                }
                _ => {}
            }
        }
        for key in due {
            if let Some(known) = self.known.get_mut(&key) {
                if matches!(known.place, Place::Suppressed { reason: Reason::Flapping { .. }, .. }) {
                    known.changes.clear();
                }
                let text = format!("`{}` still fires and is held back no longer", known.alarm.title);
                self.note(false, text);
            }
            self.place(&key, now_ms);
        }
        storm.sort();
        for (_, _, key) in storm {
            if room == 0 {
                break;
            }
            if matches!(self.place(&key, now_ms), Taken::Opened(_) | Taken::Suppressed) {
                room -= 1;
            }
        }
    }

    /// Set aside what nobody has spoken of for long, and forget what is resolved and steady.
    fn sweep(&mut self, now_ms: u64) {
        let is_stale = |known: &&Known| {
            known.place != Place::Resolved && now_ms.saturating_sub(known.last_ms) >= self.settings.forget_ms
        };
        let stale: Vec<(String, Alarm)> =
            self.known.values().filter(is_stale).map(|known| (known.key(), known.alarm.clone())).collect();
        for (key, alarm) in stale {
            let hours = self.settings.forget_ms / HOUR_MS;
            let text = format!(
                "nothing was heard of `{}` for {hours} hours: it is set aside, and not taken for well",
                alarm.title
            );
            self.note(true, text);
            self.resolve(&key, &alarm, now_ms);
        }
        let keep_ms = self.settings.flap_ms.max(HOUR_MS);
        let gone: Vec<(u64, String)> =
            self.resolved.iter().take_while(|(last, _)| now_ms.saturating_sub(*last) >= keep_ms).cloned().collect();
        gone.into_iter().for_each(|resolved| self.forget(resolved));
    }

    /// Forget the resolved alarm that changed longest ago. False: all are firing.
    fn make_room(&mut self) -> bool {
        let oldest = self.resolved.first().cloned();
        oldest.map(|resolved| self.forget(resolved)).is_some()
    }

    fn forget(&mut self, resolved: (u64, String)) {
        self.known.remove(&resolved.1);
        self.touch(&resolved.1);
        self.resolved.remove(&resolved);
    }

    /// Wake agents for incidents that wait, the worst first, as many as may be.
    fn wake(&mut self, now_ms: u64) {
        self.starts.retain(|start| now_ms.saturating_sub(*start) < HOUR_MS);
        let running = self.incidents.values().filter(|incident| incident.phase == Phase::Running).count();
        let room = self.settings.sessions_max.saturating_sub(running);
        let room = room.min(self.settings.sessions_per_hour.saturating_sub(self.starts.len()));
        let is_spent = self.starts.len() >= self.settings.sessions_per_hour;
        if is_spent && !self.is_spent && self.incidents.values().any(|incident| incident.phase == Phase::Waiting) {
            let text = format!("{} sessions were woken within an hour: further incidents wait", self.starts.len());
            self.note(true, text);
        }
        self.is_spent = is_spent;
        if room == 0 {
            return;
        }
        let waiting = self.incidents.iter().filter(|(_, incident)| incident.phase == Phase::Waiting);
        let mut waiting: Vec<_> = waiting.map(|(id, it)| (std::cmp::Reverse(it.severity), it.opened_ms, *id)).collect();
        waiting.sort_unstable();
        for (_, _, id) in waiting.into_iter().take(room) {
            let alert = self.alert(id, now_ms);
            let Some(incident) = self.incidents.get_mut(&id) else { continue };
            incident.phase = Phase::Running;
            incident.session = None;
            incident.attempts = incident.attempts.saturating_add(1);
            let (agent, target) = (incident.agent.clone(), incident.target.clone());
            self.wakes.push(Wake { incident: id, agent, target, alert });
            self.starts.push_back(now_ms);
            self.touch_incident(id);
            self.changed.insert(META.to_owned());
        }
    }

    /// What an agent is told of an incident.
    fn alert(&self, id: u64, now_ms: u64) -> Value {
        let Some(incident) = self.incidents.get(&id) else { return Value::Null };
        let members = self.members.get(&id);
        let members: Vec<&Known> = members.into_iter().flatten().filter_map(|key| self.known.get(key)).collect();
        let lead = self.known.get(&incident.lead).or(members.first().copied());
        let since = members.iter().map(|known| known.alarm.started_ms.unwrap_or(known.first_ms)).min();
        let mut alert = json!({
            "incident": id, "target": incident.target, "state": "raised", "time": clock::rfc3339(now_ms),
            "since": clock::rfc3339(since.unwrap_or(now_ms).min(now_ms)), "attempt": incident.attempts + 1,
        });
        if let Some(known) = lead {
            let Alarm { title, detail, severity, labels, source, .. } = &known.alarm;
            for (key, value) in [
                ("title", json!(title)),
                ("detail", json!(detail)),
                ("severity", json!(severity)),
                ("labels", json!(labels)),
                ("source", json!(source)),
                ("trigger", json!(known.trigger)),
            ] {
                alert[key] = value;
            }
        }
        let others = members.iter().filter(|known| known.key() != incident.lead);
        let told: Vec<Value> = others.clone().take(TOLD_MAX).map(|known| known.told()).collect();
        let count = others.count();
        if count > 0 {
            alert["group"] = json!({ "alarms": told, "more": count.saturating_sub(TOLD_MAX) });
        }
        alert
    }

    fn set_phase(&mut self, id: u64, phase: Phase) {
        if let Some(incident) = self.incidents.get_mut(&id) {
            incident.phase = phase;
            self.touch_incident(id);
        }
    }

    fn touch(&mut self, key: &str) {
        self.changed.insert(format!("{KNOWN}{key}"));
    }

    fn touch_incident(&mut self, id: u64) {
        self.changed.insert(format!("{INCIDENT}{id}"));
    }

    fn note(&mut self, is_bad: bool, text: String) {
        self.notes.push(Note { is_bad, text });
    }
}
