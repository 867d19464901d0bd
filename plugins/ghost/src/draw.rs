//! Which picture belongs to a finding, and its drawing by the tool `chart`.
//!
//! A finding without a picture is told all the same: whatever keeps the tool from drawing costs the picture alone.

use pi_catalog::diff::change::{Change, ChangeKind};
use pi_catalog::finding::Finding;
use pi_sdk::{Content, Value, json};

use crate::page::{Picture, is_everywhere};
use crate::rank::Ranked;
use crate::text::{number, with_weekday};
use crate::world::{Answer, Call, World};

/// Findings that get pictures.
const DRAWN_MAX: usize = 12;
/// Pictures that are drawn as bitmaps too.
const BITMAPS_MAX: usize = 4;
/// Points of a line: a year of days.
const POINTS_MAX: usize = 400;
const TITLE_CHARS_MAX: usize = 90;
/// Columns of one table that begin to miss values together are drawn as one.
const NULLS_MIN: usize = 2;
/// The place of a picture that belongs to no finding.
const NO_FINDING: usize = usize::MAX;

/// A picture with its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub picture: Picture,
    pub svg: String,
    /// What the tool drew it from.
    pub chart: Value,
}

/// Draw what the first findings have to show; what could not be drawn is said.
pub fn draw(world: &mut dyn World, news: &[Ranked], zone: &str) -> (Vec<Drawn>, Vec<String>) {
    let mut wanted = Vec::new();
    for (index, ranked) in news.iter().take(DRAWN_MAX).enumerate() {
        let finding = &ranked.finding;
        let mut add = |what: &str, chart: Option<Value>| {
            wanted.extend(chart.map(|chart| (index, format!("{}-{what}.svg", index + 1), chart)));
        };
        add("line", line(finding, zone));
        add("parts", contributors(finding));
        add("values", histogram(finding));
        add("nulls", nulls(news, index, zone));
    }
    drawn(world, wanted)
}

/// Draw what belongs to no finding, under the names given.
pub fn draw_named(world: &mut dyn World, charts: Vec<(String, Value)>) -> (Vec<Drawn>, Vec<String>) {
    drawn(world, charts.into_iter().map(|(name, chart)| (NO_FINDING, name, chart)).collect())
}

/// Draw what changed in the schema; `first` is the place of the first finding about it.
pub fn draw_schema(world: &mut dyn World, changes: &[Change], first: usize) -> (Vec<Drawn>, Vec<String>) {
    match schema(changes) {
        Some(chart) => drawn(world, vec![(first, format!("{}-schema.svg", first + 1), chart)]),
        None => (Vec::new(), Vec::new()),
    }
}

/// Draw the first pictures again as bitmaps, for people who are shown no others: their names and their bytes.
pub fn bitmaps(world: &mut dyn World, drawn: &[Drawn]) -> Vec<(String, Vec<u8>)> {
    let chosen = &drawn[..drawn.len().min(BITMAPS_MAX)];
    let calls: Vec<Call> = chosen
        .iter()
        .map(|drawn| {
            let mut arguments = drawn.chart.clone();
            arguments["format"] = "png".into();
            Call { tool: "chart", arguments }
        })
        .collect();
    let answers = world.call(&calls).into_iter().map(|answer| {
        answer.ok()?.into_iter().find_map(|part| match part {
            Content::Blob(blob) if blob.mime == "image/png" => Some(blob.bytes),
            _ => None,
        })
    });
    let name = |drawn: &Drawn| drawn.picture.name.replace(".svg", ".png");
    chosen.iter().zip(answers).filter_map(|(drawn, bytes)| Some((name(drawn), bytes?))).collect()
}

fn drawn(world: &mut dyn World, wanted: Vec<(usize, String, Value)>) -> (Vec<Drawn>, Vec<String>) {
    let calls: Vec<Call> =
        wanted.iter().map(|(_, _, chart)| Call { tool: "chart", arguments: chart.clone() }).collect();
    let (mut pictures, mut troubles) = (Vec::new(), Vec::new());
    for ((finding, name, chart), answer) in wanted.into_iter().zip(world.call(&calls)) {
        match picture_of(answer) {
            Ok((svg, alternative)) => {
                pictures.push(Drawn { picture: Picture { finding, name, alternative }, svg, chart });
            }
            Err(why) => {
                let line = format!("the pictures could not be drawn: {why}");
                if !troubles.contains(&line) {
                    troubles.push(line);
                }
            }
        }
    }
    (pictures, troubles)
}

