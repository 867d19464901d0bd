//! What uses what was changed: in the old snapshot, as what went with a change is no longer in the new one.
//!
//! Directly: views that read it, foreign keys that point to it, indexes, checks and keys made of it, statements that are
//! known to run. Then what reads those views, to any distance.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::diff::KnownQuery;
use crate::diff::change::{Change, ChangeKind, Dependent};
use crate::diff::rename::Renames;
use crate::schema::{Snapshot, Table, TableKind};
use crate::text::{Word, words};

/// Dependents named of one change: a table in the middle of everything would name everything.
const NAMED_MAX: usize = 200;

struct Uses<'a> {
    tables: HashMap<String, &'a Table>,
    /// From a path to the views that read it.
    views: HashMap<&'a str, Vec<&'a Table>>,
    /// From a path to tables with keys that point to it.
    keys: HashMap<&'a str, Vec<&'a Table>>,
    partitions: HashMap<&'a str, Vec<&'a Table>>,
    queries: Vec<(&'a str, HashSet<String>)>,
}

pub(crate) fn add(sides: (&Snapshot, &Snapshot), renames: &Renames, known: &[KnownQuery], changes: &mut [Change]) {
    let (old, new) = sides;
    if changes.is_empty() {
        return;
    }
    let uses = Uses::of(old, known);
    let mut places_before: HashMap<String, usize> = HashMap::new();
    for (from, (to, _)) in &renames.tables {
        places_before.extend(new.tables.get(*to).map(|table| (table.path(), *from)));
    }
    for change in changes.iter_mut().filter(|change| concerns_users(change)) {
        // What it was called before.
        let path = format!("{}.{}", change.subject.schema, change.subject.table);
        let place = places_before.get(&path);
        let path = place.and_then(|place| old.tables.get(*place)).map_or(path, Table::path);
        let columns = place.and_then(|place| renames.columns.get(place));
        let column = change.subject.column.clone().map(|now| {
            let renamed = columns.into_iter().flatten().find(|(_, (name, _))| *name == now);
            renamed.map_or(now, |(then, _)| then.clone())
        });
        change.dependents = uses.dependents(&path, column.as_deref());
    }
}

/// What is added is used by nobody yet; what has a name of its own (an index, a grant) is not what views read.
fn concerns_users(change: &Change) -> bool {
    use ChangeKind as K;
    matches!(
        change.kind,
        K::TableDropped
            | K::TableRenamed
            | K::TableMoved
            | K::TableKindChanged
            | K::ColumnDropped
            | K::ColumnRenamed
            | K::TypeWidened
            | K::TypeNarrowed
            | K::TypeChanged
            | K::NullAllowed
            | K::GenerationChanged
            | K::ViewChanged
            | K::PartitionDetached
            | K::PrimaryKeyDropped
            | K::PrimaryKeyChanged
    )
}

impl<'a> Uses<'a> {
    fn of(old: &'a Snapshot, known: &'a [KnownQuery]) -> Self {
        let mut uses = Self {
            tables: HashMap::new(),
            views: HashMap::new(),
            keys: HashMap::new(),
            partitions: HashMap::new(),
            queries: Vec::new(),
        };
        for table in &old.tables {
            uses.tables.insert(table.path(), table);
            for path in &table.reads {
                uses.views.entry(path).or_default().push(table);
            }
            for key in &table.foreign_keys {
                uses.keys.entry(&key.target).or_default().push(table);
            }
            if let Some(parent) = &table.parent {
                uses.partitions.entry(parent).or_default().push(table);
            }
        }
        let names = |statement: &str| words(statement).iter().filter_map(Word::name).map(str::to_lowercase).collect();
        uses.queries = known.iter().map(|query| (query.name.as_str(), names(&query.statement))).collect();
        uses
    }

