//! Evidence as people read it: a statement that can be run as it stands there, and the few rows that matter.
//!
//! What a look asks serves many tests at once: all columns in one statement, days as numbers, parameters apart. What is
//! shown is cut down to the finding's own columns, with days as days and parameters in place. It is asked again in
//! that form, so that the rows beside it are its own; where that fails the evidence stays as it was.
//!
//! Nothing is parsed beyond what the statements of `pi-patterns` need: a list behind SELECT, up to FROM.

use std::fmt::Write as _;

use pi_catalog::database::{Database, Dialect, Query, Rows};
use pi_catalog::finding::{Evidence, Finding};
use pi_catalog::quote::quote;
use pi_sdk::Value;

/// Findings whose evidence is asked again: each is one statement more.
const ASKED_MAX: usize = 24;
/// Spans of time that are shown: two weeks.
const SPANS_MAX: usize = 14;
/// Characters of a value from which on it may have been cut by the statement.
const VALUE_CHARS_MAX: usize = 120;

/// How wide the buckets of a statement are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Hour,
    Day,
    Week,
}

/// Bring the evidence of findings into the form in which it is shown.
pub fn make_readable(database: &mut dyn Database, findings: &mut [Finding]) {
    for finding in findings.iter_mut().take(ASKED_MAX) {
        let column = finding.subject.column.clone();
        let marked = finding.series.as_ref().and_then(|series| {
            let last = series.marked.last()?;
            series.times.get(*last).cloned()
        });
        for evidence in &mut finding.evidence {
            if let Some(readable) = readable(database, evidence, column.as_deref(), marked.as_deref()) {
                *evidence = readable;
            }
        }
    }
}

/// The same evidence, with days as days and no columns that the finding does not speak of.
fn readable(
    database: &mut dyn Database,
    evidence: &Evidence,
    column: Option<&str>,
    until: Option<&str>,
) -> Option<Evidence> {
    if evidence.rows.columns.first().is_none_or(|name| name != "bucket") || !evidence.query.parameters.is_empty() {
        return None;
    }
    let width = width_of(&evidence.rows)?;
    let statement = rewritten(&evidence.query.statement, &evidence.rows.columns, width, database.dialect(), column)?;
    let statement = of_one_value(statement, &evidence.rows, column);
    let query = Query::new(statement);
    let mut rows = database.query(&query).ok()?;
    let when = |row: &Vec<Value>| row.first().and_then(Value::as_str).unwrap_or_default().to_owned();
    rows.rows.sort_by_key(when);
    if let Some(until) = until {
        rows.rows.retain(|row| when(row).as_str() <= until);
    }
    let skipped = rows.rows.len().saturating_sub(SPANS_MAX);
    rows.rows.drain(..skipped);
    rows.is_cut = false;
    Some(Evidence { query, rows })
}

/// What is about one value of a column asks for that value alone.
fn of_one_value(statement: String, rows: &Rows, column: Option<&str>) -> String {
    let value = || {
        let at = rows.columns.iter().position(|name| name == "value")?;
        let mut values = rows.rows.iter().filter_map(|row| row.get(at));
        let first = values.next()?;
        // A long text is looked at only in its beginning, and is not equal to it.
        let is_whole = first.as_str().is_none_or(|text| text.chars().count() < VALUE_CHARS_MAX);
        (is_whole && !first.is_null() && values.all(|value| value == first)).then(|| literal(first))
    };
    match column.zip(value()) {
        Some((column, value)) => {
            let name = quote(column);
            statement.replacen(&format!(" {name} IS NOT NULL"), &format!(" {name} = {value}"), 1)
        }
        None => statement,
    }
}

/// The buckets' width by their size: hours since 1970 are above 400,000 now, days above 20,000, weeks above 2,900.
fn width_of(rows: &Rows) -> Option<Width> {
    let bucket = rows.rows.first()?.first()?.as_f64()?;
    match bucket {
        hours if hours > 100_000.0 => Some(Width::Hour),
        days if days > 8_000.0 => Some(Width::Day),
        weeks if weeks > 500.0 => Some(Width::Week),
        _ => None,
    }
}

