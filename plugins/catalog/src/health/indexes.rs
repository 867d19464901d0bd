//! Indexes: unused, redundant, missing, invalid.

use crate::database::{Database, Query};
use crate::finding::{Severity, Subject};
use crate::health::{Ailment, Check, Health, OWN, Thresholds, ailment, figure, mebibytes, place, run};
use crate::quote::{list, qualified};
use crate::rows::{float, text_or_empty, texts};
use crate::snapshot::LOCKED;

/// Sizes are the catalog's pages: the functions that measure wait for locks.
const BYTES: &str = "(x.relpages::int8 * pg_catalog.current_setting('block_size')::int8)::float8";

const JOINS: &str = "pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
     JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

pub(super) fn checks(thresholds: &Thresholds) -> Vec<Check> {
    vec![redundant(), invalid(), missing_on_foreign_keys(thresholds), whole_reads(thresholds)]
}

/// Indexes that nobody read, where the statistics are old enough to say so.
pub(super) fn unused(database: &mut dyn Database, thresholds: &Thresholds, health: &mut Health) {
    let age = "SELECT (EXTRACT(EPOCH FROM pg_catalog.now() - GREATEST(s.stats_reset, CASE WHEN s.stats_reset IS NULL THEN \
               pg_catalog.pg_postmaster_start_time() END)) / 86400)::float8 FROM pg_catalog.pg_stat_database s \
               WHERE s.datname = pg_catalog.current_database()";
    match database.query(&Query::new(age)).map(|rows| rows.rows.first().and_then(|row| float(row, 0))) {
        Ok(Some(days)) if days >= thresholds.unused_days => {
            let days = (days * 10.0).round() / 10.0;
            run(database, &[unused_check(thresholds, days)], thresholds, health);
        }
        Ok(Some(days)) => health.gaps.push(format!(
            "unused indexes: the statistics are {days:.1} days old, and say nothing before {:.0}",
            thresholds.unused_days
        )),
        Ok(None) => health.gaps.push("unused indexes: nobody knows how old the statistics are".to_owned()),
        Err(error) => health.gaps.push(format!("unused indexes could not be looked at: {error}")),
    }
}

fn unused_check(thresholds: &Thresholds, days: f64) -> Check {
    Check {
        what: "unused indexes",
        // An index of a partition is used where its siblings are: only whole ones are told.
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, x.relname::text AS index, {BYTES} AS bytes, \
             {days}::float8 AS statistics_days, CASE WHEN i.indrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_indexdef(i.indexrelid) END AS definition \
             FROM {JOINS} JOIN pg_catalog.pg_stat_user_indexes s ON s.indexrelid = i.indexrelid \
             WHERE {OWN} AND s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisprimary AND NOT i.indisreplident \
             AND NOT i.indisexclusion AND i.indisvalid AND NOT x.relispartition AND x.relkind = 'i' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid) \
             AND {BYTES} >= {} ORDER BY x.relpages DESC, 1, 2, 3",
            thresholds.index_bytes
        ),
        keys: 3,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let (index, size, days) = (text_or_empty(row, 2), mebibytes(figure(row, 3)), figure(row, 4));
            let claim =
                format!("The index `{index}` of `{schema}.{table}` ({size} MiB) was not read once in {days} days.");
            Some(
                ailment("index_unused", subject, Severity::Notice, claim)
                    .index(&index)
                    .number("mebibytes", size)
                    .number("statistics_days", days)
                    .mend(format!("DROP INDEX CONCURRENTLY {};", qualified(&schema, &index)))
                    .caveat("reads on replicas are not counted here: look there too")
                    .caveat("it may make a foreign key's deletes fast, or serve a job that runs once a year"),
            )
        },
    }
}