    fn dependents(&self, path: &str, column: Option<&str>) -> Vec<Dependent> {
        let mut found = self.direct(path, column);
        let mut queue: VecDeque<(&Table, usize)> = VecDeque::new();
        let mut seen: HashSet<String> = HashSet::from([path.to_owned()]);
        for view in self.readers(path, column) {
            if seen.insert(view.path()) {
                queue.push_back((view, 1));
            }
        }
        while let Some((view, distance)) = queue.pop_front() {
            let kind = if view.kind == TableKind::MaterializedView { "materialized_view" } else { "view" };
            found.push(Dependent { kind: kind.to_owned(), name: view.path(), distance });
            for next in self.readers(&view.path(), None) {
                if seen.insert(next.path()) {
                    queue.push_back((next, distance + 1));
                }
            }
        }
        found.sort_by(|a, b| (a.distance, &a.kind, &a.name).cmp(&(b.distance, &b.kind, &b.name)));
        found.dedup();
        found.truncate(NAMED_MAX);
        found
    }

    /// Views that read the table, or this column of it.
    fn readers(&self, path: &str, column: Option<&str>) -> Vec<&'a Table> {
        let wanted = column.map(|column| format!("{path}.{column}"));
        let is_read = |view: &&Table| wanted.as_ref().is_none_or(|wanted| view.reads_columns.contains(wanted));
        self.views.get(path).into_iter().flatten().copied().filter(is_read).collect()
    }

    fn direct(&self, path: &str, column: Option<&str>) -> Vec<Dependent> {
        let dependent = |kind: &str, name: String| Dependent { kind: kind.to_owned(), name, distance: 1 };
        let mut found = Vec::new();
        for table in self.keys.get(path).into_iter().flatten().filter(|table| table.path() != path) {
            for key in table.foreign_keys.iter().filter(|key| key.target == path) {
                if column.is_none_or(|column| key.target_columns.iter().any(|name| name == column)) {
                    let name =
                        if key.name.is_empty() { format!("({})", key.columns.join(", ")) } else { key.name.clone() };
                    found.push(dependent("foreign_key", format!("{}: {name}", table.path())));
                }
            }
        }
        if column.is_none() {
            let partitions = self.partitions.get(path).into_iter().flatten();
            found.extend(partitions.map(|table| dependent("partition", table.path())));
        }
        if let (Some(column), Some(table)) = (column, self.tables.get(path)) {
            found.extend(
                of_its_table(table, column).into_iter().map(|(kind, name)| dependent(kind, format!("{path}: {name}"))),
            );
        }
        let bare = path.rsplit_once('.').map_or(path, |(_, name)| name).to_lowercase();
        let column = column.map(str::to_lowercase);
        for (name, words) in &self.queries {
            if words.contains(&bare) && column.as_ref().is_none_or(|column| words.contains(column)) {
                found.push(dependent("query", (*name).to_owned()));
            }
        }
        found
    }
}

/// What of a table is made of one of its columns.
fn of_its_table(table: &Table, column: &str) -> Vec<(&'static str, String)> {
    let names = |text: &str| words(text).iter().filter_map(Word::name).any(|name| name == column);
    let mut found = Vec::new();
    for index in table.indexes.iter().filter(|index| !index.is_primary) {
        let mut parts = index.columns.iter().chain(&index.included).chain(&index.condition);
        if parts.any(|part| part == column || names(part)) {
            found.push(("index", index.name.clone()));
        }
    }
    let checks = table.checks.iter().filter(|check| names(&check.expression));
    found.extend(
        checks
            .map(|check| ("check", if check.name.is_empty() { check.expression.clone() } else { check.name.clone() })),
    );
    for key in table.foreign_keys.iter().filter(|key| key.columns.iter().any(|name| name == column)) {
        let name = if key.name.is_empty() { format!("to {}", key.target) } else { key.name.clone() };
        found.push(("foreign_key", name));
    }
    if table.primary_key.iter().any(|name| name == column) {
        found.push(("primary_key", table.primary_key.join(", ")));
    }
    found
}
