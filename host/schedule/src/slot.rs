//! A slot and what became of it. The identity is (job, origin, instant) and nothing else: two hosts that plan by different
//! clocks come to the same key, and the store lets one of them have it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::retry;

/// The identity of a slot; the unique key of the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SlotKey {
    /// The job's name.
    pub job: String,
    /// What made the slot.
    pub origin: Origin,
    /// The instant for which it runs: of the schedule, or when somebody asked for it.
    pub at: Timestamp,
}

impl fmt::Display for SlotKey {
    /// `report@2026-11-23T06:00:00Z`, `report@2026-11-23T06:00:00Z/backfill`: a key for stores that want a text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.job, self.at)?;
        match self.origin {
            Origin::Schedule => Ok(()),
            Origin::Manual => formatter.write_str("/manual"),
            Origin::Backfill => formatter.write_str("/backfill"),
        }
    }
}

/// What made a slot. Those that people ask for have origins of their own, so that they never stand in the way of the
/// schedule's slot at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The job's own schedule.
    Schedule,
    /// Somebody asked for a run now.
    Manual,
    /// Somebody asked for slots that have passed.
    Backfill,
}

/// A slot that the store knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which.
    pub key: SlotKey,
    /// What became of it.
    pub state: SlotState,
}

/// What became of a slot. Attempts are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum SlotState {
    /// It has to run, and waits until it may.
    Queued,
    /// It was claimed by a host, and has not ended as far as is known. A host that finds the lease of the one that
    /// claimed it run out writes it down as `Failed`.
    Running {
        /// Which attempt.
        attempt: u32,
        /// By the clock of the host that runs it.
        started_at: Timestamp,
        /// How long it has really run, by a clock that nobody sets and that stands still while the machine sleeps. Where
        /// it is not known (another host runs it) the wall clock counts.
        ran_ms: Option<u64>,
        /// A cancellation was asked for.
        is_cancelling: bool,
    },
    /// An attempt failed, was lost with its host, or ran out of time. It is tried again unless it is final or there are no
    /// attempts left.
    Failed {
        /// Which attempt.
        attempt: u32,
        /// When it ended.
        ended_at: Timestamp,
        /// It is not tried again: a newer slot took its place, or somebody said so.
        is_final: bool,
    },
    /// It ran to its end.
    Done {
        /// Which attempt.
        attempt: u32,
        /// When it ended.
        ended_at: Timestamp,
        /// It looked, and there was nothing to do: said so, and not counted as a success.
        did_nothing: bool,
    },
    /// It was cancelled: by a newer slot or by somebody.
    Cancelled {
        /// Which attempt.
        attempt: u32,
        /// When it ended.
        ended_at: Timestamp,
    },
    /// It was never started.
    Missed {
        /// Why not.
        why: MissedWhy,
        /// When that was written down. What a clock that was wrong wrote down for a time to come is undone when that time
        /// comes.
        at: Timestamp,
    },
}

impl SlotState {
    /// Whether nothing more happens to the slot of `job`.
    pub fn has_ended(&self, job: &Job) -> bool {
        match self {
            Self::Queued | Self::Running { .. } => false,
            Self::Failed { attempt, is_final, .. } => *is_final || *attempt > job.retrying().attempts,
            Self::Done { .. } | Self::Cancelled { .. } | Self::Missed { .. } => true,
        }
    }

    /// Whether a run of it was ever begun.
    pub fn was_started(&self) -> bool {
        !matches!(self, Self::Queued | Self::Missed { .. })
    }

    /// When a failed attempt is tried again, if it is. See [`Job::retry_at`].
    pub(crate) fn retry_at(&self, job: &Job, key: &SlotKey) -> Option<Timestamp> {
        match self {
            Self::Failed { attempt, ended_at, is_final: false } => retry::at(job, key, *attempt, *ended_at),
            _ => None,
        }
    }
}

/// Why a slot was never started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum MissedWhy {
    /// Nobody looked in time, and the job does not make up for that (`misfire = "skip"`).
    Late {
        /// After it was due.
        late_ms: u64,
    },
    /// Nobody looked in time, and a later slot stands for it.
    Superseded {
        /// The later one.
        by: Timestamp,
    },
    /// Nobody looked in time, and it is older than those that are made up for.
    TooMany {
        /// How many are.
        most: u64,
    },
    /// It is later than the deadline of its job.
    PastDeadline {
        /// After it was due.
        late_ms: u64,
        /// The deadline.
        deadline_ms: u64,
    },
    /// An earlier run had not ended.
    Overlap {
        /// The instant of that run's slot.
        with: Timestamp,
    },
    /// As many as may were waiting.
    QueueFull {
        /// How many may.
        most: u64,
    },
    /// The job was paused.
    Paused,
    /// It waited, and a newer slot took its place.
    Replaced {
        /// The newer one.
        by: Timestamp,
    },
}

impl fmt::Display for MissedWhy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = crate::duration::told;
        match self {
            Self::Late { late_ms } => write!(formatter, "nobody was there until {} after it", told(*late_ms)),
            Self::Superseded { by } => write!(formatter, "nobody was there; the slot at {by} stands for it"),
            Self::TooMany { most } => write!(formatter, "nobody was there; only the latest {most} are made up for"),
            Self::PastDeadline { late_ms, deadline_ms } => {
                write!(formatter, "found {} late, past its deadline of {}", told(*late_ms), told(*deadline_ms))
            }
            Self::Overlap { with } => write!(formatter, "the run of {with} had not ended"),
            Self::QueueFull { most } => write!(formatter, "{most} were waiting already"),
            Self::Paused => formatter.write_str("the job was paused"),
            Self::Replaced { by } => write!(formatter, "the slot at {by} took its place"),
        }
    }
}
