//! Standard `wasi:filesystem` preopens, for components that were not made for this host.
//!
//! They are scoped and nothing more: what a component does inside of one is not judged act by act
//! and leaves no trace in the journal. So one that may be written goes with the profile `auto` alone,
//! which `pi.toml` is held to when it is read. Built-in plugins use [`super::files`] instead.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::files::preopen_folders;
use super::grant::GrantError;
use crate::config::FilesGrant;

/// The folders that an instance finds open. A guest sees each under its real absolute path.
#[derive(Debug, Default)]
pub struct Preopens {
    folders: Vec<Folder>,
}

#[derive(Debug)]
struct Folder {
    /// The real path when it was granted.
    path: String,
    is_writable: bool,
    /// Open from then on: what is put in its place later is not it.
    held: OwnedFd,
}

impl Preopens {
    /// Check what is granted.
    ///
    /// # Errors
    /// A path that is no folder, does not exist, or holds what is never granted, with its line.
    pub fn new(grant: &FilesGrant, project_dir: &Path) -> Result<Self, GrantError> {
        let mut folders = Vec::new();
        for (path, is_writable) in preopen_folders(grant, project_dir)? {
            let held = File::open(&path).map_err(|error| {
                let key = if is_writable { "write" } else { "read" };
                GrantError::new("preopens", key, &path, error.to_string())
            })?;
            folders.push(Folder { path, is_writable, held: held.into() });
        }
        Ok(Self { folders })
    }

    /// Open the folders for one instance.
    ///
    /// # Errors
    /// The system cannot open them.
    pub fn open(&self, wasi: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        for Folder { path, is_writable, held } in &self.folders {
            let permissions = if *is_writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(format!("/proc/self/fd/{}", held.as_raw_fd()), path, permissions)?;
        }
        Ok(())
    }

    /// The folders with whether each may be written, to be shown to a person.
    pub fn folders(&self) -> impl Iterator<Item = (&str, bool)> {
        self.folders.iter().map(|folder| (folder.path.as_str(), folder.is_writable))
    }
}
