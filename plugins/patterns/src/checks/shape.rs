//! Distributions, hours of the day, formats, dependencies and buckets that are copies.
//!
//! Distributions are compared by the population stability index; divided by `1/n + 1/m` it follows a chi-square
//! distribution with one degree of freedom less than there are bins (Yurdakul and Naranjo, "Statistical properties of
//! the population stability index", 2020). Rows of one day are alike, so the same index at earlier places of the series says by
//! how much it is too large here, and the p value is taken after division by that.

use std::collections::BTreeMap;

use pi_catalog::finding::Severity;
use pi_signals::metric::{median, quantile};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::tracks::span;
use super::words::quoted;
use super::{Candidate, Tests, Words};
use crate::habit::{self, RECENT};
use crate::profile::{Bins, Formats, Pairs, Values, Window};

/// Buckets that make the reference distribution.
const REFERENCE: i64 = 28;
/// Below this an index is no change.
const INDEX_MIN: f64 = 0.1;
/// Rows below which a block has no distribution.
const ROWS_MIN: f64 = 50.0;

/// The index of two histograms, and the factor by which chance alone scales it.
fn stability(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let (n, m): (f64, f64) = (a.iter().sum(), b.iter().sum());
    if n < ROWS_MIN || m < ROWS_MIN {
        return None;
    }
    let bins = a.len() as f64;
    let index = a
        .iter()
        .zip(b)
        .map(|(a, b)| {
            // Half a row more in each bin, so that an empty one is not infinitely far away.
            let (p, q) = ((a + 0.5) / (n + 0.5 * bins), (b + 0.5) / (m + 0.5 * bins));
            (p - q) * (p / q).ln()
        })
        .sum();
    Some((index, 1.0 / n + 1.0 / m))
}

fn sum(counts: &BTreeMap<i64, Vec<f64>>, range: std::ops::RangeInclusive<i64>) -> Vec<f64> {
    let width = counts.values().next().map_or(0, Vec::len);
    let mut all = vec![0.0; width];
    for (_, list) in counts.range(range) {
        for (total, count) in all.iter_mut().zip(list) {
            *total += count;
        }
    }
    all
}

struct Drift {
    index: f64,
    p: f64,
    from: i64,
    is_beyond: bool,
    before: Vec<f64>,
    after: Vec<f64>,
}

/// The newest block of 1, 3 or 7 buckets whose distribution is farthest from its habit.
fn drift(counts: &BTreeMap<i64, Vec<f64>>, window: &Window) -> Option<Drift> {
    let first = (*counts.keys().next()?).max(window.first);
    let until = window.until;
    if until - first + 1 < habit::HISTORY_MIN as i64 + RECENT as i64 {
        return None;
    }
    let blocks = [1, 3, 7];
    let mut best: Option<Drift> = None;
    for block in blocks {
        let at = |end: i64| {
            let after = sum(counts, end - block + 1..=end);
            let before = sum(counts, (end - block - REFERENCE + 1).max(first)..=end - block);
            let (index, chance) = stability(&after, &before)?;
            Some((index, chance, before, after))
        };
        let habit: Vec<(f64, f64)> = (first + 14 + block..=until - (RECENT as i64).max(block))
            .filter_map(|end| at(end).map(|(index, chance, _, _)| (index, index / chance)))
            .collect();
        let Some((index, chance, before, after)) = at(until) else { continue };
        if habit.len() < 10 {
            continue;
        }
        let freedom = (after.len() as f64 - 1.0).max(1.0);
        let Ok(chi) = ChiSquared::new(freedom) else { continue };
        let ratios: Vec<f64> = habit.iter().map(|(_, ratio)| *ratio).collect();
        let typical = median(&ratios)? / chi.inverse_cdf(0.5).max(1e-9);
        let wide = quantile(&ratios, 0.9)? / chi.inverse_cdf(0.9).max(1e-9);
        let p = chi.sf(index / chance / typical.max(wide).max(1.0)).max(1e-300);
        let mut largest: Vec<f64> = habit.iter().map(|(index, _)| *index).collect();
        largest.sort_by(|a, b| b.total_cmp(a));
        let is_beyond = index > INDEX_MIN && index > 1.3 * largest.get(1).copied().unwrap_or(0.0);
        if best.as_ref().is_none_or(|so_far| (is_beyond, -p) > (so_far.is_beyond, -so_far.p)) {
            best = Some(Drift { index, p, from: until - block + 1, is_beyond, before, after });
        }
    }
    best.map(|drift| Drift { p: (drift.p * blocks.len() as f64).min(1.0), ..drift })
}

