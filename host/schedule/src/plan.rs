//! What is to be done about a job now: a pure function of what the store knows and of the time. Nothing else is
//! remembered, so a host that is killed anywhere leaves nothing behind but records, and the next look goes on from them.
//!
//! `passed` says which slots came due and which of them still count, `hall` says which may start now, `clock` whether the
//! time can be believed. A slot is decided once: it is in `start`, `queue` or `missed` of one plan, and then in a record.
//!
//! What the caller has to do, in one transaction for each job, or in this order: write `missed` and `queue` where there is
//! no record of the slot, claim `start` (no record, or one that is `Queued`, `Missed`, or `Failed` with the attempt before
//! it, becomes `Running`; whoever finds it otherwise has lost it to another host), mark `give_up` as final, store
//! `covered`. Then it starts what it claimed, asks for what is in `cancel`, and looks again at `wake`, when a run ends, and
//! when somebody asks for something.

pub(crate) mod clock;
mod hall;
mod passed;

use std::time::Duration;

use jiff::Timestamp;

use crate::job::Job;
use crate::plan::clock::{Look, Notice};
use crate::plan::hall::Hall;
use crate::slot::{MissedWhy, Record, SlotKey, SlotState};

/// A slot that is started no later than this after it was due is on time, in ms. Later ones are misfires.
pub const ON_TIME_MS: u64 = 60_000;

/// How many slots of one job are looked at after a time in which nobody looked. More than any job may make up for; older
/// ones are missed as a span. A host that slept for a year must not count the seconds.
pub const CANDIDATES_MAX: usize = 1_001;

/// What is known about a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// All slots up to here have been decided. At first the instant at which the job was made (or its schedule changed),
    /// then what the last plan says.
    pub covered: Timestamp,
    /// The latest slot whose run was forgotten ([`Job::removable`]): up to here nothing is started, whatever the clock
    /// says.
    pub floor: Option<Timestamp>,
    /// At least all records of slots that have not ended, and all of slots later than `covered` or than the time now,
    /// whichever is earlier.
    pub records: Vec<Record>,
    /// The last look of this host, if there was one since it began.
    pub looked: Option<Look>,
    /// [`Plan::wake`] of that look.
    pub wake: Option<Timestamp>,
    /// Somebody paused the job. `paused` in the configuration does the same.
    pub is_paused: bool,
    /// When it was last resumed: earlier slots that nobody decided passed while it was paused.
    pub resumed_at: Option<Timestamp>,
}

impl Known {
    /// Nothing but that the job is there since `covered`.
    pub fn since(covered: Timestamp) -> Self {
        Self { covered, floor: None, records: Vec::new(), looked: None, wake: None, is_paused: false, resumed_at: None }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// To be claimed and started now, in this order.
    pub start: Vec<Start>,
    /// To be written down as `Queued`: they start when they may.
    pub queue: Vec<SlotKey>,
    /// To be written down as `Missed`. Those that are queued change from that.
    pub missed: Vec<MissedSlot>,
    /// Older slots that were missed as well, too many to be listed.
    pub missed_span: Option<MissedSpan>,
    /// Runs to be cancelled. They count as running until the store says that they have ended.
    pub cancel: Vec<Cancel>,
    /// Failed runs that are not tried again, since a newer slot took their place: `is_final` becomes true.
    pub give_up: Vec<SlotKey>,
    /// To be stored: [`Known::covered`] of the next look. It goes back where the clock was set back; nothing is started
    /// twice by that, as what was decided has a record.
    pub covered: Timestamp,
    /// When to look again at the latest, by the wall clock; always later than now. `None`: only when something happens.
    pub wake: Option<Timestamp>,
    /// What happened to the clock since the last look.
    pub notices: Vec<Notice>,
}

/// An attempt to be claimed and started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Of which slot.
    pub key: SlotKey,
    /// Which attempt, from 1 on.
    pub attempt: u32,
}

/// A slot that is not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedSlot {
    /// Which.
    pub key: SlotKey,
    /// Why not.
    pub why: MissedWhy,
}

/// All slots of the schedule between two instants, neither of which is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedSpan {
    /// The last one that was decided before.
    pub after: Timestamp,
    /// The first one that is listed.
    pub before: Timestamp,
    /// Why they are missed.
    pub why: MissedWhy,
}

/// A run to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Of which slot.
    pub key: SlotKey,
    /// Which attempt.
    pub attempt: u32,
    /// Why.
    pub why: CancelWhy,
}

/// Why a run is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelWhy {
    /// It ran longer than it may. It ends as failed, and may be tried again.
    TimedOut {
        /// How long it may run.
        timeout: Duration,
    },
    /// A newer slot takes its place.
    Replaced {
        /// The newer one.
        by: Timestamp,
    },
}

/// Says what is to be done about `job` at `now`.
pub fn plan(job: &Job, known: &Known, now: &Look) -> Plan {
    let is_paused = known.is_paused || job.spec().paused;
    let passed = passed::find(job, known, now.at);
    let mut plan = Plan {
        start: Vec::new(),
        queue: Vec::new(),
        missed: Vec::new(),
        missed_span: None,
        cancel: Vec::new(),
        give_up: Vec::new(),
        covered: passed.covered,
        wake: None,
        notices: clock::notices(known.looked.as_ref(), now, known.wake),
    };
    let fresh = passed::choose(job, known, is_paused, &passed, now.at, &mut plan.missed);
    if let Some((after, before)) = passed.older {
        let why = plan.missed.first().map_or(MissedWhy::Late { late_ms: 0 }, |missed| missed.why.clone());
        plan.missed_span = Some(MissedSpan { after, before, why });
    }
    let hall = Hall::new(job, known, is_paused, now.at);
    let hall_wake = hall.admit(&fresh, &mut plan);
    let next_due = passed.upcoming.or_else(|| job.schedule().next(now.at).map(|slot| job.due(slot)));
    plan.wake = hall_wake.into_iter().chain(next_due).min();
    plan
}

/// How far another host's clock may be ahead before it is taken for one that was wrong.
const SKEW_SECONDS: i64 = 300;

/// Whether `written` lies so far ahead that a clock must have been wrong, by which it was written down.
fn is_from_a_wrong_clock(written: Timestamp, now: Timestamp) -> bool {
    written.as_second().saturating_sub(now.as_second()) > SKEW_SECONDS
}

/// Whether the record decides its slot at `now`. What a wrong clock wrote down as missed for a time to come does not: the
/// slot was never started, and its time comes now.
fn decides(record: &Record, now: Timestamp) -> bool {
    match &record.state {
        SlotState::Missed { at, .. } => !is_from_a_wrong_clock(*at, now),
        _ => true,
    }
}
