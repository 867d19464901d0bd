//! From readings of a wall clock to instants. Time in a zone is a row of stretches, each with one offset from UTC; within
//! a stretch readings and instants run side by side, and between two of them the clock is changed. So the slots of a
//! calendar are found stretch by stretch, and a change of any size, at any hour, or of a whole day is one case:
//!
//! - forward (a gap): the readings that are left out belong to no stretch. Under `shift` they become one slot at the first
//!   instant of the new stretch; under `skip` there is none.
//! - back (a fold): some readings belong to both stretches. Under `first` the later stretch leaves them out, under
//!   `second` the earlier one does, under `both` none.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cron::Calendar;
use crate::spec::{Fold, Gap};

/// What happens to readings that do not exist, and to those that come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policies {
    /// Of readings that the clock leaves out.
    pub gap: Gap,
    /// Of readings that the clock shows twice.
    pub fold: Fold,
}

/// The calendar repeats itself after 400 years, and so does the search for what the policies leave of it.
const SEARCH_SECONDS: i64 = 400 * 366 * 86_400;

/// One stretch of time under one offset. Instants in seconds since 1970, offsets in seconds east of UTC; `None` where time,
/// as far as it is known, begins or ends.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: Option<i64>,
    /// The offset until `start`.
    before: i64,
    offset: i64,
    /// Not part of it.
    end: Option<i64>,
    /// The offset from `end` on.
    after: i64,
}

impl Stretch {
    fn at(zone: &TimeZone, second: i64) -> Option<Self> {
        let at = Timestamp::from_second(second).ok()?;
        let offset = i64::from(zone.to_offset(at).seconds());
        // `preceding` leaves out a change at the very instant, which here begins the stretch.
        let start = zone
            .preceding(Timestamp::from_second(second + 1).ok()?)
            .next()
            .map(|change| change.timestamp().as_second());
        let before = start
            .and_then(|start| Timestamp::from_second(start - 1).ok())
            .map_or(offset, |earlier| i64::from(zone.to_offset(earlier).seconds()));
        let following = zone.following(at).next();
        let end = following.as_ref().map(|change| change.timestamp().as_second());
        let after = following.map_or(offset, |change| i64::from(change.offset().seconds()));
        Some(Self { start, before, offset, end, after })
    }

    /// The first reading of the stretch that counts, if the fold before it leaves any out.
    fn first_reading(&self, fold: Fold) -> Option<i64> {
        let start = self.start?;
        Some(if fold == Fold::First { start + self.before.max(self.offset) } else { start + self.offset })
    }

    /// The reading at which the stretch ends, not part of it; the fold after it may leave the last ones out.
    fn last_reading(&self, fold: Fold) -> Option<i64> {
        let end = self.end?;
        Some(if fold == Fold::Second { end + self.after.min(self.offset) } else { end + self.offset })
    }

    /// Whether the gap before the stretch swallowed a reading, so that its first instant is a slot.
    fn begins_with_shifted(&self, calendar: &Calendar, gap: Gap) -> bool {
        self.swallowed(calendar, gap).is_some()
    }

    /// The first reading that the gap before the stretch swallowed.
    fn swallowed(&self, calendar: &Calendar, gap: Gap) -> Option<i64> {
        let start = self.start?;
        if gap == Gap::Skip || self.offset <= self.before {
            return None;
        }
        calendar.first_from(start + self.before).filter(|reading| *reading < start + self.offset)
    }
}

/// The first slot at or after the second `from`.
pub(crate) fn first_from(calendar: &Calendar, zone: &TimeZone, policies: Policies, from: i64) -> Option<i64> {
    let mut second = from;
    while second - from <= SEARCH_SECONDS {
        let stretch = Stretch::at(zone, second)?;
        if stretch.start == Some(second) && stretch.begins_with_shifted(calendar, policies.gap) {
            return Some(second);
        }
        let reading = (second + stretch.offset).max(stretch.first_reading(policies.fold).unwrap_or(i64::MIN));
        let found = calendar.first_from(reading);
        match (found, stretch.last_reading(policies.fold)) {
            (Some(found), end) if end.is_none_or(|end| found < end) => return Some(found - stretch.offset),
            (_, _) => second = stretch.end?,
        }
    }
    None
}

/// The last slot at or before the second `to`.
pub(crate) fn last_to(calendar: &Calendar, zone: &TimeZone, policies: Policies, to: i64) -> Option<i64> {
    let mut second = to;
    while to - second <= SEARCH_SECONDS {
        let stretch = Stretch::at(zone, second)?;
        let reading =
            (second + stretch.offset).min(stretch.last_reading(policies.fold).map_or(i64::MAX, |end| end - 1));
        let found = calendar.last_to(reading);
        match (found, stretch.first_reading(policies.fold)) {
            (Some(found), first) if first.is_none_or(|first| found >= first) => return Some(found - stretch.offset),
            (_, _) if stretch.begins_with_shifted(calendar, policies.gap) => return stretch.start,
            (_, _) => second = stretch.start? - 1,
        }
    }
    None
}

/// The reading that was left out and for which the slot at `second` stands, if it is such a one.
pub(crate) fn shifted_from(calendar: &Calendar, zone: &TimeZone, policies: Policies, second: i64) -> Option<i64> {
    let stretch = Stretch::at(zone, second)?;
    if stretch.start != Some(second) || calendar.first_from(second + stretch.offset) == Some(second + stretch.offset) {
        return None;
    }
    stretch.swallowed(calendar, policies.gap)
}
