//! Numbers of every column, by bucket or for a table as a whole.

use std::collections::BTreeMap;

use pi_catalog::database::Dialect;

use super::{Metric, Profile, Track, Window};
use crate::habit::{Point, Scale};
use crate::options::Options;
use crate::roles::{ColumnRole, Role, Roles, Source};
use crate::session::Session;
use crate::sql;

/// Columns of one statement: the answer stays narrow, and a failure loses no more than these.
const COLUMNS_A_STATEMENT: usize = 20;
/// Buckets of equal measurements are looked for so far back.
const COPIED_WITHIN: i64 = 14;
/// Below so many rows two buckets may be equal by chance.
const COPIED_ROWS_MIN: f64 = 20.0;

/// Ask all that is counted and averaged, for each bucket.
pub(crate) fn wide(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let (from, part, one_of) = source.part(session.dialect, options.scan_rows_max);
    let part = if part.is_empty() { part } else { format!(" AND {part}") };
    let columns: Vec<&ColumnRole> = roles.columns.iter().filter(|column| column.name != window.time.name).collect();
    let mut prints: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    let mut source_of_prints = 0;
    for (chunk_at, chunk) in columns.chunks(COLUMNS_A_STATEMENT).enumerate() {
        let mut taken = vec![format!("{} AS bucket", window.bucket(session.dialect, ""))];
        taken.extend(chunk.iter().enumerate().map(|(at, column)| values(session.dialect, at, column)));
        let mut list = vec!["bucket".to_owned(), "count(*) AS rows".to_owned()];
        list.extend(chunk.iter().enumerate().map(|(at, column)| aggregates(at, column)));
        if chunk_at == 0 {
            for (at, other) in later_moments(roles).enumerate() {
                taken.push(lag(session.dialect, at, other, window));
                list.push(lag_aggregates(at));
            }
        }
        let condition = window.condition(window.first, "");
        let rows =
            sql::once(session.dialect, &format!("SELECT {} FROM {from} WHERE {condition}{part}", taken.join(", ")));
        let statement = format!("SELECT {} FROM ({rows}) AS s GROUP BY bucket ORDER BY bucket", list.join(", "));
        let Some((number, answer)) = session.ask("nulls, means and ranges by time", statement) else { continue };
        source_of_prints = number;
        let mut made: BTreeMap<(usize, Metric), Track> = BTreeMap::new();
        for row in &answer.rows {
            let get = |column: &str| sql::number(sql::cell(&answer, row, column));
            let (Some(bucket), Some(rows)) = (sql::whole(row.first()), get("rows")) else { continue };
            if !window.holds(bucket) || rows <= 0.0 {
                continue;
            }
            for (at, column) in chunk.iter().enumerate() {
                for (metric, shown, point, scale) in read(&get, at, rows) {
                    let track = made.entry((at, metric)).or_insert_with(|| Track {
                        metric,
                        column: Some(column.name.clone()),
                        scale,
                        points: BTreeMap::new(),
                        source: number,
                        shown: vec!["rows".to_owned(), shown],
                    });
                    track.points.insert(bucket, point);
                }
                if column.role == Role::Measure
                    && let (Some(mean), Some(square)) = (get(&format!("a{at}")), get(&format!("q{at}")))
                {
                    prints.entry(bucket).or_insert_with(|| vec![rows]).extend([mean, square]);
                }
            }
            if chunk_at == 0 {
                for (at, other) in later_moments(roles).enumerate() {
                    lag_points(&get, at, &other.name, bucket, number, &mut made);
                }
            }
        }
        profile.tracks.extend(made.into_values().filter(is_worth_judging));
    }
    if one_of <= 1.0 {
        profile.copied = copied(&prints, window, source_of_prints);
    }
}

/// Moments that follow the event at once: its loading. What a shipment's date would say of newest rows is only how
/// many are done already.
fn later_moments(roles: &Roles) -> impl Iterator<Item = &crate::roles::TimeColumn> {
    roles.load.iter()
}

/// Seconds from the event to a later moment, as `g`.
fn lag(dialect: Dialect, at: usize, other: &crate::roles::TimeColumn, window: &Window) -> String {
    let event = window.time.form.seconds(&sql::name(&window.time.name));
    let lag = format!("({} - {event})", other.form.seconds(&sql::name(&other.name)));
    match dialect {
        Dialect::Postgres => format!("CAST({lag} AS double precision) AS g{at}"),
        Dialect::Sqlite => format!("1.0 * {lag} AS g{at}"),
    }
}

fn lag_aggregates(at: usize) -> String {
    let kept = format!("CASE WHEN g{at} BETWEEN -1e9 AND 1e9 THEN g{at} END");
    format!(
        "count({kept}) AS gp{at}, avg({kept}) AS ga{at}, avg({kept} * {kept}) AS gq{at}, sum(CASE WHEN g{at} < 0 THEN 1 ELSE 0 END) AS gn{at}"
    )
}

