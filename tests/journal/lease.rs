//! One store has one host, and a file that is not as it should be is a clear error.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use pi_host::journal::{self, Journal, verify};
use pi_host::store::sqlite::SqliteStore;
use pi_host::store::{Batch, Durability, Holder, LeaseError, Store, StoreError};
use serde_json::json;

use super::{Place, journal_in, said, tamper};

on_both! {
    a_second_host_is_told_who_is_there,
    a_closed_journal_gives_the_lease_back,
    a_dropped_journal_stores_what_is_left_and_gives_the_lease_back,
    a_dead_host_is_taken_over_at_once,
    another_process_with_the_same_pid_is_not_the_host,
    a_host_of_another_machine_is_taken_over_when_its_lease_has_run_out,
    a_host_that_was_replaced_cannot_write,
    a_refused_write_does_not_keep_others_from_writing,
    a_host_that_was_replaced_can_change_nothing_else,
    values_are_kept_by_key,
    values_are_changed_together_or_not_at_all,
    opening_again_keeps_everything,
    a_newer_schema_is_refused_and_left_alone,
    a_store_of_the_schema_before_is_brought_up_to_date,
    the_lease_is_prolonged_while_the_journal_is_idle,
    a_journal_under_a_lease_that_was_taken_elsewhere_writes,
}

async fn open(folder: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(&folder.join("store.db")).await
}

async fn a_second_host_is_told_who_is_there(place: Place) {
    let (_store, _journal) = place.journal().await;
    let second = place.open().await;
    let error = second.acquire(&Holder::this_process("run")).await.unwrap_err();
    let LeaseError::HeldBy(held) = &error else { panic!("{error}") };
    assert_eq!((held.name.as_str(), held.pid), ("test", std::process::id()));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("the store is in use by another host: `test`, pid {}, since 2", held.pid)),
        "{text}"
    );
}

async fn a_closed_journal_gives_the_lease_back(place: Place) {
    let (store, journal) = place.journal().await;
    assert!(store.holder().await.unwrap().is_some());
    let session = journal.session("s").await.unwrap();
    session.append(said("kept"));
    journal.close().await.unwrap();
    assert_eq!(store.holder().await.unwrap(), None);
    let error = session.append_durable(said("too late")).await.unwrap_err();
    assert_eq!(error.to_string(), "the journal is closed");
    assert_eq!(journal::entries(&*store, "s").await.unwrap().len(), 1);
}

async fn a_dropped_journal_stores_what_is_left_and_gives_the_lease_back(place: Place) {
    let (store, journal) = place.journal().await;
    let session = journal.session("s").await.unwrap();
    drop(journal);
    session.append(said("kept"));
    drop(session);
    while store.holder().await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(journal::entries(&*store, "s").await.unwrap().len(), 1);
}

async fn a_dead_host_is_taken_over_at_once(place: Place) {
    let store = place.open().await;
    let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    let mut holder = Holder::this_process("run");
    holder.pid = child.id();
    holder.start_time = start_time(child.id());
    store.acquire(&holder).await.unwrap();
    assert!(matches!(store.acquire(&Holder::this_process("run")).await, Err(LeaseError::HeldBy(_))));
    child.kill().unwrap();
    // Dead already, though nobody has collected it.
    while store.holder().await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.acquire(&Holder::this_process("run")).await.unwrap().epoch, 2);
    child.wait().unwrap();
}

async fn another_process_with_the_same_pid_is_not_the_host(place: Place) {
    let store = place.open().await;
    let mut holder = Holder::this_process("run");
    holder.start_time += 1;
    store.acquire(&holder).await.unwrap();
    assert!(store.acquire(&Holder::this_process("run")).await.is_ok());
}

