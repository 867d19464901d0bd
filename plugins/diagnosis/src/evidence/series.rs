//! How a metric behaves: its role, the level before and after its change, its end, its limit.
//!
//! What a series did is told by shape (one best split, medians, steadiness), since a dozen points are the rule and half
//! of them may be the fault already. The statistics, and when a change began, are those of `pi_signals::metric`.

use std::collections::BTreeSet;

use pi_signals::metric::{self as signals, shift, trend};

use super::facts::Facts;
use super::scope::{Kin, Scope};
use crate::incident::{Incident, Metric};
use crate::instant::Instant;
use crate::knowledge::{Behaviour, Role, Unit, Vocabulary, Worse};

/// A change must be so many times the spread of what was before.
const SPREADS_MIN: f64 = 4.0;
/// And so large a part of the level before, since a quiet series has no spread.
const CHANGE_SHARE_MIN: f64 = 0.4;
/// In percent of a whole, points rather than shares.
const CHANGE_POINTS_MIN: f64 = 18.0;
/// Fewer points have no history.
const HISTORY_MIN: usize = 5;
/// Points of a series that are looked at: longer ones are thinned.
const POINTS_LOOKED_AT: usize = 4_096;
/// What counts up for ever moves at least so often.
const COUNTER_MOVES_MIN: usize = 3;
/// Points of a climb that is a tooth of a saw.
const TOOTH_POINTS_MIN: usize = 4;
/// From this share of its limit on, what is counted is exhausted.
const LIMIT_SHARE: f64 = 0.9;
/// What is free is exhausted below this share of the whole, or of what there was.
const FREE_SHARE: f64 = 0.06;

/// A metric with what it shows.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    pub(crate) metric: &'a Metric,
    pub(crate) role: Option<&'a str>,
    pub(crate) kin: Kin,
    pub(crate) span_s: f64,
    pub(crate) departs_at: Option<Instant>,
    /// When an excursion that is over was seen last.
    pub(crate) settled_at: Option<Instant>,
    pub(crate) begin: f64,
    pub(crate) end: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) limit: Option<f64>,
    behaviours: BTreeSet<Behaviour>,
    worse: Worse,
    is_neutral: bool,
    /// Its values are of the unit in which its role has a limit.
    is_scaled: bool,
    /// The alert names it.
    pub(crate) is_alerted: bool,
    unit: &'static str,
}

impl<'a> Series<'a> {
    /// `None` without a single number.
    pub(crate) fn of(metric: &'a Metric, scope: &Scope, vocabulary: &'a Vocabulary) -> Option<Self> {
        let role = role_of(metric, vocabulary);
        let mut points: Vec<(Instant, f64)> =
            metric.points.iter().filter_map(|point| Some((point.0, point.1?))).collect();
        points.sort_by_key(|(time, _)| *time);
        if is_named_as_counter(metric) {
            points = rates_of(points, words_of(&metric.name).last().is_some_and(|word| word == "count"));
        }
        let step = points.len().div_ceil(POINTS_LOOKED_AT).max(1);
        let mut values: Vec<f64> = points.iter().step_by(step).map(|(_, value)| *value).collect();
        let times: Vec<Instant> = points.iter().step_by(step).map(|(time, _)| *time).collect();
        let (first, last) = (*times.first()?, *times.last()?);
        let unit = normalise(&mut values, metric, role);
        let highest = values.iter().copied().fold(0.0, f64::max);
        let floor = role.map_or(0.0, |role| role.floor * floor_factor(metric, role, highest));
        let shape = Shape::of(&values, floor, unit == "%");
        // What nobody knows is judged where the alert is about it; of what is neutral, less of it is then worse.
        let is_judged = role.is_none_or(|role| !role.neutral || role.name == "throughput");
        let is_alerted = is_judged && (scope.is_alerted(metric) || (role.is_none() && scope.is_hinted(metric)));
        let worse = match role {
            Some(role) if role.neutral && is_alerted => Worse::Down,
            Some(role) => role.worse,
            None => Worse::Both,
        };
        let mut series = Self {
            metric,
            role: role.map(|role| role.name.as_str()),
            kin: scope.kin_of_metric(metric),
            span_s: last.seconds_since(first),
            departs_at: shape.departs_at.and_then(|at| times.get(at)).copied(),
            settled_at: shape.settled_at.and_then(|at| times.get(at)).copied(),
            begin: shape.begin,
            end: shape.end,
            high: shape.high,
            low: shape.low,
            limit: None,
            behaviours: shape.behaviours,
            worse,
            is_neutral: role.is_none_or(|role| role.neutral) && !is_alerted,
            is_scaled: true,
            is_alerted,
            unit,
        };
        series.is_scaled = !(role.is_some_and(|role| role.unit == Unit::Percent) && unit != "%");
        if let Some(limit) = role.and_then(|role| role.saturated).filter(|_| series.is_scaled) {
            let is_beyond = match worse {
                Worse::Down => series.end <= limit,
                _ => series.end >= limit || (median(&values) >= limit && series.end >= limit * 0.9),
            };
            if is_beyond {
                series.behaviours.insert(Behaviour::Saturated);
            }
        }
        let is_trend = [Behaviour::Grows, Behaviour::Shrinks].iter().any(|it| series.behaviours.contains(it));
        if !is_trend && is_usual_for_its_time(&times, &values) {
            series.behaviours.insert(Behaviour::Recurs);
        }
        let has_vanished = series.role.is_some_and(|role| role.ends_with("_free"))
            && values.len() >= HISTORY_MIN
            && shape.end <= FREE_SHARE * shape.begin
            && shape.begin > 0.0;
        if has_vanished {
            series.behaviours.insert(Behaviour::Saturated);
        }
        if series.kin.is_close() && series.is_abnormal() {
            series.departs_at = began_at(&times, &values, series.end > series.begin).or(series.departs_at);
        }
        Some(series)
    }

