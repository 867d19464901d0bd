//! A job that has been checked: what it says can be done. Everything that `plan` needs is here in numbers, so that nothing
//! is read twice and nothing fails later.

mod check;

use std::time::Duration;

use jiff::Timestamp;

use crate::jitter;
use crate::schedule::{Planned, Schedule};
use crate::slot::{Origin, Record, SlotKey};
use crate::spec::{JobSpec, Overlap};

/// A job by its name, checked.
#[derive(Clone, Debug)]
pub struct Job {
    name: String,
    spec: JobSpec,
    schedule: Schedule,
    jitter: Duration,
    misfire: MisfireRule,
    timeout: Duration,
    retrying: Retrying,
}

/// [`crate::Misfire`] in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MisfireRule {
    /// Late slots are missed.
    Skip,
    /// The latest runs.
    Latest,
    /// So many of the latest run.
    All(usize),
    /// The latest runs unless it is later than this.
    Deadline(Duration),
}

/// [`crate::Retries`] in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retrying {
    /// How often a failed run is tried again.
    pub attempts: u32,
    /// The wait before the first retry.
    pub first: Duration,
    /// By how much it grows.
    pub factor: f64,
    /// The longest.
    pub max: Duration,
    /// By which part it varies.
    pub jitter: f64,
}

impl Job {
    /// Checks what is written.
    ///
    /// # Errors
    /// The first key that is wrong, with its value and what is allowed.
    pub fn new(name: impl Into<String>, spec: JobSpec) -> Result<Self, crate::Error> {
        check::job(name.into(), spec)
    }

    /// Its name, which is part of the identity of its slots.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was written.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// When it runs.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// What happens to late slots.
    pub fn misfire(&self) -> MisfireRule {
        self.misfire
    }

    /// What happens to slots while another runs.
    pub fn overlap(&self) -> Overlap {
        self.spec.overlap
    }

    /// After how long a run is cancelled.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What happens after a failure.
    pub fn retrying(&self) -> Retrying {
        self.retrying
    }

    /// The identity of its slot at `instant`.
    pub fn key(&self, origin: Origin, instant: Timestamp) -> SlotKey {
        SlotKey { job: self.name.clone(), origin, at: instant }
    }

    /// When the slot is started: itself and its jitter, which stays within the length that is written and before the next
    /// slot. The same on every host.
    pub fn due(&self, slot: Timestamp) -> Timestamp {
        if self.jitter.is_zero() {
            return slot;
        }
        let room_ms = self
            .schedule
            .next(slot)
            .map_or(i64::MAX, |next| next.as_millisecond().saturating_sub(slot.as_millisecond()));
        let jitter_ms = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let bound_ms = jitter_ms.min(u64::try_from(room_ms).unwrap_or(0)).max(1);
        let delay_ms = jitter::spread("start", &self.name, slot, 0) % bound_ms;
        slot.checked_add(Duration::from_millis(delay_ms)).unwrap_or(slot)
    }

    /// The next `count` slots after `after`, with when they start and how they came from the clock.
    pub fn preview(&self, after: Timestamp, count: usize) -> Vec<Planned> {
        let from = Timestamp::from_nanosecond(after.as_nanosecond() + 1).unwrap_or(after);
        let planned = |slot| Planned {
            slot,
            due: self.due(slot),
            local: self.schedule.zone.to_datetime(slot),
            reading: self.schedule.reading(slot),
        };
        self.schedule.slots(from, Timestamp::MAX).take(count).map(planned).collect()
    }

    /// What names the slots of this job, as text: where it differs from the one that was stored, the schedule was
    /// changed, and what is between the last look and now is none of the new one's slots (`covered` becomes now).
    pub fn fingerprint(&self) -> String {
        let spec = &self.spec;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let policies = self.schedule.policies();
        let zone = self.schedule.zone().iana_name().unwrap_or_default();
        format!(
            "cron={} every={} at={} anchor={} zone={zone} gap={:?} fold={:?}",
            text(&spec.cron),
            text(&spec.every),
            text(&spec.at),
            text(&spec.anchor),
            policies.gap,
            policies.fold
        )
    }

    /// Which records may be removed at `now`, of `records` in any order: those of slots that have ended and that are older
    /// than `keep.days`, or more than `keep.runs`. Nothing younger than two days goes: it is what a clock that is set
    /// back meets again. The latest started slot among what is removed becomes [`crate::Known::floor`].
    pub fn removable(&self, records: &[Record], now: Timestamp) -> Vec<SlotKey> {
        const DAY_SECONDS: i64 = 86_400;
        let age_seconds = |record: &Record| now.as_second() - record.key.at.as_second();
        let mut ended: Vec<&Record> = records.iter().filter(|record| record.state.has_ended(self)).collect();
        ended.sort_by_key(|record| std::cmp::Reverse(record.key.at));
        let kept = usize::try_from(self.spec.keep.runs).unwrap_or(usize::MAX);
        ended
            .into_iter()
            .enumerate()
            .filter(|(index, record)| {
                let age = age_seconds(record);
                age > 2 * DAY_SECONDS && (*index >= kept || age > i64::from(self.spec.keep.days) * DAY_SECONDS)
            })
            .map(|(_, record)| record.key.clone())
            .collect()
    }
}
