//! The catalog of SQLite 3.38 and later: `sqlite_schema` and the functions that answer as pragmas do.
//!
//! A function for one table is joined with the list of tables, so that there are few statements. One object that cannot
//! be described (a view of a table that is gone, a virtual table without its module) fails such a statement as a whole:
//! then tables are asked one by one, and what fails is a gap.

use std::collections::HashMap;

use crate::database::{Database, Dialect, Query, QueryError};
use crate::rows::{Row, flag, number, read_all, text, text_or_empty};
use crate::schema::{Check, Column, ForeignKey, Index, Section, Snapshot, Table, TableKind};
use crate::snapshot::{class, empty, miss};
use crate::text::{Word, spans, words};

struct Reading {
    snapshot: Snapshot,
    /// From a table's name to its place.
    places: HashMap<String, usize>,
    /// From an index's name to its statement, for what pragmas do not tell.
    statements: HashMap<String, String>,
}

/// Names come before numbers in pages: the place among all, as the lists have no number of their own.
const TABLES: &str = "SELECT t.rowid, t.name, t.type, t.sql, l.wr, l.strict FROM main.sqlite_schema t \
     LEFT JOIN pragma_table_list l ON l.schema = 'main' AND l.name = t.name \
     WHERE t.type IN ('table', 'view', 'index') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
     AND COALESCE(l.type, '') <> 'shadow' AND t.rowid > $1 ORDER BY t.rowid";

fn columns_sql(which: &str) -> String {
    format!(
        "SELECT t.rowid * 65536 + x.cid + 1, t.name, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, x.hidden \
         FROM main.sqlite_schema t JOIN pragma_table_xinfo(t.name, 'main') x \
         WHERE t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND {which} AND t.rowid * 65536 + x.cid + 1 > $1 ORDER BY 1"
    )
}

const FOREIGN_KEYS: &str = "SELECT t.rowid * 4294967296 + x.id * 65536 + x.seq + 1, t.name, x.id, x.\"table\", x.\"from\", x.\"to\", \
     x.on_delete FROM main.sqlite_schema t JOIN pragma_foreign_key_list(t.name, 'main') x WHERE t.type = 'table' \
     AND t.rowid * 4294967296 + x.id * 65536 + x.seq + 1 > $1 ORDER BY 1";

const INDEXES: &str = "SELECT t.rowid * 4294967296 + l.seq * 65536 + x.seqno + 1, t.name, l.name, l.\"unique\", l.origin, l.partial, x.name, \
     x.\"desc\" FROM main.sqlite_schema t JOIN pragma_index_list(t.name, 'main') l \
     JOIN pragma_index_xinfo(l.name, 'main') x WHERE t.type = 'table' AND x.key = 1 \
     AND t.rowid * 4294967296 + l.seq * 65536 + x.seqno + 1 > $1 ORDER BY 1";

pub(super) fn take(database: &mut dyn Database) -> Result<Snapshot, QueryError> {
    let snapshot = empty(Dialect::Sqlite);
    let mut reading = Reading { snapshot, places: HashMap::new(), statements: HashMap::new() };
    reading.relations(&read_all(database, TABLES)?);
    for which in ["t.type = 'table'", "t.type = 'view'"] {
        match read_all(database, &columns_sql(which)) {
            Ok(rows) => reading.columns(&rows),
            Err(QueryError::Failed(_) | QueryError::NotFound(_)) => reading.one_by_one(database, which)?,
            Err(error) => return Err(error),
        }
    }
    match read_all(database, INDEXES) {
        Ok(rows) => reading.indexes(&rows),
        Err(error) => miss(&mut reading.snapshot, Section::Indexes, "indexes", &error),
    }
    match read_all(database, FOREIGN_KEYS) {
        Ok(rows) => reading.foreign_keys(&rows),
        Err(error) => miss(&mut reading.snapshot, Section::Constraints, "foreign keys", &error),
    }
    reading.row_counts(database);
    let mut snapshot = reading.snapshot;
    reads(&mut snapshot);
    if let Ok(rows) = database.query(&Query::new("SELECT sqlite_version()")) {
        snapshot.version = rows.rows.first().and_then(|row| text(row, 0));
    }
    Ok(snapshot)
}

