//! Which values there are: of dimensions, in bins of measures, as masks of texts, as hours of the day.

use std::collections::BTreeMap;

use pi_catalog::database::Dialect;

use super::{Bins, Formats, Metric, Profile, Track, Values, Window};
use crate::habit::{Calendar, Point, RECENT, Scale};
use crate::options::Options;
use crate::roles::{ColumnRole, Role, Roles, Source};
use crate::session::Session;
use crate::sql;

/// Days of history of a dimension's values: what vanishes or is new shows against weeks.
const DIMENSION_DAYS: i64 = 63;
/// Rows of an answer; one that has as many is cut, and not used.
const ROWS_MAX: usize = 8_000;
/// Sums that go with the counts, to say which value makes a change.
const MEASURES_MAX: usize = 3;
/// Masks of an answer.
const MASKS_MAX: usize = 400;

/// The scan that is used for profiles: the source, and the condition of the window.
pub(super) fn scan(session: &Session<'_>, source: &Source, window: &Window, days: i64, rows_max: u64) -> String {
    let (from, part, _) = source.part(session.dialect, rows_max);
    let part = if part.is_empty() { part } else { format!(" AND {part}") };
    let first = window.first.max(window.until + 1 - window.buckets_in(days));
    format!("{from} WHERE {}{part}", window.condition(first, ""))
}

/// The same of a table without time.
pub(super) fn all(session: &Session<'_>, source: &Source, rows_max: u64) -> String {
    let (from, part, _) = source.part(session.dialect, rows_max);
    format!("{from} WHERE {}", if part.is_empty() { "1 = 1" } else { &part })
}

/// Days of history of a dimension, by the width of buckets.
fn days_of(window: &Window) -> i64 {
    match window.calendar {
        Calendar::Hours => 14,
        Calendar::Days => DIMENSION_DAYS,
        Calendar::Weeks => 2 * 364,
    }
}

/// Count a dimension's values.
pub(crate) fn dimension(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    column: &ColumnRole,
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let measures: Vec<&ColumnRole> = roles.of(Role::Measure).take(MEASURES_MAX).collect();
    let value =
        if column.is_text { sql::text(session.dialect, &sql::name(&column.name)) } else { sql::name(&column.name) };
    let taken: String = measures
        .iter()
        .enumerate()
        .map(|(at, measure)| format!(", {} AS v{at}", sql::finite(session.dialect, &sql::name(&measure.name))))
        .collect();
    let sums: String = (0..measures.len()).map(|at| format!(", sum(v{at}) AS sum{at}")).collect();
    let rows = format!(
        "SELECT {} AS bucket, {value} AS value{taken} FROM {} AND {} IS NOT NULL",
        window.bucket(session.dialect, ""),
        scan(session, source, window, days_of(window), options.scan_rows_max),
        sql::name(&column.name),
    );
    let statement = format!(
        "SELECT bucket, value, count(*) AS rows{sums} FROM ({}) AS s GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC LIMIT {ROWS_MAX}",
        sql::once(session.dialect, &rows)
    );
    let what = format!("the values of `{}`", column.name);
    let Some((number, answer)) = session.ask(&what, statement) else { return };
    if answer.is_cut || answer.rows.len() >= ROWS_MAX {
        session.gaps.push(format!("{what}: there are too many"));
        return;
    }
    if answer.masked.iter().any(|masked| masked == "value" || *masked == column.name) {
        return;
    }
    let mut values = Values {
        column: column.name.clone(),
        measures: measures.iter().map(|measure| measure.name.clone()).collect(),
        source: number,
        ..Values::default()
    };
    for row in &answer.rows {
        let (Some(bucket), Some(value), Some(rows)) =
            (sql::whole(row.first()), sql::shown(row.get(1)), sql::number(row.get(2)))
        else {
            continue;
        };
        if window.holds(bucket) {
            let sums = (0..measures.len()).map(|at| sql::number(row.get(3 + at)).unwrap_or(0.0)).collect();
            values.counts.entry(value).or_default().insert(bucket, (rows, sums));
            *values.totals.entry(bucket).or_insert(0.0) += rows;
        }
    }
    profile.values.push(values);
}

