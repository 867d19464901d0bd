//! The catalog of PostgreSQL 13 and later.
//!
//! Statements read `pg_catalog` alone, which any role may, and wait for nobody: sizes come from `relpages`, as the functions
//! that measure lock what they measure, and texts of expressions are not asked of a table that somebody has locked whole
//! (`pg_get_expr`, `pg_get_indexdef` and `pg_get_viewdef` open it), which is a gap.
//! System schemas, and what an extension made, are left out.

use std::collections::{HashMap, HashSet};

use crate::database::{Database, Dialect, Query, QueryError};
use crate::rows::{Row, flag, number, read_all, text, text_or_empty, texts};
use crate::schema::{Check, Column, Enum, ForeignKey, Index, Section, Snapshot, Table, TableKind};
use crate::snapshot::{LOCKED, class, empty, miss};

/// What is somebody's own: of `pg_class` as `c` and `pg_namespace` as `n`.
const OWN: &str = "c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass \
     AND e.objid = c.oid AND e.deptype = 'e')";

struct Reading {
    snapshot: Snapshot,
    /// From the number of a relation to its place.
    places: HashMap<i64, usize>,
    /// Relations that had columns when they were listed.
    with_columns: HashSet<u64>,
}

pub(super) fn take(database: &mut dyn Database) -> Result<Snapshot, QueryError> {
    let snapshot = empty(Dialect::Postgres);
    let mut reading = Reading { snapshot, places: HashMap::new(), with_columns: HashSet::new() };
    reading.relations(read_all(database, &relations_sql())?);
    reading.columns(read_all(database, &columns_sql())?);
    for section in [
        Section::Indexes,
        Section::Constraints,
        Section::Views,
        Section::Reads,
        Section::Enums,
        Section::Comments,
        Section::Grants,
    ] {
        let (what, statement) = section_sql(section);
        match read_all(database, &statement) {
            Ok(rows) => reading.section(section, rows),
            Err(error) => miss(&mut reading.snapshot, section, what, &error),
        }
    }
    let mut snapshot = reading.snapshot;
    // What was dropped between two statements.
    let is_gone = |table: &Table| {
        table.columns.is_empty() && table.identity.is_some_and(|oid| reading.with_columns.contains(&oid))
    };
    snapshot.tables.retain(|table| !is_gone(table));
    origin(database, &mut snapshot);
    Ok(snapshot)
}

/// Which database it is. It is asked last and alone, as some services do not let everybody see the server's number.
fn origin(database: &mut dyn Database, snapshot: &mut Snapshot) {
    let version = "SELECT pg_catalog.current_setting('server_version')";
    if let Ok(rows) = database.query(&Query::new(version)) {
        snapshot.version = rows.rows.first().and_then(|row| text(row, 0));
    }
    let statement = "SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) || '/' || d.oid::text \
                     FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";
    if let Ok(rows) = database.query(&Query::new(statement)) {
        snapshot.origin = rows.rows.first().and_then(|row| text(row, 0));
    }
}

fn relations_sql() -> String {
    format!(
        "SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition, \
         c.reltuples::int8, (c.relpages::int8 + COALESCE(o.relpages, 0)) * pg_catalog.current_setting('block_size')::int8, \
         pn.nspname::text, pc.relname::text, c.relpersistence::text, \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT'), \
         c.relnatts::int8, c.relispopulated, c.oid IN {LOCKED} \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_class o ON o.oid = c.reltoastrelid \
         LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid AND c.relispartition \
         LEFT JOIN pg_catalog.pg_class pc ON pc.oid = i.inhparent \
         LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace \
         WHERE {OWN} AND c.oid::int8 > $1::int8 ORDER BY c.oid::int8"
    )
}

