//! Taking a snapshot: the catalog is asked by few statements, whatever the number of tables.
//!
//! [`postgres`] and [`sqlite`] know the two catalogs, [`class`] what a type's values are like, [`fingerprint`] what the
//! values of columns looked like. What cannot be read becomes a gap, and a part that is missing as a whole is named in
//! `missing`, so that nobody takes its absence for a change. Without relations and columns there is no snapshot.

pub mod class;
mod fingerprint;
mod postgres;
mod sqlite;

use crate::database::{Database, Dialect, QueryError};
use crate::schema::{Section, Snapshot, Table};

pub use fingerprint::Sampling;

/// Relations of PostgreSQL that somebody has locked whole, or waits to: whoever asks for the text of an expression on one
/// waits too.
pub(crate) const LOCKED: &str = "(SELECT l.relation FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' \
     AND l.mode = 'AccessExclusiveLock' AND l.relation IS NOT NULL AND l.pid <> pg_catalog.pg_backend_pid())";

/// Texts of gaps name at most this many tables.
const NAMED_MAX: usize = 10;

/// What a snapshot is to hold.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The time, RFC 3339 in UTC: the library has no clock.
    pub taken: String,
    /// How column values are looked at; none where they are not.
    pub sampling: Option<Sampling>,
}

/// A snapshot of all that the role can see.
pub fn take(database: &mut dyn Database, options: &Options) -> Result<Snapshot, QueryError> {
    let mut snapshot = match database.dialect() {
        Dialect::Postgres => postgres::take(database)?,
        Dialect::Sqlite => sqlite::take(database)?,
    };
    snapshot.taken.clone_from(&options.taken);
    sort(&mut snapshot);
    say_what_is_unreadable(&mut snapshot);
    if let Some(sampling) = &options.sampling {
        fingerprint::add(database, &mut snapshot, sampling);
    }
    Ok(snapshot)
}

fn empty(dialect: Dialect) -> Snapshot {
    Snapshot {
        dialect,
        taken: String::new(),
        origin: None,
        version: None,
        tables: Vec::new(),
        enums: Vec::new(),
        gaps: Vec::new(),
        missing: Vec::new(),
    }
}

/// A part that could not be read.
fn miss(snapshot: &mut Snapshot, section: Section, what: &str, error: &QueryError) {
    snapshot.gaps.push(format!("{what} could not be read: {error}"));
    snapshot.missing.push(section);
}

fn sort(snapshot: &mut Snapshot) {
    snapshot.tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    snapshot.enums.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    snapshot.missing.sort();
    snapshot.missing.dedup();
    for table in &mut snapshot.tables {
        table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        table.checks.sort_by(|a, b| (&a.name, &a.expression).cmp(&(&b.name, &b.expression)));
        table.foreign_keys.sort_by(|a, b| (&a.name, &a.columns, &a.target).cmp(&(&b.name, &b.columns, &b.target)));
        for list in [&mut table.reads, &mut table.reads_columns, &mut table.grants, &mut table.options] {
            list.sort();
            list.dedup();
        }
    }
}

fn say_what_is_unreadable(snapshot: &mut Snapshot) {
    let locked: Vec<String> = snapshot.tables.iter().filter(|table| table.is_partial).map(Table::path).collect();
    if !locked.is_empty() {
        snapshot.gaps.push(format!(
            "somebody has locked {}: defaults, expressions and contents were not read",
            some_of(&locked)
        ));
    }
    let unreadable: Vec<String> = snapshot.tables.iter().filter(|table| !table.is_readable).map(Table::path).collect();
    if !unreadable.is_empty() {
        snapshot.gaps.push(format!("the role may not read {}", some_of(&unreadable)));
    }
}

/// The first names of many, and how many more there are.
pub(crate) fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
