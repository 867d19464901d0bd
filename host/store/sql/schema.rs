//! The tables, and how they came to be: one step a version, the same for every database.

/// The schema that this program writes and reads.
pub(in crate::store) const VERSION: i64 = STEPS.len() as i64;

/// What leads from each version to the next. A step that was published is never changed.
pub(in crate::store) const STEPS: [&str; 3] = [
    "
    CREATE TABLE schema_version (id BIGINT PRIMARY KEY, version BIGINT NOT NULL);
    INSERT INTO schema_version (id, version) VALUES (1, 0);

    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, hash TEXT NOT NULL, created_ms BIGINT NOT NULL,
        agent TEXT NOT NULL, status TEXT NOT NULL, summary TEXT NOT NULL, ended_ms BIGINT);
    CREATE TABLE entries (
        session TEXT NOT NULL, sequence BIGINT NOT NULL, time_ms BIGINT NOT NULL, body TEXT NOT NULL,
        hash TEXT NOT NULL, PRIMARY KEY (session, sequence));
    CREATE TABLE heads (session TEXT PRIMARY KEY, entries BIGINT NOT NULL, hash TEXT NOT NULL);
    CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, json TEXT NOT NULL);

    -- Every write of a host sets `writer` to the epoch of its lease: the check refuses all but the current one.
    CREATE TABLE lease (
        id BIGINT PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, pid BIGINT NOT NULL,
        start_time BIGINT NOT NULL, machine TEXT NOT NULL, epoch BIGINT NOT NULL, writer BIGINT NOT NULL,
        since_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, CHECK (writer = epoch));
    INSERT INTO lease (id, host, name, pid, start_time, machine, epoch, writer, since_ms, expires_ms)
        VALUES (1, '', '', 0, 0, '', 0, 0, 0, 0);

    CREATE TABLE requests (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, kind TEXT NOT NULL, payload TEXT NOT NULL,
        idempotent BIGINT NOT NULL, state TEXT NOT NULL, epoch BIGINT NOT NULL, response TEXT,
        created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL);
    CREATE INDEX requests_by_state ON requests (state, number);

    CREATE TABLE kv (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
    -- `value` in base64; `bytes` of key and value, for the quota.
    CREATE TABLE plugin_values (
        plugin TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, bytes BIGINT NOT NULL,
        PRIMARY KEY (plugin, name));
",
    "
    -- When jobs were due, and what came of it. `session` is empty where there is none.
    CREATE TABLE slots (
        job TEXT NOT NULL, due_ms BIGINT NOT NULL, origin TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
        session TEXT NOT NULL, epoch BIGINT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (job, due_ms, origin));
    CREATE INDEX slots_by_state ON slots (state, job);
",
];

/// What a database without this program's schema looks like, by the names of its tables.
pub(in crate::store) enum Found {
    Empty,
    Ours,
    Foreign,
}

pub(in crate::store) fn found(tables: &[String]) -> Found {
    match tables {
        [] => Found::Empty,
        tables if tables.iter().any(|table| table == "schema_version") => Found::Ours,
        _ => Found::Foreign,
    }
}
