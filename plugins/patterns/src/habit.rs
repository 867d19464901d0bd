//! A series against its own habit: weekday or hour, level, and how far it usually strays, all by medians, with the
//! tested point left out of what it is tested against.
//!
//! For each length of block `k` (1, 3, 7, 14 buckets) the mean of the newest block, season taken out, is compared with
//! the median of the fourteen buckets before it. The same difference at every earlier place of the series is its habit:
//! centre and sigma are their median and median absolute deviation (as `pi_signals`' `Baseline`). So slow growth,
//! noise that is correlated and promotions are part of the habit and no finding. Sigma is never smaller than what
//! counting alone makes (Poisson, binomial, or the mean's standard error), and a deviation must also be beyond the
//! second largest that the series has shown before in that direction. P values are Student's, two-sided, corrected for
//! the number of places and blocks that were tried (Bonferroni).

use std::collections::BTreeMap;

use pi_signals::metric::{Baseline, median};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Buckets that make a level.
const LEVEL: usize = 14;
/// Differences that make a habit: with fewer it abstains.
const HABIT_MIN: usize = 10;
/// Buckets below which nothing is judged: a level, and three weeks of habit.
pub const HISTORY_MIN: usize = LEVEL + HABIT_MIN + 1;
/// Blocks whose mean is judged.
const BLOCKS: [usize; 4] = [1, 3, 7, 14];
/// So many times the second largest deviation of the past must be exceeded.
const BEYOND_HABIT: f64 = 1.15;
/// Deviations of one bucket are looked for among so many of the newest.
pub const RECENT: usize = 7;
/// Weekday effects are fitted to the same values whose noise is measured, which makes that noise look smaller.
const FIT_INFLATION: f64 = 1.1;

/// What kind of number a series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// How many; a missing bucket is zero.
    Count,
    /// A part of a whole of `n`.
    Share,
    /// A positive quantity, compared by ratio.
    Ratio,
    /// Any quantity, compared by difference.
    Plain,
}

/// One bucket of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The value; a share between 0 and 1.
    pub value: f64,
    /// Out of how many rows.
    pub n: f64,
    /// The standard error, of means.
    pub error: f64,
}

/// How buckets follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// 24 of them are a day, and bucket 0 begins in 1970.
    Hours,
    /// Seven are a week; bucket 0 was a Thursday.
    Days,
    /// Weeks: no season is looked for.
    Weeks,
}

/// What a series did at its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Two-sided, corrected for what was tried within this series.
    pub p: f64,
    /// Sigmas from the habit; negative downwards.
    pub sigmas: f64,
    /// Mean over the block, in the series' own unit.
    pub after: f64,
    /// What was expected there.
    pub before: f64,
    /// First and last bucket of the deviation.
    pub from: i64,
    /// The last bucket that deviates.
    pub to: i64,
    /// The band of what is expected, per bucket, for drawing.
    pub band: Vec<(i64, f64, f64)>,
    /// Whether the deviation goes beyond what the series has shown before.
    pub is_beyond_habit: bool,
}

/// A series ready to be judged: consecutive buckets from `first`.
struct Line {
    first: i64,
    values: Vec<Option<f64>>,
    floors: Vec<f64>,
}

