//! Compiled code on disk, in a folder that only this user writes.
//!
//! This is the one file of the runtime that is unsafe: reading compiled code back is running it.
//! It holds because a file is read only if it and its folder belong to this user and nobody else can
//! write them, and because it was written there by this code under the hash of the component *and*
//! of the engine's settings. Its contents are not checked (no signature, no checksum): who can write
//! as this user can run code as this user anyway. An artifact from anywhere else is never loaded.

#![allow(unsafe_code)]

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::plugin::Listing;

/// Of a listing that is read: more was never written.
const LISTING_BYTES_MAX: u64 = 64 << 20;

/// Where compiled code is kept.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// Why a folder cannot hold compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the compile cache `{0}` cannot be used: {1}")]
    Io(PathBuf, std::io::Error),
    #[error(
        "the compile cache `{0}` can be written by others: compiled code from there would run with your rights\nhint: chmod 700, or remove it"
    )]
    Exposed(PathBuf),
}

impl Cache {
    /// Use (and make) `folder`.
    ///
    /// # Errors
    /// It cannot be made, is another user's, or can be written by others.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let io = |error| CacheError::Io(folder.to_owned(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        let metadata = fs::symlink_metadata(folder).map_err(io)?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        if !metadata.is_dir() || !is_ours || metadata.mode() & 0o022 != 0 {
            return Err(CacheError::Exposed(folder.to_owned()));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Compiled code kept under `key`; none if there is none, or if it does not fit the engine.
    pub(super) fn load(&self, engine: &Engine, key: &str) -> Option<Component> {
        let path = self.path(engine, key);
        if !is_ours(&path) {
            return None;
        }
        // SAFETY: the file was written by `store` of this user into a folder that nobody else can
        // write, was complete when it got its name, and its name holds the hashes of the
        // component, of this program's version and of the engine's settings; wasmtime checks its
        // own version once more. It is mapped privately and never changed in place: `store` writes
        // a new file and renames it.
        unsafe { Component::deserialize_file(engine, &path) }.ok()
    }

    /// Keep compiled code. A cache that cannot be written is a slow start, not an error.
    pub(super) fn store(&self, engine: &Engine, key: &str, compiled: &[u8]) -> std::io::Result<()> {
        write(&self.path(engine, key), compiled)
    }

    /// What the component of this digest said that its tools are. It is read as what a component says, and never more.
    pub(super) fn load_listing(&self, key: &str) -> Option<Listing> {
        let path = self.listing_path(key);
        if !is_ours(&path) || fs::symlink_metadata(&path).ok()?.len() > LISTING_BYTES_MAX {
            return None;
        }
        serde_json::from_slice(&fs::read(&path).ok()?).ok()
    }

    /// Keep what a component said. Where it cannot be kept, it is asked again.
    pub(super) fn store_listing(&self, key: &str, listing: &Listing) -> std::io::Result<()> {
        write(&self.listing_path(key), &serde_json::to_vec(listing)?)
    }

    fn listing_path(&self, key: &str) -> PathBuf {
        let mut hasher = std::hash::DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        self.folder.join(format!("{key}-{:016x}.tools.json", hasher.finish()))
    }

    fn path(&self, engine: &Engine, key: &str) -> PathBuf {
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        self.folder.join(format!("{key}-{:016x}.cwasm", hasher.finish()))
    }
}

/// Whether a file is of this user alone.
fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| {
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        metadata.is_file() && is_ours && metadata.mode() & 0o022 == 0
    })
}

/// Write a file that has its name only when it is whole.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension(format!("part{}", std::process::id()));
    let written = (|| {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Lower-case hex SHA-256.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
