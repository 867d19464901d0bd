//! One table then and now, both in today's names: columns, keys, indexes, checks, texts, grants and comments.

use std::collections::{BTreeMap, HashSet};

use crate::diff::change::{Change, ChangeKind};
use crate::diff::normal::{Names, is_same, is_same_view};
use crate::diff::rename::Renames;
use crate::diff::today::Today;
use crate::diff::{kind_name, types};
use crate::finding::Subject;
use crate::schema::{Check, Column, ForeignKey, Index, Section, Table};

pub(crate) struct Comparison<'a> {
    pub(crate) old: &'a Today,
    pub(crate) new: &'a crate::schema::Snapshot,
    pub(crate) renames: &'a Renames,
    /// Whether both snapshots have this part.
    pub(crate) is_read: &'a dyn Fn(Section) -> bool,
}

/// A pair of tables under comparison.
struct Sides<'a> {
    before: &'a Table,
    after: &'a Table,
    names: Names,
    /// Columns that are gone: what was made of them went with them.
    gone: HashSet<&'a str>,
    changes: Vec<Change>,
}

impl Comparison<'_> {
    pub(crate) fn table(&self, place: usize, before: &Table, after: &Table) -> Vec<Change> {
        let gone = before.columns.iter().map(|column| column.name.as_str());
        let gone = gone.filter(|name| after.column(name).is_none()).collect();
        let names = if after.is_view() { self.old.names_of_view(before) } else { self.old.names(before) };
        let mut sides = Sides { before, after, names, gone, changes: Vec::new() };
        let renamed = self.renames.columns.get(&place);
        for (then, (now, sure)) in renamed.into_iter().flatten() {
            let why = "statements that name it as before fail; views, keys and indexes follow it";
            let mut change = Change::new(ChangeKind::ColumnRenamed, sides.subject_of(now), why);
            change.confidence = Some(*sure);
            sides.changes.push(change.between(Some(then.clone()), Some(now.clone())).breaking(true, true));
        }
        sides.kind_and_options();
        let is_text_new = (self.is_read)(Section::Views) && sides.view();
        // A view's columns follow from its text: one change, which says what it did to the columns.
        let from = sides.changes.len();
        sides.columns();
        if is_text_new {
            sides.fold_columns(from);
        }
        let was_moved = before.parent != after.parent;
        // A partition gets keys and indexes from its parent when it is attached, and keeps them when it is not.
        if (self.is_read)(Section::Constraints) && !was_moved {
            sides.primary_key();
            sides.foreign_keys(self.new);
            sides.checks();
        }
        if (self.is_read)(Section::Indexes) && !was_moved {
            sides.indexes();
        }
        if (self.is_read)(Section::Grants) {
            sides.grants();
        }
        if (self.is_read)(Section::Comments) {
            sides.comments();
        }
        sides.changes
    }
}