fn columns_sql() -> String {
    format!(
        "SELECT a.attrelid::int8 * 65536 + a.attnum, a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), \
         COALESCE(b.typname, t.typname)::text, COALESCE(b.typtype, t.typtype)::text, \
         COALESCE(b.typcategory, t.typcategory)::text, a.attnotnull, \
         CASE WHEN a.attrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, \
         a.attidentity::text, a.attgenerated::text \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE {OWN} AND a.attnum > 0 AND NOT a.attisdropped AND a.attrelid::int8 * 65536 + a.attnum > $1::int8 \
         ORDER BY a.attrelid::int8 * 65536 + a.attnum"
    )
}

fn section_sql(section: Section) -> (&'static str, String) {
    match section {
        Section::Indexes => (
            "indexes",
            format!(
                "SELECT i.indexrelid::int8, i.indrelid::int8, x.relname::text, pg_catalog.to_jsonb(ARRAY(SELECT COALESCE(\
                 (SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1] \
                 AND i.indkey[k - 1] <> 0), CASE WHEN i.indrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_indexdef(i.indexrelid, k, true) END, \
                 '(expression)') || CASE WHEN k <= i.indnkeyatts AND i.indoption[k - 1] & 1 = 1 THEN ' DESC' ELSE '' END \
                 FROM pg_catalog.generate_series(1, i.indnatts) k ORDER BY k)), \
                 i.indnkeyatts::int8, i.indisunique, i.indisprimary, i.indisvalid AND i.indisready, m.amname::text, \
                 CASE WHEN i.indrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_expr(i.indpred, i.indrelid) END, \
                 EXISTS (SELECT FROM pg_catalog.pg_constraint k \
                 WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) \
                 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
                 JOIN pg_catalog.pg_am m ON m.oid = x.relam JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE {OWN} AND NOT x.relispartition AND i.indexrelid::int8 > $1::int8 ORDER BY i.indexrelid::int8"
            ),
        ),
        Section::Constraints => (
            "keys and checks",
            format!(
                "SELECT k.oid::int8, k.conrelid::int8, k.contype::text, k.conname::text, k.convalidated, \
                 {here}, fn.nspname || '.' || fc.relname, {there}, k.confdeltype::text, \
                 CASE WHEN k.conrelid NOT IN {LOCKED} THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END \
                 FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 LEFT JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid \
                 LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace \
                 WHERE {OWN} AND k.contype IN ('p', 'f', 'c') AND k.oid::int8 > $1::int8 \
                 AND (k.contype = 'p' OR (k.conparentid = 0 AND (k.coninhcount = 0 OR k.conislocal))) \
                 ORDER BY k.oid::int8",
                here = names_sql("k.conrelid", "k.conkey"),
                there = names_sql("k.confrelid", "k.confkey"),
            ),
        ),
        Section::Views => (
            "the texts of views",
            format!(
                "SELECT c.oid::int8, pg_catalog.pg_get_viewdef(c.oid) \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE {OWN} AND c.relkind IN ('v', 'm') AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r \
                 JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid \
                 WHERE r.ev_class = c.oid AND d.refobjid IN {LOCKED}) AND c.oid::int8 > $1::int8 ORDER BY c.oid::int8"
            ),
        ),
        Section::Reads => (
            "what views read",
            format!(
                "SELECT c.oid::int8, pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_array(d.refobjid::int8, \
                 sn.nspname || '.' || s.relname, a.attname)) \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid \
                 JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid \
                 AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid \
                 JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind IN ('r', 'p', 'v', 'm', 'f') \
                 JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace \
                 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum > 0 \
                 WHERE {OWN} AND c.oid::int8 > $1::int8 GROUP BY c.oid ORDER BY c.oid::int8"
            ),
        ),
        Section::Enums => (
            "enumerated types",
            "SELECT t.oid::int8, n.nspname::text, t.typname::text, \
             pg_catalog.jsonb_agg(e.enumlabel::text ORDER BY e.enumsortorder) \
             FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
             JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid \
             WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND t.oid::int8 > $1::int8 \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_type'::regclass \
             AND x.objid = t.oid AND x.deptype = 'e') GROUP BY t.oid, n.nspname, t.typname ORDER BY t.oid::int8"
                .to_owned(),
        ),
        Section::Comments => (
            "comments",
            format!(
                "SELECT c.oid::int8 * 65536 + d.objsubid, d.description \
                 FROM pg_catalog.pg_description d JOIN pg_catalog.pg_class c ON c.oid = d.objoid \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE {OWN} AND d.classoid = 'pg_catalog.pg_class'::regclass \
                 AND c.oid::int8 * 65536 + d.objsubid > $1::int8 ORDER BY c.oid::int8 * 65536 + d.objsubid"
            ),
        ),
        Section::Grants => (
            "grants",
            format!(
                "SELECT g.relation, pg_catalog.jsonb_agg(g.line ORDER BY g.line) FROM (\
                 SELECT c.oid::int8 AS relation, COALESCE(r.rolname::text, 'PUBLIC') || ': ' || \
                 pg_catalog.string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS line \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee \
                 WHERE {OWN} AND x.grantee <> c.relowner AND c.oid::int8 > $1::int8 GROUP BY c.oid, r.rolname\
                 ) g GROUP BY g.relation ORDER BY g.relation"
            ),
        ),
    }
}

