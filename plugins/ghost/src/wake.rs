//! From waking to the report.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pi_catalog::database::Dialect;
use pi_catalog::diff;
use pi_catalog::diff::change::Change;
use pi_catalog::finding::Finding;
use pi_catalog::schema::{Snapshot, Table, TableKind};
use pi_catalog::{health, snapshot};
use pi_patterns::Memory as Patterns;
use pi_sdk::{Outcome, Status, Task, Value, json, serde_json};
use serde::{Deserialize, Serialize};

use crate::draw::{self, Drawn};
use crate::evidence::make_readable;
use crate::lent::Lent;
use crate::narrate::narrate;
use crate::overview::overview;
use crate::page::{Mend, Parts, Picture, Scope, opening, page, summary, title};
use crate::rank::{History, News, key_of as rank_key};
use crate::settings::{Call, Settings};
use crate::text::{escaped, with_groups};
use crate::world::{World, text_of};

/// What is kept of a database from one look to the next.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Remembered {
    snapshot: Option<Snapshot>,
    patterns: Patterns,
    history: History,
    /// What could not be looked at.
    gaps: Vec<String>,
}

/// A database that is looked at.
struct Seen {
    name: String,
    dialect: Dialect,
    personal: Vec<String>,
}

/// What a look at one database gave.
struct Looked {
    findings: Vec<(Finding, News)>,
    changes: Vec<Change>,
    /// Charts of the overview, by the names of their files.
    charts: Vec<(String, Value)>,
    /// Everything was looked at that findings which last come from.
    is_whole: bool,
    mends: BTreeMap<String, Mend>,
    scope: Scope,
    remembered: Remembered,
}

/// Work on `task`.
///
/// # Errors
/// The settings or the input make no sense.
pub fn wake(world: &mut dyn World, task: &Task) -> Result<Outcome, String> {
    let settings = Settings::parse(&task.config)?;
    let call = Call::parse(&task.input)?;
    let databases = match databases(world, &call) {
        Ok(databases) => databases,
        Err(why) => return Ok(outcome(Status::Failed, why, json!({}))),
    };
    let now_ms = world.now_ms();
    let (mut found, mut scopes, mut changes, mut kept) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut history, mut mends) = (History::default(), BTreeMap::new());
    let (mut whole, mut troubles) = (BTreeSet::new(), Vec::new());
    let mut drawn: Vec<Drawn> = Vec::new();
    for database in &databases {
        world.say(&format!("looking at {}", database.name));
        let key = key_of(&call, &database.name);
        let mut looked = look(world, database, &settings, &key, now_ms);
        // One order over all of them; what was told before is known by the database's name.
        history.extend(std::mem::take(&mut looked.remembered.history));
        found.extend(looked.findings.into_iter().map(|(finding, news)| (database.name.clone(), finding, news)));
        if looked.is_whole {
            whole.insert(database.name.clone());
        }
        let (of_overview, other) = draw::draw_named(world, looked.charts);
        for Drawn { picture, .. } in &of_overview {
            let image = format!("\n![{}]({})\n", escaped(&picture.alternative), picture.name);
            looked.scope.overview.push_str(&image);
        }
        drawn.extend(of_overview);
        troubles.extend(other);
        changes.extend(looked.changes);
        mends.extend(looked.mends);
        scopes.push(looked.scope);
        kept.push((key, database.name.clone(), looked.remembered));
    }
    let is_whole = |key: &str| key.split('/').next().is_some_and(|database| whole.contains(database));
    let order = history.rank(found, &is_whole, &|key| call.is_muted(key), now_ms);
    let (of_findings, other) = draw::draw(world, &order.news, &settings.zone);
    drawn.extend(of_findings);
    troubles.extend(other);
    let kinds: BTreeSet<String> = changes.iter().map(|change| change.kind.name()).collect();
    let first_of_schema = order.news.iter().position(|ranked| kinds.contains(&ranked.finding.kind));
    if let Some(first) = first_of_schema {
        let (more, other) = draw::draw_schema(world, &changes, first);
        drawn.extend(more);
        troubles.extend(other);
    }
    let template = summary(&order, &scopes);
    let (words, opening) = match narrate(world, &order) {
        Ok(words) => (words.clone(), words),
        Err(why) => {
            troubles.extend(Some(why).filter(|why| !why.is_empty()));
            (template, opening(&order, &scopes))
        }
    };
    if let Some(scope) = scopes.last_mut() {
        for trouble in troubles {
            if !scope.gaps.contains(&trouble) {
                scope.gaps_new += 1;
                scope.gaps.push(trouble);
            }
        }
    }
    let title = title(&order, &scopes);
    let pictures: Vec<Picture> = drawn.iter().map(|drawn| drawn.picture.clone()).collect();
    let markdown = page(&Parts {
        title: &title,
        summary: &opening,
        order: &order,
        pictures: &pictures,
        mends: &mends,
        scopes: &scopes,
    });
    let findings: Vec<Value> = order
        .news
        .iter()
        .chain(&order.known)
        .map(|it| json!({ "key": it.key, "severity": it.finding.severity, "claim": it.finding.claim }))
        .collect();
    let unkept = remember(world, kept, &history);
    let mut files: Vec<Value> =
        drawn.iter().map(|Drawn { picture, svg, .. }| json!({ "name": picture.name, "text": svg })).collect();
    if call.wants_bitmaps {
        let bitmaps = draw::bitmaps(world, &drawn).into_iter();
        files.extend(bitmaps.map(|(name, bytes)| json!({ "name": name, "base64": BASE64.encode(bytes) })));
    }
    // What could be seen the last time and cannot now is news too.
    let is_noteworthy = order.is_noteworthy() || scopes.iter().any(|scope| scope.gaps_new > 0 && !scope.is_first);
    let status = match (is_noteworthy, scopes.iter().all(|scope| scope.tables == 0)) {
        (_, true) => Status::Failed,
        (true, _) => Status::Done,
        (false, _) if scopes.iter().any(|scope| scope.is_first) => Status::Done,
        (false, _) => Status::NothingToDo,
    };
    let summary = match unkept {
        None => words.clone(),
        Some(why) => format!("{words} What was seen could not be kept for the next time: {why}"),
    };
    let report = json!({
        "topic": call.topic, "title": title, "summary": words, "markdown": markdown,
        "noteworthy": is_noteworthy, "findings": findings, "files": files,
    });
    Ok(outcome(status, summary, json!({ "report": report, "new": order.news.len(), "known": order.known.len() })))
}