impl Reading {
    fn table(&mut self, name: &str) -> Option<&mut Table> {
        self.places.get(name).and_then(|place| self.snapshot.tables.get_mut(*place))
    }

    fn relations(&mut self, rows: &[Row]) {
        for row in rows {
            let (name, statement) = (text_or_empty(row, 1), text(row, 3));
            let kind = match text_or_empty(row, 2).as_str() {
                "index" => {
                    self.statements.insert(name, statement.unwrap_or_default());
                    continue;
                }
                "view" => TableKind::View,
                _ => TableKind::Table,
            };
            let is_virtual = statement.as_deref().is_some_and(|sql| {
                let words = words(sql);
                words.first().is_some_and(|word| word.is_keyword("create"))
                    && words.get(1).is_some_and(|word| word.is_keyword("virtual"))
            });
            let options = [("without_rowid", flag(row, 4)), ("strict", flag(row, 5)), ("virtual", is_virtual)];
            self.places.insert(name.clone(), self.snapshot.tables.len());
            self.snapshot.tables.push(Table {
                schema: "main".to_owned(),
                name,
                kind,
                checks: statement.as_deref().filter(|_| kind == TableKind::Table).map(checks).unwrap_or_default(),
                definition: statement.filter(|_| kind == TableKind::View),
                options: options.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned()).collect(),
                is_readable: true,
                ..Table::default()
            });
        }
    }

    fn columns(&mut self, rows: &[Row]) {
        let mut keys: Vec<(String, i64, String)> = Vec::new();
        for row in rows {
            let (table_name, name) = (text_or_empty(row, 1), text_or_empty(row, 2));
            // 1 is the hidden column of a virtual table, 2 and 3 are generated columns.
            let hidden = number(row, 7).unwrap_or(0);
            let key = number(row, 6).unwrap_or(0);
            let Some(table) = self.table(&table_name).filter(|_| hidden != 1) else { continue };
            let declared = text_or_empty(row, 3);
            let without_rowid = table.options.iter().any(|option| option == "without_rowid");
            table.columns.push(Column {
                name: name.clone(),
                class: class::sqlite(&declared),
                data_type: declared,
                is_nullable: !(flag(row, 4) || key > 0 && without_rowid),
                default: text(row, 5),
                is_generated: hidden >= 2,
                ..Column::default()
            });
            if key > 0 {
                keys.push((table_name, key, name));
            }
        }
        keys.sort();
        for (table, _, column) in keys {
            if let Some(table) = self.table(&table) {
                table.primary_key.push(column);
            }
        }
    }

    /// Tables or views, each by a statement of its own, where one of them fails the common one.
    fn one_by_one(&mut self, database: &mut dyn Database, which: &str) -> Result<(), QueryError> {
        let is_wanted = |table: &Table| (table.kind == TableKind::View) == which.contains("view");
        let names: Vec<String> =
            self.snapshot.tables.iter().filter(|table| is_wanted(table)).map(|table| table.name.clone()).collect();
        for name in names {
            let statement = columns_sql(&format!("{which} AND t.name = {}", crate::quote::literal(&name)));
            match read_all(database, &statement) {
                Ok(rows) => self.columns(&rows),
                Err(error @ (QueryError::Failed(_) | QueryError::NotFound(_))) => {
                    self.snapshot.gaps.push(format!("`{name}` could not be described: {error}"));
                    if let Some(table) = self.table(&name) {
                        table.is_readable = false;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn indexes(&mut self, rows: &[Row]) {
        for row in rows {
            let (table, name) = (text_or_empty(row, 1), text_or_empty(row, 2));
            let statement = self.statements.get(&name).cloned();
            let origin = text_or_empty(row, 4);
            let descending = if flag(row, 7) { " DESC" } else { "" };
            let column = text(row, 6).map(|column| format!("{column}{descending}"));
            let Some(table) = self.table(&table) else { continue };
            if table.indexes.last().is_none_or(|index| index.name != name) {
                table.indexes.push(Index {
                    name: name.clone(),
                    is_unique: flag(row, 3),
                    is_primary: origin == "pk",
                    is_valid: true,
                    method: "btree".to_owned(),
                    condition: statement.as_deref().filter(|_| flag(row, 5)).and_then(condition),
                    is_constraint: origin != "c",
                    ..Index::default()
                });
            }
            let Some(index) = table.indexes.last_mut() else { continue };
            let expression = || statement.as_deref().and_then(|sql| key(sql, index.columns.len()));
            let column = column.or_else(expression).unwrap_or_else(|| "(expression)".to_owned());
            index.columns.push(column);
        }
    }

    fn foreign_keys(&mut self, rows: &[Row]) {
        let mut last: Option<(String, i64)> = None;
        for row in rows {
            let (name, id) = (text_or_empty(row, 1), number(row, 2).unwrap_or(0));
            let target = text_or_empty(row, 3);
            // A key without columns there means the primary key there.
            let target_key = self.places.get(&target).and_then(|place| self.snapshot.tables.get(*place));
            let target_key = target_key.map(|table| table.primary_key.clone()).unwrap_or_default();
            let Some(table) = self.table(&name) else { continue };
            if last.as_ref() != Some(&(name.clone(), id)) {
                table.foreign_keys.push(ForeignKey {
                    name: String::new(),
                    columns: Vec::new(),
                    target: format!("main.{target}"),
                    target_columns: Vec::new(),
                    on_delete: text_or_empty(row, 6),
                    is_validated: true,
                });
                last = Some((name, id));
            }
            let Some(foreign_key) = table.foreign_keys.last_mut() else { continue };
            let implied = target_key.get(foreign_key.columns.len()).cloned();
            foreign_key.columns.push(text_or_empty(row, 4));
            foreign_key.target_columns.extend(text(row, 5).or(implied));
        }
    }

    /// `ANALYZE` leaves the number of rows; where it never ran, nothing is known without counting.
    fn row_counts(&mut self, database: &mut dyn Database) {
        let statement = "SELECT tbl, MAX(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 GROUP BY tbl";
        let Ok(rows) = database.query(&Query::new(statement)) else { return };
        for row in rows.rows {
            let count = number(&row, 1).and_then(|count| u64::try_from(count).ok());
            if let Some(table) = self.table(&text_or_empty(&row, 0)) {
                table.rows_estimated = count;
            }
        }
    }
}

/// What is inside of the brackets that open at this word, and the word behind them.
fn bracketed(spans: &[(Word, usize, usize)], open: usize) -> Option<(usize, usize, usize)> {
    let mut depth = 0_usize;
    for (place, (word, from, _)) in spans.iter().enumerate().skip(open) {
        match word {
            Word::Sign('(') => depth += 1,
            Word::Sign(')') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some((spans.get(open)?.2, *from, place + 1));
                }
            }
            _ => {}
        }
    }
    None
}

/// The checks of a `CREATE TABLE`, which no pragma tells.
fn checks(sql: &str) -> Vec<Check> {
    let spans = spans(sql);
    let mut found = Vec::new();
    let mut place = 0;
    while let Some((word, _, _)) = spans.get(place) {
        place += 1;
        let opens = spans.get(place).is_some_and(|(next, _, _)| next.is_sign('('));
        if !word.is_keyword("check") || !opens {
            continue;
        }
        let Some((from, to, behind)) = bracketed(&spans, place) else { break };
        // `CONSTRAINT name CHECK (...)`.
        let before = |back: usize| place.checked_sub(back).and_then(|at| spans.get(at)).map(|(word, _, _)| word);
        let is_named = before(3).is_some_and(|word| word.is_keyword("constraint"));
        let name = before(2).filter(|_| is_named).and_then(Word::name).unwrap_or_default().to_owned();
        let expression = sql.get(from..to).unwrap_or_default().trim().to_owned();
        found.push(Check { name, expression, is_validated: true });
        place = behind;
    }
    found
}

/// The condition of a `CREATE INDEX`.
fn condition(sql: &str) -> Option<String> {
    let spans = spans(sql);
    let open = spans.iter().position(|(word, _, _)| word.is_sign('('))?;
    let (_, _, behind) = bracketed(&spans, open)?;
    let (word, _, end) = spans.get(behind)?;
    word.is_keyword("where").then(|| sql.get(*end..).unwrap_or_default().trim().to_owned())
}

/// One of the keys of a `CREATE INDEX`, by its place.
fn key(sql: &str, wanted: usize) -> Option<String> {
    let spans = spans(sql);
    let open = spans.iter().position(|(word, _, _)| word.is_sign('('))?;
    let (from, to, behind) = bracketed(&spans, open)?;
    let (mut depth, mut begins, mut place) = (0_usize, from, 0_usize);
    for (word, at, end) in spans.get(open + 1..behind)? {
        match word {
            Word::Sign('(') => depth += 1,
            Word::Sign(')') if *at < to => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_end = *at >= to;
        if is_end || (depth == 0 && word.is_sign(',')) {
            if place == wanted {
                return sql.get(begins..*at).map(|key| key.trim().to_owned());
            }
            (place, begins) = (place + 1, *end);
        }
    }
    None
}

/// What each view reads: names behind FROM, JOIN and the commas of such a list, that are tables here; and their columns
/// that its text names.
fn reads(snapshot: &mut Snapshot) {
    let columns: HashMap<String, Vec<String>> = snapshot
        .tables
        .iter()
        .map(|table| (table.name.to_lowercase(), table.columns.iter().map(|column| column.name.clone()).collect()))
        .collect();
    let names: HashMap<String, String> =
        snapshot.tables.iter().map(|table| (table.name.to_lowercase(), table.name.clone())).collect();
    for view in snapshot.tables.iter_mut().filter(|table| table.kind == TableKind::View) {
        let words = words(view.definition.as_deref().unwrap_or_default());
        let all = reads_all(&words);
        for table in sources(&words) {
            let Some(name) = names.get(&table).filter(|_| table != view.name.to_lowercase()) else { continue };
            view.reads.push(format!("main.{name}"));
            for column in columns.get(&table).into_iter().flatten() {
                let is_named = || words.iter().filter_map(Word::name).any(|word| word.eq_ignore_ascii_case(column));
                if all || is_named() {
                    view.reads_columns.push(format!("main.{name}.{column}"));
                }
            }
        }
    }
}

/// Whether a list of columns has a star: one behind anything else multiplies or counts.
fn reads_all(words: &[Word]) -> bool {
    let begins = |word: &Word| {
        word.is_sign(',') || word.is_sign('.') || ["select", "distinct", "all"].iter().any(|it| word.is_keyword(it))
    };
    words.windows(2).any(|pair| matches!(pair, [before, star] if star.is_sign('*') && begins(before)))
}

fn sources(words: &[Word]) -> Vec<String> {
    const ENDS: [&str; 11] =
        ["where", "on", "using", "group", "order", "limit", "select", "having", "union", "window", "set"];
    let (mut found, mut is_list, mut is_next) = (Vec::new(), false, false);
    for word in words {
        if word.is_keyword("from") || word.is_keyword("join") {
            (is_list, is_next) = (true, true);
        } else if ENDS.iter().any(|end| word.is_keyword(end)) {
            (is_list, is_next) = (false, false);
        } else if word.is_sign(',') || word.is_sign('(') || word.is_sign('.') {
            is_next = is_list;
        } else if let Some(name) = word.name() {
            if is_next {
                found.push(name.to_lowercase());
            }
            is_next = false;
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_from_the_statement() {
        let sql = "CREATE TABLE t (a INT CHECK (a > ')' || (1)), \"check\" TEXT, CONSTRAINT pos CHECK (a <> 0))";
        let found: Vec<(String, String)> =
            checks(sql).into_iter().map(|check| (check.name, check.expression)).collect();
        assert_eq!(found, [(String::new(), "a > ')' || (1)".into()), ("pos".into(), "a <> 0".into())]);
    }

    #[test]
    fn keys_and_conditions_of_indexes_are_read() {
        let sql = "CREATE INDEX i ON t (a, lower(b, 'x,y') DESC) WHERE a > 0";
        assert_eq!(key(sql, 0).as_deref(), Some("a"));
        assert_eq!(key(sql, 1).as_deref(), Some("lower(b, 'x,y') DESC"));
        assert_eq!(key(sql, 2), None);
        assert_eq!(condition(sql).as_deref(), Some("a > 0"));
    }

    #[test]
    fn sources_are_what_comes_behind_from() {
        let sql = "SELECT x.d, y FROM a x, \"B\" JOIN main.c ON c.i = x.i WHERE y IN (SELECT z FROM (e))";
        assert_eq!(sources(&words(sql)), ["a", "b", "c", "e", "main"]);
    }
}
