//! What each column is for, chosen by itself from the catalog and a bounded sample, with the reason of each choice.
//!
//! Three statements for a table: the first learns which columns are marked as personal, the second counts what each
//! column's values are like, the third compares the columns that hold time with the clock, with the key and with each other. Names only tip the balance; values decide.

use pi_catalog::database::{Dialect, Rows};
use pi_catalog::schema::{Class, Column, Table, TableKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::options::Options;
use crate::session::Session;
use crate::sql::{self, TimeForm};

/// A dimension has at most so many values in the sample.
const DIMENSION_VALUES_MAX: f64 = 40.0;
/// Whole numbers of so few values are a dimension (a status, a rating) and no measure.
const CODE_VALUES_MAX: f64 = 12.0;
/// Columns of time that are compared with each other.
const TIMES_MAX: usize = 4;
/// Seconds since 1970 of 2000-01-01 and 2100-01-01: between them a whole number may be a moment.
const EPOCH: (f64, f64) = (946_684_800.0, 4_102_444_800.0);
const DAY_S: f64 = 86_400.0;

/// What a column is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds a moment.
    Time,
    /// Tells rows apart.
    Identifier,
    /// Names something that many rows share: a customer, a product.
    Reference,
    /// Is measured.
    Measure,
    /// Sorts rows into few kinds.
    Dimension,
    /// Text of some form, or free text.
    Text,
    /// Nothing that is looked at but for nulls.
    Other,
}

/// A column with its role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnRole {
    /// The column.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Why.
    pub why: String,
    /// Whether its values are numbers.
    pub is_number: bool,
    /// Whether its values are text.
    pub is_text: bool,
    /// Whether it is marked as telling of a person, or its name says so: then its values stay in the database.
    pub is_personal: bool,
    /// Whether it is marked so where the database is lent: then it may be counted by itself, and nothing else.
    pub is_marked: bool,
    /// How many values were sampled that are not null.
    pub present: f64,
    /// How many of them differ.
    pub distinct: f64,
    /// Smallest and greatest, of numbers.
    pub range: Option<(f64, f64)>,
    /// Characters of a text, on average.
    pub length: f64,
}

/// A column that holds moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeColumn {
    /// The column.
    pub name: String,
    /// How it holds them.
    pub form: TimeForm,
    /// Why it was chosen.
    pub why: String,
    /// Whether it holds days only.
    pub is_date: bool,
}

/// What the columns of a table are for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roles {
    /// When what a row tells of happened.
    pub time: Option<TimeColumn>,
    /// When the row came into the database.
    pub load: Option<TimeColumn>,
    /// Other moments.
    pub times: Vec<TimeColumn>,
    /// Every column that was looked at.
    pub columns: Vec<ColumnRole>,
    /// Rows of the table, as far as known without counting.
    pub rows: u64,
    /// Rows that were sampled.
    pub sampled: f64,
}

impl Roles {
    /// The columns of a role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &ColumnRole> {
        self.columns.iter().filter(move |column| column.role == role)
    }
}

/// Where rows come from, and how a part of them is taken.
pub(crate) struct Source {
    pub(crate) relation: String,
    pub(crate) rows: u64,
    /// Whether a part can be taken without reading all.
    can_sample: bool,
}

impl Source {
    /// Ask what a sample needs to know. SQLite has no estimate, but numbers its rows.
    pub(crate) fn of(session: &mut Session<'_>, table: &Table) -> Self {
        let relation = sql::relation(table);
        let rows = table.rows_estimated.unwrap_or(0);
        match session.dialect {
            Dialect::Postgres => {
                let has_blocks =
                    matches!(table.kind, TableKind::Table | TableKind::Partitioned | TableKind::MaterializedView);
                Self { relation, rows, can_sample: has_blocks && rows > 0 }
            }
            Dialect::Sqlite if table.kind == TableKind::Table => {
                // Fails at a table WITHOUT ROWID, which is no gap: it is read as it comes then.
                let asked = session.try_ask(format!("SELECT min(_rowid_), max(_rowid_) FROM {relation}"));
                let ends = asked.and_then(Result::ok).and_then(|(_, answer)| {
                    let row = answer.rows.first()?;
                    Some((sql::whole(row.first())?, sql::whole(row.get(1))?))
                });
                let estimated = ends.and_then(|(low, high)| u64::try_from(high - low + 1).ok());
                Self { relation, rows: estimated.unwrap_or(rows), can_sample: estimated.is_some() }
            }
            Dialect::Sqlite => Self { relation, rows, can_sample: false },
        }
    }