fn outcome(status: Status, summary: String, details: Value) -> Outcome {
    Outcome { status, summary, details: details.to_string() }
}

/// The databases that it is about.
fn databases(world: &mut dyn World, call: &Call) -> Result<Vec<Seen>, String> {
    let told = world
        .json("sql_databases", json!({}))
        .map_err(|error| format!("No database can be looked at: {}", text_of(&error)))?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let all: Vec<Seen> = told
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|it| Seen {
            name: text(it, "name"),
            dialect: if text(it, "dialect") == "sqlite" { Dialect::Sqlite } else { Dialect::Postgres },
            personal: it
                .get("personal")
                .and_then(Value::as_array)
                .map(|list| list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect())
                .unwrap_or_default(),
        })
        .filter(|seen| call.databases.is_empty() || call.databases.contains(&seen.name))
        .collect();
    match all.is_empty() {
        true => {
            Err("No database can be looked at: [grants.sql.sql] of pi.toml names none of those that this is about"
                .into())
        }
        false => Ok(all),
    }
}

fn key_of(call: &Call, database: &str) -> String {
    format!("ghost/{}/{database}", call.topic)
}

/// Look at one database, as far as it lets itself be looked at.
fn look(world: &mut dyn World, database: &Seen, settings: &Settings, key: &str, now_ms: u64) -> Looked {
    let mut gaps = Vec::new();
    let mut remembered: Remembered = match world.json("memory_get", json!({ "key": key })) {
        Ok(value) => match value.get("value").filter(|value| !value.is_null()) {
            Some(value) => serde_json::from_value(value.clone()).unwrap_or_else(|error| {
                gaps.push(format!("what was seen the last time cannot be read, so this is a first look: {error}"));
                Remembered::default()
            }),
            None => Remembered::default(),
        },
        Err(error) => {
            gaps.push(format!(
                "what was seen the last time is not known, so this is a first look: {}",
                text_of(&error)
            ));
            Remembered::default()
        }
    };
    let mut lent = Lent { world, name: database.name.clone(), dialect: database.dialect, asked: 0 };
    let mut findings = Vec::new();
    let mut changes = Vec::new();
    let mut charts = Vec::new();
    let mut is_whole = false;
    let mut mends = BTreeMap::new();
    let is_first = remembered.snapshot.is_none();
    let mut scope = Scope { database: database.name.clone(), is_first, ..Scope::default() };
    let sampling = snapshot::Sampling { personal: database.personal.clone(), ..snapshot::Sampling::default() };
    let taken = pi_signals::instant::rfc3339(i64::try_from(now_ms).unwrap_or_default());
    match snapshot::take(&mut lent, &snapshot::Options { taken, sampling: Some(sampling) }) {
        Ok(now) => {
            gaps.extend(now.gaps.iter().cloned());
            scope.tables = now.tables.len();
            scope.columns = now.tables.iter().map(|table| table.columns.len()).sum();
            if let Some(before) = remembered.snapshot.as_ref().filter(|_| settings.looks_at("schema")) {
                changes = diff::diff(before, &now, &[]);
                let told = diff::findings(&mut lent, &changes);
                findings.extend(told.into_iter().map(|finding| (finding, News::Yes)));
            }
            if settings.looks_at("data") {
                let options = pi_patterns::Options {
                    now_ms: i64::try_from(now_ms).unwrap_or_default(),
                    offset_minutes: settings.utc_offset_minutes,
                    history_days: settings.history_days,
                    ..pi_patterns::Options::default()
                };
                let report = pi_patterns::look(&mut lent, &now, &remembered.patterns, &options);
                let told = |table: &str, what: &str| match table {
                    "" => what.to_owned(),
                    table => format!("`{table}`: {what}"),
                };
                gaps.extend(report.gaps.iter().map(|gap| told(&gap.table, &gap.what)));
                // That a view is looked at where its tables are is nothing that anybody has to know.
                let views: BTreeSet<String> =
                    now.tables.iter().filter(|table| table.kind == TableKind::View).map(Table::path).collect();
                let abstained = report.abstained.iter().filter(|it| !views.contains(&it.table));
                scope.abstained.extend(abstained.map(|it| (why_not(&it.why), it.table.clone())));
                if is_first {
                    let offset = settings.utc_offset_minutes;
                    let there = overview(&mut lent, &database.name, &report, &settings.zone, offset);
                    (scope.overview, charts) = (there.markdown, there.charts);
                }
                let mut told = report.findings;
                make_readable(&mut lent, &mut told);
                findings.extend(told.into_iter().map(|finding| (finding, News::Yes)));
                findings.extend(report.known.into_iter().map(|finding| (finding, News::No)));
                remembered.patterns = report.memory;
            }
            if settings.looks_at("health") {
                let checked = health::examine(&mut lent, &health::Thresholds::default());
                for ailment in checked.ailments {
                    let key = rank_key(&database.name, &ailment.finding);
                    mends.insert(key, Mend { statements: ailment.mend, caveats: ailment.caveats });
                    findings.push((ailment.finding, News::UnlessTold));
                }
                // What the last look could not see either hides nothing that it told.
                is_whole = checked.gaps.iter().all(|gap| is_known(gap, &remembered.gaps));
                gaps.extend(checked.gaps);
            }
            remembered.snapshot = Some(now);
        }
        Err(error) => gaps.push(format!("`{}` could not be looked at: {error}", database.name)),
    }
    scope.statements = lent.asked;
    scope.gaps_new = gaps.iter().filter(|gap| !is_known(gap, &remembered.gaps)).count();
    remembered.gaps.clone_from(&gaps);
    scope.gaps = gaps;
    let is_sqlite = database.dialect == Dialect::Sqlite;
    for (finding, _) in &mut findings {
        finding.claim = with_groups(&finding.claim);
        if is_sqlite {
            // SQLite's one schema is written by nobody.
            finding.claim = finding.claim.replace("`main.", "`");
        }
    }
    if is_sqlite {
        let short = |table: &str| table.strip_prefix("main.").unwrap_or(table).to_owned();
        scope.abstained.iter_mut().for_each(|(_, table)| *table = short(table));
        scope.gaps.iter_mut().for_each(|gap| *gap = gap.replace("`main.", "`"));
    }
    Looked { findings, changes, charts, is_whole, mends, scope, remembered }
}

