//! Bringing the offline store up to date: download, build, put in place.
//!
//! `GET <base>/<ecosystem>/all.zip`, asked with the version that is there already. Whatever goes wrong
//! on the way, the file that is in use stays as it is, and the error says what and where. One process at
//! a time updates an ecosystem.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Client, Response, StatusCode, Url};
use serde::Serialize;

use super::archive::{ArchiveError, ArchiveLimits};
use super::build::{self, Counts};
use super::{About, OfflineStore, slug};
use crate::clock::{self, Instant};
use crate::packages::ecosystem::Ecosystem;
use crate::packages::fetch::{self, FetchError, Patience};

/// Where OSV publishes its archives.
pub const ARCHIVE_URL: &str = "https://osv-vulnerabilities.storage.googleapis.com";

/// Longest version of an archive that is remembered.
const ETAG_BYTES_MAX: usize = 200;

/// What an update may take. The largest archive has 300,000 entries and unpacks to some gigabytes.
#[derive(Clone, Copy, Debug)]
pub struct SyncLimits {
    /// For the whole download.
    pub total: Duration,
    /// For the first answer, and for each piece that follows.
    pub each: Duration,
    /// Of the archive. Danger: a download that fills the disk.
    pub download_bytes_max: u64,
    /// Entries of the archive. Danger: a directory of a billion empty entries.
    pub entries_max: u64,
    /// Of one entry, unpacked. Danger: one that unpacks to more than the memory.
    pub entry_bytes_max: u64,
    /// Of all entries together, unpacked. Danger: a bomb of many entries.
    pub unpacked_bytes_max: u64,
}

impl Default for SyncLimits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(30 * 60),
            each: Duration::from_secs(30),
            download_bytes_max: 2 * 1024 * 1024 * 1024,
            entries_max: 2_000_000,
            entry_bytes_max: 16 * 1024 * 1024,
            unpacked_bytes_max: 32 * 1024 * 1024 * 1024,
        }
    }
}

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Progress {
    Download { bytes: u64, bytes_total: Option<u64> },
    Index { records: u64 },
}

/// What an update did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Synced {
    pub about: About,
    /// Of the archive; none where it was not downloaded again.
    pub bytes: u64,
    /// The archive is still the one that is in the store.
    pub is_unchanged: bool,
}

/// Why the store was not brought up to date. It is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    #[error("the archive could not be downloaded ({error}): {url}")]
    Fetch { url: String, error: FetchError },
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{skipped} of the archive's entries are no records of OSV, and only {records} are")]
    NotRecords { skipped: u64, records: u64 },
    #[error("the archive has no record of a package of: {ecosystem}")]
    Empty { ecosystem: String },
    #[error(
        "the archive has {records} records of {ecosystem}, less than half of the {before} that the store has; if that is right, remove the file and fetch it anew: {path}"
    )]
    Shrunk { ecosystem: String, records: u64, before: u64, path: String },
    #[error("another process is updating the offline store of: {ecosystem}")]
    Busy { ecosystem: String },
    #[error("the offline store cannot be written ({detail}): {path}")]
    File { path: String, detail: String },
    #[error("the index cannot be written: {0}")]
    Index(String),
}

impl SyncError {
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), detail: error.to_string() }
    }
}

impl From<sqlx::Error> for SyncError {
    fn from(error: sqlx::Error) -> Self {
        Self::Index(error.to_string())
    }
}

/// Where archives come from.
#[derive(Clone, Debug)]
pub struct Archives {
    base: String,
    client: Client,
    limits: SyncLimits,
}

impl Archives {
    /// Archives below this base URL, [`ARCHIVE_URL`] for the public ones.
    ///
    /// # Errors
    /// It is not a URL whose answers can be trusted.
    pub fn new(base: &str, limits: SyncLimits) -> Result<Self, FetchError> {
        let base = fetch::base_url(base)?;
        let client = fetch::client(&base, limits.each)?;
        Ok(Self { base, client, limits })
    }

    fn url(&self, ecosystem: &Ecosystem) -> Result<Url, FetchError> {
        let refused = || FetchError::Url { url: self.base.clone(), reason: "it cannot be extended" };
        let mut url = Url::parse(&self.base).map_err(|_| refused())?;
        // Names such as `Red Hat` are encoded here.
        url.path_segments_mut().map_err(|()| refused())?.pop_if_empty().extend([ecosystem.name(), "all.zip"]);
        Ok(url)
    }
}

