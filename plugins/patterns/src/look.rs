//! A look at all tables: what is asked in which order, and what of it is said.
//!
//! Per table: roles, window, profile, tests. Then over all: correction, folding, what was said before. A failure is a
//! gap of that statement or table, and the rest goes on.

use std::collections::BTreeMap;

use pi_catalog::database::{Database, Query, Rows};
use pi_catalog::finding::{Contributor, Finding, Severity, Subject};
use pi_catalog::schema::{Snapshot, Table, TableKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checks::{self, Candidate, Tests};
use crate::contributors;
use crate::fdr;
use crate::fold;
use crate::habit::{Calendar, Scale};
use crate::memory::{Look, Memory, TableMemory};
use crate::options::Options;
use crate::profile::{self, Metric, Profile, Track, Values, Window};
use crate::roles::{ColumnRole, Role, Roles, Source, roles};
use crate::session::Session;
use crate::sql;

const DIMENSIONS_MAX: usize = 8;
const MEASURES_MAX: usize = 8;
const REFERENCES_MAX: usize = 5;
const FORMATS_MAX: usize = 5;
const KEYS_MAX: usize = 3;
/// Rows that a finding shows.
const EVIDENCE_ROWS_MAX: usize = 20;
/// A series that moved after its bucket was over is not judged for so long.
const MOVING_DAYS: i64 = 21;
const DAY_MS: i64 = 86_400_000;

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// `schema.table`; empty where it is the database.
    pub table: String,
    /// What is missing, and why.
    pub what: String,
}

/// What was looked at and not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abstention {
    /// `schema.table`.
    pub table: String,
    /// What, and why.
    pub why: String,
}

/// How a table was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableReport {
    /// `schema.table`.
    pub table: String,
    /// What its columns are for.
    pub roles: Roles,
    /// Tests of it.
    pub tests: usize,
    /// Statements for it.
    pub statements: usize,
    /// From when to when, where it has time.
    pub window: Option<(String, String)>,
}

/// What a look gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// News, the weightiest first.
    pub findings: Vec<Finding>,
    /// What the findings say as well: the same facts in other measurements.
    pub folded: Vec<Finding>,
    /// What is still so since an earlier look said it.
    pub known: Vec<Finding>,
    /// How tables usually are: no news.
    pub descriptions: Vec<Finding>,
    /// What could not be looked at.
    pub gaps: Vec<Gap>,
    /// What was not judged, and why.
    pub abstained: Vec<Abstention>,
    /// How each table was looked at.
    pub tables: Vec<TableReport>,
    /// For the next look.
    pub memory: Memory,
}

/// One table, looked at.
struct Looked<'a> {
    table: &'a Table,
    tests: Tests,
    kept: BTreeMap<usize, (Query, Rows)>,
}

/// Look at all tables of a snapshot, and say what is new since the looks that `memory` remembers.
pub fn look(database: &mut dyn Database, snapshot: &Snapshot, memory: &Memory, options: &Options) -> Report {
    let mut report = Report { memory: memory.clone(), ..Report::default() };
    let mut looked: Vec<Looked<'_>> = Vec::new();
    let tables: Vec<&Table> = snapshot.tables.iter().filter(|table| table.kind != TableKind::Partition).collect();
    if let Some(extra) = tables.len().checked_sub(options.tables_max).filter(|extra| *extra > 0) {
        report.gaps.push(Gap {
            table: String::new(),
            what: format!("{extra} tables beyond the limit of {} were not looked at", options.tables_max),
        });
    }
    for table in tables.into_iter().take(options.tables_max) {
        let mut session = Session::new(&mut *database, options.statements_per_table_max);
        let name = full_name(table);
        let mut remembered = report.memory.tables.get(&name).cloned().unwrap_or_default();
        let (tests, roles, window) = look_at(&mut session, snapshot, table, &mut remembered, options);
        report.gaps.extend(session.gaps.drain(..).map(|what| Gap { table: name.clone(), what }));
        report.abstained.extend(tests.abstained.iter().map(|why| Abstention { table: name.clone(), why: why.clone() }));
        let span = window.as_ref().map(|window| (window.shown(window.first), window.shown(window.until)));
        report.tables.push(TableReport {
            table: name.clone(),
            roles,
            tests: tests.candidates.len(),
            statements: session.asked,
            window: span,
        });
        report.memory.tables.insert(name, remembered);
        let is_unreachable = session.is_unreachable;
        looked.push(Looked { table, tests, kept: session.into_kept() });
        if is_unreachable {
            report.gaps.push(Gap {
                table: String::new(),
                what: "the database is out of reach: the remaining tables were not looked at".to_owned(),
            });
            break;
        }
    }
    say(&looked, options, &mut report);
    report.memory.trim(options.now_ms);
    report
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}

