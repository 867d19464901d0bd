//! Jobs that wake agents by themselves: `pi_schedule` says what is due, the store lets one host have each slot, and each
//! slot is a session.
//!
//! Nothing is remembered here but when to look again. A slot's row is written before its session begins, the session's
//! name into the row before its first step, and how it ended when it has ended; a host that is killed in between leaves
//! a row from which the next one knows whether to go on with the session, to begin it, or to leave it alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pi_schedule::{Agenda, Cancel, CancelWhy, Look, Plan, SlotKey, SlotState, Start, plan};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Event, Host, HostError};
use crate::app::context::Talk;
use crate::app::heartbeat::{Beat, Standing, beats, keep, look, note_of, record_of, slot_of, standing, stored_key};
use crate::app::incident::Closed;
use crate::app::reports::opinions;
use crate::config::Project;
use crate::session::{Ended, SessionError};
use crate::store::{OPEN, Slot, StoreError};

/// The host looks so often at least: only then it notices that the clock was set.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Jobs that are looked at before others get a turn.
const AT_ONCE: usize = 100;
/// What cannot be read or written now is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Attempts to tell somebody that a job ran, and the longest wait for an answer.
const PINGS_MAX: u32 = 3;
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The jobs of a host.
pub(super) struct Heartbeats {
    beats: BTreeMap<String, Beat>,
    /// Something has happened to these jobs: look at them.
    touched: Mutex<Vec<String>>,
    wakened: Notify,
    /// Sessions that are to end because of their slot, and why.
    cancelled: Mutex<HashMap<String, CancelWhy>>,
}

impl Heartbeats {
    /// Those of `pi.toml` whose agents run here.
    pub(super) fn new(project: &Project, is_run: impl Fn(&str) -> bool) -> Self {
        let beats = beats(project).into_iter().filter(|(_, beat)| is_run(&beat.config.agent)).collect();
        Self { beats, touched: Mutex::default(), wakened: Notify::new(), cancelled: Mutex::default() }
    }

    /// Look at a job as soon as can be.
    pub(super) fn touch(&self, job: &str) {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).push(job.to_owned());
        self.wakened.notify_one();
    }

    pub(super) fn beat(&self, job: &str) -> Option<&Beat> {
        self.beats.get(job)
    }

    fn cancel(&self, session: &str, why: CancelWhy) {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).insert(session.to_owned(), why);
    }

    fn cancelled(&self, session: &str) -> Option<CancelWhy> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }

    fn forget(&self, session: &str) -> Option<CancelWhy> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner).remove(session)
    }
}

/// The slot that a session was woken for.
fn slot_in(input: &Value) -> Option<crate::store::SlotKey> {
    let heartbeat = input.get("heartbeat")?;
    Some(crate::store::SlotKey {
        job: heartbeat.get("job")?.as_str()?.to_owned(),
        due_ms: heartbeat.get("slot_ms")?.as_u64()?,
        origin: heartbeat.get("origin")?.as_str()?.to_owned(),
    })
}

impl Host {
    /// Wake what is due until the host stops.
    pub(super) async fn beat(self: Arc<Self>) {
        if self.heartbeats.beats.is_empty() {
            return;
        }
        let mut stop = self.stop.subscribe();
        let mut runs = JoinSet::new();
        let mut agenda = Agenda::new();
        let mut last: Option<Look> = None;
        let mut expected = None;
        for name in self.heartbeats.beats.keys() {
            agenda.insert(name.clone(), look().at);
        }
        while !*stop.borrow() {
            let now = look();
            let is_set_back = last.is_some_and(|last| now.at < last.at);
            let touched = std::mem::take(&mut *self.heartbeats.touched.lock().unwrap_or_else(PoisonError::into_inner));
            let all = self.heartbeats.beats.keys().filter(|_| is_set_back).cloned();
            for name in touched.into_iter().chain(all.collect::<Vec<_>>()) {
                agenda.insert(name, now.at);
            }
            let mut is_told = false;
            for name in agenda.due(now.at, AT_ONCE) {
                let Some(beat) = self.heartbeats.beat(&name) else { continue };
                match self.look_at(beat, last, expected, &now, &mut runs).await {
                    Ok(plan) => {
                        // What the clock did is one thing, however many jobs there are.
                        for notice in plan.notices.iter().filter(|_| !is_told) {
                            let _ = self.events.send(Event::Heartbeat { job: name.clone(), what: notice.to_string() });
                        }
                        is_told |= !plan.notices.is_empty();
                        agenda.update(name, plan.wake);
                    }
                    Err(error) => {
                        if !matches!(error, StoreError::Busy { .. }) {
                            let _ = self.events.send(Event::Heartbeat { job: name.clone(), what: error.to_string() });
                        }
                        agenda.insert(name, now.at + AGAIN_AFTER);
                    }
                }
            }
            last = Some(now);
            expected = agenda.next_wake();
            let until = expected.map_or(LOOK_EVERY, |wake| {
                let ms = wake.as_millisecond().saturating_sub(look().at.as_millisecond());
                Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(LOOK_EVERY)
            });
            tokio::select! {
                () = tokio::time::sleep(until) => {}
                () = self.heartbeats.wakened.notified() => {}
                _ = runs.join_next(), if !runs.is_empty() => {}
                _ = stop.wait_for(|is_stopped| *is_stopped) => {}
            }
        }
        while runs.join_next().await.is_some() {}
    }