    /// `FROM` and a condition that leave about so many of the rows; one row of how many is left.
    pub(crate) fn part(&self, dialect: Dialect, rows: u64) -> (String, String, f64) {
        if !self.can_sample || self.rows <= rows.saturating_mul(3) / 2 {
            return (self.relation.clone(), String::new(), 1.0);
        }
        let one_of = self.rows as f64 / rows.max(1) as f64;
        match dialect {
            Dialect::Postgres => {
                let percent = (100.0 / one_of).clamp(0.000_1, 100.0);
                (format!("{} TABLESAMPLE SYSTEM ({percent:.4}) REPEATABLE (7)", self.relation), String::new(), one_of)
            }
            Dialect::Sqlite => {
                let one_of = one_of.round().max(1.0);
                (self.relation.clone(), format!("_rowid_ % {one_of} = 0"), one_of)
            }
        }
    }
}

/// The roles of a table's columns. Nothing where not even the sample could be read; the session says why.
pub(crate) fn roles(session: &mut Session<'_>, table: &Table, source: &Source, options: &Options) -> Option<Roles> {
    let columns: Vec<&Column> = table.columns.iter().take(options.columns_max).collect();
    if columns.is_empty() {
        return Some(Roles::default());
    }
    let marked = marked(session, source, &columns);
    let is_marked = |column: &Column| marked.contains(&column.name);
    let sample = sample_of(session.dialect, source, &columns, options.sample_rows_max);
    let aggregates = |(at, column): (usize, &&Column)| match is_marked(column) {
        true => aggregates_of_marked(at),
        false => aggregates(session.dialect, at, column),
    };
    let wanted: Vec<String> = columns.iter().enumerate().map(aggregates).collect();
    let statement = format!("SELECT count(*) AS sampled, {} FROM ({sample}) AS s", wanted.join(", "));
    let (_, answer) = session.ask("what its columns are like", statement)?;
    let row = answer.rows.first()?;
    let sampled = sql::number(sql::cell(&answer, row, "sampled")).unwrap_or(0.0);
    let seen = |(at, column): (usize, &&Column)| {
        let seen = seen(&answer, row, at, column);
        // Whatever else a marked column holds, it may only be counted and measured.
        if is_marked(column) {
            Seen { is_number: false, is_text: false, form: None, is_date: false, is_marked: true, ..seen }
        } else {
            seen
        }
    };
    let seen: Vec<Seen> = columns.iter().enumerate().map(seen).collect();
    let mut roles = Roles { rows: source.rows.max(sampled as u64), sampled, ..Roles::default() };
    for (column, seen) in columns.iter().zip(&seen) {
        roles.columns.push(role_of(table, column, seen));
    }
    if sampled > 0.0 {
        choose_times(session, table, &columns, &seen, &sample, options, &mut roles);
    }
    Some(roles)
}

/// The columns whose values are masked, as they are marked as personal data. An expression of one is refused, and with it
/// the statement that all columns share; so it is known first. Where this fails, the next statement says why.
fn marked(session: &mut Session<'_>, source: &Source, columns: &[&Column]) -> Vec<String> {
    let list: Vec<String> = columns.iter().map(|column| sql::name(&column.name)).collect();
    let asked = session.try_ask(format!("SELECT {} FROM {} LIMIT 0", list.join(", "), source.relation));
    asked.and_then(Result::ok).map(|(_, answer)| answer.masked).unwrap_or_default()
}

/// How often a marked column is there, and how many values it has: it may be counted by itself.
fn aggregates_of_marked(at: usize) -> String {
    format!("count(c{at}) AS p{at}, count(DISTINCT c{at}) AS d{at}")
}

fn sample_of(dialect: Dialect, source: &Source, columns: &[&Column], rows_max: u64) -> String {
    let (from, condition, _) = source.part(dialect, rows_max);
    let condition = if condition.is_empty() { condition } else { format!(" WHERE {condition}") };
    let list: Vec<String> =
        columns.iter().enumerate().map(|(at, column)| format!("{} AS c{at}", sql::name(&column.name))).collect();
    format!("SELECT {} FROM {from}{condition} LIMIT {rows_max}", list.join(", "))
}

