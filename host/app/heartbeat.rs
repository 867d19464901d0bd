//! What the store knows of the jobs of `[heartbeat]`: their slots, whether they are paused, up to where they are decided.
//! `pi_schedule` says what follows from it; the host that runs does it (`host/heartbeat.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use pi_schedule::{Job, Known, Look, MissedWhy, Origin, Record, SlotKey, SlotState, backfill, run_now};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock;
use crate::config::{HeartbeatConfig, Project};
use crate::store::{Lease, Slot, Store, StoreError};

/// Key of the store: what is known of a job, by its name.
const KNOWN: &str = "heartbeat/";
/// The newest slots of a job that are read: more than any job may make up for.
const SLOTS_READ: u32 = 1_100;
/// The states of slots that have not ended, or may be tried again.
const OPEN_STATES: &[&str] = &["queued", "running", "failed"];

/// A job of `pi.toml`.
#[derive(Clone)]
pub struct Beat {
    pub job: Job,
    pub config: HeartbeatConfig,
}

/// What is kept of a job beside its slots.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    covered: Timestamp,
    #[serde(default)]
    floor: Option<Timestamp>,
    #[serde(default)]
    is_paused: bool,
    #[serde(default)]
    resumed_at: Option<Timestamp>,
    /// Of the schedule: another one begins anew.
    #[serde(default)]
    fingerprint: String,
}

#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no job `{name}` in pi.toml\nhint: {hint}")]
    NoJob { name: String, hint: String },
    #[error(transparent)]
    Schedule(#[from] pi_schedule::Error),
}

/// The jobs of a project. It was checked when it was read.
#[must_use]
pub fn beats(project: &Project) -> BTreeMap<String, Beat> {
    let beat = |(name, config): (&String, &HeartbeatConfig)| {
        Some((name.clone(), Beat { job: config.job(name).ok()?, config: config.clone() }))
    };
    project.config.heartbeat.iter().filter_map(beat).collect()
}

/// One job of a project.
///
/// # Errors
/// There is none of that name.
pub fn beat_of(project: &Project, name: &str) -> Result<Beat, HeartbeatError> {
    let mut all = beats(project);
    all.remove(name).ok_or_else(|| {
        let known: Vec<String> = all.keys().map(|name| format!("`{name}`")).collect();
        let hint = match known.as_slice() {
            [] => "add one: [heartbeat.NAME] with `agent` and `cron`".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        HeartbeatError::NoJob { name: crate::gate::explain::escaped(name), hint }
    })
}

/// The clocks of this moment.
#[must_use]
pub fn look() -> Look {
    let (awake_ms, passed_ms) = clock::steady();
    Look { at: timestamp(clock::now_ms()), awake_ms, passed_ms }
}

/// A time of the store.
#[must_use]
pub fn timestamp(ms: u64) -> Timestamp {
    i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX)
}