fn redundant() -> Check {
    let key = |alias: &str, list: &str, keys: &str| {
        format!("pg_catalog.array_to_string(({alias}.{list}::oid[])[0:{keys} - 1], ' ')")
    };
    // `indoption` is of int2; as text all lists compare alike.
    let numbers = |alias: &str, list: &str, keys: &str| {
        format!("pg_catalog.array_to_string(({alias}.{list}::int2[])[0:{keys} - 1], ' ')")
    };
    let same = [
        format!("{} = {}", numbers("i", "indkey", "i.indnkeyatts"), numbers("w", "indkey", "i.indnkeyatts")),
        format!("{} = {}", numbers("i", "indoption", "i.indnkeyatts"), numbers("w", "indoption", "i.indnkeyatts")),
        format!("{} = {}", key("i", "indclass", "i.indnkeyatts"), key("w", "indclass", "i.indnkeyatts")),
        format!("{} = {}", key("i", "indcollation", "i.indnkeyatts"), key("w", "indcollation", "i.indnkeyatts")),
    ]
    .join(" AND ");
    Check {
        what: "redundant indexes",
        // Of two equal ones the one made later goes, unless only that one is unique. Expressions are compared whole.
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, x.relname::text AS index, y.relname::text AS by, \
             {BYTES} AS bytes, (i.indnkeyatts = w.indnkeyatts AND w.indnatts = i.indnatts) AS is_equal, \
             CASE WHEN i.indrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_indexdef(i.indexrelid) END AS definition, CASE WHEN i.indrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_indexdef(w.indexrelid) END AS by_definition \
             FROM {JOINS} JOIN pg_catalog.pg_index w ON w.indrelid = i.indrelid AND w.indexrelid <> i.indexrelid \
             JOIN pg_catalog.pg_class y ON y.oid = w.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam \
             WHERE {OWN} AND x.relam = y.relam AND i.indisvalid AND w.indisvalid AND i.indnatts = i.indnkeyatts \
             AND NOT x.relispartition AND NOT i.indisreplident \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid) \
             AND i.indnkeyatts <= w.indnkeyatts AND (i.indnkeyatts = w.indnkeyatts OR m.amname = 'btree') \
             AND {same} AND CASE WHEN i.indrelid IN {LOCKED} THEN false ELSE \
             COALESCE(pg_catalog.pg_get_expr(i.indexprs, i.indrelid), '') = COALESCE(pg_catalog.pg_get_expr(w.indexprs, w.indrelid), '') \
             AND COALESCE(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') = COALESCE(pg_catalog.pg_get_expr(w.indpred, w.indrelid), '') END \
             AND (NOT i.indisunique OR (w.indisunique AND i.indnkeyatts = w.indnkeyatts)) \
             AND (i.indnkeyatts < w.indnkeyatts OR w.indnatts > i.indnatts OR (w.indisunique AND NOT i.indisunique) \
             OR w.indexrelid < i.indexrelid OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = w.indexrelid)) \
             ORDER BY 1, 2, 3, 4"
        ),
        keys: 4,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let (index, by, size) = (text_or_empty(row, 2), text_or_empty(row, 3), mebibytes(figure(row, 4)));
            let is_equal = crate::rows::flag(row, 5);
            let (kind, what) = if is_equal {
                ("index_duplicate", "is the same as")
            } else {
                ("index_overlapping", "is the beginning of")
            };
            let claim = format!("The index `{index}` of `{schema}.{table}` ({size} MiB) {what} `{by}`.");
            let severity = if is_equal { Severity::Warning } else { Severity::Notice };
            let mut found = ailment(kind, subject, severity, claim)
                .index(&index)
                .number("mebibytes", size)
                .mend(format!("DROP INDEX CONCURRENTLY {};", qualified(&schema, &index)));
            if !is_equal {
                found = found.caveat("the shorter index is smaller, and may be read faster where it is read much");
            }
            Some(found)
        },
    }
}