    pub(crate) fn behaves(&self, behaviour: Behaviour) -> bool {
        match behaviour {
            Behaviour::Normal => !self.is_abnormal(),
            Behaviour::Saturated | Behaviour::Rises | Behaviour::Plateau if !self.is_abnormal() && !self.is_neutral => {
                false
            }
            other => self.behaviours.contains(&other),
        }
    }

    /// It is now worse than it was, or worse than is bearable. What has passed is not.
    pub(crate) fn is_abnormal(&self) -> bool {
        let has = |behaviour| self.behaviours.contains(&behaviour);
        // Memory that rises and falls again and again is what is wrong with it.
        if has(Behaviour::Recurs) && !self.role.is_some_and(|role| role.starts_with("memory")) {
            return false;
        }
        if has(Behaviour::Saturated) {
            return true;
        }
        if self.is_neutral {
            return false;
        }
        match self.worse {
            Worse::Up => has(Behaviour::Rises) || has(Behaviour::Grows),
            Worse::Down => has(Behaviour::Falls) || has(Behaviour::Shrinks),
            Worse::Both => has(Behaviour::Rises) || has(Behaviour::Falls),
        }
    }

    /// It was worse for a while, and is back.
    pub(crate) fn has_passed(&self) -> bool {
        let was_worse = match self.worse {
            Worse::Up => self.behaviours.contains(&Behaviour::Spiked),
            Worse::Down => self.behaviours.contains(&Behaviour::Dipped),
            Worse::Both => false,
        };
        was_worse && !self.is_abnormal()
    }

    /// What is known about its role, so that it says something when it is normal.
    pub(crate) fn is_telling(&self) -> bool {
        !self.is_neutral
    }

    /// What it did, for people.
    pub(crate) fn words(&self, behaviour: Behaviour) -> String {
        let of = self.metric.dimensions.values().find_map(|value| value.as_str());
        let name = match of {
            Some(of) => format!("{} of {of}", self.metric.name),
            None => self.metric.name.clone(),
        };
        let show = |value: f64| quantity(value, self.unit);
        let (begin, end) = (show(self.begin), show(self.end));
        match behaviour {
            Behaviour::Saturated => match self.limit {
                Some(limit) => format!("{name} is at {end}, its limit is {}", show(limit)),
                None if begin == end => format!("{name} is at {end} all the time"),
                None => format!("{name} is at {end} (it was {begin})"),
            },
            Behaviour::Rises | Behaviour::Plateau => format!("{name} rose from {begin} to {end}"),
            Behaviour::Falls => format!("{name} fell from {begin} to {end}"),
            Behaviour::Grows => format!("{name} grows steadily, from {begin} to {end}"),
            Behaviour::Shrinks => format!("{name} shrinks steadily, from {begin} to {end}"),
            Behaviour::Spiked => format!("{name} rose to {} and is back at {end}", show(self.high)),
            Behaviour::Dipped | Behaviour::Vanished => format!("{name} fell from {begin} to {}", show(self.low)),
            Behaviour::Sawtooth => format!("{name} climbs to {} and falls back, again and again", show(self.high)),
            Behaviour::Recurs => format!("{name} does the same at even distances"),
            Behaviour::Normal => format!("{name} is as it was ({end})"),
        }
    }
}

