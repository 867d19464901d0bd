//! The offline store: one SQLite file for each ecosystem, made from the archive that OSV publishes.
//!
//! A file is never changed: a new one is built beside it and takes its place whole, so that a look-up
//! finds the old one or the new one, and a failed update leaves the old one. It holds what
//! [`super::osv::Entry`] keeps of each record, under the normal name of the package. The store knows its
//! age and says so; it does not know when to update itself.

mod archive;
mod build;
mod sync;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Row};

use super::Package;
use super::advisory::{Matched, Report, Source, Status, report};
use super::ecosystem::{Ecosystem, is_same_release};
use super::osv::Entry;
use crate::clock;

pub use archive::ArchiveError;
pub use sync::{ARCHIVE_URL, Archives, Progress, SyncError, SyncLimits, Synced};

/// The form of the files; a file of another form is built again.
const FORMAT: i64 = 1;
/// Connections that read one file at the same time.
const READERS_MAX: u32 = 4;
/// Entries of one package. Danger: a package whose entries fill the memory.
const ENTRIES_MAX: i64 = 50_000;
/// Identifiers of unreadable records that are kept. Danger: every answer of the store names all of them.
const SKIPPED_IDS_MAX: usize = 10;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The offline store of a folder.
#[derive(Debug)]
pub struct OfflineStore {
    folder: PathBuf,
    stale_after: Duration,
    opened: Mutex<HashMap<&'static str, Opened>>,
}

/// A file that is open for reading.
#[derive(Clone, Debug)]
struct Opened {
    /// Device and inode: another file may have taken its place.
    identity: (u64, u64),
    about: About,
    readers: SqlitePool,
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub ecosystem: String,
    /// When it was last known to be what OSV publishes, in milliseconds since 1970.
    pub synced_ms: u64,
    /// Where its archive came from.
    pub base: String,
    /// The version of the archive, as its server names it.
    pub etag: Option<String>,
    /// Records that are in it.
    pub records: u64,
    /// Records that could not be read.
    pub skipped: u64,
    /// Those of them whose packages are known all the same: these packages are in it, as undecided.
    #[serde(default)]
    pub named: u64,
    /// The identifiers of the others, as far as they are known, and the first of them only.
    #[serde(default)]
    pub skipped_ids: Vec<String>,
    /// Releases of a distribution of which there are records.
    pub releases: BTreeSet<String>,
}

/// Why the store gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfflineError {
    #[error(
        "the offline store of {ecosystem} cannot be read, build it again with `pi-host packages sync` ({detail}): {path}"
    )]
    Unreadable { ecosystem: String, path: String, detail: String },
    #[error("the offline store of {ecosystem} has more than {ENTRIES_MAX} entries for: {name}")]
    TooMany { ecosystem: String, name: String },
}

impl OfflineStore {
    /// The store in a folder, whose answers are stale after so many days. Nothing is opened yet.
    #[must_use]
    pub fn new(folder: PathBuf, stale_after_days: u32) -> Self {
        Self { folder, stale_after: DAY * stale_after_days, opened: Mutex::default() }
    }