/// Count rows by hour of the day, for days.
pub(crate) fn hours(
    session: &mut Session<'_>,
    source: &Source,
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let rows = format!(
        "SELECT {} AS bucket, {} AS hour FROM {}",
        window.bucket(session.dialect, ""),
        window.hour(session.dialect),
        scan(session, source, window, days_of(window), options.scan_rows_max),
    );
    let statement = format!(
        "SELECT bucket, hour, count(*) AS rows FROM ({}) AS s GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {ROWS_MAX}",
        sql::once(session.dialect, &rows)
    );
    let Some((number, answer)) = session.ask("how rows spread over the day", statement) else { return };
    let mut values = Values { column: "(hour)".to_owned(), source: number, ..Values::default() };
    for row in &answer.rows {
        let (Some(bucket), Some(hour), Some(rows)) =
            (sql::whole(row.first()), sql::whole(row.get(1)), sql::number(row.get(2)))
        else {
            continue;
        };
        if window.holds(bucket) {
            values.counts.entry(format!("{hour:02}")).or_default().insert(bucket, (rows, Vec::new()));
            *values.totals.entry(bucket).or_insert(0.0) += rows;
        }
    }
    if values.counts.len() > 1 {
        profile.values.push(values);
    }
}

/// Count measures by bin; the bins are tenths of a sample.
pub(crate) fn distributions(
    session: &mut Session<'_>,
    source: &Source,
    columns: &[&ColumnRole],
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    if columns.is_empty() {
        return;
    }
    let sample = scan(session, source, window, days_of(window), options.sample_rows_max);
    let parts: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let value = sql::finite(session.dialect, &sql::name(&column.name));
            format!(
                "SELECT {at} AS measure, tile, max(v) AS edge FROM (SELECT v, ntile(10) OVER (ORDER BY v) AS tile FROM (SELECT {value} AS v FROM {sample} LIMIT {}) AS a WHERE v IS NOT NULL) AS b GROUP BY tile",
                options.sample_rows_max
            )
        })
        .collect();
    let Some((_, answer)) =
        session.ask("quantiles of measures", format!("{} ORDER BY 1, 2", parts.join(" UNION ALL ")))
    else {
        return;
    };
    let mut edges: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for row in &answer.rows {
        if let (Some(measure), Some(tile), Some(edge)) =
            (sql::whole(row.first()), sql::whole(row.get(1)), sql::number(row.get(2)))
            && tile < 10
        {
            let list = edges.entry(measure).or_default();
            if list.last().is_none_or(|last| edge > *last) {
                list.push(edge);
            }
        }
    }
    for (at, column) in columns.iter().enumerate() {
        if let Some(edges) = edges.get(&(at as i64)).filter(|edges| edges.len() >= 2) {
            bins(session, source, column, edges, window, options, profile);
        }
    }
}

fn bins(
    session: &mut Session<'_>,
    source: &Source,
    column: &ColumnRole,
    edges: &[f64],
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let value = sql::finite(session.dialect, &sql::name(&column.name));
    let cases: String = edges.iter().enumerate().map(|(bin, edge)| format!(" WHEN v <= {edge:e} THEN {bin}")).collect();
    let rows = format!(
        "SELECT {} AS bucket, {value} AS v FROM {} AND {value} IS NOT NULL",
        window.bucket(session.dialect, ""),
        scan(session, source, window, days_of(window), options.scan_rows_max),
    );
    let binned = format!(
        "SELECT bucket, CASE{cases} ELSE {} END AS bin FROM ({}) AS a",
        edges.len(),
        sql::once(session.dialect, &rows)
    );
    let statement = format!(
        "SELECT bucket, bin, count(*) AS rows FROM ({}) AS s GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {ROWS_MAX}",
        sql::once(session.dialect, &binned)
    );
    let Some((number, answer)) = session.ask(&format!("the distribution of `{}`", column.name), statement) else {
        return;
    };
    let mut bins = Bins { column: column.name.clone(), edges: edges.to_vec(), counts: BTreeMap::new(), source: number };
    for row in &answer.rows {
        let (Some(bucket), Some(bin), Some(rows)) =
            (sql::whole(row.first()), sql::whole(row.get(1)), sql::number(row.get(2)))
        else {
            continue;
        };
        if window.holds(bucket) {
            let list = bins.counts.entry(bucket).or_insert_with(|| vec![0.0; edges.len() + 1]);
            if let Some(count) = usize::try_from(bin).ok().and_then(|bin| list.get_mut(bin)) {
                *count += rows;
            }
        }
    }
    profile.bins.push(bins);
}

