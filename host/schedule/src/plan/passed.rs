//! Which slots of the schedule came due since they were last decided, and which of them still count. The search goes back
//! from now, so that it takes as long as the slots that can matter, however long nobody looked.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::job::{Job, MisfireRule};
use crate::plan::{CANDIDATES_MAX, Known, MissedSlot, ON_TIME_MS, decides};
use crate::schedule;
use crate::slot::{MissedWhy, Origin};

/// What came due.
pub(super) struct Passed {
    /// Slots that are not decided, with when they were due, oldest first.
    pub(super) slots: Vec<(Timestamp, Timestamp)>,
    /// There are undecided slots between these two, too many to be listed.
    pub(super) older: Option<(Timestamp, Timestamp)>,
    pub(super) covered: Timestamp,
    /// When the latest slot is due, if its jitter puts it into the future.
    pub(super) upcoming: Option<Timestamp>,
}

pub(super) fn find(job: &Job, known: &Known, now: Timestamp) -> Passed {
    // Where the clock was set back, nothing that has passed is made up for: it was decided before.
    let covered = known.covered.min(now);
    let after = known.floor.map_or(covered, |floor| floor.max(covered));
    let (mut slots, has_older) = schedule::latest(job.schedule(), after, now, CANDIDATES_MAX);
    let oldest = slots.front().copied();
    // Each slot is due before the next one, so only the latest can still be to come.
    let upcoming = slots.back().map(|slot| job.due(*slot)).filter(|due| *due > now);
    if upcoming.is_some() {
        slots.pop_back();
    }
    let decided: HashSet<Timestamp> = known
        .records
        .iter()
        .filter(|record| record.key.origin == Origin::Schedule && decides(record, now))
        .map(|record| record.key.at)
        .collect();
    Passed {
        covered: slots.back().copied().unwrap_or(covered),
        slots: slots.into_iter().filter(|slot| !decided.contains(slot)).map(|slot| (slot, job.due(slot))).collect(),
        older: oldest.filter(|_| has_older).map(|oldest| (after, oldest)),
        upcoming,
    }
}

/// The slots that are to be run, oldest first; the others go to `missed`.
pub(super) fn choose(
    job: &Job,
    known: &Known,
    is_paused: bool,
    passed: &Passed,
    now: Timestamp,
    missed: &mut Vec<MissedSlot>,
) -> Vec<Timestamp> {
    let mut miss = |slot: Timestamp, why| missed.push(MissedSlot { key: job.key(Origin::Schedule, slot), why });
    let mut open = Vec::with_capacity(passed.slots.len());
    for (slot, due) in &passed.slots {
        if is_paused || known.resumed_at.is_some_and(|resumed_at| *slot < resumed_at) {
            miss(*slot, MissedWhy::Paused);
        } else {
            open.push((*slot, late_ms(*due, now)));
        }
    }
    let Some((latest, latest_late_ms)) = open.last().copied() else { return Vec::new() };
    let runs_from = match job.misfire() {
        MisfireRule::All(most) => open.len().saturating_sub(most),
        MisfireRule::Latest => open.len() - 1,
        MisfireRule::Skip if latest_late_ms <= ON_TIME_MS => open.len() - 1,
        MisfireRule::Deadline(deadline) if latest_late_ms <= milliseconds(deadline) => open.len() - 1,
        MisfireRule::Skip | MisfireRule::Deadline(_) => open.len(),
    };
    for (slot, late_ms) in open.iter().take(runs_from) {
        let why = match job.misfire() {
            MisfireRule::All(most) => MissedWhy::TooMany { most: u64::try_from(most).unwrap_or(u64::MAX) },
            MisfireRule::Skip => MissedWhy::Late { late_ms: *late_ms },
            MisfireRule::Deadline(deadline) if *late_ms > milliseconds(deadline) => {
                MissedWhy::PastDeadline { late_ms: *late_ms, deadline_ms: milliseconds(deadline) }
            }
            MisfireRule::Latest | MisfireRule::Deadline(_) => MissedWhy::Superseded { by: latest },
        };
        miss(*slot, why);
    }
    open.into_iter().skip(runs_from).map(|(slot, _)| slot).collect()
}

pub(super) fn late_ms(due: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond().saturating_sub(due.as_millisecond())).unwrap_or(0)
}

pub(super) fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