/// The name says that it counts up for ever: what it means is its rate, and a fall is a restart.
fn is_named_as_counter(metric: &Metric) -> bool {
    let last = words_of(&metric.name).into_iter().last().unwrap_or_default();
    let is_amount = metric.unit.to_ascii_lowercase().contains("byte") || metric.unit.contains('/');
    !is_amount && ["total", "count", "counter"].contains(&last.as_str())
}

/// The rates a minute of what is a counter by its values too; else the points as they are.
fn rates_of(points: Vec<(Instant, f64)>, is_a_number_of: bool) -> Vec<(Instant, f64)> {
    let timed: Vec<signals::Point> =
        points.iter().map(|(time, value)| signals::Point { time: time.0 as f64 / 1_000.0, value: *value }).collect();
    let span = timed.last().zip(timed.first()).map_or(0.0, |(last, first)| (last.value - first.value).abs());
    if timed.len() < HISTORY_MIN || span <= 0.0 || !signals::is_counter(&timed) {
        return points;
    }
    // What is called a count, and moved once or twice, counts what there is (peers, hosts), not what has happened.
    let moves = timed.windows(2).filter(|pair| matches!(pair, [a, b] if a.value != b.value)).count();
    if is_a_number_of && moves < COUNTER_MOVES_MIN {
        return points;
    }
    let rates = signals::rates(&timed);
    #[allow(clippy::cast_possible_truncation, reason = "it was an integer of milliseconds")]
    rates.into_iter().map(|point| (Instant((point.time * 1_000.0) as i64), point.value * 60.0)).collect()
}

/// When the change began that led to where a series is now; nothing where change points do not show it.
fn began_at(times: &[Instant], values: &[f64], is_upwards: bool) -> Option<Instant> {
    let points: Vec<signals::Point> = times
        .iter()
        .zip(values)
        .map(|(time, value)| signals::Point { time: time.0 as f64 / 1_000.0, value: *value })
        .collect();
    let change = shift(&points, None).filter(|change| (change.after > change.before) == is_upwards)?;
    #[allow(clippy::cast_possible_truncation, reason = "it was an integer of milliseconds")]
    Some(Instant((change.at * 1_000.0) as i64))
}

/// Limits that are known from elsewhere: of connections, and of storage.
pub(super) fn apply_limits(series: &mut [Series], incident: &Incident, facts: &Facts) {
    let maximum = |series: &[Series], role: &str| {
        let found = series.iter().filter(|it| it.kin.is_close() && it.role == Some(role)).map(|it| it.end);
        found.fold(None, |max: Option<f64>, value| Some(max.map_or(value, |max| max.max(value))))
    };
    let connections =
        maximum(series, "connections_limit").or(facts.connections_max).or_else(|| limit_in_texts(incident));
    let share = share_of_limit(incident);
    let memory = maximum(series, "memory_limit");
    for it in series.iter_mut().filter(|it| it.kin.is_close() || it.unit == "cores") {
        let limit = match it.role {
            Some("connections") => connections,
            Some("disk_free") => facts.storage_bytes,
            Some("memory_used") if it.unit == "Bytes" => memory.or(facts.memory_bytes),
            Some("cpu") if it.unit == "cores" => facts.cores_of(it.metric),
            _ => None,
        };
        it.limit = limit;
        let is_exhausted = match (it.role, limit) {
            (Some("disk_free"), Some(whole)) => it.end <= whole * FREE_SHARE,
            (Some(_), Some(limit)) => limit > 0.0 && it.end >= limit * LIMIT_SHARE && it.end <= limit * 1.5,
            _ => it.role == Some("connections") && share.is_some_and(|share| share >= LIMIT_SHARE),
        };
        // Far below its limit, memory that goes up and down is at work.
        if it.role == Some("memory_used") && limit.is_some_and(|limit| it.high < 0.75 * limit) {
            it.behaviours.remove(&Behaviour::Sawtooth);
        }
        if is_exhausted {
            it.behaviours.insert(Behaviour::Saturated);
        } else if it.role == Some("connections") {
            // Well below its limit, a rise is traffic. Without a limit, only a large one is remarkable.
            let is_low = limit.is_some_and(|limit| it.end < limit * 0.8) || share.is_some_and(|share| share < 0.8);
            let is_small = limit.is_none() && it.end < it.begin * 1.5;
            if is_low || is_small {
                it.behaviours.remove(&Behaviour::Rises);
                it.behaviours.remove(&Behaviour::Grows);
                it.behaviours.remove(&Behaviour::Plateau);
            }
        }
    }
}