    /// Look at one job, and do what follows.
    async fn look_at(
        self: &Arc<Self>,
        beat: &Beat,
        last: Option<Look>,
        wake: Option<jiff::Timestamp>,
        now: &Look,
        runs: &mut JoinSet<()>,
    ) -> Result<Plan, StoreError> {
        let store = self.store.as_ref();
        let lease = self.journal.lease();
        let mut standing = standing(store, beat, now.at).await?;
        (standing.known.looked, standing.known.wake) = (last, wake.filter(|_| last.is_some()));
        let plan = plan(&beat.job, &standing.known, now);
        for missed in &plan.missed {
            let state = SlotState::Missed { why: missed.why.clone(), at: now.at };
            let slot = slot_of(&missed.key, &state, None, note_of(&missed.why));
            store.put_slot(lease, &slot, standing.slot(&missed.key)).await?;
        }
        for key in &plan.queue {
            store.put_slot(lease, &slot_of(key, &SlotState::Queued, None, String::new()), standing.slot(key)).await?;
        }
        for key in &plan.give_up {
            if let Some(was) = standing.slot(key)
                && let Some(SlotState::Failed { attempt, ended_at, .. }) = record_of(was).map(|record| record.state)
            {
                let state = SlotState::Failed { attempt, ended_at, is_final: true };
                let note = format!("{}; not tried again, a newer one took its place", was.note);
                store.put_slot(lease, &slot_of(key, &state, was.session.clone(), note), Some(was)).await?;
            }
        }
        let mut started = Vec::new();
        for start in &plan.start {
            let Start { key, attempt } = start;
            let (attempt, started_at) = (*attempt, now.at);
            let state = SlotState::Running { attempt, started_at, ran_ms: None, is_cancelling: false };
            // Whoever finds it otherwise has lost it to another host.
            if store.put_slot(lease, &slot_of(key, &state, None, String::new()), standing.slot(key)).await? {
                started.push(start.clone());
            }
        }
        let has_decided = !(plan.missed.is_empty() && plan.queue.is_empty() && plan.start.is_empty());
        if has_decided || standing.known.covered == now.at {
            let floor = if has_decided { self.sweep(beat, &standing, now).await? } else { None };
            keep(store, lease, beat.job.name(), &standing, plan.covered, floor).await?;
        }
        for cancel in &plan.cancel {
            self.cancel_slot(&standing, cancel);
        }
        for start in started {
            let (host, beat) = (self.clone(), beat.clone());
            runs.spawn(async move {
                host.run_slot(&beat, &start.key, start.attempt).await;
            });
        }
        Ok(plan)
    }

    /// Forget what is too old; the latest of it that had begun.
    async fn sweep(&self, beat: &Beat, standing: &Standing, now: &Look) -> Result<Option<jiff::Timestamp>, StoreError> {
        let removable = beat.job.removable(&standing.known.records, now.at);
        let had_begun = |key: &&SlotKey| {
            let records = &standing.known.records;
            records.iter().any(|record| record.key == **key && record.state.was_started())
        };
        let floor = removable.iter().filter(had_begun).map(|key| key.at).max();
        for key in &removable {
            self.store.remove_slot(self.journal.lease(), &stored_key(key)).await?;
        }
        Ok(floor)
    }

    /// Its session ends; the slot counts as running until it has.
    fn cancel_slot(&self, standing: &Standing, cancel: &Cancel) {
        if let Some(session) = standing.slot(&cancel.key).and_then(|slot| slot.session.clone()) {
            self.heartbeats.cancel(&session, cancel.why.clone());
            self.stop_session(&session);
        }
    }

