//! What shall run, and how it may end. Plain data: the host writes it, the helper reads it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::identity::Identity;

/// A native program with all that it may do. No shell reads it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Absolute.
    pub program: PathBuf,
    /// The name that the program sees as its own, then its arguments.
    pub argv: Vec<String>,
    /// Added to the clean environment; each must have passed [`super::environment::check`].
    pub environment: Vec<(String, String)>,
    /// Absolute and canonical, as all paths below: one that is a symbolic link when the program is started, or
    /// lies behind one, has been swapped since, and nothing is started.
    pub directory: PathBuf,
    /// Folders and files that it may read and execute, beside the system's own.
    pub read: Vec<PathBuf>,
    /// Folders and files that it may read and write. Not executed, unless they are in `read` too.
    pub write: Vec<PathBuf>,
    /// Within those: files and folders that may be read and not written all the same.
    pub kept: Vec<PathBuf>,
    /// Within those: folders that are not there for it, such as the host's own state.
    pub hidden: Vec<PathBuf>,
    /// Whether it may use TCP and UDP.
    pub network: bool,
    pub limits: Limits,
}

/// Every limit of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The program and its descendants are killed after this.
    pub timeout_ms: u64,
    /// Standard output and standard error together.
    pub output_bytes: u64,
    /// Of all processes together where a memory cgroup can be made, else of each one and, checked
    /// some times a second, of all.
    pub memory_bytes: u64,
    /// Threads count, as they do for the kernel.
    pub processes: u32,
    /// No file may grow beyond this.
    pub file_bytes: u64,
    /// Of each process.
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout_ms: 30_000,
            output_bytes: 16 << 20,
            memory_bytes: 1 << 30,
            processes: 64,
            file_bytes: 4 << 30,
            open_files: 1024,
        }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// Its time was up.
    Timeout,
    /// It wrote more than it may.
    OutputLimit,
}

/// Why a program was not started. Nothing of it has run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartError {
    #[error("the program is not there: {0}")]
    NotFound(String),
    #[error("the program may not be executed: {0}")]
    Permission(String),
    #[error("{0}")]
    Invalid(String),
    /// The confinement could not be set up, so the program was not started.
    #[error("the program could not be confined: {0}")]
    Confinement(String),
    /// Services only: one of this name runs already.
    #[error("it runs already, as process {}", .0.pid)]
    AlreadyRunning(Identity),
    #[error("the helper that starts programs failed: {0}")]
    Helper(String),
}
