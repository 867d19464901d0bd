//! What only a server can do: vanish, come back, lose an answer, come back as it was before.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pi_host::journal::{self, Journal, verify};
use pi_host::store::postgres::{Address, PostgresStore};
use pi_host::store::{Holder, LeaseError, Store, StoreError};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use super::said;
use crate::postgres::{self, Schema, Server};

async fn open(schema: &Schema) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(schema.address()).await.unwrap())
}

async fn journal(store: &Arc<PostgresStore>) -> Journal {
    Journal::begin(store.clone(), &Holder::this_process("test")).await.unwrap()
}

/// The session `s` says 0, 1, 2 and so on, each once, and its chain holds.
async fn assert_counts(store: &dyn Store, count: usize) {
    let bodies: Vec<_> = journal::entries(store, "s").await.unwrap().into_iter().map(|entry| entry.body).collect();
    assert_eq!(bodies, (0..count).map(|number| said(&number.to_string())).collect::<Vec<_>>());
    let reports = verify(store, None).await.unwrap();
    assert!(reports.iter().all(journal::Report::holds), "{reports:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_and_started_again_loses_and_doubles_nothing() {
    let mut server = Server::own();
    let schema = server.schema();
    // What a store is told is on the disk whatever others of this role are content with.
    schema.run("ALTER ROLE postgres SET synchronous_commit = off").await;
    let store = open(&schema).await;
    let journal = journal(&store).await;
    let session = journal.session("s").await.unwrap();
    for round in 0..3 {
        for number in 0..19 {
            session.append_durable(said(&(round * 20 + number).to_string())).await.unwrap();
        }
        tokio::task::block_in_place(|| server.kill());
        // Waits for the server.
        let writing = tokio::spawn({
            let session = journal.session("s").await.unwrap();
            async move { session.append_durable(said(&(round * 20 + 19).to_string())).await }
        });
        tokio::task::block_in_place(|| server.restart());
        writing.await.unwrap().unwrap();
    }
    // Reading goes on as well, and so does all that is not the journal's.
    assert_counts(&*store, 60).await;
    store.set_value(journal.lease(), "a", &json!(1)).await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), Some(json!(1)));
    assert_eq!(journal.health().lost, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let server = Server::own();
    let schema = server.schema();
    let store = open(&schema).await;
    let journal = journal(&store).await;
    let session = journal.session("s").await.unwrap();
    let killing = tokio::spawn({
        let schema = schema.clone();
        async move {
            for round in 0..25 {
                // Those of the store, not this one's own.
                schema
                    .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pi-host'")
                    .await;
                // At another moment each time.
                tokio::time::sleep(Duration::from_millis(40 + 3 * round)).await;
            }
        }
    });
    let mut count = 0;
    while !killing.is_finished() {
        if count % 3 == 0 {
            session.append_durable(said(&count.to_string())).await.unwrap();
        } else {
            session.append(said(&count.to_string()));
        }
        count += 1;
    }
    killing.await.unwrap();
    session.flush().await.unwrap();
    assert!(count > 25);
    assert_counts(&*store, count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_is_killed_takes_its_server_down_and_loses_and_doubles_nothing() {
    let server = Server::own();
    let schema = server.schema();
    let store = open(&schema).await;
    let journal = journal(&store).await;
    let session = journal.session("s").await.unwrap();
    for round in 0..3 {
        for number in 0..10 {
            session.append_durable(said(&(round * 10 + number).to_string())).await.unwrap();
        }
        // SIGKILL of one process makes the first one end all others and recover.
        tokio::task::block_in_place(|| server.kill_backend("pi-host"));
    }
    session.append_durable(said("30")).await.unwrap();
    assert_counts(&*store, 31).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_said_and_the_session_goes_on_when_it_is_back() {
    let mut server = Server::own();
    let schema = server.schema();
    let store = open(&schema).await;
    let journal = journal(&store).await;
    let session = journal.session("s").await.unwrap();
    session.append_durable(said("0")).await.unwrap();
    tokio::task::block_in_place(|| server.kill());
    // No intent is stored, so nothing is done.
    let error = session.append_durable(said("never")).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("the store cannot be reached (") || text.starts_with("nobody can say"), "{text}");
    assert!(text.ends_with(&format!(", schema {}", schema.name)), "{text}");
    assert_eq!(session.append_durable(said("never")).await.unwrap_err().to_string(), text);
    assert_eq!(journal.health().lost, 2);
    drop((session, journal, store));

    tokio::task::block_in_place(|| server.restart());
    let store = open(&schema).await;
    let mut holder = Holder::this_process("test");
    // Another process: the first, which lives, had no server to give its lease back to.
    holder.start_time = 0;
    schema.run("UPDATE lease SET expires_ms = 1, machine = 'another'").await;
    let journal = Journal::begin(store.clone(), &holder).await.unwrap();
    journal.session("s").await.unwrap().append_durable(said("1")).await.unwrap();
    assert_counts(&*store, 2).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_once() {
    let url = "postgres://pi@localhost/pi?host=/nowhere";
    let error = PostgresStore::open(Address::parse(url, None, "shop").unwrap()).await.err().unwrap();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().ends_with(": postgres pi@/nowhere/pi, schema shop"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said() {
    let schema = postgres::schema();
    let url = schema.url.replace("/postgres?", "/nothing?");
    let error = PostgresStore::open(Address::parse(&url, None, "shop").unwrap()).await.err().unwrap();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(error.hint().contains("[store]"));
}

#[tokio::test]
async fn two_projects_of_one_database_do_not_meet() {
    let (one, two) = (postgres::schema(), postgres::schema());
    let (store_one, store_two) = (open(&one).await, open(&two).await);
    let (journal_one, journal_two) = (journal(&store_one).await, journal(&store_two).await);
    journal_one.session("s").await.unwrap().append_durable(said("0")).await.unwrap();
    assert_eq!(store_two.sessions().await.unwrap(), []);
    let session = journal_two.session("s").await.unwrap();
    session.append_durable(said("0")).await.unwrap();
    session.append_durable(said("1")).await.unwrap();
    assert_counts(&*store_one, 1).await;
    assert_counts(&*store_two, 2).await;
}

#[tokio::test]
async fn many_processes_may_open_a_new_schema_at_once() {
    let schema = postgres::schema();
    let opened = futures::future::join_all((0..8).map(|_| PostgresStore::open(schema.address()))).await;
    let errors: Vec<_> = opened.iter().filter_map(|one| one.as_ref().err()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_not_made_by_reading() {
    let schema = postgres::schema();
    let error = PostgresStore::open_existing(schema.address()).await.err().unwrap();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
    assert!(!schema.is_there().await);
}

#[tokio::test]
async fn the_schema_of_another_program_is_left_alone() {
    let schema = postgres::schema();
    schema.run(&format!("CREATE SCHEMA {0}; CREATE TABLE {0}.songs (name TEXT)", schema.name)).await;
    let error = PostgresStore::open(schema.address()).await.err().unwrap();
    assert!(error.to_string().contains("it is the schema of another program"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_keep_what_it_acknowledges_is_refused() {
    let server = Server::own();
    let schema = server.schema();
    schema.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").await;
    let url = schema.url.replace("/postgres?", "/latin?");
    let error = PostgresStore::open(Address::parse(&url, None, "shop").unwrap()).await.err().unwrap();
    assert!(error.to_string().contains("the database's encoding has to be UTF8, and is: LATIN1"), "{error}");

    open(&schema).await;
    schema.run("ALTER SYSTEM SET fsync = off").await;
    schema.run("SELECT pg_reload_conf()").await;
    let error = loop {
        match PostgresStore::open(schema.address()).await {
            // The server has not heard of it yet.
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Unfit { .. }), "{error}");
    assert!(error.to_string().contains("it does not keep what it acknowledges"), "{error}");
}

#[tokio::test]
async fn who_keeps_the_writers_lock_is_waited_for_and_then_said_to_be_busy() {
    let schema = postgres::schema();
    let store = open(&schema).await;
    store.acquire(&Holder::this_process("run")).await.unwrap();
    let keeping = tokio::spawn({
        let schema = schema.clone();
        async move { schema.run("BEGIN; SELECT id FROM lease FOR UPDATE; SELECT pg_sleep(8)").await }
    });
    let deadline = pi_host::clock::monotonic() + Duration::from_secs(30);
    let error = loop {
        match store.acquire(&Holder::this_process("run")).await {
            // It has not begun yet.
            Err(LeaseError::HeldBy(_)) => assert!(pi_host::clock::monotonic() < deadline),
            Err(LeaseError::Store(error)) => break error,
            Ok(lease) => panic!("{lease:?}"),
        }
    };
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    keeping.await.unwrap();
    // And it writes again.
    assert!(matches!(store.acquire(&Holder::this_process("run")).await, Err(LeaseError::HeldBy(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_over_the_network_has_to_prove_its_name_and_its_user_who_he_is() {
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runtime/certificates");
    let authority = |name: &str| certificates.join(name).display().to_string();
    let key = certificates.join("server.key");
    let open = async |port: u16, password: &str, parameters: &str| {
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?{parameters}");
        PostgresStore::open(Address::parse(&url, Some(password), "shop").unwrap()).await
    };
    let full = |name: &str| format!("sslmode=verify-full&sslrootcert={}", authority(name));

    let (server, port) = Server::with_tls(&certificates.join("server.pem"), &key);
    server.schema().run("ALTER ROLE postgres PASSWORD 's3cr3t'").await;
    let store = open(port, "s3cr3t", &full("authority.pem")).await.unwrap();
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    store.set_value(&lease, "a", &json!(1)).await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), Some(json!(1)));
    for (password, parameters) in [
        ("wr0ng", full("authority.pem")),
        // Signed by somebody whom nobody knows.
        ("s3cr3t", full("other_authority.pem")),
        ("s3cr3t", "sslmode=verify-full".to_owned()),
    ] {
        let error = open(port, password, &parameters).await.err().unwrap();
        assert!(matches!(error, StoreError::Refused { .. }), "{parameters}: {error}");
        assert!(!error.to_string().contains(password), "{error}");
    }

    let (_other, port) = Server::with_tls(&certificates.join("of_other_name.pem"), &key);
    let error = open(port, "s3cr3t", &full("authority.pem")).await.err().unwrap();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_the_address_wants_it() {
    let schema = postgres::schema();
    let url = format!("{}&sslmode=require", schema.url);
    let error = PostgresStore::open(Address::parse(&url, None, "shop").unwrap()).await.err().unwrap();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
}

/// Between a store and its server: it can take an answer away, after what was asked has been done.
struct Between {
    folder: tempfile::TempDir,
    takes: Arc<AtomicBool>,
    taken: Arc<AtomicBool>,
    cuts: Arc<Notify>,
}

impl Between {
    fn start(schema: &Schema) -> Self {
        let folder = tempfile::Builder::new().prefix("pi-").tempdir_in("/tmp").unwrap();
        let server = schema.url.split_once("host=").unwrap().1.to_owned();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (takes, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let cuts = Arc::new(Notify::new());
        let between = Self { folder, takes: takes.clone(), taken: taken.clone(), cuts: cuts.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(format!("{server}/.s.PGSQL.5432")).await.unwrap();
                let (carried, cuts) = (carry(client, server, takes.clone(), taken.clone()), cuts.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = carried => {}
                        () = cuts.notified() => {}
                    }
                });
            }
        });
        between
    }

    fn address(&self, schema: &Schema) -> Address {
        let url = format!("postgres://postgres@localhost/postgres?host={}", self.folder.path().display());
        Address::parse(&url, None, &schema.name).unwrap()
    }

    /// The next answer that reaches nobody is that to the next question.
    fn take_next(&self) {
        self.taken.store(false, Ordering::SeqCst);
        self.takes.store(true, Ordering::SeqCst);
    }

    /// All connections end.
    fn cut(&self) {
        self.cuts.notify_waiters();
    }

    fn has_taken(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, takes: Arc<AtomicBool>, taken: Arc<AtomicBool>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            count = client.read(&mut asked) => {
                let Ok(count @ 1..) = count else { return };
                if server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            count = server.read(&mut answered) => {
                let Ok(count @ 1..) = count else { return };
                // The end of a transaction outside of which nothing is open: ReadyForQuery, idle.
                if answered[..count].ends_with(b"Z\0\0\0\x05I") && takes.swap(false, Ordering::SeqCst) {
                    taken.store(true, Ordering::SeqCst);
                    return;
                }
                if client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_although_no_answer_came_is_stored_once() {
    let schema = postgres::schema();
    let between = Between::start(&schema);
    let store = Arc::new(PostgresStore::open(between.address(&schema)).await.unwrap());
    let journal = journal(&store).await;
    let session = journal.session("s").await.unwrap();
    let mut taken = 0;
    for number in 0..10 {
        // Alone, and as one of several statements.
        between.take_next();
        session.append_durable(said(&number.to_string())).await.unwrap();
        taken += usize::from(between.has_taken());
    }
    assert!(taken > 5, "{taken}");
    between.take_next();
    journal.session("t").await.unwrap();
    assert_counts(&*store, 10).await;
    assert_eq!(store.sessions().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_left_taken_and_answered_once_although_no_answer_came() {
    let schema = postgres::schema();
    let between = Between::start(&schema);
    let store = PostgresStore::open(between.address(&schema)).await.unwrap();
    between.take_next();
    let lease = store.acquire(&Holder::this_process("run")).await.unwrap();
    let request = pi_host::store::NewRequest {
        kind: "tool_call".into(),
        payload: json!(1),
        is_idempotent: false,
        valid_ms: 60_000,
    };
    between.take_next();
    let id = store.push_request(request).await.unwrap();
    between.take_next();
    let taken = store.take_requests(&lease).await.unwrap();
    assert_eq!(taken.iter().map(|request| &request.id).collect::<Vec<_>>(), [&id]);
    assert_eq!(store.take_requests(&lease).await.unwrap(), []);
    between.take_next();
    store.answer(&lease, &id, json!(2)).await.unwrap();
    assert_eq!(store.outcome(&id).await.unwrap(), pi_host::store::Outcome::Answered(json!(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_came_back_without_the_newest_entries_is_not_written_to() {
    let schema = postgres::schema();
    let between = Between::start(&schema);
    let store = Arc::new(PostgresStore::open(between.address(&schema)).await.unwrap());
    let journal = journal(&store).await;
    let session = journal.session("s").await.unwrap();
    for number in 0..3 {
        session.append_durable(said(&number.to_string())).await.unwrap();
    }
    // As a stand-by or a backup that has never had the last entry.
    schema
        .run(
            "DELETE FROM entries WHERE sequence = 2;
             UPDATE heads SET entries = 2, hash = (SELECT hash FROM entries WHERE sequence = 1) WHERE session = 's'",
        )
        .await;
    between.cut();
    let error = session.append_durable(said("3")).await.unwrap_err();
    assert!(error.to_string().contains("the chain of `s` ends at 2, and 3 entries of it were stored"), "{error}");
    assert_counts(&*store, 2).await;
}