/// Before and after of what has a name, by name.
fn by_name<'a, T>(list: &'a [T], name: impl Fn(&'a T) -> String) -> BTreeMap<String, &'a T> {
    let mut found: BTreeMap<String, &T> = BTreeMap::new();
    for item in list {
        let (base, mut number) = (name(item), 1);
        let mut name = base.clone();
        // SQLite has keys and checks without names: what is equal twice is told apart by its place.
        while found.contains_key(&name) {
            number += 1;
            name = format!("{base} ({number})");
        }
        found.insert(name, item);
    }
    found
}

impl Sides<'_> {
    fn subject(&self) -> Subject {
        Subject::table(&self.after.schema, &self.after.name)
    }

    fn subject_of(&self, column: &str) -> Subject {
        Subject::column(&self.after.schema, &self.after.name, column)
    }

    fn push(
        &mut self,
        kind: ChangeKind,
        item: &str,
        sides: (Option<String>, Option<String>),
        why: &str,
        breaks: (bool, bool),
    ) {
        let change = Change::new(kind, self.subject(), why).of(item).between(sides.0, sides.1);
        self.changes.push(change.breaking(breaks.0, breaks.1));
    }

    fn kind_and_options(&mut self) {
        let (before, after) = (self.before, self.after);
        match (&before.parent, &after.parent) {
            (None, Some(parent)) => {
                let why = "its rows are its parent's now";
                self.push(ChangeKind::PartitionAttached, "", (None, Some(parent.clone())), why, (false, false));
            }
            (Some(parent), None) => {
                let why = "its rows are no longer seen through its parent";
                self.push(ChangeKind::PartitionDetached, "", (Some(parent.clone()), None), why, (true, true));
            }
            (then, now) if then == now && before.kind != after.kind => {
                let is_read_only = after.is_view() && !before.is_view();
                let sides = (Some(kind_name(before.kind).to_owned()), Some(kind_name(after.kind).to_owned()));
                let why = "it is read as before; what was written to a table cannot be written to a view";
                self.push(ChangeKind::TableKindChanged, "", sides, why, (false, is_read_only));
            }
            _ => {}
        }
        if before.options != after.options {
            let sides = (Some(before.options.join(", ")), Some(after.options.join(", ")));
            let is_stricter = after.options.iter().any(|option| option == "strict" && !before.options.contains(option));
            let why = "how its rows are kept is different; a strict table refuses values of other types";
            self.push(ChangeKind::TableOptionsChanged, "", sides, why, (false, is_stricter));
        }
    }

    /// Whether the text of the view is another.
    fn view(&mut self) -> bool {
        let (Some(then), Some(now)) = (&self.before.definition, &self.after.definition) else { return false };
        if is_same_view(then, now, &self.names) {
            return false;
        }
        let sides = (Some(then.clone()), Some(now.clone()));
        let why = if self.before.reads == self.after.reads {
            "it reads the same tables in another way".to_owned()
        } else {
            format!("it read {}, and reads {}", list(&self.before.reads), list(&self.after.reads))
        };
        self.push(ChangeKind::ViewChanged, "", sides, &why, (false, false));
        true
    }

    /// What became of a view's columns becomes part of the change of its text.
    fn fold_columns(&mut self, from: usize) {
        let columns = self.changes.split_off(from.min(self.changes.len()));
        let renamed: Vec<Change> =
            self.changes.iter().filter(|change| change.kind == ChangeKind::ColumnRenamed).cloned().collect();
        self.changes.retain(|change| change.kind != ChangeKind::ColumnRenamed);
        let Some(text) = self.changes.iter_mut().find(|change| change.kind == ChangeKind::ViewChanged) else { return };
        for change in renamed.into_iter().chain(columns) {
            text.breaks_readers |= change.breaks_readers;
            text.breaks_writers |= change.breaks_writers;
            let column = change.subject.column.unwrap_or_default();
            text.why.push_str(&format!("; {} `{column}`", change.kind.name().replace('_', " ")));
        }
    }

    fn columns(&mut self) {
        for before in &self.before.columns {
            let subject = self.subject_of(&before.name);
            match self.after.column(&before.name) {
                Some(after) => self.column(before, after, &subject),
                None => {
                    let why = "statements that name it fail, and its values are gone";
                    let change =
                        Change::new(ChangeKind::ColumnDropped, subject, why).breaking(true, !self.after.is_view());
                    self.changes.push(change.between(Some(before.data_type.clone()), None));
                }
            }
        }
        for after in self.after.columns.iter().filter(|after| self.before.column(&after.name).is_none()) {
            let is_needed = !after.is_nullable && after.default.is_none() && !after.is_generated;
            let is_needed = is_needed && !self.after.is_view();
            let why = if is_needed {
                "rows that are added without it are refused"
            } else {
                "statements that name their columns go on"
            };
            let change =
                Change::new(ChangeKind::ColumnAdded, self.subject_of(&after.name), why).breaking(false, is_needed);
            self.changes.push(change.between(None, Some(after.data_type.clone())));
        }
    }

    fn column(&mut self, before: &Column, after: &Column, subject: &Subject) {
        if let Some(kind) = types::compare(before, after) {
            let (why, breaks) = match kind {
                ChangeKind::TypeWidened => {
                    ("each old value fits; readers with a narrower type of their own may overflow", (false, false))
                }
                ChangeKind::TypeNarrowed => ("values that could be written are refused or rounded", (false, true)),
                _ => ("comparisons and functions of the old type fail or mean something else", (true, true)),
            };
            let change = Change::new(kind, subject.clone(), why).breaking(breaks.0, breaks.1);
            self.changes.push(change.between(Some(before.data_type.clone()), Some(after.data_type.clone())));
        }
        // Views have no rules of their own; a new primary key forbids nulls by itself.
        let is_by_key = self.after.primary_key.contains(&after.name) && !self.before.primary_key.contains(&after.name);
        if before.is_nullable != after.is_nullable && !self.after.is_view() && !is_by_key {
            let (kind, why, breaks) = if after.is_nullable {
                (ChangeKind::NullAllowed, "readers that never met null can meet it", (true, false))
            } else {
                (ChangeKind::NullForbidden, "rows without a value are refused", (false, true))
            };
            self.changes.push(Change::new(kind, subject.clone(), why).breaking(breaks.0, breaks.1));
        }
        self.default(before, after, subject);
    }

    fn default(&mut self, before: &Column, after: &Column, subject: &Subject) {
        let (then, now) = (before.default.clone(), after.default.clone());
        if before.is_generated != after.is_generated
            || (after.is_generated && !is_same(then.as_deref(), now.as_deref(), &self.names))
        {
            let why = "computed columns cannot be written, and hold what their expression says";
            let change = Change::new(ChangeKind::GenerationChanged, subject.clone(), why);
            self.changes.push(change.between(then, now).breaking(true, after.is_generated && !before.is_generated));
            return;
        }
        if is_same(then.as_deref().map(bare).as_deref(), now.as_deref().map(bare).as_deref(), &self.names) {
            return;
        }
        let (kind, why) = match (&then, &now) {
            (None, _) => (ChangeKind::DefaultAdded, "rows that are added without it get a value"),
            (_, None) => (ChangeKind::DefaultDropped, "rows that are added without it get null, or are refused"),
            _ => (ChangeKind::DefaultChanged, "rows that are added without it get another value"),
        };
        let is_needed = now.is_none() && !after.is_nullable;
        self.changes.push(Change::new(kind, subject.clone(), why).between(then, now).breaking(false, is_needed));
    }

    fn primary_key(&mut self) {
        let (then, now) = (&self.before.primary_key, &self.after.primary_key);
        let is_gone_with_column = now.is_empty() && then.iter().any(|name| self.gone.contains(name.as_str()));
        if then == now || is_gone_with_column {
            return;
        }
        let sides = (some(then), some(now));
        let (kind, why, breaks) = match (then.is_empty(), now.is_empty()) {
            (true, _) => {
                (ChangeKind::PrimaryKeyAdded, "rows that repeat the key, or have none, are refused", (false, true))
            }
            (_, true) => (
                ChangeKind::PrimaryKeyDropped,
                "rows can repeat; writes that resolve conflicts by the key fail",
                (true, true),
            ),
            _ => (ChangeKind::PrimaryKeyChanged, "what names a row is another", (true, true)),
        };
        self.push(kind, "", sides, why, breaks);
    }

    fn foreign_keys(&mut self, new: &crate::schema::Snapshot) {
        let name = |key: &ForeignKey| {
            if key.name.is_empty() {
                format!("({}) to {}", key.columns.join(", "), key.target)
            } else {
                key.name.clone()
            }
        };
        let (before, after) = (by_name(&self.before.foreign_keys, name), by_name(&self.after.foreign_keys, name));
        let text = |key: &ForeignKey| {
            let (here, there) = (key.columns.join(", "), key.target_columns.join(", "));
            format!("({here}) to {} ({there}) on delete {}", key.target, key.on_delete)
        };
        let same = |a: &ForeignKey, b: &ForeignKey| text(a) == text(b);
        let dropped = self.gone.clone();
        let gone = |key: &ForeignKey| {
            let has_target = |path: &str| new.tables.iter().find(|table| table.path() == path);
            let target = has_target(&key.target);
            key.columns.iter().any(|name| dropped.contains(name.as_str()))
                || target.is_none_or(|table| key.target_columns.iter().any(|name| table.column(name).is_none()))
        };
        for (name, then, now) in paired(&before, &after, same) {
            match (then, now) {
                (Some(then), None) if gone(then) => {}
                (Some(then), None) => {
                    let why = "rows can point to nothing";
                    self.push(ChangeKind::ForeignKeyDropped, &name, (Some(text(then)), None), why, (false, false));
                }
                (None, Some(now)) => {
                    let why = "rows that point to nothing are refused";
                    self.push(ChangeKind::ForeignKeyAdded, &name, (None, Some(text(now))), why, (false, true));
                }
                (Some(then), Some(now)) => {
                    if !same(then, now) {
                        let why = "what the rows may point to, or what happens when that goes, is different";
                        self.push(
                            ChangeKind::ForeignKeyChanged,
                            &name,
                            (Some(text(then)), Some(text(now))),
                            why,
                            (false, true),
                        );
                    } else if then.name != now.name {
                        let sides = (Some(then.name.clone()), Some(now.name.clone()));
                        let why = "only statements that name the constraint notice";
                        self.push(ChangeKind::ForeignKeyRenamed, &now.name, sides, why, (false, false));
                    }
                    if !then.is_validated && now.is_validated {
                        self.push(
                            ChangeKind::ForeignKeyValidated,
                            &name,
                            (None, None),
                            "all rows are known to keep it",
                            (false, false),
                        );
                    }
                }
                (None, None) => {}
            }
        }
    }

    fn checks(&mut self) {
        let name = |check: &Check| if check.name.is_empty() { check.expression.clone() } else { check.name.clone() };
        let (before, after) = (by_name(&self.before.checks, name), by_name(&self.after.checks, name));
        let names = self.names.clone();
        let same = |a: &Check, b: &Check| is_same(Some(&a.expression), Some(&b.expression), &names);
        let text = |check: &Check| Some(check.expression.clone());
        for (name, then, now) in paired(&before, &after, same) {
            match (then, now) {
                (Some(then), None) if self.names_what_is_gone(&then.expression) => {}
                (Some(then), None) => {
                    let why = "rows that were refused are taken";
                    self.push(ChangeKind::CheckDropped, &name, (text(then), None), why, (false, false));
                }
                (None, Some(now)) => {
                    let why = "rows that do not pass are refused";
                    self.push(ChangeKind::CheckAdded, &name, (None, text(now)), why, (false, true));
                }
                (Some(then), Some(now)) => {
                    if !same(then, now) {
                        self.push(
                            ChangeKind::CheckChanged,
                            &name,
                            (text(then), text(now)),
                            "other rows are refused",
                            (false, true),
                        );
                    } else if then.name != now.name {
                        let sides = (Some(then.name.clone()), Some(now.name.clone()));
                        let why = "only statements that name the constraint notice";
                        self.push(ChangeKind::CheckRenamed, &now.name, sides, why, (false, false));
                    }
                    if !then.is_validated && now.is_validated {
                        self.push(
                            ChangeKind::CheckValidated,
                            &name,
                            (None, None),
                            "all rows are known to pass",
                            (false, false),
                        );
                    }
                }
                (None, None) => {}
            }
        }
    }

    fn names_what_is_gone(&self, expression: &str) -> bool {
        crate::text::words(expression).iter().filter_map(|word| word.name()).any(|name| self.gone.contains(name))
    }

    fn indexes(&mut self) {
        // The primary key's index goes and comes with the key.
        let own =
            |table: &Table| -> Vec<Index> { table.indexes.iter().filter(|index| !index.is_primary).cloned().collect() };
        let (old, new) = (own(self.before), own(self.after));
        // SQLite counts the indexes of constraints: their names follow the order and mean nothing.
        let name = |index: &Index| {
            if index.name.starts_with("sqlite_autoindex_") {
                format!("unique ({})", index.columns.join(", "))
            } else {
                index.name.clone()
            }
        };
        let (before, after) = (by_name(&old, name), by_name(&new, name));
        let names = self.names.clone();
        let same = |a: &Index, b: &Index| {
            let lists = |a: &[String], b: &[String]| is_same(Some(&a.join(" , ")), Some(&b.join(" , ")), &names);
            lists(&a.columns, &b.columns)
                && lists(&a.included, &b.included)
                && (a.is_unique, &a.method, a.is_constraint) == (b.is_unique, &b.method, b.is_constraint)
                && is_same(a.condition.as_deref(), b.condition.as_deref(), &names)
        };
        for (name, then, now) in paired(&before, &after, same) {
            self.index(&name, then, now, &same);
        }
    }

    fn index(&mut self, name: &str, then: Option<&Index>, now: Option<&Index>, same: &dyn Fn(&Index, &Index) -> bool) {
        match (then, now) {
            (Some(then), None) => {
                let parts = then.columns.iter().chain(&then.included).chain(&then.condition);
                if parts.into_iter().any(|part| self.names_what_is_gone(part) || self.gone.contains(part.as_str())) {
                    return;
                }
                let why = if then.is_unique {
                    "values can repeat; writes that resolve conflicts by it fail, and what it made fast is slow"
                } else {
                    "what it made fast is slow"
                };
                self.push(ChangeKind::IndexDropped, name, (Some(index_text(then)), None), why, (false, then.is_unique));
            }
            (None, Some(now)) => {
                let why = if now.is_unique { "values that repeat are refused" } else { "writes take a little longer" };
                self.push(ChangeKind::IndexAdded, name, (None, Some(index_text(now))), why, (false, now.is_unique));
                if !now.is_valid {
                    self.push(ChangeKind::IndexBecameInvalid, name, (None, None), INVALID, (false, false));
                }
            }
            (Some(then), Some(now)) => {
                if !same(then, now) {
                    let sides = (Some(index_text(then)), Some(index_text(now)));
                    let is_stricter = now.is_unique && !then.is_unique;
                    let why = "other statements are fast, and other values may repeat";
                    self.push(ChangeKind::IndexChanged, name, sides, why, (false, is_stricter));
                } else if then.name != now.name && !now.name.starts_with("sqlite_autoindex_") {
                    let sides = (Some(then.name.clone()), Some(now.name.clone()));
                    self.push(
                        ChangeKind::IndexRenamed,
                        &now.name,
                        sides,
                        "only statements that name the index notice",
                        (false, false),
                    );
                }
                match (then.is_valid, now.is_valid) {
                    (true, false) => {
                        self.push(ChangeKind::IndexBecameInvalid, name, (None, None), INVALID, (false, false))
                    }
                    (false, true) => {
                        self.push(ChangeKind::IndexBecameValid, name, (None, None), "it is used again", (false, false))
                    }
                    _ => {}
                }
            }
            (None, None) => {}
        }
    }

    fn grants(&mut self) {
        let read = |table: &Table| -> BTreeMap<String, Vec<String>> {
            let pairs = table.grants.iter().filter_map(|line| line.rsplit_once(": "));
            pairs.map(|(role, rights)| (role.to_owned(), rights.split(", ").map(str::to_owned).collect())).collect()
        };
        let (before, after) = (read(self.before), read(self.after));
        let roles: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for role in roles {
            let rights = |all: &BTreeMap<String, Vec<String>>| all.get(role).cloned().unwrap_or_default();
            let (then, now) = (rights(&before), rights(&after));
            let only = |a: &[String], b: &[String]| -> Vec<String> {
                a.iter().filter(|right| !b.contains(right)).cloned().collect()
            };
            let (added, removed) = (only(&now, &then), only(&then, &now));
            if !added.is_empty() {
                let sides = (some(&then), some(&now));
                let why = format!("`{role}` may now {}", added.join(", "));
                self.push(ChangeKind::GrantAdded, role, sides, &why, (false, false));
            }
            if !removed.is_empty() {
                let is_read = removed.iter().any(|right| right == "SELECT");
                let is_written = removed.iter().any(|right| right != "SELECT");
                let why = format!("`{role}` may no longer {}", removed.join(", "));
                self.push(ChangeKind::GrantRemoved, role, (some(&then), some(&now)), &why, (is_read, is_written));
            }
        }
    }

    fn comments(&mut self) {
        let why = "people read it";
        if self.before.comment != self.after.comment {
            self.push(
                ChangeKind::CommentChanged,
                "",
                (self.before.comment.clone(), self.after.comment.clone()),
                why,
                (false, false),
            );
        }
        for after in &self.after.columns {
            let Some(before) = self.before.column(&after.name).filter(|before| before.comment != after.comment) else {
                continue;
            };
            let change = Change::new(ChangeKind::CommentChanged, self.subject_of(&after.name), why);
            self.changes.push(change.between(before.comment.clone(), after.comment.clone()));
        }
    }
}

