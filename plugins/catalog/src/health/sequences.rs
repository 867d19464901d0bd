//! Sequences that come to their end, or to the end of the column that they fill.

use crate::finding::Subject;
use crate::health::{Check, OWN, Thresholds, ailment, figure, percent, worse_from};
use crate::quote::{qualified, quote};
use crate::rows::{text, text_or_empty};

pub(super) fn checks(thresholds: &Thresholds) -> Vec<Check> {
    vec![Check {
        what: "sequences near their end",
        // The column's type ends sooner than its sequence where `serial` was widened on one side alone. A last value that
        // is null was never drawn, or may not be read.
        statement: format!(
            "SELECT e.schema, e.sequence, e.table, e.column, e.type, e.last, e.ends, (e.last / e.ends)::float8 AS share FROM (\
             SELECT n.nspname::text AS schema, q.relname::text AS sequence, t.relname::text AS table, a.attname::text AS column, \
             pg_catalog.format_type(a.atttypid, NULL) AS type, s.last_value::float8 AS last, \
             LEAST(s.max_value, CASE a.atttypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 END)::float8 AS ends \
             FROM pg_catalog.pg_sequences s JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname \
             JOIN pg_catalog.pg_class q ON q.relnamespace = n.oid AND q.relname = s.sequencename AND q.relkind = 'S' \
             LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = q.oid \
             AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') \
             LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid \
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
             WHERE {OWN} AND NOT s.cycle AND s.increment_by > 0 AND s.max_value > 0 AND s.last_value IS NOT NULL\
             ) e WHERE e.last / e.ends >= {} ORDER BY 8 DESC, 1, 2",
            thresholds.sequence_share
        ),
        keys: 2,
        read: |row, thresholds| {
            let (schema, sequence) = (text_or_empty(row, 0), text_or_empty(row, 1));
            let (table, column, kind) = (text(row, 2), text(row, 3), text(row, 4));
            let (last, ends, share) = (figure(row, 5), figure(row, 6), figure(row, 7));
            let subject = match (&table, &column) {
                (Some(table), Some(column)) => Subject::column(&schema, table, column),
                _ => Subject::table(&schema, &sequence),
            };
            let used = percent(share);
            let claim = format!(
                "The sequence `{schema}.{sequence}` is at {last} of {ends} ({used} %): then no row can be added."
            );
            let mut found =
                ailment("sequence_near_end", subject, worse_from(share, thresholds.sequence_share_critical), claim)
                    .number("last", last)
                    .number("ends", ends)
                    .number("used_percent", used);
            if let (Some(table), Some(column), Some(kind)) = (table, column, kind)
                && kind != "bigint"
            {
                let statement =
                    format!("ALTER TABLE {} ALTER COLUMN {} TYPE bigint;", qualified(&schema, &table), quote(&column));
                found = found.mend(statement).caveat(
                    "changing the type writes the whole table anew under a lock; columns that point to it must follow",
                );
            }
            Some(found.mend(format!("ALTER SEQUENCE {} AS bigint;", qualified(&schema, &sequence))))
        },
    }]
}