/// `469 of 500` or `limit (500)` beside connections, in events and the alert.
fn limit_in_texts(incident: &Incident) -> Option<f64> {
    let alert =
        incident.alert.annotations.values().chain(incident.alert.labels.values()).filter_map(|value| value.as_str());
    let events = incident.events.iter().map(|event| event.message.as_str());
    alert.chain(events).find_map(|text| {
        let text = text.to_lowercase();
        if !text.contains("connection") {
            return None;
        }
        let number_after = |marker: &str| {
            let (_, rest) = text.split_once(marker)?;
            let digits: String =
                rest.trim_start_matches([' ', '=', ':', '(']).chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<f64>().ok().filter(|limit| *limit >= 5.0)
        };
        let of = || {
            // `469 of 500`, `469/500`: the first number must not be a percentage.
            let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == '/').collect();
            words.windows(3).find_map(|window| match window {
                [current, "of", limit] => {
                    let number = |word: &str| word.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().ok();
                    let (current, limit) = (number(current).filter(|_| !current.contains('%'))?, number(limit)?);
                    (limit >= 5.0 && current <= limit * 1.1).then_some(limit)
                }
                _ => None,
            })
        };
        [
            "max_connections=",
            "max_connections =",
            "max_connections:",
            "max_connections (",
            "max_connections is ",
            "max_connections ",
        ]
        .iter()
        .find_map(|marker| number_after(marker))
        .or_else(of)
    })
}

/// `98% of max_connections` in the alert.
fn share_of_limit(incident: &Incident) -> Option<f64> {
    let texts =
        incident.alert.annotations.values().filter_map(|value| value.as_str()).chain([incident.alert.title.as_str()]);
    texts
        .filter_map(|text| {
            let text = text.to_lowercase();
            let at =
                ["% of max", "% of its max", "% of the max", "% of limit", "% of the limit", "% of available conn"]
                    .iter()
                    .find_map(|marker| text.find(marker))?;
            let head = text.get(..at)?;
            let digits: String = head.chars().rev().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            let digits: String = digits.chars().rev().collect();
            digits.parse::<f64>().ok().map(|percent| percent / 100.0).filter(|_| text.contains("connection"))
        })
        .next()
}

/// The level before and after, and what happened between.
struct Shape {
    begin: f64,
    end: f64,
    high: f64,
    low: f64,
    departs_at: Option<usize>,
    settled_at: Option<usize>,
    behaviours: BTreeSet<Behaviour>,
}

impl Shape {
    fn of(values: &[f64], floor: f64, is_percent: bool) -> Self {
        let n = values.len();
        let tail = (n / 5).clamp(1, 5).max(if n >= HISTORY_MIN { 2 } else { 1 });
        let end = median(values.get(n.saturating_sub(tail)..).unwrap_or(values));
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let head = median(values.get(..tail.min(n)).unwrap_or(values));
        let mut shape =
            Self { begin: head, end, high, low, departs_at: None, settled_at: None, behaviours: BTreeSet::new() };
        if n < HISTORY_MIN {
            return shape;
        }
        let wanted = |level: f64, spread: f64| {
            let share = if is_percent { CHANGE_POINTS_MIN } else { CHANGE_SHARE_MIN * level.abs() };
            (SPREADS_MIN * spread).max(share).max(floor * 0.99).max(f64::EPSILON)
        };
        let split = best_split(values);
        let (before, after) = (values.get(..split).unwrap_or(values), values.get(split..).unwrap_or(values));
        let (level, level_after) = (median(before), median(after));
        let spread = spread(before).min(spread(after).max(0.01 * level.abs()));
        let change = wanted(level, spread);
        // A change that is undone at the end was an excursion.
        if (level_after - level).abs() > change && (end - level).abs() > change * 0.7 {
            shape.begin = level;
            shape.behaviours.insert(if end > level { Behaviour::Rises } else { Behaviour::Falls });
        } else if (end - head).abs() > wanted(head, spread) {
            shape.behaviours.insert(if end > head { Behaviour::Rises } else { Behaviour::Falls });
        }
        let usual = median(values);
        let change = wanted(usual, deviation(values));
        if !shape.is_changed() {
            shape.begin = if (end - head).abs() <= change { usual } else { head };
            let is_back = (end - usual).abs() <= change * 0.5 && (head - usual).abs() <= change;
            let outlying = |is_far: &dyn Fn(f64) -> bool| values.iter().filter(|value| is_far(**value)).count();
            if is_back && outlying(&|value| value - usual > change) >= 1 {
                shape.behaviours.insert(Behaviour::Spiked);
            }
            if is_back && outlying(&|value| usual - value > change) >= 1 {
                shape.behaviours.insert(Behaviour::Dipped);
            }
            if is_back {
                shape.settled_at = values.iter().rposition(|value| (value - usual).abs() > change);
            }
        }
        let before_low = values.iter().position(|value| *value <= low).unwrap_or(0);
        let level_before_low = median(values.get(..before_low.max(1)).unwrap_or(values));
        if low <= 0.05 * level_before_low && level_before_low > floor.max(f64::EPSILON) && before_low > 0 {
            shape.behaviours.insert(Behaviour::Vanished);
        }
        let since_fall = values.get(last_fall(values, high - low)..).unwrap_or(values);
        let (grows_again, _) = steadiness(since_fall);
        let tail_growth = end - since_fall.iter().copied().fold(f64::INFINITY, f64::min);
        if since_fall.len() < n
            && since_fall.len() * 4 >= n
            && since_fall.len() >= 12
            && grows_again
            && tail_growth > wanted(head, 0.0)
        {
            shape.behaviours.insert(Behaviour::Grows);
        }
        if high - usual > change && recurs(values, usual, high) {
            shape.behaviours.insert(Behaviour::Recurs);
        }
        let (rises, falls) = steadiness(values);
        if rises && end - head > wanted(head, 0.0) * 0.5 {
            shape.behaviours.insert(Behaviour::Grows);
        }
        if falls && head - end > wanted(head, 0.0) * 0.5 {
            shape.behaviours.insert(Behaviour::Shrinks);
        }
        if shape.behaviours.contains(&Behaviour::Rises) && is_plateau(values, high) {
            shape.behaviours.insert(Behaviour::Plateau);
        }
        if is_sawtooth(values, high, low, floor) {
            shape.behaviours.insert(Behaviour::Sawtooth);
        }
        let tolerance = (wanted(shape.begin, spread) * 0.5).max(floor * 0.5);
        let begin = shape.begin;
        shape.departs_at = values.iter().position(|value| (value - begin).abs() > tolerance);
        shape
    }

