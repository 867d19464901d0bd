//! How rows and columns relate: rows and keys that are there twice, references that lead nowhere, columns that decide
//! others.

use std::collections::BTreeMap;

use pi_catalog::schema::{Class, Snapshot, Table, TableKind};

use super::values::{all, scan};
use super::{Metric, Pairs, Profile, Track, Window};
use crate::habit::{Point, RECENT, Scale};
use crate::options::Options;
use crate::roles::{ColumnRole, Role, Roles, Source};
use crate::session::Session;
use crate::sql;

/// Columns by which rows are compared.
const COMPARED_MAX: usize = 12;
/// Days in which rows are compared.
const COMPARED_DAYS: i64 = 45;
/// Days of history of references and dependencies.
const RELATED_DAYS: i64 = 63;
/// Pairs of values of an answer.
const PAIRS_MAX: usize = 4_000;
/// Dependencies that are looked at.
const DEPENDENCIES_MAX: usize = 6;
/// A column that decides others has at most so many values.
const DECIDING_VALUES_MAX: f64 = 2_000.0;

/// A reference to another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct References {
    pub(crate) column: String,
    pub(crate) target: String,
    target_relation: String,
    target_column: String,
    /// Whether only the name and the values say so.
    pub(crate) is_inferred: bool,
}

/// The references of a table that its database does not enforce: declared ones that are not checked, and columns that are
/// named after another table and its key.
pub(crate) fn references_of(snapshot: &Snapshot, table: &Table) -> Vec<References> {
    const REFERENCES_MAX: usize = 6;
    let is_enforced = snapshot.dialect == pi_catalog::database::Dialect::Postgres;
    let mut references = Vec::new();
    for key in &table.foreign_keys {
        let target = snapshot.tables.iter().find(|other| format!("{}.{}", other.schema, other.name) == key.target);
        if let ([column], Some(target)) = (key.columns.as_slice(), target)
            && !(is_enforced && key.is_validated)
        {
            let target_column = key.target_columns.first().or(target.primary_key.first());
            if let Some(target_column) = target_column {
                references.push(reference(column, target, target_column, false));
            }
        }
    }
    for column in &table.columns {
        if table.foreign_keys.iter().any(|key| key.columns.contains(&column.name))
            || table.primary_key.as_slice() == [column.name.clone()]
        {
            continue;
        }
        let lower = column.name.to_lowercase();
        let Some(stem) = lower.strip_suffix("_id").or_else(|| lower.strip_suffix("id")).filter(|stem| stem.len() > 1)
        else {
            continue;
        };
        let stem = stem.trim_end_matches('_');
        let fits = |other: &&Table| {
            let name = other.name.to_lowercase();
            let plural = [
                stem.to_owned(),
                format!("{stem}s"),
                format!("{stem}es"),
                format!("{}ies", stem.trim_end_matches('y')),
            ];
            other.name != table.name
                && other.schema == table.schema
                && other.kind == TableKind::Table
                && other.primary_key.len() == 1
                && plural.contains(&name)
        };
        if let Some(target) = snapshot.tables.iter().find(fits)
            && let Some(key) = target.primary_key.first()
            && target.columns.iter().any(|there| there.name == *key && alike(there.class, column.class))
        {
            references.push(reference(&column.name, target, key, true));
        }
    }
    references.truncate(REFERENCES_MAX);
    references
}

fn alike(a: Class, b: Class) -> bool {
    let is_number = |class| matches!(class, Class::Integer | Class::Decimal | Class::Float);
    a == b || is_number(a) && is_number(b)
}

fn reference(column: &str, target: &Table, target_column: &str, is_inferred: bool) -> References {
    References {
        column: column.to_owned(),
        target: format!("{}.{}", target.schema, target.name),
        target_relation: sql::relation(target),
        target_column: target_column.to_owned(),
        is_inferred,
    }
}

