//! What a SELECT can see of an SQLite database: free pages, indexes that are missing or twice there.
//!
//! Whether the file is sound is told by `PRAGMA quick_check`, which is not asked: it reads everything, and it is a PRAGMA.

use crate::database::{Database, Query};
use crate::finding::{Severity, Subject};
use crate::health::{Check, Health, Thresholds, ailment, figure, mebibytes, percent, run};
use crate::quote::{list, quote};
use crate::rows::number;
use crate::schema::{Index, Section, Snapshot, Table, TableKind};
use crate::snapshot;

pub(super) fn examine(database: &mut dyn Database, thresholds: &Thresholds, health: &mut Health) {
    run(database, &[free_pages(thresholds)], thresholds, health);
    let snapshot = match snapshot::take(database, &snapshot::Options::default()) {
        Ok(snapshot) => snapshot,
        Err(error) => return health.gaps.push(format!("indexes could not be looked at: {error}")),
    };
    if snapshot.missing.contains(&Section::Indexes) {
        return health.gaps.extend(snapshot.gaps);
    }
    redundant(database, &snapshot, health);
    if snapshot.missing.contains(&Section::Constraints) {
        return health.gaps.extend(snapshot.gaps);
    }
    missing_on_foreign_keys(database, &snapshot, thresholds, health);
    dangling(database, &snapshot, health);
}

/// Foreign keys that lead to a table that is not there.
fn dangling(database: &mut dyn Database, snapshot: &Snapshot, health: &mut Health) {
    for table in &snapshot.tables {
        let is_there = |target: &str| snapshot.tables.iter().any(|other| other.path().eq_ignore_ascii_case(target));
        for key in table.foreign_keys.iter().filter(|key| !is_there(&key.target)) {
            let names = key.columns.join(", ");
            let claim = format!(
                "The foreign key `{names}` of `{}` leads to `{}`, which is not there; where foreign keys are enforced, no row can be written.",
                table.path(),
                key.target
            );
            let subject = match key.columns.as_slice() {
                [one] => Subject::column(&table.schema, &table.name, one),
                _ => Subject::table(&table.schema, &table.name),
            };
            let query = Query::with(
                "SELECT x.\"from\" AS \"column\", x.\"table\" AS leads_to, \
                 (SELECT COUNT(*) FROM main.sqlite_schema s WHERE s.type = 'table' AND lower(s.name) = lower(x.\"table\")) AS is_there \
                 FROM pragma_foreign_key_list($1, 'main') x ORDER BY x.id, x.seq",
                vec![table.name.clone().into()],
            );
            let mut found = ailment("foreign_key_dangling", subject, Severity::Warning, claim).caveat(
                "create the table again, or make this one anew without the key: SQLite cannot drop a key alone",
            );
            if let Ok(rows) = database.query(&query) {
                found.finding = found.finding.with_evidence(query, rows);
            }
            health.ailments.push(found);
        }
    }
}

fn free_pages(thresholds: &Thresholds) -> Check {
    Check {
        what: "free pages",
        statement: format!(
            "SELECT p.page_count * s.page_size AS bytes, f.freelist_count * s.page_size AS free, \
             f.freelist_count * 1.0 / p.page_count AS share \
             FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s \
             WHERE p.page_count > 0 AND f.freelist_count * s.page_size >= {} AND f.freelist_count * 1.0 / p.page_count >= {}",
            thresholds.free_bytes, thresholds.free_share
        ),
        keys: 0,
        read: |row, _| {
            let (size, free, share) = (mebibytes(figure(row, 0)), mebibytes(figure(row, 1)), percent(figure(row, 2)));
            let claim = format!("{free} MiB of the {size} MiB of the file ({share} %) are free pages.");
            Some(
                ailment("file_has_free_pages", Subject::database(), Severity::Info, claim)
                    .number("free_mebibytes", free)
                    .number("mebibytes", size)
                    .number("share_percent", share)
                    .mend("VACUUM;")
                    .caveat("VACUUM writes the file anew and locks it; the pages are used again by what is added"),
            )
        },
    }
}

const INDEXES: &str = "SELECT l.name, l.\"unique\", l.origin, x.seqno, x.name AS \"column\", x.\"desc\", x.coll \
     FROM pragma_index_list($1, 'main') l JOIN pragma_index_xinfo(l.name, 'main') x WHERE x.key = 1 ORDER BY l.name, x.seqno";