    /// Run the session of a slot that this host has claimed; `None`: it could not begin.
    pub(super) async fn run_slot(self: &Arc<Self>, beat: &Beat, key: &SlotKey, attempt: u32) -> Option<Closed> {
        let stored = stored_key(key);
        let input = json!({
            "heartbeat": {
                "job": key.job, "slot": key.at.to_string(), "slot_ms": stored.due_ms, "origin": stored.origin,
                "attempt": attempt, "databases": beat.config.databases,
                "bitmaps": self.wants_bitmaps(&beat.config.deliver),
            },
            "opinions": self.opinions(&key.job).await,
        });
        let what = format!("{} of {} begins", key.job, key.at);
        let _ = self.events.send(Event::Heartbeat { job: key.job.clone(), what });
        let closed = self.session(&beat.config.agent, &beat.config.prompt, &input, Talk::Closed).await;
        if let Err(error) = &closed
            && !*self.stop.borrow()
        {
            // Where a session has begun, its end has been written down already.
            self.lost(&stored, &error.to_string()).await;
        }
        closed.ok()
    }

    /// What people said of what earlier reports of a job found. What cannot be read is nobody's opinion.
    async fn opinions(&self, job: &str) -> Value {
        json!(opinions(&self.store, job).await.unwrap_or_default())
    }

    /// A session begins: its slot has it.
    pub(super) async fn slot_running(&self, input: &Value, session: &str) {
        let Some(key) = slot_in(input) else { return };
        if let Ok(Some(was)) = self.store.slot(&key).await
            && was.state == "running"
        {
            let slot = Slot { session: Some(session.to_owned()), note: String::new(), ..was.clone() };
            // If this cannot be written nothing of the session can be.
            let _ = self.store.put_slot(self.journal.lease(), &slot, Some(&was)).await;
        }
    }

    /// What a session that was stopped because of its slot has come to.
    pub(super) fn cut_short(&self, session: &str) -> Option<Ended> {
        let summary = match self.heartbeats.cancelled(session)? {
            CancelWhy::TimedOut { timeout } => format!("It was ended: it ran longer than {} s.", timeout.as_secs()),
            CancelWhy::Replaced { by } => format!("It was ended: the slot at {by} took its place."),
        };
        Some(Ended { status: "failed", summary, details: json!({ "cancelled": true }) })
    }

    /// A session has ended: what that says of its slot.
    pub(super) async fn slot_closed(
        self: &Arc<Self>,
        input: &Value,
        session: &str,
        closed: &Result<Closed, HostError>,
    ) {
        let why = self.heartbeats.forget(session);
        let Some(key) = slot_in(input) else { return };
        let is_stopping = *self.stop.borrow();
        let ended_at = look().at;
        let ended = |attempt: u32| match (closed, why) {
            (Ok(_), Some(CancelWhy::Replaced { .. })) => Some(SlotState::Cancelled { attempt, ended_at }),
            (Ok(closed), _) if closed.status == "failed" => {
                Some(SlotState::Failed { attempt, ended_at, is_final: false })
            }
            (Ok(closed), _) => {
                Some(SlotState::Done { attempt, ended_at, did_nothing: closed.status == "nothing_to_do" })
            }
            // The next host takes it up.
            (Err(HostError::Session(SessionError::Stopped)), _) if is_stopping => None,
            (Err(HostError::Session(SessionError::Stopped)), _) => Some(SlotState::Cancelled { attempt, ended_at }),
            (Err(_), _) if is_stopping => None,
            (Err(_), _) => Some(SlotState::Failed { attempt, ended_at, is_final: false }),
        };
        let note = match closed {
            Ok(closed) => closed.summary.clone(),
            Err(error) => error.to_string(),
        };
        self.end_slot(&key, session, ended, &note).await;
    }

    async fn end_slot(
        self: &Arc<Self>,
        key: &crate::store::SlotKey,
        session: &str,
        ended: impl FnOnce(u32) -> Option<SlotState>,
        note: &str,
    ) {
        let Ok(Some(was)) = self.store.slot(key).await else { return };
        let Some(record) = record_of(&was) else { return };
        let SlotState::Running { attempt, .. } = record.state else { return };
        let Some(state) = ended(attempt) else { return };
        let session = Some(session.to_owned()).filter(|session| !session.is_empty());
        let line: String = note.lines().next().unwrap_or_default().chars().take(500).collect();
        let slot_session = session.clone();
        let slot = slot_of(&record.key, &state, session, line);
        if let Err(error) = self.store.put_slot(self.journal.lease(), &slot, Some(&was)).await {
            let _ = self.events.send(Event::Heartbeat { job: key.job.clone(), what: error.to_string() });
        }
        self.heartbeats.touch(&key.job);
        let beat = self.heartbeats.beat(&key.job);
        if let (SlotState::Failed { attempt, ended_at, .. }, Some(beat)) = (&state, beat)
            && beat.job.retry_at(&record.key, *attempt, *ended_at).is_none()
        {
            let slot = format!("{}-{}", key.origin, key.due_ms);
            let session = slot_session.as_deref().unwrap_or_default();
            if let Err(error) = self.post_failure(&key.job, &slot, session, note).await {
                let _ = self.events.send(Event::Heartbeat { job: key.job.clone(), what: error.to_string() });
            }
        }
        let url = beat.and_then(|beat| beat.job.spec().ping.clone());
        if let (SlotState::Done { .. }, Some(url)) = (&state, url) {
            let (host, job) = (self.clone(), key.job.clone());
            tokio::spawn(async move { host.ping(&job, &url).await });
        }
    }