fn lag_points(
    get: &impl Fn(&str) -> Option<f64>,
    at: usize,
    name: &str,
    bucket: i64,
    source: usize,
    made: &mut BTreeMap<(usize, Metric), Track>,
) {
    const LAGS: usize = 1_000;
    let (Some(present), Some(mean)) = (get(&format!("gp{at}")), get(&format!("ga{at}"))) else { return };
    if present <= 0.0 {
        return;
    }
    let variance = (get(&format!("gq{at}")).unwrap_or(0.0) - mean * mean).max(0.0);
    let backwards = get(&format!("gn{at}")).unwrap_or(0.0) / present;
    let points = [
        (
            Metric::Lag,
            Scale::Plain,
            Point { value: mean, n: present, error: (variance / present).sqrt() },
            format!("ga{at}"),
        ),
        (Metric::Backwards, Scale::Share, Point { value: backwards, n: present, error: 0.0 }, format!("gn{at}")),
    ];
    for (metric, scale, point, shown) in points {
        let track = made.entry((LAGS + at, metric)).or_insert_with(|| Track {
            metric,
            column: Some(name.to_owned()),
            scale,
            points: BTreeMap::new(),
            source,
            shown: vec!["rows".to_owned(), shown],
        });
        track.points.insert(bucket, point);
    }
}

/// What a row says of a column: `c` where it is there, `v` as a number, `t` as text, `n` its length.
fn values(dialect: Dialect, at: usize, column: &ColumnRole) -> String {
    let c = sql::name(&column.name);
    let there = format!("CASE WHEN {c} IS NOT NULL THEN 1 END AS c{at}");
    if column.is_number {
        format!("{there}, {} AS v{at}", sql::finite(dialect, &c))
    } else if column.is_text && column.role != Role::Time {
        let text = sql::text(dialect, &c);
        format!("{there}, {text} AS t{at}, length({text}) AS n{at}")
    } else {
        there
    }
}

/// `p` present, `e` blank, `a` mean, `q` mean of squares, `h` greatest, `l` least, `z` zeros, `m` negatives, `u` finite,
/// `w` width.
fn aggregates(at: usize, column: &ColumnRole) -> String {
    let mut list = vec![format!("count(c{at}) AS p{at}")];
    if column.is_number {
        list.push(format!("count(v{at}) AS u{at}"));
        if column.role == Role::Measure {
            list.push(format!(
                "avg(v{at}) AS a{at}, avg(v{at} * v{at}) AS q{at}, max(v{at}) AS h{at}, min(v{at}) AS l{at}"
            ));
            list.push(format!("sum(CASE WHEN v{at} = 0 THEN 1 ELSE 0 END) AS z{at}, sum(CASE WHEN v{at} < 0 THEN 1 ELSE 0 END) AS m{at}"));
        }
    } else if column.is_text && column.role != Role::Time {
        list.push(format!("sum(CASE WHEN trim(t{at}) = '' THEN 1 ELSE 0 END) AS e{at}, avg(n{at}) AS w{at}, avg(n{at} * n{at}) AS v{at}"));
    }
    list.join(", ")
}

fn read(get: &impl Fn(&str) -> Option<f64>, at: usize, rows: f64) -> Vec<(Metric, String, Point, Scale)> {
    let named = |letter: char| format!("{letter}{at}");
    let of = |letter: char| get(&named(letter));
    let Some(present) = of('p') else { return Vec::new() };
    let mut points = vec![(Metric::Nulls, named('p'), share(rows - present, rows), Scale::Share)];
    if present <= 0.0 {
        return points;
    }
    if let Some(blank) = of('e') {
        points.push((Metric::Blanks, named('e'), share(blank, present), Scale::Share));
    }
    if let Some((length, square)) = of('w').zip(of('v')).filter(|(length, _)| *length > 0.0) {
        let error = ((square - length * length).max(0.0) / present).sqrt();
        points.push((Metric::Length, named('w'), Point { value: length, n: present, error }, Scale::Ratio));
    }
    let Some(finite) = of('u') else { return points };
    points.push((Metric::Unreadable, named('u'), share(present - finite, present), Scale::Share));
    let (Some(mean), Some(square)) = (of('a'), of('q')) else { return points };
    let deviation = (square - mean * mean).max(0.0).sqrt();
    let scale = if of('l').is_some_and(|least| least >= 0.0) && mean > 0.0 { Scale::Ratio } else { Scale::Plain };
    points.push((
        Metric::Mean,
        named('a'),
        Point { value: mean, n: finite, error: deviation / finite.max(1.0).sqrt() },
        scale,
    ));
    if finite >= 10.0 {
        let error = deviation / (2.0 * finite).sqrt();
        points.push((Metric::Spread, named('q'), Point { value: deviation, n: finite, error }, Scale::Ratio));
    }
    if let Some(greatest) = of('h').filter(|greatest| *greatest > 0.0) {
        points.push((Metric::Maximum, named('h'), Point { value: greatest, n: finite, error: 0.0 }, Scale::Ratio));
    }
    points.push((Metric::Zeros, named('z'), share(of('z').unwrap_or(0.0), finite), Scale::Share));
    points.push((Metric::Negatives, named('m'), share(of('m').unwrap_or(0.0), finite), Scale::Share));
    points
}

