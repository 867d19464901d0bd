//! Tables without time, and the past of those that have it: what is there now beside what earlier looks saw.

use std::collections::BTreeMap;

use pi_catalog::finding::Severity;
use pi_signals::metric::Baseline;
use statrs::distribution::{ContinuousCDF, Normal};

use super::words::quoted;
use super::{Candidate, Tests, Words};
use crate::memory::{Look, TableMemory};
use crate::profile::Window;

/// A share of an earlier look counts as different from here on.
const SHARE_STEP_MIN: f64 = 0.05;

/// Compare a look at a table as a whole with those before.
pub(crate) fn total_tests(memory: &TableMemory, look: &Look, sources: &BTreeMap<String, usize>, tests: &mut Tests) {
    let Some(last) = memory.looks.last() else {
        tests.abstained.push("there is no time column, and this is the first look".to_owned());
        return;
    };
    tests.candidates.push(rows(memory, last, look, sources));
    for (name, &(value, n)) in &look.numbers {
        let Some(&(before, m)) = last.numbers.get(name) else { continue };
        let (metric, column) = name.split_once(':').unwrap_or((name, ""));
        let candidate = match metric {
            "mean" => mean(column, (before, m), (value, n), last, look),
            "nulls" | "blanks" | "zeros" | "negatives" | "unreadable" | "orphans" => {
                share(metric, column, (before, m), (value, n))
            }
            "ahead" | "without" | "before_1990" => outside(metric, column, before, value, n),
            _ => None,
        };
        if let Some(mut candidate) = candidate {
            candidate.source = sources.get(name).copied().unwrap_or(0);
            tests.candidates.push(candidate);
        }
    }
    for (column, values) in &look.values {
        if let Some(before) = last.values.get(column) {
            let source = sources.get(&format!("values:{column}")).copied().unwrap_or(0);
            dimension(column, before, values, source, &mut tests.candidates);
        }
    }
}

/// The rows of a table, against how they changed from look to look.
fn rows(memory: &TableMemory, last: &Look, look: &Look, sources: &BTreeMap<String, usize>) -> Candidate {
    let step = |before: f64, after: f64| ((after + 1.0) / (before + 1.0)).ln();
    let steps: Vec<f64> =
        memory.looks.windows(2).filter_map(|pair| Some(step(pair.first()?.rows, pair.last()?.rows))).collect();
    let now = step(last.rows, look.rows);
    // Of one earlier look no habit is known: a table without time is taken to be one of things, which come and go slowly.
    let habit = Baseline::of(&steps).filter(|_| steps.len() >= 5);
    let (centre, sigma) = habit.map_or((0.0, 0.05), |habit| (habit.centre, habit.sigma.max(0.02)));
    // Things are not drawn anew for each look: what comes and goes by chance is a row or two.
    let chance = 2.0 / (last.rows + 1.0);
    let z = (now - centre) / sigma.hypot(chance);
    let p = tail(z);
    let kind = match () {
        () if look.rows == 0.0 && last.rows > 0.0 => "table_emptied",
        () if now < 0.0 => "rows_fell",
        () => "rows_grew",
    };
    let effect = (look.rows - last.rows).abs() / last.rows.max(1.0);
    let mut candidate = Candidate::new(kind, None, p, effect);
    candidate.is_large =
        effect >= if now < 0.0 { 0.15 } else { 0.5 } && (look.rows - last.rows).abs() >= 5.0 && z.abs() > 3.0;
    candidate.direction = if now < 0.0 { -1 } else { 1 };
    candidate.severity = if look.rows == 0.0 { Severity::Critical } else { Severity::Warning };
    candidate.rank = 6;
    candidate.source = sources.get("rows").copied().unwrap_or(0);
    candidate.said(
        Words::new("").number("after", look.rows).then(" rows, where the look before saw ").number("before", last.rows),
    )
}

/// Two-sided tail of a normal distribution.
fn tail(z: f64) -> f64 {
    Normal::new(0.0, 1.0).map_or(1.0, |normal| (2.0 * normal.sf(z.abs())).clamp(1e-300, 1.0))
}