    /// What is known of an ecosystem's file, or nothing where there is none.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    pub async fn about(&self, ecosystem: &Ecosystem) -> Result<Option<About>, OfflineError> {
        Ok(self.open(ecosystem).await?.map(|opened| opened.about))
    }

    /// The report of a package, or nothing where its ecosystem is not in the store.
    ///
    /// # Errors
    /// The ecosystem's file cannot be read.
    pub async fn check(&self, package: &Package) -> Result<Option<Report>, OfflineError> {
        let Some(opened) = self.open(&package.ecosystem).await? else { return Ok(None) };
        let entries = self.entries(&opened, package).await?;
        let source = self.source(&opened.about);
        let mut report = report(package.clone(), entries, Matched::ByName, source);
        if let Some(reason) = opened.about.doubt(&package.ecosystem)
            && matches!(report.status, Status::Checked { .. })
        {
            report.status = Status::Unknown { reason };
        }
        Ok(Some(report))
    }

    fn source(&self, about: &About) -> Source {
        let age = Duration::from_millis(clock::now_ms().saturating_sub(about.synced_ms));
        let age_days = age.as_secs() / DAY.as_secs();
        Source::Store { synced_at: clock::rfc3339(about.synced_ms), age_days, is_stale: age > self.stale_after }
    }

    async fn entries(&self, opened: &Opened, package: &Package) -> Result<Vec<Entry>, OfflineError> {
        let unreadable = |detail: String| self.unreadable(&package.ecosystem, detail);
        let name = package.ecosystem.normal_name(&package.name);
        let rows = sqlx::query("SELECT body FROM entries WHERE name = ? LIMIT ?")
            .bind(&name)
            .bind(ENTRIES_MAX + 1)
            .fetch_all(&opened.readers)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        if i64::try_from(rows.len()).unwrap_or(i64::MAX) > ENTRIES_MAX {
            return Err(OfflineError::TooMany { ecosystem: package.ecosystem.name().to_owned(), name });
        }
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let body: &[u8] = row.try_get(0).map_err(|error| unreadable(error.to_string()))?;
            serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))
        };
        rows.iter().map(read).collect()
    }

    async fn open(&self, ecosystem: &Ecosystem) -> Result<Option<Opened>, OfflineError> {
        let path = self.path(ecosystem);
        let identity = match fs::metadata(&path) {
            Ok(metadata) => (metadata.dev(), metadata.ino()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unreadable(ecosystem, error.to_string())),
        };
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(ecosystem.name()).cloned();
        if let Some(opened) = known.filter(|opened| opened.identity == identity) {
            return Ok(Some(opened));
        }
        let (readers, about) = connect(&path, ecosystem).await.map_err(|detail| self.unreadable(ecosystem, detail))?;
        let opened = Opened { identity, about, readers };
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(ecosystem.name(), opened.clone());
        Ok(Some(opened))
    }

    fn path(&self, ecosystem: &Ecosystem) -> PathBuf {
        self.folder.join(format!("{}.sqlite", slug(ecosystem)))
    }

    fn unreadable(&self, ecosystem: &Ecosystem, detail: String) -> OfflineError {
        let path = self.path(ecosystem).display().to_string();
        OfflineError::Unreadable { ecosystem: ecosystem.name().to_owned(), path, detail }
    }
}

impl About {
    /// Why silence about an ecosystem says nothing, if it does not.
    fn doubt(&self, ecosystem: &Ecosystem) -> Option<String> {
        // Each may be about any package, also about this one.
        let unnamed = self.skipped.saturating_sub(self.named);
        if unnamed > 0 {
            let ids = self.skipped_ids.join(", ");
            let ids = if ids.is_empty() { String::new() } else { format!(" ({ids})") };
            return Some(format!(
                "{unnamed} records of the offline store of {} were unreadable, and may be about any package{ids}",
                self.ecosystem
            ));
        }
        let release = ecosystem.release()?;
        // A release under another name than OSV's has no records, which is not the same as no findings.
        let is_known = self.releases.iter().any(|known| is_same_release(known, release));
        (!is_known && !self.releases.is_empty())
            .then(|| format!("the offline store of {} has no release `{}`", self.ecosystem, release.escape_debug()))
    }
}

/// Open a file that nobody changes any more: SQLite needs no locks on it.
async fn connect(path: &Path, ecosystem: &Ecosystem) -> Result<(SqlitePool, About), String> {
    let options =
        SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).disable_statement_logging();
    // A connection to a file that never changes does not go bad: testing it would double each look-up.
    let readers = SqlitePoolOptions::new().max_connections(READERS_MAX).test_before_acquire(false);
    let readers = readers.connect_lazy_with(options);
    let format: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&readers).await.map_err(|error| error.to_string())?;
    if format != FORMAT {
        return Err(format!("its form is {format}, and this program reads {FORMAT}"));
    }
    let about: String =
        sqlx::query_scalar("SELECT about FROM about").fetch_one(&readers).await.map_err(|error| error.to_string())?;
    let about: About = serde_json::from_str(&about).map_err(|error| error.to_string())?;
    if about.ecosystem == ecosystem.name() {
        Ok((readers, about))
    } else {
        Err(format!("it is the one of {}", about.ecosystem))
    }
}

/// The name of an ecosystem as that of a file.
fn slug(ecosystem: &Ecosystem) -> String {
    ecosystem.name().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}