impl OfflineStore {
    /// Bring an ecosystem up to date with the archives. A release of a distribution is part of its archive.
    ///
    /// # Errors
    /// The archive cannot be had or is not one, or the store cannot be written. The store is as it was.
    pub async fn sync(
        &self,
        archives: &Archives,
        ecosystem: &Ecosystem,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Synced, SyncError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|error| SyncError::file(&self.folder, &error))?;
        let _lock = self.lock(ecosystem)?;
        let download = Scratch::new(self.folder.join(format!("{}.zip.part", slug(ecosystem))))?;
        let index = Scratch::new(self.folder.join(format!("{}.sqlite.part", slug(ecosystem))))?;
        // A file that cannot be read is replaced, whatever version it has.
        let current = self.about(ecosystem).await.ok().flatten();
        let before = current.as_ref().map_or(0, |about| about.records);
        let etag = current.as_ref().filter(|about| about.base == archives.base).and_then(|about| about.etag.clone());
        let started_ms = clock::now_ms();
        let fetched = archives.download(ecosystem, etag.as_deref(), &download.path, progress).await;
        let fetched = fetched.map_err(|error| self.explained(archives, ecosystem, error))?;
        let synced = match (fetched, current) {
            (Fetched::Unchanged, Some(current)) => {
                let about = About { synced_ms: started_ms, ..current };
                build::copy(&self.path(ecosystem), &index.path, &about).await?;
                Synced { about, bytes: 0, is_unchanged: true }
            }
            (Fetched::Unchanged, None) => {
                let error = DownloadError::Fetch(FetchError::Status(StatusCode::NOT_MODIFIED.as_u16()));
                return Err(self.explained(archives, ecosystem, error));
            }
            (Fetched::Archive { bytes, etag }, _) => {
                let about = |counts: Counts| About {
                    ecosystem: ecosystem.name().to_owned(),
                    synced_ms: started_ms,
                    base: archives.base.clone(),
                    etag,
                    records: counts.records,
                    skipped: counts.skipped,
                    named: counts.named,
                    skipped_ids: counts.skipped_ids,
                    releases: counts.releases,
                };
                let limits = ArchiveLimits {
                    entries_max: archives.limits.entries_max,
                    entry_bytes_max: archives.limits.entry_bytes_max,
                    total_bytes_max: archives.limits.unpacked_bytes_max,
                };
                let indexed = |records| progress(Progress::Index { records });
                let about = build::build(&download.path, &index.path, ecosystem, limits, about, &indexed).await?;
                // Danger: an archive that was cut at its source, or put there by somebody else, is whole as a
                // file, and what it lacks would be clean from now on. Databases grow.
                if about.records < before.div_ceil(2) {
                    let path = self.path(ecosystem).display().to_string();
                    let (ecosystem, records) = (ecosystem.name().to_owned(), about.records);
                    return Err(SyncError::Shrunk { ecosystem, records, before, path });
                }
                Synced { about, bytes, is_unchanged: false }
            }
        };
        let path = self.path(ecosystem);
        fs::rename(&index.path, &path).map_err(|error| SyncError::file(&path, &error))?;
        // The new name must survive a power cut as well.
        let folder = File::open(&self.folder).and_then(|folder| folder.sync_all());
        folder.map_err(|error| SyncError::file(&self.folder, &error))?;
        Ok(synced)
    }

    fn lock(&self, ecosystem: &Ecosystem) -> Result<File, SyncError> {
        let path = self.folder.join(format!("{}.lock", slug(ecosystem)));
        let file = File::create(&path).map_err(|error| SyncError::file(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(SyncError::Busy { ecosystem: ecosystem.name().to_owned() }),
            Err(fs::TryLockError::Error(error)) => Err(SyncError::file(&path, &error)),
        }
    }

    fn explained(&self, archives: &Archives, ecosystem: &Ecosystem, error: DownloadError) -> SyncError {
        match error {
            DownloadError::Fetch(error) => {
                let url = archives.url(ecosystem).map_or_else(|_| archives.base.clone(), String::from);
                SyncError::Fetch { url, error }
            }
            DownloadError::File(error) => SyncError::file(&self.folder, &error),
        }
    }
}

enum Fetched {
    Unchanged,
    Archive { bytes: u64, etag: Option<String> },
}

enum DownloadError {
    Fetch(FetchError),
    File(std::io::Error),
}

impl From<FetchError> for DownloadError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl Archives {
    async fn download(
        &self,
        ecosystem: &Ecosystem,
        etag: Option<&str>,
        path: &Path,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Fetched, DownloadError> {
        let deadline = clock::monotonic() + self.limits.total;
        let url = self.url(ecosystem)?;
        let patience = Patience { each: self.limits.each, attempts_max: 3, pause_max: self.limits.each };
        let request = || {
            let request = self.client.get(url.clone());
            match etag {
                Some(etag) => request.header(IF_NONE_MATCH, etag),
                None => request,
            }
        };
        let response = fetch::respond(request, patience, deadline).await?;
        match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(Fetched::Unchanged),
            StatusCode::OK => {
                let etag = etag_of(&response);
                let bytes = self.save(response, path, deadline, progress).await?;
                Ok(Fetched::Archive { bytes, etag })
            }
            status => Err(FetchError::Status(status.as_u16()).into()),
        }
    }

    async fn save(
        &self,
        mut response: Response,
        path: &Path,
        deadline: Instant,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<u64, DownloadError> {
        let bytes_max = self.limits.download_bytes_max;
        let bytes_total = response.content_length();
        if bytes_total.is_some_and(|bytes| bytes > bytes_max) {
            return Err(FetchError::TooLarge(bytes_max).into());
        }
        let mut file = File::create(path).map_err(DownloadError::File)?;
        let mut bytes = 0;
        while let Some(piece) = fetch::piece(&mut response, self.limits.each).await? {
            bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if bytes > bytes_max {
                return Err(FetchError::TooLarge(bytes_max).into());
            }
            if clock::monotonic() > deadline {
                return Err(FetchError::OutOfTime.into());
            }
            // A piece is some kilobytes, which the kernel takes at once.
            file.write_all(&piece).map_err(DownloadError::File)?;
            progress(Progress::Download { bytes, bytes_total });
        }
        match bytes_total {
            Some(total) if total != bytes => {
                Err(FetchError::Connection(format!("{bytes} of {total} bytes came")).into())
            }
            _ => Ok(bytes),
        }
    }
}

fn etag_of(response: &Response) -> Option<String> {
    let etag = response.headers().get(ETAG)?.to_str().ok()?;
    (etag.len() <= ETAG_BYTES_MAX).then(|| etag.to_owned())
}

/// A file that is gone when the update ends, however it ends.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// An earlier process may have been killed, and have left one.
    fn new(path: PathBuf) -> Result<Self, SyncError> {
        build::remove(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next update.
        let _ = build::remove(&self.path);
    }
}
