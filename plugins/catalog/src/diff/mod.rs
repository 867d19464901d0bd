//! What is different between two snapshots, in terms of what it means.
//!
//! First [`rename`] says what is there under another name; the old snapshot is then written in today's names ([`today`]),
//! so that a rename is told once and not again by each key, index and view. Then tables are compared pair by pair
//! ([`compare`]). What goes or comes with something (a dropped column's index, a partition's share of its parent's
//! change) is not told again. [`depend`] adds what uses it, [`report`] makes findings of it.

mod assignment;
pub mod change;
mod compare;
mod depend;
mod normal;
mod rename;
mod report;
mod resemblance;
mod today;
mod types;

use std::collections::HashSet;

use crate::diff::change::{Change, ChangeKind};
use crate::diff::rename::Renames;
use crate::finding::Subject;
use crate::schema::{Enum, Section, Snapshot, Table, TableKind};

pub use report::findings;

/// A statement that somebody runs again and again, so that it depends on what it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownQuery {
    /// Whose it is: `heartbeat nightly`.
    pub name: String,
    /// Its text.
    pub statement: String,
}

/// All that is different, by subject. Parts that either snapshot could not read are not compared.
pub fn diff(old: &Snapshot, new: &Snapshot, known: &[KnownQuery]) -> Vec<Change> {
    if old.dialect != new.dialect {
        return Vec::new();
    }
    let renames = rename::recognise(old, new);
    let today = today::in_names_of_today(old, new, &renames);
    let is_read = |section| !old.missing.contains(&section) && !new.missing.contains(&section);
    let comparison = compare::Comparison { old: &today, new, renames: &renames, is_read: &is_read };
    let mut changes = Vec::new();
    let mut pairs: Vec<(usize, usize, f64)> =
        renames.tables.iter().map(|(from, (to, sure))| (*from, *to, *sure)).collect();
    pairs.sort_by_key(|(from, _, _)| *from);
    for (from, to, sure) in &pairs {
        if let (Some(then), Some(before), Some(after)) =
            (old.tables.get(*from), today.snapshot.tables.get(*from), new.tables.get(*to))
        {
            changes.extend(named(then, after, *sure));
            if !then.is_partial && !after.is_partial {
                changes.extend(comparison.table(*from, before, after));
            }
        }
    }
    changes.extend(come_and_gone(old, new, &renames));
    if is_read(Section::Enums) {
        enums(&old.enums, &new.enums, &mut changes);
    }
    fold_partitions(new, &mut changes);
    depend::add((old, new), &renames, known, &mut changes);
    let key = |change: &Change| (change.subject.clone(), change.kind, change.item.clone());
    changes.sort_by_cached_key(key);
    changes
}

/// A table under another name.
fn named(then: &Table, now: &Table, sure: f64) -> Option<Change> {
    let subject = Subject::table(&now.schema, &now.name);
    let kind = match (then.schema == now.schema, then.name == now.name) {
        (true, true) => return None,
        (true, false) => ChangeKind::TableRenamed,
        (false, _) => ChangeKind::TableMoved,
    };
    let why = "statements that name it as before fail; views and foreign keys follow it";
    let mut change = Change::new(kind, subject, why).between(Some(then.path()), Some(now.path())).breaking(true, true);
    change.confidence = Some(sure);
    Some(change)
}

