//! Tables: bloat, wraparound, constraints that were not checked, autovacuum and statistics.

use crate::finding::{Severity, Subject};
use crate::health::{Check, OWN, Thresholds, ailment, figure, mebibytes, percent, place, worse_from};
use crate::quote::{qualified, quote};
use crate::rows::text_or_empty;
use crate::snapshot::LOCKED;

pub(super) fn checks(thresholds: &Thresholds) -> Vec<Check> {
    vec![
        table_bloat(thresholds),
        index_bloat(thresholds),
        wraparound("transactions", "pg_catalog.age(d.datfrozenxid)", thresholds),
        wraparound("multixacts", "pg_catalog.mxid_age(d.datminmxid)", thresholds),
        not_validated(),
        autovacuum_off(),
        autovacuum_behind(thresholds),
        never_analyzed(thresholds),
    ]
}

/// The estimate of <https://github.com/ioguix/pgsql-bloat-estimation> (BSD), shortened: rows times their average width,
/// with header and line pointer, against the pages that there are. What a fillfactor keeps free is no bloat. `ceiling`, as
/// `ceil` is a keyword to who parses a statement before it is let through, and no function of a schema.
fn table_bloat(thresholds: &Thresholds) -> Check {
    Check {
        what: "bloated tables",
        statement: format!(
            "SELECT e.schema, e.table, e.bytes, (e.bytes - e.needed)::float8 AS wasted, \
             ((e.bytes - e.needed) / e.bytes)::float8 AS share FROM (\
             SELECT n.nspname::text AS schema, c.relname::text AS table, (c.relpages::float8 * b.size) AS bytes, \
             pg_catalog.ceiling(c.reltuples::float8 * (28 + pg_catalog.ceiling(w.width / 8) * 8) / ((b.size - 24) * \
             COALESCE((SELECT o.option_value::float8 FROM pg_catalog.pg_options_to_table(c.reloptions) o WHERE o.option_name = 'fillfactor'), 100) / 100)) \
             * b.size AS needed \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::float8 AS size) b \
             JOIN LATERAL (SELECT SUM((1 - s.null_frac) * s.avg_width)::float8 AS width, COUNT(*) AS columns \
             FROM pg_catalog.pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited) w ON true \
             WHERE {OWN} AND c.relkind IN ('r', 'm') AND c.relpages > 0 AND c.reltuples >= 0 \
             AND w.columns = (SELECT COUNT(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)\
             ) e WHERE e.bytes - e.needed >= {} AND (e.bytes - e.needed) / e.bytes >= {} ORDER BY 4 DESC, 1, 2",
            thresholds.bloat_bytes, thresholds.bloat_share
        ),
        keys: 2,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let (size, wasted, share) = (mebibytes(figure(row, 2)), mebibytes(figure(row, 3)), percent(figure(row, 4)));
            let claim = format!(
                "About {wasted} MiB of the {size} MiB of `{schema}.{table}` ({share} %) hold no rows, by an estimate."
            );
            Some(
                ailment("table_bloated", subject, Severity::Notice, claim)
                    .number("wasted_mebibytes", wasted)
                    .number("mebibytes", size)
                    .number("share_percent", share)
                    .mend(format!("VACUUM (FULL, ANALYZE) {};", qualified(&schema, &table)))
                    .caveat("VACUUM FULL locks the table and needs room for a copy; pg_repack does not lock it")
                    .caveat("the estimate is by average widths of the statistics; pgstattuple measures"),
            )
        },
    }
}