const INVALID: &str = "it is kept up to date by each write and used by no read";

/// Those of one name, then those that are the same under another name, then those that are on one side alone.
fn paired<'a, T>(
    before: &BTreeMap<String, &'a T>,
    after: &BTreeMap<String, &'a T>,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(String, Option<&'a T>, Option<&'a T>)> {
    let mut found = Vec::new();
    let mut come: Vec<(&String, &T)> =
        after.iter().filter(|(name, _)| !before.contains_key(*name)).map(|(name, item)| (name, *item)).collect();
    for (name, then) in before {
        if let Some(now) = after.get(name) {
            found.push((name.clone(), Some(*then), Some(*now)));
        } else if let Some(at) = come.iter().position(|(_, now)| same(then, now)) {
            let (_, now) = come.swap_remove(at);
            found.push((name.clone(), Some(*then), Some(now)));
        } else {
            found.push((name.clone(), Some(*then), None));
        }
    }
    found.extend(come.into_iter().map(|(name, now)| (name.clone(), None, Some(now))));
    found
}

fn index_text(index: &Index) -> String {
    let unique = if index.is_unique { "unique " } else { "" };
    let included =
        if index.included.is_empty() { String::new() } else { format!(" include ({})", index.included.join(", ")) };
    let condition = index.condition.as_ref().map(|condition| format!(" where {condition}")).unwrap_or_default();
    format!("{unique}{} ({}){included}{condition}", index.method, index.columns.join(", "))
}

/// A default without the schema of its sequence, which PostgreSQL writes or not by the search path of who asks.
fn bare(default: &str) -> String {
    let Some((before, name)) = default.split_once("nextval('") else { return default.to_owned() };
    let (path, after) = name.split_once('\'').unwrap_or((name, ""));
    let bare = path.rsplit_once('.').map_or(path, |(_, bare)| bare);
    format!("{before}nextval('{bare}'{after}")
}

fn some(list: &[String]) -> Option<String> {
    (!list.is_empty()).then(|| list.join(", "))
}

fn list(paths: &[String]) -> String {
    if paths.is_empty() { "no table".to_owned() } else { crate::snapshot::some_of(paths) }
}