fn rewritten(
    statement: &str,
    shown: &[String],
    width: Width,
    dialect: Dialect,
    column: Option<&str>,
) -> Option<String> {
    let (items, tail) = items_of(statement)?;
    let aliases: Vec<&str> = items.iter().map(|item| alias_of(item)).collect();
    if aliases.first() != Some(&"bucket") {
        return None;
    }
    let first = items.first()?;
    let bucket = first.strip_suffix("AS bucket").unwrap_or(first).trim();
    // Grouped by its name, the expression must keep it; one that is only taken over from a subquery has it there.
    if bucket != "bucket" && behind(tail, "GROUP BY").is_some_and(|list| list.contains("bucket")) {
        return None;
    }
    let ordinals = ["GROUP BY", "ORDER BY"].iter().filter_map(|word| behind(tail, word)).filter_map(greatest);
    let fixed = ordinals.max().unwrap_or(1);
    let mut list = vec![as_time(bucket, width, dialect)];
    for (at, (item, alias)) in items.iter().zip(&aliases).enumerate().skip(1) {
        let is_sum = alias.strip_prefix("sum").is_some_and(|rest| rest.parse::<u32>().is_ok());
        if at < fixed || (shown.iter().any(|name| name == alias) && !is_sum) {
            list.push(match column.and(plain_name(alias)) {
                Some(name) => format!("{} AS {name}", item.strip_suffix(&format!(" AS {alias}")).unwrap_or(item)),
                None => (*item).to_owned(),
            });
        }
    }
    Some(format!("SELECT {}{tail}", list.join(", ")))
}

/// A bucket's number as the time at which it begins. Weeks begin on Monday; 1970 began on a Thursday.
fn as_time(bucket: &str, width: Width, dialect: Dialect) -> String {
    match (dialect, width) {
        (Dialect::Sqlite, Width::Hour) => format!("datetime(({bucket}) * 3600, 'unixepoch') AS hour"),
        (Dialect::Sqlite, Width::Day) => format!("date(({bucket}) * 86400, 'unixepoch') AS day"),
        (Dialect::Sqlite, Width::Week) => format!("date(({bucket}) * 604800 - 259200, 'unixepoch') AS week"),
        (Dialect::Postgres, Width::Hour) => {
            format!("CAST(TIMESTAMP '1970-01-01' + ({bucket}) * INTERVAL '1 hour' AS text) AS hour")
        }
        (Dialect::Postgres, Width::Day) => {
            format!("CAST(DATE '1970-01-01' + CAST({bucket} AS integer) AS text) AS day")
        }
        (Dialect::Postgres, Width::Week) => {
            format!("CAST(DATE '1970-01-01' + CAST(({bucket}) * 7 - 3 AS integer) AS text) AS week")
        }
    }
}

/// What a column of a wide statement counts, in a word: `p6` is how many rows have a value in the seventh column.
fn plain_name(alias: &str) -> Option<&'static str> {
    let letters = alias.trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.len() == alias.len() {
        return None;
    }
    Some(match letters {
        "p" => "with_a_value",
        "e" => "blank",
        "a" => "mean",
        "q" => "mean_of_squares",
        "h" => "greatest",
        "l" => "least",
        "z" => "zero",
        "m" => "negative",
        "u" => "numbers",
        "w" => "mean_length",
        "ga" => "mean_seconds",
        "gn" => "before_the_event",
        _ => return None,
    })
}

/// The list behind SELECT, and what follows it from FROM on.
fn items_of(statement: &str) -> Option<(Vec<&str>, &str)> {
    let list = statement.strip_prefix("SELECT ")?;
    let (mut depth, mut quote, mut begin) = (0_usize, None, 0);
    let mut items = Vec::new();
    for (at, c) in list.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                items.push(list.get(begin..at)?.trim());
                begin = at + 1;
            }
            (None, ' ') if depth == 0 && list.get(at..)?.starts_with(" FROM ") => {
                items.push(list.get(begin..at)?.trim());
                return Some((items, list.get(at..)?));
            }
            _ => {}
        }
    }
    None
}

fn alias_of(item: &str) -> &str {
    item.rsplit_once(" AS ").map_or(item, |(_, alias)| alias)
}

/// What stands behind the last of these words, where the statement itself has them: those of a subquery end in a bracket.
fn behind<'t>(tail: &'t str, words: &str) -> Option<&'t str> {
    let rest = tail.rsplit_once(words)?.1;
    let is_own = rest.chars().filter(|c| *c == '(').count() >= rest.chars().filter(|c| *c == ')').count();
    let end = [" ORDER BY", " LIMIT"].iter().filter_map(|word| rest.find(word)).min().unwrap_or(rest.len());
    rest.get(..end).filter(|_| is_own)
}

/// The greatest place that a list of GROUP BY or ORDER BY names.
fn greatest(list: &str) -> Option<usize> {
    list.split(',').filter_map(|part| part.trim().split(' ').next()?.parse().ok()).max()
}