async fn a_host_of_another_machine_is_taken_over_when_its_lease_has_run_out(place: Place) {
    let store = place.open().await;
    let mut holder = Holder::this_process("run");
    holder.machine = "elsewhere".into();
    holder.pid = 1;
    store.acquire(&holder).await.unwrap();
    assert!(store.acquire(&Holder::this_process("run")).await.is_err());
    place.tamper("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    assert!(store.acquire(&Holder::this_process("run")).await.is_ok());
}

async fn a_host_that_was_replaced_cannot_write(place: Place) {
    let (_, old) = place.journal().await;
    let old_session = old.session("s").await.unwrap();
    old_session.append_durable(said("1")).await.unwrap();

    // As if the old host had been suspended for longer than its lease.
    place.tamper("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    let (store, new) = place.journal().await;
    let new_session = new.session("s").await.unwrap();
    new_session.append_durable(said("2")).await.unwrap();

    let error = old_session.append_durable(said("3")).await.unwrap_err();
    assert_eq!(error.to_string(), "another host has taken over this store (this one held lease 1)");
    // From here on it says so at once.
    old_session.append(said("4"));
    assert_eq!(old_session.append_durable(said("5")).await.unwrap_err().to_string(), error.to_string());
    assert_eq!(old.health().lost, 3);
    assert_eq!(old.health().failure, Some(error.to_string()));

    new_session.append_durable(said("6")).await.unwrap();
    let said: Vec<_> = new_session.entries().await.unwrap().into_iter().map(|entry| entry.body).collect();
    assert_eq!(said, [super::said("1"), super::said("2"), super::said("6")]);
    assert!(verify(&*store, None).await.unwrap().iter().all(journal::Report::holds));
}

async fn a_refused_write_does_not_keep_others_from_writing(place: Place) {
    let (old_store, new_store) = (place.open().await, place.open().await);
    let old = old_store.acquire(&Holder::this_process("run")).await.unwrap();
    place.tamper("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    let new = new_store.acquire(&Holder::this_process("run")).await.unwrap();
    let batch = Batch::default();
    assert_eq!(old_store.write(&old, &batch, Durability::Disk).await, Err(StoreError::Fenced { epoch: 1 }));
    // A transaction left open by the old host would make this one fail as busy.
    assert_eq!(new_store.write(&new, &batch, Durability::Disk).await, Ok(()));
}

async fn a_host_that_was_replaced_can_change_nothing_else(place: Place) {
    let store = place.open().await;
    let old = store.acquire(&Holder::this_process("run")).await.unwrap();
    store.set_value(&old, "supervisor/a", &json!(1)).await.unwrap();
    place.tamper("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    store.acquire(&Holder::this_process("run")).await.unwrap();
    let fenced = StoreError::Fenced { epoch: 1 };
    assert_eq!(store.set_value(&old, "supervisor/a", &json!(2)).await, Err(fenced.clone()));
    assert_eq!(store.remove_value(&old, "supervisor/a").await, Err(fenced.clone()));
    assert_eq!(store.renew(&old).await, Err(fenced));
    // Giving back what one does not have changes nothing.
    store.release(&old).await.unwrap();
    assert!(store.holder().await.unwrap().is_some());
    assert_eq!(store.value("supervisor/a").await.unwrap(), Some(json!(1)));
}

async fn values_are_changed_together_or_not_at_all(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let change = |pairs: &[(&str, Option<u64>)]| -> Vec<(String, Option<serde_json::Value>)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(|value| json!(value)))).collect()
    };
    store.change_values(&lease, &change(&[("a", Some(1)), ("b", Some(2)), ("none", None)])).await.unwrap();
    store.change_values(&lease, &change(&[("a", None), ("b", Some(3))])).await.unwrap();
    assert_eq!(store.values("").await.unwrap(), [("b".to_owned(), json!(3))]);
    let large = json!("x".repeat(pi_host::store::VALUE_BYTES_MAX));
    let refused = [("b".to_owned(), None), ("c".to_owned(), Some(large))];
    assert!(matches!(store.change_values(&lease, &refused).await, Err(StoreError::TooLarge { .. })));
    place.tamper("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    store.acquire(&Holder::this_process("run")).await.unwrap();
    let fenced = store.change_values(&lease, &change(&[("b", None)])).await;
    assert_eq!(fenced, Err(StoreError::Fenced { epoch: 1 }));
    assert_eq!(store.values("").await.unwrap(), [("b".to_owned(), json!(3))]);
}

async fn values_are_kept_by_key(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    for (key, value) in
        [("a/1", json!({"pid": 7})), ("a/2", json!(null)), ("b/1", json!("x")), ("a/1", json!({"pid": 8}))]
    {
        store.set_value(&lease, key, &value).await.unwrap();
    }
    assert_eq!(store.values("a/").await.unwrap(), [("a/1".into(), json!({"pid": 8})), ("a/2".into(), json!(null))]);
    store.remove_value(&lease, "a/1").await.unwrap();
    assert_eq!(store.value("a/1").await.unwrap(), None);
    let large = json!("x".repeat(pi_host::store::VALUE_BYTES_MAX));
    assert!(matches!(store.set_value(&lease, "l", &large).await, Err(StoreError::TooLarge { .. })));
}

#[tokio::test]
async fn many_processes_may_open_a_new_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let opened = futures::future::join_all((0..8).map(|_| open(folder.path()))).await;
    assert!(
        opened.iter().all(Result::is_ok),
        "{:?}",
        opened.iter().filter_map(|one| one.as_ref().err()).collect::<Vec<_>>()
    );
}

async fn opening_again_keeps_everything(place: Place) {
    {
        let (_, journal) = place.journal().await;
        journal.session("s").await.unwrap().append_durable(said("1")).await.unwrap();
        journal.close().await.unwrap();
    }
    drop(place.open().await);
    let store = place.open().await;
    assert_eq!(journal::entries(&*store, "s").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_that_is_not_there_is_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let error = SqliteStore::open_existing(&path).await.err().unwrap();
    assert_eq!(error, StoreError::Missing { path: path.display().to_string() });
    assert!(!path.exists());
}

async fn a_newer_schema_is_refused_and_left_alone(place: Place) {
    drop(place.open().await);
    place.tamper("UPDATE schema_version SET version = 99").await;
    let error = place.try_open().await.err().unwrap();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 3, .. }), "{error}");
    assert!(error.to_string().starts_with("the store was written by a newer pi-host (schema 99, this one knows 3): "));
}

