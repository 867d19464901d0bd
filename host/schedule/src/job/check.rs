//! From what is written to what can be done. Each check names its key; the order is that of the keys in the documentation,
//! so that a user who mends one after another goes through the table once.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use url::Url;

use super::{Job, MisfireRule, Retrying};
use crate::cron::Calendar;
use crate::duration;
use crate::error::Error;
use crate::schedule::{Schedule, When};
use crate::spec::{Fold, Gap, JobSpec, Misfire, Overlap};
use crate::walk::Policies;
use crate::zone;

const DAY_SECONDS: u64 = 86_400;
const WEEK_SECONDS: u64 = 7 * DAY_SECONDS;
const TEN_YEARS_SECONDS: u64 = 3_660 * DAY_SECONDS;
/// More slots than this at once are no catching up but an attack on oneself.
const COUNT_MAX: u32 = 1_000;
/// The name is part of every slot's identity and is stored with each.
const NAME_BYTES_MAX: usize = 100;

pub(super) fn job(name: String, spec: JobSpec) -> Result<Job, Error> {
    named(&name)?;
    let schedule = schedule(&spec)?;
    let length = |field, text: &Option<String>, least, most| {
        text.as_deref().map(|text| duration::read(field, text, least, most)).transpose()
    };
    let jitter = length("jitter", &spec.jitter, 0, DAY_SECONDS)?.unwrap_or_default();
    let timeout = length("timeout", &spec.timeout, 1, WEEK_SECONDS)?.unwrap_or(Duration::from_secs(3_600));
    let misfire = misfire(&spec.misfire)?;
    overlap(spec.overlap)?;
    let retrying = retrying(&spec)?;
    ping(spec.ping.as_deref())?;
    counted("keep.days", spec.keep.days, 2, 3_660)?;
    counted("keep.runs", spec.keep.runs, 1, 100_000)?;
    Ok(Job { name, spec, schedule, jitter, misfire, timeout, retrying })
}

fn named(name: &str) -> Result<(), Error> {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_plain) {
        let reason = format!("a job's name is 1 to {NAME_BYTES_MAX} bytes of letters, digits, `-`, `_` and `.`");
        return Err(Error::value("name", name, reason));
    }
    Ok(())
}

fn schedule(spec: &JobSpec) -> Result<Schedule, Error> {
    let zone = match spec.zone.as_deref() {
        Some(name) => zone::zone(name)?,
        None => TimeZone::UTC,
    };
    let written = [("cron", &spec.cron), ("every", &spec.every), ("at", &spec.at)];
    let there: Vec<&str> = written.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect();
    if there.len() != 1 {
        let found = if there.is_empty() {
            "none is there".to_owned()
        } else {
            format!("there are `{}`", there.join("` and `"))
        };
        return Err(Error::When { found });
    }
    if spec.anchor.is_some() && spec.every.is_none() {
        return Err(Error::Conflict { field: "anchor", reason: "it belongs to `every`".to_owned() });
    }
    if let Some(expression) = spec.cron.as_deref() {
        return cron(expression, zone, spec);
    }
    if let Some(text) = spec.every.as_deref() {
        return every(text, zone, spec);
    }
    at(spec.at.as_deref().unwrap_or_default(), zone, spec)
}

fn cron(expression: &str, zone: TimeZone, spec: &JobSpec) -> Result<Schedule, Error> {
    let calendar = Calendar::read(expression)?;
    if !calendar.can_fire() {
        return Err(Error::Never {
            field: "cron",
            reason: "no date in 400 years fits its day of month, month and day of week".to_owned(),
            value: crate::error::shortened(expression),
        });
    }
    // The rule of Vixie cron: what runs in every hour follows time, what hangs on an hour follows the clock.
    let (gap, fold) = if calendar.is_every_hour() { (Gap::Skip, Fold::Both) } else { (Gap::Shift, Fold::First) };
    let policies = Policies { gap: spec.gap.unwrap_or(gap), fold: spec.fold.unwrap_or(fold) };
    Ok(Schedule { when: When::Cron(Box::new(calendar)), zone, policies })
}

fn every(text: &str, zone: TimeZone, spec: &JobSpec) -> Result<Schedule, Error> {
    for (field, is_there) in [("gap", spec.gap.is_some()), ("fold", spec.fold.is_some())] {
        if is_there {
            let reason = "a fixed interval follows time as it passes and knows neither gaps nor folds".to_owned();
            return Err(Error::Conflict { field, reason });
        }
    }
    let interval = duration::read("every", text, 1, TEN_YEARS_SECONDS)?;
    let anchor = match spec.anchor.as_deref() {
        None => Timestamp::UNIX_EPOCH,
        Some(text) => *instants("anchor", text, &zone, Policies { gap: Gap::Shift, fold: Fold::First })?
            .first()
            .unwrap_or(&Timestamp::UNIX_EPOCH),
    };
    let interval_ns = i128::try_from(interval.as_nanos()).unwrap_or(i128::MAX);
    let when = When::Every { anchor_ns: anchor.as_nanosecond(), interval_ns };
    Ok(Schedule { when, zone, policies: Policies { gap: Gap::Skip, fold: Fold::Both } })
}