/// The same for B-trees on plain columns: entries of 8 bytes with their values and line pointers, on pages 90 % full.
/// Values that repeat are kept once since version 13, so that the need is overstated and the bloat is not.
fn index_bloat(thresholds: &Thresholds) -> Check {
    Check {
        what: "bloated indexes",
        statement: format!(
            "SELECT e.schema, e.table, e.index, e.bytes, (e.bytes - e.needed)::float8 AS wasted, \
             ((e.bytes - e.needed) / e.bytes)::float8 AS share FROM (\
             SELECT n.nspname::text AS schema, c.relname::text AS table, x.relname::text AS index, \
             (x.relpages::float8 * b.size) AS bytes, \
             (2 + pg_catalog.ceiling(x.reltuples::float8 * (12 + pg_catalog.ceiling(w.width / 8) * 8) / ((b.size - 40) * 0.9))) * b.size AS needed \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
             JOIN pg_catalog.pg_am m ON m.oid = x.relam AND m.amname = 'btree' \
             JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::float8 AS size) b \
             JOIN LATERAL (SELECT SUM((1 - s.null_frac) * s.avg_width)::float8 AS width, COUNT(*) AS columns \
             FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname \
             WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND NOT s.inherited AND a.attnum = ANY (i.indkey::int2[])) w ON true \
             WHERE {OWN} AND x.relkind = 'i' AND x.relpages > 0 AND x.reltuples >= 0 AND i.indexprs IS NULL AND w.columns = i.indnatts\
             ) e WHERE e.bytes - e.needed >= {} AND (e.bytes - e.needed) / e.bytes >= {} ORDER BY 5 DESC, 1, 2, 3",
            thresholds.bloat_bytes, thresholds.bloat_share
        ),
        keys: 3,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let index = text_or_empty(row, 2);
            let (size, wasted, share) = (mebibytes(figure(row, 3)), mebibytes(figure(row, 4)), percent(figure(row, 5)));
            let claim = format!(
                "About {wasted} MiB of the {size} MiB of the index `{index}` of `{schema}.{table}` ({share} %) hold no entries, by an estimate."
            );
            Some(
                ailment("index_bloated", subject, Severity::Notice, claim)
                    .index(&index)
                    .number("wasted_mebibytes", wasted)
                    .number("mebibytes", size)
                    .number("share_percent", share)
                    .mend(format!("REINDEX INDEX CONCURRENTLY {};", qualified(&schema, &index)))
                    .caveat("the estimate is by average widths of the statistics; pgstatindex measures"),
            )
        },
    }
}

fn wraparound(what: &'static str, age: &str, thresholds: &Thresholds) -> Check {
    Check {
        what: if what == "transactions" { "the age of transactions" } else { "the age of multixacts" },
        statement: format!(
            "SELECT d.datname::text AS database, '{what}'::text AS counted, {age}::float8 AS age, \
             (2147483648 - {age})::float8 AS left FROM pg_catalog.pg_database d \
             WHERE d.datallowconn AND {age} >= {} ORDER BY 3 DESC",
            thresholds.transactions
        ),
        keys: 2,
        read: |row, thresholds| {
            let (database, what, age, left) =
                (text_or_empty(row, 0), text_or_empty(row, 1), figure(row, 2), figure(row, 3));
            let claim = format!(
                "The database `{database}` is {age} {what} from its last freezing; at {left} more the server refuses to write."
            );
            let severity = worse_from(age, thresholds.transactions_critical);
            Some(
                ailment(&format!("{what}_wraparound"), Subject::database(), severity, claim)
                    .number("age", age)
                    .number("left", left)
                    .mend("VACUUM (FREEZE, VERBOSE);")
                    .caveat("look first for what holds it back: long and prepared transactions, unused replication slots, replicas with feedback"),
            )
        },
    }
}

fn not_validated() -> Check {
    Check {
        what: "constraints that were not checked",
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, k.conname::text AS constraint, \
             CASE WHEN k.conrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_constraintdef(k.oid) END AS definition FROM pg_catalog.pg_constraint k \
             JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {OWN} AND NOT k.convalidated AND k.conparentid = 0 ORDER BY 1, 2, 3"
        ),
        keys: 3,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let name = text_or_empty(row, 2);
            let claim = format!(
                "The constraint `{name}` of `{schema}.{table}` was never checked for the rows that were there before it."
            );
            Some(
                ailment("constraint_not_validated", subject, Severity::Notice, claim)
                    .mend(format!("ALTER TABLE {} VALIDATE CONSTRAINT {};", qualified(&schema, &table), quote(&name)))
                    .caveat("it fails where rows break the constraint: find and mend them first"),
            )
        },
    }
}

