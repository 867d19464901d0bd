//! The health of a database: what its own statistics say of indexes, tables, sequences, transactions and replicas.
//!
//! A check is one statement ([`Check`]) and what it makes of each row. Its limits are in [`Thresholds`], each with where it
//! comes from. A check abstains where statistics are too young, and what it cannot see is a gap, never good health. What
//! would mend something is written down and never run.

mod activity;
mod indexes;
mod replication;
mod sequences;
mod sqlite;
mod tables;

use serde_json::Value;

use crate::database::{Database, Dialect, Query, QueryError, Rows};
use crate::finding::{Finding, Severity, Subject};
use crate::rows::{Row, float, number, text_or_empty};

/// Rows of one check that become findings: beyond, the list is long enough to act on.
const ROWS_MAX: usize = 100;

/// From where on something is worth saying.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Statistics must be so old before an index counts as unused: a month has the jobs that run once in it.
    pub unused_days: f64,
    /// Smaller indexes cost nothing worth saying. pgwatch and GitLab leave them out too.
    pub index_bytes: f64,
    /// Tables with fewer rows are read as fast without an index.
    pub rows: f64,
    /// Whole reads of a large table, over at least a day of statistics, before they count as a habit.
    pub whole_reads: f64,
    /// Bytes a table or index could give back. Estimates by average widths are off by some tens of percent (ioguix's
    /// pgsql-bloat-estimation says so of itself), so both this and `bloat_share` must be passed.
    pub bloat_bytes: f64,
    /// The part of it.
    pub bloat_share: f64,
    /// Transactions without freezing: autovacuum forces it at 200 million, the failsafe begins at 1.6 billion, and the
    /// server stops three million before 2^31 (PostgreSQL's documentation, 25.1.5).
    pub transactions: f64,
    /// The same where somebody must act now: `vacuum_failsafe_age`.
    pub transactions_critical: f64,
    /// The used part of a sequence's range: a change of type of a large table takes weeks to plan.
    pub sequence_share: f64,
    /// The same where somebody must act now.
    pub sequence_share_critical: f64,
    /// How long a transaction may be open, in seconds.
    pub transaction_seconds: f64,
    /// How long it may be open and do nothing.
    pub idle_in_transaction_seconds: f64,
    /// How long somebody may wait for a lock; `deadlock_timeout` is one second, and a deadlock is over then.
    pub lock_seconds: f64,
    /// The mean time of a statement, in milliseconds.
    pub statement_ms: f64,
    /// How often it must have run.
    pub statement_calls: f64,
    /// How far a replica may be behind, in bytes.
    pub replication_bytes: f64,
    /// The log kept for a slot that nobody uses.
    pub slot_bytes: f64,
    /// The used part of the connections.
    pub connections_share: f64,
    /// The same where somebody must act now.
    pub connections_share_critical: f64,
    /// Dead rows, as a multiple of where autovacuum begins.
    pub dead_multiple: f64,
    /// The free part of an SQLite file.
    pub free_share: f64,
    /// And its bytes.
    pub free_bytes: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            unused_days: 30.0,
            index_bytes: 1_048_576.0,
            rows: 10_000.0,
            whole_reads: 1_000.0,
            bloat_bytes: 104_857_600.0,
            bloat_share: 0.5,
            transactions: 1_000_000_000.0,
            transactions_critical: 1_600_000_000.0,
            sequence_share: 0.75,
            sequence_share_critical: 0.9,
            transaction_seconds: 3_600.0,
            idle_in_transaction_seconds: 600.0,
            lock_seconds: 10.0,
            statement_ms: 1_000.0,
            statement_calls: 10.0,
            replication_bytes: 1_073_741_824.0,
            slot_bytes: 1_073_741_824.0,
            connections_share: 0.8,
            connections_share_critical: 0.95,
            dead_multiple: 5.0,
            free_share: 0.25,
            free_bytes: 10_485_760.0,
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Ailment {
    /// What, with the statement that shows it.
    pub finding: Finding,
    /// Statements that would mend it, or make it possible to: for people, never run.
    pub mend: Vec<String>,
    /// What to think of first.
    pub caveats: Vec<String>,
}

/// All that was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// What is not as it should be, the worst first.
    pub ailments: Vec<Ailment>,
    /// What could not be looked at, and why.
    pub gaps: Vec<String>,
}

/// A check: a statement, whose rows are all ailments, and what each says.
struct Check {
    /// What is looked at, for gaps.
    what: &'static str,
    statement: String,
    /// How many of the first columns name the row, so that the statement can be asked about it alone.
    keys: usize,
    read: fn(&Row, &Thresholds) -> Option<Ailment>,
}