fn picture_of(answer: Answer) -> Result<(String, String), String> {
    let parts = answer.map_err(|error| crate::world::text_of(&error))?;
    let (mut svg, mut alternative) = (None, String::new());
    for part in parts {
        match part {
            Content::Blob(blob) if blob.mime == "image/svg+xml" => svg = String::from_utf8(blob.bytes).ok(),
            Content::Blob(_) => {}
            Content::Text(text) => alternative = text,
            Content::Json(text) => {
                let value: Value = pi_sdk::serde_json::from_str(&text).unwrap_or_default();
                let told = value.get("alternative").and_then(Value::as_str);
                alternative = told.map_or(text, str::to_owned);
            }
        }
    }
    svg.map(|svg| (svg, alternative)).ok_or_else(|| "the tool gave no picture".to_owned())
}

fn line(finding: &Finding, zone: &str) -> Option<Value> {
    let series = finding.series.as_ref().filter(|series| series.values.len() > 1)?;
    let skipped = series.values.len().saturating_sub(POINTS_MAX);
    let marked: Vec<usize> = series.marked.iter().filter_map(|place| place.checked_sub(skipped)).collect();
    let rest = |values: &[Option<f64>]| values.iter().skip(skipped).copied().collect::<Vec<_>>();
    let times: Vec<&String> = series.times.iter().skip(skipped).collect();
    // A single marked point at the end shows by itself since when.
    let is_long = marked.first().is_some_and(|first| first + 1 < times.len());
    let since = finding.since.as_ref().filter(|_| is_long);
    let annotations = since.map(|since| json!({ "at": since, "label": "since", "kind": "onset" }));
    let (label, unit) = measure(&series.label);
    let title = format!("{}: {label} {}", finding.subject.table, each(&series.times));
    Some(json!({
        "kind": "line", "title": cut(&title), "zone": zone, "unit": unit,
        "series": [{
            "label": cut(&label), "times": times, "values": rest(&series.values),
            "low": rest(&series.low), "high": rest(&series.high), "marked": marked,
        }],
        "annotations": annotations.into_iter().collect::<Vec<_>>(),
    }))
}

/// What a series measures, and its unit: shares are drawn in percent, delays in minutes and hours.
fn measure(label: &str) -> (String, &'static str) {
    if label.starts_with("share of ") {
        return (label.to_owned(), "fraction");
    }
    match label.split_once(" in seconds") {
        Some((before, after)) => (format!("{before}{after}"), "seconds"),
        None => (label.to_owned(), "number"),
    }
}

/// How often there is a value.
fn each(times: &[String]) -> &'static str {
    let day = |at: usize| times.get(at).map(|time| with_weekday(time));
    match (day(0), day(1)) {
        (Some(first), _) if first.len() > "Mon 2026-01-01".len() => "each hour",
        (Some(first), Some(second)) if first.get(..3) == second.get(..3) => "each week",
        _ => "each day",
    }
}

/// Before and after in the bins of a distribution that drifted.
fn histogram(finding: &Finding) -> Option<Value> {
    if finding.kind != "distribution_drifted" {
        return None;
    }
    let list = |form: &dyn Fn(usize) -> String| -> Vec<f64> {
        (0..).map_while(|at| finding.numbers.get(&form(at)).copied()).collect()
    };
    let (before, after) = (list(&|at| format!("bin_{at}_before")), list(&|at| format!("bin_{at}_after")));
    let edges = list(&|at| format!("edge_{at}"));
    // The first bin reaches down and the last one up without an end.
    if before.len() < 2 || before.len() != after.len() || edges.len() + 1 != before.len() {
        return None;
    }
    let name = |at: usize| match (at.checked_sub(1).and_then(|at| edges.get(at)), edges.get(at)) {
        (None, Some(to)) => format!("up to {}", number(*to)),
        (Some(from), Some(to)) => format!("{} to {}", number(*from), number(*to)),
        (Some(from), None) => format!("above {}", number(*from)),
        (None, None) => String::new(),
    };
    let categories: Vec<String> = (0..before.len()).map(name).collect();
    let column = finding.subject.column.as_deref().unwrap_or_default();
    let after_label = finding.since.as_ref().map_or_else(|| "now".to_owned(), |since| format!("since {since}"));
    Some(json!({
        "kind": "histogram", "title": cut(&format!("{}: values of {column}", finding.subject.table)),
        "categories": categories, "before": before, "after": after, "as_share": true,
        "before_label": "four weeks before", "after_label": after_label,
    }))
}

