//! What a snapshot holds of a schema that has everything, hostile names included.

use pi_catalog::schema::{Class, Section, Snapshot, Table, TableKind};
use pi_catalog::snapshot::{Options, Sampling, take};

use crate::postgres_server::place;
use crate::sqlite::Sqlite;

pub(crate) fn options() -> Options {
    Options { taken: "2026-11-23T08:00:00Z".into(), sampling: None }
}

pub(crate) fn sampled() -> Options {
    Options { sampling: Some(Sampling::default()), ..options() }
}

fn table<'a>(snapshot: &'a Snapshot, name: &str) -> &'a Table {
    snapshot.tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("no {name}"))
}

const HOSTILE: [&str; 6] = ["\"; drop table x; --", "two words", "🦀", "select", "it's", "a.b"];

#[test]
fn postgres_shows_what_there_is() {
    let place = place();
    place.run(
        "CREATE ROLE reader; CREATE SCHEMA shop;
         CREATE TYPE shop.state AS ENUM ('new', 'paid', 'sent');
         CREATE DOMAIN shop.amount AS numeric(10,2) CHECK (VALUE >= 0);
         CREATE TABLE shop.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mail varchar(80) UNIQUE,
            lower_name text GENERATED ALWAYS AS (lower(name)) STORED, tags text[], doc jsonb);
         CREATE TABLE shop.orders (id bigserial PRIMARY KEY, customer int NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
            state shop.state NOT NULL DEFAULT 'new', total shop.amount, at timestamptz DEFAULT now(),
            CONSTRAINT big CHECK (total < 1000000));
         ALTER TABLE shop.orders ADD CONSTRAINT old_enough CHECK (at > '2000-01-01') NOT VALID;
         CREATE INDEX late ON shop.orders (at DESC, abs(total)) INCLUDE (total) WHERE total > 10;
         CREATE VIEW shop.totals AS SELECT c.name, sum(o.total) AS total FROM shop.orders o JOIN shop.customers c ON c.id = o.customer GROUP BY 1;
         CREATE MATERIALIZED VIEW shop.kept AS SELECT * FROM shop.totals;
         CREATE TABLE shop.events (at date NOT NULL, what text) PARTITION BY RANGE (at);
         CREATE INDEX events_what ON shop.events (what);
         CREATE TABLE shop.events_2026 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
         COMMENT ON TABLE shop.orders IS 'what was bought'; COMMENT ON COLUMN shop.orders.total IS 'with tax';
         GRANT SELECT, INSERT ON shop.orders TO reader; GRANT SELECT ON shop.orders TO PUBLIC;",
    );
    let snapshot = take(&mut place.open(), &options()).unwrap();
    assert_eq!(snapshot.gaps, Vec::<String>::new());
    assert_eq!(snapshot.missing, []);
    assert!(snapshot.origin.as_deref().unwrap().contains('/'));
    let names: Vec<String> = snapshot.tables.iter().map(Table::path).collect();
    assert_eq!(names, ["shop.customers", "shop.events", "shop.events_2026", "shop.kept", "shop.orders", "shop.totals"]);
    assert_eq!(snapshot.enums[0].values, ["new", "paid", "sent"]);

    let customers = table(&snapshot, "customers");
    assert_eq!(customers.primary_key, ["id"]);
    let classes: Vec<Class> = customers.columns.iter().map(|column| column.class).collect();
    assert_eq!(classes, [Class::Integer, Class::Text, Class::Text, Class::Text, Class::Array, Class::Json]);
    assert_eq!(customers.column("mail").unwrap().data_type, "character varying(80)");
    assert_eq!(customers.column("id").unwrap().default.as_deref(), Some("GENERATED ALWAYS AS IDENTITY"));
    let generated = customers.column("lower_name").unwrap();
    assert!(generated.is_generated && generated.default.as_deref() == Some("lower(name)"), "{generated:?}");
    assert!(
        customers.indexes.iter().any(|index| index.is_constraint && !index.is_primary && index.columns == ["mail"])
    );

    let orders = table(&snapshot, "orders");
    assert_eq!(orders.column("state").unwrap().class, Class::Enum);
    assert_eq!(orders.column("total").unwrap().class, Class::Decimal);
    assert_eq!(orders.foreign_keys[0].target, "shop.customers");
    assert_eq!(
        (&orders.foreign_keys[0].columns[..], &orders.foreign_keys[0].target_columns[..]),
        (&["customer".to_owned()][..], &["id".to_owned()][..])
    );
    assert_eq!(orders.foreign_keys[0].on_delete, "CASCADE");
    let checks: Vec<(&str, bool)> =
        orders.checks.iter().map(|check| (check.name.as_str(), check.is_validated)).collect();
    assert_eq!(checks, [("big", true), ("old_enough", false)]);
    let late = orders.indexes.iter().find(|index| index.name == "late").unwrap();
    assert_eq!(late.columns, ["at DESC", "abs(total::numeric)"]);
    assert_eq!(late.included, ["total"]);
    assert_eq!(late.condition.as_deref(), Some("((total)::numeric > (10)::numeric)"));
    assert_eq!(orders.comment.as_deref(), Some("what was bought"));
    assert_eq!(orders.column("total").unwrap().comment.as_deref(), Some("with tax"));
    assert_eq!(orders.grants, ["PUBLIC: SELECT", "reader: INSERT, SELECT"]);

    let totals = table(&snapshot, "totals");
    assert_eq!(
        (totals.kind, &totals.reads[..]),
        (TableKind::View, &["shop.customers".to_owned(), "shop.orders".to_owned()][..])
    );
    assert!(totals.reads_columns.contains(&"shop.orders.total".to_owned()));
    assert_eq!(table(&snapshot, "kept").kind, TableKind::MaterializedView);
    assert_eq!(table(&snapshot, "events").kind, TableKind::Partitioned);
    let partition = table(&snapshot, "events_2026");
    assert_eq!((partition.kind, partition.parent.as_deref()), (TableKind::Partition, Some("shop.events")));
    assert!(partition.indexes.is_empty(), "an index that belongs to the parent's: {:?}", partition.indexes);
}

