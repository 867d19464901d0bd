//! Standard `wasi:filesystem` preopens, for components that were not made for this host.
//!
//! They are scoped and nothing more: what a component does inside of one is not judged act by act
//! and leaves no trace in the journal. Built-in plugins use [`super::files`] instead.

use std::path::Path;

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::files::preopen_folders;
use super::grant::GrantError;
use crate::config::FilesGrant;

/// The folders that an instance finds open. A guest sees each under its real absolute path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preopens {
    /// Real path, and whether it may be written.
    folders: Vec<(String, bool)>,
}

impl Preopens {
    /// Check what is granted.
    ///
    /// # Errors
    /// A path that is no folder, does not exist, or holds what is never granted, with its line.
    pub fn new(grant: &FilesGrant, project_dir: &Path) -> Result<Self, GrantError> {
        Ok(Self { folders: preopen_folders(grant, project_dir)? })
    }

    /// Open the folders for one instance.
    ///
    /// # Errors
    /// A folder that is gone since the grant was checked.
    pub fn open(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        for (path, is_writable) in &self.folders {
            let permissions = if *is_writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(path, path, permissions)?;
        }
        Ok(())
    }

    /// The folders with whether each may be written, to be shown to a person.
    pub fn folders(&self) -> impl Iterator<Item = (&str, bool)> {
        self.folders.iter().map(|(path, is_writable)| (path.as_str(), *is_writable))
    }
}
