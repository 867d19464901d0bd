//! Databases as they should not be: each defect is a gap or nothing, and the rest of the look goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end where the world is not as it should be")]

mod generate;

use generate::database::Sqlite;
use generate::looked;
use pi_catalog::database::QueryError;
use pi_patterns::Memory;

/// 2025-03-01 at six in the morning.
const NOW_MS: i64 = 1_740_808_800_000;

/// A table of events with fifty days of history.
fn with_events() -> Sqlite {
    let database = Sqlite::new();
    database.run(
        "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, kind TEXT, size REAL);
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
         INSERT INTO events SELECT i, datetime('2025-02-28 23:00:00', '-' || (i / 100) || ' days', '-' || ((i % 100) * 10) || ' minutes'), CASE i % 3 WHEN 0 THEN 'a' ELSE 'b' END, 10 + i % 17 FROM n;",
    );
    database
}

#[test]
fn empty_database_gives_an_empty_report() {
    let report = looked(&mut Sqlite::new(), &Memory::default(), NOW_MS);
    assert!(report.findings.is_empty() && report.gaps.is_empty() && report.tables.is_empty());
}

#[test]
fn empty_table_and_table_without_time_are_abstained_from() {
    let mut database = Sqlite::new();
    database.run("CREATE TABLE unused (id INTEGER); CREATE TABLE things (id INTEGER PRIMARY KEY, label TEXT); INSERT INTO things VALUES (1, 'x')");
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(report.findings.is_empty() && report.gaps.is_empty(), "{:?}", report.gaps);
    assert_eq!(report.abstained.len(), 2, "{:?}", report.abstained);
}

#[test]
fn infinity_emoji_large_cells_documents_and_the_year_9999_are_survived() {
    let mut database = with_events();
    database.run(
        "CREATE TABLE odd (id INTEGER PRIMARY KEY, at TEXT, size REAL, note TEXT, document JSON, raw BLOB);
         INSERT INTO odd SELECT id, at, size, '🦊 note', '{\"a\": [1]}', x'00ff' FROM events;
         UPDATE odd SET size = 9e999 WHERE id % 50 = 0;
         UPDATE odd SET size = -9e999 WHERE id % 51 = 0;
         UPDATE odd SET at = '9999-12-31 23:59:59' WHERE id % 500 = 1;
         UPDATE odd SET at = NULL WHERE id % 500 = 2;
         UPDATE odd SET at = 'yesterday' WHERE id % 500 = 3;
         UPDATE odd SET note = hex(zeroblob(500000)) WHERE id % 1000 = 4;",
    );
    let first = looked(&mut database, &Memory::default(), NOW_MS);
    let second = looked(&mut database, &first.memory, NOW_MS);
    assert!(first.gaps.is_empty() && second.gaps.is_empty(), "{:?}", first.gaps);
    assert!(first.tables.iter().any(|table| table.table == "main.odd" && table.tests > 5), "{:?}", first.abstained);
    let text = serde_json::to_string(&second).unwrap();
    assert!(text.len() < 2_000_000, "cells of megabytes are in the report: {}", text.len());
    assert_eq!(serde_json::from_str::<pi_patterns::Report>(&text).unwrap().findings.len(), second.findings.len());
}

#[test]
fn column_that_is_marked_as_personal_is_counted_and_nothing_else() {
    let mut database = with_events();
    database.run(
        "ALTER TABLE events ADD COLUMN mail TEXT; UPDATE events SET mail = 'a' || id || '@example.org' WHERE id % 20 > 0;
         UPDATE events SET mail = NULL WHERE at >= '2025-02-28' AND id % 2 > 0",
    );
    database.marked = vec!["mail".to_owned()];
    // What a host refuses: every expression of the column but that it is counted, or is NULL. It is the table's fifth.
    database.before_each = Some(Box::new(|_, statement| {
        let is_expression =
            ["(\"mail\" AS", "typeof(\"mail\"", "CAST(\"mail\"", "CAST(c4 AS", "typeof(c4)", "min(c4", "length(c4"]
                .iter()
                .any(|part| statement.contains(part));
        is_expression.then(|| QueryError::Refused("an expression of a personal column".into()))
    }));
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(report.gaps.is_empty(), "{:?}", report.gaps);
    let kinds: Vec<(&str, Option<&str>)> =
        report.findings.iter().map(|finding| (finding.kind.as_str(), finding.subject.column.as_deref())).collect();
    assert_eq!(kinds, [("nulls_rose", Some("mail"))]);
}