fn share(part: f64, n: f64) -> Point {
    Point { value: (part / n.max(1.0)).clamp(0.0, 1.0), n, error: 0.0 }
}

/// A share that is the same everywhere is no test: it would only make the correction for many tests stricter.
fn is_worth_judging(track: &Track) -> bool {
    let mut values = track.points.values().map(|point| point.value);
    let first = values.next();
    values.any(|value| Some(value) != first)
}

/// Buckets that are equal in the number of rows and every mean to another one shortly before. Nothing where that is usual.
fn copied(prints: &BTreeMap<i64, Vec<f64>>, window: &Window, source: usize) -> Vec<(i64, i64, f64, usize)> {
    let mut copies = Vec::new();
    for (&bucket, print) in prints {
        let rows = print.first().copied().unwrap_or(0.0);
        let has_measure = print.len() > 1;
        if !has_measure || rows < COPIED_ROWS_MIN {
            continue;
        }
        let equal = |other: &Vec<f64>| {
            other.len() == print.len()
                && other.iter().zip(print).all(|(a, b)| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()))
        };
        let older = prints.range(bucket - COPIED_WITHIN..bucket).rev().find(|(_, other)| equal(other));
        if let Some((&older, _)) = older {
            copies.push((bucket, older, rows, source));
        }
    }
    let limit = window.until - crate::habit::RECENT as i64;
    let before = copies.iter().filter(|copy| copy.0 <= limit).count();
    if before > 1 {
        return Vec::new();
    }
    copies.retain(|copy| copy.0 > limit);
    copies
}

/// The same for a table without time: single numbers, `metric:column`.
pub(crate) fn totals(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    options: &Options,
    profile: &mut Profile,
) {
    let counted = session.ask("how many rows there are", format!("SELECT count(*) AS rows FROM {}", source.relation));
    let Some((number, answer)) = counted else { return };
    let Some(rows) = answer.rows.first().and_then(|row| sql::number(row.first())) else { return };
    profile.totals.insert("rows".to_owned(), (rows, rows, number));
    let (from, part, _) = source.part(session.dialect, options.scan_rows_max);
    let part = if part.is_empty() { part } else { format!(" WHERE {part}") };
    for chunk in roles.columns.chunks(COLUMNS_A_STATEMENT) {
        let mut list = vec!["count(*) AS rows".to_owned()];
        list.extend(chunk.iter().enumerate().map(|(at, column)| aggregates(at, column)));
        let taken: Vec<String> =
            chunk.iter().enumerate().map(|(at, column)| values(session.dialect, at, column)).collect();
        let rows = sql::once(session.dialect, &format!("SELECT {} FROM {from}{part}", taken.join(", ")));
        let statement = format!("SELECT {} FROM ({rows}) AS s", list.join(", "));
        let Some((number, answer)) = session.ask("nulls, means and ranges", statement) else { continue };
        let Some(row) = answer.rows.first() else { continue };
        let get = |column: &str| sql::number(sql::cell(&answer, row, column));
        let Some(rows) = get("rows").filter(|rows| *rows > 0.0) else { continue };
        for (at, column) in chunk.iter().enumerate() {
            for (metric, _, point, _) in read(&get, at, rows) {
                let key = format!("{}:{}", key_of(metric), column.name);
                if metric == Metric::Mean {
                    profile.totals.insert(format!("error:{}", column.name), (point.error, point.n, number));
                }
                profile.totals.insert(key, (point.value, point.n, number));
            }
        }
    }
}

/// How a metric is called where numbers are kept.
pub(crate) fn key_of(metric: Metric) -> &'static str {
    match metric {
        Metric::Volume => "rows",
        Metric::Nulls => "nulls",
        Metric::Blanks => "blanks",
        Metric::Zeros => "zeros",
        Metric::Negatives => "negatives",
        Metric::Unreadable => "unreadable",
        Metric::Mean => "mean",
        Metric::Spread => "spread",
        Metric::Maximum => "maximum",
        Metric::Length => "length",
        Metric::Distinct => "distinct",
        Metric::TopShare => "top_share",
        Metric::Duplicates => "duplicates",
        Metric::KeyDuplicates => "key_duplicates",
        Metric::Orphans => "orphans",
        Metric::Lag => "lag",
        Metric::Backwards => "backwards",
    }
}
