//! Changes as findings: a sentence, and a statement that shows the place as it is now.
//!
//! A snapshot cannot be asked again, but the catalog can: the evidence is what the catalog says now of the table that was
//! changed. What was before is in the sentence.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::database::{Database, Dialect, Query};
use crate::diff::change::{Change, ChangeKind};
use crate::finding::{Evidence, Finding};

/// Places whose evidence is asked for; what is beyond has none.
const ASKED_MAX: usize = 200;

/// A text of a view or check in a sentence is cut behind so many characters.
const TEXT_MAX: usize = 120;

/// A finding for each change, each with what the catalog says of its place now.
pub fn findings(database: &mut dyn Database, changes: &[Change]) -> Vec<Finding> {
    let dialect = database.dialect();
    let mut queries: BTreeMap<String, Query> = BTreeMap::new();
    for change in changes {
        let query = evidence_query(dialect, change);
        if queries.len() < ASKED_MAX {
            queries.entry(key(&query)).or_insert(query);
        }
    }
    let asked: Vec<Query> = queries.values().cloned().collect();
    let answers = database.query_all(&asked);
    let evidence: BTreeMap<String, Evidence> = asked
        .into_iter()
        .zip(answers)
        .filter_map(|(query, answer)| Some((key(&query), Evidence { query, rows: answer.ok()? })))
        .collect();
    let with = |change: &Change| {
        let mut finding = finding(change);
        finding.evidence.extend(evidence.get(&key(&evidence_query(dialect, change))).cloned());
        finding
    };
    changes.iter().map(with).collect()
}

fn key(query: &Query) -> String {
    format!("{} {:?}", query.statement, query.parameters)
}

fn finding(change: &Change) -> Finding {
    // Two indexes of one table are two facts: what has a name of its own is the part that the finding is about.
    let mut subject = change.subject.clone();
    subject.dimension = subject.dimension.or_else(|| change.item.clone());
    let mut finding = Finding::new(&change.kind.name(), subject, change.severity(), sentence(change));
    if let Some(sure) = change.confidence.filter(|sure| *sure < 1.0) {
        finding = finding.with_number("confidence_percent", (sure * 100.0).round().min(99.0));
    }
    if !change.dependents.is_empty() {
        finding = finding.with_number("dependents", change.dependents.len() as f64);
    }
    finding
}

fn sentence(change: &Change) -> String {
    let what = change.kind.name().replace('_', " ");
    let what = what.replacen(|_: char| true, &what.chars().take(1).collect::<String>().to_uppercase(), 1);
    let mut text = format!("{what}: `{}`", change.place());
    match (&change.old, &change.new) {
        (Some(_), Some(_)) if change.kind == ChangeKind::ViewChanged => {}
        // That a table was a table needs no saying.
        (old, new) if old.iter().chain(new).all(|kind| kind == "table") => {}
        (Some(old), Some(_)) if is_rename(change.kind) => text.push_str(&format!(", was `{}`", short(old))),
        (Some(old), Some(new)) => text.push_str(&format!(", from `{}` to `{}`", short(old), short(new))),
        (Some(old), None) => text.push_str(&format!(", was `{}`", short(old))),
        (None, Some(new)) => text.push_str(&format!(", is `{}`", short(new))),
        (None, None) => {}
    }
    text.push_str(&format!("; {}", change.why));
    if let Some(sure) = change.confidence.filter(|sure| *sure < 1.0) {
        // What is not quite sure never reads as a hundred.
        let percent = (sure * 100.0).round().min(99.0);
        text.push_str(&format!(" (recognised by shape and content, {percent} % sure)"));
    }
    match change.dependents.as_slice() {
        [] => {}
        [one] => text.push_str(&format!("; 1 thing uses it: {} `{}`", one.kind.replace('_', " "), one.name)),
        many => {
            let first = many.iter().take(3).map(|one| format!("{} `{}`", one.kind.replace('_', " "), one.name));
            let first = first.collect::<Vec<_>>().join(", ");
            let more = if many.len() > 3 { " and others" } else { "" };
            text.push_str(&format!("; {} things use it: {first}{more}", many.len()));
        }
    }
    text.push('.');
    text
}

/// Whether the place that the sentence names is the new name.
fn is_rename(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::TableRenamed | ChangeKind::TableMoved | ChangeKind::ColumnRenamed)
}

fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= TEXT_MAX {
        return text;
    }
    format!("{}…", text.chars().take(TEXT_MAX).collect::<String>())
}

/// What the catalog says of the place: of an enumerated type its values, of anything else the part of the table that
/// the change is about.
fn evidence_query(dialect: Dialect, change: &Change) -> Query {
    use ChangeKind as K;
    let subject = &change.subject;
    let table = vec![Value::from(subject.schema.clone()), Value::from(subject.table.clone())];
    if dialect == Dialect::Sqlite {
        let name = vec![Value::from(subject.table.clone())];
        return match change.kind {
            K::IndexAdded | K::IndexDropped | K::IndexRenamed | K::IndexChanged => Query::with(
                "SELECT l.name, l.\"unique\", l.origin, l.partial FROM pragma_index_list($1, 'main') l ORDER BY l.name",
                name,
            ),
            K::ForeignKeyAdded | K::ForeignKeyDropped | K::ForeignKeyChanged => Query::with(
                "SELECT x.\"from\", x.\"table\", x.\"to\", x.on_delete FROM pragma_foreign_key_list($1, 'main') x ORDER BY x.id, x.seq",
                name,
            ),
            _ => Query::with("SELECT type, name, sql FROM main.sqlite_schema WHERE name = $1", name),
        };
    }
    let statement = match change.kind {
        K::EnumAdded | K::EnumDropped | K::EnumValueAdded | K::EnumValueRemoved | K::EnumReordered => {
            "SELECT e.enumlabel::text FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid \
             JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1::text AND t.typname = $2::text \
             ORDER BY e.enumsortorder"
        }
        K::IndexAdded
        | K::IndexDropped
        | K::IndexRenamed
        | K::IndexChanged
        | K::IndexBecameInvalid
        | K::IndexBecameValid => {
            "SELECT x.relname::text AS name, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AS is_valid \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
             JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1::text AND c.relname = $2::text ORDER BY 1"
        }
        K::CheckAdded
        | K::CheckDropped
        | K::CheckRenamed
        | K::CheckChanged
        | K::CheckValidated
        | K::ForeignKeyAdded
        | K::ForeignKeyDropped
        | K::ForeignKeyRenamed
        | K::ForeignKeyChanged
        | K::ForeignKeyValidated
        | K::PrimaryKeyAdded
        | K::PrimaryKeyDropped
        | K::PrimaryKeyChanged => {
            "SELECT k.conname::text AS name, pg_catalog.pg_get_constraintdef(k.oid) AS definition, k.convalidated AS is_validated \
             FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = $1::text AND c.relname = $2::text ORDER BY 1"
        }
        K::GrantAdded | K::GrantRemoved => {
            "SELECT COALESCE(r.rolname::text, 'PUBLIC') AS role, x.privilege_type AS privilege FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x \
             LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee \
             WHERE n.nspname = $1::text AND c.relname = $2::text AND x.grantee <> c.relowner ORDER BY 1, 2"
        }
        _ => {
            "SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null, \
             pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS default, pg_catalog.col_description(c.oid, a.attnum) AS comment \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
             WHERE n.nspname = $1::text AND c.relname = $2::text AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
        }
    };
    Query::with(statement, table)
}