/// What is counted of a column in the sample: `p` present, `d` distinct, `l` and `h` its range, `w` its width, and in
/// SQLite, whose types are a suggestion, what its values really are.
fn aggregates(dialect: Dialect, at: usize, column: &Column) -> String {
    let c = format!("c{at}");
    let mut list = vec![format!("count({c}) AS p{at}")];
    let is_document = matches!(column.class, Class::Json | Class::Bytes | Class::Array | Class::Other);
    if !is_document || dialect == Dialect::Sqlite {
        let short = sql::text(dialect, &c);
        list.push(match dialect {
            Dialect::Postgres => format!("count(DISTINCT {short}) AS d{at}"),
            // Writing a number as text takes longer than all else that is asked here.
            Dialect::Sqlite => {
                format!(
                    "count(DISTINCT CASE WHEN typeof({c}) IN ('integer', 'real') THEN {c} ELSE {short} END) AS d{at}"
                )
            }
        });
    }
    let may_be_number = matches!(column.class, Class::Integer | Class::Decimal | Class::Float);
    if may_be_number || dialect == Dialect::Sqlite {
        let finite = sql::finite(dialect, &c);
        list.push(format!("min({finite}) AS l{at}, max({finite}) AS h{at}"));
    }
    if dialect == Dialect::Sqlite {
        list.push(format!("sum(typeof({c}) IN ('integer', 'real')) AS n{at}, sum(typeof({c}) = 'text') AS t{at}"));
        let looks_iso = format!(
            "typeof({c}) = 'text' AND {c} GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*' AND length({c}) < 40"
        );
        let of_iso = |what: &str| format!("sum(CASE WHEN {looks_iso} THEN {what} ELSE 0 END)");
        list.push(format!(
            "{} AS i{at}, {} AS y{at}, {} AS z{at}",
            of_iso(&format!("strftime('%s', {c}) IS NOT NULL")),
            of_iso(&format!("length({c}) = 10")),
            of_iso(&format!("{c} LIKE '%Z' OR substr({c}, -6) GLOB '[-+][0-9][0-9]:[0-9][0-9]'")),
        ));
    }
    if matches!(column.class, Class::Text | Class::Enum | Class::Other) || dialect == Dialect::Sqlite {
        let length = format!("length({})", sql::text(dialect, &c));
        list.push(match dialect {
            Dialect::Postgres => format!("avg({length}) AS w{at}"),
            Dialect::Sqlite => {
                format!("avg(CASE WHEN typeof({c}) NOT IN ('integer', 'real') THEN {length} END) AS w{at}")
            }
        });
    }
    list.join(", ")
}

#[derive(Clone, Copy, Default)]
struct Seen {
    present: f64,
    distinct: f64,
    range: Option<(f64, f64)>,
    length: f64,
    is_number: bool,
    is_text: bool,
    form: Option<TimeForm>,
    is_date: bool,
    is_marked: bool,
}

fn seen(answer: &Rows, row: &[Value], at: usize, column: &Column) -> Seen {
    const NEARLY_ALL: f64 = 0.95;
    let get = |letter: char| sql::number(sql::cell(answer, row, &format!("{letter}{at}")));
    let present = get('p').unwrap_or(0.0);
    let mut seen = Seen {
        present,
        distinct: get('d').unwrap_or(0.0),
        range: get('l').zip(get('h')),
        length: get('w').unwrap_or(0.0),
        ..Seen::default()
    };
    let most = |letter: char| present > 0.0 && get(letter).unwrap_or(0.0) >= NEARLY_ALL * present;
    if get('n').is_some() {
        seen.is_number = most('n') && column.class != Class::Boolean;
        seen.is_text = most('t') || column.class == Class::Boolean;
        if most('i') {
            seen.form = Some(if most('z') { TimeForm::TextInstant } else { TimeForm::Text });
            seen.is_date = most('y');
        }
    } else {
        seen.is_number = matches!(column.class, Class::Integer | Class::Decimal | Class::Float);
        seen.is_text = matches!(column.class, Class::Text | Class::Enum | Class::Boolean);
        seen.form = match column.class {
            Class::Timestamp => Some(TimeForm::Local),
            Class::Date => Some(TimeForm::Local),
            Class::TimestampTz => Some(TimeForm::Instant),
            _ => None,
        };
        seen.is_date = column.class == Class::Date;
    }
    if seen.form.is_none() && seen.is_number && sounds_like_time(&column.name) {
        seen.form = seen.range.and_then(|(low, high)| match (low, high) {
            (low, high) if low > EPOCH.0 && high < EPOCH.1 => Some(TimeForm::Seconds),
            (low, high) if low > EPOCH.0 * 1e3 && high < EPOCH.1 * 1e3 => Some(TimeForm::Milliseconds),
            _ => None,
        });
    }
    seen
}

