//! Which values of a dimension explain a change of the whole.
//!
//! After Adtributor (Bhagwan and others, "Adtributor: Revenue Debugging in Advertising Systems", NSDI 2014): a value's
//! explanatory power is its part of the change, a dimension's surprise is the Jensen-Shannon divergence of what each of
//! its values was expected to make and what it made. The dimension with the greatest surprise among those that explain
//! the change with few values is shown; what is left over is `(other)`, so that shares add up to one.

use pi_catalog::finding::Contributor;

use crate::profile::Values;

/// Values that are shown.
const SHOWN_MAX: usize = 4;
/// Values that together explain this much are enough.
const EXPLAINED: f64 = 0.8;
/// Below this share a value explains nothing.
const SHARE_MIN: f64 = 0.05;
/// Buckets of the stretch before.
const BEFORE: i64 = 28;

/// Rows of each value, by bucket, before and in the stretch.
fn rows(values: &Values, from: i64, to: i64) -> Vec<(String, f64, f64)> {
    let first = values.totals.keys().next().copied().unwrap_or(from);
    // Whole weeks before, so that weekdays are equally there; what is one weekday is compared with that weekday.
    let is_one_day = from == to;
    let earlier: Vec<i64> =
        (first.max(from - BEFORE)..from).filter(|bucket| !is_one_day || (from - bucket) % 7 == 0).collect();
    let (length, earlier_length) = ((to - from + 1) as f64, earlier.len().max(1) as f64);
    let of = |counts: &std::collections::BTreeMap<i64, (f64, Vec<f64>)>| {
        let before: f64 = earlier.iter().filter_map(|bucket| counts.get(bucket)).map(|(rows, _)| rows).sum();
        let after: f64 = counts.range(from..=to).map(|(_, (rows, _))| rows).sum();
        (before / earlier_length, after / length)
    };
    values.counts.iter().map(|(value, counts)| (value.clone(), of(counts).0, of(counts).1)).collect()
}

/// The best explanation of a change of rows among several dimensions.
pub fn of_rows(dimensions: &[Values], from: i64, to: i64) -> Vec<Contributor> {
    let explained = dimensions.iter().filter(|values| values.column != "(hour)").filter_map(|values| {
        let rows = rows(values, from, to);
        let chosen = explain(&values.column, &rows);
        (chosen.len() > 1).then(|| (surprise(&rows), chosen))
    });
    explained.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, chosen)| chosen).unwrap_or_default()
}

/// How the shares of a dimension's values moved: before and after as shares of all rows, each with its part of the movement.
pub fn of_shares(values: &Values, from: i64, to: i64) -> Vec<Contributor> {
    let rows = rows(values, from, to);
    let (before, after) = rows.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.1, sum.1 + row.2));
    let moved: f64 =
        rows.iter().map(|row| (row.2 / f64::max(after, 1e-9) - row.1 / f64::max(before, 1e-9)).abs()).sum();
    let mut list: Vec<Contributor> = rows
        .into_iter()
        .map(|(value, old, new)| {
            let (old, new) = (old / before.max(1e-9), new / after.max(1e-9));
            Contributor {
                dimension: values.column.clone(),
                value,
                before: old,
                after: new,
                share: (new - old).abs() / moved.max(1e-9),
            }
        })
        .collect();
    list.sort_by(|a, b| b.share.total_cmp(&a.share));
    with_rest(&values.column, list, SHOWN_MAX)
}

/// The part of a change of a mean that each value makes: its rows and its own mean together.
pub fn of_mean(dimensions: &[Values], measure: &str, from: i64, to: i64) -> Vec<Contributor> {
    let mut best: Option<(f64, Vec<Contributor>)> = None;
    for values in dimensions {
        let Some(at) = values.measures.iter().position(|name| name == measure) else { continue };
        let first = values.totals.keys().next().copied().unwrap_or(from).max(from - BEFORE);
        let total = |range: std::ops::Range<i64>| values.totals.range(range).map(|(_, rows)| rows).sum::<f64>();
        let (before_rows, after_rows) = (total(first..from), total(from..to + 1));
        if before_rows <= 0.0 || after_rows <= 0.0 {
            continue;
        }
        let part = |counts: &std::collections::BTreeMap<i64, (f64, Vec<f64>)>, range: std::ops::Range<i64>| {
            counts.range(range).filter_map(|(_, (_, sums))| sums.get(at)).sum::<f64>()
        };
        let rows: Vec<(String, f64, f64)> = values
            .counts
            .iter()
            .map(|(value, counts)| {
                (value.clone(), part(counts, first..from) / before_rows, part(counts, from..to + 1) / after_rows)
            })
            .collect();
        let chosen = explain(&values.column, &rows);
        let surprise = surprise(&rows);
        if chosen.len() > 1 && best.as_ref().is_none_or(|so_far| surprise > so_far.0) {
            best = Some((surprise, chosen));
        }
    }
    best.map(|(_, chosen)| chosen).unwrap_or_default()
}

