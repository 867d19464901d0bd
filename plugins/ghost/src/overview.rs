//! What there is in a database, for the report of the first look: it has no changes to tell of yet, so it says how each
//! table is, what it is dated by, and when its rows come, and a reader sees at once whether it was understood.
//!
//! It knows what `pi-patterns` found out about tables; of its own it asks one statement for each heatmap.

use std::fmt::Write as _;

use pi_catalog::database::{Database, Dialect, Query};
use pi_catalog::quote::quote;
use pi_patterns::roles::TimeColumn;
use pi_patterns::{Report, TableReport};
use pi_sdk::{Value, json};
use pi_signals::instant::date_of;

use crate::text::{escaped, number, sentence};

/// Tables that have a line.
const TABLES_MAX: usize = 40;
/// Tables that have pictures: the largest.
const DRAWN_MAX: usize = 2;
/// Weeks that a heatmap is about.
const WEEKS: i64 = 8;

/// An overview: its text, and the charts that belong below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    pub markdown: String,
    /// The name of each file, and what the tool `chart` draws.
    pub charts: Vec<(String, Value)>,
}

/// Say what there is.
pub fn overview(database: &mut dyn Database, name: &str, report: &Report, zone: &str, offset_minutes: i32) -> Overview {
    let mut tables: Vec<(&TableReport, f64)> =
        report.tables.iter().map(|table| (table, rows_of(table, report))).collect();
    tables.retain(|(table, rows)| *rows > 0.0 || !table.roles.columns.is_empty());
    tables.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.table.cmp(&b.0.table)));
    if tables.is_empty() {
        return Overview::default();
    }
    let mut markdown = String::from("| table | rows | dated by | looked at from | to |\n|---|---:|---|---|---|\n");
    for (table, rows) in tables.iter().take(TABLES_MAX) {
        let time = table.roles.time.as_ref().map_or_else(|| "nothing".to_owned(), |time| format!("`{}`", time.name));
        let (from, to) = table.window.clone().unwrap_or_default();
        let _ = writeln!(
            markdown,
            "| {} | {} | {} | {} | {} |",
            escaped(&format!("`{}`", short(&table.table))),
            number(*rows),
            escaped(&time),
            escaped(&from),
            escaped(&to)
        );
    }
    let more = tables.len().saturating_sub(TABLES_MAX);
    if more > 0 {
        let _ = write!(markdown, "\nThere are {more} more.\n");
    }
    if !report.descriptions.is_empty() {
        markdown.push('\n');
        for description in &report.descriptions {
            let _ = writeln!(markdown, "- {}", escaped(&sentence(&description.claim)));
        }
    }
    let mut charts = Vec::new();
    let dated = tables.iter().filter(|(table, _)| table.roles.time.is_some() && table.window.is_some());
    for (at, (table, _)) in dated.take(DRAWN_MAX).enumerate() {
        let number = at + 1;
        charts.extend(volume(table, report, zone).map(|chart| (format!("{name}-{number}-rows.svg"), chart)));
        charts.extend(
            heatmap(database, table, offset_minutes).map(|chart| (format!("{name}-{number}-hours.svg"), chart)),
        );
    }
    Overview { markdown, charts }
}

/// Rows of a table: counted where it is small, estimated by the database where it is not.
fn rows_of(table: &TableReport, report: &Report) -> f64 {
    let looks = report.memory.tables.get(&table.table).and_then(|memory| memory.looks.last());
    looks.map_or(0.0, |look| look.rows).max(table.roles.rows as f64)
}

fn short(table: &str) -> &str {
    table.strip_prefix("main.").unwrap_or(table)
}

/// The rows of each day, as the look counted them.
fn volume(table: &TableReport, report: &Report, zone: &str) -> Option<Value> {
    let memory = report.memory.tables.get(&table.table)?;
    if !memory.buckets_of.ends_with("Days") || memory.buckets.len() < 14 {
        return None;
    }
    let (first, last) = (*memory.buckets.keys().next()?, memory.judged_to?);
    let days: Vec<i64> = (first..=last).collect();
    let values: Vec<f64> = days.iter().map(|day| memory.buckets.get(day).copied().unwrap_or(0.0)).collect();
    let times: Vec<String> = days.iter().map(|day| date(*day)).collect();
    Some(json!({
        "kind": "line", "title": format!("{}: rows each day", short(&table.table)), "zone": zone,
        "series": [{ "label": "rows", "times": times, "values": values }],
    }))
}