/// Judge the end of a series. `until` is its last complete bucket, `judged_to` the last that an earlier look has judged.
/// Nothing where there is too little history.
pub fn judge(
    points: &BTreeMap<i64, Point>,
    scale: Scale,
    calendar: Calendar,
    until: i64,
    judged_to: Option<i64>,
) -> Option<Verdict> {
    let first = *points.keys().next()?;
    if points.len() < HISTORY_MIN || usize::try_from(until - first + 1).ok()? < HISTORY_MIN {
        return None;
    }
    let line = line(points, scale, first, until);
    let kept = line.values.len().saturating_sub(RECENT);
    let season = season(&line, calendar, kept);
    let plain: Vec<Option<f64>> = line
        .values
        .iter()
        .enumerate()
        .map(|(at, value)| Some((*value)? - season_at(&season, line.first + at as i64, calendar)))
        .collect();
    let last = plain.len() - 1;
    let mut tried = 0_usize;
    let mut best: Option<(f64, f64, usize, usize, Difference, bool)> = None;
    for block in BLOCKS {
        let history: Vec<(usize, f64)> =
            (0..=last).filter_map(|end| Some((end, difference(&plain, end, block)?.step))).collect();
        let ends: Vec<usize> = if block == 1 {
            let from = last.saturating_sub(RECENT - 1);
            (from..=last).filter(|&end| judged_to.is_none_or(|judged| line.first + end as i64 > judged)).collect()
        } else {
            vec![last]
        };
        for end in ends {
            // Left out: the tested block, and all later; earlier ones of the newest week as well where there is enough without them.
            let limit = (end + 1).saturating_sub(block).min(if history.len() > 3 * HABIT_MIN {
                kept.max(LEVEL + HABIT_MIN)
            } else {
                last
            });
            let past: Vec<(usize, f64)> = history.iter().copied().filter(|&(at, _)| at < limit).collect();
            let Some(tested) = difference(&plain, end, block) else { continue };
            if past.len() < HABIT_MIN {
                continue;
            }
            tried += 1;
            let floor = line.floors.get(end + 1 - block..=end).unwrap_or_default();
            let floor = (floor.iter().sum::<f64>() / floor.len().max(1) as f64 / block as f64).sqrt()
                * (1.0 + block as f64 / LEVEL as f64).sqrt();
            let Some((p, sigmas, is_beyond)) =
                weigh(&past, tested.step, floor, block, line.first + end as i64, line.first, calendar, scale)
            else {
                continue;
            };
            if best.as_ref().is_none_or(|so_far| (is_beyond, -p) > (so_far.5, -so_far.0)) {
                best = Some((p, sigmas, end, block, tested, is_beyond));
            }
        }
    }
    let (p, sigmas, end, block, tested, is_beyond_habit) = best?;
    let from = end + 1 - block;
    let inside: Vec<f64> =
        (from..=end).filter_map(|at| points.get(&(line.first + at as i64)).map(|point| point.value)).collect();
    let after =
        if inside.is_empty() { 0.0 } else { inside.iter().sum::<f64>() / block_weight(inside.len(), block, scale) };
    let mean_season =
        (from..=end).map(|at| season_at(&season, line.first + at as i64, calendar)).sum::<f64>() / block as f64;
    let before = back(tested.level + tested.centre(&plain, end, block) + mean_season, scale);
    let (from, to) = (line.first + from as i64, line.first + end as i64);
    Some(Verdict {
        p: (p * tried as f64).min(1.0),
        sigmas,
        after,
        before,
        from,
        to,
        band: band(&line, &plain, &season, calendar, scale),
        is_beyond_habit,
    })
}

/// Missing buckets are zeros of a count, and nothing of anything else.
fn block_weight(present: usize, block: usize, scale: Scale) -> f64 {
    (if scale == Scale::Count { block } else { present }) as f64
}

struct Difference {
    step: f64,
    level: f64,
}

impl Difference {
    /// A growing series is always above its past level: the median step of the history is expected again.
    fn centre(&self, plain: &[Option<f64>], end: usize, block: usize) -> f64 {
        let steps: Vec<f64> =
            (0..(end + 1).saturating_sub(block)).filter_map(|at| Some(difference(plain, at, block)?.step)).collect();
        median(&steps).unwrap_or(0.0)
    }
}

/// The mean of a block less the level before it.
fn difference(plain: &[Option<f64>], end: usize, block: usize) -> Option<Difference> {
    let from = (end + 1).checked_sub(block)?;
    let inside: Vec<f64> = plain.get(from..=end)?.iter().flatten().copied().collect();
    let before: Vec<f64> = plain.get(from.checked_sub(LEVEL)?..from)?.iter().flatten().copied().collect();
    if inside.len() * 5 < block * 3 || inside.is_empty() || before.len() < LEVEL / 2 {
        return None;
    }
    let level = median(&before)?;
    Some(Difference { step: inside.iter().sum::<f64>() / inside.len() as f64 - level, level })
}

#[allow(clippy::too_many_arguments, reason = "one formula; a struct would only name its terms twice")]
fn weigh(
    past: &[(usize, f64)],
    step: f64,
    floor: f64,
    block: usize,
    bucket: i64,
    first: i64,
    calendar: Calendar,
    scale: Scale,
) -> Option<(f64, f64, bool)> {
    let steps: Vec<f64> = past.iter().map(|&(_, step)| step).collect();
    let habit = Baseline::of(&steps)?;
    // `Baseline` keeps a share of the level as scale, which means nothing for differences.
    let deviations: Vec<f64> = steps.iter().map(|step| (step - habit.centre).abs()).collect();
    let spread = 1.4826 * median(&deviations)?;
    let tail = pi_signals::metric::quantile(&deviations, 0.9)? / 1.645;
    let sigma = (spread.max(tail) * FIT_INFLATION).hypot(floor);
    if sigma.is_nan() || sigma <= 0.0 {
        return None;
    }
    let distance = step - habit.centre;
    let sigmas = distance / sigma;
    let mut same_side: Vec<f64> = steps.iter().map(|step| (step - habit.centre) * distance.signum()).collect();
    same_side.sort_by(|a, b| b.total_cmp(a));
    let second = same_side.get(1).copied().unwrap_or(0.0);
    let mut is_beyond = distance.abs() > BEYOND_HABIT * second.max(0.0);
    if block == 1 && calendar == Calendar::Days && scale != Scale::Share {
        is_beyond &= !is_monthly(past, habit.centre, distance, bucket, first);
    }
    let freedom = (steps.len() as f64 / (block as f64).sqrt() - 1.0).max(8.0);
    let p = StudentsT::new(0.0, 1.0, freedom).ok().map(|t| 2.0 * t.sf(sigmas.abs()))?;
    Some((p.max(1e-300), sigmas, is_beyond))
}