fn at(text: &str, zone: TimeZone, spec: &JobSpec) -> Result<Schedule, Error> {
    let policies = Policies { gap: spec.gap.unwrap_or_default(), fold: spec.fold.unwrap_or_default() };
    let instants = instants("at", text, &zone, policies)?;
    if instants.is_empty() {
        return Err(Error::Never {
            field: "at",
            reason: format!("the clock of {} leaves it out, and `gap` is \"skip\"", zone.iana_name().unwrap_or("UTC")),
            value: crate::error::shortened(text),
        });
    }
    Ok(Schedule { when: When::At(instants), zone, policies })
}

/// What `text` names: one instant, or none or two where it is a reading that the clock leaves out or shows twice.
fn instants(field: &'static str, text: &str, zone: &TimeZone, policies: Policies) -> Result<Vec<Timestamp>, Error> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(vec![instant]);
    }
    let reading: DateTime = text.parse().map_err(|_| {
        Error::value(
            field,
            text,
            "this is no time; write `2026-12-24 18:00` by the clock of the zone, or `2026-12-24T18:00:00+01:00`",
        )
    })?;
    let out_of_range = |_| Error::value(field, text, "this is too far away");
    let instant = |offset: jiff::tz::Offset| offset.to_timestamp(reading).map_err(out_of_range);
    Ok(match (zone.to_ambiguous_timestamp(reading).offset(), policies.gap, policies.fold) {
        (AmbiguousOffset::Unambiguous { offset }, ..) => vec![instant(offset)?],
        (AmbiguousOffset::Gap { .. }, Gap::Skip, _) => Vec::new(),
        (AmbiguousOffset::Gap { after, .. }, Gap::Shift, _) => {
            // Read by the later offset, a reading in the gap lies before the change: the first change after it ends it.
            zone.following(instant(after)?).next().map(|change| vec![change.timestamp()]).unwrap_or_default()
        }
        (AmbiguousOffset::Fold { before, .. }, _, Fold::First) => vec![instant(before)?],
        (AmbiguousOffset::Fold { after, .. }, _, Fold::Second) => vec![instant(after)?],
        (AmbiguousOffset::Fold { before, after }, _, Fold::Both) => vec![instant(before)?, instant(after)?],
    })
}

fn misfire(written: &Misfire) -> Result<MisfireRule, Error> {
    Ok(match written {
        Misfire::Skip => MisfireRule::Skip,
        Misfire::Latest => MisfireRule::Latest,
        Misfire::All(most) => {
            counted("misfire.all", *most, 1, COUNT_MAX)?;
            MisfireRule::All(usize::try_from(*most).unwrap_or(1))
        }
        Misfire::Deadline(text) => {
            MisfireRule::Deadline(duration::read("misfire.deadline", text, 1, TEN_YEARS_SECONDS)?)
        }
    })
}

fn overlap(written: Overlap) -> Result<(), Error> {
    match written {
        Overlap::Forbid | Overlap::Replace => Ok(()),
        Overlap::Queue(most) => counted("overlap.queue", most, 1, COUNT_MAX),
        Overlap::Allow(most) => counted("overlap.allow", most, 1, COUNT_MAX),
    }
}

fn retrying(spec: &JobSpec) -> Result<Retrying, Error> {
    let retries = &spec.retries;
    counted("retries.attempts", retries.attempts, 0, 20)?;
    let first = duration::read("retries.first", &retries.first, 1, DAY_SECONDS)?;
    let max = duration::read("retries.max", &retries.max, 1, WEEK_SECONDS)?;
    let part = |field, value: f64, least: f64, most: f64| {
        // NaN is in no range.
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(Error::value(field, &value.to_string(), format!("expected {least} to {most}")))
    };
    let factor = part("retries.factor", retries.factor, 1.0, 10.0)?;
    let jitter = part("retries.jitter", retries.jitter, 0.0, 1.0)?;
    if max < first {
        return Err(Error::Conflict { field: "retries.max", reason: "it is shorter than `retries.first`".to_owned() });
    }
    Ok(Retrying { attempts: retries.attempts, first, factor, max, jitter })
}

/// The address is not repeated in an error: who knows it can report runs that never were.
fn ping(written: Option<&str>) -> Result<(), Error> {
    let Some(text) = written else { return Ok(()) };
    let is_good = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_good {
        return Ok(());
    }
    Err(Error::Conflict {
        field: "ping",
        reason: "expected an address that begins with https:// or http://".to_owned(),
    })
}

fn counted(field: &'static str, value: u32, least: u32, most: u32) -> Result<(), Error> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::value(field, &value.to_string(), format!("expected {least} to {most}")))
}