    /// A slot that was claimed, and whose session did not begin.
    async fn lost(self: &Arc<Self>, key: &crate::store::SlotKey, why: &str) {
        let failed = |attempt| Some(SlotState::Failed { attempt, ended_at: look().at, is_final: false });
        self.end_slot(key, "", failed, why).await;
    }

    /// Tell whoever waits for it that a job ran, so that they notice when it does not.
    async fn ping(&self, job: &str, url: &str) {
        let client = reqwest::Client::builder().timeout(PING_TIMEOUT).build();
        let mut failure = String::new();
        for attempt in 1..=PINGS_MAX {
            let Ok(client) = &client else { break };
            match client.get(url).send().await.and_then(reqwest::Response::error_for_status) {
                Ok(_) => return,
                Err(error) => failure = error.without_url().to_string(),
            }
            tokio::time::sleep(Duration::from_secs(u64::from(attempt))).await;
        }
        let what = format!("the ping of the job could not be sent: {failure}");
        let _ = self.events.send(Event::Heartbeat { job: job.to_owned(), what });
    }

    /// What an earlier host has left of slots that it had begun. Sessions that go on keep their slots.
    pub(super) async fn settle_slots(self: &Arc<Self>) -> Result<(), HostError> {
        for slot in self.store.slots_in(&["running"], None).await? {
            let Some(record) = record_of(&slot) else { continue };
            let lease = self.journal.lease();
            let status = match &slot.session {
                Some(session) if self.is_claimed(session) => continue,
                Some(session) => self.status_of(session).await?,
                None => None,
            };
            let SlotState::Running { attempt, .. } = record.state else { continue };
            let ended_at = look().at;
            let (state, note) = match status.as_deref() {
                // Nothing of it was done: it was claimed, and its session did not begin.
                None => (SlotState::Queued, "the host ended before it began".to_owned()),
                Some(OPEN) => {
                    let state = SlotState::Failed { attempt, ended_at, is_final: true };
                    (state, "the host ended, and its session cannot be taken up".to_owned())
                }
                Some("failed") => (SlotState::Failed { attempt, ended_at, is_final: false }, slot.note.clone()),
                Some(status) => {
                    let did_nothing = status == "nothing_to_do";
                    (SlotState::Done { attempt, ended_at, did_nothing }, slot.note.clone())
                }
            };
            let session = slot.session.clone().filter(|_| status.is_some());
            self.store.put_slot(lease, &slot_of(&record.key, &state, session, note), Some(&slot)).await?;
        }
        Ok(())
    }

    /// How a session has ended, or that it is open; none where it never had a first entry.
    async fn status_of(&self, session: &str) -> Result<Option<String>, HostError> {
        if self.store.rows(session, 0, 1).await?.is_empty() {
            return Ok(None);
        }
        Ok(self.store.session(session).await?.map(|record| record.status))
    }

    /// Run a job once, for a person, and tell what it came to.
    ///
    /// # Errors
    /// There is no such job, or the store cannot be written.
    pub async fn run_job(self: &Arc<Self>, job: &str) -> Result<Option<Closed>, HostError> {
        let Some(beat) = self.heartbeats.beat(job).cloned() else { return Ok(None) };
        let key = pi_schedule::run_now(&beat.job, look().at);
        let state = SlotState::Running { attempt: 1, started_at: look().at, ran_ms: None, is_cancelling: false };
        let slot = slot_of(&key, &state, None, String::new());
        if !self.store.put_slot(self.journal.lease(), &slot, None).await? {
            return Ok(None);
        }
        let closed = self.run_slot(&beat, &key, 1).await;
        self.deliver_due().await;
        Ok(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_session_stands_in_its_task() {
        let input = json!({ "heartbeat": { "job": "daily", "slot_ms": 5, "origin": "schedule" } });
        let key = slot_in(&input).unwrap();
        assert_eq!((key.job.as_str(), key.due_ms, key.origin.as_str()), ("daily", 5, "schedule"));
        assert!(slot_in(&json!({ "alert": {} })).is_none());
    }
}