/// Looks at everything that can be looked at.
pub fn examine(database: &mut dyn Database, thresholds: &Thresholds) -> Health {
    let mut health = Health::default();
    match database.dialect() {
        Dialect::Postgres => {
            let mut checks = indexes::checks(thresholds);
            checks.extend(tables::checks(thresholds));
            checks.extend(sequences::checks(thresholds));
            checks.extend(activity::checks(thresholds));
            checks.extend(replication::checks(thresholds));
            run(database, &checks, thresholds, &mut health);
            indexes::unused(database, thresholds, &mut health);
            activity::statements(database, thresholds, &mut health);
            activity::say_what_is_hidden(database, &mut health);
        }
        Dialect::Sqlite => sqlite::examine(database, thresholds, &mut health),
    }
    health.ailments.sort_by(|a, b| {
        let key = |ailment: &Ailment| {
            (std::cmp::Reverse(ailment.finding.severity), ailment.finding.kind.clone(), ailment.finding.subject.clone())
        };
        key(a).cmp(&key(b))
    });
    health
}

fn run(database: &mut dyn Database, checks: &[Check], thresholds: &Thresholds, health: &mut Health) {
    let queries: Vec<Query> = checks.iter().map(|check| Query::new(check.statement.as_str())).collect();
    let answers = database.query_all(&queries);
    for (check, answer) in checks.iter().zip(answers) {
        take_up(check, answer, thresholds, health);
    }
}

fn take_up(check: &Check, answer: Result<Rows, QueryError>, thresholds: &Thresholds, health: &mut Health) {
    match answer {
        Ok(rows) => {
            if rows.is_cut || rows.rows.len() > ROWS_MAX {
                health.gaps.push(format!("there are more {} than are listed", check.what));
            }
            for row in rows.rows.iter().take(ROWS_MAX) {
                let Some(mut ailment) = (check.read)(row, thresholds) else { continue };
                let shown = Rows { columns: rows.columns.clone(), rows: vec![row.clone()], ..Rows::default() };
                ailment.finding = ailment.finding.with_evidence(evidence_query(check, &rows.columns, row), shown);
                health.ailments.push(ailment);
            }
        }
        Err(error) => health.gaps.push(format!("{} could not be looked at: {error}", check.what)),
    }
}

/// The statement of the check, about this row alone.
fn evidence_query(check: &Check, columns: &[String], row: &Row) -> Query {
    let names = columns.iter().take(check.keys);
    let conditions: Vec<String> =
        names.enumerate().map(|(at, name)| format!("found.{} = ${}", crate::quote::quote(name), at + 1)).collect();
    if conditions.is_empty() {
        return Query::new(check.statement.as_str());
    }
    let parameters: Vec<Value> = row.iter().take(check.keys).cloned().collect();
    Query::with(format!("SELECT * FROM ({}) found WHERE {}", check.statement, conditions.join(" AND ")), parameters)
}

fn ailment(kind: &str, subject: Subject, severity: Severity, claim: String) -> Ailment {
    Ailment { finding: Finding::new(kind, subject, severity, claim), mend: Vec::new(), caveats: Vec::new() }
}

impl Ailment {
    /// About one index of its table: two of them are two facts.
    fn index(mut self, name: &str) -> Self {
        self.finding.subject.dimension = Some(name.to_owned());
        self
    }

    fn number(mut self, name: &str, value: f64) -> Self {
        self.finding = self.finding.with_number(name, value);
        self
    }

    fn mend(mut self, statement: impl Into<String>) -> Self {
        self.mend.push(statement.into());
        self
    }

    fn caveat(mut self, caveat: impl Into<String>) -> Self {
        self.caveats.push(caveat.into());
        self
    }
}

/// Schema and table of a row that begins with them.
fn place(row: &Row) -> (String, String, Subject) {
    let (schema, table) = (text_or_empty(row, 0), text_or_empty(row, 1));
    let subject = Subject::table(&schema, &table);
    (schema, table, subject)
}

/// A number that is there for certain, as the statement makes it.
fn figure(row: &Row, at: usize) -> f64 {
    float(row, at).or_else(|| number(row, at).map(|number| number as f64)).unwrap_or(0.0)
}

/// Bytes in mebibytes with one digit, and the number as it is written.
fn mebibytes(bytes: f64) -> f64 {
    (bytes / 104_857.6).round() / 10.0
}

fn percent(share: f64) -> f64 {
    (share * 1_000.0).round() / 10.0
}

/// A worse severity from a limit on.
fn worse_from(value: f64, critical: f64) -> Severity {
    if value >= critical { Severity::Critical } else { Severity::Warning }
}

/// What is somebody's own, of `pg_namespace` as `n`.
const OWN: &str = "n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";