/// Count rows whose reference leads nowhere.
pub(crate) fn orphans(
    session: &mut Session<'_>,
    source: &Source,
    reference: &References,
    window: Option<&Window>,
    options: &Options,
    profile: &mut Profile,
) {
    let (column, key) = (sql::name(&reference.column), sql::name(&reference.target_column));
    let rows = match window {
        Some(window) => format!(
            "SELECT {} AS bucket, {column} AS value FROM {}",
            window.bucket(session.dialect, ""),
            scan(session, source, window, RELATED_DAYS, options.scan_rows_max)
        ),
        None => format!("SELECT 0 AS bucket, {column} AS value FROM {}", all(session, source, options.scan_rows_max)),
    };
    let statement = format!(
        "SELECT bucket, count(*) AS rows, sum(CASE WHEN p.{key} IS NULL THEN 1 ELSE 0 END) AS orphans FROM ({}) AS t LEFT JOIN {} AS p ON p.{key} = t.value GROUP BY bucket ORDER BY bucket",
        sql::once(session.dialect, &format!("{rows} AND {column} IS NOT NULL")),
        reference.target_relation
    );
    let what = format!("references of `{}`", reference.column);
    let (number, answer) = match session.try_ask(statement) {
        Some(Ok(answer)) => answer,
        // That it is a reference at all was a guess.
        Some(Err(_)) if reference.is_inferred => return,
        Some(Err(error)) => return session.give_up(&what, &error),
        None => return,
    };
    let mut points = BTreeMap::new();
    let (mut all, mut lost) = (0.0, 0.0);
    for row in &answer.rows {
        let (Some(bucket), Some(rows), Some(orphans)) =
            (sql::whole(row.first()), sql::number(row.get(1)), sql::number(row.get(2)))
        else {
            continue;
        };
        (all, lost) = (all + rows, lost + orphans);
        if rows > 0.0 && window.is_none_or(|window| window.holds(bucket)) {
            points.insert(bucket, Point { value: orphans / rows, n: rows, error: 0.0 });
        }
    }
    if all <= 0.0 || reference.is_inferred && lost > 0.3 * all {
        return;
    }
    if window.is_some() {
        profile.tracks.push(Track {
            metric: Metric::Orphans,
            column: Some(reference.column.clone()),
            scale: Scale::Share,
            points,
            source: number,
            shown: vec!["rows".to_owned(), "orphans".to_owned()],
        });
    } else {
        profile.totals.insert(format!("orphans:{}", reference.column), (lost / all, all, number));
    }
}

/// Only so many of the newest days as have no more rows than may be read.
fn days_within(window: &Window, rows_max: u64) -> Option<i64> {
    let mut rows = 0.0;
    let oldest = window.first.max(window.until + 1 - window.buckets_in(COMPARED_DAYS));
    let mut from = window.until + 1;
    for bucket in (oldest..=window.until).rev() {
        rows += window.rows.get(&bucket).copied().unwrap_or(0.0);
        if rows > rows_max as f64 {
            break;
        }
        from = bucket;
    }
    (window.until + 1 - from >= crate::habit::HISTORY_MIN as i64).then_some(from)
}

/// Count rows that are there twice, by all that tells them apart but their key.
pub(crate) fn duplicates(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let is_compared = |column: &&ColumnRole| {
        !matches!(column.role, Role::Identifier | Role::Other)
            && roles.load.as_ref().is_none_or(|load| load.name != column.name)
    };
    let compared: Vec<String> =
        roles.columns.iter().filter(is_compared).take(COMPARED_MAX).map(|column| sql::name(&column.name)).collect();
    if compared.len() < 3 {
        return;
    }
    let Some(from) = days_within(window, options.scan_rows_max) else {
        session.gaps.push("duplicates: a month has more rows than may be compared".to_owned());
        return;
    };
    let statement = format!(
        "SELECT bucket, sum(n) AS rows, sum(n - 1) AS repeated FROM (SELECT {} AS bucket, count(*) AS n FROM {} WHERE {} GROUP BY 1, {}) AS s GROUP BY bucket ORDER BY bucket",
        window.bucket(session.dialect, ""),
        source.relation,
        window.condition(from, ""),
        compared.join(", "),
    );
    let Some((number, answer)) = session.ask("rows that are there twice", statement) else { return };
    push_share(profile, Metric::Duplicates, None, number, "repeated", &answer, window);
}

/// Count keys that are there twice, by the newest bucket in which one is.
pub(crate) fn key_duplicates(
    session: &mut Session<'_>,
    source: &Source,
    column: &ColumnRole,
    window: &Window,
    options: &Options,
    profile: &mut Profile,
) {
    let Some(from) = days_within(window, options.scan_rows_max) else { return };
    let c = sql::name(&column.name);
    let statement = format!(
        "SELECT bucket, sum(n) AS rows, sum(n - 1) AS repeated FROM (SELECT max({}) AS bucket, count(*) AS n FROM {} WHERE {} AND {c} IS NOT NULL GROUP BY {c}) AS s GROUP BY bucket ORDER BY bucket",
        window.bucket(session.dialect, ""),
        source.relation,
        window.condition(from, ""),
    );
    let Some((number, answer)) = session.ask(&format!("keys that are there twice in `{}`", column.name), statement)
    else {
        return;
    };
    push_share(profile, Metric::KeyDuplicates, Some(column.name.clone()), number, "repeated", &answer, window);
}

fn push_share(
    profile: &mut Profile,
    metric: Metric,
    column: Option<String>,
    source: usize,
    shown: &str,
    answer: &pi_catalog::database::Rows,
    window: &Window,
) {
    let mut track = Track {
        metric,
        column,
        scale: Scale::Share,
        points: BTreeMap::new(),
        source,
        shown: vec!["rows".to_owned(), shown.to_owned()],
    };
    for row in &answer.rows {
        let (Some(bucket), Some(rows), Some(part)) =
            (sql::whole(row.first()), sql::number(row.get(1)), sql::number(row.get(2)))
        else {
            continue;
        };
        if window.holds(bucket) && rows > 0.0 {
            track.points.insert(bucket, Point { value: part / rows, n: rows, error: 0.0 });
        }
    }
    profile.tracks.push(track);
}