/// The names of columns by their numbers, in the order of the numbers.
fn names_sql(relation: &str, numbers: &str) -> String {
    format!(
        "pg_catalog.to_jsonb(ARRAY(SELECT a.attname::text FROM pg_catalog.unnest({numbers}) WITH ORDINALITY u(k, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = {relation} AND a.attnum = u.k ORDER BY u.place))"
    )
}

impl Reading {
    fn table(&mut self, number: Option<i64>) -> Option<&mut Table> {
        self.places.get(&number?).and_then(|place| self.snapshot.tables.get_mut(*place))
    }

    fn relations(&mut self, rows: Vec<Row>) {
        for row in rows {
            let Some(oid) = number(&row, 0) else { continue };
            let kind = text_or_empty(&row, 3);
            let parent = text(&row, 7).zip(text(&row, 8)).map(|(schema, name)| format!("{schema}.{name}"));
            if number(&row, 11) > Some(0) {
                self.with_columns.extend(unsigned(oid));
            }
            self.places.insert(oid, self.snapshot.tables.len());
            self.snapshot.tables.push(Table {
                schema: text_or_empty(&row, 1),
                name: text_or_empty(&row, 2),
                kind: kind_of(&kind, flag(&row, 4)),
                rows_estimated: rows_estimated(&kind, number(&row, 5)),
                bytes: matches!(kind.as_str(), "r" | "m").then(|| number(&row, 6)).flatten().and_then(unsigned),
                parent,
                identity: unsigned(oid),
                // A materialized view that was never filled has no rows to read.
                is_readable: flag(&row, 10) && flag(&row, 12),
                is_partial: flag(&row, 13),
                options: (text_or_empty(&row, 9) == "u").then(|| "unlogged".to_owned()).into_iter().collect(),
                ..Table::default()
            });
        }
    }

    fn columns(&mut self, rows: Vec<Row>) {
        for row in rows {
            let Some(key) = number(&row, 0) else { continue };
            let (identity, generated) = (text_or_empty(&row, 8), text_or_empty(&row, 9));
            let default = match identity.as_str() {
                "a" => Some("GENERATED ALWAYS AS IDENTITY".to_owned()),
                "d" => Some("GENERATED BY DEFAULT AS IDENTITY".to_owned()),
                _ => text(&row, 7),
            };
            let column = Column {
                name: text_or_empty(&row, 1),
                data_type: text_or_empty(&row, 2),
                class: class::postgres(&text_or_empty(&row, 3), &text_or_empty(&row, 4), &text_or_empty(&row, 5)),
                is_nullable: !flag(&row, 6),
                default,
                is_generated: !generated.is_empty(),
                identity: u32::try_from(key & 0xFFFF).ok(),
                ..Column::default()
            };
            if let Some(table) = self.table(Some(key >> 16)) {
                table.columns.push(column);
            }
        }
    }

