//! What runs now: long transactions, locks, connections; and statements that are slow.
//!
//! Texts of running statements hold people's values and are not read; those of pg_stat_statements have none.

use crate::database::{Database, Query};
use crate::finding::{Severity, Subject};
use crate::health::{Ailment, Check, Health, Thresholds, ailment, figure, percent, run, worse_from};
use crate::quote::qualified;
use crate::rows::{Row, number, text_or_empty};

pub(super) fn checks(thresholds: &Thresholds) -> Vec<Check> {
    vec![long_transactions(thresholds), blocked(thresholds), connections(thresholds)]
}

fn long_transactions(thresholds: &Thresholds) -> Check {
    Check {
        what: "long transactions",
        statement: format!(
            "SELECT a.pid::int8 AS pid, a.usename::text AS role, a.application_name AS application, a.state AS state, \
             EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS seconds, \
             EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.state_change)::float8 AS in_state_seconds \
             FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend' AND a.pid <> pg_catalog.pg_backend_pid() \
             AND (pg_catalog.clock_timestamp() - a.xact_start >= {} * interval '1 second' \
             OR (a.state LIKE 'idle in transaction%' AND pg_catalog.clock_timestamp() - a.state_change >= {} * interval '1 second')) \
             ORDER BY a.xact_start",
            thresholds.transaction_seconds, thresholds.idle_in_transaction_seconds
        ),
        keys: 1,
        read: |row, _| {
            let (pid, role, application) = (figure(row, 0), text_or_empty(row, 1), text_or_empty(row, 2));
            let state = text_or_empty(row, 3);
            let (seconds, idle) = (figure(row, 4).round(), figure(row, 5).round());
            let who = format!("`{role}` ({application}, process {pid})");
            let (kind, claim) = if state.starts_with("idle in transaction") {
                (
                    "idle_in_transaction",
                    format!("A transaction of {who} has been open for {seconds} s and has done nothing for {idle} s."),
                )
            } else {
                ("transaction_long", format!("A transaction of {who} has been running for {seconds} s."))
            };
            let found = ailment(kind, Subject::database(), Severity::Warning, claim)
                .number("pid", pid)
                .number("seconds", seconds);
            let found = if kind == "idle_in_transaction" { found.number("idle_seconds", idle) } else { found };
            Some(
                found
                    .mend(format!("SELECT pg_terminate_backend({pid});"))
                    .caveat("it keeps dead rows of all tables from being removed, and holds its locks"),
            )
        },
    }
}

/// `pg_blocking_pids` looks at the lock manager with all others stopped, so it is asked only for those that wait.
fn blocked(thresholds: &Thresholds) -> Check {
    Check {
        what: "blocked sessions",
        statement: format!(
            "SELECT a.pid::int8 AS pid, pg_catalog.to_jsonb(pg_catalog.pg_blocking_pids(a.pid)) AS blockers, \
             a.usename::text AS role, a.wait_event AS waits_for, \
             EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.state_change)::float8 AS seconds, \
             (SELECT pg_catalog.string_agg(DISTINCT n.nspname || '.' || c.relname, ', ') FROM pg_catalog.pg_locks l \
             JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE l.pid = a.pid AND (NOT l.granted OR a.wait_event <> 'relation') AND c.relkind IN ('r', 'p') \
             AND n.nspname !~ '^pg_') AS tables \
             FROM pg_catalog.pg_stat_activity a WHERE a.wait_event_type = 'Lock' \
             AND pg_catalog.clock_timestamp() - a.state_change >= {} * interval '1 second' ORDER BY a.state_change",
            thresholds.lock_seconds
        ),
        keys: 1,
        read: |row, _| {
            let (pid, role, waits, seconds) =
                (figure(row, 0), text_or_empty(row, 2), text_or_empty(row, 3), figure(row, 4).round());
            let tables = text_or_empty(row, 5);
            let blockers: Vec<i64> = crate::rows::array(row, 1)?.iter().filter_map(serde_json::Value::as_i64).collect();
            let first = *blockers.first()?;
            let at = if tables.is_empty() { String::new() } else { format!(" at `{tables}`") };
            let claim = format!(
                "Process {pid} of `{role}` has waited {seconds} s for a lock ({waits}){at} that process {first} holds."
            );
            let mut found: Ailment = ailment("lock_blocked", Subject::database(), Severity::Warning, claim)
                .number("pid", pid)
                .number("blocker", first as f64)
                .number("seconds", seconds);
            for blocker in blockers {
                found = found.mend(format!("SELECT pg_cancel_backend({blocker});"));
                found = found.mend(format!("SELECT pg_terminate_backend({blocker});"));
            }
            Some(found.caveat(
                "a blocker that is idle in a transaction has no statement to cancel: it can only be terminated",
            ))
        },
    }
}