/// A statement with its parameters in place, to be copied and run.
pub fn inlined(query: &Query) -> String {
    let mut out = String::with_capacity(query.statement.len());
    let mut rest = query.statement.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = after.split_at(digits);
        let value = number.parse::<usize>().ok().and_then(|at| query.parameters.get(at.checked_sub(1)?));
        match value {
            Some(value) => out.push_str(&literal(value)),
            None => _ = write!(out, "${number}"),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pi_sdk::json;

    const DAY: &str = "CAST((CAST(strftime('%s', \"at, FROM x\") AS INTEGER)) AS INTEGER) / 86400";

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_wide_statement_is_cut_down_to_what_the_finding_speaks_of() {
        let wide = format!(
            "SELECT {DAY} AS bucket, count(*) AS rows, count(\"a\") AS p0, count(\"b\") AS p1 FROM \"t\" GROUP BY 1 ORDER BY 1"
        );
        let shown = names(&["bucket", "rows", "p1"]);
        assert_eq!(
            rewritten(&wide, &shown, Width::Day, Dialect::Sqlite, Some("b")).unwrap(),
            format!(
                "SELECT date(({DAY}) * 86400, 'unixepoch') AS day, count(*) AS rows, count(\"b\") AS with_a_value FROM \"t\" GROUP BY 1 ORDER BY 1"
            )
        );
    }

    #[test]
    fn what_is_grouped_by_its_place_stays_in_its_place() {
        let of = "SELECT x AS bucket, y AS value, count(*) AS rows, sum(z) AS sum0 FROM t GROUP BY 1, 2 ORDER BY 1 DESC, 3 DESC LIMIT 10";
        let statement =
            rewritten(of, &names(&["bucket", "rows", "sum0"]), Width::Week, Dialect::Postgres, None).unwrap();
        assert!(statement.contains(" AS week, y AS value, count(*) AS rows FROM t GROUP BY 1, 2"), "{statement}");
    }

    #[test]
    fn a_bucket_out_of_a_subquery_is_a_day_as_well() {
        let of = "SELECT bucket, sum(n) AS rows FROM (SELECT x AS bucket, count(*) AS n FROM t GROUP BY 1, 2) AS s GROUP BY bucket ORDER BY bucket";
        let statement = rewritten(of, &names(&["bucket", "rows"]), Width::Day, Dialect::Sqlite, None).unwrap();
        assert!(
            statement.starts_with("SELECT date((bucket) * 86400, 'unixepoch') AS day, sum(n) AS rows FROM (SELECT x"),
            "{statement}"
        );
    }

    #[test]
    fn what_is_about_one_value_asks_for_it_alone() {
        let of = |values: &[&str]| {
            let rows = values.iter().map(|value| vec![json!(20_784), json!(value)]).collect();
            let rows = Rows { columns: names(&["bucket", "value"]), rows, ..Rows::default() };
            of_one_value("SELECT 1 FROM t WHERE \"c\" IS NOT NULL GROUP BY 1".into(), &rows, Some("c"))
        };
        assert_eq!(of(&["it's", "it's"]), "SELECT 1 FROM t WHERE \"c\" = 'it''s' GROUP BY 1");
        assert!(of(&["a", "b"]).contains("IS NOT NULL") && of(&["x".repeat(120).as_str()]).contains("IS NOT NULL"));
    }

    #[test]
    fn what_is_not_understood_is_left_as_it_is() {
        for of in [
            "WITH s AS (SELECT 1) SELECT 1",
            "SELECT 1",
            "SELECT x AS bucket FROM t GROUP BY bucket",
            "SELECT a) FROM t",
        ] {
            assert_eq!(rewritten(of, &[], Width::Day, Dialect::Sqlite, None), None, "{of}");
        }
    }

    #[test]
    fn parameters_stand_where_they_belong() {
        let query = Query::with("SELECT $1, $2", vec![json!("it's $2"), json!(3)]);
        assert_eq!(inlined(&query), "SELECT 'it''s $2', 3");
        assert_eq!(inlined(&Query::new("SELECT '$1', $$")), "SELECT '$1', $$");
    }

    #[test]
    fn buckets_are_known_by_their_size() {
        let of = |bucket: i64| {
            width_of(&Rows { columns: names(&["bucket"]), rows: vec![vec![json!(bucket)]], ..Rows::default() })
        };
        assert_eq!(
            (of(500_000), of(20_784), of(2_969), of(3)),
            (Some(Width::Hour), Some(Width::Day), Some(Width::Week), None)
        );
    }
}
