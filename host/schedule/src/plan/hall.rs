//! Who may start now. The hall has as many places as `overlap` allows: one, or the number of `allow`. Runs sit in them
//! until the store says that they ended; failed runs that will be tried again, and slots that are queued, wait.
//!
//! What people ask for and what the schedule brings do not harm each other: a slot of the schedule that finds only a run
//! that somebody asked for in its way waits instead of being missed, and `replace` never cancels such a run. Runs that
//! are asked for start first, then the schedule's, then those of a backfill.

use std::time::Duration;

use jiff::Timestamp;

use crate::job::{Job, MisfireRule};
use crate::plan::passed::{late_ms, milliseconds};
use crate::plan::{Cancel, CancelWhy, Known, MissedSlot, Plan, Start, is_from_a_wrong_clock};
use crate::slot::{MissedWhy, Origin, Record, SlotKey, SlotState};
use crate::spec::Overlap;

pub(super) struct Hall<'a> {
    job: &'a Job,
    is_paused: bool,
    now: Timestamp,
    running: Vec<Run<'a>>,
    retries: Vec<Retry<'a>>,
    queued: Vec<SlotKey>,
    /// Which of `queued` the store does not know yet.
    fresh: Vec<SlotKey>,
}

struct Run<'a> {
    key: &'a SlotKey,
    attempt: u32,
    /// How long it may still run.
    left: Option<Duration>,
    is_cancelling: bool,
}

struct Retry<'a> {
    key: &'a SlotKey,
    /// The attempt that comes.
    attempt: u32,
    at: Timestamp,
}

impl<'a> Hall<'a> {
    pub(super) fn new(job: &'a Job, known: &'a Known, is_paused: bool, now: Timestamp) -> Self {
        let mut hall = Self {
            job,
            is_paused,
            now,
            running: Vec::new(),
            retries: Vec::new(),
            queued: Vec::new(),
            fresh: Vec::new(),
        };
        for record in &known.records {
            hall.seat(record);
        }
        hall.retries.sort_by(|left, right| (left.at, left.key).cmp(&(right.at, right.key)));
        hall
    }

    fn seat(&mut self, record: &'a Record) {
        let key = &record.key;
        match &record.state {
            SlotState::Running { attempt, started_at, ran_ms, is_cancelling } => {
                let ran = Duration::from_millis(ran_ms.unwrap_or_else(|| late_ms(*started_at, self.now)));
                let left = self.job.timeout().checked_sub(ran).filter(|left| !left.is_zero());
                self.running.push(Run { key, attempt: *attempt, left, is_cancelling: *is_cancelling });
            }
            SlotState::Failed { attempt, ended_at, .. } => {
                if let Some(at) = record.state.retry_at(self.job, key) {
                    // A clock that was years ahead must not put the retry off by years.
                    let at = if is_from_a_wrong_clock(*ended_at, self.now) { self.now } else { at };
                    self.retries.push(Retry { key, attempt: attempt + 1, at });
                }
            }
            SlotState::Queued => self.queued.push(key.clone()),
            SlotState::Done { .. } | SlotState::Cancelled { .. } | SlotState::Missed { .. } => {}
        }
    }

    /// Lets in what may start, and says when something changes without anybody's doing.
    pub(super) fn admit(mut self, fresh: &[Timestamp], plan: &mut Plan) -> Option<Timestamp> {
        self.end_overdue(plan);
        self.drop_stale(plan);
        match fresh {
            [] => {}
            [slot] => self.receive(*slot, plan),
            several => self.catch_up(several, plan),
        }
        self.start(plan);
        plan.queue =
            self.fresh.iter().filter(|key| plan.start.iter().all(|start| start.key != **key)).cloned().collect();
        self.wake(plan)
    }

    fn end_overdue(&self, plan: &mut Plan) {
        let timeout = self.job.timeout();
        for run in self.running.iter().filter(|run| run.left.is_none() && !run.is_cancelling) {
            let why = CancelWhy::TimedOut { timeout };
            plan.cancel.push(Cancel { key: run.key.clone(), attempt: run.attempt, why });
        }
    }

    /// A slot that has waited beyond its deadline is missed like one that was found too late.
    fn drop_stale(&mut self, plan: &mut Plan) {
        let MisfireRule::Deadline(deadline) = self.job.misfire() else { return };
        let deadline_ms = milliseconds(deadline);
        let (job, now) = (self.job, self.now);
        self.queued.retain(|key| {
            let late_ms = late_ms(job.due(key.at), now);
            if key.origin != Origin::Schedule || late_ms <= deadline_ms {
                return true;
            }
            let why = MissedWhy::PastDeadline { late_ms, deadline_ms };
            plan.missed.push(MissedSlot { key: key.clone(), why });
            false
        });
    }

    /// Slots that are made up for run one after another, whatever `overlap` says of slots that come on time.
    fn catch_up(&mut self, slots: &[Timestamp], plan: &mut Plan) {
        let most = match self.job.misfire() {
            MisfireRule::All(most) => most,
            _ => slots.len(),
        };
        let room = most.saturating_sub(self.waiting().count());
        let dropped = slots.len().saturating_sub(room);
        for (index, slot) in slots.iter().enumerate() {
            if index < dropped {
                self.miss(*slot, MissedWhy::QueueFull { most: u64::try_from(most).unwrap_or(u64::MAX) }, plan);
            } else {
                self.enqueue(*slot);
            }
        }
    }

