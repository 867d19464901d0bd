//! Random sequences of DDL: equal schemas are equal, whatever made them, and no change is lost.

use pi_catalog::diff::diff;
use pi_catalog::snapshot::take;
use proptest::prelude::*;

use crate::changes::{told, without_identity};
use crate::snapshots::sampled;
use crate::sqlite::Sqlite;

#[derive(Clone, Debug)]
enum Step {
    AddTable(u8),
    DropTable(u8),
    AddColumn(u8, u8, u8),
    DropColumn(u8, u8),
    RenameColumn(u8, u8, u8),
    RenameTable(u8, u8),
    AddIndex(u8, u8),
    Fill(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8).prop_map(Step::AddTable),
        (0..4_u8).prop_map(Step::DropTable),
        (0..4_u8, 0..6_u8, 0..4_u8).prop_map(|(table, column, kind)| Step::AddColumn(table, column, kind)),
        (0..4_u8, 0..6_u8).prop_map(|(table, column)| Step::DropColumn(table, column)),
        (0..4_u8, 0..6_u8, 0..6_u8).prop_map(|(table, from, to)| Step::RenameColumn(table, from, to)),
        (0..4_u8, 0..4_u8).prop_map(|(from, to)| Step::RenameTable(from, to)),
        (0..4_u8, 0..6_u8).prop_map(|(table, column)| Step::AddIndex(table, column)),
        (0..4_u8).prop_map(Step::Fill),
    ];
    prop::collection::vec(step, 1..25)
}

/// Steps that cannot be done (a table that is not there) are left out by the database itself.
fn apply(database: &Sqlite, steps: &[Step]) {
    for step in steps {
        let sql = match step {
            Step::AddTable(t) => format!("CREATE TABLE t{t} (id INTEGER PRIMARY KEY, c0 TEXT)"),
            Step::DropTable(t) => format!("DROP TABLE t{t}"),
            Step::AddColumn(t, c, kind) => format!(
                "ALTER TABLE t{t} ADD COLUMN c{c} {}",
                ["INT", "TEXT", "REAL", "DATE DEFAULT '2026-01-01'"][usize::from(*kind)]
            ),
            Step::DropColumn(t, c) => format!("ALTER TABLE t{t} DROP COLUMN c{c}"),
            Step::RenameColumn(t, from, to) => format!("ALTER TABLE t{t} RENAME COLUMN c{from} TO c{to}"),
            Step::RenameTable(from, to) => format!("ALTER TABLE t{from} RENAME TO t{to}"),
            Step::AddIndex(t, c) => format!("CREATE INDEX i{t}{c} ON t{t} (c{c})"),
            Step::Fill(t) => format!("INSERT INTO t{t} (c0) VALUES ('a'), ('b'), ('c')"),
        };
        let _ = database.connection.execute_batch(&sql);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equal_schemas_have_no_difference(steps in steps()) {
        let (mut one, mut other) = (Sqlite::new(), Sqlite::new());
        apply(&one, &steps);
        apply(&other, &steps);
        let (a, b) = (take(&mut one, &sampled()).unwrap(), take(&mut other, &sampled()).unwrap());
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(diff(&a, &b, &[]), vec![]);
        // A snapshot that was kept as JSON is the same.
        let kept = serde_json::from_str(&serde_json::to_string(&a).unwrap()).unwrap();
        prop_assert_eq!(diff(&kept, &b, &[]), vec![]);
    }

    #[test]
    fn a_difference_is_told_where_there_is_one(before in steps(), after in steps()) {
        let mut database = Sqlite::new();
        apply(&database, &before);
        let then = take(&mut database, &sampled()).unwrap();
        apply(&database, &after);
        let now = take(&mut database, &sampled()).unwrap();
        let shape = |snapshot: &pi_catalog::schema::Snapshot| {
            let columns = |table: &pi_catalog::schema::Table| {
                let columns = table.columns.iter().map(|column| (column.name.clone(), column.data_type.clone(), column.default.clone()));
                let mut columns: Vec<_> = columns.collect();
                columns.sort();
                (table.name.clone(), columns, table.indexes.clone())
            };
            snapshot.tables.iter().map(columns).collect::<Vec<_>>()
        };
        let found = diff(&then, &now, &[]);
        prop_assert_eq!(shape(&then) == shape(&now), found.is_empty(), "{:?}", told(&found));
        // Backwards there is as much to tell.
        let back = diff(&without_identity(now), &without_identity(then), &[]);
        prop_assert_eq!(back.is_empty(), found.is_empty());
    }
}
