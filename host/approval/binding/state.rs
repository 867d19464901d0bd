//! What is in files and folders, as bytes for a hash.
//!
//! Named files are read; of what is beyond the limit, and of all below a folder, the inode and its
//! times count: no program can set the time of an inode's change, as it can that of the contents.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::Unbound;
use super::named::Named;

/// Bytes that are read of all files together. Danger: a command that names a disk image holds up
/// every other question.
pub(super) const BYTES_MAX: u64 = 64 << 20;
/// Entries of folders that are looked at. Danger: the root of a file system.
const ENTRIES_MAX: usize = 500_000;
/// Folders in folders.
const DEPTH_MAX: usize = 64;
/// The kernel's own: what is there is no file, and changes with every look.
const KERNELS: &[&str] = &["/proc", "/sys", "/dev"];

/// Looks at files, within limits.
pub(super) struct Looks<'a> {
    own: &'a Path,
    bytes_left: u64,
    entries_left: usize,
    newest_ms: Option<u64>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(own: &'a Path) -> Self {
        Self { own, bytes_left: BYTES_MAX, entries_left: ENTRIES_MAX, newest_ms: None }
    }

    /// The last change among those that count by their times.
    pub(super) fn newest_ms(&self) -> Option<u64> {
        self.newest_ms
    }

    pub(super) fn at(&mut self, named: &Named, hash: &mut Sha256) -> Result<(), Unbound> {
        for path in &named.files {
            if path.starts_with(self.own) {
                continue;
            }
            let Some(state) = self.file(path)? else { continue };
            name(hash, b"file", path.as_os_str().as_bytes());
            hash.update(state);
        }
        for (folder, ends) in &named.trees {
            name(hash, b"tree", folder.as_os_str().as_bytes());
            self.tree(folder, ends, 0, hash)?;
        }
        Ok(())
    }

    /// What a named file holds. None: there is no file.
    fn file(&mut self, path: &Path) -> Result<Option<Vec<u8>>, Unbound> {
        let Ok(metadata) = path.metadata() else { return Ok(None) };
        if metadata.is_dir() {
            return Ok(None);
        }
        if !metadata.is_file() {
            return Ok(Some(b"special".to_vec()));
        }
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        if metadata.len() <= self.bytes_left
            && let Ok(file) = File::options().read(true).custom_flags(flags).open(path)
        {
            let mut digest = Sha256::new();
            let mut bytes = [0_u8; 1 << 14];
            let mut file = file.take(self.bytes_left);
            loop {
                let count = file.read(&mut bytes).map_err(|error| unreadable(path, &error))?;
                if count == 0 {
                    break;
                }
                digest.update(bytes.get(..count).unwrap_or_default());
                self.bytes_left = self.bytes_left.saturating_sub(count as u64);
            }
            let mut state = digest.finalize().to_vec();
            // One that grew while it was read may have been cut: then its size tells.
            state.extend(metadata.len().to_le_bytes());
            return Ok(Some(state));
        }
        Ok(Some(self.by_times(&metadata)))
    }

    fn tree(&mut self, folder: &Path, ends: &BTreeSet<&str>, depth: usize, hash: &mut Sha256) -> Result<(), Unbound> {
        if depth > DEPTH_MAX {
            return Err(Unbound::TooDeep(DEPTH_MAX));
        }
        let is_kernels = KERNELS.iter().any(|kernels| folder.starts_with(kernels));
        if is_kernels || folder.starts_with(self.own) {
            return Ok(());
        }
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            // What this host may not read its programs may not read either.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(unreadable(folder, &error)),
        };
        let mut paths: Vec<(PathBuf, bool)> = Vec::new();
        for entry in entries {
            self.entries_left = self.entries_left.checked_sub(1).ok_or(Unbound::TooMany(ENTRIES_MAX))?;
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
            paths.push((entry.path(), kind.is_dir()));
        }
        paths.sort_unstable();
        for (path, is_folder) in paths {
            if is_folder {
                self.tree(&path, ends, depth + 1, hash)?;
                continue;
            }
            let bytes = path.as_os_str().as_bytes();
            if !ends.iter().any(|end| bytes.ends_with(end.as_bytes())) {
                continue;
            }
            // Removed since: the next look sees it as well.
            let Ok(metadata) = path.symlink_metadata() else { continue };
            name(hash, b"entry", bytes);
            let state = self.by_times(&metadata);
            hash.update(state);
            // A link counts with what it leads to.
            if metadata.is_symlink()
                && let Ok(metadata) = path.metadata()
                && metadata.is_file()
            {
                let state = self.by_times(&metadata);
                hash.update(state);
            }
        }
        Ok(())
    }

    fn by_times(&mut self, found: &Metadata) -> Vec<u8> {
        let ms = u64::try_from(found.ctime().saturating_mul(1_000) + found.ctime_nsec() / 1_000_000);
        self.newest_ms = self.newest_ms.max(ms.ok());
        format!(
            "{} {} {} {} {}.{} {}.{};",
            found.dev(),
            found.ino(),
            found.mode(),
            found.size(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec()
        )
        .into_bytes()
    }
}

fn name(hash: &mut Sha256, kind: &[u8], path: &[u8]) {
    hash.update([0]);
    hash.update(kind);
    hash.update([0]);
    hash.update(path);
    hash.update([0]);
}

fn unreadable(path: &Path, error: &std::io::Error) -> Unbound {
    Unbound::Unreadable(format!("`{}`: {error}", crate::gate::explain::escaped(&path.display().to_string())))
}
