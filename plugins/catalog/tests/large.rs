//! Five thousand tables: a snapshot by few statements, and a difference of it, in seconds.

use std::time::Instant;

use pi_catalog::diff::diff;
use pi_catalog::health::{Thresholds, examine};
use pi_catalog::snapshot::take;

use crate::changes::{told, without_identity};
use crate::postgres_server::place;
use crate::snapshots::options;

#[test]
fn five_thousand_tables_take_seconds() {
    let place = place();
    let mut client = place.client();
    for block in 0..50 {
        let statement = format!(
            "DO $$ BEGIN FOR i IN {} .. {} LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, name text NOT NULL, state varchar(20), \
             total numeric(10,2) CHECK (total > 0), at timestamptz, a int, b int, c int, d text, e text)', i); \
             EXECUTE format('CREATE INDEX i%s ON t%s (at)', i, i); END LOOP; END $$",
            block * 100,
            block * 100 + 99
        );
        client.batch_execute(&statement).unwrap();
    }
    client.batch_execute("CREATE VIEW v AS SELECT name FROM t77").unwrap();
    let mut database = place.open();
    let began = Instant::now();
    let before = take(&mut database, &options()).unwrap();
    let snapshot_ms = began.elapsed().as_millis();
    assert_eq!(before.tables.len(), 5001);
    assert!(database.asked <= 12, "{} statements", database.asked);
    client.batch_execute("ALTER TABLE t77 RENAME TO renamed; ALTER TABLE t78 RENAME a TO aa; ALTER TABLE t79 DROP e; CREATE TABLE fresh (x int)").unwrap();
    let after = take(&mut database, &options()).unwrap();
    let began = Instant::now();
    let changes = diff(&before, &after, &[]);
    let diff_ms = began.elapsed().as_millis();
    assert_eq!(
        told(&changes),
        [
            "column_dropped public.t79.e",
            "column_renamed public.t78.aa",
            "table_added public.fresh",
            "table_renamed public.renamed"
        ]
    );
    let began = Instant::now();
    let all = diff(&before, &without_identity(before.clone()), &[]);
    assert_eq!(all, []);
    let same_ms = began.elapsed().as_millis();
    let began = Instant::now();
    examine(&mut database, &Thresholds::default());
    let health_ms = began.elapsed().as_millis();
    let json = serde_json::to_string(&before).unwrap().len();
    println!(
        "snapshot {snapshot_ms} ms, diff {diff_ms} ms, diff of equals {same_ms} ms, health {health_ms} ms, JSON {json} bytes, peak {}",
        peak()
    );
    // Far above what it takes, so that a loaded machine passes, and far below what a statement for each table would.
    assert!(snapshot_ms < 20_000 && diff_ms < 10_000 && health_ms < 20_000);
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned()
}