async fn a_store_of_the_schema_before_is_brought_up_to_date(place: Place) {
    drop(place.open().await);
    place.tamper("DROP TABLE plugin_values").await;
    place.tamper("DROP TABLE slots").await;
    place.tamper("UPDATE schema_version SET version = 1").await;
    let store = place.open().await;
    assert_eq!(store.plugin_value("web", "a").await.unwrap(), None);
    assert!(store.slots("daily", 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_said_to_be_damaged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("store.db"), "this is no database, whatever its name says".repeat(100)).unwrap();
    let error = open(folder.path()).await.err().unwrap();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.hint().contains("move both away"));
}

#[tokio::test]
async fn damaged_pages_are_said_to_be_damaged() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (store, journal) = journal_in(folder.path()).await;
        let session = journal.session("s").await.unwrap();
        for _ in 0..500 {
            session.append(said(&"x".repeat(500)));
        }
        journal.close().await.unwrap();
        drop((session, journal));
        match Arc::try_unwrap(store) {
            Ok(store) => store.close().await,
            Err(_) => panic!("the store is still in use"),
        }
    }
    let path = folder.path().join("store.db");
    let mut bytes = fs::read(&path).unwrap();
    let from = 20 * 4096;
    bytes[from..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let store = open(folder.path()).await.unwrap();
    let error = store.rows("s", 0, 1_000).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("store.db"), "").unwrap();
    tamper(folder.path(), "CREATE TABLE songs (name TEXT)").await;
    let error = open(folder.path()).await.err().unwrap();
    assert!(error.to_string().contains("it is the database of another program"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_a_clear_error() {
    // Not even root makes a folder there.
    let error = SqliteStore::open(Path::new("/proc/self/pi/store.db")).await.err().unwrap();
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error}");
    assert!(error.to_string().ends_with(": /proc/self/pi/store.db"), "{error}");
}

#[tokio::test]
async fn only_the_owner_may_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (_store, journal) = journal_in(&folder.path().join("new")).await;
    journal.flush().await.unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join("new").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("store.db"), mode("store.db-wal")), (0o700, 0o600, 0o600));
}

async fn the_lease_is_prolonged_while_the_journal_is_idle(place: Place) {
    let (store, _journal) = place.journal().await;
    let before = store.holder().await.unwrap().unwrap().expires_ms;
    let deadline = pi_host::clock::monotonic() + pi_host::clock::Duration::from_millis(pi_host::store::LEASE_MS);
    while store.holder().await.unwrap().unwrap().expires_ms == before {
        assert!(pi_host::clock::monotonic() < deadline, "the lease was not prolonged");
        tokio::time::sleep(pi_host::clock::Duration::from_millis(50)).await;
    }
}

fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

async fn a_journal_under_a_lease_that_was_taken_elsewhere_writes(place: Place) {
    let store = place.open().await;
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let journal = Journal::open(store, lease);
    journal.session("s").await.unwrap().append_durable(said("1")).await.unwrap();
}