    fn is_changed(&self) -> bool {
        self.behaviours.contains(&Behaviour::Rises) || self.behaviours.contains(&Behaviour::Falls)
    }
}

/// What a series does at its end it did at the same time of the days before: night is no outage, and a nightly batch
/// no overload.
fn is_usual_for_its_time(times: &[Instant], values: &[f64]) -> bool {
    const DAY_MS: i64 = 86_400_000;
    /// So far from the same time of another day is the same time still.
    const AROUND_MS: i64 = 1_800_000;
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return false };
    let days = (last.0 - first.0) / DAY_MS;
    if days < 2 || values.len() < 24 {
        return false;
    }
    let quantile = |share| signals::quantile(values, share).unwrap_or(0.0);
    let (low, high) = (quantile(0.1), quantile(0.9));
    let mut judged = 0;
    for (time, value) in times.iter().zip(values).rev().take((values.len() / 48).clamp(3, 12)) {
        let same: Vec<f64> = (1..=days.min(14))
            .flat_map(|day| {
                let (from, to) = (time.0 - day * DAY_MS - AROUND_MS, time.0 - day * DAY_MS + AROUND_MS);
                let start = times.partition_point(|it| it.0 < from);
                let end = times.partition_point(|it| it.0 <= to);
                values.get(start..end).unwrap_or_default().iter().copied()
            })
            .collect();
        if same.len() < 2 {
            continue;
        }
        judged += 1;
        let usual = median(&same);
        // Without an upper bound, a slow fall over days would widen what is usual until it fits.
        let spread = (4.0 * deviation(&same)).min(0.25 * (high - low));
        if (value - usual).abs() > spread.max(0.2 * usual.abs()).max(0.1 * (high - low)) {
            return false;
        }
    }
    judged >= 3
}

/// Where to cut so that both parts are as even as they can be.
fn best_split(values: &[f64]) -> usize {
    let total: f64 = values.iter().sum();
    let (mut best, mut at, mut sum) = (f64::NEG_INFINITY, 1, 0.0);
    let n = values.len() as f64;
    for (index, value) in values.iter().enumerate().take(values.len().saturating_sub(1)) {
        sum += value;
        let left = (index + 1) as f64;
        let right = n - left;
        // The variance between both parts; the largest leaves the least within them.
        let between = (sum / left - (total - sum) / right).powi(2) * left * right;
        if between > best {
            (best, at) = (between, index + 1);
        }
    }
    at
}