/// A time for the store.
#[must_use]
pub fn ms_of(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

/// The key of the store for a slot.
#[must_use]
pub fn stored_key(key: &SlotKey) -> crate::store::SlotKey {
    let origin = match key.origin {
        Origin::Schedule => "schedule",
        Origin::Manual => "manual",
        Origin::Backfill => "backfill",
    };
    crate::store::SlotKey { job: key.job.clone(), due_ms: ms_of(key.at), origin: origin.to_owned() }
}

/// What the store knows of a slot. None: it cannot be read, as if another program had written it.
#[must_use]
pub fn record_of(slot: &Slot) -> Option<Record> {
    let origin = match slot.key.origin.as_str() {
        "schedule" => Origin::Schedule,
        "manual" => Origin::Manual,
        "backfill" => Origin::Backfill,
        _ => return None,
    };
    let state: SlotState = serde_json::from_value(slot.detail.clone()).ok()?;
    Some(Record { key: SlotKey { job: slot.key.job.clone(), origin, at: timestamp(slot.key.due_ms) }, state })
}

/// A slot as it is stored.
#[must_use]
pub fn slot_of(key: &SlotKey, state: &SlotState, session: Option<String>, note: String) -> Slot {
    let detail = serde_json::to_value(state).unwrap_or(Value::Null);
    let word = detail.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
    Slot { key: stored_key(key), state: word, detail, session, epoch: 0, note }
}

/// What is known of a job, with its slots as they stand in the store.
pub struct Standing {
    pub known: Known,
    pub slots: Vec<Slot>,
    kept: Kept,
}

impl Standing {
    /// The slot of the store that a key is.
    #[must_use]
    pub fn slot(&self, key: &SlotKey) -> Option<&Slot> {
        let key = stored_key(key);
        self.slots.iter().find(|slot| slot.key == key)
    }
}

/// Read what is known of a job.
///
/// # Errors
/// The store cannot be read.
pub async fn standing(store: &dyn Store, beat: &Beat, now: Timestamp) -> Result<Standing, StoreError> {
    let name = beat.job.name();
    let fingerprint = beat.job.fingerprint();
    let stored = store.value(&format!("{KNOWN}{name}")).await?;
    let kept = stored.and_then(|value| serde_json::from_value::<Kept>(value).ok());
    let mut kept = kept.unwrap_or_else(|| Kept {
        covered: now,
        floor: None,
        is_paused: false,
        resumed_at: None,
        fingerprint: fingerprint.clone(),
    });
    if kept.fingerprint != fingerprint {
        // What lies between is none of the new schedule's slots.
        (kept.covered, kept.fingerprint) = (now, fingerprint);
    }
    let mut slots = store.slots(name, SLOTS_READ).await?;
    for slot in store.slots_in(OPEN_STATES, Some(name)).await? {
        if !slots.iter().any(|known| known.key == slot.key) {
            slots.push(slot);
        }
    }
    let known = Known {
        covered: kept.covered,
        floor: kept.floor,
        records: slots.iter().filter_map(record_of).collect(),
        looked: None,
        wake: None,
        is_paused: kept.is_paused,
        resumed_at: kept.resumed_at,
    };
    Ok(Standing { known, slots, kept })
}

/// Write down up to where the slots of a job are decided.
///
/// # Errors
/// The store cannot be written.
pub async fn keep(
    store: &dyn Store,
    lease: &Lease,
    job: &str,
    standing: &Standing,
    covered: Timestamp,
    floor: Option<Timestamp>,
) -> Result<(), StoreError> {
    let kept = Kept { covered, floor: floor.max(standing.kept.floor), ..standing.kept.clone() };
    store.set_value(lease, &format!("{KNOWN}{job}"), &json!(kept)).await
}

/// Pause a job, or let it go on.
///
/// # Errors
/// The store cannot be read or written.
pub async fn set_paused(store: &dyn Store, lease: &Lease, beat: &Beat, is_paused: bool) -> Result<(), StoreError> {
    let now = timestamp(clock::now_ms());
    let standing = standing(store, beat, now).await?;
    let mut kept = standing.kept;
    if kept.is_paused && !is_paused {
        kept.resumed_at = Some(now);
    }
    kept.is_paused = is_paused;
    store.set_value(lease, &format!("{KNOWN}{}", beat.job.name()), &json!(kept)).await
}

/// Ask for a run now; the slot that will run.
///
/// # Errors
/// The store cannot be written.
pub async fn ask_now(store: &dyn Store, lease: &Lease, beat: &Beat) -> Result<SlotKey, StoreError> {
    let key = run_now(&beat.job, timestamp(clock::now_ms()));
    let slot = slot_of(&key, &SlotState::Queued, None, "somebody asked for it".into());
    store.put_slot(lease, &slot, None).await?;
    Ok(key)
}

/// Ask for slots that have passed; how many are new.
///
/// # Errors
/// There are none or too many, or the store cannot be written.
pub async fn ask_back(
    store: &dyn Store,
    lease: &Lease,
    beat: &Beat,
    from: Timestamp,
    to: Timestamp,
    most: usize,
) -> Result<usize, HeartbeatError> {
    let mut new = 0;
    for key in backfill(&beat.job, from, to, most)? {
        let slot = slot_of(&key, &SlotState::Queued, None, "somebody asked for it".into());
        new += usize::from(store.put_slot(lease, &slot, None).await?);
    }
    Ok(new)
}

/// The note of a slot that was missed.
#[must_use]
pub fn note_of(why: &MissedWhy) -> String {
    format!("missed: {why}")
}

/// All that `heartbeat list` tells of a job.
#[derive(Debug, Serialize)]
pub struct JobStanding {
    pub name: String,
    pub agent: String,
    pub schedule: String,
    pub zone: Option<String>,
    pub is_paused: bool,
    /// When it wakes next; none while it is paused, or never.
    pub next: Option<String>,
    /// How the last slot that ended did.
    pub last: Option<Slot>,
    pub running: usize,
}

/// What is known of all jobs.
///
/// # Errors
/// The store cannot be read.
pub async fn list(store: Option<Arc<dyn Store>>, project: &Project) -> Result<Vec<JobStanding>, StoreError> {
    let now = timestamp(clock::now_ms());
    let mut told = Vec::new();
    for (name, beat) in beats(project) {
        let spec = beat.job.spec();
        let when = [
            spec.cron.clone(),
            spec.every.as_ref().map(|every| format!("every {every}")),
            spec.at.as_ref().map(|at| format!("at {at}")),
        ];
        let standing = match &store {
            Some(store) => Some(standing(store.as_ref(), &beat, now).await?),
            None => None,
        };
        let is_paused = spec.paused || standing.as_ref().is_some_and(|standing| standing.known.is_paused);
        let slots = standing.map(|standing| standing.slots).unwrap_or_default();
        let next = beat.job.preview(now, 1).into_iter().next().filter(|_| !is_paused);
        told.push(JobStanding {
            agent: beat.config.agent.clone(),
            schedule: when.into_iter().flatten().next().unwrap_or_default(),
            zone: spec.zone.clone(),
            is_paused,
            next: next.map(|planned| planned.due.to_string()),
            running: slots.iter().filter(|slot| slot.state == "running").count(),
            last: slots.into_iter().find(|slot| !matches!(slot.state.as_str(), "running" | "queued")),
            name,
        });
    }
    Ok(told)
}