fn look_at(
    session: &mut Session<'_>,
    snapshot: &Snapshot,
    table: &Table,
    memory: &mut TableMemory,
    options: &Options,
) -> (Tests, Roles, Option<Window>) {
    let mut tests = Tests::default();
    let mut profile = Profile::default();
    if table.columns.len() > options.columns_max {
        session.gaps.push(format!(
            "{} columns beyond the limit of {}",
            table.columns.len() - options.columns_max,
            options.columns_max
        ));
    }
    let source = Source::of(session, table);
    let Some(roles) = roles(session, table, &source, options) else { return (tests, Roles::default(), None) };
    if table.kind == TableKind::View {
        // What changes in a view changes in the tables that it reads, and is said there. That it can be read is known now.
        tests.abstained.push("a view: its tables are looked at".to_owned());
        return (tests, roles, None);
    }
    if roles.sampled == 0.0 && memory.looks.is_empty() && memory.buckets.is_empty() {
        tests.abstained.push("it is empty".to_owned());
        memory.looks.push(Look { at_ms: options.now_ms, ..Look::default() });
        return (tests, roles, None);
    }
    let window = match &roles.time {
        None => None,
        Some(time) => match profile::window(session, &source, time, options) {
            None => None,
            Some(Ok(window)) => Some(window),
            Some(Err(why)) => {
                tests.abstained.push(why);
                None
            }
        },
    };
    let mut references = profile::references_of(snapshot, table);
    references
        .retain(|reference| !roles.columns.iter().any(|column| column.is_marked && column.name == reference.column));
    let mut window = window;
    match &mut window {
        Some(window) => {
            settle(memory, window);
            with_time(session, &source, table, &roles, window, options, &mut profile);
            for reference in &references {
                profile::orphans(session, &source, reference, Some(window), options, &mut profile);
            }
            judge(session, &source, &roles, window, memory, options, &mut profile, &mut tests);
        }
        None => without_time(session, &source, &roles, &references, memory, options, &mut profile, &mut tests),
    }
    (tests, roles, window)
}

/// Newest buckets that grew since they were looked at last are not over yet: later loads are this table's habit.
fn settle(memory: &mut TableMemory, window: &mut Window) {
    const LOOKED_BACK: i64 = 5;
    const SETTLES_MAX: i64 = 3;
    const GROWN: f64 = 1.02;
    let Some(judged_to) = memory.judged_to.filter(|_| memory.buckets_of == buckets_of(window)) else { return };
    let grown = (judged_to - LOOKED_BACK..=judged_to).find(|bucket| {
        let (then, now) = (memory.buckets.get(bucket), window.rows.get(bucket));
        then.zip(now).is_some_and(|(then, now)| *now > GROWN * then + 2.0)
    });
    memory.settles_in =
        grown.map_or((memory.settles_in - 1).max(0), |oldest| (judged_to - oldest + 1).min(SETTLES_MAX));
    window.until -= memory.settles_in;
}

fn buckets_of(window: &Window) -> String {
    format!("{}:{:?}", window.time.name, window.calendar)
}

