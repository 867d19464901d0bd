//! Building an ecosystem's file from an archive, beside the one that is in use.
//!
//! One thread reads and unpacks, and a connection of SQLite writes what it makes of it; between the two
//! wait a few batches at most. Nothing of a build that fails is kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::mpsc;

use super::archive::{self, ArchiveError, ArchiveLimits};
use super::sync::SyncError;
use super::{About, FORMAT, SKIPPED_IDS_MAX};
use crate::packages::ecosystem::Ecosystem;
use crate::packages::osv::{Entry, Record, Salvaged};

/// Rows of one batch, which is one transaction.
const BATCH_ROWS: usize = 512;
/// Bytes of one batch. Danger: large records waiting by the hundred.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that wait for the writer.
const BATCHES_WAITING: usize = 4;
/// Rows of one statement.
const STATEMENT_ROWS: usize = 64;
/// Releases that are taken from one record. Danger: a record that names a million.
const RELEASES_MAX: usize = 1000;
/// Unreadable records that are put up with, of a hundred: more are no records of OSV.
const SKIPPED_PERCENT_MAX: u64 = 1;

/// What SQLite keeps in memory, in KiB: the index of the largest ecosystem fits.
const CACHE: &str = "PRAGMA cache_size = -32768";

/// What was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Records that are in the file.
    pub(super) records: u64,
    /// Records that could not be read.
    pub(super) skipped: u64,
    /// Those of them whose packages are in the file all the same.
    pub(super) named: u64,
    /// The identifiers of the others.
    pub(super) skipped_ids: Vec<String>,
    pub(super) releases: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Batch {
    rows: Vec<(String, Vec<u8>)>,
    bytes: usize,
    counts: Counts,
}