fn invalid() -> Check {
    Check {
        what: "invalid indexes",
        // One that is being built is not valid yet, and nothing is wrong.
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, x.relname::text AS index, {BYTES} AS bytes, \
             CASE WHEN i.indrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_indexdef(i.indexrelid) END AS definition FROM {JOINS} \
             WHERE {OWN} AND NOT i.indisvalid AND x.relkind = 'i' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) \
             ORDER BY 1, 2, 3"
        ),
        keys: 3,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let index = text_or_empty(row, 2);
            let claim =
                format!("The index `{index}` of `{schema}.{table}` is invalid: each write keeps it, no read uses it.");
            let name = qualified(&schema, &index);
            Some(
                ailment("index_invalid", subject, Severity::Warning, claim)
                    .index(&index)
                    .mend(format!("DROP INDEX CONCURRENTLY {name};"))
                    .mend(format!("REINDEX INDEX CONCURRENTLY {name};"))
                    .caveat("if it is unique, values that repeat must go before it can be built"),
            )
        },
    }
}

fn missing_on_foreign_keys(thresholds: &Thresholds) -> Check {
    Check {
        what: "foreign keys without an index",
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, k.conname::text AS constraint, \
             GREATEST(c.reltuples, s.n_live_tup)::float8 AS rows, fn.nspname || '.' || f.relname AS target, \
             pg_catalog.to_jsonb(ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(number, at) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.at)) AS columns \
             FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class f ON f.oid = k.confrelid \
             JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace \
             LEFT JOIN pg_catalog.pg_stat_user_tables s ON s.relid = c.oid \
             WHERE {OWN} AND k.contype = 'f' AND k.conparentid = 0 AND GREATEST(c.reltuples, s.n_live_tup) >= {} \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid \
             AND i.indpred IS NULL AND (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1] @> k.conkey) \
             ORDER BY 4 DESC, 1, 2, 3",
            thresholds.rows
        ),
        keys: 3,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let (name, rows, target, columns) =
                (text_or_empty(row, 2), figure(row, 3), text_or_empty(row, 4), texts(row, 5));
            let claim = format!(
                "The foreign key `{name}` of `{schema}.{table}` ({rows} rows) has no index: each delete in `{target}` reads the whole table."
            );
            let statement = format!(
                "CREATE INDEX CONCURRENTLY ON {} ({});",
                qualified(&schema, &table),
                list(columns.iter().map(String::as_str))
            );
            let subject = match columns.as_slice() {
                [one] => Subject { column: Some(one.clone()), ..subject },
                _ => subject,
            };
            Some(
                ailment("foreign_key_without_index", subject, Severity::Notice, claim)
                    .number("rows", rows)
                    .mend(statement)
                    .caveat(
                        "where rows of the other table are never deleted and the tables never joined, it is not needed",
                    ),
            )
        },
    }
}

fn whole_reads(thresholds: &Thresholds) -> Check {
    Check {
        what: "tables that are read whole",
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, s.n_live_tup::float8 AS rows, \
             s.seq_scan::float8 AS whole_reads, COALESCE(s.idx_scan, 0)::float8 AS index_reads, \
             (s.seq_tup_read::float8 / s.seq_scan) AS rows_each \
             FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {OWN} AND s.n_live_tup >= {} AND s.seq_scan >= {} AND s.seq_scan > COALESCE(s.idx_scan, 0) \
             AND s.seq_tup_read::float8 / s.seq_scan >= s.n_live_tup * 0.5 ORDER BY s.seq_tup_read DESC, 1, 2",
            thresholds.rows * 10.0,
            thresholds.whole_reads
        ),
        keys: 2,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let (rows, whole, by_index) = (figure(row, 2), figure(row, 3), figure(row, 4));
            let claim = format!(
                "`{schema}.{table}` ({rows} rows) was read from end to end {whole} times, and by an index {by_index} times."
            );
            let found: Ailment = ailment("table_read_whole", subject, Severity::Notice, claim)
                .number("rows", rows)
                .number("whole_reads", whole)
                .number("index_reads", by_index)
                .caveat("which statements do it is not known here: pg_stat_statements and EXPLAIN tell which columns an index needs");
            Some(found)
        },
    }
}
