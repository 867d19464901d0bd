//! The slots of a job: instants at which it has to run. A schedule is made by [`crate::Job::new`], which has checked it.
//!
//! What users expect when clocks are changed, and so the default: a job that hangs on readings of the clock (`30 2 * * *`,
//! `0 9-17 * * 1-5`, `0 */2 * * *`) runs once for each of them: shifted behind a gap, the first time in a fold. A job whose
//! hour field names all hours (`*/15 * * * *`, `0 * * * *`) follows time as it passes: it runs at both readings of a fold
//! and has nothing to make up for after a gap, as Vixie cron has it. `gap` and `fold` that are written hold for both.

use std::collections::VecDeque;
use std::iter::FusedIterator;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::cron::Calendar;
use crate::walk::{self, Policies};

/// When a job runs. All functions are pure and bounded: none searches further than the calendar repeats itself.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub(crate) when: When,
    pub(crate) zone: TimeZone,
    pub(crate) policies: Policies,
}

#[derive(Clone, Debug)]
pub(crate) enum When {
    Cron(Box<Calendar>),
    /// In nanoseconds since 1970. None before the anchor.
    Every {
        anchor_ns: i128,
        interval_ns: i128,
    },
    /// In order, one or two (both readings of a fold).
    At(Vec<Timestamp>),
}

/// A slot, and when it is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The instant that is the slot's identity.
    pub slot: Timestamp,
    /// When it is started: the slot and its jitter. Never at or after the next slot.
    pub due: Timestamp,
    /// What the clock of the zone shows at the slot.
    pub local: DateTime,
    /// Why it is there, if the clock is changed around it.
    pub reading: Reading,
}

/// How a slot came from the clock of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The clock shows it once.
    Plain,
    /// The clock left out this reading, for which the slot stands.
    Shifted(DateTime),
    /// The clock shows it twice, and this is the first time.
    FoldFirst,
    /// The clock shows it twice, and this is the second time.
    FoldSecond,
}

impl Schedule {
    /// The first slot after `after`, `None` where there is none any more.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::Cron(calendar) => {
                let from = floor_second(after) + 1;
                let second = walk::first_from(calendar, &self.zone, self.policies, from)?;
                Timestamp::from_second(second).ok()
            }
            When::Every { anchor_ns, interval_ns } => {
                let passed_ns = after.as_nanosecond() - anchor_ns;
                let steps = if passed_ns < 0 { 0 } else { passed_ns / interval_ns + 1 };
                Timestamp::from_nanosecond(anchor_ns + steps * interval_ns).ok()
            }
            When::At(instants) => instants.iter().copied().find(|instant| *instant > after),
        }
    }

    /// The last slot before `before`, `None` where there is none.
    pub fn previous(&self, before: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::Cron(calendar) => {
                let whole = floor_second(before);
                let is_whole = before.subsec_nanosecond() == 0;
                let second =
                    walk::last_to(calendar, &self.zone, self.policies, if is_whole { whole - 1 } else { whole })?;
                Timestamp::from_second(second).ok()
            }
            When::Every { anchor_ns, interval_ns } => {
                let passed_ns = before.as_nanosecond() - anchor_ns - 1;
                let steps = (passed_ns >= 0).then(|| passed_ns / interval_ns)?;
                Timestamp::from_nanosecond(anchor_ns + steps * interval_ns).ok()
            }
            When::At(instants) => instants.iter().copied().rfind(|instant| *instant < before),
        }
    }

    /// Whether `instant` is a slot.
    pub fn is_slot(&self, instant: Timestamp) -> bool {
        self.slots(instant, Timestamp::MAX).next() == Some(instant)
    }

    /// The slots from `from` up to but not `to`, in order. May be endless in practice: take as many as are needed.
    pub fn slots(&self, from: Timestamp, to: Timestamp) -> Slots<'_> {
        // The earliest instant of all has no predecessor; no slot is lost there.
        let after = Timestamp::from_nanosecond(from.as_nanosecond() - 1).unwrap_or(from);
        Slots { schedule: self, after: Some(after), to }
    }

    /// The zone by whose clock it runs.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What happens around changes of the clock.
    pub fn policies(&self) -> Policies {
        self.policies
    }

    /// In words, in English: `At 07:00. (Europe/Berlin)`.
    pub fn describe(&self) -> String {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        match &self.when {
            When::Cron(calendar) => format!("{} ({zone})", calendar.description()),
            When::Every { interval_ns, .. } => {
                format!("Every {}", crate::duration::told(u64::try_from(interval_ns / 1_000_000).unwrap_or(u64::MAX)))
            }
            When::At(instants) => {
                let list: Vec<String> = instants
                    .iter()
                    .map(|instant| self.zone.to_datetime(*instant).strftime("%Y-%m-%d %H:%M:%S").to_string())
                    .collect();
                format!("Once at {} ({zone})", list.join(" and "))
            }
        }
    }

    /// How `slot` came from the clock.
    pub fn reading(&self, slot: Timestamp) -> Reading {
        let When::Cron(calendar) = &self.when else { return Reading::Plain };
        let second = slot.as_second();
        if let Some(reading) = walk::shifted_from(calendar, &self.zone, self.policies, second)
            && let Ok(at) = Timestamp::from_second(reading)
        {
            return Reading::Shifted(Offset::UTC.to_datetime(at));
        }
        match self.zone.to_ambiguous_timestamp(self.zone.to_datetime(slot)).offset() {
            jiff::tz::AmbiguousOffset::Fold { before, .. } if before == self.zone.to_offset(slot) => Reading::FoldFirst,
            jiff::tz::AmbiguousOffset::Fold { .. } => Reading::FoldSecond,
            _ => Reading::Plain,
        }
    }
}

/// Iterator of [`Schedule::slots`].
#[derive(Clone, Debug)]
pub struct Slots<'a> {
    schedule: &'a Schedule,
    after: Option<Timestamp>,
    to: Timestamp,
}

impl Iterator for Slots<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let next = self.schedule.next(self.after?).filter(|slot| *slot < self.to);
        self.after = next;
        next
    }
}

impl FusedIterator for Slots<'_> {}

/// The latest `most` slots after `after` and up to `to`, oldest first, and whether there are older ones.
pub(crate) fn latest(schedule: &Schedule, after: Timestamp, to: Timestamp, most: usize) -> (VecDeque<Timestamp>, bool) {
    let mut found = VecDeque::new();
    // A slot at `to` counts, so the search begins behind it.
    let mut before = Timestamp::from_nanosecond(to.as_nanosecond() + 1).unwrap_or(to);
    while let Some(slot) = schedule.previous(before).filter(|slot| *slot > after) {
        if found.len() == most {
            return (found, true);
        }
        found.push_front(slot);
        before = slot;
    }
    (found, false)
}

fn floor_second(instant: Timestamp) -> i64 {
    // Before 1970 the fraction is negative.
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}