/// The words of a name: `orderDate`, `order_date` and `ORDER-DATE` alike.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase();
        if letter.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn has_word(name: &str, list: &[&str]) -> bool {
    words(name).iter().any(|word| list.contains(&word.as_str()))
}

fn sounds_like_time(name: &str) -> bool {
    has_word(name, &["at", "time", "date", "day", "ts", "timestamp", "epoch", "when", "on", "created", "datetime"])
}

/// Whether a name says that a column tells of a person.
pub(crate) fn sounds_personal(name: &str) -> bool {
    const PERSONAL: [&str; 27] = [
        "email",
        "mail",
        "phone",
        "mobile",
        "fax",
        "firstname",
        "lastname",
        "surname",
        "fullname",
        "name",
        "address",
        "street",
        "zip",
        "postcode",
        "postal",
        "ssn",
        "passport",
        "iban",
        "card",
        "birth",
        "birthday",
        "dob",
        "ip",
        "password",
        "secret",
        "token",
        "username",
    ];
    has_word(name, &PERSONAL)
}

/// Moments that are set again later, or lie ahead: rows do not stay where such a column puts them.
fn moves(name: &str) -> bool {
    const MOVING: [&str; 20] = [
        "updated",
        "modified",
        "changed",
        "seen",
        "last",
        "expires",
        "expiry",
        "expiration",
        "due",
        "until",
        "valid",
        "end",
        "ends",
        "birth",
        "birthday",
        "dob",
        "deleted",
        "cancelled",
        "closed",
        "next",
    ];
    has_word(name, &MOVING)
}

fn loads(name: &str) -> bool {
    const LOADING: [&str; 12] = [
        "loaded",
        "load",
        "ingested",
        "inserted",
        "imported",
        "synced",
        "received",
        "etl",
        "arrived",
        "stored",
        "recorded",
        "extracted",
    ];
    has_word(name, &LOADING)
}

fn role_of(table: &Table, column: &Column, seen: &Seen) -> ColumnRole {
    let is_unique_alone = table.primary_key.as_slice() == [column.name.clone()]
        || table.indexes.iter().any(|index| {
            index.is_unique && index.condition.is_none() && index.columns.as_slice() == [column.name.clone()]
        });
    let refers = table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
    let share = if seen.present > 0.0 { seen.distinct / seen.present } else { 0.0 };
    let is_named_key = has_word(&column.name, &["id", "key", "uuid", "guid", "sku", "code", "no", "number", "ref"]);
    let distinct = seen.distinct;
    let few = distinct <= DIMENSION_VALUES_MAX && (share <= 0.1 || (distinct <= 3.0 && seen.present >= 10.0));
    let (role, why) = if seen.form.is_some() {
        (Role::Time, "its values are moments".to_owned())
    } else if is_unique_alone {
        (Role::Identifier, "the catalog says that it is unique".to_owned())
    } else if refers {
        (Role::Reference, "it is part of a foreign key".to_owned())
    } else if seen.is_marked {
        (Role::Other, "it is marked as personal: its values are not looked at".to_owned())
    } else if matches!(column.class, Class::Json | Class::Bytes | Class::Array)
        || (!seen.is_number && !seen.is_text && column.class != Class::Uuid)
    {
        (Role::Other, "its values are no numbers, words or moments".to_owned())
    } else if seen.present >= 50.0 && share >= 0.999 && (is_named_key || column.class == Class::Uuid) {
        (Role::Identifier, format!("all of {} sampled values differ", seen.present))
    } else if seen.is_number && is_named_key && distinct > CODE_VALUES_MAX {
        (Role::Reference, "whole numbers that are named like a key".to_owned())
    } else if seen.is_number && (distinct > CODE_VALUES_MAX || column.class != Class::Integer || !few) {
        (Role::Measure, format!("numbers of {distinct} values"))
    } else if few && seen.length <= 60.0 {
        (Role::Dimension, format!("{distinct} values in {} rows", seen.present))
    } else if seen.length <= 40.0 && share <= 0.3 && distinct <= 5_000.0 || column.class == Class::Uuid {
        (Role::Reference, format!("{distinct} values that {} rows share", seen.present))
    } else {
        (Role::Text, format!("text of {:.0} characters on average", seen.length))
    };
    ColumnRole {
        name: column.name.clone(),
        role,
        why,
        is_number: seen.is_number,
        is_text: seen.is_text,
        is_personal: seen.is_marked || sounds_personal(&column.name),
        is_marked: seen.is_marked,
        present: seen.present,
        distinct,
        range: seen.range,
        length: seen.length,
    }
}