/// Whether the same day of earlier months did the same: the first, the last, or this one.
fn is_monthly(past: &[(usize, f64)], centre: f64, distance: f64, bucket: i64, first: i64) -> bool {
    let (_, _, day) = pi_signals::instant::date_of(bucket);
    let is_last = pi_signals::instant::date_of(bucket + 1).2 == 1;
    let alike = past.iter().filter(|&&(at, step)| {
        let other = first + at as i64;
        let same =
            pi_signals::instant::date_of(other).2 == day || is_last && pi_signals::instant::date_of(other + 1).2 == 1;
        same && (step - centre) * distance.signum() > 0.5 * distance.abs()
    });
    alike.count() >= 2
}

fn line(points: &BTreeMap<i64, Point>, scale: Scale, first: i64, until: i64) -> Line {
    let mut line = Line { first, values: Vec::new(), floors: Vec::new() };
    let typical = median(&points.values().map(|point| point.value).collect::<Vec<_>>()).unwrap_or(0.0);
    for bucket in first..=until {
        let point = points.get(&bucket).copied();
        let point =
            if scale == Scale::Count { Some(point.unwrap_or(Point { value: 0.0, n: 0.0, error: 0.0 })) } else { point };
        line.values.push(point.and_then(|point| forth(point, scale)));
        line.floors.push(point.map_or(0.0, |point| floor(point, scale, typical)));
    }
    line
}

/// Into the scale in which noise is of one size: logarithm of counts and ratios, Anscombe's arcsine of shares.
fn forth(point: Point, scale: Scale) -> Option<f64> {
    let y = match scale {
        Scale::Count => (point.value + 1.0).ln(),
        Scale::Share => ((point.value * point.n + 0.375) / (point.n + 0.75)).clamp(0.0, 1.0).sqrt().asin(),
        Scale::Ratio => (point.value > 0.0).then(|| point.value.ln())?,
        Scale::Plain => point.value,
    };
    y.is_finite().then_some(y)
}

/// What counting alone makes of noise, as a variance.
fn floor(point: Point, scale: Scale, typical: f64) -> f64 {
    match scale {
        Scale::Count => 1.0 / (typical + 1.0),
        Scale::Share => 1.0 / (4.0 * point.n.max(1.0)),
        Scale::Ratio => (point.error / point.value.abs().max(f64::MIN_POSITIVE)).powi(2).clamp(1e-6, 1.0),
        Scale::Plain => point.error.powi(2),
    }
}

fn back(y: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Count => (y.exp() - 1.0).max(0.0),
        Scale::Share => y.clamp(0.0, std::f64::consts::FRAC_PI_2).sin().powi(2),
        Scale::Ratio => y.exp(),
        Scale::Plain => y,
    }
}

fn period(calendar: Calendar) -> Option<i64> {
    match calendar {
        Calendar::Hours => Some(24),
        Calendar::Days => Some(7),
        Calendar::Weeks => None,
    }
}

/// What each weekday or hour adds: the median of what it is above the running median around it. Nothing where that does not make
/// the series calmer.
fn season(line: &Line, calendar: Calendar, kept: usize) -> Vec<f64> {
    let Some(period) = period(calendar) else { return Vec::new() };
    let width = usize::try_from(period).unwrap_or(7);
    let mut parts: Vec<Vec<f64>> = vec![Vec::new(); width];
    let mut rests = Vec::new();
    let kept = kept.max(2 * width).min(line.values.len());
    for (at, value) in line.values.iter().enumerate().take(kept) {
        let Some(value) = value else { continue };
        let from = at.saturating_sub(width / 2);
        let around: Vec<f64> =
            line.values.iter().take((from + width).min(kept)).skip(from).flatten().copied().collect();
        let Some(level) = median(&around) else { continue };
        rests.push(value - level);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a remainder of the period")]
        if let Some(part) = parts.get_mut((line.first + at as i64).rem_euclid(period) as usize) {
            part.push(value - level);
        }
    }
    let effects: Vec<f64> =
        parts.iter().map(|part| if part.len() < 2 { 0.0 } else { median(part).unwrap_or(0.0) }).collect();
    let spread = |values: &[f64]| median(&values.iter().map(|value| value.abs()).collect::<Vec<_>>()).unwrap_or(0.0);
    let left: Vec<f64> =
        parts.iter().zip(&effects).flat_map(|(part, effect)| part.iter().map(move |value| value - effect)).collect();
    let explained = effects.iter().map(|effect| effect.abs()).fold(0.0, f64::max);
    if spread(&left) > 0.9 * spread(&rests) && explained < 4.0 * spread(&left) { Vec::new() } else { effects }
}