#[test]
fn sqlite_shows_tables_views_and_indexes() {
    let mut database = Sqlite::new();
    database.run(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT UNIQUE, upper_name TEXT AS (upper(name)));
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INT NOT NULL REFERENCES customers ON DELETE CASCADE,
            total NUMERIC(10,2) DEFAULT 0, at DATETIME, CONSTRAINT big CHECK (total < 1000000));
         CREATE TABLE pairs (a INT, b TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID, STRICT;
         CREATE INDEX late ON orders (at DESC, abs(total)) WHERE total > 10;
         CREATE VIEW totals AS SELECT c.name, sum(o.total) AS total FROM orders o JOIN customers c ON c.id = o.customer GROUP BY 1;
         CREATE VIEW broken AS SELECT * FROM gone;",
    );
    let snapshot = take(&mut database, &options()).unwrap();
    let names: Vec<String> = snapshot.tables.iter().map(Table::path).collect();
    assert_eq!(names, ["main.broken", "main.customers", "main.orders", "main.pairs", "main.totals"]);
    assert!(snapshot.gaps.iter().any(|gap| gap.contains("`broken` could not be described")), "{:?}", snapshot.gaps);
    let customers = table(&snapshot, "customers");
    assert!(customers.column("upper_name").unwrap().is_generated);
    assert_eq!(customers.primary_key, ["id"]);
    assert!(customers.indexes.iter().any(|index| index.is_constraint && index.columns == ["mail"]));
    let orders = table(&snapshot, "orders");
    assert_eq!(orders.checks[0].name, "big");
    assert_eq!(orders.checks[0].expression, "total < 1000000");
    assert_eq!(orders.foreign_keys[0].target_columns, ["id"]);
    assert_eq!(orders.foreign_keys[0].on_delete, "CASCADE");
    assert_eq!(orders.indexes[0].columns, ["at DESC", "abs(total)"]);
    assert_eq!(orders.indexes[0].condition.as_deref(), Some("total > 10"));
    let classes: Vec<Class> = orders.columns.iter().map(|column| column.class).collect();
    assert_eq!(classes, [Class::Integer, Class::Integer, Class::Decimal, Class::Timestamp]);
    let pairs = table(&snapshot, "pairs");
    assert_eq!(
        (&pairs.primary_key[..], &pairs.options[..]),
        (&["b".to_owned(), "a".to_owned()][..], &["strict".to_owned(), "without_rowid".to_owned()][..])
    );
    let totals = table(&snapshot, "totals");
    assert_eq!(totals.reads, ["main.customers", "main.orders"]);
    assert!(totals.reads_columns.contains(&"main.orders.total".to_owned()), "{:?}", totals.reads_columns);
    assert_eq!(totals.columns.len(), 2);
}

#[test]
fn an_empty_database_is_an_empty_snapshot() {
    let place = place();
    assert!(take(&mut place.open(), &sampled()).unwrap().tables.is_empty());
    assert!(take(&mut Sqlite::new(), &sampled()).unwrap().tables.is_empty());
}