/// All statements of a table with time.
fn with_time(
    session: &mut Session<'_>,
    source: &Source,
    table: &Table,
    roles: &Roles,
    window: &mut Window,
    options: &Options,
    profile: &mut Profile,
) {
    profile.tracks.push(window.track());
    profile::wide(session, source, roles, window, options, profile);
    settle_by_lag(profile, window);
    if window.calendar == Calendar::Days && !window.time.is_date {
        profile::hours(session, source, window, options, profile);
    }
    let is_small = |column: &&ColumnRole| window.calendar != Calendar::Hours || column.distinct <= 12.0;
    for column in roles.of(Role::Dimension).filter(|column| !column.is_personal).filter(is_small).take(DIMENSIONS_MAX) {
        profile::dimension(session, source, roles, column, window, options, profile);
    }
    let measures: Vec<&ColumnRole> = roles.of(Role::Measure).take(MEASURES_MAX).collect();
    profile::distributions(session, source, &measures, window, options, profile);
    for column in roles.of(Role::Reference).take(REFERENCES_MAX) {
        profile::reference(session, source, column, window, options, profile);
    }
    profile::duplicates(session, source, roles, window, options, profile);
    let is_unproven = |column: &&ColumnRole| table.primary_key.as_slice() != [column.name.clone()];
    for column in roles.of(Role::Identifier).filter(is_unproven).take(KEYS_MAX) {
        profile::key_duplicates(session, source, column, window, options, profile);
    }
    let has_form = |column: &&ColumnRole| {
        column.is_text
            && matches!(column.role, Role::Identifier | Role::Reference | Role::Text)
            && column.length <= 60.0
    };
    for column in roles.columns.iter().filter(has_form).take(FORMATS_MAX) {
        profile::formats(session, source, column, Some(window), options, profile);
    }
    profile::dependencies(session, source, roles, Some(window), options, profile);
}