/// A column of time as a candidate, with what speaks for it.
struct Candidate {
    time: TimeColumn,
    score: f64,
    is_load: bool,
}

/// Choose when things happened, when they were loaded, and what other moments there are.
fn choose_times(
    session: &mut Session<'_>,
    table: &Table,
    columns: &[&Column],
    seen: &[Seen],
    sample: &str,
    options: &Options,
    roles: &mut Roles,
) {
    let mut times: Vec<(usize, TimeForm)> =
        seen.iter().enumerate().filter_map(|(at, seen)| Some((at, seen.form?))).collect();
    times.sort_by_key(|&(at, _)| columns.get(at).is_some_and(|column| moves(&column.name)));
    times.truncate(TIMES_MAX);
    if times.is_empty() {
        return;
    }
    let key = table.primary_key.first().filter(|_| table.primary_key.len() == 1);
    let key = key.and_then(|key| columns.iter().position(|column| column.name == *key));
    let key = key.filter(|&at| seen.get(at).is_some_and(|seen| seen.is_number));
    let Some((_, answer)) = session
        .ask("which of its columns says when", compare_times(&times, key, sample, session.dialect, options.now_ms))
    else {
        return;
    };
    let Some(row) = answer.rows.first() else { return };
    let get = |name: String| sql::number(sql::cell(&answer, row, &name));
    let now_s = options.now_ms as f64 / 1e3;
    let mut candidates: Vec<Candidate> = Vec::new();
    for &(at, form) in &times {
        let (Some(column), Some(seen)) = (columns.get(at), seen.get(at)) else { continue };
        let mut score = seen.present / roles.sampled;
        let mut why = vec![format!("{:.0} % of its values are there", 100.0 * score)];
        let (low, high) = (get(format!("l{at}")), get(format!("h{at}")));
        let past = get(format!("f{at}")).map_or(0.0, |ahead| 1.0 - ahead / seen.present.max(1.0));
        if low.zip(high).is_none_or(|(low, high)| high - low < DAY_S) && roles.sampled > 100.0 {
            score -= 1.0;
        }
        if past < 0.98 {
            score -= 1.0;
        }
        if low.is_some_and(|low| now_s - low > 40.0 * 365.0 * DAY_S)
            && has_word(&column.name, &["birth", "dob", "birthday"])
        {
            score -= 1.0;
        }
        let steadiness = correlation(&get, at);
        if steadiness > 0.5 {
            score += 0.5;
            why.push(format!("it rises with the key (correlation {steadiness:.2})"));
        }
        if moves(&column.name) {
            score -= 0.8;
            why.push("its name says that it is set again later".to_owned());
        }
        if has_word(
            &column.name,
            &["created", "ordered", "order", "event", "occurred", "time", "timestamp", "ts", "measured", "at", "date"],
        ) {
            score += 0.1;
        }
        let later =
            times.iter().filter(|&&(other, _)| other != at).filter_map(|&(other, _)| get(format!("g{at}_{other}")));
        let is_last = later.clone().count() > 0 && later.fold(1.0_f64, f64::min) >= 0.98;
        let is_load =
            loads(&column.name) || (is_last && !moves(&column.name) && has_word(&column.name, &["created", "added"]));
        let time = TimeColumn { name: column.name.clone(), form, why: why.join(", "), is_date: seen.is_date };
        candidates.push(Candidate { time, score, is_load });
    }
    candidates
        .sort_by(|a, b| (a.is_load, b.score).partial_cmp(&(b.is_load, a.score)).unwrap_or(std::cmp::Ordering::Equal));
    let mut rest = candidates.into_iter();
    const SCORE_MIN: f64 = 0.85;
    for candidate in rest.by_ref() {
        if roles.time.is_none() && candidate.score >= SCORE_MIN {
            roles.time = Some(candidate.time);
        } else if candidate.is_load && roles.load.is_none() {
            roles.load = Some(candidate.time);
        } else {
            roles.times.push(candidate.time);
        }
    }
}