fn candidate_of(kind: &'static str, column: Option<&str>, drift: &Drift, window: &Window, source: usize) -> Candidate {
    let mut candidate = Candidate::new(kind, column, drift.p, drift.index);
    candidate.is_large = drift.is_beyond;
    candidate.buckets = Some((drift.from, window.until));
    candidate.since = Some(window.shown(drift.from));
    candidate.source = source;
    candidate
}

/// Whether a measure is distributed as it was.
pub(crate) fn bins(bins: &Bins, window: &Window, tests: &mut Tests) {
    let Some(drift) = drift(&bins.counts, window) else {
        tests.abstained.push(format!("distribution of `{}`: too little history or too few rows", bins.column));
        return;
    };
    let mut candidate = candidate_of("distribution_drifted", Some(&bins.column), &drift, window, bins.source);
    candidate.rank = 2;
    if candidate.is_large {
        let (middle_before, middle_after) = (middle(&drift.before, &bins.edges), middle(&drift.after, &bins.edges));
        candidate.direction = if middle_after > middle_before { 1 } else { -1 };
        let mut words = Words::new(&format!(
            "`{}` is distributed differently{}: population stability index ",
            bins.column,
            span(window, drift.from, window.until)
        ))
        .number("index", drift.index)
        .beside("median_before", middle_before)
        .beside("median_after", middle_after);
        let (n, m): (f64, f64) = (drift.after.iter().sum(), drift.before.iter().sum());
        for (at, (after, before)) in drift.after.iter().zip(&drift.before).enumerate() {
            words = words.beside(&format!("bin_{at}_after"), after / n).beside(&format!("bin_{at}_before"), before / m);
        }
        for (at, edge) in bins.edges.iter().enumerate() {
            words = words.beside(&format!("edge_{at}"), *edge);
        }
        candidate = candidate.said(words);
    }
    tests.candidates.push(candidate);
}

/// The upper edge of the bin in which the middle row lies.
fn middle(counts: &[f64], edges: &[f64]) -> f64 {
    let half = counts.iter().sum::<f64>() / 2.0;
    let mut so_far = 0.0;
    for (at, count) in counts.iter().enumerate() {
        so_far += count;
        if so_far >= half {
            return edges.get(at).or(edges.last()).copied().unwrap_or(0.0);
        }
    }
    0.0
}

/// Whether rows come at the hours at which they came.
pub(crate) fn hours(values: &Values, window: &Window, tests: &mut Tests) {
    let mut counts: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (hour, by_bucket) in &values.counts {
        let Ok(hour) = hour.parse::<usize>() else { continue };
        for (&bucket, (rows, _)) in by_bucket {
            // Two hours a bin: fewer bins find a shift with fewer rows.
            if let Some(count) = counts.entry(bucket).or_insert_with(|| vec![0.0; 12]).get_mut(hour / 2) {
                *count += rows;
            }
        }
    }
    let Some(drift) = drift(&counts, window) else { return };
    let mut candidate = candidate_of("hours_shifted", None, &drift, window, values.source);
    candidate.rank = 4;
    candidate.is_large &= drift.index > 2.0 * INDEX_MIN;
    if candidate.is_large {
        let peak = |counts: &[f64]| {
            2.0 * counts.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0.0, |(at, _)| at as f64)
        };
        let words = Words::new(&format!(
            "rows come at other hours{}: population stability index ",
            span(window, drift.from, window.until)
        ))
        .number("index", drift.index)
        .then(", the busiest two hours begin at ")
        .number("hour_after", peak(&drift.after))
        .then(", before at ")
        .number("hour_before", peak(&drift.before));
        candidate = candidate.said(words);
    }
    tests.candidates.push(candidate);
}