fn redundant(database: &mut dyn Database, snapshot: &Snapshot, health: &mut Health) {
    for table in snapshot.tables.iter().filter(|table| table.kind == TableKind::Table) {
        for index in table.indexes.iter().filter(|index| !index.is_constraint) {
            let Some((by, is_equal)) = covering(table, index) else { continue };
            let (kind, what) = if is_equal {
                ("index_duplicate", "is the same as")
            } else {
                ("index_overlapping", "is the beginning of")
            };
            let severity = if is_equal { Severity::Warning } else { Severity::Notice };
            let claim = format!("The index `{}` of `{}` {what} `{by}`.", index.name, table.path());
            let mut found = ailment(kind, Subject::table(&table.schema, &table.name), severity, claim)
                .index(&index.name)
                .mend(format!("DROP INDEX {};", quote(&index.name)))
                .caveat("compare their collations (`coll`) in the evidence: two that differ serve other comparisons");
            let query = Query::with(INDEXES, vec![table.name.clone().into()]);
            if let Ok(rows) = database.query(&query) {
                found.finding = found.finding.with_evidence(query, rows);
            }
            health.ailments.push(found);
        }
    }
}

/// An index that serves whatever this one serves, and whether it is the same.
fn covering<'a>(table: &'a Table, index: &Index) -> Option<(&'a str, bool)> {
    let serves = |other: &&Index| {
        let is_same = other.columns == index.columns;
        other.name != index.name
            && other.condition == index.condition
            && other.columns.starts_with(&index.columns)
            && (!index.is_unique || (other.is_unique && is_same))
            // Of two equal ones the later by name goes, unless only that one is unique.
            && (!is_same || other.is_constraint || (other.is_unique && !index.is_unique) || (other.is_unique == index.is_unique && other.name < index.name))
    };
    table.indexes.iter().find(serves).map(|other| (other.name.as_str(), other.columns == index.columns))
}

fn missing_on_foreign_keys(
    database: &mut dyn Database,
    snapshot: &Snapshot,
    thresholds: &Thresholds,
    health: &mut Health,
) {
    for table in &snapshot.tables {
        let is_served = |columns: &[String]| {
            let begins = |keys: &[String]| {
                keys.get(..columns.len()).is_some_and(|begin| {
                    columns
                        .iter()
                        .all(|column| begin.iter().any(|key| key.strip_suffix(" DESC").unwrap_or(key) == column))
                })
            };
            begins(&table.primary_key)
                || table.indexes.iter().any(|index| index.condition.is_none() && begins(&index.columns))
        };
        // Of a table that is gone nothing is deleted.
        let is_there = |target: &str| snapshot.tables.iter().any(|it| it.path().eq_ignore_ascii_case(target));
        let unserved = table.foreign_keys.iter().filter(|key| !is_served(&key.columns) && is_there(&key.target));
        for key in unserved {
            // Rows are counted to the threshold and no further.
            let of = crate::quote::qualified(&table.schema, &table.name);
            let query = Query::with(
                format!(
                    "SELECT x.\"from\" AS \"column\", x.\"table\" AS leads_to, (SELECT COUNT(*) FROM pragma_index_list($1, 'main') l \
                     JOIN pragma_index_info(l.name, 'main') i WHERE i.seqno = 0 AND i.name = x.\"from\") AS indexes, \
                     (SELECT COUNT(*) FROM (SELECT 1 FROM {of} LIMIT {})) AS rows_at_least \
                     FROM pragma_foreign_key_list($1, 'main') x ORDER BY x.id, x.seq",
                    thresholds.rows
                ),
                vec![table.name.clone().into()],
            );
            let Ok(rows) = database.query(&query) else { continue };
            let count = rows.rows.first().and_then(|row| number(row, 3)).unwrap_or(0) as f64;
            if count < thresholds.rows {
                continue;
            }
            let names = key.columns.join(", ");
            let claim = format!(
                "The foreign key `{names}` of `{}` (at least {count} rows) has no index: each delete in `{}` reads the whole table.",
                table.path(),
                key.target
            );
            let subject = match key.columns.as_slice() {
                [one] => Subject::column(&table.schema, &table.name, one),
                _ => Subject::table(&table.schema, &table.name),
            };
            let columns = key.columns.iter().map(String::as_str);
            let name = format!("{}_{}", table.name, key.columns.join("_"));
            let mut found = ailment("foreign_key_without_index", subject, Severity::Notice, claim)
                .number("rows", count)
                .mend(format!("CREATE INDEX {} ON {} ({});", quote(&name), quote(&table.name), list(columns)))
                .caveat(
                    "where rows of the other table are never deleted and the tables never joined, it is not needed",
                );
            found.finding = found.finding.with_evidence(query, rows);
            health.ailments.push(found);
        }
    }
}