/// For each column of time: its ends `l` and `h`, how many lie ahead (`f`), sums for the correlation with the key, and
/// for each pair the share in which the one is not before the other (`g`).
fn compare_times(
    times: &[(usize, TimeForm)],
    key: Option<usize>,
    sample: &str,
    dialect: Dialect,
    now_ms: i64,
) -> String {
    let mut list = Vec::new();
    let mut taken: Vec<String> = key.iter().map(|key| format!("c{key}")).collect();
    let now = now_ms / 1000;
    for &(at, form) in times {
        taken.push(format!("{} AS s{at}", bounded_seconds(form, at, dialect)));
        let seconds = format!("s{at}");
        list.push(format!("min({seconds}) AS l{at}, max({seconds}) AS h{at}"));
        list.push(format!("sum(CASE WHEN {seconds} > {now} + 172800 THEN 1 ELSE 0 END) AS f{at}"));
        if let Some(key) = key {
            let (t, k) = (format!("({seconds} - 1600000000.0)"), format!("(1.0 * c{key})"));
            let both = format!("{seconds} IS NOT NULL AND c{key} IS NOT NULL");
            list.push(format!(
                "sum(CASE WHEN {both} THEN 1 ELSE 0 END) AS n{at}, sum(CASE WHEN {both} THEN {t} END) AS t{at}, sum(CASE WHEN {both} THEN {k} END) AS k{at}, sum(CASE WHEN {both} THEN {t} * {t} END) AS tt{at}, sum(CASE WHEN {both} THEN {k} * {k} END) AS kk{at}, sum(CASE WHEN {both} THEN {t} * {k} END) AS tk{at}"
            ));
        }
        for &(other, _) in times {
            if other != at {
                let before = format!("s{other}");
                list.push(format!("avg(CASE WHEN {seconds} >= {before} THEN 1.0 WHEN {seconds} < {before} THEN 0.0 END) AS g{at}_{other}"));
            }
        }
    }
    let rows = sql::once(dialect, &format!("SELECT {} FROM ({sample}) AS a", taken.join(", ")));
    format!("SELECT {} FROM ({rows}) AS s", list.join(", "))
}

/// Seconds where they are no infinity and no year 9999.
fn bounded_seconds(form: TimeForm, at: usize, dialect: Dialect) -> String {
    let seconds = form.seconds(&format!("c{at}"));
    match dialect {
        Dialect::Postgres => {
            let float = format!("CAST({seconds} AS double precision)");
            format!("CASE WHEN {float} BETWEEN -1e10 AND 1e10 THEN {float} END")
        }
        Dialect::Sqlite => format!("CASE WHEN {seconds} BETWEEN -1e10 AND 1e10 THEN {seconds} END"),
    }
}

fn correlation(get: &impl Fn(String) -> Option<f64>, at: usize) -> f64 {
    let sums = ["n", "t", "k", "tt", "kk", "tk"].map(|name| get(format!("{name}{at}")));
    let [Some(n), Some(t), Some(k), Some(tt), Some(kk), Some(tk)] = sums else { return 0.0 };
    if n < 10.0 {
        return 0.0;
    }
    let scale = ((tt - t * t / n) * (kk - k * k / n)).sqrt();
    if scale > 0.0 { (tk - t * k / n) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_however_they_are_written() {
        assert_eq!(words("orderDate"), ["order", "date"]);
        assert_eq!(words("ORDER-DATE"), ["order", "date"]);
        assert_eq!(words("\"; drop table"), ["drop", "table"]);
    }

    #[test]
    fn part_of_a_name_is_not_the_name() {
        assert!(sounds_personal("customer_email"));
        assert!(!sounds_personal("shipment"));
        assert!(moves("updated_at"));
        assert!(!moves("ordered_at"));
    }
}