fn autovacuum_off() -> Check {
    Check {
        what: "whether autovacuum is on",
        statement: format!(
            "SELECT ''::text AS schema, ''::text AS table, s.name AS setting FROM pg_catalog.pg_settings s \
             WHERE s.name IN ('autovacuum', 'track_counts') AND s.setting = 'off' \
             UNION ALL SELECT n.nspname::text, c.relname::text, 'autovacuum_enabled' FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN LATERAL pg_catalog.pg_options_to_table(c.reloptions) o \
             WHERE {OWN} AND c.relkind IN ('r', 'm') AND o.option_name = 'autovacuum_enabled' \
             AND o.option_value IN ('false', 'off', 'no', '0') ORDER BY 1, 2, 3"
        ),
        keys: 3,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let setting = text_or_empty(row, 2);
            if table.is_empty() {
                let claim =
                    format!("`{setting}` is off for the whole server: dead rows stay, and statistics grow old.");
                let found = ailment("autovacuum_off", Subject::database(), Severity::Warning, claim);
                return Some(found.mend(format!("ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();")));
            }
            let claim =
                format!("Autovacuum is switched off for `{schema}.{table}`: dead rows stay, and statistics grow old.");
            Some(
                ailment("autovacuum_off", subject, Severity::Notice, claim)
                    .mend(format!("ALTER TABLE {} RESET (autovacuum_enabled);", qualified(&schema, &table)))
                    .caveat("somebody may vacuum it by a job of their own"),
            )
        },
    }
}

/// Autovacuum begins at `threshold + scale * rows`; the server's settings are taken, a table's own are not known here
/// and make the table be left out.
fn autovacuum_behind(thresholds: &Thresholds) -> Check {
    Check {
        what: "tables that autovacuum does not keep up with",
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, s.n_dead_tup::float8 AS dead, s.n_live_tup::float8 AS live, \
             (b.base + b.scale * GREATEST(c.reltuples, 0))::float8 AS begins_at \
             FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             CROSS JOIN (SELECT pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8 AS base, \
             pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8 AS scale) b \
             WHERE {OWN} AND s.n_dead_tup >= {} AND s.n_dead_tup > {} * (b.base + b.scale * GREATEST(c.reltuples, 0)) \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) o WHERE o.option_name LIKE 'autovacuum%') \
             ORDER BY s.n_dead_tup DESC, 1, 2",
            thresholds.rows, thresholds.dead_multiple
        ),
        keys: 2,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let (dead, live, begins) = (figure(row, 2), figure(row, 3), figure(row, 4).round());
            let claim = format!(
                "`{schema}.{table}` has {dead} dead rows beside {live} living ones; autovacuum should have begun at {begins}."
            );
            Some(
                ailment("autovacuum_behind", subject, Severity::Warning, claim)
                    .number("dead", dead)
                    .number("live", live)
                    .number("begins_at", begins)
                    .mend(format!("VACUUM (ANALYZE) {};", qualified(&schema, &table)))
                    .caveat("an old transaction or slot keeps dead rows from being removed: look for those first"),
            )
        },
    }
}

fn never_analyzed(thresholds: &Thresholds) -> Check {
    Check {
        what: "tables that were never analyzed",
        statement: format!(
            "SELECT n.nspname::text AS schema, c.relname::text AS table, s.n_live_tup::float8 AS rows \
             FROM pg_catalog.pg_stat_user_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {OWN} AND s.last_analyze IS NULL AND s.last_autoanalyze IS NULL AND s.n_live_tup >= {} \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_stats p WHERE p.schemaname = n.nspname AND p.tablename = c.relname) \
             AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 3 DESC, 1, 2",
            thresholds.rows
        ),
        keys: 2,
        read: |row, _| {
            let (schema, table, subject) = place(row);
            let rows = figure(row, 2);
            let claim = format!("`{schema}.{table}` ({rows} rows) was never analyzed: plans for it are guesses.");
            Some(
                ailment("table_never_analyzed", subject, Severity::Notice, claim)
                    .number("rows", rows)
                    .mend(format!("ANALYZE {};", qualified(&schema, &table))),
            )
        },
    }
}