fn share(metric: &str, column: &str, (before, m): (f64, f64), (after, n): (f64, f64)) -> Option<Candidate> {
    let (kind, what, rank) = match metric {
        "nulls" => ("nulls_rose", "nulls", 8),
        "blanks" => ("blanks_rose", "blank texts", 8),
        "zeros" => ("zeros_rose", "zeros", 7),
        "negatives" => ("negatives_rose", "negative values", 8),
        "unreadable" => ("unreadable_rose", "values that are no numbers", 9),
        _ => ("orphans_appeared", "references that lead nowhere", 9),
    };
    if n <= 0.0 || m <= 0.0 {
        return None;
    }
    let arc = |share: f64, n: f64| ((share * n + 0.375) / (n + 0.75)).clamp(0.0, 1.0).sqrt().asin();
    let z = (arc(after, n) - arc(before, m)) / (0.25 / n + 0.25 / m).sqrt();
    let step = after - before;
    let floor = if metric == "orphans" { 0.003 } else { SHARE_STEP_MIN };
    let mut candidate = Candidate::new(kind, Some(column), tail(z), step.abs());
    candidate.is_large = step >= floor && z > 0.0 && step * n >= 5.0;
    candidate.direction = 1;
    candidate.severity = Severity::Warning;
    candidate.rank = rank;
    Some(
        candidate.said(
            Words::new(&format!("`{column}`: "))
                .percent("after", after)
                .then(&format!(" {what}, where the look before saw "))
                .percent("before", before),
        ),
    )
}

fn mean(column: &str, (before, m): (f64, f64), (after, n): (f64, f64), last: &Look, look: &Look) -> Option<Candidate> {
    let error = |look: &Look| look.numbers.get(&format!("error:{column}")).map(|(error, _)| *error);
    let (error_before, error_after) = (error(last)?, error(look)?);
    let deviation = error_before * m.sqrt();
    let z = (after - before) / error_before.hypot(error_after).max(1e-12 + 1e-9 * before.abs());
    let effect = (after - before).abs() / before.abs().max(1e-9);
    let kind = if after > before { "mean_rose" } else { "mean_fell" };
    let mut candidate = Candidate::new(kind, Some(column), tail(z), effect.min(1e6));
    candidate.is_large = effect >= 0.1 && (after - before).abs() >= 0.2 * deviation && n >= 10.0;
    candidate.direction = if after > before { 1 } else { -1 };
    candidate.rank = 4;
    Some(
        candidate.said(
            Words::new(&format!("mean of `{column}`: "))
                .number("after", after)
                .then(", where the look before saw ")
                .number("before", before),
        ),
    )
}

/// Rows whose moment is missing, ahead or long ago.
fn outside(metric: &str, column: &str, before: f64, after: f64, rows: f64) -> Option<Candidate> {
    let (kind, what) = match metric {
        "ahead" => ("moments_ahead", "lie in the future"),
        "without" => ("moments_missing", "have no moment"),
        _ => ("moments_long_ago", "lie before 1990"),
    };
    let more = after - before;
    if more < 5.0 && !(before == 0.0 && more >= 3.0) {
        return None;
    }
    let mut candidate = Candidate::new(
        kind,
        Some(column),
        (before - after + before * ((after + 1.0) / (before + 1.0)).ln()).exp().clamp(1e-300, 1.0),
        more / before.max(1.0),
    );
    // What there is a good deal of already is how the table is.
    candidate.is_large = before < 0.001 * rows.max(1.0) || after > 2.0 * before;
    candidate.direction = 1;
    candidate.severity = Severity::Warning;
    candidate.rank = 9;
    Some(
        candidate.said(
            Words::new("")
                .number("after", after)
                .then(&format!(" rows {what} by `{column}`, where the look before saw "))
                .number("before", before),
        ),
    )
}

