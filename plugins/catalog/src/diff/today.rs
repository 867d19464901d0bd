//! The old snapshot in today's names, so that what only names something that was renamed is equal.

use std::collections::HashMap;

use crate::diff::normal::Names;
use crate::diff::rename::Renames;
use crate::schema::{Snapshot, Table};

/// The old snapshot as it would be if only the renames had happened. Texts are as they were: they are compared by
/// [`Today::names`].
pub(crate) struct Today {
    pub(crate) snapshot: Snapshot,
    /// From old paths of tables to today's, those that differ.
    tables: HashMap<String, String>,
    /// From old bare names of tables and schemas to today's.
    bare: Names,
    /// By today's path of a table: from old names of its columns to today's.
    columns: HashMap<String, Names>,
}

pub(crate) fn in_names_of_today(old: &Snapshot, new: &Snapshot, renames: &Renames) -> Today {
    let mut today =
        Today { snapshot: old.clone(), tables: HashMap::new(), bare: Names::new(), columns: HashMap::new() };
    for (from, (to, _)) in &renames.tables {
        let (Some(before), Some(after)) = (old.tables.get(*from), new.tables.get(*to)) else { continue };
        if before.path() != after.path() {
            today.tables.insert(before.path(), after.path());
        }
        if before.name != after.name {
            today.bare.insert(before.name.clone(), after.name.clone());
        }
        if before.schema != after.schema {
            today.bare.insert(before.schema.clone(), after.schema.clone());
        }
        if let Some(columns) = renames.columns.get(from) {
            let names = columns.iter().map(|(then, (now, _))| (then.clone(), now.clone())).collect();
            today.columns.insert(after.path(), names);
        }
    }
    let mut tables = std::mem::take(&mut today.snapshot.tables);
    for (place, table) in tables.iter_mut().enumerate() {
        if let Some(after) = renames.tables.get(&place).and_then(|(to, _)| new.tables.get(*to)) {
            (table.schema, table.name) = (after.schema.clone(), after.name.clone());
        }
        today.rename(table);
    }
    today.snapshot.tables = tables;
    today
}

impl Today {
    /// Names of the columns of this table, and of all tables: what its checks, indexes and defaults name.
    pub(crate) fn names(&self, table: &Table) -> Names {
        let mut names = self.bare.clone();
        names.extend(self.columns.get(&table.path()).cloned().unwrap_or_default());
        names
    }

    /// The same of all tables that a view reads. Its own columns are not in it: one that was renamed is `source AS name`.
    pub(crate) fn names_of_view(&self, view: &Table) -> Names {
        let mut names = self.bare.clone();
        for path in &view.reads {
            names.extend(self.columns.get(path).cloned().unwrap_or_default());
        }
        names
    }

    fn path(&self, path: &str) -> String {
        self.tables.get(path).cloned().unwrap_or_else(|| path.to_owned())
    }

    fn rename(&self, table: &mut Table) {
        let renamed = |names: Option<&Names>, list: &mut Vec<String>| {
            for name in list {
                if let Some(now) = names.and_then(|names| names.get(name.as_str())) {
                    name.clone_from(now);
                }
            }
        };
        let own = self.columns.get(&table.path());
        renamed(own, &mut table.primary_key);
        for column in &mut table.columns {
            if let Some(now) = own.and_then(|names| names.get(&column.name)) {
                column.name.clone_from(now);
            }
        }
        for index in &mut table.indexes {
            for column in &mut index.columns {
                let (name, order) = match column.strip_suffix(" DESC") {
                    Some(name) => (name.to_owned(), " DESC"),
                    None => (column.clone(), ""),
                };
                if let Some(now) = own.and_then(|names| names.get(&name)) {
                    *column = format!("{now}{order}");
                }
            }
            renamed(own, &mut index.included);
        }
        for key in &mut table.foreign_keys {
            renamed(own, &mut key.columns);
            key.target = self.path(&key.target);
            renamed(self.columns.get(&key.target), &mut key.target_columns);
        }
        for path in &mut table.reads {
            *path = self.path(path);
        }
        if let Some(parent) = &mut table.parent {
            *parent = self.path(parent);
        }
    }
}