/// Letters and digits in runs are one: `AAA-999` and `AA-99` are alike then.
fn collapsed(mask: &str) -> String {
    let mut short = String::new();
    for letter in mask.chars() {
        if !(matches!(letter, 'A' | '9' | ' ') && short.ends_with(letter)) {
            short.push(letter);
        }
    }
    short
}

/// Whether texts are written as they were: new forms and forms that are gone, where a column has forms at all.
pub(crate) fn formats(formats: &Formats, window: &Window, tests: &mut Tests) {
    const FORMS_MAX: usize = 12;
    const FORMED_MIN: f64 = 0.9;
    let mut masks = formats.masks.clone();
    let is_formed = |masks: &BTreeMap<String, [f64; 3]>| {
        let old: f64 = masks.values().map(|counts| counts[2]).sum();
        let mut sizes: Vec<f64> = masks.values().map(|counts| counts[2]).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        old >= 100.0
            && sizes.iter().take(FORMS_MAX).sum::<f64>() >= FORMED_MIN * old
            && sizes.iter().filter(|size| **size > 0.0).count() <= 4 * FORMS_MAX
    };
    if !is_formed(&masks) {
        masks = BTreeMap::new();
        for (mask, counts) in &formats.masks {
            let short = masks.entry(collapsed(mask)).or_insert([0.0; 3]);
            for (total, count) in short.iter_mut().zip(counts) {
                *total += count;
            }
        }
        if !is_formed(&masks) {
            return;
        }
    }
    let sums: [f64; 3] = [0, 1, 2].map(|at| masks.values().filter_map(|counts| counts.get(at)).sum());
    let [newest, week, old] = sums;
    let mut best: Option<Candidate> = None;
    let mut tested = 0_usize;
    for (mask, &[in_newest, in_week, in_old]) in &masks {
        tested += 1;
        let recent = in_newest + in_week;
        let share = (in_newest / newest.max(1.0)).max(recent / (newest + week).max(1.0));
        // New: hardly there before, though by its share it would have been seen often.
        let is_new = in_old < 0.001 * old && share >= 0.02 && recent >= 5.0 && share > 20.0 * in_old / old.max(1.0);
        if !is_new {
            continue;
        }
        let mut candidate =
            Candidate::new("format_new", Some(&formats.column), (-share * old / 2.0).exp().max(1e-300), share);
        // The rest of the week tells whether it began with the newest bucket.
        let from = if in_week < 0.1 * in_newest { window.until } else { window.until - RECENT as i64 + 1 };
        candidate.buckets = Some((from, window.until));
        candidate.since = Some(window.shown(from));
        candidate.severity = Severity::Warning;
        candidate.rank = 7;
        candidate.direction = 1;
        candidate.source = formats.source;
        candidate.value = Some(mask.clone());
        candidate = candidate.said(
            Words::new(&format!("`{}`: ", formats.column))
                .number("rows", recent)
                .then(" sampled values are written as ")
                .then(&quoted(mask))
                .then(&format!("{}, ", span(window, from, window.until)))
                .percent("share", share)
                .then(" of them; hardly one was before"),
        );
        if best.as_ref().is_none_or(|so_far| candidate.effect > so_far.effect) {
            best = Some(candidate);
        }
    }
    let nothing = || {
        let mut candidate = Candidate::new("format_new", Some(&formats.column), 1.0, 0.0);
        candidate.is_large = false;
        candidate
    };
    let mut candidate = best.unwrap_or_else(nothing);
    candidate.p = (candidate.p * tested as f64).min(1.0);
    tests.candidates.push(candidate);
}