/// Whether most steps go up, or down: Kendall's rank correlation over a thinned series.
fn steadiness(values: &[f64]) -> (bool, bool) {
    let step = values.len().div_ceil(64).max(1);
    let thin: Vec<f64> = values.chunks(step).map(median).collect();
    if thin.len() < 6 {
        return (false, false);
    }
    let timed: Vec<(f64, f64)> = (0_u32..).map(f64::from).zip(thin.iter().copied()).collect();
    let correlation = trend(&timed).map_or(0.0, |trend| trend.steadiness);
    // A jump between two levels is no growth: the middle must have moved as well.
    let third = thin.len() / 3;
    let part = |from: usize, to: usize| median(thin.get(from..to).unwrap_or(&thin));
    let (first, middle, last) = (part(0, third), part(third, third * 2), part(third * 2, thin.len()));
    let is_even = |low: f64, mid: f64, high: f64| mid - low > 0.15 * (high - low) && high - mid > 0.15 * (high - low);
    (correlation >= 0.7 && is_even(first, middle, last), correlation <= -0.7 && is_even(-first, -middle, -last))
}

/// Where the last abrupt fall ends: what grows begins anew after a restart.
fn last_fall(values: &[f64], range: f64) -> usize {
    let is_fall = |pair: &[f64]| matches!(pair, [before, after] if before - after > 0.45 * range);
    values.windows(2).rposition(is_fall).map_or(0, |at| at + 1)
}

/// The same excursion came before, at least twice, as high, as long and at even distances, and went away by itself.
fn recurs(values: &[f64], usual: f64, high: f64) -> bool {
    let middle = usual + 0.5 * (high - usual);
    let mut peaks: Vec<(usize, usize, f64)> = Vec::new();
    // So many values below end a peak: a single one may be noise in its midst.
    let calm = (values.len() / 60).max(1);
    let mut below = calm;
    for (index, value) in values.iter().enumerate() {
        if *value <= middle {
            below += 1;
            continue;
        }
        match peaks.last_mut() {
            Some((_, last, peak)) if below < calm => (*last, *peak) = (index, peak.max(*value)),
            _ => peaks.push((index, index, *value)),
        }
        below = 0;
    }
    let is_unfinished = peaks.last().is_some_and(|(_, last, _)| last + calm >= values.len());
    let complete = peaks.len() - usize::from(is_unfinished);
    if complete < 2 || peaks.len() < 3 {
        return false;
    }
    let gaps: Vec<f64> = peaks.windows(2).filter_map(|pair| Some((pair.last()?.0 - pair.first()?.0) as f64)).collect();
    let gap = median(&gaps);
    let is_even = gaps.iter().all(|it| (it - gap).abs() <= 0.3 * gap);
    let heights: Vec<f64> = peaks.iter().map(|(_, _, peak)| peak - usual).collect();
    let height = median(&heights);
    let is_alike = heights.iter().all(|it| *it >= 0.5 * height && *it <= 1.4 * height);
    let width = |peak: &(usize, usize, f64)| peak.1 - peak.0 + 1;
    let longest = peaks.iter().take(complete).map(width).max().unwrap_or(0);
    let is_as_long = peaks.last().is_none_or(|last| width(last) as f64 <= longest as f64 * 1.5 + 2.0);
    is_even && is_alike && is_as_long
}

fn is_plateau(values: &[f64], high: f64) -> bool {
    let tail = (values.len() / 4).max(3);
    values.iter().rev().take(tail).all(|value| (high - value).abs() <= 0.02 * high.abs())
}

/// At least two abrupt falls, each after a climb over most of the range.
fn is_sawtooth(values: &[f64], high: f64, low: f64, floor: f64) -> bool {
    let range = high - low;
    if range <= floor.max(0.35 * high.abs()) {
        return false;
    }
    let mut falls: Vec<usize> = Vec::new();
    for (at, pair) in values.windows(2).enumerate() {
        if matches!(pair, [before, after] if before - after > 0.6 * range) {
            falls.push(at);
        }
    }
    // A tooth is a climb of several points; what jumps up and down by turns is noise.
    let longest = values.len() / falls.len().max(1);
    let rises = values.windows(2).filter(|pair| matches!(pair, [before, after] if after > before)).count();
    falls.len() >= 2 && longest >= TOOTH_POINTS_MIN && rises as f64 >= 0.6 * values.len() as f64
}

pub(super) fn median(values: &[f64]) -> f64 {
    signals::median(values).unwrap_or(0.0)
}

/// The median absolute deviation, as a standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let middle = median(values);
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    1.4826 * median(&distances)
}

/// The same of the steps, which a trend does not widen.
fn spread(values: &[f64]) -> f64 {
    let steps: Vec<f64> = values.windows(2).filter_map(|pair| Some((pair.last()? - pair.first()?).abs())).collect();
    1.05 * median(&steps)
}