#[test]
fn hostile_names_are_names() {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let place = place();
    let mut database = Sqlite::new();
    for (number, name) in HOSTILE.iter().enumerate() {
        let sql = format!(
            "CREATE TABLE {0} ({0} int, {1} int); CREATE INDEX i{number} ON {0} ({1}); INSERT INTO {0} VALUES (1, 2)",
            quoted(name),
            quoted("x\"y")
        );
        place.run(&sql);
        database.run(&sql);
    }
    for snapshot in [take(&mut place.open(), &sampled()).unwrap(), take(&mut database, &sampled()).unwrap()] {
        assert_eq!(snapshot.gaps, Vec::<String>::new());
        assert_eq!(snapshot.tables.len(), HOSTILE.len());
        for name in HOSTILE {
            let table = table(&snapshot, name);
            assert_eq!(table.columns[0].fingerprint.as_ref().unwrap().present, 1, "{name}");
            assert_eq!(table.indexes.len(), 1);
        }
    }
}

#[test]
fn a_small_limit_of_rows_loses_nothing() {
    let place = place();
    let ddl = "CREATE TABLE a (x int PRIMARY KEY, y int, z int); CREATE TABLE b (x int REFERENCES a, y int UNIQUE, z text); CREATE VIEW v AS SELECT x FROM a";
    place.run(ddl);
    let whole = take(&mut place.open(), &options()).unwrap();
    let mut small = place.open();
    small.rows_max = 2;
    assert_eq!(take(&mut small, &options()).unwrap(), whole);

    let mut database = Sqlite::new();
    database.run(ddl);
    let whole = take(&mut database, &options()).unwrap();
    database.rows_max = 2;
    assert_eq!(take(&mut database, &options()).unwrap(), whole);
}

#[test]
fn a_role_without_rights_sees_the_shape_and_a_gap() {
    let place = place();
    place.run("CREATE ROLE nobody_much LOGIN; CREATE TABLE secret (x int); CREATE TABLE open_one (x int); GRANT SELECT ON open_one TO nobody_much; INSERT INTO open_one VALUES (1)");
    let snapshot = take(&mut place.open_as("nobody_much"), &sampled()).unwrap();
    assert!(!table(&snapshot, "secret").is_readable);
    assert_eq!(table(&snapshot, "secret").columns[0].fingerprint, None);
    assert!(table(&snapshot, "open_one").columns[0].fingerprint.is_some());
    assert_eq!(snapshot.gaps, ["the role may not read `public.secret`"]);
}

#[test]
fn a_section_that_is_refused_is_missing_and_not_empty() {
    let place = place();
    place.run("CREATE TABLE t (x int PRIMARY KEY); REVOKE SELECT ON pg_catalog.pg_index FROM PUBLIC; CREATE ROLE kept_out LOGIN");
    let snapshot = take(&mut place.open_as("kept_out"), &options()).unwrap();
    assert_eq!(snapshot.missing, [Section::Indexes]);
    assert!(
        snapshot.gaps.iter().any(|gap| gap.starts_with("indexes could not be read: no right")),
        "{:?}",
        snapshot.gaps
    );
}

#[test]
fn a_fingerprint_has_no_values_and_masked_columns_have_none() {
    let place = place();
    place.run("CREATE TABLE t (name text, mail text, state text); INSERT INTO t SELECT 'name' || i, 'mail' || i, (ARRAY['a','b'])[1 + i % 2] FROM generate_series(1, 1000) i");
    let sampling = Sampling { personal: vec!["*.mail".into()], ..Sampling::default() };
    let snapshot = take(&mut place.open(), &Options { sampling: Some(sampling), ..options() }).unwrap();
    let columns = &table(&snapshot, "t").columns;
    let name = columns[0].fingerprint.as_ref().unwrap();
    assert_eq!((name.rows, name.present, name.distinct, name.sketch.len()), (1000, 1000, 1000, 128));
    assert_eq!(columns[1].fingerprint, None);
    let state = columns[2].fingerprint.as_ref().unwrap();
    assert_eq!(state.sketch.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [500, 500]);
    assert!(!serde_json::to_string(&snapshot).unwrap().contains("name1"));
}

#[test]
fn a_star_that_multiplies_or_counts_reads_no_columns() {
    let mut database = Sqlite::new();
    database.run(
        "CREATE TABLE t (price INT, amount INT, note TEXT);
         CREATE VIEW some AS SELECT count(*) AS n, sum(price*amount) AS total FROM t;
         CREATE VIEW every AS SELECT t.* FROM t",
    );
    let snapshot = take(&mut database, &Options::default()).unwrap();
    let read = |name: &str| {
        let view = snapshot.tables.iter().find(|table| table.name == name).unwrap();
        view.reads_columns.iter().map(|path| path.replace("main.t.", "")).collect::<Vec<_>>()
    };
    assert_eq!(
        (read("some"), read("every")),
        (
            vec!["amount".to_owned(), "price".to_owned()],
            vec!["amount".to_owned(), "note".to_owned(), "price".to_owned()],
        )
    );
}
