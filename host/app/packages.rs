//! From `[packages]` to the sources that are asked, and the program `osv-scanner` where it is installed.

use std::path::{Path, PathBuf};

use crate::config::{Project, cache_folder, search_path};
use crate::confine::{self, Confine, Exit, Limits, Spec};
use crate::packages::advisory::Report;
use crate::packages::api::{Api, ApiLimits};
use crate::packages::audit::Audit;
use crate::packages::fetch::FetchError;
use crate::packages::lookup::Lookup;
use crate::packages::offline::{Archives, OfflineStore, SyncLimits};
use crate::packages::scanner::{self, ScanError};

/// A store that is older says so in its answers.
const STALE_AFTER_DAYS: u32 = 7;
/// How long a scan may take.
const SCAN_MS_MAX: u64 = 300_000;

#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    #[error("[packages] api_url: {0}")]
    Api(FetchError),
    #[error("[packages] sync_url: {0}")]
    Archives(FetchError),
    #[error("there is no folder for what is known about packages\nhint: set HOME, or [packages] store in pi.toml")]
    NoFolder,
    #[error("{0}")]
    Scan(#[from] ScanError),
    #[error("osv-scanner cannot be run: {0}")]
    Start(String),
}

/// What is asked about packages in this project.
///
/// # Errors
/// An address in `[packages]` that is none.
pub fn audit(project: &Project) -> Result<Audit, PackagesError> {
    let config = &project.config.packages;
    let api = config.online.then(|| Api::new(&config.api_url, ApiLimits::default())).transpose();
    Ok(Audit::new(Lookup::new(store(project).ok(), api.map_err(PackagesError::Api)?)))
}

/// The offline store of this project.
///
/// # Errors
/// There is no folder for it.
pub fn store(project: &Project) -> Result<OfflineStore, PackagesError> {
    let folder: PathBuf = match &project.config.packages.store {
        Some(folder) => project.directory.join(folder),
        None => cache_folder().ok_or(PackagesError::NoFolder)?.join("osv"),
    };
    Ok(OfflineStore::new(folder, STALE_AFTER_DAYS))
}

/// Where the store is fetched from.
///
/// # Errors
/// An address that is none.
pub fn archives(project: &Project) -> Result<Archives, PackagesError> {
    Archives::new(&project.config.packages.sync_url, SyncLimits::default()).map_err(PackagesError::Archives)
}

/// Scan a folder or a lock file with `osv-scanner`. None: it is not installed.
///
/// # Errors
/// It could not be run, or what it said cannot be read.
pub async fn scan(path: &Path) -> Result<Option<Vec<Report>>, PackagesError> {
    let path_folders = search_path();
    let mut folders = std::env::split_paths(&path_folders);
    let Some(program) = folders.find_map(|folder| folder.join(scanner::PROGRAM).canonicalize().ok()) else {
        return Ok(None);
    };
    let start = |error: &dyn std::fmt::Display| PackagesError::Start(error.to_string());
    let path = path.canonicalize().map_err(|error| start(&error))?;
    let text = path.display().to_string();
    let (directory, arguments) = if path.is_dir() {
        (path.clone(), scanner::arguments_for_folder(&text)?)
    } else {
        (path.parent().unwrap_or(&path).to_owned(), scanner::arguments_for_lock_file(&text))
    };
    let spec = Spec {
        argv: std::iter::once(scanner::PROGRAM.to_owned()).chain(arguments).collect(),
        environment: Vec::new(),
        read: vec![directory.clone(), program.clone()],
        program,
        directory,
        write: Vec::new(),
        kept: Vec::new(),
        hidden: Vec::new(),
        // It asks OSV.
        network: true,
        limits: Limits { timeout_ms: SCAN_MS_MAX, output_bytes: 256 << 20, ..Limits::default() },
    };
    let running = confine::start(&Confine::new(), spec).await.map_err(|error| start(&error))?;
    let (output, exit) = running.finish().await;
    match exit {
        Exit::Code(code) => Ok(Some(scanner::reports(code, &output.stdout)?)),
        other => Err(PackagesError::Start(format!("it ended by {other:?}"))),
    }
}