/// The fewest values that explain enough of the change, and the rest as one.
fn explain(column: &str, rows: &[(String, f64, f64)]) -> Vec<Contributor> {
    let change: f64 = rows.iter().map(|row| row.2 - row.1).sum();
    if change.abs() < 1e-12 {
        return Vec::new();
    }
    let mut list: Vec<Contributor> = rows
        .iter()
        .map(|(value, before, after)| Contributor {
            dimension: column.to_owned(),
            value: value.clone(),
            before: *before,
            after: *after,
            share: (after - before) / change,
        })
        .collect();
    list.sort_by(|a, b| b.share.total_cmp(&a.share));
    let mut explained = 0.0;
    let mut enough = 0;
    for contributor in &list {
        if explained >= EXPLAINED || contributor.share < SHARE_MIN || enough == SHOWN_MAX {
            break;
        }
        explained += contributor.share;
        enough += 1;
    }
    with_rest(column, list, enough)
}

fn with_rest(column: &str, mut list: Vec<Contributor>, shown: usize) -> Vec<Contributor> {
    let rest = list.split_off(shown.min(list.len()));
    if !rest.is_empty() {
        let sum = |of: fn(&Contributor) -> f64| rest.iter().map(of).sum::<f64>();
        list.push(Contributor {
            dimension: column.to_owned(),
            value: "(other)".to_owned(),
            before: sum(|one| one.before),
            after: sum(|one| one.after),
            share: sum(|one| one.share),
        });
    }
    list
}

/// The Jensen-Shannon divergence of the parts before and after.
fn surprise(rows: &[(String, f64, f64)]) -> f64 {
    let (before, after) = rows.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.1.abs(), sum.1 + row.2.abs()));
    if before <= 0.0 || after <= 0.0 {
        return 0.0;
    }
    let term = |a: f64, b: f64| if a > 0.0 { a * (2.0 * a / (a + b)).ln() } else { 0.0 };
    rows.iter()
        .map(|row| (row.1.abs() / before, row.2.abs() / after))
        .map(|(p, q)| 0.5 * (term(p, q) + term(q, p)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(column: &str, rows: &[(&str, f64, f64)]) -> Values {
        let mut values = Values { column: column.to_owned(), ..Values::default() };
        for bucket in 0..30 {
            for &(value, before, after) in rows {
                let count = if bucket < 29 { before } else { after };
                values.counts.entry(value.to_owned()).or_default().insert(bucket, (count, Vec::new()));
                *values.totals.entry(bucket).or_insert(0.0) += count;
            }
        }
        values
    }

    #[test]
    fn dimension_that_explains_with_one_value_is_chosen_and_shares_add_up() {
        let even = values("channel", &[("web", 100.0, 60.0), ("app", 100.0, 60.0)]);
        let one = values("country", &[("CH", 80.0, 0.0), ("DE", 60.0, 60.0), ("FR", 60.0, 60.0)]);
        let list = of_rows(&[even, one], 29, 29);
        assert_eq!((list[0].dimension.as_str(), list[0].value.as_str(), list[0].share), ("country", "CH", 1.0));
        assert!((list.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9, "{list:?}");
    }

    #[test]
    fn value_that_went_the_other_way_has_a_negative_share() {
        let values = values("plan", &[("a", 100.0, 20.0), ("b", 100.0, 120.0)]);
        let list = of_rows(&[values], 29, 29);
        assert!(list.iter().any(|one| one.share < 0.0), "{list:?}");
        assert!((list.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