/// Build the file at `target` from the archive at `source`. What stands at `target` is replaced.
pub(super) async fn build(
    source: &Path,
    target: &Path,
    ecosystem: &Ecosystem,
    limits: ArchiveLimits,
    about: impl FnOnce(Counts) -> About,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<About, SyncError> {
    remove(target)?;
    let mut connection = SqliteConnectOptions::new()
        .filename(target)
        .create_if_missing(true)
        // A build that does not end is thrown away, so nothing must be undone, nor survive before its end.
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .disable_statement_logging()
        .connect()
        .await?;
    let built = fill(&mut connection, source, ecosystem, limits, about, progress).await;
    // Closed in any case: a file that is open cannot be told to be complete.
    let closed = connection.close().await;
    let about = built?;
    closed?;
    flush(target).await?;
    Ok(about)
}

/// A copy of a file that says something else of itself.
pub(super) async fn copy(source: &Path, target: &Path, about: &About) -> Result<(), SyncError> {
    remove(target)?;
    tokio::fs::copy(source, target).await.map_err(|error| SyncError::file(target, &error))?;
    let options = SqliteConnectOptions::new().filename(target).journal_mode(SqliteJournalMode::Off);
    let mut connection = options.disable_statement_logging().connect().await?;
    let written = write_about(&mut connection, about).await;
    let closed = connection.close().await;
    written?;
    closed?;
    flush(target).await
}

/// The whole file must be on the disk before it gets its name.
async fn flush(path: &Path) -> Result<(), SyncError> {
    let file = tokio::fs::File::open(path).await.map_err(|error| SyncError::file(path, &error))?;
    file.sync_all().await.map_err(|error| SyncError::file(path, &error))
}

async fn fill(
    connection: &mut SqliteConnection,
    source: &Path,
    ecosystem: &Ecosystem,
    limits: ArchiveLimits,
    about: impl FnOnce(Counts) -> About,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<About, SyncError> {
    for statement in [
        CACHE,
        "CREATE TABLE about (about TEXT NOT NULL)",
        "CREATE TABLE entries (name TEXT NOT NULL, body BLOB NOT NULL)",
        "CREATE INDEX entries_by_name ON entries (name)",
    ] {
        connection.execute(statement).await?;
    }
    let (sender, mut batches) = mpsc::channel(BATCHES_WAITING);
    let (path, of) = (source.to_owned(), ecosystem.clone());
    let reader = tokio::task::spawn_blocking(move || read_batches(&path, &of, limits, &sender));
    let mut counts = Counts::default();
    while let Some(batch) = batches.recv().await {
        write_batch(connection, &batch).await?;
        counts.records += batch.counts.records;
        counts.skipped += batch.counts.skipped;
        counts.named += batch.counts.named;
        counts.skipped_ids.extend(batch.counts.skipped_ids);
        counts.skipped_ids.truncate(SKIPPED_IDS_MAX);
        counts.releases.extend(batch.counts.releases);
        progress(counts.records);
    }
    reader.await.map_err(|_| ArchiveError::GivenUp)??;
    if counts.skipped * 100 > (counts.records + counts.skipped) * SKIPPED_PERCENT_MAX {
        return Err(SyncError::NotRecords { skipped: counts.skipped, records: counts.records });
    }
    if counts.records == 0 {
        // An empty archive would make every package clean.
        return Err(SyncError::Empty { ecosystem: ecosystem.name().to_owned() });
    }
    let about = about(counts);
    write_about(connection, &about).await?;
    connection.execute(AssertSqlSafe(format!("PRAGMA user_version = {FORMAT}"))).await?;
    Ok(about)
}

fn read_batches(
    path: &Path,
    ecosystem: &Ecosystem,
    limits: ArchiveLimits,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), ArchiveError> {
    let mut batch = Batch::default();
    archive::read(path, limits, |content| {
        batch.add(content, ecosystem);
        if batch.rows.len() >= BATCH_ROWS || batch.bytes >= BATCH_BYTES {
            sender.blocking_send(std::mem::take(&mut batch)).map_err(|_| ArchiveError::GivenUp)?;
        }
        Ok(())
    })?;
    sender.blocking_send(batch).map_err(|_| ArchiveError::GivenUp)
}

impl Batch {
    fn add(&mut self, content: &[u8], ecosystem: &Ecosystem) {
        let Ok(record) = Record::read(content) else { return self.salvage(content, ecosystem) };
        if record.is_withdrawn() {
            return;
        }
        let mut is_used = false;
        for (name, entry) in record.entries(ecosystem) {
            is_used |= self.push(name, entry);
        }
        self.counts.records += u64::from(is_used);
    }

    /// What can be had of a record that is not one. Danger: one wrong field in the record of a malicious
    /// package, and the package would be clean.
    fn salvage(&mut self, content: &[u8], ecosystem: &Ecosystem) {
        let Salvaged { id, entries, is_complete } = Salvaged::read(content, ecosystem);
        self.counts.skipped += 1;
        if is_complete {
            self.counts.named += 1;
        } else if self.counts.skipped_ids.len() < SKIPPED_IDS_MAX {
            self.counts.skipped_ids.extend(id);
        }
        for (name, entry) in entries {
            self.push(name, entry);
        }
    }

    /// Whether it was put into the batch.
    fn push(&mut self, name: String, entry: Entry) -> bool {
        let Ok(body) = serde_json::to_vec(&entry) else {
            self.counts.skipped += 1;
            return false;
        };
        let releases = entry.parts.into_iter().filter_map(|part| part.release);
        self.counts.releases.extend(releases.take(RELEASES_MAX));
        self.bytes += body.len();
        self.rows.push((name, body));
        true
    }
}

async fn write_batch(connection: &mut SqliteConnection, batch: &Batch) -> Result<(), SyncError> {
    connection.execute("BEGIN").await?;
    for rows in batch.rows.chunks(STATEMENT_ROWS) {
        let places = vec!["(?, ?)"; rows.len()].join(", ");
        let text = format!("INSERT INTO entries (name, body) VALUES {places}");
        let mut statement = sqlx::query(AssertSqlSafe(text));
        for (name, body) in rows {
            statement = statement.bind(name).bind(body);
        }
        statement.execute(&mut *connection).await?;
    }
    connection.execute("COMMIT").await?;
    Ok(())
}

async fn write_about(connection: &mut SqliteConnection, about: &About) -> Result<(), SyncError> {
    let text = serde_json::to_string(about).map_err(|error| SyncError::Index(error.to_string()))?;
    connection.execute("DELETE FROM about").await?;
    sqlx::query("INSERT INTO about (about) VALUES (?)").bind(text).execute(connection).await?;
    Ok(())
}

/// Remove a file that may not be there, and what SQLite may have left beside it.
pub(super) fn remove(path: &Path) -> Result<(), SyncError> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        let path = PathBuf::from(path);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(SyncError::file(&path, &error)),
        }
    }
    Ok(())
}