/// Whether an earlier look had the same gap. Numbers in it count something that goes on: days, sessions.
fn is_known(gap: &str, before: &[String]) -> bool {
    let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    before.iter().any(|known| words(known) == words(gap))
}

/// Why something was not judged, for people: series are named as sentences name them.
fn why_not(why: &str) -> String {
    let Some((name, rest)) = why.split_once(": ") else { return why.to_owned() };
    let Some((metric, column)) = name.split_once(':') else { return why.to_owned() };
    let metric = match metric {
        "values" => "the values",
        "nulls" => "the nulls",
        "mean" => "the mean",
        other => other,
    };
    match column {
        "" => format!("{metric}, as the {rest}"),
        column => format!("{metric} of `{column}`, as the {rest}"),
    }
}

/// Keep what was seen for the next time; why that could not be.
fn remember(world: &mut dyn World, kept: Vec<(String, String, Remembered)>, history: &History) -> Option<String> {
    let mut why = None;
    for (key, database, mut remembered) in kept {
        // A look that saw nothing is nothing to compare with.
        if remembered.snapshot.is_none() {
            continue;
        }
        remembered.history = history.of(&database);
        let value = serde_json::to_value(&remembered).unwrap_or_default();
        if let Err(error) = world.json("memory_put", json!({ "key": key, "value": value })) {
            why = Some(text_of(&error));
        }
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_known_whatever_it_counts() {
        let before = ["the statistics are 1.5 days old".to_owned()];
        assert!(is_known("the statistics are 12.5 days old", &before));
        assert!(!is_known("the rights are missing", &before));
    }

    #[test]
    fn why_something_is_not_judged_names_the_series_as_sentences_do() {
        assert_eq!(
            why_not("values:status: newest rows still change"),
            "the values of `status`, as the newest rows still change"
        );
        assert_eq!(why_not("it is empty"), "it is empty");
        assert_eq!(why_not("a column: too short"), "a column: too short");
    }
}