fn date(day: i64) -> String {
    let (year, month, day) = date_of(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// How many rows come at which hour of which weekday, on average over some weeks.
fn heatmap(database: &mut dyn Database, table: &TableReport, offset_minutes: i32) -> Option<Value> {
    let time = table.roles.time.as_ref().filter(|time| !time.is_date)?;
    let until = table.window.as_ref()?.1.get(..10)?.to_owned();
    let statement = hours(database.dialect(), &table.table, time, &until, offset_minutes)?;
    let rows = database.query(&Query::new(statement)).ok()?;
    let mut values = vec![vec![Some(0.0); 24]; 7];
    for row in &rows.rows {
        let at = |place: usize| row.get(place).and_then(whole);
        let (Some(weekday), Some(hour), Some(count)) = (at(0), at(1), at(2)) else { continue };
        // Both databases count from Sunday; the week of the picture begins on Monday.
        let cell = usize::try_from((weekday + 6) % 7).ok().zip(usize::try_from(hour).ok());
        if let Some(cell) = cell.and_then(|(weekday, hour)| values.get_mut(weekday)?.get_mut(hour)) {
            *cell = Some(count as f64 / WEEKS as f64);
        }
    }
    let filled = values.iter().flatten().flatten().filter(|value| **value > 0.0).count();
    // Rows of one hour alone are loaded by a job, and its picture would be a line.
    (filled > 14).then(|| {
        json!({
            "kind": "heatmap", "title": format!("{}: rows by hour and weekday", short(&table.table)),
            "subtitle": format!("mean of the {WEEKS} weeks up to {until}"), "values": values,
        })
    })
}

fn whole(value: &Value) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "a weekday, an hour or a count")]
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64)).or_else(|| value.as_str()?.parse().ok())
}

/// The statement of a heatmap: weekday from Sunday, hour, rows.
fn hours(dialect: Dialect, table: &str, time: &TimeColumn, until: &str, offset_minutes: i32) -> Option<String> {
    let (schema, name) = table.split_once('.')?;
    let column = quote(&time.name);
    let form = serde_json::to_value(time.form).ok()?;
    let form = form.as_str()?;
    let shift = if time.form.is_instant() { offset_minutes } else { 0 };
    let (weekday, hour, day) = match dialect {
        Dialect::Sqlite => {
            let moment = match form {
                "seconds" => format!("{column}, 'unixepoch'"),
                "milliseconds" => format!("{column} / 1000, 'unixepoch'"),
                _ => column,
            };
            let moment = if shift == 0 { moment } else { format!("{moment}, '{shift:+} minutes'") };
            let part = |form: &str| format!("strftime('{form}', {moment})");
            (format!("CAST({} AS INTEGER)", part("%w")), format!("CAST({} AS INTEGER)", part("%H")), part("%Y-%m-%d"))
        }
        Dialect::Postgres => {
            let moment = match form {
                "local" => column,
                "seconds" => format!("to_timestamp({column}) AT TIME ZONE 'UTC'"),
                "milliseconds" => format!("to_timestamp({column} / 1000.0) AT TIME ZONE 'UTC'"),
                _ => format!("{column} AT TIME ZONE 'UTC'"),
            };
            let moment =
                if shift == 0 { format!("({moment})") } else { format!("({moment} + INTERVAL '{shift} minutes')") };
            (
                format!("CAST(extract(dow FROM {moment}) AS integer)"),
                format!("CAST(extract(hour FROM {moment}) AS integer)"),
                format!("CAST(CAST({moment} AS date) AS text)"),
            )
        }
    };
    let fields: Vec<i64> = until.split('-').filter_map(|part| part.parse().ok()).collect();
    let last = (0..40_000).find(|days| fields == [date_of(*days).0, date_of(*days).1, date_of(*days).2])?;
    let from = date(last - WEEKS * 7 + 1);
    Some(format!(
        "SELECT {weekday} AS weekday, {hour} AS hour, count(*) AS rows FROM {}.{} WHERE {day} BETWEEN '{from}' AND '{until}' GROUP BY 1, 2 ORDER BY 1, 2",
        quote(schema),
        quote(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(form: &str) -> TimeColumn {
        serde_json::from_value(json!({ "name": "at", "form": form, "why": "", "is_date": false })).unwrap()
    }

    #[test]
    fn a_heatmap_asks_for_whole_weeks_by_the_readers_clock() {
        let of = |dialect, form, offset| hours(dialect, "public.t", &time(form), "2026-11-29", offset).unwrap();
        let text = of(Dialect::Sqlite, "text", 60);
        assert!(
            text.contains("strftime('%w', \"at\")") && text.contains("BETWEEN '2026-10-05' AND '2026-11-29'"),
            "{text}"
        );
        let text = of(Dialect::Sqlite, "seconds", 60);
        assert!(text.contains("strftime('%H', \"at\", 'unixepoch', '+60 minutes')"), "{text}");
        let text = of(Dialect::Postgres, "instant", -30);
        assert!(text.contains("extract(hour FROM (\"at\" AT TIME ZONE 'UTC' + INTERVAL '-30 minutes'))"), "{text}");
    }

    #[test]
    fn a_table_without_a_window_has_a_line_and_no_picture() {
        struct None_;
        impl Database for None_ {
            fn dialect(&self) -> Dialect {
                Dialect::Sqlite
            }
            fn query(&mut self, _: &Query) -> Result<pi_catalog::database::Rows, pi_catalog::database::QueryError> {
                panic!("nothing is asked")
            }
        }
        let mut table: TableReport = serde_json::from_value(json!({
            "table": "main.things", "roles": { "time": null, "load": null, "times": [], "columns": [], "rows": 12345, "sampled": 0.0 },
            "tests": 0, "statements": 0, "window": null,
        }))
        .unwrap();
        table.roles.rows = 12_345;
        let report = Report { tables: vec![table], ..Report::default() };
        let overview = overview(&mut None_, "shop", &report, "UTC", 0);
        assert!(overview.markdown.contains("| `things` | 12,345 | nothing |  |  |"), "{}", overview.markdown);
        assert!(overview.charts.is_empty());
    }
}