    fn section(&mut self, section: Section, rows: Vec<Row>) {
        for row in rows {
            match section {
                Section::Indexes => self.index(&row),
                Section::Constraints => self.constraint(&row),
                Section::Views => {
                    let definition = text(&row, 1);
                    if let Some(table) = self.table(number(&row, 0)) {
                        table.definition = definition;
                    }
                }
                Section::Reads => self.reads(&row),
                Section::Enums => self.snapshot.enums.push(Enum {
                    schema: text_or_empty(&row, 1),
                    name: text_or_empty(&row, 2),
                    values: texts(&row, 3),
                }),
                Section::Comments => self.comment(&row),
                Section::Grants => {
                    if let Some(table) = self.table(number(&row, 0)) {
                        table.grants = texts(&row, 1);
                    }
                }
            }
        }
    }

    fn index(&mut self, row: &Row) {
        let mut columns = texts(row, 3);
        let keys = number(row, 4).and_then(|keys| usize::try_from(keys).ok()).unwrap_or(columns.len());
        let included = columns.split_off(keys.min(columns.len()));
        let index = Index {
            name: text_or_empty(row, 2),
            columns,
            is_unique: flag(row, 5),
            is_primary: flag(row, 6),
            is_valid: flag(row, 7),
            method: text_or_empty(row, 8),
            condition: text(row, 9),
            included,
            is_constraint: flag(row, 10),
        };
        if let Some(table) = self.table(number(row, 1)) {
            table.indexes.push(index);
        }
    }

    fn constraint(&mut self, row: &Row) {
        let (name, is_validated) = (text_or_empty(row, 3), flag(row, 4));
        let Some(table) = self.table(number(row, 1)) else { return };
        match text_or_empty(row, 2).as_str() {
            "p" => table.primary_key = texts(row, 5),
            "f" => table.foreign_keys.push(ForeignKey {
                name,
                columns: texts(row, 5),
                target: text_or_empty(row, 6),
                target_columns: texts(row, 7),
                on_delete: on_delete(&text_or_empty(row, 8)).to_owned(),
                is_validated,
            }),
            _ => table.checks.push(Check { name, expression: text_or_empty(row, 9), is_validated }),
        }
    }

    fn reads(&mut self, row: &Row) {
        let pairs = crate::rows::array(row, 1).unwrap_or_default();
        let Some(table) = self.table(number(row, 0)) else { return };
        for pair in pairs.iter().filter_map(|pair| pair.as_array()) {
            let path = text_or_empty(pair, 1);
            if let Some(column) = text(pair, 2) {
                table.reads_columns.push(format!("{path}.{column}"));
            }
            table.reads.push(path);
        }
    }

    fn comment(&mut self, row: &Row) {
        let Some(key) = number(row, 0) else { return };
        let comment = text(row, 1);
        let Some(table) = self.table(Some(key >> 16)) else { return };
        match u32::try_from(key & 0xFFFF) {
            Ok(0) | Err(_) => table.comment = comment,
            Ok(place) => {
                if let Some(column) = table.columns.iter_mut().find(|column| column.identity == Some(place)) {
                    column.comment = comment;
                }
            }
        }
    }
}

fn unsigned(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

/// Since version 14 a table that was never analyzed has -1; before, 0, which an empty table has too.
fn rows_estimated(kind: &str, tuples: Option<i64>) -> Option<u64> {
    match kind {
        "r" | "m" | "p" => tuples.and_then(unsigned),
        _ => None,
    }
}

fn kind_of(kind: &str, is_partition: bool) -> TableKind {
    match kind {
        "v" => TableKind::View,
        "m" => TableKind::MaterializedView,
        _ if is_partition => TableKind::Partition,
        "p" => TableKind::Partitioned,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    }
}

fn on_delete(letter: &str) -> &'static str {
    match letter {
        "c" => "CASCADE",
        "r" => "RESTRICT",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    }
}