fn season_at(season: &[f64], bucket: i64, calendar: Calendar) -> f64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a remainder of the period")]
    period(calendar).and_then(|period| season.get(bucket.rem_euclid(period) as usize)).copied().unwrap_or(0.0)
}

/// Three sigmas around what each bucket was expected to be, for drawing.
fn band(line: &Line, plain: &[Option<f64>], season: &[f64], calendar: Calendar, scale: Scale) -> Vec<(i64, f64, f64)> {
    let steps: Vec<f64> =
        (0..plain.len().saturating_sub(RECENT)).filter_map(|at| Some(difference(plain, at, 1)?.step)).collect();
    let Some(habit) = Baseline::of(&steps) else { return Vec::new() };
    let mut band = Vec::new();
    for at in 0..plain.len() {
        let Some(before) = at.checked_sub(LEVEL).and_then(|from| plain.get(from..at)) else { continue };
        let Some(level) = median(&before.iter().flatten().copied().collect::<Vec<_>>()) else { continue };
        let bucket = line.first + at as i64;
        let sigma = habit.sigma.hypot(line.floors.get(at).copied().unwrap_or(0.0).sqrt());
        let middle = level + habit.centre + season_at(season, bucket, calendar);
        band.push((bucket, back(middle - 3.0 * sigma, scale), back(middle + 3.0 * sigma, scale)));
    }
    band
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise_at(index: i64) -> f64 {
        2.0 * ((index as f64 * 12.9898).sin() * 43_758.545_3).rem_euclid(1.0) - 1.0
    }

    fn weekly(count: i64) -> BTreeMap<i64, Point> {
        (0..count)
            .map(|day| {
                let weekend = if day % 7 < 2 { 0.4 } else { 1.0 };
                let value = 1000.0 * weekend * (1.0 + 0.002 * day as f64) * (1.0 + 0.05 * noise_at(day));
                (day, Point { value: value.round(), n: value, error: 0.0 })
            })
            .collect()
    }

    #[test]
    fn week_and_growth_are_habit_and_no_deviation() {
        let verdict = judge(&weekly(90), Scale::Count, Calendar::Days, 89, None).unwrap();
        assert!(verdict.p > 1e-3 || !verdict.is_beyond_habit, "{verdict:?}");
    }

    #[test]
    fn day_with_half_of_its_rows_is_found() {
        let mut points = weekly(90);
        points.get_mut(&89).unwrap().value *= 0.5;
        let verdict = judge(&points, Scale::Count, Calendar::Days, 89, None).unwrap();
        assert!(verdict.p < 1e-5 && verdict.is_beyond_habit && verdict.sigmas < 0.0, "{verdict:?}");
        assert_eq!((verdict.from, verdict.to), (89, 89));
    }

    #[test]
    fn missing_day_counts_as_none() {
        let mut points = weekly(90);
        points.remove(&88);
        let verdict = judge(&points, Scale::Count, Calendar::Days, 89, None).unwrap();
        assert!(verdict.p < 1e-6 && verdict.from == 88 && verdict.after == 0.0, "{verdict:?}");
    }

    #[test]
    fn short_history_is_not_judged() {
        assert_eq!(judge(&weekly(20), Scale::Count, Calendar::Days, 19, None), None);
    }

    #[test]
    fn spike_of_each_first_of_the_month_is_habit() {
        let mut points = weekly(183);
        for (day, point) in &mut points {
            if pi_signals::instant::date_of(*day).2 == 1 {
                point.value *= 3.0;
            }
        }
        let first = (0..183).rev().find(|&day| pi_signals::instant::date_of(day).2 == 1).unwrap();
        points.retain(|&day, _| day <= first);
        let verdict = judge(&points, Scale::Count, Calendar::Days, first, None).unwrap();
        assert!(!verdict.is_beyond_habit, "{verdict:?}");
    }

    #[test]
    fn share_that_was_always_nought_and_is_not_any_more_is_found() {
        let mut points: BTreeMap<i64, Point> =
            (0..60).map(|day| (day, Point { value: 0.0, n: 400.0, error: 0.0 })).collect();
        points.get_mut(&59).unwrap().value = 0.1;
        let verdict = judge(&points, Scale::Share, Calendar::Days, 59, None).unwrap();
        assert!(verdict.p < 1e-6 && (verdict.after - 0.1).abs() < 1e-9, "{verdict:?}");
    }
}