fn come_and_gone(old: &Snapshot, new: &Snapshot, renames: &Renames) -> Vec<Change> {
    let stayed: HashSet<usize> = renames.tables.values().map(|(to, _)| *to).collect();
    let is_new = |(place, _): &(usize, &Table)| !stayed.contains(place);
    let gone = old.tables.iter().enumerate().filter(|(place, _)| !renames.tables.contains_key(place));
    let gone = gone.map(|(_, table)| {
        let subject = Subject::table(&table.schema, &table.name);
        let is_partition = table.kind == TableKind::Partition;
        let why = match table.kind {
            TableKind::Partition => "a part of its parent's rows is gone; statements on the parent go on",
            TableKind::View | TableKind::MaterializedView => "statements that read the view fail",
            _ => "statements that name it fail, and its rows are gone",
        };
        Change::new(ChangeKind::TableDropped, subject, why)
            .between(Some(kind_name(table.kind).to_owned()), None)
            .breaking(!is_partition, !is_partition && !table.is_view())
    });
    let come = new.tables.iter().enumerate().filter(is_new).map(|(_, table)| {
        let subject = Subject::table(&table.schema, &table.name);
        let why = "nothing named it before";
        match &table.parent {
            Some(parent) => {
                Change::new(ChangeKind::PartitionAttached, subject, "its parent has rows of its own in it now")
                    .between(None, Some(parent.clone()))
            }
            None => {
                Change::new(ChangeKind::TableAdded, subject, why).between(None, Some(kind_name(table.kind).to_owned()))
            }
        }
    });
    gone.chain(come).collect()
}

fn kind_name(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Table => "table",
        TableKind::Partitioned => "partitioned table",
        TableKind::Partition => "partition",
        TableKind::View => "view",
        TableKind::MaterializedView => "materialized view",
        TableKind::Foreign => "foreign table",
    }
}

fn enums(old: &[Enum], new: &[Enum], changes: &mut Vec<Change>) {
    let same = |a: &Enum, b: &Enum| a.schema == b.schema && a.name == b.name;
    for before in old {
        let subject = Subject::table(&before.schema, &before.name);
        let Some(after) = new.iter().find(|after| same(before, after)) else {
            let why = "casts to the type fail";
            let change = Change::new(ChangeKind::EnumDropped, subject, why).breaking(true, true);
            changes.push(change.between(Some(before.values.join(", ")), None));
            continue;
        };
        for value in after.values.iter().filter(|value| !before.values.contains(value)) {
            let why = "readers that know a fixed list of values meet one more";
            let change = Change::new(ChangeKind::EnumValueAdded, subject.clone(), why).of(value.clone());
            changes.push(change.between(None, Some(value.clone())));
        }
        for value in before.values.iter().filter(|value| !after.values.contains(value)) {
            let why = "statements that compare with it or write it fail";
            let change = Change::new(ChangeKind::EnumValueRemoved, subject.clone(), why).of(value.clone());
            changes.push(change.between(Some(value.clone()), None).breaking(true, true));
        }
        let kept = |a: &Enum, b: &Enum| -> Vec<String> {
            a.values.iter().filter(|value| b.values.contains(value)).cloned().collect()
        };
        let (then, now) = (kept(before, after), kept(after, before));
        if then != now {
            let why = "comparisons and ORDER BY follow the type's order";
            let change = Change::new(ChangeKind::EnumReordered, subject, why).breaking(true, false);
            changes.push(change.between(Some(then.join(", ")), Some(now.join(", "))));
        }
    }
    for after in new.iter().filter(|after| !old.iter().any(|before| same(before, after))) {
        let change =
            Change::new(ChangeKind::EnumAdded, Subject::table(&after.schema, &after.name), "nothing named it before");
        changes.push(change.between(None, Some(after.values.join(", "))));
    }
}

/// What a partition has from its parent is told of the parent alone.
fn fold_partitions(new: &Snapshot, changes: &mut Vec<Change>) {
    let told: HashSet<(String, ChangeKind, Option<String>)> = changes
        .iter()
        .map(|change| {
            (format!("{}.{}", change.subject.schema, change.subject.table), change.kind, change.subject.column.clone())
        })
        .collect();
    changes.retain(|change| {
        let table = new.table(&change.subject.schema, &change.subject.table);
        let parent = table.and_then(|table| table.parent.clone());
        let is_own = [
            ChangeKind::PartitionAttached,
            ChangeKind::TableRenamed,
            ChangeKind::TableMoved,
            ChangeKind::CommentChanged,
        ];
        match parent {
            Some(parent) if !is_own.contains(&change.kind) => {
                !told.contains(&(parent, change.kind, change.subject.column.clone()))
            }
            _ => true,
        }
    });
}