/// The columns of one table that miss values, over time, where there are several; with the first of them.
fn nulls(news: &[Ranked], index: usize, zone: &str) -> Option<Value> {
    let first = news.get(index).map(|ranked| &ranked.finding).filter(|finding| finding.kind == "nulls_rose")?;
    let series = first.series.as_ref()?;
    let is_like = |other: &Finding| {
        let (a, b) = (&other.subject, &first.subject);
        other.kind == first.kind
            && (&a.schema, &a.table) == (&b.schema, &b.table)
            && other.series.as_ref().is_some_and(|it| it.times == series.times)
    };
    let is_first = !news.iter().take(index).any(|ranked| is_like(&ranked.finding));
    let all: Vec<&Finding> = news.iter().map(|ranked| &ranked.finding).filter(|finding| is_like(finding)).collect();
    if !is_first || all.len() < NULLS_MIN {
        return None;
    }
    let columns: Vec<&str> = all.iter().map(|finding| finding.subject.column.as_deref().unwrap_or_default()).collect();
    let shares: Vec<&Vec<Option<f64>>> = all.iter().filter_map(|it| it.series.as_ref().map(|it| &it.values)).collect();
    let marked: Vec<(usize, usize)> = all
        .iter()
        .enumerate()
        .flat_map(|(row, finding)| {
            finding.series.iter().flat_map(|series| &series.marked).map(move |at| (row, *at)).collect::<Vec<_>>()
        })
        .collect();
    Some(json!({
        "kind": "null_matrix", "title": cut(&format!("{}: rows without a value", first.subject.table)), "zone": zone,
        "columns": columns, "times": series.times, "shares": shares, "marked": marked,
    }))
}

fn contributors(finding: &Finding) -> Option<Value> {
    if finding.contributors.len() < 2 || is_everywhere(finding) {
        return None;
    }
    let item = |part: &pi_catalog::finding::Contributor| {
        json!({
            "dimension": part.dimension, "value": part.value,
            "before": part.before, "after": part.after, "share": part.share,
        })
    };
    let items: Vec<Value> = finding.contributors.iter().map(item).collect();
    let dimension = finding.contributors.first().map(|part| part.dimension.as_str()).unwrap_or_default();
    let title = cut(&format!("{}: which {dimension} makes the change", finding.subject.table));
    Some(json!({ "kind": "contributors", "title": title, "items": items }))
}

/// The tables that changed, each with its columns.
fn schema(changes: &[Change]) -> Option<Value> {
    let mut tables: Vec<(String, Value, Vec<Value>)> = Vec::new();
    for change in changes {
        let subject = &change.subject;
        if subject.table.is_empty() {
            continue;
        }
        let schema = if subject.schema == "main" { String::new() } else { format!("{}.", subject.schema) };
        let name = format!("{schema}{}", subject.table);
        let index = tables.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            tables.push((name.clone(), json!({ "name": name, "change": "changed", "breaking": false }), Vec::new()));
            tables.len() - 1
        });
        let Some((_, table, columns)) = tables.get_mut(index) else { continue };
        if change.is_breaking() {
            table["breaking"] = true.into();
        }
        let word = match change.kind {
            ChangeKind::TableAdded | ChangeKind::ColumnAdded => "added",
            ChangeKind::TableDropped | ChangeKind::ColumnDropped => "removed",
            ChangeKind::TableRenamed | ChangeKind::TableMoved | ChangeKind::ColumnRenamed => "renamed",
            _ => "changed",
        };
        match (&subject.column, change.kind) {
            (Some(column), kind) => {
                let is_renamed = kind == ChangeKind::ColumnRenamed;
                let (before, after) = if is_renamed { (None, None) } else { (change.old.clone(), change.new.clone()) };
                columns.push(json!({
                    "name": column, "change": word, "from": change.old.clone().filter(|_| is_renamed),
                    "before": before, "after": after, "breaking": change.is_breaking(),
                }));
            }
            (None, ChangeKind::TableAdded | ChangeKind::TableDropped) => table["change"] = word.into(),
            (None, ChangeKind::TableRenamed | ChangeKind::TableMoved) => {
                table["change"] = word.into();
                table["from"] = change.old.clone().into();
            }
            (None, _) => {
                let what = change.item.clone().unwrap_or_else(|| change.kind.name().replace('_', " "));
                columns.push(json!({
                    "name": what, "change": word, "before": change.old, "after": change.new, "breaking": change.is_breaking(),
                }));
            }
        }
    }
    if tables.is_empty() {
        return None;
    }
    let tables: Vec<Value> = tables
        .into_iter()
        .map(|(_, mut table, columns)| {
            table["columns"] = columns.into();
            table
        })
        .collect();
    Some(json!({ "kind": "schema_diff", "title": "What changed in the schema", "tables": tables }))
}