#[test]
fn hostile_names_are_only_names() {
    let mut database = with_events();
    database.run(
        "CREATE TABLE \"\"\"; DROP TABLE events; --\" (\"id\" INTEGER PRIMARY KEY, \"at'\"\"; --\" TEXT, \"ki nd\" TEXT, \"größe 🦊\" REAL);
         INSERT INTO \"\"\"; DROP TABLE events; --\" SELECT id, at, kind, size FROM events;",
    );
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(report.gaps.is_empty(), "{:?}", report.gaps);
    assert!(report.tables.iter().all(|table| table.window.is_some()), "{:?}", report.abstained);
    let left: i64 = database.connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 5_000);
}

#[test]
fn view_that_fails_is_a_gap_and_the_table_beside_it_is_looked_at() {
    let mut database = with_events();
    database.run("CREATE TABLE gone (id INTEGER); CREATE VIEW broken AS SELECT id FROM gone; DROP TABLE gone");
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(report.gaps.iter().any(|gap| gap.table == "main.broken"), "{:?}", report.gaps);
    assert!(report.tables.iter().any(|table| table.table == "main.events" && table.tests > 0));
}

#[test]
fn table_that_is_dropped_during_the_look_is_a_gap() {
    let mut database = with_events();
    database.run("CREATE TABLE later AS SELECT * FROM events");
    let snapshot = database.snapshot();
    let mut asked = 0;
    database.before_each = Some(Box::new(move |connection, statement| {
        asked += usize::from(statement.contains("\"later\""));
        if asked == 5 {
            connection.execute_batch("DROP TABLE IF EXISTS later").unwrap();
        }
        None
    }));
    let options = pi_patterns::Options { now_ms: NOW_MS, ..Default::default() };
    let report = pi_patterns::look(&mut database, &snapshot, &Memory::default(), &options);
    assert_eq!(report.gaps.iter().filter(|gap| gap.table == "main.later").count(), 1, "{:?}", report.gaps);
    assert!(report.tables.iter().any(|table| table.table == "main.events" && table.tests > 0));
}

#[test]
fn statements_that_time_out_are_gaps_and_the_table_is_left_alone_after_two() {
    let mut database = with_events();
    database.before_each =
        Some(Box::new(|_, statement| statement.contains("GROUP BY").then(|| QueryError::TimedOut("10 s".into()))));
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(!report.gaps.is_empty() && report.gaps.len() <= 2, "{:?}", report.gaps);
    assert!(database.asked < 12, "{}", database.asked);
}

#[test]
fn database_that_goes_away_ends_the_look_with_what_it_has() {
    let mut database = with_events();
    database.run("CREATE TABLE other AS SELECT * FROM events");
    database.before_each = Some(Box::new(|_, statement| {
        statement.contains("GROUP BY").then(|| QueryError::Unavailable("connection reset".into()))
    }));
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(
        report.gaps.iter().any(|gap| gap.table.is_empty() && gap.what.contains("out of reach")),
        "{:?}",
        report.gaps
    );
}

#[test]
fn same_data_is_not_reported_twice_and_the_memory_stays_small() {
    let mut database = with_events();
    database.run("DELETE FROM events WHERE at >= '2025-02-28' AND id % 4 > 0");
    let first = looked(&mut database, &Memory::default(), NOW_MS);
    assert!(
        first.findings.iter().any(|finding| finding.kind == "volume_dropped"),
        "{:?} {:?}",
        first.findings,
        first.abstained
    );
    let again = looked(&mut database, &first.memory, NOW_MS);
    assert!(again.findings.is_empty(), "{:?}", again.findings.iter().map(|finding| &finding.claim).collect::<Vec<_>>());
    assert!(serde_json::to_string(&again.memory).unwrap().len() < 20_000);
}

#[test]
fn evidence_runs_again_and_every_number_of_a_claim_is_beside_it() {
    let mut database = with_events();
    database.run("DELETE FROM events WHERE at >= '2025-02-28' AND id % 4 > 0");
    let report = looked(&mut database, &Memory::default(), NOW_MS);
    for finding in report.findings.iter().chain(&report.descriptions) {
        let evidence = finding.evidence.first().unwrap();
        let rows = pi_catalog::database::Database::query(&mut database, &evidence.query).unwrap();
        assert!(!rows.rows.is_empty() && !evidence.rows.rows.is_empty());
        assert!(!finding.numbers.is_empty(), "{}", finding.claim);
    }
}
