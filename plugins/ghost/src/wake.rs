//! From waking to the report.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use pi_catalog::database::Dialect;
use pi_catalog::diff;
use pi_catalog::diff::change::Change;
use pi_catalog::finding::Finding;
use pi_catalog::schema::Snapshot;
use pi_catalog::{health, snapshot};
use pi_patterns::Memory as Patterns;
use pi_sdk::{Outcome, Status, Task, Value, json, serde_json};
use serde::{Deserialize, Serialize};

use crate::draw::{self, Drawn};
use crate::lent::Lent;
use crate::narrate::narrate;
use crate::page::{Mend, Parts, Picture, Scope, page, summary, title};
use crate::rank::{History, key_of as rank_key};
use crate::settings::{Call, Settings};
use crate::world::{World, text_of};

/// What is kept of a database from one look to the next.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Remembered {
    snapshot: Option<Snapshot>,
    patterns: Patterns,
    history: History,
}

/// A database that is looked at.
struct Seen {
    name: String,
    dialect: Dialect,
    personal: Vec<String>,
}

/// What a look at one database gave.
struct Looked {
    findings: Vec<Finding>,
    changes: Vec<Change>,
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
    for database in &databases {
        world.say(&format!("looking at {}", database.name));
        let key = key_of(&call, &database.name);
        let mut looked = look(world, database, &settings, &key, now_ms);
        // One order over all of them; what was told before is known by the database's name.
        history.extend(std::mem::take(&mut looked.remembered.history));
        found.extend(looked.findings.into_iter().map(|finding| (database.name.clone(), finding)));
        changes.extend(looked.changes);
        mends.extend(looked.mends);
        scopes.push(looked.scope);
        kept.push((key, database.name.clone(), looked.remembered));
    }
    let order = history.rank(found, &|key| call.is_muted(key), now_ms);
    let (mut drawn, mut troubles) = draw::draw(world, &order.news, &settings.zone);
    let kinds: BTreeSet<String> = changes.iter().map(|change| change.kind.name()).collect();
    let first_of_schema = order.news.iter().position(|ranked| kinds.contains(&ranked.finding.kind));
    if let Some(first) = first_of_schema {
        let (more, other) = draw::draw_schema(world, &changes, first);
        drawn.extend(more);
        troubles.extend(other);
    }
    let template = summary(&order, &scopes);
    let words = match narrate(world, &order) {
        Ok(words) => words,
        Err(why) => {
            troubles.extend(Some(why).filter(|why| !why.is_empty()));
            template
        }
    };
    if let Some(scope) = scopes.last_mut() {
        scope.gaps.extend(troubles);
    }
    let title = title(&order, &scopes);
    let pictures: Vec<Picture> = drawn.iter().map(|drawn| drawn.picture.clone()).collect();
    let markdown = page(&Parts {
        title: &title,
        summary: &words,
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
    let is_noteworthy = order.is_noteworthy();
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
                findings.extend(diff::findings(&mut lent, &changes));
            }
            if settings.looks_at("data") {
                let options = pi_patterns::Options {
                    now_ms: i64::try_from(now_ms).unwrap_or_default(),
                    offset_minutes: settings.utc_offset_minutes,
                    history_days: settings.history_days,
                    ..pi_patterns::Options::default()
                };
                let report = pi_patterns::look(&mut lent, &now, &remembered.patterns, &options);
                // What it said before is known by the order over everything.
                findings.extend(report.findings.into_iter().chain(report.known));
                let told = |table: &str, what: &str| match table {
                    "" => what.to_owned(),
                    table => format!("`{table}`: {what}"),
                };
                gaps.extend(report.gaps.iter().map(|gap| told(&gap.table, &gap.what)));
                scope.abstained.extend(report.abstained.iter().map(|it| told(&it.table, &it.why)));
                remembered.patterns = report.memory;
            }
            if settings.looks_at("health") {
                let checked = health::examine(&mut lent, &health::Thresholds::default());
                for ailment in checked.ailments {
                    let key = rank_key(&database.name, &ailment.finding);
                    mends.insert(key, Mend { statements: ailment.mend, caveats: ailment.caveats });
                    findings.push(ailment.finding);
                }
                gaps.extend(checked.gaps);
            }
            remembered.snapshot = Some(now);
        }
        Err(error) => gaps.push(format!("`{}` could not be looked at: {error}", database.name)),
    }
    scope.statements = lent.asked;
    scope.gaps = gaps;
    Looked { findings, changes, mends, scope, remembered }
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
