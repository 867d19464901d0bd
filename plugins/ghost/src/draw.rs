//! Which picture belongs to a finding, and its drawing by the tool `chart`.
//!
//! A finding without a picture is told all the same: whatever keeps the tool from drawing costs the picture alone.

use pi_catalog::diff::change::{Change, ChangeKind};
use pi_catalog::finding::Finding;
use pi_sdk::{Content, Value, json};

use crate::page::Picture;
use crate::rank::Ranked;
use crate::world::{Answer, Call, World};

/// Findings that get pictures.
const DRAWN_MAX: usize = 12;
/// Pictures that are drawn as bitmaps too.
const BITMAPS_MAX: usize = 4;
/// Points of a line: a year of days.
const POINTS_MAX: usize = 400;
const TITLE_CHARS_MAX: usize = 90;

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
        wanted.extend(line(&ranked.finding, zone).map(|chart| (index, "line", chart)));
        wanted.extend(contributors(&ranked.finding).map(|chart| (index, "parts", chart)));
    }
    drawn(world, wanted)
}

/// Draw what changed in the schema; `first` is the place of the first finding about it.
pub fn draw_schema(world: &mut dyn World, changes: &[Change], first: usize) -> (Vec<Drawn>, Vec<String>) {
    match schema(changes) {
        Some(chart) => drawn(world, vec![(first, "schema", chart)]),
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

fn drawn(world: &mut dyn World, wanted: Vec<(usize, &'static str, Value)>) -> (Vec<Drawn>, Vec<String>) {
    let calls: Vec<Call> =
        wanted.iter().map(|(_, _, chart)| Call { tool: "chart", arguments: chart.clone() }).collect();
    let (mut pictures, mut troubles) = (Vec::new(), Vec::new());
    for ((finding, what, chart), answer) in wanted.into_iter().zip(world.call(&calls)) {
        match picture_of(answer) {
            Ok((svg, alternative)) => {
                let name = format!("{}-{what}.svg", finding + 1);
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
    let annotations = finding.since.as_ref().map(|since| json!({ "at": since, "label": "since", "kind": "onset" }));
    Some(json!({
        "kind": "line", "title": cut(&series.label), "zone": zone,
        "series": [{
            "label": cut(&series.label), "times": times, "values": rest(&series.values),
            "low": rest(&series.low), "high": rest(&series.high), "marked": marked,
        }],
        "annotations": annotations.into_iter().collect::<Vec<_>>(),
    }))
}

fn contributors(finding: &Finding) -> Option<Value> {
    if finding.contributors.len() < 2 {
        return None;
    }
    let item = |part: &pi_catalog::finding::Contributor| {
        json!({
            "dimension": part.dimension, "value": part.value,
            "before": part.before, "after": part.after, "share": part.share,
        })
    };
    let items: Vec<Value> = finding.contributors.iter().map(item).collect();
    Some(json!({ "kind": "contributors", "title": "Which parts make the change", "items": items }))
}

/// The tables that changed, each with its columns.
fn schema(changes: &[Change]) -> Option<Value> {
    let mut tables: Vec<(String, Value, Vec<Value>)> = Vec::new();
    for change in changes {
        let subject = &change.subject;
        if subject.table.is_empty() {
            continue;
        }
        let name = format!("{}.{}", subject.schema, subject.table);
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