/// Whether a column still decides another.
pub(crate) fn pairs(pairs: &Pairs, window: Option<&Window>, tests: &mut Tests) {
    const BROKEN_BEFORE_MAX: f64 = 0.002;
    // For each deciding value: its usual decided value, by the rows before the newest week.
    let mut usual: BTreeMap<&str, (&str, f64)> = BTreeMap::new();
    for (from, to, rows, recent) in &pairs.rows {
        let old = rows - recent;
        let entry = usual.entry(from).or_insert((to, old));
        if old > entry.1 {
            *entry = (to, old);
        }
    }
    let (mut old_all, mut old_broken, mut new_all, mut new_broken) = (0.0, 0.0, 0.0, 0.0);
    let mut worst: Option<(&str, &str, f64)> = None;
    for (from, to, rows, recent) in &pairs.rows {
        let Some(&(decided, support)) = usual.get(from.as_str()) else { continue };
        if support < 3.0 {
            continue;
        }
        let old = rows - recent;
        (old_all, new_all) = (old_all + old, new_all + recent);
        if decided != to {
            (old_broken, new_broken) = (old_broken + old, new_broken + recent);
            if worst.is_none_or(|(_, _, most)| *recent > most) {
                worst = Some((from, to, *recent));
            }
        }
    }
    let mut decided: BTreeMap<&str, f64> = BTreeMap::new();
    for (to, support) in usual.values() {
        *decided.entry(to).or_insert(0.0) += support;
    }
    let largest = decided.values().copied().fold(0.0, f64::max);
    // Where nearly all rows have one decided value, anything seems to decide it.
    if window.is_none()
        || old_all < 200.0
        || old_broken > BROKEN_BEFORE_MAX * old_all
        || decided.len() < 2
        || largest > 0.95 * old_all
    {
        return;
    }
    let rate = (old_broken + 0.5) / (old_all + 1.0);
    let share = new_broken / f64::max(new_all, 1.0);
    let expected = rate * new_all;
    // Poisson's upper tail, bounded (Chernoff).
    let p = if new_broken > expected {
        (new_broken - expected - new_broken * (new_broken / expected.max(1e-9)).ln()).exp()
    } else {
        1.0
    };
    let mut candidate = Candidate::new("dependency_broken", Some(&pairs.to), p.clamp(1e-300, 1.0), share);
    candidate.is_large = new_broken >= 5.0 && share >= 0.003 && share > 10.0 * rate;
    candidate.severity = Severity::Warning;
    candidate.rank = 7;
    candidate.source = pairs.source;
    candidate.value = worst.map(|(from, _, _)| from.to_owned());
    if let Some(window) = window {
        let from = window.until - RECENT as i64 + 1;
        candidate.buckets = Some((from, window.until));
        candidate.since = Some(window.shown(from));
        if let Some((from_value, to_value, _)) = worst {
            candidate = candidate.said(
                Words::new(&format!("`{}` decided `{}`, but ", pairs.from, pairs.to))
                    .number("rows", new_broken)
                    .then(&format!(" rows{} break that (", span(window, from, window.until)))
                    .percent("share", share)
                    .then(&format!("), most of them {} with {}", quoted(from_value), quoted(to_value))),
            );
        }
    }
    tests.candidates.push(candidate);
}

/// Buckets that were loaded again under another date.
pub(crate) fn copies(copied: &[(i64, i64, f64, usize)], window: &Window, tests: &mut Tests) {
    for &(bucket, older, rows, source) in copied {
        let mut candidate = Candidate::new("bucket_copied", None, 1e-12, 1.0);
        candidate.buckets = Some((bucket, bucket));
        candidate.since = Some(window.shown(bucket));
        candidate.severity = Severity::Warning;
        candidate.rank = 10;
        candidate.source = source;
        tests.candidates.push(candidate.said(Words::new("the ").number("rows", rows).then(&format!(
            " rows of {} are those of {} again: their number and every mean are equal",
            window.shown(bucket),
            window.shown(older)
        ))));
    }
}
