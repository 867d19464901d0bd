//! A change: what was, what is, whom it breaks and what depends on it.

use serde::{Deserialize, Serialize};

use crate::finding::{Severity, Subject};

/// What kind of change it is. Its name in `snake_case` is the finding's kind, and is never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    TableAdded,
    TableDropped,
    TableRenamed,
    /// Into another schema; perhaps under another name.
    TableMoved,
    /// A table became a view, partitioned, ...
    TableKindChanged,
    TableOptionsChanged,
    PartitionAttached,
    PartitionDetached,
    ColumnAdded,
    ColumnDropped,
    ColumnRenamed,
    /// Each old value fits into the new type, and is written the same.
    TypeWidened,
    /// Of the same family, but not each old value fits.
    TypeNarrowed,
    /// Into another family.
    TypeChanged,
    NullAllowed,
    NullForbidden,
    DefaultAdded,
    DefaultDropped,
    DefaultChanged,
    /// Whether the database computes it, or how.
    GenerationChanged,
    PrimaryKeyAdded,
    PrimaryKeyDropped,
    PrimaryKeyChanged,
    IndexAdded,
    IndexDropped,
    IndexRenamed,
    IndexChanged,
    IndexBecameInvalid,
    IndexBecameValid,
    CheckAdded,
    CheckDropped,
    CheckRenamed,
    CheckChanged,
    CheckValidated,
    ForeignKeyAdded,
    ForeignKeyDropped,
    ForeignKeyRenamed,
    ForeignKeyChanged,
    ForeignKeyValidated,
    /// Its text; and so perhaps its columns and what it reads.
    ViewChanged,
    EnumAdded,
    EnumDropped,
    EnumValueAdded,
    EnumValueRemoved,
    EnumReordered,
    GrantAdded,
    GrantRemoved,
    CommentChanged,
}

/// Something that uses what was changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dependent {
    /// `view`, `materialized_view`, `foreign_key`, `index`, `check`, `primary_key`, `partition` or `query`.
    pub kind: String,
    /// `schema.table`, or `schema.table: name` of what belongs to a table, or a query's name.
    pub name: String,
    /// How many steps away it is: 1 uses it itself, 2 uses something that does.
    pub distance: usize,
}

/// One difference between two snapshots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What kind.
    pub kind: ChangeKind,
    /// Where it is now; where it was, if it is gone.
    pub subject: Subject,
    /// What of the subject, where it has a name of its own: an index, a check, a value of an enum, a role.
    pub item: Option<String>,
    /// What was: a type, a name, a text.
    pub old: Option<String>,
    /// What is.
    pub new: Option<String>,
    /// Whether statements that read, and worked, can fail or mean something else now.
    pub breaks_readers: bool,
    /// Whether statements that write, and worked, can fail now.
    pub breaks_writers: bool,
    /// Why, in a sentence.
    pub why: String,
    /// What uses it, nearest first. Of what is gone: what used it, and may have gone with it.
    pub dependents: Vec<Dependent>,
    /// How sure a rename is, from 0 to 1; 1 where the database's own numbers say it.
    pub confidence: Option<f64>,
}

impl ChangeKind {
    /// Its name in `snake_case`.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

impl Change {
    /// A change that breaks nobody; what it breaks is added by [`Change::breaking`].
    pub(crate) fn new(kind: ChangeKind, subject: Subject, why: impl Into<String>) -> Self {
        Self {
            kind,
            subject,
            item: None,
            old: None,
            new: None,
            breaks_readers: false,
            breaks_writers: false,
            why: why.into(),
            dependents: Vec::new(),
            confidence: None,
        }
    }

    pub(crate) fn of(mut self, item: impl Into<String>) -> Self {
        self.item = Some(item.into()).filter(|item| !item.is_empty());
        self
    }

    pub(crate) fn between(mut self, old: Option<String>, new: Option<String>) -> Self {
        (self.old, self.new) = (old, new);
        self
    }

    pub(crate) fn breaking(mut self, readers: bool, writers: bool) -> Self {
        (self.breaks_readers, self.breaks_writers) = (readers, writers);
        self
    }

    /// Whether somebody's statements can fail now.
    pub fn is_breaking(&self) -> bool {
        self.breaks_readers || self.breaks_writers
    }

    /// How much it matters: more where something is known to use it.
    pub fn severity(&self) -> Severity {
        let is_used = !self.dependents.is_empty();
        match (self.is_breaking(), is_used) {
            (true, true) => Severity::Critical,
            (true, false) => Severity::Warning,
            (false, _) if self.kind == ChangeKind::IndexBecameInvalid => Severity::Warning,
            (false, _) if self.kind == ChangeKind::CommentChanged => Severity::Info,
            (false, _) => Severity::Notice,
        }
    }

    /// The subject as people write it: `schema.table.column`, and the item.
    pub fn place(&self) -> String {
        let subject = &self.subject;
        let parts = [subject.schema.as_str(), subject.table.as_str(), subject.column.as_deref().unwrap_or_default()];
        let path = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        match &self.item {
            Some(item) => format!("{path}: {item}"),
            None => path,
        }
    }
}
