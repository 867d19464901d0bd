//! The course of the target's log: which errors it makes now, whether it has been without any for long, and whether it
//! has fallen silent.
//!
//! Errors that a log makes all the time, few and evenly (what users type, clients that hang up), are its habit and no
//! sign of trouble. A log that was busy and then ends, while others go on, is a sign whatever its last words were.

use std::collections::HashMap;

use pi_signals::logs::{Miner, TemplateId};

use super::scope::Scope;
use super::words::{Level, bounded, level};
use super::{Clock, NOW_S};
use crate::incident::{Incident, LogLine};
use crate::instant::Instant;

/// A log without errors for so long, in so many lines, is quiet.
const QUIET_MIN_S: f64 = 900.0;
const QUIET_LINES_MIN: usize = 10;
/// Errors that are a habit: at most this share of the log's lines, and not much more frequent now than before.
const HABIT_SHARE_MAX: f64 = 0.1;
const HABIT_RATE_MAX: f64 = 1.5;
/// They have been there since the first part of the log.
const HABIT_FROM_SHARE: f64 = 0.4;
/// So many errors after so many lines without any are new.
const NEW_ERRORS_MIN: usize = 3;
const NEW_ERRORS_AFTER_LINES: usize = 5;
/// Errors have become many where so many came, so many times as fast as before.
const MANY_ERRORS: usize = 4;
const MANY_TIMES: f64 = 4.0;
const MINUTE_S: f64 = 60.0;
/// A log of fewer lines has no rhythm.
const RHYTHM_LINES_MIN: usize = 12;
/// Silent is what has said nothing for so long, and for so many times the longest pause that it made before.
const SILENT_MIN_S: f64 = 300.0;
const SILENT_PAUSES: f64 = 2.5;

/// What the log of the target did.
pub(super) struct Course {
    /// Errors of the last minutes that are no habit.
    pub(super) errors_now: usize,
    /// There were errors, and there have been none for long, in many lines.
    pub(super) is_quiet_since_error: bool,
    /// There were none at first, and then several.
    pub(super) has_new_errors: bool,
    /// The last line before it fell silent.
    pub(super) silent_since: Option<Instant>,
}

impl Course {
    pub(super) fn of(incident: &Incident, scope: &Scope, clock: Clock) -> Self {
        let mut kin_of: HashMap<&str, bool> = HashMap::new();
        let own: Vec<&LogLine> = incident
            .logs
            .iter()
            .filter(|line| *kin_of.entry(&line.source).or_insert_with(|| scope.kin(&line.source).is_close()))
            .collect();
        let errors = errors_out_of_habit(&own, clock);
        Self {
            errors_now: errors.iter().filter(|line| clock.is_now(line.time)).count(),
            is_quiet_since_error: is_quiet_since(&own, &errors),
            has_new_errors: has_new_errors(&own, &errors),
            silent_since: silent_since(&own, clock),
        }
    }
}

/// When the errors of the target's log became many; where they did not, the first of them.
pub(super) fn errors_begin(incident: &Incident, scope: &Scope) -> Option<Instant> {
    let own = || incident.logs.iter().filter(|line| scope.kin(&line.source).is_close());
    let is_error = |line: &&LogLine| level(line) >= Level::Error;
    let mut times: Vec<Instant> = own().filter(is_error).filter_map(|line| line.time).collect();
    times.sort_unstable();
    let all = || own().filter_map(|line| line.time);
    let (from, to) = (all().min()?, all().max()?);
    let mut best: Option<(f64, Instant)> = None;
    for (before, time) in times.iter().enumerate() {
        let after = times.len() - before;
        let span_before = time.seconds_since(from).max(MINUTE_S);
        let span_after = to.seconds_since(*time).max(MINUTE_S);
        let (rate_before, rate_after) = (before as f64 / span_before, after as f64 / span_after);
        if before == 0 || after < MANY_ERRORS || rate_after < MANY_TIMES * rate_before {
            continue;
        }
        // How much likelier two rates are than one, for events that come by chance (Poisson).
        let rate = times.len() as f64 / (span_before + span_after);
        let gain = before as f64 * (rate_before / rate).ln() + after as f64 * (rate_after / rate).ln();
        if best.is_none_or(|(known, _)| gain > known) {
            best = Some((gain, *time));
        }
    }
    best.map(|(_, time)| time).or(times.first().copied())
}

/// Lines at the level of errors, without those that the log always had.
fn errors_out_of_habit<'a>(own: &[&'a LogLine], clock: Clock) -> Vec<&'a LogLine> {
    let errors: Vec<&LogLine> = own.iter().copied().filter(|line| level(line) >= Level::Error).collect();
    let times = || own.iter().filter_map(|line| line.time);
    let (Some(from), Some(now)) = (times().min(), clock.now) else { return errors };
    let span = now.seconds_since(from);
    if span < 2.0 * NOW_S {
        return errors;
    }
    let mut miner = Miner::new();
    let mined: Vec<TemplateId> =
        errors.iter().map(|line| miner.push(bounded(&line.message).as_bytes(), None)).collect();
    let ids: Vec<TemplateId> = mined.into_iter().map(|id| miner.resolve(id)).collect();
    let mut courses: HashMap<TemplateId, (f64, f64, f64)> = HashMap::new();
    for (line, id) in errors.iter().zip(&ids) {
        let Some(time) = line.time else { continue };
        let course = courses.entry(*id).or_insert((0.0, 0.0, f64::INFINITY));
        if now.seconds_since(time) <= NOW_S {
            course.1 += 1.0
        } else {
            course.0 += 1.0
        }
        course.2 = course.2.min(time.seconds_since(from) / span);
    }
    let is_habit = |id: &TemplateId| {
        let Some((before, after, first)) = courses.get(id) else { return false };
        let is_even = after / NOW_S <= HABIT_RATE_MAX * before / (span - NOW_S);
        is_even && *first <= HABIT_FROM_SHARE && before + after <= HABIT_SHARE_MAX * own.len() as f64
    };
    errors.into_iter().zip(&ids).filter(|(_, id)| !is_habit(id)).map(|(line, _)| line).collect()
}

fn has_new_errors(own: &[&LogLine], errors: &[&LogLine]) -> bool {
    let Some(first) = errors.iter().filter_map(|line| line.time).min() else { return false };
    let before = own.iter().filter(|line| line.time.is_some_and(|time| time < first)).count();
    errors.len() >= NEW_ERRORS_MIN && before >= NEW_ERRORS_AFTER_LINES
}

fn is_quiet_since(own: &[&LogLine], errors: &[&LogLine]) -> bool {
    let Some(last_error) = errors.iter().filter_map(|line| line.time).max() else { return false };
    let since = || own.iter().filter_map(|line| line.time).filter(|time| *time > last_error);
    let quiet_s = since().max().map_or(0.0, |last| last.seconds_since(last_error));
    since().count() >= QUIET_LINES_MIN && quiet_s >= QUIET_MIN_S
}

fn silent_since(own: &[&LogLine], clock: Clock) -> Option<Instant> {
    let now = clock.now?;
    let mut times: Vec<Instant> = own.iter().filter_map(|line| line.time).collect();
    if times.len() < RHYTHM_LINES_MIN {
        return None;
    }
    times.sort_unstable();
    let last = times.last().copied()?;
    let pauses = times.windows(2).filter_map(|pair| Some(pair.last()?.seconds_since(*pair.first()?)));
    let longest = pauses.fold(0.0, f64::max);
    let silence = now.seconds_since(last);
    (silence >= SILENT_MIN_S && silence >= SILENT_PAUSES * longest).then_some(last)
}