    fn receive(&mut self, slot: Timestamp, plan: &mut Plan) {
        match self.job.overlap() {
            Overlap::Forbid => match self.unfinished() {
                Some(with) => self.miss(slot, MissedWhy::Overlap { with }, plan),
                None => self.enqueue(slot),
            },
            Overlap::Queue(most) => {
                if self.waiting().count() >= usize::try_from(most).unwrap_or(usize::MAX) {
                    self.miss(slot, MissedWhy::QueueFull { most: most.into() }, plan);
                } else {
                    self.enqueue(slot);
                }
            }
            Overlap::Replace => self.replace(slot, plan),
            Overlap::Allow(_) => {
                let due = self.retries.iter().filter(|retry| retry.at <= self.now).count();
                let taken = self.running.len() + due + self.waiting().count();
                match self.running.first() {
                    Some(first) if taken >= self.places() => {
                        let with = first.key.at;
                        self.miss(slot, MissedWhy::Overlap { with }, plan);
                    }
                    _ => self.enqueue(slot),
                }
            }
        }
    }

    fn replace(&mut self, slot: Timestamp, plan: &mut Plan) {
        for run in self.running.iter().filter(|run| run.key.origin == Origin::Schedule && !run.is_cancelling) {
            if run.left.is_some() {
                let why = CancelWhy::Replaced { by: slot };
                plan.cancel.push(Cancel { key: run.key.clone(), attempt: run.attempt, why });
            }
        }
        let (given_up, kept) =
            std::mem::take(&mut self.retries).into_iter().partition(|retry| retry.key.origin == Origin::Schedule);
        self.retries = kept;
        plan.give_up.extend(given_up.into_iter().map(|retry: Retry<'_>| retry.key.clone()));
        let (replaced, kept) =
            std::mem::take(&mut self.queued).into_iter().partition(|key| key.origin == Origin::Schedule);
        self.queued = kept;
        for key in replaced {
            plan.missed.push(MissedSlot { key, why: MissedWhy::Replaced { by: slot } });
        }
        self.enqueue(slot);
    }

    fn start(&mut self, plan: &mut Plan) {
        let mut free = self.places().saturating_sub(self.running.len());
        for retry in self.retries.iter().filter(|retry| retry.at <= self.now) {
            if free > 0 && self.may_start(retry.key.origin) {
                plan.start.push(Start { key: retry.key.clone(), attempt: retry.attempt });
                free -= 1;
            }
        }
        self.queued.sort_by_key(|key| (rank(key.origin), key.at));
        for key in &self.queued {
            if free > 0 && self.may_start(key.origin) && !self.is_held(key.origin) {
                plan.start.push(Start { key: key.clone(), attempt: 1 });
                free -= 1;
            }
        }
    }

    /// A pause stops all but what somebody asks for now.
    fn may_start(&self, origin: Origin) -> bool {
        !self.is_paused || origin == Origin::Manual
    }

    /// Where runs follow one another, one that will be tried again keeps its place in the row.
    fn is_held(&self, origin: Origin) -> bool {
        let is_sequence = !matches!(self.job.overlap(), Overlap::Allow(_));
        is_sequence
            && origin != Origin::Manual
            && self
                .retries
                .iter()
                .any(|retry| rank(retry.key.origin) <= rank(origin) && retry.key.origin != Origin::Manual)
    }

    fn places(&self) -> usize {
        match self.job.overlap() {
            Overlap::Allow(most) => usize::try_from(most).unwrap_or(usize::MAX),
            Overlap::Forbid | Overlap::Queue(_) | Overlap::Replace => 1,
        }
    }

    /// The slots of the schedule that wait.
    fn waiting(&self) -> impl Iterator<Item = &SlotKey> {
        self.queued.iter().filter(|key| key.origin == Origin::Schedule)
    }

    /// A slot of the schedule that was let in and has not ended.
    fn unfinished(&self) -> Option<Timestamp> {
        let running = self.running.iter().map(|run| run.key);
        let retries = self.retries.iter().map(|retry| retry.key);
        running.chain(retries).chain(&self.queued).find(|key| key.origin == Origin::Schedule).map(|key| key.at)
    }

    fn enqueue(&mut self, slot: Timestamp) {
        let key = self.job.key(Origin::Schedule, slot);
        self.queued.push(key.clone());
        self.fresh.push(key);
    }

    fn miss(&self, slot: Timestamp, why: MissedWhy, plan: &mut Plan) {
        plan.missed.push(MissedSlot { key: self.job.key(Origin::Schedule, slot), why });
    }

    fn wake(&self, plan: &Plan) -> Option<Timestamp> {
        let overdue =
            self.running.iter().filter(|run| !run.is_cancelling).filter_map(|run| self.now.checked_add(run.left?).ok());
        let retries = self.retries.iter().map(|retry| retry.at).filter(|at| *at > self.now);
        // What starts now has all of its time before it.
        let started = (!plan.start.is_empty()).then(|| self.now.checked_add(self.job.timeout()).ok()).flatten();
        overdue.chain(retries).chain(started).min()
    }
}

fn rank(origin: Origin) -> u8 {
    match origin {
        Origin::Manual => 0,
        Origin::Schedule => 1,
        Origin::Backfill => 2,
    }
}