/// Where loading takes longer than a bucket, the newest are not over.
fn settle_by_lag(profile: &Profile, window: &mut Window) {
    const SETTLES_MAX: i64 = 3;
    let Some(lag) = profile.tracks.iter().find(|track| track.metric == Metric::Lag) else { return };
    let typical = |of: fn(&crate::habit::Point) -> f64| {
        pi_signals::metric::median(&lag.points.values().map(of).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let seconds = typical(|point| point.value) + 2.0 * typical(|point| point.error * point.n.sqrt());
    let width = (window.start_s(1) - window.start_s(0)) as f64;
    #[allow(clippy::cast_possible_truncation, reason = "clamped")]
    let buckets = (seconds / width).floor().clamp(0.0, SETTLES_MAX as f64) as i64;
    window.until -= buckets;
}

/// All tests of a table with time.
#[allow(clippy::too_many_arguments, reason = "one step of the recipe above")]
fn judge(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    window: &Window,
    memory: &mut TableMemory,
    options: &Options,
    profile: &mut Profile,
    tests: &mut Tests,
) {
    let key = buckets_of(window);
    let same = memory.buckets_of == key;
    let judged_to = memory.judged_to.filter(|_| same);
    note_moving(memory, profile, same, options.now_ms);
    let is_moving = |name: &str| memory.moving.get(name).is_some_and(|at| options.now_ms - at < MOVING_DAYS * DAY_MS);
    for track in &profile.tracks {
        let name = track_key(track);
        let fills_later =
            track.metric == Metric::Nulls && roles.times.iter().any(|time| Some(&time.name) == track.column.as_ref());
        // The words for a state are of different lengths.
        let follows_state = track.metric == Metric::Length && track.column.as_deref().is_some_and(is_state);
        if is_moving(&name) || fills_later || follows_state {
            tests.abstained.push(format!("{name}: newest rows still change after they are loaded, or may"));
            continue;
        }
        checks::track(track, window, judged_to, tests);
    }
    for values in &profile.values {
        let name = format!("values:{}", values.column);
        if values.column == "(hour)" {
            checks::hours(values, window, tests);
        } else if is_moving(&name) || is_state(&values.column) {
            tests.abstained.push(format!("{name}: newest rows still change after they are loaded, or may"));
        } else {
            checks::values(values, window, judged_to, tests);
        }
    }
    for bins in &profile.bins {
        if !is_moving(&format!("mean:{}", bins.column)) {
            checks::bins(bins, window, tests);
        }
    }
    for formats in &profile.formats {
        checks::formats(formats, window, tests);
    }
    for pairs in &profile.pairs {
        let name = format!("values:{}", pairs.to);
        if !is_moving(&name) && !is_state(&pairs.to) {
            checks::pairs(pairs, Some(window), tests);
        }
    }
    checks::copies(&profile.copied, window, tests);
    checks::past(memory, window, &key, tests);
    let hours = profile.values.iter().find(|values| values.column == "(hour)");
    if let Some(volume) = profile.tracks.iter().find(|track| track.metric == Metric::Volume) {
        tests.descriptions = checks::descriptions(volume, hours, window);
    }
    let edges = profile::edges(session, source, &window.time, options);
    outside(edges, window, memory, options, tests);
    explain(profile, tests);
    weigh_maxima(profile, tests);
    weigh_negatives(profile, tests);
    mend_stale(window, tests);
    remember(memory, profile, window, key, options);
}

/// Whether a name says that a row passes through the values of a column in its life. Newest rows always have other values
/// in it than older ones, and how long that takes is not known from one look.
fn is_state(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["status", "state", "stage", "phase", "progress"].iter().any(|word| lower.contains(word))
}

fn track_key(track: &Track) -> String {
    format!("{}:{}", profile::key_of(track.metric), track.column.as_deref().unwrap_or(""))
}

/// Compare what the newest bucket was like at the last look with what it is like now.
fn note_moving(memory: &mut TableMemory, profile: &Profile, same: bool, now_ms: i64) {
    if !same {
        memory.fresh.clear();
        return;
    }
    let moved = |before: f64, after: f64, scale: Scale| match scale {
        Scale::Share => (before - after).abs() > 0.01,
        Scale::Count | Scale::Ratio | Scale::Plain => (before - after).abs() > 0.02 * before.abs().max(after.abs()),
    };
    for track in profile
        .tracks
        .iter()
        .filter(|track| !matches!(track.metric, Metric::Volume | Metric::Duplicates | Metric::KeyDuplicates))
    {
        let key = track_key(track);
        if let Some(&(bucket, value, n)) = memory.fresh.get(&key)
            && let Some(point) = track.points.get(&bucket)
            // More rows are late loads, which are seen by volume; the same rows with other values move.
            && (point.n - n).abs() <= 0.02 * n + 1.0
            && moved(value, point.value, track.scale)
        {
            memory.moving.insert(key, now_ms);
        }
    }
    for values in &profile.values {
        let key = format!("values:{}", values.column);
        if let Some(&(bucket, share, n)) = memory.fresh.get(&key)
            && let Some((now, rows)) = largest_share(values, bucket)
            && (rows - n).abs() <= 0.02 * n + 1.0
            && (now - share).abs() > 0.01
        {
            memory.moving.insert(key, now_ms);
        }
    }
}

/// The share of a bucket's most frequent value over all time, and the bucket's rows.
fn largest_share(values: &Values, bucket: i64) -> Option<(f64, f64)> {
    let total = *values.totals.get(&bucket)?;
    let sum = |counts: &BTreeMap<i64, (f64, Vec<f64>)>| counts.values().map(|(rows, _)| rows).sum::<f64>();
    let largest = values.counts.values().max_by(|a, b| sum(a).total_cmp(&sum(b)))?;
    Some((largest.get(&bucket).map_or(0.0, |(rows, _)| *rows) / total, total))
}

fn remember(memory: &mut TableMemory, profile: &Profile, window: &Window, key: String, options: &Options) {
    memory.buckets_of = key;
    memory.judged_to = Some(window.until);
    memory.buckets =
        window.rows.range(window.until - 60..=window.until).map(|(&bucket, &rows)| (bucket, rows)).collect();
    memory.fresh.clear();
    for track in &profile.tracks {
        if let Some(point) = track.points.get(&window.until) {
            memory.fresh.insert(track_key(track), (window.until, point.value, point.n));
        }
    }
    for values in &profile.values {
        if let Some((share, n)) = largest_share(values, window.until) {
            memory.fresh.insert(format!("values:{}", values.column), (window.until, share, n));
        }
    }
    memory.moving.retain(|_, at| options.now_ms - *at < MOVING_DAYS * DAY_MS);
}

/// Rows whose moment lies outside of any time, against the look before.
fn outside(
    edges: Option<(usize, [f64; 3])>,
    window: &Window,
    memory: &mut TableMemory,
    options: &Options,
    tests: &mut Tests,
) {
    let Some((number, counts)) = edges else { return };
    let rows: f64 = window.rows.values().sum();
    let mut look = Look { at_ms: options.now_ms, rows, ..Look::default() };
    let mut sources = BTreeMap::new();
    for (name, count) in ["without", "ahead", "before_1990"].iter().zip(counts) {
        let key = format!("{name}:{}", window.time.name);
        look.numbers.insert(key.clone(), (count, rows));
        sources.insert(key, number);
    }
    if let Some(last) = memory.looks.last() {
        let mut only = TableMemory { looks: vec![Look { rows, ..last.clone() }], ..TableMemory::default() };
        only.looks.iter_mut().for_each(|look| look.values.clear());
        checks::total_tests(&only, &look, &sources, tests);
    }
    memory.looks = vec![look];
}

/// Which values explain what holds for the table or a measure as a whole.
fn explain(profile: &Profile, tests: &mut Tests) {
    for candidate in
        tests.candidates.iter_mut().filter(|candidate| candidate.is_large && candidate.contributors.is_empty())
    {
        let Some((from, to)) = candidate.buckets else { continue };
        if candidate.kind.starts_with("volume_") {
            candidate.contributors = contributors::of_rows(&profile.values, from, to);
        } else if candidate.kind.starts_with("mean_")
            && let Some(column) = &candidate.column
        {
            candidate.contributors = contributors::of_mean(&profile.values, column, from, to);
        }
    }
}

/// A greatest value that is there because all values are greater says less than their mean; one that makes the mean what it
/// is says more.
fn weigh_maxima(profile: &Profile, tests: &mut Tests) {
    const BELOW_MEAN: u8 = 2;
    let means: Vec<Candidate> =
        tests.candidates.iter().filter(|one| one.is_large && one.kind == "mean_rose").cloned().collect();
    for maximum in tests.candidates.iter_mut().filter(|one| one.is_large && one.kind == "maximum_rose") {
        let Some(mean) = means.iter().find(|mean| mean.column == maximum.column) else { continue };
        let track = profile.tracks.iter().find(|track| track.metric == Metric::Mean && track.column == mean.column);
        let rows: f64 = track
            .zip(mean.buckets)
            .map_or(0.0, |(track, (from, to))| track.points.range(from..=to).map(|(_, point)| point.n).sum());
        let step = |one: &Candidate| {
            one.numbers.get("after").copied().unwrap_or(0.0) - one.numbers.get("before").copied().unwrap_or(0.0)
        };
        // What the one value adds to the sum, beside what all rows add.
        if step(maximum) < 0.5 * step(mean) * rows {
            maximum.rank = BELOW_MEAN;
        }
    }
}

/// Negative values are said before all else of their column, because a sign that is lost is a fault of its own. Where the
/// values stray by more than lost signs alone would make them, negative ones only follow from that.
fn weigh_negatives(profile: &Profile, tests: &mut Tests) {
    const BELOW_SPREAD: u8 = 1;
    const MORE: f64 = 1.2;
    let spreads: Vec<Candidate> =
        tests.candidates.iter().filter(|one| one.is_large && one.kind == "spread_rose").cloned().collect();
    let number = |one: &Candidate, name: &str| one.numbers.get(name).copied().unwrap_or(0.0);
    for negatives in tests.candidates.iter_mut().filter(|one| one.is_large && one.kind == "negatives_rose") {
        let Some(spread) = spreads.iter().find(|spread| spread.column == negatives.column) else { continue };
        let means = profile.tracks.iter().find(|one| one.metric == Metric::Mean && one.column == spread.column);
        let Some(mean) = means.and_then(|track| {
            pi_signals::metric::median(&track.points.values().map(|point| point.value).collect::<Vec<_>>())
        }) else {
            continue;
        };
        let share = (number(negatives, "after") - number(negatives, "before")).max(0.0) / 100.0;
        // The variance of values of which a share has the other sign.
        let by_sign = (number(spread, "before").powi(2) + 4.0 * mean * mean * share * (1.0 - share)).sqrt();
        if number(spread, "after") > MORE * by_sign {
            negatives.rank = BELOW_SPREAD;
        }
    }
}

/// A table that has stood still did so since the bucket after its newest row, whichever bucket the test found.
fn mend_stale(window: &Window, tests: &mut Tests) {
    let Some((&last, _)) = window.rows.range(..=window.until).next_back() else { return };
    for candidate in tests.candidates.iter_mut().filter(|candidate| candidate.kind == "data_stale") {
        candidate.buckets = Some((last + 1, window.until));
        candidate.since = Some(window.shown(last + 1));
    }
}

/// All statements and tests of a table without time.
#[allow(clippy::too_many_arguments, reason = "one step of the recipe above")]
fn without_time(
    session: &mut Session<'_>,
    source: &Source,
    roles: &Roles,
    references: &[profile::References],
    memory: &mut TableMemory,
    options: &Options,
    profile: &mut Profile,
    tests: &mut Tests,
) {
    profile::totals(session, source, roles, options, profile);
    let Some(&(rows, _, _)) = profile.totals.get("rows") else { return };
    for reference in references {
        profile::orphans(session, source, reference, None, options, profile);
    }
    let mut look = Look { at_ms: options.now_ms, rows, ..Look::default() };
    let mut sources = BTreeMap::new();
    for (name, &(value, n, number)) in &profile.totals {
        look.numbers.insert(name.clone(), (value, n));
        sources.insert(name.clone(), number);
    }
    for column in roles.of(Role::Dimension).filter(|column| !column.is_personal).take(DIMENSIONS_MAX) {
        if let Some((number, values)) = profile::plain(session, source, column, options) {
            sources.insert(format!("values:{}", column.name), number);
            look.values.insert(column.name.clone(), values);
        }
    }
    let before = memory.looks.last().is_some_and(|last| !last.numbers.is_empty() || last.rows > 0.0);
    if before {
        checks::total_tests(memory, &look, &sources, tests);
    } else {
        tests.abstained.push("there is no time column with enough history, and this is the first look".to_owned());
    }
    memory.looks.push(look);
}

/// From tests to findings.
fn say(looked: &[Looked<'_>], options: &Options, report: &mut Report) {
    let p_values: Vec<Vec<f64>> =
        looked.iter().map(|one| one.tests.candidates.iter().map(|candidate| candidate.p).collect()).collect();
    let held = fdr::hold(&p_values, options.false_discovery_rate);
    let mut said: Vec<(usize, Candidate)> = Vec::new();
    for (at, (one, held)) in looked.iter().zip(&held).enumerate() {
        let real: Vec<Candidate> = one
            .tests
            .candidates
            .iter()
            .zip(held)
            .filter(|(candidate, held)| **held && candidate.is_large)
            .map(|(candidate, _)| candidate.clone())
            .collect();
        let into = fold::fold(&real);
        for (place, candidate) in real.iter().enumerate() {
            match into.get(place).copied().flatten() {
                Some(_) => {
                    // What is folded today may stand alone tomorrow, when the stronger half is past: it is no news then.
                    let to = candidate.buckets.map(|buckets| buckets.1);
                    report.memory.remember(&key_of(one.table, candidate), candidate.effect, to, options.now_ms);
                    report.folded.push(finding(one, candidate));
                }
                None => said.push((at, candidate.clone())),
            }
        }
        report.descriptions.extend(one.tests.descriptions.iter().map(|candidate| finding(one, candidate)));
    }
    let follows: Vec<bool> = said.iter().map(|(at, candidate)| follows_parent(looked, &said, *at, candidate)).collect();
    for ((at, candidate), follows) in said.iter().zip(follows) {
        let Some(one) = looked.get(*at) else { continue };
        let finding = finding(one, candidate);
        let key = format!(
            "{}|{}|{}|{}",
            full_name(one.table),
            candidate.kind,
            candidate.column.as_deref().unwrap_or(""),
            candidate.value.as_deref().unwrap_or("")
        );
        let from = candidate.buckets.map(|buckets| buckets.0);
        let is_news = report.memory.is_news(&key, candidate.effect, from, options.now_ms);
        report.memory.remember(&key, candidate.effect, candidate.buckets.map(|buckets| buckets.1), options.now_ms);
        match (follows, is_news) {
            (true, _) => report.folded.push(finding),
            (false, true) => report.findings.push(finding),
            (false, false) => report.known.push(finding),
        }
    }
    let weight = |finding: &Finding| (finding.severity, finding.effect.unwrap_or(0.0).min(10.0));
    report.findings.sort_by(|a, b| weight(b).partial_cmp(&weight(a)).unwrap_or(std::cmp::Ordering::Equal));
}

/// A fact, as it is remembered.
fn key_of(table: &Table, candidate: &Candidate) -> String {
    let (column, value) = (candidate.column.as_deref().unwrap_or(""), candidate.value.as_deref().unwrap_or(""));
    format!("{}|{}|{column}|{value}", full_name(table), candidate.kind)
}

/// Whether the rows of a table only follow those of a table that it refers to: items of orders that are missing.
fn follows_parent(looked: &[Looked<'_>], said: &[(usize, Candidate)], at: usize, candidate: &Candidate) -> bool {
    let is_of_rows = |kind: &str| kind.starts_with("volume_") || kind == "data_stale";
    let Some(table) = looked.get(at).map(|one| one.table).filter(|_| is_of_rows(candidate.kind)) else { return false };
    let named_after = |other: &Table| {
        let stem = other.name.to_lowercase();
        let stem = stem.strip_suffix('s').unwrap_or(&stem).to_owned();
        table.columns.iter().any(|column| column.name.to_lowercase() == format!("{stem}_id"))
    };
    said.iter().any(|(parent_at, parent)| {
        let Some(parent_table) = looked.get(*parent_at).map(|one| one.table) else { return false };
        let refers =
            table.foreign_keys.iter().any(|key| key.target == full_name(parent_table)) || named_after(parent_table);
        *parent_at != at
            && refers
            && is_of_rows(parent.kind)
            && parent.direction == candidate.direction
            && parent.since.is_some()
            && parent.buckets.zip(candidate.buckets).is_some_and(|(a, b)| a.0 <= b.1 + 1 && b.0 <= a.1 + 1)
    })
}

fn finding(one: &Looked<'_>, candidate: &Candidate) -> Finding {
    let table = one.table;
    let subject = Subject {
        schema: table.schema.clone(),
        table: table.name.clone(),
        column: candidate.column.clone(),
        dimension: candidate.dimension.clone(),
    };
    let severity = if candidate.is_holiday { candidate.severity.min(Severity::Notice) } else { candidate.severity };
    let claim = format!("{}: {}", table.name, candidate.claim);
    let mut finding = Finding::new(candidate.kind, subject, severity, claim);
    finding.numbers = candidate.numbers.clone();
    finding.p_value = Some(candidate.p);
    finding.effect = Some(candidate.effect);
    finding.series = candidate.series.clone();
    finding.contributors = candidate
        .contributors
        .iter()
        .filter(|one| one.before.is_finite() && one.after.is_finite())
        .cloned()
        .collect::<Vec<Contributor>>();
    finding.since = candidate.since.clone();
    if let Some((query, rows)) = one.kept.get(&candidate.source) {
        if let Some(one_of) = sql::one_of(&query.statement) {
            finding.claim.push_str(&format!(" (counted in one row of {one_of})"));
            finding.numbers.insert("one_row_of".to_owned(), one_of);
        }
        finding = finding.with_evidence(query.clone(), shown_rows(rows, candidate));
    }
    finding
}

/// The few rows and columns of an answer that show it.
fn shown_rows(rows: &Rows, candidate: &Candidate) -> Rows {
    const AROUND: i64 = 13;
    let has_bucket = rows.columns.first().is_some_and(|name| name == "bucket");
    let is_meant = |row: &&Vec<Value>| {
        let in_time = match (candidate.buckets, sql::whole(row.first())) {
            (Some((_, to)), Some(bucket)) if has_bucket => (to - AROUND..=to).contains(&bucket),
            _ => true,
        };
        let of_value = candidate
            .value
            .as_ref()
            .is_none_or(|value| row.iter().any(|cell| sql::shown(Some(cell)).as_ref() == Some(value)));
        in_time && of_value
    };
    let mut kept: Vec<usize> = (0..rows.columns.len()).collect();
    if has_bucket && !candidate.shown.is_empty() {
        kept.retain(|&at| at == 0 || rows.columns.get(at).is_some_and(|name| candidate.shown.contains(name)));
    }
    kept.truncate(12);
    let project = |row: &Vec<Value>| kept.iter().filter_map(|&at| row.get(at).cloned()).collect::<Vec<Value>>();
    let mut meant: Vec<Vec<Value>> = rows.rows.iter().filter(is_meant).map(project).collect();
    if meant.is_empty() {
        meant = rows.rows.iter().take(EVIDENCE_ROWS_MAX).map(project).collect();
    }
    let is_cut = meant.len() > EVIDENCE_ROWS_MAX;
    meant.truncate(EVIDENCE_ROWS_MAX);
    Rows {
        columns: kept.iter().filter_map(|&at| rows.columns.get(at).cloned()).collect(),
        rows: meant,
        is_cut,
        masked: rows.masked.clone(),
    }
}