/// The words of a name: `DBLoadCPU` and `db.load.cpu` are the same three.
pub(crate) fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let chars: Vec<char> = name.chars().collect();
    let mut is_open = false;
    for (index, c) in chars.iter().copied().enumerate() {
        if !c.is_alphanumeric() {
            is_open = false;
            continue;
        }
        let previous = index.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let next = chars.get(index + 1).copied();
        let is_hump = c.is_uppercase()
            && previous.is_some_and(|previous| {
                previous.is_lowercase() || (previous.is_uppercase() && next.is_some_and(char::is_lowercase))
            });
        match words.last_mut() {
            Some(word) if is_open && !is_hump => word.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
        is_open = true;
    }
    words
}

fn role_of<'a>(metric: &Metric, vocabulary: &'a Vocabulary) -> Option<&'a Role> {
    let mut words = words_of(&metric.name);
    // `node_cpu_seconds_total{mode="iowait"}` is a metric of its own, whatever its name says.
    let modes = ["mode", "cpu_mode", "code", "status", "status_code", "rcode"].iter();
    words.extend(modes.filter_map(|key| metric.dimensions.get(*key)?.as_str()).flat_map(words_of));
    let stands = |pattern: &String| {
        let mut rest = words.iter();
        let is_spread = pattern.split_whitespace().all(|wanted| match wanted.strip_suffix('*') {
            Some(start) => rest.any(|word| word.starts_with(start)),
            None => rest.any(|word| word == wanted),
        });
        is_spread || is_written_as_one(&words, pattern)
    };
    vocabulary.role.iter().find(|role| role.names.iter().any(stands) && !role.not.iter().any(stands))
}

/// `replicationlag` is `replication lag` to those who write no separators.
fn is_written_as_one(words: &[String], pattern: &str) -> bool {
    if !pattern.contains(' ') {
        return false;
    }
    let joined: String = pattern.split_whitespace().collect();
    match joined.strip_suffix('*') {
        Some(start) => words.iter().any(|word| word.starts_with(start)),
        None => words.contains(&joined),
    }
}

/// What a floor is worth for this metric: of a share of one, and of what is counted a second, little is much already.
fn floor_factor(metric: &Metric, role: &Role, high: f64) -> f64 {
    if role.unit != Unit::Any {
        return 1.0;
    }
    let words = words_of(&metric.name);
    let named = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let unit = metric.unit.to_ascii_lowercase();
    let is_share = named(&["ratio", "fraction", "share"]) || ["ratio", "fraction", "share"].contains(&unit.as_str());
    let is_a_second = unit.ends_with("/s") || unit.ends_with("/second") || named(&["rate", "second", "sec"]);
    match (is_share, is_a_second) {
        (true, _) if high <= 1.5 => 0.01,
        (_, true) => 0.2,
        _ => 1.0,
    }
}

/// To the unit of the role, and its sign for people.
fn normalise(values: &mut [f64], metric: &Metric, role: Option<&Role>) -> &'static str {
    let unit = metric.unit.to_ascii_lowercase();
    let wanted = role.map_or(Unit::Any, |role| role.unit);
    let high = values.iter().copied().fold(0.0, f64::max);
    let words = words_of(&metric.name);
    let named = |word: &str| words.iter().any(|it| it == word);
    let factor = match wanted {
        Unit::Percent if unit.starts_with("nanocore") => 1e-9,
        Unit::Percent if unit.starts_with("millicore") => 0.001,
        Unit::Percent if unit.starts_with("core") => 1.0,
        Unit::Percent if unit.starts_with("percent") || unit == "%" || unit == "pct" => 1.0,
        Unit::Percent
            if high <= 1.5
                && (unit.is_empty()
                    || unit == "none"
                    || ["ratio", "fraction", "share", "1"].contains(&unit.as_str())) =>
        {
            100.0
        }
        Unit::Milliseconds if unit.starts_with("microsec") || unit == "us" => 0.001,
        Unit::Milliseconds if unit.starts_with("nanosec") || unit == "ns" => 0.000_001,
        Unit::Milliseconds if unit.starts_with("millisec") || unit == "ms" || named("ms") || named("milliseconds") => {
            1.0
        }
        Unit::Milliseconds if unit.starts_with("sec") || unit == "s" || named("seconds") => 1_000.0,
        Unit::Seconds if unit.starts_with("millisec") || unit == "ms" => 0.001,
        Unit::Seconds if unit.starts_with("minute") => 60.0,
        Unit::Bytes => match unit.as_str() {
            "kilobytes" | "kb" | "kib" => 1024.0,
            "megabytes" | "mb" | "mib" => 1024.0 * 1024.0,
            "gigabytes" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
            _ => 1.0,
        },
        _ => 1.0,
    };
    if factor != 1.0 {
        values.iter_mut().for_each(|value| *value *= factor);
    }
    match wanted {
        Unit::Percent
            if ["core", "cores", "nanocores", "millicores", "bytes", "byte", "nanocore"].contains(&unit.as_str()) =>
        {
            "cores"
        }
        Unit::Percent if high * factor <= 130.0 => "%",
        Unit::Milliseconds => "ms",
        Unit::Seconds => "s",
        Unit::Bytes => "Bytes",
        _ if unit == "bytes" => "Bytes",
        _ => "",
    }
}