fn dimension(
    column: &str,
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
    source: usize,
    candidates: &mut Vec<Candidate>,
) {
    let (m, n): (f64, f64) = (before.values().sum(), after.values().sum());
    if m < 20.0 || n < 20.0 {
        return;
    }
    for (value, &count) in before {
        let share = count / m;
        if share >= 0.02 && count >= 5.0 && !after.contains_key(value) {
            let mut candidate = Candidate::new("category_vanished", Some(column), (-count).exp().max(1e-300), share);
            candidate.direction = -1;
            candidate.severity = Severity::Warning;
            (candidate.rank, candidate.source, candidate.value) = (8, source, Some(value.clone()));
            candidate.dimension = Some(format!("{column} = {}", quoted(value)));
            candidates.push(
                candidate.said(
                    Words::new(&format!("`{column}`: {} is gone, the look before saw ", quoted(value)))
                        .number("before", count)
                        .then(" rows of it"),
                ),
            );
        }
    }
    for (value, &count) in after {
        let share = count / n;
        if share >= 0.02 && count >= 5.0 && !before.contains_key(value) {
            let mut candidate =
                Candidate::new("category_new", Some(column), (-share * m / 2.0).exp().max(1e-300), share);
            candidate.direction = 1;
            (candidate.rank, candidate.source, candidate.value) = (7, source, Some(value.clone()));
            candidate.dimension = Some(format!("{column} = {}", quoted(value)));
            candidates.push(
                candidate.said(
                    Words::new(&format!("`{column}`: {} is new, with ", quoted(value)))
                        .number("after", count)
                        .then(" rows"),
                ),
            );
        }
    }
}

/// Whether buckets of the past have still as many rows as they had. Deleting the oldest is retention, and no change.
pub(crate) fn past(memory: &TableMemory, window: &Window, buckets_of: &str, tests: &mut Tests) {
    const GONE_MIN: f64 = 0.05;
    const ROWS_MIN: f64 = 20.0;
    let Some(judged_to) = memory.judged_to.filter(|_| memory.buckets_of == buckets_of) else { return };
    let settled = judged_to - memory.settles_in.max(2);
    let known: Vec<(i64, f64, f64)> = memory
        .buckets
        .range(window.first + 1..=settled)
        .map(|(&bucket, &before)| (bucket, before, window.rows.get(&bucket).copied().unwrap_or(0.0)))
        .collect();
    for (kind, is_growth) in [("past_deleted", false), ("past_grown", true)] {
        let changed: Vec<&(i64, f64, f64)> = known
            .iter()
            .filter(|(_, before, after)| {
                let step = if is_growth { after - before } else { before - after };
                step >= GONE_MIN * before && step >= 3.0
            })
            .collect();
        let (before, after) = changed.iter().fold((0.0, 0.0), |sum, change| (sum.0 + change.1, sum.1 + change.2));
        let (Some(first), Some(last)) = (changed.first(), changed.last()) else { continue };
        let is_retention = !is_growth
            && changed.iter().all(|change| change.2 == 0.0)
            && known.iter().filter(|one| one.0 < last.0).all(|one| one.2 == 0.0);
        // Where most of the past moves, it is how the table works.
        let is_habit = changed.len() * 2 > known.len() && known.len() > 10;
        let step = (after - before).abs();
        let mut candidate = Candidate::new(kind, None, (-step / 2.0).exp().max(1e-300), step / before.max(1.0));
        candidate.is_large = step >= ROWS_MIN && !is_retention && !(is_habit && is_growth);
        candidate.buckets = Some((first.0, last.0));
        candidate.since = Some(window.shown(first.0));
        candidate.severity = Severity::Warning;
        (candidate.rank, candidate.source) = (9, window.source);
        candidate.direction = if is_growth { 1 } else { -1 };
        let span = super::tracks::span(window, first.0, last.0);
        tests.candidates.push(
            candidate.said(
                Words::new("the past has changed: ")
                    .number("after", after)
                    .then(&format!(" rows{span}, where an earlier look saw "))
                    .number("before", before),
            ),
        );
    }
}
