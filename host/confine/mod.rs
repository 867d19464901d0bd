//! The only module that starts processes, and the one that ends them.
//!
//! A native program is never started by the host itself, but by a helper: the same binary, called
//! as `pi-host __confine`. It is single-threaded, so that namespaces, Landlock, seccomp and limits
//! can be set up between fork and exec without a lock of another thread being held. The host
//! hands it a job over a socket that stands in for its standard input, and reads reports from it.
//!
//! [`start`] runs a program confined, streamed, and gone with all its descendants when its
//! [`Running`] is dropped or the host dies. [`service::start`] starts one that must outlive the host.
//! Knows nothing of grants, gates and wasm. A further kind of job is a variant of `control::Job`.

#![allow(clippy::disallowed_methods, reason = "this is the place that starts processes")]

pub mod abilities;
mod control;
pub mod environment;
pub mod helper;
mod identity;
mod own;
mod procfs;
mod run;
pub mod service;
mod spec;

pub use abilities::{Abilities, abilities};
pub use identity::{EndError, Identity, descendants, end, family, identity, is_alive};
pub(crate) use own::start_own;
pub use run::{Output, Running, Watch, start};
pub use spec::{Exit, Limits, Spec, StartError};

use std::path::{Path, PathBuf};

/// How helpers are started. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confine {
    /// The binary that answers to `__confine`.
    helper: PathBuf,
}

impl Confine {
    /// Helpers are the binary that runs now.
    #[must_use]
    pub fn new() -> Self {
        // Not `current_exe`: that names a file that an upgrade may have replaced meanwhile, and
        // this one is the running binary for good.
        Self { helper: PathBuf::from("/proc/self/exe") }
    }

    /// Helpers are another binary: for tests, which are not `pi-host` themselves.
    #[must_use]
    pub fn with_helper(helper: impl Into<PathBuf>) -> Self {
        Self { helper: helper.into() }
    }

    pub(crate) fn helper(&self) -> &Path {
        &self.helper
    }
}

impl Default for Confine {
    fn default() -> Self {
        Self::new()
    }
}