/// A number that people can read.
fn quantity(value: f64, unit: &str) -> String {
    if unit == "Bytes" {
        let scale = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        let found = scale.iter().find(|(_, power)| value.abs() >= (1_u64 << power) as f64);
        return match found {
            Some((name, power)) => format!("{:.1} {name}", value / (1_u64 << power) as f64),
            None => format!("{value:.0} bytes"),
        };
    }
    let number = match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    match unit {
        "" => number,
        "%" => format!("{number} %"),
        unit => format!("{number} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviours(values: &[f64]) -> Vec<Behaviour> {
        Shape::of(values, 0.0, false).behaviours.into_iter().collect()
    }

    #[test]
    fn names_are_split_into_words_as_people_read_them() {
        assert_eq!(words_of("DBLoadCPU"), ["db", "load", "cpu"]);
        assert_eq!(words_of("HTTPCode_Target_5XX_Count"), ["http", "code", "target", "5xx", "count"]);
        assert_eq!(words_of("kubernetes.memory.working_set"), ["kubernetes", "memory", "working", "set"]);
        assert_eq!(words_of("ReadIOPS"), ["read", "iops"]);
    }

    #[test]
    fn noise_is_no_change() {
        assert_eq!(behaviours(&[97.0, 104.0, 101.0, 97.0, 99.0, 103.0, 99.0, 92.0, 90.0, 92.0, 99.0, 97.0]), []);
    }

    #[test]
    fn a_step_rises_and_is_no_growth() {
        assert_eq!(behaviours(&[10.0, 11.0, 10.0, 11.0, 40.0, 41.0, 40.0, 43.0, 41.0]), [Behaviour::Rises]);
    }

    #[test]
    fn a_change_in_the_first_minute_is_seen() {
        assert!(behaviours(&[18.0, 80.0, 93.0, 96.0, 95.0, 96.0, 94.0, 95.0, 96.0]).contains(&Behaviour::Rises));
    }

    #[test]
    fn an_excursion_that_is_over_has_passed() {
        assert_eq!(behaviours(&[20.0, 21.0, 20.0, 90.0, 92.0, 21.0, 20.0, 21.0, 20.0, 20.0]), [Behaviour::Spiked]);
        let gone = behaviours(&[312.0, 318.0, 314.0, 310.0, 0.0, 0.0, 287.0, 308.0, 315.0, 312.0]);
        assert_eq!(gone, [Behaviour::Dipped, Behaviour::Vanished]);
    }

    #[test]
    fn a_slow_climb_grows() {
        let values: Vec<f64> = (0..30).map(|step| 40.0 + 1.5 * f64::from(step)).collect();
        assert_eq!(behaviours(&values), [Behaviour::Rises, Behaviour::Grows]);
    }

    #[test]
    fn a_climb_that_is_cut_off_again_and_again_is_a_sawtooth() {
        let values: Vec<f64> = (0..30).map(|step| 20.0 + 10.0 * f64::from(step % 8)).collect();
        assert!(behaviours(&values).contains(&Behaviour::Sawtooth));
    }

    #[test]
    fn what_comes_at_even_distances_recurs_and_noise_does_not() {
        let batch: Vec<f64> =
            (0..90).map(|minute| if minute % 30 < 8 { 80.0 } else { 20.0 + f64::from(minute % 3) }).collect();
        assert!(behaviours(&batch).contains(&Behaviour::Recurs));
        let noise: Vec<f64> = (0..60).map(|minute| 95.0 + f64::from(minute * 7 % 5)).collect();
        assert!(!behaviours(&noise).contains(&Behaviour::Recurs));
    }

    #[test]
    fn growth_begins_anew_after_a_restart() {
        let values: Vec<f64> = (0..60)
            .map(|hour| if hour < 12 { 60.0 + f64::from(hour) } else { 10.0 + 1.2 * f64::from(hour - 12) })
            .collect();
        assert!(behaviours(&values).contains(&Behaviour::Grows));
    }

    #[test]
    fn quantities_are_readable() {
        assert_eq!(quantity(214_748_364_800.0, "Bytes"), "200.0 GiB");
        assert_eq!(quantity(96.4, "%"), "96.4 %");
        assert_eq!(quantity(0.12, ""), "0.120");
    }
}