/// Find columns that decide others in the sample, then count the pairs of each.
pub(crate) fn dependencies(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    window: Option<&Window>,
    options: &Options,
    profile: &mut Profile,
) {
    let may_decide = |column: &&ColumnRole| {
        matches!(column.role, Role::Dimension | Role::Reference)
            && !column.is_personal
            && column.distinct >= 3.0
            && column.distinct <= DECIDING_VALUES_MAX
            && column.present >= 5.0 * column.distinct
    };
    let is_decided =
        |column: &&ColumnRole| column.role == Role::Dimension && !column.is_personal && column.distinct >= 2.0;
    let mut pairs: Vec<(&ColumnRole, &ColumnRole)> = Vec::new();
    for from in roles.columns.iter().filter(may_decide) {
        for to in roles.columns.iter().filter(is_decided) {
            if from.name != to.name && from.distinct >= to.distinct && pairs.len() < 60 {
                pairs.push((from, to));
            }
        }
    }
    if pairs.is_empty() {
        return;
    }
    let both = |from: &ColumnRole, to: &ColumnRole| {
        let (a, b) =
            (sql::text(session.dialect, &sql::name(&from.name)), sql::text(session.dialect, &sql::name(&to.name)));
        (format!("{a} || '|' || {b}"), format!("CASE WHEN {b} IS NOT NULL THEN {a} END"))
    };
    let list: Vec<String> = pairs
        .iter()
        .enumerate()
        .map(|(at, (from, to))| {
            let (pair, alone) = both(from, to);
            format!("count(DISTINCT {pair}) AS b{at}, count(DISTINCT {alone}) AS a{at}")
        })
        .collect();
    let (from, part, _) = source.part(session.dialect, options.sample_rows_max);
    // What decided another until a week ago: rows that break it since are the very change that is looked for.
    let earlier = window.map(|window| window.between(window.first, window.until + 1 - RECENT as i64, ""));
    let conditions: Vec<String> = earlier.into_iter().chain(Some(part).filter(|part| !part.is_empty())).collect();
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let statement = format!(
        "SELECT {} FROM (SELECT * FROM {from}{condition} LIMIT {}) AS s",
        list.join(", "),
        options.sample_rows_max
    );
    let Some((_, answer)) = session.ask("which columns decide others", statement) else { return };
    let Some(row) = answer.rows.first() else { return };
    let mut asked = 0;
    for (at, (from, to)) in pairs.iter().enumerate() {
        let get = |letter: char| sql::number(sql::cell(&answer, row, &format!("{letter}{at}")));
        let (Some(pairs), Some(alone)) = (get('b'), get('a')) else { continue };
        // Few rows that are wrong do not undo it.
        if pairs <= alone * 1.1 + 2.0 && asked < DEPENDENCIES_MAX {
            asked += 1;
            count_pairs(session, source, from, to, window, options, profile);
        }
    }
}

fn count_pairs(
    session: &mut Session<'_>,
    source: &Source,
    from: &ColumnRole,
    to: &ColumnRole,
    window: Option<&Window>,
    options: &Options,
    profile: &mut Profile,
) {
    let (a, b) = (sql::name(&from.name), sql::name(&to.name));
    let (recent, scan) = match window {
        Some(window) => (
            format!(
                "sum(CASE WHEN {} > {} THEN 1 ELSE 0 END)",
                window.bucket(session.dialect, ""),
                window.until - RECENT as i64
            ),
            scan(session, source, window, RELATED_DAYS, options.scan_rows_max),
        ),
        None => ("0".to_owned(), all(session, source, options.scan_rows_max)),
    };
    // A column of short texts may hold one that is not.
    let shown = |column: &ColumnRole, c: &str| {
        if column.is_text { sql::text(session.dialect, c) } else { c.to_owned() }
    };
    let (decides, decided) = (shown(from, &a), shown(to, &b));
    let statement = format!(
        "SELECT {decides} AS decides, {decided} AS decided, count(*) AS rows, {recent} AS recent FROM {scan} AND {a} IS NOT NULL AND {b} IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {PAIRS_MAX}"
    );
    let Some((number, answer)) = session.ask(&format!("whether `{}` decides `{}`", from.name, to.name), statement)
    else {
        return;
    };
    if answer.rows.len() >= PAIRS_MAX || answer.is_cut {
        return;
    }
    let rows = answer.rows.iter().filter_map(|row| {
        Some((
            sql::shown(row.first())?,
            sql::shown(row.get(1))?,
            sql::number(row.get(2))?,
            sql::number(row.get(3)).unwrap_or(0.0),
        ))
    });
    let rows: Vec<_> = rows.collect();
    profile.pairs.push(Pairs { from: from.name.clone(), to: to.name.clone(), rows, source: number });
}