fn connections(thresholds: &Thresholds) -> Check {
    Check {
        what: "connections",
        statement: format!(
            "SELECT c.used, c.allowed, (c.used / c.allowed)::float8 AS share FROM (SELECT \
             (SELECT COUNT(*) FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend')::float8 AS used, \
             (pg_catalog.current_setting('max_connections')::int4 \
             - pg_catalog.current_setting('superuser_reserved_connections')::int4)::float8 AS allowed) c \
             WHERE c.used / c.allowed >= {}",
            thresholds.connections_share
        ),
        keys: 0,
        read: |row, thresholds| {
            let (used, allowed, share) = (figure(row, 0), figure(row, 1), figure(row, 2));
            let part = percent(share);
            let claim =
                format!("{used} of {allowed} connections are in use ({part} %); at the limit nobody else gets in.");
            Some(
                ailment("connections_near_limit", Subject::database(), worse_from(share, thresholds.connections_share_critical), claim)
                    .number("used", used)
                    .number("allowed", allowed)
                    .number("used_percent", part)
                    .mend("SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;")
                    .caveat("a pool in front of the server mends it better than a higher limit, which costs memory"),
            )
        },
    }
}

/// Statements by pg_stat_statements, wherever its schema is.
pub(super) fn statements(database: &mut dyn Database, thresholds: &Thresholds, health: &mut Health) {
    let place = "SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
                 WHERE e.extname = 'pg_stat_statements'";
    let schema = match database.query(&Query::new(place)) {
        Ok(rows) => rows.rows.first().map(|row| text_or_empty(row, 0)),
        Err(error) => return health.gaps.push(format!("slow statements could not be looked at: {error}")),
    };
    let Some(schema) = schema else {
        return health.gaps.push("slow statements: the extension pg_stat_statements is not there".to_owned());
    };
    let check = Check {
        what: "slow statements",
        statement: format!(
            "SELECT s.queryid::int8 AS statement, s.calls::float8 AS calls, s.mean_exec_time::float8 AS mean_ms, \
             s.total_exec_time::float8 AS total_ms, pg_catalog.left(s.query, 300) AS text \
             FROM {} s WHERE s.dbid = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) \
             AND s.queryid IS NOT NULL AND s.calls >= {} AND s.mean_exec_time >= {} ORDER BY s.total_exec_time DESC LIMIT 20",
            qualified(&schema, "pg_stat_statements"),
            thresholds.statement_calls,
            thresholds.statement_ms
        ),
        keys: 1,
        read: slow_statement,
    };
    run(database, &[check], thresholds, health);
}

fn slow_statement(row: &Row, _: &Thresholds) -> Option<Ailment> {
    let (calls, mean, total) = (figure(row, 1), figure(row, 2).round(), (figure(row, 3) / 1_000.0).round());
    let text = text_or_empty(row, 4).split_whitespace().collect::<Vec<_>>().join(" ");
    let claim = format!("A statement ran {calls} times and took {mean} ms each, {total} s in all: `{text}`.");
    Some(
        ailment("statement_slow", Subject::database(), Severity::Notice, claim)
            .number("calls", calls)
            .number("mean_ms", mean)
            .number("total_seconds", total)
            .mend(format!("EXPLAIN {text};"))
            .caveat("put values in place of its parameters; EXPLAIN ANALYZE would run it"),
    )
}

/// A role that is no monitor sees other roles' sessions without their states: then nothing found is no health.
pub(super) fn say_what_is_hidden(database: &mut dyn Database, health: &mut Health) {
    let statement = "SELECT COUNT(*)::int8 FROM pg_catalog.pg_stat_activity a WHERE a.backend_type IS NULL \
                     AND a.query = '<insufficient privilege>'";
    let hidden =
        database.query(&Query::new(statement)).ok().and_then(|rows| rows.rows.first().and_then(|row| number(row, 0)));
    if let Some(hidden @ 1..) = hidden {
        health.gaps.push(format!("{hidden} sessions of other roles cannot be seen into: grant pg_monitor to see them"));
    }
}