fn cut(text: &str) -> String {
    text.chars().take(TITLE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pi_catalog::finding::{Series, Severity, Subject};

    fn with_series(label: &str, times: &[&str], marked: &[usize]) -> Finding {
        let mut finding = Finding::new("nulls_rose", Subject::column("main", "orders", label), Severity::Notice, "x");
        finding.series = Some(Series {
            label: label.to_owned(),
            times: times.iter().map(|time| (*time).to_owned()).collect(),
            values: vec![Some(0.0); times.len()],
            marked: marked.to_vec(),
            ..Series::default()
        });
        finding.since = Some("2026-11-02".to_owned());
        finding
    }

    fn ranked(finding: Finding) -> Ranked {
        Ranked { key: "shop/x".into(), finding, first_ms: 0 }
    }

    #[test]
    fn a_line_says_what_is_measured_how_often_and_in_which_unit() {
        let finding = with_series("share of nulls of fee", &["2026-11-01", "2026-11-02"], &[1]);
        let chart = line(&finding, "UTC").unwrap();
        assert_eq!(chart["title"], "orders: share of nulls of fee each day");
        assert_eq!((&chart["unit"], &chart["annotations"]), (&json!("fraction"), &json!([])));
        let finding = with_series("mean delay in seconds of at", &["2026-11-02", "2026-11-09"], &[0, 1]);
        let chart = line(&finding, "UTC").unwrap();
        assert_eq!(
            (&chart["title"], &chart["unit"]),
            (&json!("orders: mean delay of at each week"), &json!("seconds"))
        );
        assert_eq!(chart["annotations"][0]["at"], "2026-11-02");
        let finding = with_series("rows", &["2026-11-02 06:00:00", "2026-11-02 07:00:00"], &[1]);
        assert_eq!(line(&finding, "UTC").unwrap()["title"], "orders: rows each hour");
    }

    #[test]
    fn a_drifted_distribution_is_drawn_before_and_after() {
        let mut finding =
            Finding::new("distribution_drifted", Subject::column("main", "orders", "fee"), Severity::Notice, "x");
        let numbers = [
            ("edge_0", 10.0),
            ("bin_0_before", 0.9),
            ("bin_1_before", 0.1),
            ("bin_0_after", 0.2),
            ("bin_1_after", 0.8),
        ];
        finding.numbers = numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let chart = histogram(&finding).unwrap();
        assert_eq!(chart["categories"], json!(["up to 10", "above 10"]));
        assert_eq!((&chart["before"], &chart["after"]), (&json!([0.9, 0.1]), &json!([0.2, 0.8])));
        finding.numbers.remove("edge_0");
        assert_eq!(histogram(&finding), None);
    }

    #[test]
    fn columns_that_miss_values_together_are_one_picture() {
        let times = ["2026-11-01", "2026-11-02"];
        let news = vec![ranked(with_series("a", &times, &[1])), ranked(with_series("b", &times, &[0]))];
        let chart = nulls(&news, 0, "UTC").unwrap();
        assert_eq!((&chart["columns"], &chart["marked"]), (&json!(["a", "b"]), &json!([[0, 1], [1, 0]])));
        assert_eq!(nulls(&news, 1, "UTC"), None, "the first has it");
        assert_eq!(nulls(&news[..1], 0, "UTC"), None);
    }
}