/// Count the masks of a column's texts.
pub(crate) fn formats(
    session: &mut Session<'_>,
    source: &Source,
    column: &ColumnRole,
    window: Option<&Window>,
    options: &Options,
    profile: &mut Profile,
) {
    if session.dialect == Dialect::Sqlite && column.is_personal {
        // SQLite's masks know ASCII letters only, so that parts of a person's name could be left in them.
        return;
    }
    let c = sql::name(&column.name);
    let (period, scan) = match window {
        Some(window) => {
            let bucket = window.bucket(session.dialect, "");
            let week = window.until - RECENT as i64;
            let until = window.until;
            (
                format!("CASE WHEN {bucket} >= {until} THEN 0 WHEN {bucket} > {week} THEN 1 ELSE 2 END"),
                scan(session, source, window, days_of(window), 2 * options.sample_rows_max),
            )
        }
        None => ("0".to_owned(), all(session, source, 2 * options.sample_rows_max)),
    };
    let rows = format!(
        "SELECT {period} AS period, {} AS mask FROM {scan} AND {c} IS NOT NULL",
        sql::mask(session.dialect, &c)
    );
    let statement = format!(
        "SELECT period, mask, count(*) AS rows FROM ({}) AS s GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {MASKS_MAX}",
        sql::once(session.dialect, &rows)
    );
    let Some((number, answer)) = session.ask(&format!("the formats of `{}`", column.name), statement) else { return };
    if answer.rows.len() >= MASKS_MAX {
        return;
    }
    let mut formats = Formats { column: column.name.clone(), masks: BTreeMap::new(), source: number };
    for row in &answer.rows {
        let (Some(period), Some(mask), Some(rows)) =
            (sql::whole(row.first()), sql::shown(row.get(1)), sql::number(row.get(2)))
        else {
            continue;
        };
        let mask: String = mask.chars().map(|letter| if letter.is_alphabetic() { 'A' } else { letter }).collect();
        if let Some(count) =
            usize::try_from(period).ok().and_then(|period| formats.masks.entry(mask).or_default().get_mut(period))
        {
            *count += rows;
        }
    }
    profile.formats.push(formats);
}

/// How many values a reference has, and how large the largest is.
pub(crate) fn reference(
    session: &mut Session<'_>,
    source: &Source,
    column: &ColumnRole,
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let c = sql::name(&column.name);
    let rows = format!(
        "SELECT {} AS bucket, {c} AS value FROM {} AND {c} IS NOT NULL",
        window.bucket(session.dialect, ""),
        scan(session, source, window, days_of(window), options.scan_rows_max),
    );
    let statement = format!(
        "SELECT bucket, sum(n) AS rows, count(*) AS differing, max(n) AS largest FROM (SELECT bucket, value, count(*) AS n FROM ({}) AS a GROUP BY 1, 2) AS s GROUP BY bucket ORDER BY bucket",
        sql::once(session.dialect, &rows)
    );
    let Some((number, answer)) = session.ask(&format!("how many differ in `{}`", column.name), statement) else {
        return;
    };
    let track = |metric, scale, shown: &str| Track {
        metric,
        column: Some(column.name.clone()),
        scale,
        points: BTreeMap::new(),
        source: number,
        shown: vec!["rows".to_owned(), shown.to_owned()],
    };
    let mut distinct = track(Metric::Distinct, Scale::Share, "differing");
    let mut top = track(Metric::TopShare, Scale::Share, "largest");
    for row in &answer.rows {
        let (Some(bucket), Some(rows)) = (sql::whole(row.first()), sql::number(row.get(1)).filter(|rows| *rows > 0.0))
        else {
            continue;
        };
        if let (true, Some(differing), Some(largest)) =
            (window.holds(bucket), sql::number(row.get(2)), sql::number(row.get(3)))
        {
            // How many differ grows with the rows; by row it is the habit that a change of volume does not break.
            distinct.points.insert(bucket, Point { value: differing / rows, n: rows, error: 0.0 });
            top.points.insert(bucket, Point { value: largest / rows, n: rows, error: 0.0 });
        }
    }
    profile.tracks.extend([distinct, top]);
}

/// Count a dimension's values in a table without time.
pub(crate) fn plain(
    session: &mut Session<'_>,
    source: &Source,
    column: &ColumnRole,
    options: &Options,
) -> Option<(usize, BTreeMap<String, f64>)> {
    const VALUES_MAX: usize = 60;
    let c = sql::name(&column.name);
    let value = if column.is_text { sql::text(session.dialect, &c) } else { c.clone() };
    let (from, part, _) = source.part(session.dialect, options.scan_rows_max);
    let part = if part.is_empty() { part } else { format!(" AND {part}") };
    let statement = format!(
        "SELECT {value} AS value, count(*) AS rows FROM {from} WHERE {c} IS NOT NULL{part} GROUP BY 1 ORDER BY 2 DESC LIMIT {VALUES_MAX}"
    );
    let (number, answer) = session.ask(&format!("the values of `{}`", column.name), statement)?;
    if answer.rows.len() >= VALUES_MAX || !answer.masked.is_empty() {
        return None;
    }
    Some((
        number,
        answer.rows.iter().filter_map(|row| Some((sql::shown(row.first())?, sql::number(row.get(1))?))).collect(),
    ))
}
